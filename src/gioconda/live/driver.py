"""The driver before the camera: frames in, movement out, with neutral, smoothing and gaps taken care of."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum

from gioconda.capture import take_out_shape
from gioconda.live.calibration import Calibration
from gioconda.live.source import Captured
from gioconda.performance import Motion
from gioconda.smoothing import Continuity, OneEuroFilter, Tracked
from gioconda.tracking import Tracker


class State(StrEnum):
    """What the mirror is about."""

    CALIBRATING = "calibrating"
    """The driver's neutral is being learned."""
    FOLLOWING = "following"
    """The portrait does as the driver does."""
    LOOKING = "looking"
    """There is no face; the portrait goes to rest."""


@dataclass(frozen=True)
class Moved:
    """The driver in one frame.

    Attributes:
        frame: that frame.
        motion: what the portrait is to do, smooth and without jumps.
        state: why.
    """

    frame: Captured
    motion: Motion
    state: State


class LiveDriver:
    """Turns the frames of one driver, in order, into movement."""

    def __init__(self, tracker: Tracker) -> None:
        self._follow = tracker.follow(quick=True)
        self._calibration = Calibration()
        self._filter = OneEuroFilter()
        self._continuity = Continuity()
        self._restart = threading.Event()

    def __call__(self, frame: Captured) -> Moved:
        """The movement in the next frame."""
        if self._restart.is_set():
            self._restart.clear()
            self._calibration.restart()
        face = self._follow(frame.rgb)
        motion, state = None, State.LOOKING
        if face is not None:
            neutral = self._calibration(frame.at, face.points)
            state = State.CALIBRATING if self._calibration.collecting else State.FOLLOWING
            if neutral is not None:
                seen = take_out_shape(face.points[None], neutral).map(lambda values: values[0])
                motion = self._filter(frame.at, seen)
        if motion is None:
            self._filter = OneEuroFilter()
        return Moved(frame, self._continuity(Tracked(frame.at, motion, cut=False)), state)

    def recalibrate(self) -> None:
        """Take the driver's face in the next second for relaxed. May be called from another thread."""
        self._restart.set()

    def close(self) -> None:
        """Free the tracker."""
        self._follow.close()
