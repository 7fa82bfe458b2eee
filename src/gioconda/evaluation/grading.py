"""One clip's figures: a result frame by frame against its truth, or against its portrait and its driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from gioconda.evaluation import identity, movement, pixels, stability
from gioconda.evaluation.following import aligned
from gioconda.evaluation.judges import (
    Array,
    Box,
    JudgedFace,
    Judges,
    Picture,
    Signals,
    five_points,
    judge_frames,
)
from gioconda.evaluation.movement import Pair
from gioconda.face import Points

Timed = tuple[float, Picture]
Also = Callable[[int, Picture], object]

CONSECUTIVE = 1.01
"""Largest step between test frames at which they count as consecutive."""


@dataclass(frozen=True, eq=False)
class Watched:
    """What the judges say of a video.

    Attributes:
        signals: what the face does.
        vectors: each frame's identity vector (T, 128), NaN without a face.
        features: each frame's features for FID (T, 2048); (T, 0) where no network for them was given.
    """

    signals: Signals
    vectors: Array
    features: Array


@dataclass(frozen=True, eq=False)
class Grades:
    """What was measured of one clip.

    Attributes:
        values: each measure's figure and what it weighs among other clips; NaN or weight 0: does not count.
        frames: some measures frame by frame (T,), from which the worst frames are found.
        watched: what the judges say of it.
    """

    values: dict[str, Pair]
    frames: dict[str, Array]
    watched: Watched = field(repr=False)


def watch(frames: Iterable[Timed], judges: Judges, also: Also | None = None) -> Watched:
    """Judge a video; ``also`` is called with the number and the picture of each frame. Holds one picture."""
    vectors: list[Array] = []
    features: list[Array] = []

    def look(rgb: Picture, face: JudgedFace | None) -> None:
        if also is not None:
            also(len(vectors), rgb)
        features.append(judges.inception(rgb) if judges.inception else np.empty(0))
        known = face is not None
        vectors.append(judges.identity.embed(rgb, five_points(face.points)) if known and face else np.full(128, np.nan))

    signals = judge_frames(frames, judges, look)
    return Watched(signals, np.reshape(np.array(vectors), (-1, 128)), np.array(features))


def watch_still(rgb: Picture, times: Array, judges: Judges) -> Watched:
    """Judge a video that shows one picture at all times, by looking once: it is the same in every frame."""
    once = watch([(0.0, rgb)], judges)
    named = {f.name: getattr(once.signals, f.name) for f in fields(Signals) if f.name != "times"}
    repeated = {name: np.repeat(signal, len(times), axis=0) for name, signal in named.items()}
    signals = Signals(times=times, **repeated)
    return Watched(signals, *(np.repeat(rows, len(times), axis=0) for rows in (once.vectors, once.features)))


def _compared(made: Picture, true: Picture, points: Points, judges: Judges) -> dict[str, float]:
    """A frame against its truth, by its pixels; and by LPIPS where a network for it was given."""
    found = pixels.compare(made, true, pixels.regions(points, *true.shape[:2]))
    return found | ({"lpips": judges.lpips(made, true)} if judges.lpips else {})


def grade_self(
    made: Iterable[Picture],
    true: Sequence[Picture],
    truth: Watched,
    points: Points,
    judges: Judges,
    step: float,
) -> Grades:
    """Measure made frames against the true ones.

    Args:
        made: as many pictures as there are true ones.
        true: the true test frames.
        truth: what the judges say of those.
        points: their landmarks (T, 478, 3) in pixels.
        judges: the judges.
        step: frames of the shot from one test frame to the next.
    """
    compared: list[dict[str, float]] = []

    def also(index: int, rgb: Picture) -> None:
        compared.append(_compared(rgb, true[index], points[index], judges))

    times = truth.signals.times
    watched = watch(zip(map(float, times), made, strict=True), judges, also)
    frames = {name: np.array([frame[name] for frame in compared]) for name in compared[0]}
    return _graded_self(watched, frames, truth, points, step)


def grade_still_self(
    still: Picture, true: Sequence[Picture], truth: Watched, points: Points, judges: Judges, step: float
) -> Grades:
    """As :func:`grade_self` for one picture that never moves, judged once."""
    compared = [_compared(still, frame, face, judges) for frame, face in zip(true, points, strict=True)]
    frames = {name: np.array([frame[name] for frame in compared]) for name in compared[0]}
    return _graded_self(watch_still(still, truth.signals.times, judges), frames, truth, points, step)


def _graded_self(watched: Watched, frames: dict[str, Array], truth: Watched, points: Points, step: float) -> Grades:
    ours, theirs = watched.signals, truth.signals
    eyes = [pixels.iris_distance(face) for face in points]
    frames = frames | {
        "akd": np.array([pixels.akd(a, b, eye) for a, b, eye in zip(ours.points, theirs.points, eyes, strict=True)]),
        "csim_truth": identity.csim(watched.vectors, truth.vectors),
        "aed": movement.expression_distances(ours.points, theirs.points, relative=False),
        "apd": movement.pose_distances(ours, theirs, relative=False),
    }
    values: dict[str, Pair] = {name: (movement.mean(frame), 1.0) for name, frame in frames.items()}
    # The same instants on both sides. Where these lie apart, the next one is too late for the same blink.
    consecutive = step <= CONSECUTIVE
    values |= movement.following(theirs, ours, tolerance=1 if consecutive else 0)
    if consecutive:
        values["jitter"] = (stability.jitter_ratio(ours.points, theirs.points), 1.0)
    values["faces_found"] = faces_found(ours, theirs)
    return Grades(values, frames, watched)


@dataclass
class _Looks:
    """What is seen of each frame besides the judges' word."""

    brightness: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)
    shift: list[float] = field(default_factory=list)
    seam: list[float] = field(default_factory=list)


def grade_cross(
    frames: Iterable[Timed],
    portrait: Picture,
    person: Watched,
    driver: Watched,
    judges: Judges,
    region: tuple[int, int, int, int] | None = None,
    still: bool = False,
    also: Also | None = None,
    head: Box | None = None,
) -> Grades:
    """Measure a clip against its portrait and its driver.

    Args:
        frames: the clip, as (seconds, picture); the driver's clock.
        portrait: the picture that moves; of another size than the clip, no background or seam is measured.
        person: what the judges say of it.
        driver: what they say of the driver.
        judges: the judges.
        region: left, top, right, bottom of what the renderer paints; None: unknown, no seam is measured.
        still: the clip shows the portrait at all times: one frame is judged for all.
        also: called with the number and the picture of each frame.
        head: the box around the face in the clip; None: where it is in the portrait.
    """
    at_rest = head_box(person.signals.points[0], portrait)
    head = head or at_rest
    background = stability.Background(portrait, at_rest)
    looks = _Looks()

    def look(index: int, rgb: Picture) -> None:
        looks.brightness.append(stability.brightness(rgb, head))
        change, shift = background(rgb) if rgb.shape == portrait.shape else (np.nan, np.nan)
        looks.change.append(change)
        looks.shift.append(shift)
        known = region is not None and rgb.shape == portrait.shape
        looks.seam.append(stability.seam(rgb, portrait, region) if known and region else np.nan)
        if also is not None:
            also(index, rgb)

    if still:
        times = [time for time, _ in frames]
        for index in range(len(times)):
            if also is not None:
                also(index, portrait)
        also = None
        look(0, portrait)
        looks = _Looks(*(getattr(looks, f.name) * len(times) for f in fields(_Looks)))
        watched = watch_still(portrait, np.array(times), judges)
    else:
        watched = watch(frames, judges, look)
    ours, theirs = watched.signals, aligned(driver.signals, watched.signals.times)
    likeness = identity.csim(watched.vectors, person.vectors[0])
    found = np.isfinite(likeness)
    by_frame = {
        "csim_portrait": likeness,
        "aed": movement.expression_distances(ours.points, theirs.points, relative=True),
        "apd": movement.pose_distances(ours, theirs, relative=True),
        "swim": np.array(looks.change),
        "swim_shift": np.array(looks.shift),
        "seam": np.array(looks.seam),
    }
    values: dict[str, Pair] = {
        name: (movement.mean(by_frame[name]), 1.0) for name in ("aed", "apd", "swim", "swim_shift", "seam")
    }
    values["csim_portrait"] = (float(np.median(likeness[found])) if found.any() else np.nan, 1.0)
    values["csim_worst"] = (float(likeness[found].min()) if found.any() else np.nan, 1.0)
    values["csim_drift"] = (identity.drift(likeness, ours.times), 1.0)
    values |= movement.following(driver.signals, ours)
    values["jitter"] = (stability.jitter_ratio(ours.points, theirs.points), 1.0)
    values["flicker"] = (stability.flicker(np.array(looks.brightness)), 1.0)
    values["faces_found"] = faces_found(ours, theirs)
    return Grades(values, by_frame, watched)


def faces_found(output: Signals, driver: Signals) -> Pair:
    """Return the share of the frames with a face in the driver's that have one in the output too, 0..1."""
    there = driver.valid
    return (float(output.valid[there].mean()), 1.0) if there.any() else (float("nan"), 0.0)


def head_box(points: Array, picture: Picture) -> Box:
    """Return the box around judged landmarks (66, 2), clipped to the picture; the middle of it without a face."""
    height, width = picture.shape[:2]
    if not np.isfinite(points).all():
        return (width * 0.3, height * 0.3, width * 0.7, height * 0.7)
    low, high = np.clip(points.min(axis=0), 0, None), np.minimum(points.max(axis=0), (width, height))
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def to_arrays(watched: Watched) -> dict[str, Any]:
    """Return everything as named arrays, to be kept in a file."""
    signals = {f.name: getattr(watched.signals, f.name) for f in fields(Signals)}
    return signals | {"vectors": watched.vectors, "features": watched.features.astype(np.float32)}


KEPT_ARRAYS = (*(f.name for f in fields(Signals)), "vectors", "features")
"""Names of the arrays of :func:`to_arrays`."""


def from_arrays(arrays: Mapping[str, Any]) -> Watched:
    """Undo :func:`to_arrays`. Raises ValueError: the arrays do not fit together."""
    count, shapes = len(np.atleast_1d(arrays["times"])), {"points": (66, 2), "vectors": (128,)}
    for name, values in arrays.items():
        each = values.shape[1:2] if name == "features" else shapes.get(name, ())
        if values.shape != (count, *each) or values.dtype.kind != ("b" if name == "valid" else "f"):
            raise ValueError(f"{name} of {values.dtype} and shape {values.shape}")
    signals = Signals(**{f.name: arrays[f.name] for f in fields(Signals)})
    return Watched(signals, arrays["vectors"], arrays["features"].astype(np.float64))


def times_of(tests: Sequence[int], fps: float) -> Array:
    """Return the seconds of a shot's test frames, from the first of them."""
    return (np.array(tests) - tests[0]) / fps
