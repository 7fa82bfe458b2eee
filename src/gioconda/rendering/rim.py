"""The skin along the rim of a face, as it looks when it turns into view.

Where a face bends away from the camera a picture shows little of it, and that little is mixed with what lies behind
it: hair, an ear, the wall. Drawn as wide as a turned head shows it, it would be streaks and blots. So there is a second
copy of the face, on whose rim the skin beside it goes on: the nearest colour, and over it, not drawn out, the grain of
the cheek: pores or brush strokes. The more a place has turned into view, the more of the copy is shown there.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import BROWS, EYES, LIPS, Points
from gioconda.rendering.plates import Rgb, bounding, taken

Array = NDArray[Any]

MARGIN = 0.06
"""Of what is not believed along the rim, in face widths."""
DEEP = 2.5
"""Margins inside the rim from which on, over one more, a place is the face itself and nothing that hangs over it."""
GRAIN = 2.0
"""Most of the skin's fine relief, over its median: strands of hair and edges are no grain."""
NOSE = (168, 49, 98, 2, 327, 279)
"""Landmarks around the nose."""
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
        known = _plain_skin(points, depth, margin)
        self._copy = _continued(small, known, depth, margin)
        self._grain = _grain(small, known, points, margin)
        self._deep = np.clip(depth / margin - DEEP, 0, 1).astype(np.float32)

    def draw(self, rgb: Rgb, alpha: Array | None, came_from: Array, turned: Array, surface: Array) -> None:
        """Show it as far as places have turned into view; changes `rgb`, (h, w, 3), and `alpha`, (h, w), in place.

        Args:
            rgb: pixels that were already moved.
            alpha: their opacity, if the picture has any: skin that turns into view is opaque.
            came_from: where each lies in the picture, float32 (h, w, 2).
            turned: 0 (as in the picture) to 1, float32 (h, w).
            surface: where each lies on the unrolled skin, float32 (h, w, 2).
        """
        copy = taken(self._copy, self._in_copy(came_from), cv2.INTER_LINEAR)
        share = turned * (copy[..., 3] * np.float32(1 / 255))
        # Colours may be drawn out, relief and brush strokes may not.
        skin = cv2.add(copy[..., :3], self.grain(surface), dtype=cv2.CV_8U)
        rgb[:] = cv2.blendLinear(np.ascontiguousarray(rgb), skin, 1 - share, share)
        if alpha is not None:
            alpha[:] = np.maximum(alpha, np.rint(255 * share).astype(np.uint8))

    def grain(self, surface: Array) -> Array:
        """The relief of the skin, in levels, float32 (h, w, 3), at places of a surface, float32 (h, w, 2).

        The places are in the picture's pixels; where they count from is all the same: the piece is mirrored on and on.
        """
        return taken(self._grain, surface * np.float32(self._scale), cv2.INTER_LINEAR, beyond=cv2.BORDER_REFLECT)

    def deep(self, came_from: Array) -> Array:
        """Whether places of the picture, float32 (h, w, 2), are the face itself, far from its rim: 0 to 1, (h, w)."""
        return taken(self._deep, self._in_copy(came_from), cv2.INTER_LINEAR)

    def _in_copy(self, came_from: Array) -> Array:
        return (came_from - self._corner) * np.float32(self._scale) - np.float32(0.5)


def _continued(face: Rgb, known: Array, depth: Array, margin: float) -> Rgb:
    """The colours of the skin beside a face's rim going on to it, and where they count, uint8 (h, w, 4).

    Args:
        face: uint8 (h, w, 3).
        known: where skin is to be believed, uint8 (h, w), 0 or 1.
        depth: of each pixel inside the face's outline, float32 (h, w).
        margin: pixels from there that are not believed.
    """
    if not known.any():
        return np.zeros((*face.shape[:2], 4), np.uint8)
    nearest = _nearest(known)
    soft = 2 * round(margin / 4) + 1
    plain = cv2.blur(face, (soft, soft))[nearest[..., 1], nearest[..., 0]]
    plain = cv2.GaussianBlur(plain, (0, 0), margin / 3)
    counts = 255 * np.clip(1.5 - depth / margin, 0, 1)
    return np.dstack([plain, np.rint(counts).astype(np.uint8)])


def _grain(face: Rgb, known: Array, points: Array, margin: float) -> Array:
    """The relief of the widest piece of plain skin beside and below the eyes, float32 (n, n, 3) in levels."""
    cheeks = known.copy()
    cheeks[: max(0, round(float(points[[i for eye in EYES for i in eye.outline], 1].mean())))] = 0
    nose = np.rint(cv2.convexHull(points[list(NOSE)].astype(np.float32))).astype(np.int32)
    cv2.fillConvexPoly(cheeks, nose, (0,))
    room = cv2.distanceTransform(np.pad(cheeks, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(room.argmax()), room.shape)
    half = int(0.6 * room[row, column])
    if half < 2:
        return np.zeros((1, 1, 3), np.float32)
    part = np.s_[row - half : row + half + 1, column - half : column + half + 1]
    fine = (face - cv2.GaussianBlur(face, (0, 0), margin / 3).astype(np.float32))[part]
    most = GRAIN * float(np.median(np.abs(fine)))
    return np.clip(fine, -most, most)


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
