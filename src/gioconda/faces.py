"""Show the faces of a picture, numbered as `--face N` counts them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import EYES, MOUTH_OUTLINE, OVAL
from gioconda.tracking import Face

COLOUR = (255, 196, 0)


def draw_faces(rgb: NDArray[np.uint8], faces: list[Face]) -> NDArray[np.uint8]:
    """A copy of the picture with each face's outline, eyes, mouth and number drawn on it."""
    shown = rgb.copy()
    thick = max(1, round(max(rgb.shape[:2]) / 600))
    for number, face in enumerate(faces):
        for outline in (OVAL, MOUTH_OUTLINE, EYES[0].outline, EYES[1].outline):
            points = np.rint(face.points[list(outline), :2]).astype(np.int32)
            cv2.polylines(shown, [points], True, COLOUR, thick, cv2.LINE_AA)
        corner = int(face.box.x), int(max(face.box.y - 3 * thick, 14 * thick))
        cv2.putText(shown, str(number), corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * thick, COLOUR, 2 * thick, cv2.LINE_AA)
    return shown
