"""How well a clip follows its driver: the clip's judged signals against the driver's. Pure functions.

Both videos are judged by the same networks (:mod:`gioconda.evaluation.judges`); here their signals are
brought to the same times and compared. A signal that the driver hardly has says nothing about following,
only about noise, so each comparison carries ``counted``: whether the driver moves enough for it to mean
something.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from gioconda.evaluation.judges import Array, Signals

# The signals that are compared, each with the standard deviation from which a driver is said to have it:
# degrees, face heights, eye widths. Faces that hold their gaze give up to 0.03 eye widths sideways and 0.02 up and
# down, mostly noise. Up and down the iris has less way, since the lids go with it: in their first 4 s none of nine
# real drivers reaches 0.05, and the three from 0.029 on are those on whom another tracker agrees (correlation 0.76
# to 0.95, on the others at most 0.46). Lids are counted by blinks instead.
LEAST_MOVEMENT = {"yaw": 1.5, "pitch": 1.5, "roll": 1.5, "mouth": 0.02, "gaze_x": 0.05, "gaze_y": 0.025}
FOLLOWED = ("yaw", "pitch", "roll", "mouth", "lids", "gaze_x", "gaze_y")
LEAST_BLINKS = 2
# Parts of the neutral lid gap: below the first an eye is shut, from the second it is open again.
SHUT = 0.25
REOPENED = 0.5


@dataclass(frozen=True)
class Following:
    """How a signal follows: ``correlation`` -1..1, ``amplitude`` (1 is the driver's), ``counted``.

    Both figures are NaN where they are undefined: fewer than three common frames, or no movement at all.
    """

    correlation: float
    amplitude: float
    counted: bool


@dataclass(frozen=True)
class BlinkFollowing:
    """How blinks follow: how many the driver and the output have, and how many of them are the same."""

    in_driver: int
    in_output: int
    matched: int

    @property
    def recall(self) -> float:
        """The part of the driver's blinks that the output has too; NaN if the driver has none."""
        return self.matched / self.in_driver if self.in_driver else float("nan")

    @property
    def precision(self) -> float:
        """The part of the output's blinks that the driver has too; NaN if the output has none."""
        return self.matched / self.in_output if self.in_output else float("nan")


def follow(driver: Signals, output: Signals) -> dict[str, Following]:
    """Compare all of :data:`FOLLOWED`, on the output's times; both start their clocks at the same moment."""
    counted = has_signal(driver)
    there = aligned(driver, output.times)
    pairs = {name: (getattr(output, name), getattr(there, name)) for name in FOLLOWED}
    return {
        name: Following(correlation(ours, theirs), amplitude(ours, theirs), counted[name])
        for name, (ours, theirs) in pairs.items()
    }


def follow_blinks(driver: Signals, output: Signals, tolerance: int = 2) -> BlinkFollowing:
    """Match the blinks of both, on the output's times, within ``tolerance`` frames of the output."""
    theirs, ours = blinks(aligned(driver, output.times).lids), blinks(output.lids)
    return BlinkFollowing(len(theirs), len(ours), matched(theirs, ours, tolerance))


def has_signal(signals: Signals) -> dict[str, bool]:
    """Tell for each of :data:`FOLLOWED` whether there is enough of it to be followed."""
    moves = {name: _spread(getattr(signals, name)) >= least for name, least in LEAST_MOVEMENT.items()}
    return moves | {"lids": len(blinks(signals.lids)) >= LEAST_BLINKS}


def correlation(a: Array, b: Array) -> float:
    """Return Pearson's correlation of two signals (T,) over the frames where both are finite: -1..1, or NaN."""
    x, y = _common(a, b)
    if len(x) < 3 or _still(x) or _still(y):
        return float("nan")
    dx, dy = _deviation(x), _deviation(y)
    return float(np.clip(dx @ dy / (np.linalg.norm(dx) * np.linalg.norm(dy)), -1, 1))


def amplitude(output: Array, driver: Array) -> float:
    """Return how far the output's signal (T,) moves over the driver's: 0 upwards, 1 is as far; NaN if that is still.

    A ratio of standard deviations over the frames where both are finite. Each signal's extreme hundredth is
    clipped on both sides, so that single misjudged frames weigh little, yet short movements like blinks
    still count.
    """
    x, y = _common(output, driver)
    if len(x) < 3 or _still(_clipped(y)):
        return float("nan")
    return float(np.std(_clipped(x)) / np.std(_clipped(y)))


def blinks(gap: Array) -> npt.NDArray[np.intp]:
    """Return the blinks in a lid gap (T,), as first and last shut frame (N, 2).

    Shut is less than a quarter of the neutral gap, the median. Consecutive shut frames are one blink, and so
    are those between which the eye did not reach half its neutral gap. Frames not judged (NaN) are open.
    """
    if not np.isfinite(gap).any():
        return np.empty((0, 2), np.intp)
    neutral = np.nanmedian(gap)
    found: list[tuple[int, int]] = []
    for first, last in _runs(gap < REOPENED * neutral):
        shut = first + np.flatnonzero(gap[first : last + 1] < SHUT * neutral)
        found += [(int(shut[0]), int(shut[-1]))] if len(shut) else []
    return np.reshape(np.array(found, np.intp), (-1, 2))


def matched(a: npt.NDArray[np.intp], b: npt.NDArray[np.intp], tolerance: int = 2) -> int:
    """Return how many blinks (N, 2) and (M, 2) pair up, at most ``tolerance`` frames apart.

    Both are in order and do not overlap, so pairing each with the earliest possible partner gives the most
    pairs.
    """
    i = j = pairs = 0
    while i < len(a) and j < len(b):
        if a[i, 1] + tolerance < b[j, 0]:
            i += 1
        elif b[j, 1] + tolerance < a[i, 0]:
            j += 1
        else:
            i, j, pairs = i + 1, j + 1, pairs + 1
    return pairs


def aligned(signals: Signals, times: Array) -> Signals:
    """Return the signals at other times (S,) in seconds, linearly interpolated.

    NaN, and not valid, wherever a frame that the value would come from is NaN, and beyond both ends. The
    ends reach half a frame farther, because two videos with the same frames seldom have exactly the same
    time stamps.
    """
    values = {
        field.name: _at(signals.times, getattr(signals, field.name), times)
        for field in fields(Signals)
        if field.name not in ("times", "valid")
    }
    return Signals(times=times, valid=np.isfinite(values["yaw"]), **values)


def _at(times: Array, values: Array, wanted: Array) -> Array:
    """Return values (T, ...) at the wanted times (S,) as (S, ...)."""
    if len(times) == 0:
        return np.full((len(wanted), *values.shape[1:]), np.nan)
    slack = 0.5 * float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    inside = (wanted >= times[0] - slack) & (wanted <= times[-1] + slack)
    place = np.interp(wanted, times, np.arange(len(times)))
    before = np.floor(place).astype(np.intp)
    after = np.ceil(place).astype(np.intp)
    # A frame of no weight has no say: an exact hit next to a NaN is not NaN (before and after are then one
    # frame).
    weight = np.reshape(place - before, (-1, *[1] * (values.ndim - 1)))
    found = (1 - weight) * values[before] + weight * values[after]
    return np.where(np.reshape(inside, weight.shape), found, np.nan)


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return first and last index (N, 2) of each run of True in (T,)."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return np.stack([edges[::2], edges[1::2] - 1], axis=1)


def _common(a: Array, b: Array) -> tuple[Array, Array]:
    """Return both signals where both are finite."""
    both = np.isfinite(a) & np.isfinite(b)
    return a[both], b[both]


def _spread(signal: Array) -> float:
    """Return the standard deviation of the finite values, 0 if there are none."""
    finite = signal[np.isfinite(signal)]
    return float(finite.std()) if len(finite) else 0.0


def _still(signal: Array) -> bool:
    """Tell whether a signal is constant, up to rounding."""
    return bool(np.ptp(signal) <= 1e-9 * max(1.0, float(np.abs(signal).max())))


def _clipped(signal: Array) -> Array:
    """Return the signal with its extreme hundredths clipped on both sides."""
    return np.clip(signal, *np.percentile(signal, [1, 99]))


def _deviation(signal: Array) -> Array:
    """Return the signal minus its mean."""
    return np.asarray(signal - signal.mean())
