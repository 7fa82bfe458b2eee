"""The part of the page where pictures come in: faces outlined, one chosen or shown by hand, the quality card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency
from PIL import Image

from gioconda.errors import GiocondaError, UsageError
from gioconda.portrait_check import check
from gioconda.studio import fragments
from gioconda.studio.studio import LIGHT, LOOK, Studio
from gioconda.studio.subject import Subject, boxed, choose, face_at, marked, open_subject, outlined
from gioconda.tracking import Box

FOUND, POINTS, BOX = "choose one that was found", "click five points", "draw a box"
_WELCOME = (
    "Drop 1 to 32 pictures of one person above, or an .avatar; the first picture is the one that moves. "
    "Animate only people who agreed to it, or who are long dead."
)
Corner = tuple[float, float] | None


@dataclass(frozen=True)
class PortraitPanel:
    """What the other parts of the page need of it.

    Attributes:
        subject: who is to move, a `Subject` or None.
        shown: the components that show a subject, in the order of `show`.
        changes: the events after which the subject may be another.
    """

    studio: Studio
    subject: gr.State
    shown: list[Any]
    changes: list[Dependency]

    def show(
        self, subject: Subject | None, request: gr.Request, fault: str = "", corner: Corner = None, ask: str = ""
    ) -> list[Any]:
        """Values for `shown`; `ask` is what to do next, where that does not follow from the subject."""
        if subject is None:
            hidden = gr.update(visible=False)
            return [None, corner, gr.update(value=None, visible=False), hidden, hidden, hidden, _guide(None, fault)]
        path = self.studio.new_folder(request) / "faces.webp"
        Image.fromarray(outlined(subject, corner)).save(path, "WEBP", quality=90)
        numbers = list(range(len(subject.faces)))
        several = len(numbers) > 1 and subject.avatar is None
        return [
            subject,
            corner,
            gr.update(value=str(path), visible=True),
            gr.update(choices=numbers, value=subject.chosen, visible=several),
            gr.update(visible=subject.avatar is None),
            gr.update(visible=subject.avatar is None),
            _guide(subject, fault, ask),
        ]


def portrait_panel(studio: Studio) -> PortraitPanel:
    """Lay it out and wire it."""
    most = studio.limits.pixels
    subject, corner = gr.State(), gr.State()
    files = gr.File(
        label="Pictures",
        file_count="multiple",
        file_types=["image", ".heic", ".heif", ".avatar"],
        height=150,
        elem_id="pictures",
    )
    guide = gr.HTML(_guide(None), elem_id="guide")
    picture = gr.Image(
        visible=False,
        interactive=False,
        show_label=False,
        buttons=[],
        elem_id="picture",
        alt_text="the first picture, with the outlines of its faces",
    )
    faces = gr.Radio([], label="Which face", visible=False, elem_id="faces")
    how = gr.Radio([FOUND, POINTS, BOX], value=FOUND, label="How to show the face", visible=False, elem_id="how")
    with gr.Accordion("Where the face is, in numbers", open=False, visible=False) as by_numbers:
        numbers = gr.Textbox(
            label="Left, top, width and height of the face in pixels of the picture",
            placeholder="120, 80, 200, 260",
            elem_id="numbers",
        )
        take = gr.Button("Look there", elem_id="look-there")
    card = gr.HTML(elem_id="card")
    panel = PortraitPanel(studio, subject, [subject, corner, picture, faces, how, by_numbers, guide], [])

    def opened(paths: list[str] | None, request: gr.Request) -> list[Any]:
        if not paths:
            return [*panel.show(None, request), FOUND]
        try:
            found = open_subject([Path(path) for path in paths], most)
        except GiocondaError as error:
            return [*panel.show(None, request, studio.spoken(error)), FOUND]
        return [*panel.show(found, request), FOUND if found.faces else POINTS]

    def checked(now: Subject | None) -> str:
        if now is None or now.avatar is not None:
            return ""
        try:
            marks = [now.by_hand] if now.by_hand else []
            return fragments.card(check(now.paths, landmarks=marks, max_pixels=most, tracker=now.tracker))
        except GiocondaError as error:
            return fragments.note(studio.spoken(error), "fault")

    def turned(now: Subject | None, way: str, request: gr.Request) -> list[Any]:
        now = now and replace(now, marks=())
        asks = {POINTS: f"Click {now.next_mark}." if now else "", BOX: "Click a corner of a box around the face."}
        return panel.show(now, request, ask=asks.get(way, ""))

    def chosen(now: Subject | None, number: int | None, request: gr.Request) -> list[Any]:
        return attempt(now, request, lambda subject: choose(subject, int(number or 0), most))

    def clicked(now: Subject | None, way: str, before: Corner, event: gr.EventData, request: gr.Request) -> list[Any]:
        if now is None or now.avatar is not None:
            return panel.show(now, request)
        place = _place(event, now)
        if place is None:
            return panel.show(now, request)
        if way == FOUND:
            number = face_at(now, place)
            return panel.show(now, request) if number is None else chosen(now, number, request)
        if way == POINTS:
            if now.portrait is not None:
                now = replace(now, portrait=None, faces=(), marks=())
            return attempt(
                replace(now, marks=()), request, lambda _: marked(now, place, studio.new_folder(request), most)
            )
        if before is None:
            return panel.show(now, request, corner=place, ask="Now click the opposite corner.")
        return attempt(now, request, lambda subject: boxed(subject, _spanned(before, place), most))

    def looked(now: Subject | None, text: str | None, request: gr.Request) -> list[Any]:
        return attempt(now, request, lambda subject: boxed(subject, _box(text), most))

    def attempt(now: Subject | None, request: gr.Request, change: Callable[[Subject], Subject]) -> list[Any]:
        try:
            return panel.show(now and change(now), request)
        except GiocondaError as error:
            return panel.show(now, request, studio.spoken(error))

    read = files.change(studio.in_turn(opened), files, [*panel.shown, how], **LOOK)
    how.input(studio.in_turn(turned), [subject, how], panel.shown, **LIGHT)
    panel.changes.extend(
        [
            read,
            faces.input(studio.in_turn(chosen), [subject, faces], panel.shown, **LOOK),
            picture.select(
                studio.in_turn(clicked), [subject, how, corner], panel.shown, trigger_mode="multiple", **LOOK
            ),
            gr.on([take.click, numbers.submit], studio.in_turn(looked), [subject, numbers], panel.shown, **LOOK),
        ]
    )
    for change in panel.changes:
        change.then(studio.in_turn(checked), subject, card, **LOOK)
    return panel


def _guide(subject: Subject | None, fault: str = "", ask: str = "") -> str:
    """What to do next."""
    said = fragments.note(fault, "fault") if fault else ""
    if subject is None:
        return said or fragments.note(_WELCOME)
    if ask:
        return said + fragments.note(ask)
    if subject.avatar is not None:
        return said + fragments.note("An avatar: personalised already.", "good")
    if subject.portrait is not None:
        several = len(subject.faces) > 1
        return said + fragments.note("Click the face you mean." if several else "The face is found.", "good")
    if subject.next_mark and subject.marks:
        return said + fragments.note(f"Now click {subject.next_mark}.")
    return said + fragments.note(
        f"No face is known. Click {subject.next_mark}; or draw a box: click two opposite corners.", "fault"
    )


def _place(event: gr.EventData, subject: Subject) -> tuple[float, float] | None:
    """Where somebody clicked, in the picture's pixels; None for nowhere in it."""
    height, width = subject.shown.shape[:2]
    try:
        x, y = map(float, event.index)
    except (AttributeError, TypeError, ValueError):
        return None
    return (x * subject.scale, y * subject.scale) if 0 <= x <= width and 0 <= y <= height else None


def _spanned(one: tuple[float, float], other: tuple[float, float]) -> Box:
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(one, other, strict=True))
    return Box(left, top, right - left, bottom - top)


def _box(text: str | None) -> Box:
    try:
        x, y, width, height = map(float, (text or "").replace(",", " ").split())
    except ValueError:
        raise UsageError("give four numbers: left, top, width and height in pixels") from None
    return Box(x, y, width, height)
