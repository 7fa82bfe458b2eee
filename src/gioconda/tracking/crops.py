"""The square, upright crop of a face that the landmark network looks at.

A crop follows from points of a face alone: from the landmarks of the frame before, or from the five
points of a detector. Both are means over points, so that no single one of them makes it tremble.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import CHIN, FOREHEAD, MOUTH_CORNERS, NOSE_TIP, Points, eye_middles

Array = NDArray[Any]

CROP = 192
"""Pixels a side of a crop as the network sees it."""
SKIN = 468
"""Landmarks before the irises."""
SPREAD = 4.8
"""Side of a crop over the root mean square distance of the skin's landmarks from their mean."""
FIVE_SPREAD = 6.06
"""The same for the five points of the detector: eyes, nose, corners of the mouth."""


@dataclass(frozen=True)
class Crop:
    """A square in a picture: its middle and side in picture pixels, and how far it leans clockwise, in radians."""

    x: float
    y: float
    side: float
    lean: float

    @staticmethod
    def around(points: Points) -> Crop:
        """The crop of a face with these landmarks, (478, 3)."""
        return Crop(*(float(v) for v in squares(points[None])[0]))

    @staticmethod
    def around_five(five: Array) -> Crop:
        """The crop of a face with these five points, (5, 2): eyes, nose tip, corners of the mouth, left ones first."""
        return Crop(*(float(v) for v in five_squares(five[None])[0]))

    def beside(self, across: float, down: float, side: float, lean: float) -> Crop:
        """Another crop: so many of this one's sides away, so many times as large, leaning so many radians more."""
        return Crop(self.x + across * self.side, self.y + down * self.side, side * self.side, self.lean + lean)

    def matrix(self, size: int = CROP) -> Array:
        """(2, 3): takes picture pixels to pixels of the crop. Pixels are counted at their middles."""
        zoom = size / self.side
        c, s = zoom * np.cos(self.lean), zoom * np.sin(self.lean)
        turn = np.array([[c, s], [-s, c]])
        return np.column_stack([turn, (size - 1) / 2 - turn @ (self.x, self.y)])

    def cut(self, rgb: NDArray[np.uint8], size: int = CROP) -> NDArray[np.uint8]:
        """The crop as a picture, (size, size, 3); beyond the picture's edge it repeats the edge."""
        matrix = self.matrix(size)
        shrink = self.side / size
        if shrink > 2:
            # Averaging first: a warp alone looks at four pixels and skips the rest.
            rgb, matrix = _shrunk_around(rgb, self, shrink, matrix)
        return np.asarray(
            cv2.warpAffine(rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def to_picture(self, points: Points) -> Points:
        """Points in crop sides from the crop's middle, (n, 2 or 3), as picture pixels; depth turns into pixels too."""
        c, s = np.cos(self.lean), np.sin(self.lean)
        placed = np.array(points, np.float64) * self.side
        placed[:, :2] = placed[:, :2] @ np.array([[c, s], [-s, c]]) + (self.x, self.y)
        return placed

    def to_crop(self, points: Points) -> Points:
        """Undoes `to_picture`."""
        c, s = np.cos(self.lean), np.sin(self.lean)
        placed = np.array(points, np.float64)
        placed[:, :2] = (placed[:, :2] - (self.x, self.y)) @ np.array([[c, -s], [s, c]])
        return placed / self.side


def squares(points: Points) -> Array:
    """Crops of many faces, (n, 478, 3) -> (n, 4): x, y, side, lean as in `Crop`."""
    skin = points[:, :SKIN, :2].astype(np.float64)
    left, right = (middle[:, :2] for middle in eye_middles(points))
    down = points[:, CHIN, :2] - points[:, FOREHEAD, :2]
    return _squares(skin, right - left, down, SPREAD)


def five_squares(five: Array) -> Array:
    """The same from five points, (n, 5, 2)."""
    five = five.astype(np.float64)
    # From the eyes to the mouth it is less than half as far as from the forehead to the chin.
    down = 2.2 * (five[:, 3:].mean(axis=1) - five[:, :2].mean(axis=1))
    return _squares(five, five[:, 1] - five[:, 0], down, FIVE_SPREAD)


def five_points(points: Points) -> Array:
    """The detector's five points of landmarks, (..., 478, 3) -> (..., 5, 2)."""
    left, right = eye_middles(points)
    rest = points[..., [NOSE_TIP, *MOUTH_CORNERS], :2]
    return np.concatenate([left[..., None, :2], right[..., None, :2], rest], axis=-2)


def _squares(points: Array, across: Array, down: Array, spread: float) -> Array:
    middle = points.mean(axis=1)
    side = spread * np.sqrt(np.square(points - middle[:, None]).sum(axis=2).mean(axis=1))
    # Across the eyes and down the face together: on a turned head the one is short, on a nodding one the other.
    upright = across[:, 0] + down[:, 1], across[:, 1] - down[:, 0]
    return np.column_stack([middle, side, np.arctan2(upright[1], upright[0])])


def _shrunk_around(rgb: NDArray[np.uint8], crop: Crop, shrink: float, matrix: Array) -> tuple[Any, Array]:
    height, width = rgb.shape[:2]
    reach = crop.side * 0.75
    left, top = max(0, int(crop.x - reach)), max(0, int(crop.y - reach))
    right, bottom = min(width, int(crop.x + reach) + 1), min(height, int(crop.y + reach) + 1)
    if right - left < 2 or bottom - top < 2:
        return rgb, matrix
    size = max(1, round((right - left) / shrink)), max(1, round((bottom - top) / shrink))
    small = cv2.resize(rgb[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    zoom = np.array([(right - left) / size[0], (bottom - top) / size[1]])
    # A pixel p of the small picture has its middle at (p + 0.5) * zoom - 0.5 of the part.
    shift = 0.5 * zoom - 0.5 + (left, top)
    return small, np.column_stack([matrix[:, :2] * zoom, matrix[:, :2] @ shift + matrix[:, 2]])
