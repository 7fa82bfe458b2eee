"""Steadiness over time: the One-Euro filter, once or both ways, and easing over cuts and gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.geometry import smoothstep
from gioconda.performance import Motion

CUTOFF = Motion(
    angles=np.array(1.5),
    rest=np.array(1.5),
    shift=np.array(1.5),
    lids=np.array(3.0),
    gaze=np.array(1.5),
    offsets=np.array(2.5),
)
"""Hertz below which nothing is smoothed away, of something that hardly moves."""
QUICKNESS = Motion(
    angles=np.array(0.4),
    rest=np.array(0.4),
    shift=np.array(15.0),
    lids=np.array(4.0),
    gaze=np.array(15.0),
    offsets=np.array(25.0),
)
"""Hertz added per unit of speed (degrees, eye distances, lid openings or eye widths per second)."""
SPEED_CUTOFF = 3.0
"""Hertz at which the speed itself is smoothed."""
BOTH_WAYS = 1.25
"""Cut-offs of filters that pass both ways, over those of one that passes once: together they calm as much."""
AHEAD = 1.0
"""Seconds that come after a moment and have a say in it; of later ones nothing would be left."""
STRETCH = 4.0
"""Seconds of a recording that are smoothed at once."""

EASE_IN = 0.3
"""Seconds over which a new shot, or a face that came back, takes over."""
HOLD = 0.4
"""Seconds for which the last pose is held when the face is lost, before it eases to neutral."""
EASE_OUT = 0.8
"""Seconds of that easing."""


def ease(t: float) -> float:
    """0 below 0, 1 above 1, smooth between."""
    return float(smoothstep(t))


class OneEuroFilter:
    """Smooths what stands still and lets pass what moves, frame by frame.

    Source: Casiez, Roussel, Vogel, "1 euro filter", CHI 2012. `wider` multiplies its cut-offs.
    """

    def __init__(self, wider: float = 1.0) -> None:
        self._wider = wider
        self._last: tuple[float, Motion, Motion] | None = None

    def __call__(self, time: float, motion: Motion) -> Motion:
        """The smoothed motion at a time in seconds, later than the one before."""
        if self._last is None:
            self._last = time, motion, motion.map(np.zeros_like)
            return motion
        before, smooth, speed = self._last
        step = max(time - before, 1e-3)
        pairs = zip(_parts(motion), _parts(smooth), _parts(speed), _parts(CUTOFF), _parts(QUICKNESS), strict=True)
        smooths, speeds = [], []
        for now, was, was_speed, cutoff, quickness in pairs:
            new_speed = was_speed + _share(SPEED_CUTOFF, step) * ((now - was) / step - was_speed)
            cutoff = self._wider * (cutoff + quickness * np.abs(new_speed))
            smooths.append(was + _share(cutoff, step) * (now - was))
            speeds.append(new_speed)
        self._last = time, Motion(*smooths), Motion(*speeds)
        return self._last[1]


def _parts(motion: Motion) -> tuple[NDArray[Any], ...]:
    return motion.angles, motion.rest, motion.shift, motion.lids, motion.gaze, motion.offsets


def _share(cutoff: NDArray[Any] | float, step: float) -> NDArray[Any] | float:
    """Weight of the newest value in an exponential filter with a cut-off in hertz."""
    radians = 2 * np.pi * cutoff * step
    return radians / (radians + 1)


@dataclass(frozen=True)
class Tracked:
    """What was seen in one frame.

    Attributes:
        time: seconds.
        motion: None: no face there.
        cut: another shot begins here.
    """

    time: float
    motion: Motion | None
    cut: bool


def steadied(frames: Iterable[Tracked]) -> Iterator[Tracked]:
    """A recording, smoothed with what came before each moment and what came after: nothing lags behind.

    The mean of two One-Euro filters, of which one runs back from later frames. Neither crosses cuts and gaps. Of a
    long recording some seconds are held at a time.
    """
    held: list[tuple[Tracked, Motion]] = []
    onward = OneEuroFilter(BOTH_WAYS)
    for frame in frames:
        if frame.motion is None or frame.cut:
            yield from _met(held)
            held, onward = [], OneEuroFilter(BOTH_WAYS)
        if frame.motion is None:
            yield frame
            continue
        held.append((frame, onward(frame.time, frame.motion)))
        begun = held[0][0].time
        if frame.time - begun > STRETCH + AHEAD:
            ready = sum(tracked.time - begun <= STRETCH for tracked, _ in held)
            yield from _met(held)[:ready]
            del held[:ready]
    yield from _met(held)


def _met(held: list[tuple[Tracked, Motion]]) -> list[Tracked]:
    """Frames with the mean of what the filter that went onward says of them and what one says that comes back."""
    back = OneEuroFilter(BOTH_WAYS)
    met = []
    for frame, onward in reversed(held):
        assert frame.motion is not None
        met.append(replace(frame, motion=onward.blend(back(-frame.time, frame.motion), 0.5)))
    return met[::-1]


class Continuity:
    """Eases over cuts and gaps, so that movement never jumps."""

    def __init__(self) -> None:
        self._shown: Motion | None = None
        self._from: tuple[float, Motion] | None = None
        self._lost: tuple[float, Motion] | None = None

    def __call__(self, frame: Tracked) -> Motion:
        """What to show, of smooth motion."""
        time, motion = frame.time, frame.motion
        if motion is None:
            if self._lost is None:
                self._lost = time, self._shown or Motion.neutral()
            since, held = self._lost
            relaxed = replace(Motion.neutral(), rest=held.rest)
            self._shown = held.blend(relaxed, ease((time - since - HOLD) / EASE_OUT))
            return self._shown
        if self._shown is not None and (frame.cut or self._lost is not None):
            self._from = time, self._shown
        self._lost = None
        if self._from is not None:
            since, left = self._from
            share = ease((time - since) / EASE_IN)
            if share == 1.0:
                self._from = None
            motion = left.blend(motion, share)
        self._shown = motion
        return motion
