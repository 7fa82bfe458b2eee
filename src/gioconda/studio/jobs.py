"""Work that takes a while: in a thread of its own, watched from the page, stopped when nobody wants it any more."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Rgb = NDArray[np.uint8]


class StoppedError(Exception):
    """The work is not wanted any more."""


@dataclass(frozen=True)
class Moment:
    """How far a job is.

    Attributes:
        stage: what is being done.
        done, total: frames or steps of the stage.
        left: seconds until the stage ends, where that can be told.
    """

    stage: str
    done: int
    total: int
    left: float | None

    @property
    def share(self) -> float:
        """Of the stage, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


class Job(Generic[T]):
    """Work under way. The work is given the job, so that it can tell how far it is and show what it makes."""

    def __init__(self, work: Callable[[Job[T]], T]) -> None:
        """Begin."""
        self.result: T | None = None
        self.error: Exception | None = None
        self.shown: Any = None
        """What was made last: a picture, for the page to show."""
        self._stop, self._ended = threading.Event(), threading.Event()
        self._moment = Moment("beginning", 0, 0, None)
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    @property
    def moment(self) -> Moment:
        """How far it is."""
        return self._moment

    @property
    def ended(self) -> bool:
        """Whether it has ended: with a `result` or an `error`."""
        return self._ended.is_set()

    def stop(self) -> None:
        """End it at the next frame."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Until it has ended, or for some seconds; whether it has."""
        return self._ended.wait(seconds)

    @contextlib.contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Callable[[], object]]:
        """A `gioconda.progress.Progress`."""
        began, done = time.monotonic(), 0
        self._moment = Moment(stage, 0, total, None)

        def tick() -> None:
            nonlocal done
            self.check()
            done += 1
            left = (time.monotonic() - began) / done * max(total - done, 0)
            self._moment = Moment(stage, done, total, left if done > 2 else None)

        self.check()
        yield tick

    def show(self, made: Any) -> None:
        """Let the page see what was made last."""
        self.check()
        self.shown = made

    def check(self) -> None:
        """Raises StoppedError: it is not wanted any more."""
        if self._stop.is_set():
            raise StoppedError

    def _run(self, work: Callable[[Job[T]], T]) -> None:
        try:
            self.result = work(self)
        except Exception as error:
            self.error = error
        finally:
            self._ended.set()


class Jobs:
    """The last job of each tab."""

    def __init__(self) -> None:
        self._last: dict[str, Job[Any]] = {}

    def begin(self, tab: str, work: Callable[[Job[T]], T]) -> Job[T]:
        """Begin a job; what was under way in the tab ends."""
        self.stop(tab)
        job = self._last[tab] = Job(work)
        return job

    def stop(self, tab: str, seconds: float = 0.0) -> Job[Any] | None:
        """End the job of a tab, if it goes on, and wait so long for it to clear up; the job, if there was one."""
        job = self._last.get(tab)
        if job is not None:
            job.stop()
            job.wait(seconds)
        return job

    def close(self, tab: str, seconds: float) -> None:
        """The same, and forget it."""
        self.stop(tab, seconds)
        self._last.pop(tab, None)

    def close_all(self, seconds: float) -> None:
        """End all of them."""
        for tab in list(self._last):
            self.close(tab, seconds)
