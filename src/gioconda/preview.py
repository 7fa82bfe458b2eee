"""What a performance looks like before any picture is chosen: the canonical face making the movements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.editing import eased_into
from gioconda.face import (
    BROWS,
    EYES,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH_OUTLINE,
    Eye,
    Points,
    face_model,
)
from gioconda.media.clip import ClipWriter
from gioconda.performance import Performance
from gioconda.retarget import Gains, Sitter, retarget

SIDE = 192
"""Pixels of a preview's sides."""
FPS = 12.5
FINER = 2
"""How much larger it is drawn than shown, against jagged edges."""
EYE_DISTANCE = 0.26
"""Of the side."""
PAPER, CLAY, LIPS, BROW, LINE = (246, 243, 238), (226, 190, 162), (198, 138, 122), (110, 82, 66), (140, 104, 86)
EYE_WHITE, IRIS, MOUTH = (252, 251, 248), (62, 74, 92), (92, 40, 40)
LIGHT = np.array([-0.35, -0.5, -0.8]) / np.linalg.norm([-0.35, -0.5, -0.8])
"""Direction towards the lamp."""

Rgb = NDArray[np.uint8]


def save_preview(performance: Performance, path: str | Path, side: int = SIDE) -> None:
    """Write a small moving picture of a performance; formats and errors as of `ClipWriter`."""
    with ClipWriter(path, side, side, FPS) as writer:
        for rgb in preview(performance, side):
            writer.write(rgb)


def preview(performance: Performance, side: int = SIDE) -> Iterator[Rgb]:
    """Frames, uint8 (side, side, 3), 12.5 a second."""
    size = side * FINER
    points = face_model().shape * EYE_DISTANCE * size + np.array([0.5 * size, 0.42 * size, 0])
    sitter = Sitter.of(points, size, size)
    if len(performance) == 1:
        performance = eased_into(performance)
    for motion in performance.resampled(FPS):
        drawn = draw_face(retarget(sitter, motion, Gains()), size)
        yield np.asarray(cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def draw_face(points: Points, size: int) -> Rgb:
    """A clay face from its landmarks, (478, 3) in pixels, on a square sheet of paper."""
    picture = np.full((size, size, 3), PAPER, np.uint8)
    corners = points[face_model().triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    normals *= -np.sign(normals[:, 2:] + 1e-9)  # towards the camera, whatever the triangle's order
    colours = (np.array(CLAY) * (0.66 + 0.38 * np.clip(normals @ LIGHT, 0, 1))[:, None]).tolist()
    places = np.rint(corners[:, :, :2]).astype(np.int32)
    cv2.fillPoly(picture, [_line(points, MOUTH_OUTLINE)], MOUTH)
    for eye in EYES:
        _draw_eye(picture, points, eye)
    for i in np.argsort(-corners[:, :, 2].mean(axis=1)):  # far to near
        cv2.fillConvexPoly(picture, places[i], colours[i])
    for outer, inner in ((LIPS_OUTER_UPPER, LIPS_INNER_UPPER), (LIPS_OUTER_LOWER, LIPS_INNER_LOWER)):
        cv2.fillPoly(picture, [_line(points, outer + inner[::-1])], LIPS)
    thick = max(1, size // 170)
    for outline in (EYES[0].upper, EYES[1].upper, LIPS_INNER_LOWER, LIPS_INNER_UPPER):
        cv2.polylines(picture, [_line(points, outline)], False, LINE, thick, cv2.LINE_AA)
    for brow in BROWS:
        cv2.fillPoly(picture, [cv2.convexHull(_line(points, brow))], BROW)
    return picture


def _draw_eye(picture: Rgb, points: Points, eye: Eye) -> None:
    """The eyeball behind the skin; what of it lies outside the lids, the skin covers."""
    cv2.fillPoly(picture, [_line(points, eye.outline)], EYE_WHITE)
    rim = points[list(eye.iris[1:]), :2]
    centre = points[eye.iris[0], :2]
    radius = float(np.linalg.norm(rim - centre, axis=1).mean())
    cv2.circle(picture, np.rint(centre).astype(int).tolist(), round(radius), IRIS, -1)


def _line(points: Points, numbers: tuple[int, ...]) -> NDArray[Any]:
    return np.rint(points[list(numbers), :2]).astype(np.int32)
