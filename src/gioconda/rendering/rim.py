"""The skin along the rim of a face, as it looks when it turns into view.

Where a face bends away from the camera a picture shows little of it, and that little is mixed with what lies behind
it: hair, an ear, the wall. Drawn as wide as a turned head shows it, it would be streaks and blots. So there is a second
copy of the face, on whose rim the skin beside it goes on: the nearest colour, and the grain of skin or brush strokes as
its mirror image. The more a place has turned into view, the more of the copy is shown there.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import BROWS, EYES, LIPS, Points
from gioconda.parts import occupied
from gioconda.rendering.plates import Rgb, bounding, taken

Array = NDArray[Any]

MARGIN = 0.06
"""Of what is not believed along the rim, in face widths."""
DEEP = 1.5
"""Margins inside the rim from which on, over one more, a place is the face itself and nothing that hangs over it."""
GRAIN = 3.0
"""Most of the skin's fine relief, over its median: strands of hair and edges are no grain."""
PIXELS = 768
"""Longest side of the copy."""


class Rim:
    """The rim of the face in one picture."""

    def __init__(self, rgb: Rgb, source: Points) -> None:
        """The picture's pixels and landmarks, (478, 3)."""
        left, top, right, bottom = bounding(source[:SKIN, :2], np.ones(2), *rgb.shape[1::-1])
        face = rgb[top:bottom, left:right]
        self._scale = min(1.0, PIXELS / max(face.shape[:2]))
        size = max(2, round(face.shape[1] * self._scale)), max(2, round(face.shape[0] * self._scale))
        self._corner = np.array([left, top], np.float32) - np.float32(0.5)
        points = (source[:SKIN, :2] - self._corner) * np.float32(self._scale) - np.float32(0.5)
        small = np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_AREA), np.uint8)
        margin = max(MARGIN * float(np.ptp(points[:, 0])), 1.0)
        depth = _depth(points, size)
        self._copy = _continued(small, points, depth, margin)
        self._deep = np.clip(depth / margin - DEEP, 0, 1).astype(np.float32)

    def draw(self, rgb: Rgb, alpha: Array | None, came_from: Array, turned: Array) -> None:
        """Show it as far as places have turned into view; changes `rgb`, (h, w, 3), and `alpha`, (h, w), in place.

        Args:
            rgb: pixels that were already moved.
            alpha: their opacity, if the picture has any: skin that turns into view is opaque.
            came_from: where each lies in the picture, float32 (h, w, 2).
            turned: 0 (as in the picture) to 1, float32 (h, w).
        """
        part = occupied(turned)
        if part is None:
            return
        copy = taken(self._copy, self._in_copy(came_from[part]), cv2.INTER_LINEAR)
        share = turned[part] * (copy[..., 3] * np.float32(1 / 255))
        rgb[part] = cv2.blendLinear(np.ascontiguousarray(rgb[part]), copy[..., :3].copy(), 1 - share, share)
        if alpha is not None:
            alpha[part] = np.maximum(alpha[part], np.rint(255 * share).astype(np.uint8))

    def deep(self, came_from: Array) -> Array:
        """Whether places of the picture, float32 (h, w, 2), are the face itself, far from its rim: 0 to 1, (h, w)."""
        return taken(self._deep, self._in_copy(came_from), cv2.INTER_LINEAR)

    def _in_copy(self, came_from: Array) -> Array:
        return (came_from - self._corner) * np.float32(self._scale) - np.float32(0.5)


def _continued(face: Rgb, points: Array, depth: Array, margin: float) -> Rgb:
    """The skin beside a face's rim going on to it: colours, and where they count, uint8 (h, w, 4).

    Args:
        face: uint8 (h, w, 3).
        points: its landmarks, (468, 2).
        depth: of each pixel inside their outline, float32 (h, w).
        margin: pixels from there that are not believed.
    """
    size = face.shape[1], face.shape[0]
    known = _plain_skin(points, depth, margin)
    if not known.any():
        return np.zeros((*face.shape[:2], 4), np.uint8)
    nearest = _nearest(known)
    soft = 2 * round(margin / 4) + 1
    plain = cv2.blur(face, (soft, soft))[nearest[..., 1], nearest[..., 0]]
    plain = cv2.GaussianBlur(plain, (0, 0), margin / 3)
    # Grain as its mirror image beyond the margin, but none of eyes, brows and lips.
    place = np.dstack(np.meshgrid(np.arange(size[0]), np.arange(size[1]))).astype(np.float32)
    beyond = 2 * cv2.GaussianBlur(nearest.astype(np.float32), (0, 0), margin / 3) - place
    grain = face - cv2.GaussianBlur(face, (0, 0), margin / 4).astype(np.float32)
    most = GRAIN * float(np.median(np.abs(grain[known > 0])))
    skin = cv2.blur(taken(known.astype(np.float32), beyond, cv2.INTER_LINEAR), (soft, soft))
    colours = plain + skin[..., None] * taken(np.clip(grain, -most, most), beyond, cv2.INTER_LINEAR)
    counts = 255 * np.clip(1.5 - depth / margin, 0, 1)
    return np.rint(np.clip(np.dstack([colours, counts]), 0, 255)).astype(np.uint8)


def _plain_skin(points: Array, depth: Array, margin: float) -> Array:
    """Where skin is to be believed: inside the margin, and not near eyes, brows and lips; uint8 (h, w), 0 or 1."""
    known = (depth >= margin).astype(np.uint8)
    for part in (*(eye.outline for eye in EYES), *BROWS, LIPS):
        hull = np.rint(cv2.convexHull(points[list(part)].astype(np.float32))).astype(np.int32)
        cv2.fillConvexPoly(known, hull, (0,))
        cv2.polylines(known, [hull], True, (0,), 2 * round(margin))
    return known


def _depth(points: Array, size: tuple[int, int]) -> Array:
    """How far inside the outline of some points each pixel lies, float32 (h, w), 0 outside."""
    face = np.zeros(size[::-1], np.uint8)
    hull = cv2.convexHull(points.astype(np.float32))
    cv2.fillConvexPoly(face, np.rint(hull).astype(np.int32), (1,))
    return cv2.distanceTransform(face, cv2.DIST_L2, 5)


def _nearest(known: Array) -> Array:
    """The nearest known pixel to each, int (h, w, 2), x then y; `known` is uint8 (h, w), 0 or 1, not all 0."""
    _, label = cv2.distanceTransformWithLabels(1 - known, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    y, x = np.nonzero(known)
    place = np.zeros((label.max() + 1, 2), int)
    place[label[y, x]] = np.column_stack([x, y])
    return place[label]
