"""What all parts of the page share: who visits, what is under way, and how errors are spoken."""

from __future__ import annotations

import functools
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from gioconda.errors import GiocondaError, NoFaceError
from gioconda.studio import fragments
from gioconda.studio.jobs import Job, Jobs, StoppedError
from gioconda.studio.limits import Limits
from gioconda.studio.still_route import Editors
from gioconda.studio.visitors import Visitors, visitor_of

T = TypeVar("T")
P = ParamSpec("P")
STOPPED = "Stopped. Nothing is left of it."
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
        """The same function, but only `LOOKING` of its kind at a time."""

        @functools.wraps(look)
        def waiting(*arguments: P.args, **options: P.kwargs) -> T:
            with self.looking:
                return look(*arguments, **options)

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

    def follow(self, request: gr.Request, work: Callable[[Job[T]], T]) -> Iterator[Job[T]]:
        """Have work done; yields the job a few times a second, and once more when it has ended.

        When nobody looks any more the work is stopped.
        """
        job = self.jobs.begin(str(request.session_hash), work)
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

    def stop(self, request: gr.Request) -> str:
        """End what is under way in a tab, or waits in the queue."""
        self.jobs.stop(str(request.session_hash), PATIENCE)
        return fragments.note(STOPPED)

    def arrive(self, request: gr.Request) -> None:
        """A tab was opened."""
        self.visitors.arrive(self.visitor(request), str(request.session_hash))

    def leave(self, request: gr.Request) -> None:
        """A tab was closed."""
        self.jobs.stop(str(request.session_hash), PATIENCE)
        self.editors.close(str(request.session_hash))
        self.visitors.leave(self.visitor(request), str(request.session_hash))
        self.forget(request)

    def forget(self, request: gr.Request) -> None:
        """Let go of what a tab shows, or of a program's call: Gradio would keep it for an hour, or for good."""
        tabs = request.request.app.state_holder  # type: ignore[union-attr]
        with tabs.lock:
            tabs.session_data.pop(str(request.session_hash), None)
