"""Plates: small pictures behind the openings of a face, eyeballs and the inside of the mouth.

A plate is in the portrait's own pixels, lies behind the skin, moves with the skull (not with lids
or lips), and shows only inside its opening. Where the portrait shows an eye or the inside of the
mouth, the plate is exactly those pixels; around them it goes on as an eye or a mouth would, in the
portrait's own colours. `eye_plate.py` and `mouth_plate.py` make them; this module is what both use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rgb = NDArray[np.uint8]

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness. Source: ITU-R BT.601."""


@dataclass(frozen=True)
class Sheet:
    """A picture with the place of its first pixel."""

    rgb: Rgb
    left: int
    top: int

    def sample(self, x: Array, y: Array) -> Array:
        """Its colours at some points, float32 (..., 3)."""
        x, y = (x - self.left).astype(np.float32), (y - self.top).astype(np.float32)
        return cv2.remap(self.rgb, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def taken(
    picture: Array, came_from: Array, method: int, into: Array | None = None, beyond: int = cv2.BORDER_REPLICATE
) -> Array:
    """A picture's values at some places of it, float32 (h, w, 2), x then y; beyond its edge those of the edge.

    They are written into an array of the same kind, if one is given. `beyond`: another of OpenCV's borders.
    """
    x_and_y: Any = cv2.remap  # OpenCV's annotation forgets that one map may hold both
    return np.asarray(x_and_y(picture, came_from, None, method, into, beyond))


def polygon_mask(polygon: Array, left: int, top: int, width: int, height: int) -> Array:
    """Coverage of a polygon, float32 (height, width), 0 to 1, edges smooth."""
    mask = np.zeros((height, width), np.uint8)
    fixed = np.round((polygon - (left, top)) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def bounding(polygon: Array, margin: Array, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a polygon with a margin (x, y), inside a picture."""
    low = np.maximum(np.floor(polygon.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(polygon.max(axis=0) + margin) + 1, (width, height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def height_at(points: Array, x: Array) -> Array:
    """y of a line through points, (n, 2), at some x."""
    order = np.argsort(points[:, 0])
    return np.interp(x, points[order, 0], points[order, 1])


def mapped(matrix: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Where a (2, 3) map takes points."""
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
    )


def feathered(mask: Array, radius: float) -> Array:
    """Softened inwards only, so that nothing shows outside the opening."""
    size = 2 * round(radius) + 1
    return mask * cv2.blur(mask, (size, size)) if size > 1 else mask


def blend(part: Rgb, colours: Array, mask: Array) -> None:
    """Lay colours, (h, w, 3), over a part of a picture where the mask, (h, w) 0 to 1, says; in place."""
    share = mask[..., None]
    part[:] = np.clip(np.rint(part * (1 - share) + colours * share), 0, 255)


def grown(rgb: Array, known: Array) -> Array:
    """Fill the unknown smoothly from the known (uint8 mask 0 or 1): a pyramid of weighted means."""
    weight = known.astype(np.float32)
    levels: list[tuple[Array, Array]] = [(rgb.astype(np.float32) * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 1:
        colour, share = levels[-1]
        size = (share.shape[1] + 1) // 2, (share.shape[0] + 1) // 2
        levels.append(
            (
                cv2.resize(colour, size, interpolation=cv2.INTER_AREA),
                cv2.resize(share, size, interpolation=cv2.INTER_AREA),
            )
        )
    filled: Array = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for colour, share in reversed(levels[:-1]):
        filled = cv2.resize(filled, share.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(*share.shape, 3)
        certain = np.minimum(share, 1)[..., None]
        filled = np.where(certain > 0, colour + (1 - certain) * filled, filled)
    return filled
