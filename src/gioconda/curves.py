"""A performance as curves: one number a frame for each movement that has a name, measured and changed.

The names of the face are those of Apple's ARKit (*left* is the person's own left). Each curve has a
**field**: the movement that a value of 1 is. Fields of the mouth, jaw and brows are built from the
geometry of the canonical face; a performance's offsets are measured as the least-squares mixture of
them, so what one curve explains is not counted in another. docs/performances.md describes each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import UsageError
from gioconda.expression import controls
from gioconda.face import (
    BROWS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH_OUTLINE,
    NOSE_BASE,
    face_model,
)
from gioconda.geometry import smoothstep
from gioconda.performance import Motion, Performance

Array = NDArray[Any]

GAZE = {"In": 0.3, "Out": 0.3, "Up": 0.15, "Down": 0.15}
"""Eye widths by which an iris moves when an eye looks as far as it can: sideways, and up or down."""
WIDE = 0.5
"""Opening of an eye above a relaxed one that is as wide as it gets."""


@dataclass(frozen=True)
class Curve:
    """One movement with a name.

    Attributes:
        name: the column's name.
        part: the attribute of `Motion` that it is measured on.
        field: the change of that attribute, one frame, that a value of 1 is.
        measure: of the same shape; the value is the sum of `measure` times the movement away from neutral.
        signed: whether values below 0 mean the opposite movement; else they are shown as 0.
    """

    name: str
    part: str
    field: Array
    measure: Array
    signed: bool = False

    def of(self, motion: Motion) -> Array:
        """Values of many frames, (frames,) float64."""
        away = np.asarray(getattr(motion, self.part), np.float64) - getattr(Motion.neutral(), self.part)
        values = away.reshape(len(away), -1) @ self.measure.ravel()
        return values if self.signed else np.maximum(values, 0.0)


def curves_of(performance: Performance) -> dict[str, Array]:
    """Every curve of a performance by name, each (frames,)."""
    return {curve.name: curve.of(performance.motion) for curve in all_curves()}


def add_to_curves(performance: Performance, changes: Mapping[str, Array]) -> Performance:
    """The performance with some values, (frames,), added to curves by name; frames that get 0 stay as they are.

    Raises:
        UsageError: there is no curve of a name.
    """
    unknown = sorted(changes.keys() - {curve.name for curve in all_curves()})
    if unknown:
        raise UsageError(f"no curve is named {unknown[0]!r}; docs/performances.md lists them")
    parts = {f.name: np.asarray(getattr(performance.motion, f.name), np.float32).copy() for f in fields(Motion)}
    for curve in all_curves():
        change = changes.get(curve.name)
        if change is not None and np.any(change):
            parts[curve.part] += np.multiply.outer(change, curve.field).astype(np.float32)
    return replace(performance, motion=Motion(**parts))


@cache
def all_curves() -> tuple[Curve, ...]:
    """Every curve there is, in the order of the columns of a file."""
    return (*_head(), *_eyes(), *_face())


def _head() -> tuple[Curve, ...]:
    """The pose, in the units of a `.motion` file."""
    names = {"angles": ("headYaw", "headPitch", "headRoll"), "shift": ("headRight", "headDown", "headNearer")}
    one = np.eye(3)
    return tuple(
        Curve(name, part, one[i], one[i], signed=True) for part, three in names.items() for i, name in enumerate(three)
    )


def _eyes() -> tuple[Curve, ...]:
    """Lids and gaze. The picture's right eye is the person's left one."""
    curves = []
    for side, place in (("Left", np.array([0.0, 1.0])), ("Right", np.array([1.0, 0.0]))):
        curves += [
            Curve(f"eyeBlink{side}", "lids", -place, -place),
            Curve(f"eyeWide{side}", "lids", WIDE * place, place / WIDE),
        ]
    outwards = {"Left": 1.0, "Right": -1.0}
    for way, reach in GAZE.items():
        for side, out in outwards.items():
            direction = {"Up": (0, -1), "Down": (0, 1), "In": (-out, 0), "Out": (out, 0)}[way]
            towards = np.array(direction, float)
            # Both eyes share one gaze: each curve is a half of what moves it.
            curves.append(Curve(f"eyeLook{way}{side}", "gaze", reach / 2 * towards, towards / reach))
    return tuple(curves)


def _face() -> tuple[Curve, ...]:
    """Brows, jaw and mouth, out of movements that may have two directions."""
    found = _fields()
    stacked = np.stack([f.ravel() for f in found.values()], axis=1)
    measures = dict(zip(found, np.linalg.pinv(stacked).reshape(len(found), -1, 3), strict=True))

    def curve(name: str, *movements: str, size: float = 1.0) -> Curve:
        field = size * np.sum([found[m] for m in movements], axis=0)
        measure = np.mean([measures[m] for m in movements], axis=0) / size
        return Curve(name, "offsets", field, measure)

    def pair(name: str, movement: str, size: float = 1.0) -> tuple[Curve, Curve]:
        left, right = (curve(f"{name}{side}", f"{movement}{side}", size=size) for side in ("Left", "Right"))
        return left, right

    return (
        curve("browInnerUp", "browInnerLeft", "browInnerRight"),
        *pair("browDown", "browInner", -1.0),
        *pair("browOuterUp", "browOuter"),
        curve("jawOpen", "jawOpen"),
        curve("jawLeft", "jawAcross"),
        curve("jawRight", "jawAcross", size=-1),
        curve("mouthLeft", "mouthAcross"),
        curve("mouthRight", "mouthAcross", size=-1),
        *pair("mouthSmile", "corner"),
        *pair("mouthFrown", "corner", -1.0),
        *pair("mouthStretch", "stretch"),
        curve("mouthPucker", "stretchLeft", "stretchRight", size=-0.4),
        *pair("mouthUpperUp", "upperLip"),
    )


@cache
def _fields() -> dict[str, Array]:
    """Movements of the controls on the canonical face, (128, 3) eye distances each, by name."""
    numbers = np.array(controls())
    shape = face_model().shape.astype(np.float64)
    p = shape[numbers]
    corner, lips = shape[MOUTH_OUTLINE[10]], shape[list(MOUTH_OUTLINE)].mean(axis=0)
    outer = np.isin(numbers, [*LIPS_OUTER_UPPER, *LIPS_OUTER_LOWER])
    across = np.clip(1 - (p[:, 0] / np.where(outer, shape[LIPS_OUTER_UPPER[-1], 0], corner[0])) ** 2, 0, 1)
    upper_lip = np.isin(numbers, [*LIPS_INNER_UPPER[1:-1], *LIPS_OUTER_UPPER[1:-1]])
    lower_lip = np.isin(numbers, [*LIPS_INNER_LOWER[1:-1], *LIPS_OUTER_LOWER[1:-1]])
    corners = np.isin(numbers, [LIPS_INNER_UPPER[0], LIPS_INNER_UPPER[-1], LIPS_OUTER_UPPER[0], LIPS_OUTER_UPPER[-1]])
    mouth = upper_lip | lower_lip | corners
    below = smoothstep((p[:, 1] - lips[1]) / 0.3) * ~mouth
    above = smoothstep((lips[1] - p[:, 1]) / 0.1) * smoothstep((p[:, 1] - shape[NOSE_BASE, 1] + 0.3) / 0.3) * ~mouth

    def near(place: Array, reach: float) -> Array:
        return np.exp(-np.square((p - place)[:, :2]).sum(axis=1) / (2 * reach**2))

    def along(weight: Array, direction: tuple[float, float, float]) -> Array:
        return weight[:, None] * np.array(direction)

    # As the tracker sees it: the chin goes half as far as the lip, the corners sink a little.
    jaw = np.where(lower_lip, 0.2 + 0.8 * across**0.75, 0.5 * below * np.exp(-np.square(p[:, 0] / 0.6)))
    jaw = np.where(corners, 0.2, jaw)
    found = {
        "jawOpen": along(jaw, (0, 0.45, 0.12)),
        "jawAcross": along(jaw, (0.2, 0, 0)),
        "mouthAcross": along(near(lips, 0.45) * np.where(mouth, 1, 0.6), (0.2, 0, 0)),
    }
    for side, out in (("Left", 1.0), ("Right", -1.0)):
        mirror = np.array([out, 1, 1])
        half = smoothstep(0.5 + out * p[:, 0] / corner[0])
        at_corner = near(corner * mirror, 0.22)
        upwards = (p[:, 1] < -0.15) * 1.0
        found |= {
            f"corner{side}": along(at_corner, (0.1 * out, -0.2, 0.05)),
            f"stretch{side}": along(at_corner, (0.16 * out, 0.0, 0.08)),
            f"upperLip{side}": along(half * np.where(upper_lip, across, 0.6 * above * near(lips, 0.4)), (0, -0.16, 0)),
            f"browInner{side}": along(upwards * near(shape[BROWS[1][3]] * mirror, 0.3), (0, -0.1, 0)),
            f"browOuter{side}": along(upwards * near(shape[BROWS[1][1]] * mirror, 0.3), (0, -0.1, 0)),
        }
    return found
