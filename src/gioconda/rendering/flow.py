"""The renderer called `flow`: the picture's own pixels, moved by landmarks, with no network.

The skin is warped; behind the openings of eyes and mouth lie plates (`plates.py`) that do not
squeeze with them: a closing lid covers the eye, it does not flatten it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import Points
from gioconda.portrait import View
from gioconda.rendering.eye_plate import EyePlate
from gioconda.rendering.field import Field, territory
from gioconda.rendering.head import Head
from gioconda.rendering.mouth_plate import MouthPlate
from gioconda.rendering.renderer import Patch

Array = NDArray[Any]

REGION = 3.4
"""Side of the region that moves, in face sizes."""
FIELD_PIXELS = 2048
"""Longest side at which movement is computed; beyond, it is enlarged. Pixels are taken at the picture's own size."""
BAND_PIXELS = 4_000_000
"""Pixels that are moved at once: where they come from takes three times the memory of the pixels themselves."""


class FlowRenderer:
    """See `gioconda.rendering.Renderer`. The first view is the canvas; the others may lend their teeth."""

    def __init__(self, views: Sequence[View]) -> None:
        canvas = views[0]
        left, top, right, bottom = _region(canvas)
        self._corner = np.array([left, top, 0], np.float32)
        self._rgb = np.ascontiguousarray(canvas.rgb[top:bottom, left:right])
        self._alpha = None if canvas.alpha is None else np.ascontiguousarray(canvas.alpha[top:bottom, left:right])
        self._source = canvas.points.astype(np.float32) - self._corner
        height, width = self._rgb.shape[:2]
        self._scale = min(1.0, FIELD_PIXELS / max(width, height))
        small = max(2, round(width * self._scale)), max(2, round(height * self._scale))
        neighbours = [points.astype(np.float32) - self._corner for points in canvas.neighbours]
        self._head = Head(self._source)
        self._field = Field(
            self._source * self._scale,
            self._head if self._scale == 1 else Head(self._source * self._scale),
            *small,
            [points * self._scale for points in neighbours],
        )
        own = territory(self._source, neighbours, width, height) > 0 if neighbours else None
        self._mask = None if own is None else own.astype(np.float32)
        self._plates: tuple[EyePlate | MouthPlate, ...] = (
            *(EyePlate(self._rgb, self._source, side) for side in (0, 1)),
            MouthPlate(self._rgb, self._source, views[1:]),
        )

    def __call__(self, target: Points) -> Patch:
        """The region around the face with the landmarks at `target`, (478, 3) in canvas pixels."""
        moved = target.astype(np.float32) - self._corner
        field = self._field(moved * self._scale)
        rgb = self._taken(self._rgb, field, cv2.INTER_CUBIC)
        pose = self._head.pose(moved)
        for plate in self._plates:
            plate.draw(rgb, moved, pose)
        alpha = None if self._alpha is None else self._taken(self._alpha, field, cv2.INTER_LINEAR)
        left, top = int(self._corner[0]), int(self._corner[1])
        return Patch(left, top, rgb, self._mask, alpha)

    def _taken(self, picture: Array, field: Array, method: int) -> Array:
        """The picture with its pixels moved, band by band."""
        height, width = picture.shape[:2]
        taken = np.empty_like(picture)
        rows = max(1, BAND_PIXELS // width)
        for top in range(0, height, rows):
            band = taken[top : top + rows]
            came_from = _band(field, self._scale, top, *band.shape[1::-1])
            x_and_y: Any = cv2.remap  # OpenCV's annotation forgets that one map may hold both
            x_and_y(picture, came_from, None, method, dst=band, borderMode=cv2.BORDER_REPLICATE)
        return taken


def _band(field: Array, scale: float, top: int, width: int, height: int) -> Array:
    """Where the pixels of some rows come from, float32 (height, width, 2), by a field computed at some scale."""
    came_from: Array
    if scale == 1:
        came_from = field[top : top + height].copy()
    else:
        # Pixel centres lie at whole numbers in both.
        shrink = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, (top + 0.5) * scale - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        field = field / np.float32(scale)
        came_from = cv2.warpAffine(field, shrink, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    came_from[..., 0] += np.arange(width, dtype=np.float32)
    came_from[..., 1] += np.arange(top, top + height, dtype=np.float32)[:, None]
    return came_from


def _region(view: View) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the square around the face that moves, clipped to the picture."""
    height, width = view.rgb.shape[:2]
    side = REGION * max(view.box.width, view.box.height)
    x, y = view.box.centre
    left, top = max(0, int(x - side / 2)), max(0, int(y - side / 2))
    return left, top, min(width, int(np.ceil(x + side / 2))), min(height, int(np.ceil(y + side / 2)))
