"""The mirror: frames in, the portrait out, as fast as both come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from gioconda.live.drawing import Reflection
from gioconda.live.driver import LiveDriver, Moved
from gioconda.live.newest import Newest, relay
from gioconda.live.source import Captured


class Mirror:
    """Tracks and draws side by side while it is entered.

    Iterating gives the newest reflection, then each that is newer than the one before, until the source ends or the
    mirror is left. What goes wrong in it, such as `VideoError` for the source, is raised there.

    Attributes:
        reflections: the newest, for any number of readers.
    """

    def __init__(self, frames: Iterable[Captured], driver: LiveDriver, draw: Callable[[Moved], Reflection]) -> None:
        self._source, self._driver, self._draw = frames, driver, draw
        self._frames: Newest[Captured] = Newest()
        self._moved: Newest[Moved] = Newest()
        self.reflections: Newest[Reflection] = Newest()

    def __enter__(self) -> Self:
        relay(self._source, lambda frame: frame, self._frames)
        self._threads = (
            relay(self._frames, self._driver, self._moved),
            relay(self._moved, self._draw, self.reflections),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for newest in (self._frames, self._moved, self.reflections):
            newest.close()
        # The source is not waited for: it may be waiting for its next frame.
        for thread in self._threads:
            thread.join()
        self._driver.close()

    def __iter__(self) -> Iterator[Reflection]:
        """The newest reflection, again and again."""
        return iter(self.reflections)

    def recalibrate(self) -> None:
        """Take the driver's face in the next second for relaxed."""
        self._driver.recalibrate()
