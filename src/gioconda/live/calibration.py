"""The driver's neutral without knowing what comes: from the first second, and refined ever after.

It is estimated as for a recording (`gioconda.neutral`), from the frames of about the last minute: often in the first
second, then two a second. So it forgets: who moves the chair is at rest there soon, and who smiles for a minute is
taken to look like that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields

import numpy as np

from gioconda.face import Points
from gioconda.neutral import Neutral, estimate_neutral

FIRST = 1.0
"""Seconds of a face that are looked at before anything moves."""
LEAST = 8
"""Frames that are looked at before anything moves."""
EVERY_AT_FIRST, EVERY = 0.04, 0.5
"""Seconds between two frames that are kept, in that time and after it."""
KEPT = 120
"""Frames from which neutral is estimated."""
REFINED_EVERY = 2.0
"""Seconds between two estimates; one takes some 10 milliseconds."""
EASED_OVER = 1.0
"""Seconds in which neutral goes most of the way (1 - 1/e) to a new estimate, so that nothing jumps."""
LONG_GONE = 5.0
"""Seconds after which a face that comes back may be another person's: neutral is forgotten."""


class Calibration:
    """Neutral of the driver whose landmarks it is shown."""

    def __init__(self) -> None:
        self._samples: deque[Points] = deque(maxlen=KEPT)
        self._began: float | None = None
        self._sampled = self._estimated = self._seen = -np.inf
        self._target: Neutral | None = None
        self._neutral: Neutral | None = None

    @property
    def collecting(self) -> bool:
        """Whether it is looking at the first second."""
        return self._began is None or len(self._samples) < LEAST or self._seen < self._began + FIRST

    def restart(self) -> None:
        """Look at the driver's relaxed face anew. Until that is done the old neutral holds."""
        self._samples.clear()
        self._began, self._sampled, self._estimated = None, -np.inf, -np.inf

    def __call__(self, time: float, points: Points) -> Neutral | None:
        """Neutral at a time in seconds, later than the one before, at which the landmarks are at `points`.

        None until the first second is over.
        """
        if time - self._seen > LONG_GONE:
            self.restart()
            self._target = self._neutral = None
        step, self._seen = time - self._seen, time
        self._began = time if self._began is None else self._began
        if time - self._sampled >= (EVERY_AT_FIRST if self.collecting else EVERY):
            self._samples.append(points)
            self._sampled = time
        if not self.collecting and time - self._estimated >= REFINED_EVERY:
            self._target = estimate_neutral(np.stack(self._samples))
            self._estimated = time
        if self._target is not None:
            share = 1 - float(np.exp(-step / EASED_OVER))
            self._neutral = _between(self._neutral, self._target, share) if self._neutral else self._target
        return self._neutral


def _between(one: Neutral, other: Neutral, share: float) -> Neutral:
    """A mix: 0 gives the one, 1 the other."""
    pairs = ((getattr(one, field.name), getattr(other, field.name)) for field in fields(Neutral))
    return Neutral(*(a + share * (b - a) for a, b in pairs))
