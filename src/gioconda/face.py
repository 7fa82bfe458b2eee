"""The face all stages agree on: 478 landmarks, their regions, a canonical shape and its triangles.

The landmark numbering is that of the MediaPipe Face Mesh with irises. Coordinates are the
picture's: x to the right, y down, z away from the camera. Left and right are the picture's, not
the person's. ``data/face_model.safetensors`` is made by ``tools/build_face_model.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

Points = NDArray[Any]
"""Landmarks, shape (478, 3), or many of them, shape (frames, 478, 3)."""

LANDMARKS = 478
FARTHEST = 1e6
"""Pixels from a picture's corner to a landmark; no picture is larger."""


@dataclass(frozen=True)
class Eye:
    """Landmark numbers of one eye. Lids run from the picture-left corner to the picture-right one, ends shared."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    crease: tuple[int, ...]
    """The fold above the upper lid, over its inner points: it follows the lid a little."""
    hollow: tuple[int, ...]
    """The hollow below the brow, over the same points."""
    iris: tuple[int, ...]
    """Centre first, then four points of the rim."""

    @property
    def corners(self) -> tuple[int, int]:
        """Picture-left and picture-right corner."""
        return self.upper[0], self.upper[-1]

    @property
    def outline(self) -> tuple[int, ...]:
        """The opening as one closed polygon."""
        return self.upper + self.lower[-2:0:-1]


EYES = (
    Eye(
        upper=(33, 246, 161, 160, 159, 158, 157, 173, 133),
        lower=(33, 7, 163, 144, 145, 153, 154, 155, 133),
        crease=(247, 30, 29, 27, 28, 56, 190),
        hollow=(113, 225, 224, 223, 222, 221, 189),
        iris=(468, 469, 470, 471, 472),
    ),
    Eye(
        upper=(362, 398, 384, 385, 386, 387, 388, 466, 263),
        lower=(362, 382, 381, 380, 374, 373, 390, 249, 263),
        crease=(414, 286, 258, 257, 259, 260, 467),
        hollow=(413, 441, 442, 443, 444, 445, 342),
        iris=(473, 474, 475, 476, 477),
    ),
)
"""The picture-left eye, then the picture-right one (of a face that is not mirrored)."""

LIPS_INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LIPS_INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIPS_OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIPS_OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
LIPS = tuple(sorted({*LIPS_INNER_UPPER, *LIPS_INNER_LOWER, *LIPS_OUTER_UPPER, *LIPS_OUTER_LOWER}))
MOUTH_CORNERS = (LIPS_OUTER_UPPER[0], LIPS_OUTER_UPPER[-1])
MOUTH_OUTLINE = LIPS_INNER_UPPER + LIPS_INNER_LOWER[-2:0:-1]
"""The opening between the inner lips as one closed polygon."""

BROWS = (
    (70, 63, 105, 66, 107, 46, 53, 52, 65, 55),
    (300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
)
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The outline of the face, clockwise in the picture from the top of the forehead."""

FOREHEAD, CHIN, NOSE_TIP, NOSE_BASE = 10, 152, 1, 2

STEADY = (
    *(168, 6, 197, 195, 5, 4, 1, 19, 2, 98, 327, 129, 358),  # nose
    *(33, 133, 362, 263),  # corners of the eyes
    *(127, 356, 162, 389, 234, 454, 93, 323),  # temples and ears
    *(10, 109, 338, 151, 9, 8),  # middle of the forehead
)
"""Points that expression moves least: they carry the head's pose."""


@dataclass(frozen=True)
class FaceModel:
    """The canonical face.

    Attributes:
        shape: (478, 3) float32, frontal, mean of many relaxed faces, mirror-symmetric, centred
            between the eyes; the distance between the eyes' middles is 1.
        triangles: (n, 3) int16, the skin; the openings of eyes and mouth are left out.
        openings: (m, 3) int16, triangles that close those openings.
        mirror: (478,) int16, each landmark's counterpart on the other half of the face.
    """

    shape: Points
    triangles: NDArray[np.int16]
    openings: NDArray[np.int16]
    mirror: NDArray[np.int16]


@cache
def face_model() -> FaceModel:
    """The canonical face that comes with the package."""
    raw = resources.files("gioconda.data").joinpath("face_model.safetensors").read_bytes()
    return FaceModel(**load(raw))


def check_face(points: NDArray[Any]) -> None:
    """See to it that landmarks that came from a file can be a face.

    Raises:
        ValueError: another shape than (478, 3), numbers that are none, no extent, or further away than pictures go.
    """
    near = points.shape == (LANDMARKS, 3) and (np.abs(points) <= FARTHEST).all()
    if not near or not np.ptp(points[:, :2], axis=0).all():
        raise ValueError("landmarks that are no face")


def eye_middles(points: Points) -> tuple[NDArray[Any], NDArray[Any]]:
    """Middles between each eye's corners, shape (..., 3) each."""
    left, right = (points[..., list(eye.corners), :].mean(axis=-2) for eye in EYES)
    return left, right


def eye_distance(points: Points) -> NDArray[Any]:
    """Distance between the eyes' middles, in the points' unit, shape (...)."""
    left, right = eye_middles(points)
    return np.linalg.norm(right - left, axis=-1)


def bounds(points: Points) -> tuple[float, float, float, float]:
    """Box around one face: x, y, width, height in the points' unit."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])
