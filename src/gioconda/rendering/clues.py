"""What the network of the `warp` renderer sees, and where it may change the picture.

Everything is drawn in the network frame (`network_frame.py`). Learning and rendering both take their
clues from here, so they cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import (
    EYES,
    LANDMARKS,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH_OUTLINE,
    Points,
    eye_distance,
)
from gioconda.rendering.head import Head
from gioconda.rendering.mesh import landmark_triangles
from gioconda.rendering.network_frame import NetworkFrame

Array = NDArray[Any]

FRAME = 192
"""Side of the network frame in pixels."""
SHARE = 2 / 3
"""How much of it the face takes."""
CELLS = FRAME // 2
"""Side, in cells of 2 x 2 pixels, of what the network sees and says."""
PICTURE = 12
"""Channels of the warped picture: red of a cell's four pixels, row by row, then green, then blue."""
SHAPE = 16
"""Channels of a `Shape`: normals in the picture (3) and in the result (3), movement of the skin (3), its stretch (1),
how far it has moved (1), the face (1), inner mouth, lips, openings of the eyes, irises (1 each)."""
MIRRORED = (0, 3, 6)
"""Those that change their sign in a mirror."""
MOVED, FACE, LIPS, OPENINGS = 10, 11, 13, 14
"""Numbers of those that say how far skin has moved, and where the face, the lips and the openings of the eyes are."""
CHANNELS = PICTURE + SHAPE
FULL = 127
"""What stands for 1 in a `Shape`."""

LEAST, WHOLLY = 0.001, 0.03
"""Eye distances that skin moves, the head's own movement apart, from which and by which the gate opens for it."""
TURN = 6.0
"""Degrees of the head's turn that open it too."""
MOVEMENT, STRETCH = 1 / 6, 1.5
"""Eye distances, and logarithm of a ratio of areas, that stand for 1."""
RIM = 5
"""Cells over which the gate shuts at the face's rim."""
LIP_RIM = 3
"""Likewise at the inside of the mouth."""

_LIPS_OUTLINE = (*LIPS_OUTER_UPPER, *LIPS_OUTER_LOWER[-2:0:-1])


@dataclass(frozen=True)
class Shape:
    """A face's movement, drawn.

    Attributes:
        channels: int8 (CELLS, CELLS, SHAPE), -127 to 127.
        gate: how far the network may change each place, float32 (CELLS, CELLS), 0 to 1. Nothing beside the face, and
            nothing where neither skin nor head has moved: there the picture stays as it is. Nothing inside the mouth
            either: what shows there (teeth, tongue, the dark) differs from frame to frame more than landmarks tell, and
            a network that is taught by differences paints the mean of it, which is neither open nor shut.
    """

    channels: NDArray[np.int8]
    gate: NDArray[np.float32]


def warp_frame(points: Points) -> NetworkFrame:
    """The network frame around a face at rest, landmarks (478, 3) in the picture's pixels."""
    return NetworkFrame.of(points, FRAME, SHARE)


def in_cells(picture: Array, channels: Array) -> NDArray[np.float32]:
    """The network's input, float32 (CHANNELS, CELLS, CELLS), 0 to 1 and -1 to 1.

    Args:
        picture: the warped picture in the frame, uint8 (FRAME, FRAME, 3).
        channels: of the `Shape`.
    """
    cells = picture.reshape(CELLS, 2, CELLS, 2, 3).transpose(4, 1, 3, 0, 2).reshape(PICTURE, CELLS, CELLS)
    seen = np.empty((CHANNELS, CELLS, CELLS), np.float32)
    np.multiply(cells, np.float32(1 / 255), out=seen[:PICTURE])
    np.multiply(channels.transpose(2, 0, 1), np.float32(1 / FULL), out=seen[PICTURE:])
    return seen


class ShapeDrawer:
    """Draws how a face differs from how it is in one picture."""

    def __init__(self, source: Points) -> None:
        """`source` are the picture's landmarks in the frame's pixels, (478, 3)."""
        self._source, self._head = source, Head(source)
        self._unit = float(eye_distance(source))
        self._normals, self._areas = _surface(source)

    def __call__(self, target: Points) -> Shape:
        """The movement to landmarks in the frame's pixels, (478, 3)."""
        pose = self._head.pose(target)
        moved = (pose.undo(target.astype(np.float64)) - self._source) / self._unit
        normals, areas = _surface(target)
        stretch = np.log(np.maximum(areas / pose.scale**2, 1e-3) / np.maximum(self._areas, 1e-3))
        turn = np.degrees(np.arccos(np.clip((np.trace(pose.rotation) - 1) / 2, -1, 1)))
        far = np.linalg.norm(moved, axis=1) / WHOLLY + turn / TURN - LEAST / WHOLLY
        values = np.column_stack(
            [
                self._normals,
                normals,
                np.clip(moved / MOVEMENT, -1, 1),
                np.clip(stretch / STRETCH, -1, 1),
                np.clip(far, 0, 1),
            ]
        )
        corners = target[:, :2] * np.float32(0.5) - np.float32(0.25)
        drawn = cv2.blur(_drawn(values, corners, target[:, 2]), (3, 3))
        masks = [
            _filled([corners[list(MOUTH_OUTLINE)]]),
            _filled([corners[list(_LIPS_OUTLINE)]]),
            _filled([corners[list(eye.outline)] for eye in EYES]),
            _filled([corners[[*eye.iris[1:]]] for eye in EYES]),
        ]
        # The gate is shut at the frame's edge too: beyond it nothing is changed.
        inside = cv2.erode(_framed(drawn[..., FACE]), np.ones((RIM, RIM), np.uint8), borderValue=(0.0,))
        mouth = cv2.blur(cv2.dilate(masks[0], np.ones((LIP_RIM, LIP_RIM), np.uint8)), (LIP_RIM, LIP_RIM))
        gate = cv2.blur(inside, (RIM, RIM), borderType=cv2.BORDER_CONSTANT) * drawn[..., MOVED] * (1 - mouth)
        return Shape(np.rint(np.dstack([drawn, *masks]) * FULL).astype(np.int8), gate)


@cache
def _around() -> Array:
    """Numbers of the triangles around each landmark, (478, most), filled up with the number of none."""
    triangles = landmark_triangles()
    around = [np.flatnonzero((triangles == landmark).any(axis=1)) for landmark in range(LANDMARKS)]
    most = max(map(len, around))
    return np.array([[*each, *[len(triangles)] * (most - len(each))] for each in around])


def _surface(points: Points) -> tuple[Array, Array]:
    """At each landmark, (478, 3), the skin's normal, (478, 3), and the area of the triangles around it, (478,)."""
    corners = points[landmark_triangles()].astype(np.float32)
    (ax, ay, az), (bx, by, bz) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    each = np.zeros((len(corners) + 1, 4), np.float32)
    each[:-1, 0], each[:-1, 1], each[:-1, 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    each[:-1, 3] = np.sqrt(np.square(each[:-1, :3]).sum(axis=1))
    around = each.take(_around(), axis=0).sum(axis=1)
    length = np.linalg.norm(around[:, :3], axis=1, keepdims=True)
    return around[:, :3] / np.maximum(length, 1e-6), around[:, 3]


def _drawn(values: Array, corners: Array, depth: Array) -> Array:
    """Values at landmarks, (478, c), as their mean over each triangle, far to near: float32 (CELLS, CELLS, c + 1).

    The last channel is 1 where the face is. `corners` are landmarks in cells, (478, 2); `depth` grows with the
    distance.
    """
    triangles = landmark_triangles()
    fixed = np.round(corners[triangles] * 16).astype(np.int32)
    along, across = fixed[:, 1] - fixed[:, 0], fixed[:, 2] - fixed[:, 0]
    faces = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0] > 0
    label = np.zeros((CELLS, CELLS), np.int32)
    for index in np.argsort(-depth[triangles].mean(axis=1)).tolist():
        if faces[index]:
            cv2.fillConvexPoly(label, fixed[index], index + 1, cv2.LINE_8, 4)
    table = np.zeros((len(triangles) + 1, values.shape[1] + 1), np.float32)
    table[1:, :-1], table[1:, -1] = values[triangles].mean(axis=1), 1
    drawn: Array = table.take(label, axis=0)
    return drawn


def _framed(mask: Array) -> Array:
    """A mask with nothing in its outermost cells."""
    within = np.zeros_like(mask)
    within[1:-1, 1:-1] = mask[1:-1, 1:-1]
    return within


def _filled(polygons: list[Array]) -> Array:
    mask = np.zeros((CELLS, CELLS), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255
