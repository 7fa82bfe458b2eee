"""What the network of the `warp` renderer sees, and where it may change the picture.

Everything is drawn in the network frame (`network_frame.py`), 256 pixels a side, the face half of it.
The network works on two windows of that frame, one at the mouth and one at the eyes. Learning and
rendering both take their clues from here, so they cannot drift apart.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import (
    EYES,
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH_OUTLINE,
    Points,
    eye_distance,
)
from gioconda.rendering.head import Head
from gioconda.rendering.network_frame import NetworkFrame

Array = NDArray[Any]

FRAME = 256
"""Side of the network frame in pixels."""
SHARE = 0.5
"""How much of it the face takes."""
CHANNELS = 10
"""Of the clues: warped picture (3), the picture moved as the skull moves (3), inner mouth, lips, openings of the
eyes, irises (1 each)."""
WINDOWS = {"mouth": (96, 96), "eyes": (128, 64)}
"""Width and height of the windows in which the network works, in frame pixels."""

_LIPS_OUTLINE = (*LIPS_OUTER_UPPER, *LIPS_OUTER_LOWER[-2:0:-1])


def warp_frame(points: Points) -> NetworkFrame:
    """The network frame around a face at rest, landmarks (478, 3) in the picture's pixels."""
    return NetworkFrame.of(points, FRAME, SHARE)


def draw_clues(warped: Array, moved: Array, target: Points) -> Array:
    """The network's input over the whole frame, uint8 (256, 256, 10).

    Args:
        warped: the picture with the skin warped, in the frame.
        moved: the picture as it is, moved as the skull moves (it shows teeth and eyes unsqueezed).
        target: landmarks of the result in the frame's pixels, (478, 3).
    """
    drawn = [
        _filled([target[list(MOUTH_OUTLINE)]]),
        _filled([target[list(_LIPS_OUTLINE)]]),
        _filled([target[list(eye.outline)] for eye in EYES]),
        _filled([target[[*eye.iris[1:]]] for eye in EYES]),
    ]
    return np.dstack([warped, moved, *drawn])


def draw_gates(source: Points, target: Points) -> dict[str, Array]:
    """How far the network may change each pixel of the frame, by window, float32 (256, 256), 0 to 1.

    Nowhere but at mouth and eyes, and there only as far as lips, lids or irises have moved from
    where the picture has them, the head's own movement apart: where nothing moves, the picture
    stays as it is. Landmarks in the frame's pixels, (478, 3).
    """
    unit = float(eye_distance(source))
    level = Head(source).pose(target).undo(target.astype(np.float64))
    lips = _gap(level, LIPS_INNER_UPPER, LIPS_INNER_LOWER) - _gap(source, LIPS_INNER_UPPER, LIPS_INNER_LOWER)
    mouth = _soft([target[list(_LIPS_OUTLINE)]], 0.10 * unit) * _opened(abs(lips) / (0.06 * unit))
    eyes = np.zeros((FRAME, FRAME), np.float32)
    for eye in EYES:
        painted = _gap(source, eye.upper, eye.lower)
        lids = abs(_gap(level, eye.upper, eye.lower) / max(painted, 1e-3) - 1)
        look = np.linalg.norm(_look(level, eye.iris[0], eye.corners) - _look(source, eye.iris[0], eye.corners))
        around = target[[*eye.upper, *eye.lower, *eye.crease]]
        lid_and_eye = _soft([cv2.convexHull(around[:, :2].copy())[:, 0]], 0.06 * unit)
        eyes = np.maximum(eyes, lid_and_eye * _opened(4 * lids + 6 * float(look) / unit))
    return {"mouth": mouth.astype(np.float32), "eyes": eyes.astype(np.float32)}


def _opened(change: float) -> float:
    """How far a gate opens for some change: not at all for what is no more than rounding."""
    return min(max(change - 0.01, 0.0), 1.0)


def window_corner(kind: str, target: Points) -> tuple[int, int]:
    """Left and top of a window in the frame: centred on the mouth or between the eyes, inside the frame."""
    if kind == "mouth":
        middle = target[list(LIPS), :2].mean(axis=0)
    else:
        middle = target[[i for eye in EYES for i in eye.corners], :2].mean(axis=0)
    width, height = WINDOWS[kind]
    left, top = np.rint(middle - (width / 2, height / 2))
    return int(np.clip(left, 0, FRAME - width)), int(np.clip(top, 0, FRAME - height))


def _filled(polygons: list[Array]) -> Array:
    mask = np.zeros((FRAME, FRAME), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon[:, :2] * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return mask


def _soft(polygons: list[Array], margin: float) -> Array:
    """A polygon grown by a margin, fading over it, float32 0 to 1."""
    size = 2 * max(1, round(margin)) + 1
    grown = cv2.dilate(_filled(polygons), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return cv2.blur(grown, (size, size)).astype(np.float32) / 255


def _gap(points: Points, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    return float(np.linalg.norm(points[list(upper), :2] - points[list(lower), :2], axis=1).mean())


def _look(points: Points, iris: int, corners: tuple[int, int]) -> Array:
    return points[iris, :2] - points[list(corners), :2].mean(axis=0)
