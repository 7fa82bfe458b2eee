"""What programs may ask of the studio by name; they hand in files as Gradio's client does."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from gioconda.commands.verify import as_json
from gioconda.credentials.verification import verify
from gioconda.drivers import builtin_names
from gioconda.errors import GiocondaError, UsageError
from gioconda.retarget import Gains
from gioconda.studio.jobs import Job, StoppedError
from gioconda.studio.making import ENDINGS, SIZES, Driver, Made, make_clip, wishes_of
from gioconda.studio.studio import Studio
from gioconda.studio.subject import open_subject


def api(studio: Studio) -> None:
    """Two endpoints, `animate` and `check`; nothing of them is seen on the page."""
    with gr.Group(visible=False):
        pictures = gr.File(label="pictures", file_count="multiple")
        performance = gr.Dropdown(builtin_names(), value=None, label="performance")
        video = gr.File(label="video")
        ending = gr.Radio(list(ENDINGS), value="MP4", label="format")
        size = gr.Dropdown(list(SIZES), value="512", label="size")
        gains = [gr.Slider(0, 3, 1, label=name) for name in ("head", "mouth", "eyes", "brows", "gaze")]
        consent = gr.Textbox("", label="consent")
        asked, checked = gr.Button(), gr.Button()
        clip, finding, file = gr.File(label="clip"), gr.JSON(label="finding"), gr.File(label="file")

    def animate(
        pictures: list[str],
        performance: str | None = None,
        video: str | None = None,
        format: str = "MP4",
        size: str = "512",
        head: float = 1.0,
        mouth: float = 1.0,
        eyes: float = 1.0,
        brows: float = 1.0,
        gaze: float = 1.0,
        consent: str | None = "",
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> str:
        def work(job: Job[Made], folder: Path) -> Made:
            if (performance is None) == (video is None):
                raise UsageError("give either the name of a performance or a video")
            driver = Driver(str(performance)) if performance else Driver(Path(video or "").stem, Path(video or ""))
            wishes = wishes_of(format, size, Gains(head, mouth, eyes, brows, gaze), False, consent)
            subject = open_subject([Path(path) for path in pictures or ()], studio.limits.pixels)
            return make_clip(subject, driver, wishes, folder, studio.limits, job)

        try:
            *_, job = studio.follow(request, work)
        finally:
            studio.forget(request)
        if job.result is None:
            raise gr.Error(studio.spoken(job.error or StoppedError()), print_exception=False)
        return str(job.result.clip)

    def check(file: str | None, request: gr.Request) -> dict[str, object]:
        studio.forget(request)
        try:
            if file is None:
                raise UsageError("give a file")
            return {**as_json(verify(Path(file))), "file": Path(file).name}
        except GiocondaError as error:
            raise gr.Error(studio.spoken(error), print_exception=False) from error

    asked.click(
        animate,
        [pictures, performance, video, ending, size, *gains, consent],
        clip,
        api_name="animate",
        concurrency_id="work",
        concurrency_limit=1,
    )
    checked.click(check, file, finding, api_name="check", concurrency_id="check", concurrency_limit=2)
