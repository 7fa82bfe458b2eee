"""The outline of a face as it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import Points

Array = NDArray[Any]

RAYS = 40
"""Points of the outline."""


@dataclass(frozen=True)
class Silhouette:
    """The outline of the face as it is seen, star-shaped about the middle of the head.

    Landmarks that the head hides lie inside it; so it is found anew for each frame, and its points
    correspond from frame to frame by their direction from the middle, the head's tilt taken off.
    """

    polygon: Array  # (RAYS, 2) pixels

    @staticmethod
    def of(points: Points, middle: Array, tilt: float) -> Silhouette:
        """Of landmarks, (478, 3), around a middle, (2,), for a head tilted by some radians."""
        hull = cv2.convexHull(points[:SKIN, :2].astype(np.float32))[:, 0] - middle
        following = np.roll(hull, -1, axis=0)
        directions = np.arange(RAYS) * (2 * np.pi / RAYS) + tilt
        ray = np.stack([np.cos(directions), np.sin(directions)], axis=1)[:, None]
        side = following - hull
        # Where each ray meets each side of the hull; the hull is convex and holds the middle, so it leaves it once.
        across = ray[..., 0] * side[:, 1] - ray[..., 1] * side[:, 0]
        reach = (hull[:, 0] * side[:, 1] - hull[:, 1] * side[:, 0]) / np.where(np.abs(across) < 1e-9, 1e-9, across)
        at = (hull[:, 0] * ray[..., 1] - hull[:, 1] * ray[..., 0]) / np.where(np.abs(across) < 1e-9, 1e-9, across)
        meets = (reach > 0) & (at >= -1e-4) & (at <= 1 + 1e-4)
        length = np.where(meets, reach, 0).max(axis=1, keepdims=True)
        return Silhouette((ray[:, 0] * length + middle).astype(np.float32))
