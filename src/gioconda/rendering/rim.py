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
from gioconda.rendering.plates import Rgb, blend, bounding

Array = NDArray[Any]

MARGIN = 0.06
"""Of what is not believed along the rim, in face widths."""
GRAIN = 3.0
"""Most of the skin's fine relief, over its median: strands of hair and edges are no grain."""
PIXELS = 384
"""Longest side of a face at which its colours go on; the grain is at full size."""


class Rim:
    """The rim of the face in one picture."""

    def __init__(self, rgb: Rgb, source: Points) -> None:
        """The picture's pixels and landmarks, (478, 3)."""
        left, top, right, bottom = bounding(source[:SKIN, :2], np.ones(2), *rgb.shape[1::-1])
        self._corner = np.array([left, top], np.float32)
        self._copy = _continued(rgb[top:bottom, left:right], source[:, :2] - self._corner)

    def draw(self, rgb: Rgb, came_from: Array, turned: Array) -> None:
        """Show it as far as places have turned into view; changes `rgb`, (h, w, 3), in place.

        Args:
            rgb: pixels that were already moved.
            came_from: where each lies in the picture, float32 (h, w, 2).
            turned: 0 (as in the picture) to 1, float32 (h, w).
        """
        rows, columns = (np.flatnonzero(cv2.reduce(turned, axis, cv2.REDUCE_MAX)) for axis in (1, 0))
        if not len(columns):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        in_copy = came_from[part] - self._corner
        x_and_y: Any = cv2.remap  # OpenCV's annotation forgets that one map may hold both
        copy = x_and_y(self._copy, in_copy, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        share = turned[part]
        rgb[part] = cv2.blendLinear(np.ascontiguousarray(rgb[part]), copy, 1 - share, share)


def _continued(rgb: Rgb, source: Points) -> Rgb:
    """A face, uint8 (h, w, 3), on whose rim the skin beside it goes on."""
    height, width = rgb.shape[:2]
    scale = min(1.0, PIXELS / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    points = ((source[:SKIN, :2] + 0.5) * (size[0] / width, size[1] / height) - 0.5).astype(np.float32)
    margin = max(MARGIN * float(np.ptp(points[:, 0])), 1.0)
    depth = _depth(points, size)
    known = (depth >= margin).astype(np.uint8)
    for part in (*(eye.outline for eye in EYES), *BROWS, LIPS):
        hull = np.rint(cv2.convexHull(points[list(part)])).astype(np.int32)
        cv2.fillConvexPoly(known, hull, (0,))
        cv2.polylines(known, [hull], True, (0,), 2 * round(margin))
    if not known.any():
        return rgb
    nearest = _nearest(known)
    plain = cv2.blur(small, (2 * round(margin / 4) + 1,) * 2)[nearest[..., 1], nearest[..., 0]]
    plain = cv2.GaussianBlur(plain, (0, 0), margin / 3)
    near = cv2.GaussianBlur(nearest.astype(np.float32), (0, 0), margin / 3)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    beyond = 2 * near - np.dstack([x, y])
    # No grain of eyes, brows and lips.
    skin = cv2.remap(known.astype(np.float32), beyond, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    skin = cv2.blur(skin, (2 * round(margin / 4) + 1,) * 2)
    own = np.clip((depth - margin) / margin + 0.5, 0, 1)

    def full(values: Array) -> Array:
        return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)

    ratio = np.array([width / size[0], height / size[1]], np.float32)
    beyond = (full(beyond) + np.float32(0.5)) * ratio - np.float32(0.5)
    grain = rgb - cv2.GaussianBlur(rgb, (0, 0), margin / 4 * float(ratio.mean())).astype(np.float32)
    most = GRAIN * float(np.median(np.abs(grain[full(known) > 0])))
    grain = cv2.remap(np.clip(grain, -most, most), beyond, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    copy = full(plain)
    blend(copy, copy + grain, full(skin))
    blend(copy, rgb, full(own))
    return copy


def _depth(points: Array, size: tuple[int, int]) -> Array:
    """How far inside the outline of some points each pixel lies, float32 (h, w), 0 outside."""
    face = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(face, np.rint(cv2.convexHull(points)).astype(np.int32), (1,))
    return cv2.distanceTransform(face, cv2.DIST_L2, 5)


def _nearest(known: Array) -> Array:
    """The nearest known pixel to each, int (h, w, 2), x then y; `known` is uint8 (h, w), 0 or 1, not all 0."""
    _, label = cv2.distanceTransformWithLabels(1 - known, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    y, x = np.nonzero(known)
    place = np.zeros((label.max() + 1, 2), int)
    place[label[y, x]] = np.column_stack([x, y])
    return place[label]
