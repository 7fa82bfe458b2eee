"""What all parts of the page share: who visits, what is under way, and how errors are spoken."""

from __future__ import annotations

import functools
import re
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.events import Dependency

from gioconda.errors import GiocondaError, NoFaceError
from gioconda.studio import fragments
from gioconda.studio.jobs import Job, Jobs, StoppedError
from gioconda.studio.limits import Limits
from gioconda.studio.still_route import Editors
from gioconda.studio.visitors import Visitors, visitor_of

T = TypeVar("T")
P = ParamSpec("P")
STOPPED = "Stopped. Nothing is left of it."
LEFT = "The page was left, and its pictures with it: give them again."
PATIENCE = 10.0
"""Seconds that whoever stops something waits, at most, until it has cleared up."""
LOOKING = 2
"""Searches for faces that go on at the same time."""
LOOK_EVERY = 0.25
"""Seconds from one look at a job to the next."""
WORK: dict[str, Any] = {
    "concurrency_id": "work",
    "concurrency_limit": 1,
    "show_progress": "minimal",
    "api_visibility": "private",
}
"""How Gradio runs what renders: one after the other, whoever asked."""
LOOK: dict[str, Any] = {"queue": False, "show_progress": "minimal", "api_visibility": "private"}
"""How Gradio runs what takes a second: at once, also where many wait for renderings; see `Studio.in_turn`."""
LIGHT: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""How Gradio runs what takes no time."""


@dataclass(frozen=True)
class Studio:
    """The studio while it is open."""

    visitors: Visitors
    limits: Limits
    jobs: Jobs = field(default_factory=Jobs)
    editors: Editors = field(default_factory=Editors)
    looking: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(LOOKING))

    def visitor(self, request: gr.Request) -> str:
        """Who asks."""
        return visitor_of(dict(request.cookies), request.client.host if request.client else "")

    def in_turn(self, look: Callable[P, T]) -> Callable[P, T]:
        """The same function, but only `LOOKING` of its kind at a time; raises `gradio.Error`: its visitor has left."""

        @functools.wraps(look)
        def waiting(*arguments: P.args, **options: P.kwargs) -> T:
            try:
                with self.looking:
                    return look(*arguments, **options)
            except FileNotFoundError as error:
                if not Path(error.filename or "").is_relative_to(self.visitors.root):
                    raise
                raise gr.Error(LEFT, print_exception=False) from error

        return waiting

    def new_folder(self, request: gr.Request) -> Path:
        """A new folder for what is made for whoever asks."""
        return self.visitors.new_folder(self.visitor(request))

    def spoken(self, error: Exception) -> str:
        """An error as a visitor may read it: without the folders of this machine."""
        if isinstance(error, StoppedError):
            return STOPPED
        if not isinstance(error, GiocondaError):
            traceback.print_exception(error, file=sys.stderr)
            return "This is a fault in the program; whoever started it sees on the terminal what happened."
        text = re.sub(rf"{re.escape(str(self.visitors.root))}/(?:[0-9a-f]+/)*", "", str(error))
        if isinstance(error, NoFaceError):
            # What comes after is about options of the command line.
            text = text.partition("; give")[0]
        return text[:1].upper() + text[1:]

    def follow(self, request: gr.Request, work: Callable[[Job[T], Path], T]) -> Iterator[Job[T]]:
        """Have work done, in a new folder; yields the job a few times a second, and once more when it has ended.

        When nobody looks any more the work is stopped. The folder goes, unless it was done.
        """
        folder = self.new_folder(request)

        def all_or_nothing(job: Job[T]) -> T:
            try:
                made = work(job, folder)
                job.check()
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            return made

        job = self.jobs.begin(str(request.session_hash), all_or_nothing)
        try:
            while not job.wait(LOOK_EVERY):
                yield job
        finally:
            job.stop()
        yield job

    def outcome(self, job: Job[Any]) -> str:
        """How a job ended."""
        if job.error is None:
            return fragments.note("Done.", "good")
        return fragments.note(self.spoken(job.error), "note" if isinstance(job.error, StoppedError) else "fault")

    def stop(self, request: gr.Request) -> Any:
        """End what is under way in a tab; what to say of it, where it was not done already."""
        job = self.jobs.stop(str(request.session_hash), PATIENCE)
        return gr.skip() if job is not None and job.result is not None else fragments.note(STOPPED)

    def stopped_by(self, button: gr.Button, begun: Dependency, status: gr.HTML) -> None:
        """Wire the button that ends what an event has begun, also where that waits in the queue still."""
        stopped = button.click(self.stop, None, status, cancels=[begun], **LIGHT)
        # Said once more: news that was on its way when the button was pressed may have come after the first time.
        stopped.then(self.stop, None, status, **LIGHT)

    def arrive(self, request: gr.Request) -> None:
        """A tab was opened."""
        self.visitors.arrive(self.visitor(request), str(request.session_hash))

    def leave(self, request: gr.Request) -> None:
        """A tab was closed."""
        self.editors.close(str(request.session_hash))
        self.forget(request)
        self.visitors.leave(self.visitor(request), str(request.session_hash))

    def forget(self, request: gr.Request) -> None:
        """End and let go of what a tab does and shows, or of a program's call, which Gradio would keep for an hour."""
        self.jobs.close(str(request.session_hash), PATIENCE)
        tabs = request.request.app.state_holder  # type: ignore[union-attr]
        with tabs.lock:
            tabs.session_data.pop(str(request.session_hash), None)
