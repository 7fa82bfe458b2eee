"""The renderer called `flow`: the picture's own pixels, moved by landmarks, with no network.

The skin is warped, and its rim, where it turns into view, drawn from a copy (`rim.py`). Behind the
openings of eyes and mouth lie plates (`plates.py`) that do not squeeze with them: a closing lid
covers the eye, it does not flatten it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import Points
from gioconda.geometry import smoothstep
from gioconda.parts import bands, occupied
from gioconda.portrait import View
from gioconda.rendering.eye_plate import EyePlate
from gioconda.rendering.field import Displacement, Field, territory
from gioconda.rendering.head import Head
from gioconda.rendering.iris import find_irises
from gioconda.rendering.mouth_plate import MouthPlate
from gioconda.rendering.pixels import Pixels
from gioconda.rendering.plates import taken
from gioconda.rendering.renderer import Patch
from gioconda.rendering.rim import Rim

Array = NDArray[Any]

REGION = 3.4
"""Side of the region that moves, in face sizes."""
FIELD_PIXELS = 2048
"""Longest side at which movement is computed; beyond, it is enlarged. Pixels are taken at the picture's own size."""
EDGE = 0.6
"""Blur of edges within the face, in steps in which they were drawn: none of them shows, and the edge stays one."""
LIGHT = 0.1
"""Half the width, in face widths, over which the light on both halves of a face is compared."""
BRIGHTER = (1.25, 1.7)
"""How much brighter or darker one half may be to lend all of its skin, and from where on it lends none: in light from
the side the other half has shadows of its own, and relit they are streaks."""
OFF = 0.16, 0.24
"""How much that may be on the mean, as a logarithm, to lend all, and from where on nothing is lent: the edges of those
shadows would be seen."""
BAND_PIXELS = 4_000_000
"""Pixels that are moved at once: where they come from takes four times the memory of the pixels themselves."""


class FlowRenderer:
    """See `gioconda.rendering.Renderer`. The first view is the canvas; the others may lend their teeth."""

    def __init__(self, views: Sequence[View]) -> None:
        canvas = views[0]
        left, top, right, bottom = _region(canvas)
        self._corner = np.array([left, top, 0], np.float32)
        self._rgb = np.ascontiguousarray(canvas.rgb[top:bottom, left:right])
        self._pixels = Pixels(self._rgb)
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
        self._rim = Rim(self._rgb, self._source)
        own = territory(self._source, neighbours, width, height) > 0 if neighbours else None
        self._mask = None if own is None else own.astype(np.float32)
        irises = find_irises(self._rgb, self._source)
        eyes = [EyePlate(self._rgb, self._source, side, iris) for side, iris in enumerate(irises)]
        white = np.mean([eye.white for eye in eyes], axis=0)
        self._plates: tuple[EyePlate | MouthPlate, ...] = (
            *eyes,
            MouthPlate(self._rgb, self._source, views[1:], white, self._rim),
        )

    def __call__(self, target: Points) -> Patch:
        """The region around the face with the landmarks at `target`, (478, 3) in canvas pixels."""
        moved = target.astype(np.float32) - self._corner
        displacement = self._field(moved * self._scale)
        rgb = np.empty_like(self._rgb)
        alpha = None if self._alpha is None else np.empty_like(self._alpha)
        height, width = rgb.shape[:2]
        for rows in bands(height, width, BAND_PIXELS):
            came_from = self._places(displacement.back, rows)
            self._pixels.at(came_from, rgb[rows])
            if self._alpha is not None and alpha is not None:
                taken(self._alpha, came_from, cv2.INTER_LINEAR, alpha[rows])
            self._draw_rim(rgb[rows], None if alpha is None else alpha[rows], displacement, rows, came_from)
        self._lend(rgb, displacement)
        _soften(rgb, displacement.edges, EDGE * displacement.step / self._scale)
        pose = self._head.pose(moved)
        for plate in self._plates:
            plate.draw(rgb, moved, pose)
        left, top = int(self._corner[0]), int(self._corner[1])
        return Patch(left, top, rgb, self._mask, alpha)

    def _lend(self, rgb: NDArray[np.uint8], displacement: Displacement) -> None:
        """Show the other half of the face, in the light of this one, where that is better; changes `rgb` in place."""
        small = occupied(displacement.lent)
        if small is None:
            return
        height, width = rgb.shape[:2]
        rows, columns = (
            slice(round(at.start / self._scale), min(round(at.stop / self._scale), most))
            for at, most in zip(small, (height, width), strict=True)
        )
        came_from = self._places(displacement.other, rows, columns)
        # Along the rim of that half there may be hair, or a turban.
        share = _enlarged(displacement.lent, self._scale, rows, width)[:, columns] * self._rim.deep(came_from)
        own, other = np.ascontiguousarray(rgb[rows, columns]), self._pixels.at(came_from)
        reach = 2 * round(LIGHT * float(np.ptp(self._source[:SKIN, 0]))) + 1
        lit, share = _relit(own, other, share, reach)
        rgb[rows, columns] = cv2.blendLinear(own, lit, 1 - share, share)

    def _draw_rim(
        self, rgb: NDArray[np.uint8], alpha: Array | None, displacement: Displacement, rows: slice, came_from: Array
    ) -> None:
        """Show the face's rim, in some rows, as far as it has turned into view; changes them in place."""
        turned = _enlarged(displacement.turned, self._scale, rows, rgb.shape[1])
        part = occupied(turned)
        if part is None:
            return
        down, across = part
        surface = self._places(displacement.surface, slice(rows.start + down.start, rows.start + down.stop), across)
        self._rim.draw(rgb[part], None if alpha is None else alpha[part], came_from[part], turned[part], surface)

    def _places(self, field: Array, rows: slice, columns: slice = slice(None)) -> Array:
        """Places in the region's pixels, in some rows and columns of it, of a field of displacements."""
        places = _enlarged(field, self._scale, rows, self._rgb.shape[1])[:, columns] * np.float32(1 / self._scale)
        left = columns.start or 0
        places[..., 0] += np.arange(left, left + places.shape[1], dtype=np.float32)
        places[..., 1] += np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        return places


def _relit(own: NDArray[np.uint8], other: NDArray[np.uint8], share: Array, reach: int) -> tuple[Array, Array]:
    """The other half of a face in the light of this one, uint8 (h, w, 3), and how far it is believed, float32 (h, w).

    Args:
        own, other: pixels of both halves, (h, w, 3).
        share: how much of the other would be shown in one light, float32 (h, w), 0 to 1.
        reach: pixels across over which light is compared, odd.
    """
    light = cv2.blur(own, (reach, reach)) / np.maximum(cv2.blur(other, (reach, reach)), 8).astype(np.float32)
    off = np.abs(np.log(np.maximum(light.mean(axis=2), 1e-3)))
    whole = float((share * off).sum() / max(share.sum(), 1e-6))
    alike, unlike = np.log(BRIGHTER)
    share = share * smoothstep((unlike - off) / (unlike - alike)) * smoothstep((OFF[1] - whole) / (OFF[1] - OFF[0]))
    lit = np.clip(other * np.clip(light, 1 / BRIGHTER[1], BRIGHTER[1]), 0, 255).astype(np.uint8)
    return lit, share.astype(np.float32)


def _soften(rgb: NDArray[np.uint8], edges: Array, width: float) -> None:
    """Blur, by some pixels, where one part of the face covers another; changes `rgb` in place.

    Args:
        rgb: uint8 (height, width, 3).
        edges: how much of it is blurred, float32, 0 to 1, as large or smaller.
        width: standard deviation.
    """
    small = occupied(edges)
    if small is None:
        return
    larger = zip(small, rgb.shape[:2], edges.shape, strict=True)
    part = tuple(slice(round(at.start * whole / own), round(at.stop * whole / own)) for at, whole, own in larger)
    sharp = np.ascontiguousarray(rgb[part])
    share = cv2.resize(edges[small], sharp.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    rgb[part] = cv2.blendLinear(sharp, cv2.GaussianBlur(sharp, (0, 0), width), 1 - share, share)


def _enlarged(values: Array, scale: float, rows: slice, width: int) -> Array:
    """Some rows of what was computed at some scale, at full size."""
    if scale == 1:
        return values[rows]
    # Pixel centres lie at whole numbers in both.
    shrink = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, (rows.start + 0.5) * scale - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = width, rows.stop - rows.start
    return cv2.warpAffine(values, shrink, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _region(view: View) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the square around the face that moves, clipped to the picture."""
    height, width = view.rgb.shape[:2]
    side = REGION * max(view.box.width, view.box.height)
    x, y = view.box.centre
    left, top = max(0, int(x - side / 2)), max(0, int(y - side / 2))
    return left, top, min(width, int(np.ceil(x + side / 2))), min(height, int(np.ceil(y + side / 2)))
