"""The square that a shot is cut to: it stays where it is, so that what moves in it is the head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gioconda.face import Points
from gioconda.tracking.tracker import Rgb

FACES = 2.0
"""Side of the square in heights of the face."""
ROOM = 1.1
"""Least side of the square over the way that the face's landmarks take, so that none leaves it."""


@dataclass(frozen=True)
class Square:
    """A square of whole source pixels; it may reach over the edge of the picture."""

    x: int
    y: int
    side: int

    @staticmethod
    def around(points: Points) -> Square:
        """For the landmarks of a shot, (frames, 478, 3), or of one picture, (1, 478, 3)."""
        low, high = points[..., :2].min(axis=(0, 1)), points[..., :2].max(axis=(0, 1))
        height = float(np.median(np.ptp(points[..., 1], axis=1)))
        side = max(2, round(max(FACES * height, ROOM * float((high - low).max()))))
        x, y = np.rint((low + high - side) / 2).astype(int)
        return Square(int(x), int(y), side)

    def cut(self, rgb: Rgb, size: int) -> Rgb:
        """The square of a picture, uint8 (size, size, 3); mirrored where it reaches over the edge."""
        height, width = rgb.shape[:2]
        margins = (
            max(0, -self.y),
            max(0, self.y + self.side - height),
            max(0, -self.x),
            max(0, self.x + self.side - width),
        )
        wide = cv2.copyMakeBorder(rgb, *margins, cv2.BORDER_REFLECT_101) if any(margins) else rgb
        top, left = self.y + margins[0], self.x + margins[2]
        inside = wide[top : top + self.side, left : left + self.side]
        way = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
        return np.ascontiguousarray(cv2.resize(inside, (size, size), interpolation=way), np.uint8)

    def points(self, points: Points, size: int) -> Points:
        """Landmarks of the source, (..., 478, 3), in pixels of the square at that size."""
        return (points - np.array([self.x, self.y, 0.0])) * (size / self.side)
