"""Whose turn it is, when the queue was full: whoever was sent away first is the first to be let in again."""

from __future__ import annotations

import time
from collections.abc import Callable

KEPT = 10.0
"""Seconds in which somebody who was sent away must ask again, not to lose the place."""
MOST = 1000
"""People who are remembered; more are sent away without a place."""


class Turns:
    """Those who were sent away, in the order in which they were first.

    So that nobody who comes later takes the place that becomes free before they have asked again. It stays free for
    `KEPT` seconds at most; meanwhile those in the queue are served. All calls come from one thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, float] = {}

    def before(self, visitor: str) -> int:
        """How many were sent away before a visitor, and ask still."""
        now = self._clock()
        self._heard = {name: at for name, at in self._heard.items() if now - at <= KEPT}
        names = list(self._heard)
        return names.index(visitor) if visitor in self._heard else len(names)

    def sent_away(self, visitor: str) -> None:
        """A visitor was told to ask again; one who was told before keeps the place."""
        if visitor in self._heard or len(self._heard) < MOST:
            self._heard[visitor] = self._clock()

    def let_in(self, visitor: str) -> None:
        """A visitor is in the queue."""
        self._heard.pop(visitor, None)
