"""Whether a clip moves as its driver does. Pure functions on judged signals and landmarks.

Both sides are judged by the networks of :mod:`gioconda.evaluation.judges`, never by the tracker that drives.
What of a signal follows is in :mod:`gioconda.evaluation.following`; here are the distances, each eye by itself,
and whether a driver can be told by the movement alone.

``relative`` says how two faces are compared. For the same person in the same place (`self`: truth and result)
it is False and everything counts. For two people (`cross`: driver and portrait) it is True: each is measured
from its own relaxed face and resting pose, the medians over the clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gioconda.evaluation.following import (
    FOLLOWED,
    LEAST_BLINKS,
    LEAST_MOVEMENT,
    aligned,
    amplitude,
    blinks,
    correlation,
    follow,
    follow_blinks,
)
from gioconda.evaluation.judges import EYES, Array, Signals, similarity

# Points of the judge's 66 that an expression hardly moves and that lie nearly in a plane: eye corners, nostrils.
_STEADY = (36, 39, 42, 45, 31, 33, 35)
# Brows and lips. The eyes are judged by their own measures: the 66 points do not see a lid close.
EXPRESSIVE = (*range(17, 27), *range(48, 66))

RATE = 25.0
"""Samples per second at which movements are compared to tell drivers apart."""
LAG = 3
"""Samples (0.12 s) that a clip may lag behind its driver or run ahead when drivers are told apart."""
_LEAST = {**LEAST_MOVEMENT, "lids": 0.05}

Pair = tuple[float, float]
"""A figure and its weight, the number of events it stands for; weight 0 where it does not count."""


def expression(points: Array) -> tuple[Array, Array]:
    """Return the expression of judged landmarks (T, 66, 2) and the steady points it was read against.

    Each frame is brought, by the affine map of its steady points, onto this face's own median ones, which takes
    out place, size, roll and, to first order, yaw and pitch: (T, 28, 2) in distances between the eyes' middles.
    Rows of NaN stay NaN.
    """
    steady = _own_steady(points)
    return upright(points, steady), steady


def upright(points: Array, steady: Array) -> Array:
    """Return the expressive points (T, 28, 2) of (T, 66, 2) in the frame of some steady points (7, 2)."""
    found = np.full((len(points), len(EXPRESSIVE), 2), np.nan)
    for frame, face in enumerate(points):
        if np.isfinite(face).all():
            here = np.column_stack([face[list(_STEADY)], np.ones(len(_STEADY))])
            matrix = np.linalg.lstsq(here, steady, rcond=None)[0]
            found[frame] = face[list(EXPRESSIVE)] @ matrix[:2] + matrix[2]
    return found


def expression_distances(output: Array, driver: Array, relative: bool) -> Array:
    """Return for each frame how far the expressions are apart (T,), from judged landmarks (T, 66, 2) of both.

    The mean distance of 28 points of brows and lips, head upright, in eye distances. See the module for
    ``relative``. NaN where either has no face.
    """
    if not (np.isfinite(output).any() and np.isfinite(driver).any()):
        return np.full(len(output), np.nan)
    if relative:
        ours, theirs = (expression(points)[0] for points in (output, driver))
        ours, theirs = (side - np.nanmedian(side, axis=0) for side in (ours, theirs))
    else:
        theirs, steady = expression(driver)
        ours = upright(output, steady)
    return np.asarray(np.linalg.norm(ours - theirs, axis=-1).mean(axis=-1))


def aed(output: Array, driver: Array, relative: bool) -> float:
    """Return the average expression distance: 0 upwards, in eye distances; the mean of :func:`expression_distances`.

    0.02 is what the judge itself wavers by, 0.1 another expression. The name is that of Ren et al., "PIRenderer",
    2021, where it is a distance of 3DMM coefficients; here it is one of landmarks, because no face model that
    may be used freely is at hand. NaN without a face.
    """
    return mean(expression_distances(output, driver, relative))


def pose_distances(output: Signals, driver: Signals, relative: bool) -> Array:
    """Return for each frame how far the heads' poses are apart (T,): mean of yaw, pitch and roll, in degrees."""
    apart = []
    for name in ("yaw", "pitch", "roll"):
        ours, theirs = getattr(output, name), getattr(driver, name)
        if relative:
            ours, theirs = ours - _median(ours), theirs - _median(theirs)
        apart.append(np.abs(ours - theirs))
    return np.asarray(np.mean(apart, axis=0))


def apd(output: Signals, driver: Signals, relative: bool) -> float:
    """Return the average pose distance: 0 upwards, in degrees; the mean of :func:`pose_distances`.

    The name is that of Ren et al. 2021 (there: 3DMM pose); here the angles are FSA-Net's. NaN without a face.
    """
    return mean(pose_distances(output, driver, relative))


def following(driver: Signals, output: Signals, tolerance: int = 2) -> dict[str, Pair]:
    """Return how the signals follow, each with its weight.

    ``correlation_X`` (-1..1) and ``amplitude_X`` (1: as far as the driver's, 0: not at all) for yaw, pitch, roll,
    mouth, gaze_x, gaze_y and each eye, weight 1 where the driver has the signal and else 0; ``blink_recall``
    and ``blink_precision`` (0..1), weighted by the number of blinks. Two blinks are the same when they are at
    most ``tolerance`` frames apart. See :mod:`gioconda.evaluation.following`.
    """
    found: dict[str, Pair] = {}
    there = aligned(driver, output.times)
    for name, how in follow(driver, output).items():
        if name != "lids":
            found[f"correlation_{name}"] = (how.correlation, float(how.counted))
            found[f"amplitude_{name}"] = (how.amplitude, float(how.counted))
    for name in ("eye_left", "eye_right"):
        ours, theirs = getattr(output, name), getattr(there, name)
        counted = float(len(blinks(getattr(driver, name))) >= LEAST_BLINKS)
        found[f"correlation_{name}"] = (correlation(ours, theirs), counted)
        found[f"amplitude_{name}"] = (amplitude(ours, theirs), counted)
    winks = follow_blinks(driver, output, tolerance)
    found["blink_recall"] = (winks.recall, float(winks.in_driver))
    found["blink_precision"] = (winks.precision, float(winks.in_output))
    return {name: pair if np.isfinite(pair[0]) else still_worth(name, pair) for name, pair in found.items()}


def still_worth(name: str, pair: Pair) -> Pair:
    """Return what an undefined figure counts for.

    An output without any movement has no correlation; where the driver moves, that is none of the movement
    followed, not a clip to leave out, or a still picture would be excused from the comparison.
    """
    value, weight = pair
    return (0.0, weight) if name.startswith("correlation") and weight else (value, 0.0)


def personality(clips: Sequence[Signals], drivers: Sequence[Signals]) -> float:
    """Return the share of one portrait's clips whose movement is recognised as their own driver's: 0..1.

    Clip i was driven by driver i. All are cut to the shortest (a length would give them away), brought to
    :data:`RATE`, z-scored signal by signal, and a clip is recognised when no other driver's movement is as close
    to it, at the best lag of up to :data:`LAG` samples. Clips that several drivers fit equally count as guessed.
    1.0 is right, about 1/N is what shuffled clips, or still ones, reach. NaN for fewer than two drivers.
    """
    if len(clips) != len(drivers) or len(clips) < 2:
        return float("nan")
    length = min(float(signals.times[-1]) for signals in (*clips, *drivers))
    times = np.arange(max(2, int(length * RATE) + 1)) / RATE
    ours = [z_scores(aligned(clip, times)) for clip in clips]
    theirs = [z_scores(aligned(driver, times)) for driver in drivers]
    share = 0.0
    for index, clip in enumerate(ours):
        likeness = np.array([alike(clip, driver) for driver in theirs])
        best = np.flatnonzero(likeness >= likeness.max() - 1e-9)
        share += (index in best) / len(best)
    return share / len(clips)


def z_scores(signals: Signals) -> Array:
    """Return the seven followed signals (T, 7), each minus its mean over its deviation; 0 where not judged.

    The deviation is at least what counts as having the signal, so that a still signal's noise does not grow to
    the size of a movement.
    """
    columns = []
    for name in FOLLOWED:
        signal = getattr(signals, name)
        known = signal[np.isfinite(signal)]
        if not len(known):
            columns.append(np.zeros(len(signal)))
            continue
        size = max(float(known.std()), _LEAST[name])
        columns.append(np.nan_to_num((signal - known.mean()) / size))
    return np.stack(columns, axis=1)


def alike(a: Array, b: Array) -> float:
    """Return how alike two movements (T, 7) are at their best lag: the cosine, -1..1, 0 where nothing moves."""
    best = -1.0
    for lag in range(-LAG, LAG + 1):
        first, second = a[max(lag, 0) : len(a) + min(lag, 0)], b[max(-lag, 0) : len(b) + min(-lag, 0)]
        size = np.linalg.norm(first) * np.linalg.norm(second)
        best = max(best, float((first * second).sum() / size) if size > 1e-12 else 0.0)
    return best


def mean(values: Array) -> float:
    """Return the mean of the finite values, NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _median(values: Array) -> float:
    """Return the median of the finite values, NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _own_steady(points: Array) -> Array:
    """Return a face's median steady points (7, 2): eyes level, one eye distance apart, their middle at 0."""
    level = np.array([[-0.5, 0.0], [0.5, 0.0]])
    faces = []
    for face in points[np.isfinite(points).all(axis=(1, 2))]:
        eyes = np.stack([face[eye].mean(axis=0) for eye in EYES])
        matrix = similarity(eyes, level)
        faces.append(face[list(_STEADY)] @ matrix[:, :2].T + matrix[:, 2])
    return np.asarray(np.median(faces, axis=0))
