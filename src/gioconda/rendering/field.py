"""Where each pixel comes from: a dense backward displacement from landmarks, in closed form.

Inside the face the triangles of the mesh move as they must, drawn far to near so that a nose covers
the cheek behind it. Outside, the movement of the face's outline goes on by mean-value coordinates
(a turned or tilted outline carries the hair along as a rigid body would) and fades with the
distance to nothing at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import OVAL, Points, face_model

Array = NDArray[Any]

MESH_PIXELS = 288
"""Longest side at which the triangles are drawn; a displacement needs no more, whatever the picture's size."""
GRID = 44
"""Cells a side in which the fading outside the face is computed."""
HELD = {"top": 1.75, "side": 1.35, "bottom": 1.15}
"""How far the head goes along undiminished, in half sizes of the face from its middle: hair, ears, neck."""
FADED = {"top": 3.0, "side": 2.9, "bottom": 2.6}
"""Where nothing moves any more, likewise."""


@dataclass(frozen=True)
class Fading:
    """How much of the head's movement reaches a place outside the face: (GRID, GRID), 1 to 0."""

    share: Array
    x: Array
    y: Array

    @staticmethod
    def around(points: Points, width: int, height: int) -> Fading:
        """For a face at rest in a region of the picture, landmarks in that region's pixels."""
        columns, rows = ((np.arange(GRID) + 0.5) * size / GRID - 0.5 for size in (width, height))
        x, y = np.meshgrid(columns, rows)
        outline = points[list(OVAL), :2]
        low, high = outline.min(axis=0), outline.max(axis=0)
        middle, half = (low + high) / 2, (high - low) / 2
        across, down = (x - middle[0]) / half[0], (y - middle[1]) / half[1]
        radius = np.hypot(across, down)
        vertical = np.abs(down) / np.maximum(radius, 1e-6)
        ends = np.where(down < 0, "top", "bottom")
        inner, outer = (
            kept["side"] + vertical**2 * (np.where(ends == "top", kept["top"], kept["bottom"]) - kept["side"])
            for kept in (HELD, FADED)
        )
        fade = 1 - _smooth((radius - inner) / (outer - inner))
        # The region's edge stands still: fade towards it over a good part of the way from the face.
        to_edge = np.minimum.reduce([x, y, width - 1 - x, height - 1 - y]) - 0.5 * max(width, height) / GRID
        room = 0.45 * max(half)
        return Fading(fade * _smooth(to_edge / room), x, y)


def displacement(source: Points, target: Points, fading: Fading, width: int, height: int) -> Array:
    """From each pixel of the result to where it lies in the picture: float32 (height, width, 2), x then y.

    `source` and `target` are landmarks, (478, 3), in pixels of the region.
    """
    field = cv2.resize(_outside(source, target, fading), (width, height), interpolation=cv2.INTER_LINEAR)
    outline = target[list(OVAL), :2]
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, (width, height))
    if right - left < 2 or bottom - top < 2:
        return field
    box = field[top:bottom, left:right]
    scale = min(1.0, MESH_PIXELS / max(box.shape[:2]))
    size = max(2, round(box.shape[1] * scale)), max(2, round(box.shape[0] * scale))
    ratio = np.array([size[0] / box.shape[1], size[1] / box.shape[0]])
    corner = np.array([left, top])
    inside, mask = _inside(source, target, (target[:, :2] - corner + 0.5) * ratio - 0.5, size)
    outside = cv2.resize(box, size, interpolation=cv2.INTER_LINEAR)
    merged = np.where(mask[..., None] > 0, inside, outside)
    merged = cv2.blur(merged, (3, 3))
    soft = cv2.blur(cv2.erode(mask, np.ones((5, 5), np.uint8), borderValue=0), (5, 5))[..., None]
    merged = outside + soft * (merged - outside)
    box[:] = cv2.resize(merged, box.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return field


def _smooth(t: Array) -> Array:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _outside(source: Points, target: Points, fading: Fading) -> Array:
    """Faded movement of the face's outline on the coarse grid, float32 (GRID, GRID, 2).

    Source: Hormann & Floater, "Mean value coordinates for arbitrary planar polygons", TOG 2006.
    """
    outline = list(OVAL)
    polygon = target[outline, :2].astype(np.float32)
    moved = (source[outline, :2] - target[outline, :2]).astype(np.float32)
    moves = fading.share.ravel() > 0
    at = np.column_stack([fading.x.ravel()[moves], fading.y.ravel()[moves]]).astype(np.float32)
    spoke = polygon[None] - at[:, None]
    length = np.sqrt(np.square(spoke).sum(axis=-1)) + 1e-3
    following, next_length = np.roll(spoke, -1, axis=1), np.roll(length, -1, axis=1)
    cross = spoke[..., 0] * following[..., 1] - spoke[..., 1] * following[..., 0]
    dot = (spoke * following).sum(axis=-1)
    # tan of half the angle between neighbouring spokes, in the form that is exact for small angles
    half = cross / np.maximum(length * next_length + dot, 1e-3)
    weight = (half + np.roll(half, 1, axis=1)) / length
    weight /= weight.sum(axis=1, keepdims=True)
    field = np.zeros((GRID * GRID, 2), np.float32)
    field[moves] = (weight @ moved) * fading.share.ravel()[moves, None]
    return field.reshape(GRID, GRID, 2)


def _triangles() -> Array:
    model = face_model()
    return np.concatenate([model.triangles, model.openings]).astype(int)


def _inside(source: Points, target: Points, drawn: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Displacement of the triangles at the drawing's size, float32 (h, w, 2), and where they are, uint8 0 or 1.

    `drawn` is the target in the drawing's pixels, (478, 2).
    """
    triangles = _triangles()
    corners = drawn[triangles]
    side_a, side_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = side_a[:, 0] * side_b[:, 1] - side_a[:, 1] * side_b[:, 0]
    facing = area > 1e-3
    order = np.flatnonzero(facing)
    order = order[np.argsort(-target[triangles[order], 2].mean(axis=1))]
    label = np.zeros(size[::-1], np.int32)
    fixed = np.round(corners * 16).astype(np.int32)
    for index in order.tolist():
        cv2.fillConvexPoly(label, fixed[index], index + 1, cv2.LINE_8, 4)
    # Displacement is linear over each triangle: d = d0 + gx * x + gy * y
    moved = (source[:, :2] - target[:, :2])[triangles]
    step_a, step_b = moved[:, 1] - moved[:, 0], moved[:, 2] - moved[:, 0]
    safe = np.where(facing, area, 1.0)[:, None]
    gx = (step_a * side_b[:, 1:] - step_b * side_a[:, 1:]) / safe
    gy = (step_b * side_a[:, :1] - step_a * side_b[:, :1]) / safe
    d0 = moved[:, 0] - gx * corners[:, 0, :1] - gy * corners[:, 0, 1:]
    table = np.zeros((len(triangles) + 1, 6), np.float32)
    table[1:] = np.concatenate([d0, gx, gy], axis=1)
    plane = table[label]
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    field = plane[..., :2] + plane[..., 2:4] * x[..., None] + plane[..., 4:] * y[..., None]
    # A triangle seen edge-on extrapolates wildly at the pixels its drawing rounds to: no point moves further than its corners.
    most = np.abs(moved).max() + 1
    return np.clip(field, -most, most), (label > 0).astype(np.uint8)
