"""Eyeballs behind the lids, and the line in which shut lids meet."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import EYES, Eye, Points, eye_distance
from gioconda.geometry import smoothstep
from gioconda.rendering.head import Head
from gioconda.rendering.plates import LUMA, Rgb, Sheet, blend, bounding, feathered, grown, polygon_mask

Array = NDArray[Any]


class EyePlate:
    """An eyeball: sclera and a round iris that looks about, under lids that cover it."""

    def __init__(self, rgb: Rgb, source: Points, side: int, head: Head) -> None:
        self._eye, self._head = EYES[side], head
        self._outline = list(self._eye.outline)
        outline = source[self._outline, :2]
        self._depth = float(source[self._outline, 2].mean())
        iris = source[list(self._eye.iris), :2]
        self._iris = iris[0]
        self._radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
        width = float(np.linalg.norm(outline[0] - outline[len(self._eye.upper) - 1]))
        self._feather = 0.012 * float(eye_distance(source))
        left, top, right, bottom = bounding(outline, np.array([0.35, 0.5]) * width, *rgb.shape[1::-1])
        picture = rgb[top:bottom, left:right]
        shown = polygon_mask(outline, left, top, right - left, bottom - top)
        whole = self._unlidded(picture, shown > 0, left, top)
        self._whole = Sheet(whole, left, top)
        self._exact = Sheet(np.where(shown[..., None] > 0, picture, whole), left, top)
        self._gap = _lid_gap(source, self._eye)
        self._lashes = _lash_colour(rgb, source, self._eye)
        self._stroke = LASH_WIDTH * float(eye_distance(source))

    def _unlidded(self, picture: Rgb, shown: Array, left: int, top: int) -> Rgb:
        """The eyeball as if the lids were away: the iris made whole by its own rings, the white grown."""
        y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
        from_iris = np.hypot(x + left - self._iris[0], y + top - self._iris[1])
        colours = picture.astype(np.float32)
        known = shown.astype(np.uint8)
        hidden = (from_iris < 1.05 * self._radius) & ~shown
        ring = np.minimum((from_iris / max(self._radius, 1e-3) * 8).astype(int), 9)
        for index in range(10):
            seen = shown & (ring == index)
            here = hidden & (ring == index)
            if seen.any() and here.any():
                colours[here] = colours[seen].mean(axis=0)
                known[here] = 1
        # Lashes and the lids' own rim lie just inside the opening: they are not part of the eyeball.
        rim = max(1, round(0.05 * self._radius * 2))
        inner = cv2.erode(shown.astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
        inner = inner if inner.any() else shown.astype(np.uint8)
        made = (known > 0) & ~shown
        whole = grown(colours, (made | (inner > 0)).astype(np.uint8))
        whole = np.where((inner > 0)[..., None], picture, whole)
        return np.clip(np.rint(whole), 0, 255).astype(np.uint8)

    def draw(self, rgb: Rgb, target: Points) -> None:
        """Show it through the opening between the lids; changes `rgb` in place."""
        outline = target[self._outline, :2]
        left, top, right, bottom = bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        mask = polygon_mask(outline, left, top, right - left, bottom - top)
        mask = feathered(mask, self._feather)
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        back = cv2.invertAffineTransform(self._head.affine(target, self._depth))
        in_x = back[0, 0] * x + back[0, 1] * y + back[0, 2]
        in_y = back[1, 0] * x + back[1, 1] * y + back[1, 2]
        looks_at = back @ np.append(target[self._eye.iris[0], :2], 1.0)
        gaze = looks_at - self._iris
        # The iris moves as a disc; the white beside it gives way.
        distance = np.hypot(in_x - looks_at[0], in_y - looks_at[1]) / max(self._radius, 1e-3)
        share = smoothstep((2.6 - distance) / 1.4)
        in_x, in_y = in_x - share * gaze[0], in_y - share * gaze[1]
        colours = self._exact.sample(in_x, in_y)
        # The rim of the painted opening is right where it was painted, and wrong once the lids or the eye have moved.
        change = abs(_lid_gap(target, self._eye) / max(self._gap, 1e-6) - 1) * 5
        change = min(change + 2 * float(np.hypot(*gaze)) / max(self._radius, 1e-3), 1.0)
        if change > 0:
            colours += change * (self._whole.sample(in_x, in_y) - colours)
        blend(rgb[top:bottom, left:right], colours, mask)
        self._draw_lashes(rgb, target)

    def _draw_lashes(self, rgb: Rgb, target: Points) -> None:
        """The line in which shut lids meet: as dark as the picture's own lashes, over whatever shines through."""
        open_share = _lid_gap(target, self._eye) / max(self._gap, 1e-6)
        share = LASH_SHARE * float(smoothstep(np.array((0.5 - open_share) / 0.4)))
        if share == 0:
            return
        upper, lower = (target[list(lid), :2] for lid in (self._eye.upper, self._eye.lower))
        line = (upper + lower) / 2
        left, top, right, bottom = bounding(line, np.array([2, 2]) * self._stroke + 2, *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        # Thin towards the corners: the stroke is the lens between two arcs.
        thin = np.sin(np.linspace(0, np.pi, len(line)))[:, None] * (0.0, self._stroke / 2)
        lens = np.concatenate([line - thin, (line + thin)[::-1]])
        mask = polygon_mask(lens, left, top, right - left, bottom - top)
        size = 2 * max(1, round(self._stroke / 3)) + 1
        mask = cv2.GaussianBlur(mask, (size, size), 0) * share
        blend(rgb[top:bottom, left:right], np.broadcast_to(self._lashes, (*mask.shape, 3)), mask)


LASH_WIDTH = 0.045
"""Width of the line of shut lashes in its middle, in eye distances."""
LASH_SHARE = 0.85
"""How much of what is under that line it covers."""


def _lash_colour(rgb: Rgb, source: Points, eye: Eye) -> Array:
    """The dark of the upper lid's edge in the picture, float RGB."""
    at = np.rint(source[list(eye.upper[2:-2]), :2]).astype(int)
    reach = max(1, round(0.02 * float(eye_distance(source))))
    height, width = rgb.shape[:2]
    strips = [rgb[max(y - reach, 0) : y + reach + 1, max(min(x, width - 1), 0)] for x, y in at if 0 <= y < height]
    edge = np.concatenate(strips) if strips else rgb.reshape(-1, 3)
    luma = edge @ LUMA
    return edge[luma <= np.percentile(luma, 25)].mean(axis=0)


def _lid_gap(points: Points, eye: Eye) -> float:
    """Mean gap between the lids over the eye's width."""
    apart = np.linalg.norm(points[list(eye.upper[2:-2]), :2] - points[list(eye.lower[2:-2]), :2], axis=1).mean()
    return float(apart / np.linalg.norm(points[eye.corners[1], :2] - points[eye.corners[0], :2]))
