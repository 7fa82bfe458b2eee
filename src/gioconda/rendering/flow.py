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
from gioconda.rendering.field import Field
from gioconda.rendering.head import Head
from gioconda.rendering.mouth_plate import MouthPlate
from gioconda.rendering.renderer import Patch

Array = NDArray[Any]

REGION = 3.4
"""Side of the region that moves, in face sizes."""


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
        head = Head(self._source)
        self._field = Field(self._source, head, width, height)
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._grid = np.dstack([columns, rows])
        self._plates: tuple[EyePlate | MouthPlate, ...] = (
            *(EyePlate(self._rgb, self._source, side, head) for side in (0, 1)),
            MouthPlate(self._rgb, self._source, head, views[1:]),
        )

    def __call__(self, target: Points) -> Patch:
        """The region around the face with the landmarks at `target`, (478, 3) in canvas pixels."""
        moved = target.astype(np.float32) - self._corner
        came_from = self._field(moved) + self._grid
        rgb = _taken(self._rgb, came_from, cv2.INTER_CUBIC)
        for plate in self._plates:
            plate.draw(rgb, moved)
        alpha = None if self._alpha is None else _taken(self._alpha, came_from, cv2.INTER_LINEAR)
        left, top = int(self._corner[0]), int(self._corner[1])
        return Patch(left, top, rgb, None, alpha)


def _taken(picture: Array, came_from: Array, method: int) -> Array:
    return cv2.remap(picture, came_from[..., 0], came_from[..., 1], method, borderMode=cv2.BORDER_REPLICATE)


def _region(view: View) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the square around the face that moves, clipped to the picture."""
    height, width = view.rgb.shape[:2]
    side = REGION * max(view.box.width, view.box.height)
    x, y = view.box.centre
    left, top = max(0, int(x - side / 2)), max(0, int(y - side / 2))
    return left, top, min(width, int(np.ceil(x + side / 2))), min(height, int(np.ceil(y + side / 2)))
