"""Performances as material: played faster, mirrored, made into a loop, mixed. Pure functions.

A part in time is `Performance.trimmed`; single movements are edited as `curves.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import UsageError
from gioconda.expression import controls, lower_face
from gioconda.face import face_model
from gioconda.geometry import smoothstep
from gioconda.performance import Motion, Performance

Array = NDArray[Any]

SLOWEST, FASTEST = 0.1, 10.0
FASTEST_RATE = 960.0
"""Frames per second; a `.motion` file allows less than 1000."""
OVERLAP = 0.5
"""Seconds over which the end of a loop goes over into its beginning."""
REACH = 0.2
"""Eye distances within which two controls, one of them mirrored, stand for each other."""
EASE_IN, HOLD = 0.6, 0.9
"""Seconds of moving into the expression of a single frame, and of holding it."""


def faster(performance: Performance, speed: float) -> Performance:
    """Played at another speed: 2 takes half the time. It starts at 0 and has no sound: that would not fit.

    Raises:
        UsageError: a speed outside 0.1 to 10.
    """
    if not SLOWEST <= speed <= FASTEST:
        raise UsageError(f"speed {speed:g}: use {SLOWEST:g} to {FASTEST:g}, 1 being the driver's own")
    times = (performance.times - performance.times[0]) / speed
    return replace(performance, times=times, fps=min(performance.fps * speed, FASTEST_RATE), source=None)


def mirrored(performance: Performance) -> Performance:
    """Left and right exchanged, as in a mirror. Twice is the performance again."""
    motion = performance.motion
    places, signs = _counterparts()
    turned = replace(
        motion,
        angles=motion.angles * (-1, 1, -1),
        rest=motion.rest * (-1, 1, -1),
        shift=motion.shift * (-1, 1, 1),
        lids=motion.lids[:, ::-1],
        gaze=motion.gaze * (-1, 1),
        offsets=motion.offsets[:, places] * signs,
    )
    return replace(performance, motion=_typed(turned, motion))


def looped(performance: Performance, overlap: float = OVERLAP) -> Performance:
    """One round of a seamless loop: at an even rate, and shorter by `overlap` seconds.

    The beginning is mixed out of what comes after the end and itself, eased, so that place and
    speed of every movement go on where the last frame leads into the first.

    Raises:
        UsageError: an overlap of less than a frame or more than half the performance.
    """
    count = performance.frames_at(performance.fps)
    over = round(overlap * performance.fps)
    if over < 1 or 2 * over > count:
        raise UsageError(
            f"an overlap of {overlap:g} s in a performance of {performance.duration:.2f} s: "
            "use at least a frame and at most half the performance"
        )
    even = _gathered(performance.resampled(performance.fps))
    share = smoothstep(np.arange(over) / over)

    def joined(values: Array) -> Array:
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        beginning = values[:over] * weight + values[count - over :] * (1 - weight)
        return np.concatenate([beginning, values[over : count - over]]).astype(values.dtype)

    times = performance.times[0] + np.arange(count - over) / performance.fps
    return replace(performance, times=times, motion=even.map(joined), seen=_seen_at(performance, times))


def mixed(
    base: Performance,
    *,
    head: Performance | None = None,
    mouth: Performance | None = None,
    eyes: Performance | None = None,
    brows: Performance | None = None,
) -> Performance:
    """One performance out of several: the parts given, each from its own, and the rest from `base`.

    The parts are those of `retarget.Gains`. All begin together; what ends sooner holds its last
    pose. The frame rate is the highest of them all. Time and sound go with the mouth.
    """
    head, mouth, eyes, brows = (part or base for part in (head, mouth, eyes, brows))
    used = {id(p): p for p in (head, mouth, eyes, brows)}.values()
    fps = max(p.fps for p in used)
    clock = np.arange(max(p.frames_at(fps) for p in used)) / fps
    played = {id(p): _gathered(p.at(p.times[0] + time) for time in clock) for p in used}
    share = lower_face()[list(controls())][:, None]
    skull, look = played[id(head)], played[id(eyes)]
    offsets = played[id(mouth)].offsets * share + played[id(brows)].offsets * (1 - share)
    motion = Motion(skull.angles, skull.rest, skull.shift, look.lids, look.gaze, offsets.astype(np.float32))
    return Performance(
        times=mouth.times[0] + clock,
        motion=motion,
        seen=np.all([_seen_at(p, p.times[0] + clock) for p in used], axis=0),
        fps=fps,
        source=mouth.source,
        cuts=sum(p.cuts for p in used),
    )


def eased_into(pose: Performance) -> Performance:
    """A performance of one frame as a short move from rest into it, and a while of holding it."""
    target = pose.at(pose.times[0])
    rest = replace(Motion.neutral(), rest=target.rest)
    clock = np.arange(round((EASE_IN + HOLD) * pose.fps)) / pose.fps
    motion = _gathered(rest.blend(target, float(smoothstep(time / EASE_IN))) for time in clock)
    return replace(pose, times=clock, motion=motion, seen=np.repeat(pose.seen, len(clock)))


def _gathered(motions: Iterable[Motion]) -> Motion:
    """Motions one after the other as one with a leading axis of frames."""
    frames = list(motions)
    return Motion(*(np.stack([getattr(m, f.name) for m in frames]) for f in fields(Motion)))


def _typed(motion: Motion, like: Motion) -> Motion:
    """In the types of another motion."""
    return Motion(*(getattr(motion, f.name).astype(getattr(like, f.name).dtype) for f in fields(Motion)))


def _seen_at(performance: Performance, times: Array) -> NDArray[np.bool_]:
    """Whether the face was seen in the last frame up to each time."""
    frames = np.searchsorted(performance.times, times + 1e-6, side="right") - 1
    return performance.seen[np.clip(frames, 0, len(performance) - 1)]


@cache
def _counterparts() -> tuple[Array, Array]:
    """For each control, where among the controls its counterpart on the other half is, (128,), and signs, (128, 3).

    A few of the evenly spread controls have no exact counterpart: two such ones that face each other
    stand for each other; one alone, at a temple, is taken to move as its counterpart would.
    """
    numbers, model = list(controls()), face_model()
    places = {number: place for place, number in enumerate(numbers)}
    found = np.array([places.get(int(model.mirror[number]), -1) for number in numbers])
    alone = [place for place in range(len(numbers)) if found[place] < 0]
    spots = model.shape[numbers]
    while alone:
        place = alone.pop(0)
        apart = [float(np.linalg.norm(spots[place] * (-1, 1, 1) - spots[other])) for other in alone]
        near = bool(apart) and min(apart) < REACH
        other = alone.pop(int(np.argmin(apart))) if near else place
        found[place], found[other] = other, place
    signs = np.tile([-1, 1, 1], (len(numbers), 1))
    signs[(found == np.arange(len(numbers))) & (np.abs(spots[:, 0]) > REACH)] = 1
    return found, signs
