"""Show the faces of a picture, numbered as `--face N` counts them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import EYES, MOUTH_OUTLINE, OVAL
from gioconda.tracking import Face

COLOUR, CHOSEN = (255, 196, 0), (0, 230, 118)


def draw_faces(rgb: NDArray[np.uint8], faces: Sequence[Face], chosen: int | None = None) -> NDArray[np.uint8]:
    """A copy of the picture with each face's outline, eyes, mouth and number drawn on it, one in another colour."""
    shown = rgb.copy()
    thick = max(1, round(max(rgb.shape[:2]) / 600))
    for number, face in enumerate(faces):
        colour = CHOSEN if number == chosen else COLOUR
        for outline in (OVAL, MOUTH_OUTLINE, EYES[0].outline, EYES[1].outline):
            points = np.rint(face.points[list(outline), :2]).astype(np.int32)
            cv2.polylines(shown, [points], True, colour, thick, cv2.LINE_AA)
        corner = int(face.box.x), int(max(face.box.y - 3 * thick, 14 * thick))
        cv2.putText(shown, str(number), corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * thick, colour, 2 * thick, cv2.LINE_AA)
    return shown
