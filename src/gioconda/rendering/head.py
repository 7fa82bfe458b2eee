"""What is fixed to the skull, and where a movement of the head takes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.face import CHIN, FOREHEAD, STEADY, Points, eye_distance, eye_middles
from gioconda.geometry import Similarity, align

Array = NDArray[Any]


class Head:
    """The head in one picture."""

    def __init__(self, source: Points) -> None:
        """`source` are the picture's landmarks, (478, 3)."""
        self._steady = source[list(STEADY)].astype(np.float64)
        left, right = eye_middles(source)
        down = source[CHIN] - source[FOREHEAD]
        # Half way between eyes and mouth, and as deep as the temples: about where a head turns.
        self.middle = (left + right) / 2 + 0.16 * down + np.array([0, 0, 0.5 * float(eye_distance(source))])

    def pose(self, target: Points) -> Similarity:
        """The rigid movement from the picture to other landmarks, (478, 3)."""
        return align(self._steady, target[list(STEADY)].astype(np.float64))


def affine(pose: Similarity, depth: float) -> Array:
    """(2, 3) map of the picture's points at `depth` (z) to where a rigid movement takes them."""
    matrix = pose.scale * pose.rotation
    return np.column_stack([matrix[:2, :2], matrix[:2, 2] * depth + pose.translation[:2]])
