"""How large a picture the machine can keep up with: resolution drops before latency rises, and comes back later."""

from __future__ import annotations

from collections import deque
from statistics import median

GOAL = 0.08
"""Seconds from a frame's coming to the picture drawn from it, above which the picture gets smaller."""
ROOM = 0.8
"""Share of the goal that a larger picture may be expected to take."""
STEP = 0.75
"""Side of each size over that of the next larger one."""
SMALLEST = 192
"""Pixels of the longer side; nothing is gained below."""
LEAST, MOST = 3, 15
"""Frames of one size whose median is judged: so many of the last."""
SETTLE = 0.5
"""Seconds for which a size is at least kept."""
PATIENCE, MOST_PATIENCE = 4.0, 64.0
"""Seconds without trouble after which a larger size is tried; doubled each time that was too much, up to the second."""


def sizes_below(size: int) -> list[int]:
    """Longer sides in pixels that may be drawn, largest first."""
    sizes = [size]
    while (smaller := round(sizes[-1] * STEP / 2) * 2) >= SMALLEST:
        sizes.append(smaller)
    return sizes


class Pace:
    """Chooses the size of the next picture from how late the last ones were."""

    def __init__(self, size: int, goal: float = GOAL) -> None:
        """With the size wanted, longer side in pixels, and the seconds that a picture may take."""
        self._sizes = sizes_below(size)
        self._goal = goal
        self._step = 0
        self._late: deque[float] = deque(maxlen=MOST)
        self._since: float | None = None
        self._patience = PATIENCE
        self._trying = False

    @property
    def size(self) -> int:
        """Longer side, in pixels, of what is to be drawn."""
        return self._sizes[self._step]

    def note(self, at: float, latency: float) -> None:
        """A picture was ready at a time, some seconds after its frame had come."""
        self._since = at if self._since is None else self._since
        self._late.append(latency)
        lasted = at - self._since
        if len(self._late) < LEAST or lasted < SETTLE:
            return
        usual, calm = median(self._late), lasted > self._patience
        if usual > self._goal and self._step + 1 < len(self._sizes):
            if self._trying:
                self._patience = min(2 * self._patience, MOST_PATIENCE)
            self._go(self._quick_enough(usual), at, trying=False)
        elif calm and self._step > 0 and usual / STEP**2 < ROOM * self._goal:
            self._go(self._step - 1, at, trying=True)
        elif calm and self._trying:
            self._trying, self._patience = False, PATIENCE

    def _quick_enough(self, usual: float) -> int:
        """Number of the largest size below that should meet the goal, if time grows as the picture's area does.

        Not all of it does, so it may take another step; but two times too late is not put right step by step.
        """
        below = range(self._step + 1, len(self._sizes))
        shares = ((number, (self._sizes[number] / self.size) ** 2) for number in below)
        return next((number for number, share in shares if share * usual <= self._goal), below[-1])

    def _go(self, step: int, at: float, trying: bool) -> None:
        self._step, self._since, self._trying = step, at, trying
        self._late.clear()
