"""Where one shot ends and the next begins: by how a face, or the whole picture, changes from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.tracking import Face

Thumbnail = NDArray[Any]
"""A frame as 32 x 32 grey values, mean 0, length 1: what two frames of one shot share."""

SAME_SHOT = 0.5
"""Correlation between neighbouring frames, shrunk to thumbnails, below which they are of different shots."""


@dataclass(frozen=True)
class Sighting:
    """A face in a frame, and the whole frame as a thumbnail."""

    face: Face
    picture: Thumbnail


def thumbnail(rgb: NDArray[np.uint8]) -> Thumbnail:
    """A frame, uint8 (height, width, 3), for comparison with its neighbours."""
    small = cv2.resize(rgb[::2, ::2], (32, 32), interpolation=cv2.INTER_AREA).mean(axis=2)
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def is_another_picture(before: Thumbnail, after: Thumbnail) -> bool:
    """Whether two neighbouring frames are of different shots, whatever faces are in them."""
    return float((before * after).sum()) < SAME_SHOT


def is_cut(before: Sighting, after: Sighting) -> bool:
    """Whether a face that was seen and the next one seen cannot be one that moved: a cut, or another person."""
    first, second = before.face.box, after.face.box
    size = max(first.width, first.height)
    (x0, y0), (x1, y1) = first.centre, second.centre
    grown = max(second.width, second.height) / size
    jumped = max(abs(x1 - x0), abs(y1 - y0)) > 0.35 * size or not 0.75 < grown < 1.33
    return jumped or is_another_picture(before.picture, after.picture)
