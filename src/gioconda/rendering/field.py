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

from gioconda.face import OVAL, Points
from gioconda.geometry import smoothstep
from gioconda.rendering.head import Head
from gioconda.rendering.mesh import FaceMesh
from gioconda.rendering.silhouette import Silhouette

Array = NDArray[Any]

MESH_PIXELS = 288
"""Longest side at which the triangles are drawn; a displacement needs no more, whatever the picture's size."""
SEAM = 9
"""Width, at the size of that drawing, over which face and surroundings give way to each other."""
GRID = 44
"""Cells a side in which the fading outside the face is computed."""
HELD = {"top": 1.75, "side": 1.35, "bottom": 1.15}
"""How far the head goes along undiminished, in half sizes of the face from its middle: hair, ears, neck."""
GIVING = 0.85
"""Share of the way from the region's edge to the face over which movement grows from nothing to all."""
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
        fade = 1 - smoothstep((radius - inner) / (outer - inner))
        # The region's edge stands still, and the whole way from there to the face gives a little.
        cell = np.array([width, height]) / GRID
        for to_edge, face, step in (
            (x, low[0], cell[0]),
            (y, low[1], cell[1]),
            (width - 1 - x, width - 1 - high[0], cell[0]),
            (height - 1 - y, height - 1 - high[1], cell[1]),
        ):
            fade = fade * smoothstep((to_edge - step / 2) / max(GIVING * (face - step / 2), step))
        return Fading(fade, x, y)


class Field:
    """Backward displacement in a region of the picture, for one face at rest."""

    def __init__(self, source: Points, head: Head, width: int, height: int) -> None:
        """`source` are the picture's landmarks, (478, 3), in pixels of the region."""
        self._size = width, height
        self._head = head
        self._mesh = FaceMesh(source)
        self._fading = Fading.around(source, width, height)
        self._rest = self._silhouette(source)

    def _silhouette(self, points: Points) -> Silhouette:
        pose = self._head.pose(points)
        middle = pose.apply(self._head.middle[None])[0, :2]
        return Silhouette.of(points, middle, float(np.arctan2(pose.rotation[1, 0], pose.rotation[0, 0])))

    def __call__(self, target: Points) -> Array:
        """From each pixel of the result to where it lies in the picture: float32 (height, width, 2), x then y.

        `target` are the landmarks of the result, (478, 3), in pixels of the region.
        """
        outside = _outside(self._rest, self._silhouette(target), self._fading)
        field = cv2.resize(outside, self._size, interpolation=cv2.INTER_LINEAR)
        return _with_face(field, self._mesh, target)


def _with_face(field: Array, mesh: FaceMesh, target: Points) -> Array:
    """Put the movement of the face's triangles into a field that already holds that of its surroundings."""
    height, width = field.shape[:2]
    outline = target[list(OVAL), :2]
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, (width, height))
    if right - left < 2 or bottom - top < 2:
        return field
    box = field[top:bottom, left:right]
    scale = min(1.0, MESH_PIXELS / max(box.shape[:2]))
    size = max(2, round(box.shape[1] * scale)), max(2, round(box.shape[0] * scale))
    ratio = np.array([size[0] / box.shape[1], size[1] / box.shape[0]])
    # Pixel centres lie at whole numbers in both.
    offset = (0.5 - np.array([left, top])) * ratio - 0.5
    inside, mask = mesh.draw(target, (ratio, offset), size)
    outside = cv2.resize(box, size, interpolation=cv2.INTER_LINEAR)
    merged = np.where(mask[..., None] > 0, inside, outside)
    merged = cv2.blur(merged, (3, 3))
    soft = cv2.erode(mask.astype(np.float32), np.ones((SEAM, SEAM), np.uint8), borderValue=(0.0,))
    soft = cv2.blur(soft, (SEAM, SEAM))[..., None]
    merged = outside + soft * (merged - outside)
    box[:] = cv2.resize(merged, box.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return field


def _outside(rest: Silhouette, now: Silhouette, fading: Fading) -> Array:
    """Faded movement of the face's outline on the coarse grid, float32 (GRID, GRID, 2).

    Source: Hormann & Floater, "Mean value coordinates for arbitrary planar polygons", TOG 2006.
    """
    polygon = now.polygon
    moved = rest.polygon - now.polygon
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
