"""Faces turned towards profile, rendered: few people in footage look so far aside that it could be learned from them.

Source of the idea: Zhu et al. 2016, "Face alignment across large poses", section 4 (face profiling). Theirs fits a
model; here the flow renderer turns the picture by its landmarks, of which the teacher has guessed the depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.face import OVAL, Points, face_model
from gioconda.geometry import angles, rotation
from gioconda.neutral import head_pose
from gioconda.portrait import View
from gioconda.rendering import FlowRenderer, composite

Array = NDArray[Any]

TURNED_ALREADY = (12.0, 45.0)
"""Degrees of yaw between which a face has a copy: one that looks ahead hides too much of what its copy would show."""
TURNED_TO = (38.0, 68.0)
"""Degrees of yaw between which the copies lie, evenly."""
LEAST, MOST = 8.0, 42.0
"""Degrees by which a copy is turned further."""
GOLDEN = 0.6180339887
"""Multiples of the golden section fill a range evenly, whatever their number."""


def turned_copies(points: Points) -> Iterator[tuple[int, Points]]:
    """Which of some faces, landmarks (n, 478, 3), have a copy turned further, and where its landmarks lie."""
    yaw = angles(head_pose(face_model().shape, points).rotation)[:, 0]
    rows = np.nonzero((np.abs(yaw) > TURNED_ALREADY[0]) & (np.abs(yaw) < TURNED_ALREADY[1]))[0]
    for number, row in enumerate(rows):
        aim = TURNED_TO[0] + (TURNED_TO[1] - TURNED_TO[0]) * (number * GOLDEN % 1)
        further = np.clip(aim - abs(yaw[row]), LEAST, MOST)
        yield int(row), turned(points[row], float(np.copysign(further, yaw[row])))


def turned(points: Points, yaw: float) -> Points:
    """Landmarks, (478, 3), turned by so many degrees about the upright line through the middle of the head."""
    middle = np.array([*points[:, :2].mean(axis=0), points[list(OVAL), 2].max()])
    return ((points - middle) @ rotation(yaw, 0, 0).T + middle).astype(np.float32)


def rendered(rgb: Array, points: Points, target: Points) -> Array:
    """A picture, uint8 (height, width, 3), with its face moved from landmarks to others."""
    view = View(rgb, points)
    return composite(view, FlowRenderer([view])(target))[0]
