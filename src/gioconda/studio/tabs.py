"""The tabs of the page: animate, still, reel, personalise, check a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path
from typing import Any

import gradio as gr

from gioconda.credentials.verification import verify
from gioconda.drivers import builtin_names
from gioconda.errors import GiocondaError, UsageError
from gioconda.retarget import Gains
from gioconda.studio import fragments
from gioconda.studio.jobs import Job
from gioconda.studio.making import (
    ENDINGS,
    MOST_DRIVERS,
    SIZES,
    Driver,
    Made,
    Personalised,
    Wishes,
    make_avatar,
    make_clip,
    make_reel,
    make_still,
    wishes_of,
)
from gioconda.studio.portrait_panel import PortraitPanel
from gioconda.studio.still_editor import DIALS, Expression
from gioconda.studio.studio import LIGHT, LOOK, WORK, Studio
from gioconda.studio.subject import Subject

VIDEO = "a video or the webcam"
_PARTS = {"head": "Head", "mouth": "Mouth", "eyes": "Eyes", "brows": "Brows", "gaze": "Gaze"}


def animate_tab(panel: PortraitPanel) -> None:
    """A picture and a driver in, a clip out."""
    studio = panel.studio
    with gr.Row():
        with gr.Column(min_width=280):
            who = gr.Radio(
                [*builtin_names(), VIDEO],
                value=builtin_names()[0],
                label="Whose movements",
                elem_id="performances",
                elem_classes="performances",
            )
            video = gr.Video(
                label=f"The driver: at most {studio.limits.seconds:g} s are used",
                sources=["upload", "webcam"],
                include_audio=True,
                visible=False,
                buttons=[],
                elem_id="driver-video",
            )
            with gr.Accordion("How much of the movement", open=False):
                gains = [
                    gr.Slider(0, 2, 1, step=0.05, label=name, elem_id=f"gain-{part}") for part, name in _PARTS.items()
                ]
        with gr.Column(min_width=280):
            wishes = _wishes("animate")
            start, stop = _start_and_stop("Bring it to life", "animate")
    outcome = _outcome("animate")

    def run(
        request: gr.Request, subject: Subject | None, name: str, path: str | None, *given: Any
    ) -> Iterator[list[Any]]:
        def work(job: Job[Made], folder: Path) -> Made:
            driver = _driver(name, path)
            return make_clip(_known(subject), driver, _asked(given[5:], given[:5]), folder, studio.limits, job)

        yield from _followed(studio, request, work)

    who.change(lambda name: gr.update(visible=name == VIDEO), who, video, **LIGHT)
    _wire(studio, start, stop, run, [panel.subject, who, video, *gains, *wishes], outcome)


def still_tab(panel: PortraitPanel, tab: gr.Tab) -> None:
    """One picture, changed as somebody drags: `page.js` then asks for it without Gradio, which takes too long."""
    studio = panel.studio
    with gr.Row():
        with gr.Column(min_width=280, elem_id="dials"):
            dials = [
                gr.Slider(dial.least, dial.most, dial.rest, step=dial.step, label=dial.name, elem_id=f"dial-{name}")
                for name, dial in DIALS.items()
            ]
            reset = gr.Button("As in the picture", elem_id="still-reset")
        with gr.Column(min_width=280, elem_id="still-side"):
            picture = gr.HTML(elem_id="still")
            start = gr.Button("Make it a picture in full size", variant="primary", elem_id="still-save")
    outcome = _outcome("still")

    def draw(request: gr.Request, subject: Subject | None, *values: float) -> str:
        tab = str(request.session_hash)
        if subject is None or subject.portrait is None:
            studio.editors.close(tab)
            return fragments.note("Give a picture first.")
        editor, key = studio.editors.open(studio.visitor(request), tab, subject)
        return fragments.still(editor.draw(Expression(*values)), key)

    def save(request: gr.Request, subject: Subject | None, *values: float) -> Iterator[list[Any]]:
        def work(job: Job[Made], folder: Path) -> Made:
            wishes = Wishes(size=None)
            return make_still(_known(subject), Expression(*values).performance(), wishes, folder, job)

        yield from _followed(studio, request, work)

    given = [panel.subject, *dials]
    at_rest = reset.click(lambda: [dial.rest for dial in DIALS.values()], None, dials, **LIGHT)
    tab.select(draw, given, picture, **LIGHT)
    for change in (*panel.changes, at_rest):
        change.then(draw, given, picture, **LIGHT)
    start.click(save, [panel.subject, *dials], outcome, **WORK)


def reel_tab(panel: PortraitPanel) -> None:
    """Up to three drivers at once."""
    studio = panel.studio
    with gr.Row():
        with gr.Column(min_width=280):
            names = gr.CheckboxGroup(
                builtin_names(),
                value=builtin_names(),
                label="Performances",
                elem_id="reel-performances",
                elem_classes="performances",
            )
            videos = gr.File(
                label="Videos", file_count="multiple", file_types=["video"], height=140, elem_id="reel-videos"
            )
            height = gr.Slider(128, 1080, 480, step=16, label="Height in pixels", elem_id="reel-height")
        with gr.Column(min_width=280):
            wishes = _wishes("reel", sized=False)
            gr.HTML(fragments.note(f"1 to {MOST_DRIVERS} drivers; the voice of the first video is heard."))
            start, stop = _start_and_stop("Make the reel", "reel")
    outcome = _outcome("reel")

    def run(
        request: gr.Request,
        subject: Subject | None,
        chosen: list[str],
        paths: list[str] | None,
        tall: float,
        *given: Any,
    ) -> Iterator[list[Any]]:
        def work(job: Job[Made], folder: Path) -> Made:
            drivers = [*map(Driver, chosen), *(_driver(VIDEO, path) for path in paths or ())]
            return make_reel(_known(subject), drivers, int(tall), _asked(given), folder, studio.limits, job)

        yield from _followed(studio, request, work)

    _wire(studio, start, stop, run, [panel.subject, names, videos, height, *wishes], outcome)


def personalise_tab(panel: PortraitPanel) -> None:
    """Fine-tune the renderer to the person."""
    studio = panel.studio
    if util.find_spec("torch") is None:
        gr.HTML(
            fragments.note("Personalising needs the extra 'learn': pip install 'gioconda[learn]', then start again.")
        )
        return
    with gr.Row():
        with gr.Column(min_width=280):
            gr.HTML(
                fragments.note(
                    "Fine-tunes the network that draws to the person in the pictures; more pictures are better. "
                    "Warp keeps their pixels; sketch paints the face anew, softly, 128 pixels wide. To begin with a "
                    "network of your own, give the warp.onnx or sketch.safetensors of a training run."
                )
            )
            renderer = gr.Radio(["warp", "sketch"], value="warp", label="Drawn by", elem_id="renderer")
            weights = gr.File(
                label="Other weights", file_types=[".onnx", ".safetensors"], height=120, elem_id="weights"
            )
            fidelity = gr.Slider(
                0, 3, 1, step=0.1, label="Fidelity: 0 liveliest, 1 as much as helps", elem_id="fidelity"
            )
            consent = gr.Textbox(label="Whose pictures these are, and what they agreed to", elem_id="avatar-consent")
        with gr.Column(min_width=280):
            start, stop = _start_and_stop("Personalise", "personalise")
            status = gr.HTML(elem_id="personalise-status")
            avatar = gr.File(
                label="The avatar: drop it among the pictures to use it again",
                interactive=False,
                visible=False,
                elem_id="avatar",
            )

    def run(
        subject: Subject | None, by: str, path: str | None, amount: float, who: str | None, request: gr.Request
    ) -> Iterator[list[Any]]:
        def work(job: Job[Personalised], folder: Path) -> Personalised:
            return make_avatar(_known(subject), by, Path(path) if path else None, amount, who or "", folder, job)

        yield [gr.skip()] * len(panel.shown) + [fragments.note("Beginning ..."), gr.update(visible=False)]
        for job in studio.follow(request, work):
            shown = fragments.fine_tuning(job.shown or ())
            if not job.ended:
                yield [gr.skip()] * len(panel.shown) + [fragments.progress(job.moment) + shown, gr.skip()]
            elif job.result is None:
                yield [gr.skip()] * len(panel.shown) + [studio.outcome(job), gr.skip()]
            else:
                file = gr.update(value=str(job.result.path), visible=True)
                yield [*panel.show(job.result.subject, request), studio.outcome(job) + shown, file]

    given = [panel.subject, renderer, weights, fidelity, consent]
    begun = start.click(run, given, [*panel.shown, status, avatar], **WORK)
    studio.stopped_by(stop, begun, status)
    panel.changes.append(begun)


def check_tab(studio: Studio) -> None:
    """What anybody's clip says of itself."""
    files = gr.File(
        label="A clip or a picture; with a .c2pa sidecar drop both together",
        file_count="multiple",
        height=150,
        elem_id="check-files",
    )
    told = gr.HTML(elem_id="check-told")

    def look(paths: list[str] | None) -> str:
        clips = [Path(path) for path in paths or () if not path.endswith(".c2pa")]
        try:
            return "".join(fragments.credentials(verify(path)) for path in clips)
        except GiocondaError as error:
            return fragments.note(studio.spoken(error), "fault")

    files.change(studio.in_turn(look), files, told, **LOOK)


def _wishes(tab: str, sized: bool = True) -> list[Any]:
    """How the clip is wanted: format, size, label, consent."""
    with gr.Row():
        ending = gr.Radio(list(ENDINGS), value="MP4", label="Format", elem_id=f"{tab}-format", min_width=140)
        size = gr.Dropdown(
            list(SIZES), value="512", label="Longer side in pixels", visible=sized, elem_id=f"{tab}-size", min_width=140
        )
    label = gr.Checkbox(label="A visible label on every frame", elem_id=f"{tab}-label")
    consent = gr.Textbox(
        label="Who agreed to this clip (kept in it for everybody to read)", max_lines=2, elem_id=f"{tab}-consent"
    )
    return [ending, size, label, consent]


def _asked(given: tuple[Any, ...], gains: tuple[float, ...] = ()) -> Wishes:
    ending, size, label, consent = given
    return wishes_of(ending, size, Gains(**dict(zip(_PARTS, gains, strict=bool(gains)))), bool(label), consent)


def _start_and_stop(text: str, tab: str) -> tuple[gr.Button, gr.Button]:
    with gr.Row():
        start = gr.Button(text, variant="primary", elem_id=f"{tab}-start", min_width=120)
        stop = gr.Button("Stop", variant="stop", elem_id=f"{tab}-stop", min_width=80)
    return start, stop


def _outcome(tab: str) -> list[Any]:
    """Where it is said how far it is, and where the result appears."""
    status = gr.HTML(elem_id=f"{tab}-status")
    result = gr.HTML(elem_id=f"{tab}-result")
    files = gr.File(label="Download", interactive=False, visible=False, file_count="multiple", elem_id=f"{tab}-files")
    told = gr.HTML(elem_id=f"{tab}-told")
    return [status, result, files, told]


def _followed(studio: Studio, request: gr.Request, work: Callable[[Job[Made], Path], Made]) -> Iterator[list[Any]]:
    """Values for `_outcome` while a job runs, and when it has ended."""
    yield [fragments.note("Beginning ..."), "", gr.update(value=None, visible=False), ""]
    for job in studio.follow(request, work):
        if not job.ended:
            yield [fragments.progress(job.moment, job.shown), gr.skip(), gr.skip(), gr.skip()]
        elif job.result is None:
            yield [studio.outcome(job), gr.skip(), gr.skip(), gr.skip()]
        else:
            files = gr.update(value=[str(path) for path in job.result.files], visible=True)
            told = fragments.credentials(job.result.finding)
            yield [studio.outcome(job), fragments.side_by_side(job.result), files, told]


def _wire(
    studio: Studio, start: gr.Button, stop: gr.Button, run: Callable[..., Any], given: list[Any], outcome: list[Any]
) -> None:
    begun = start.click(run, given, outcome, **WORK)
    studio.stopped_by(stop, begun, outcome[0])


def _known(subject: Subject | None) -> Subject:
    if subject is None:
        raise UsageError("give a picture first")
    return subject


def _driver(name: str | None, path: str | None) -> Driver:
    if name is not None and name != VIDEO:
        return Driver(name)
    if path is None:
        raise UsageError("give a video, record one with the webcam, or choose a performance")
    return Driver(Path(path).stem, Path(path))
