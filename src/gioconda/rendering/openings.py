"""What is seen through the openings of a face: eyeballs and the inside of the mouth.

Each is a **plate**: a small picture in the portrait's own pixels that lies behind the skin, moves
with the skull (not with lids or lips), and shows only inside the opening. Where the portrait shows
an eye or the inside of the mouth, the plate is exactly those pixels; around them it goes on as an
eye or a mouth would, in the portrait's own colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import (
    EYES,
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    MOUTH_OUTLINE,
    Eye,
    Points,
    eye_distance,
)
from gioconda.rendering.head import Head

Array = NDArray[Any]
Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class _Sheet:
    """A picture with the place of its first pixel."""

    rgb: Rgb
    left: int
    top: int

    def sample(self, x: Array, y: Array) -> Array:
        """Its colours at some points, float32 (..., 3)."""
        x, y = (x - self.left).astype(np.float32), (y - self.top).astype(np.float32)
        return cv2.remap(self.rgb, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _polygon_mask(polygon: Array, left: int, top: int, width: int, height: int) -> Array:
    """Coverage of a polygon, float32 (height, width), 0 to 1, edges smooth."""
    mask = np.zeros((height, width), np.uint8)
    fixed = np.round((polygon - (left, top)) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _bounding(polygon: Array, margin: Array, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a polygon with a margin (x, y), inside a picture."""
    low = np.maximum(np.floor(polygon.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(polygon.max(axis=0) + margin) + 1, (width, height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _grown(rgb: Array, known: Array) -> Array:
    """Fill the unknown smoothly from the known (uint8 mask 0 or 1): a pyramid of weighted means."""
    weight = known.astype(np.float32)
    levels: list[tuple[Array, Array]] = [(rgb.astype(np.float32) * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 1:
        colour, share = levels[-1]
        size = (share.shape[1] + 1) // 2, (share.shape[0] + 1) // 2
        levels.append(
            (
                cv2.resize(colour, size, interpolation=cv2.INTER_AREA),
                cv2.resize(share, size, interpolation=cv2.INTER_AREA),
            )
        )
    filled = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for colour, share in reversed(levels[:-1]):
        filled = cv2.resize(filled, share.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(*share.shape, 3)
        certain = np.minimum(share, 1)[..., None]
        filled = np.where(certain > 0, colour + (1 - certain) * filled, filled)
    return filled


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
        left, top, right, bottom = _bounding(outline, np.array([0.35, 0.5]) * width, *rgb.shape[1::-1])
        picture = rgb[top:bottom, left:right]
        shown = _polygon_mask(outline, left, top, right - left, bottom - top)
        whole = self._unlidded(picture, shown > 0, left, top)
        self._whole = _Sheet(whole, left, top)
        self._exact = _Sheet(np.where(shown[..., None] > 0, picture, whole), left, top)
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
        grown = _grown(colours, (made | (inner > 0)).astype(np.uint8))
        grown = np.where((inner > 0)[..., None], picture, grown)
        return np.clip(np.rint(grown), 0, 255).astype(np.uint8)

    def draw(self, rgb: Rgb, target: Points) -> None:
        """Show it through the opening between the lids; changes `rgb` in place."""
        outline = target[self._outline, :2]
        left, top, right, bottom = _bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        mask = _polygon_mask(outline, left, top, right - left, bottom - top)
        mask = _feathered(mask, self._feather)
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        back = cv2.invertAffineTransform(self._head.affine(target, self._depth))
        in_x = back[0, 0] * x + back[0, 1] * y + back[0, 2]
        in_y = back[1, 0] * x + back[1, 1] * y + back[1, 2]
        looks_at = back @ np.append(target[self._eye.iris[0], :2], 1.0)
        gaze = looks_at - self._iris
        # The iris moves as a disc; the white beside it gives way.
        distance = np.hypot(in_x - looks_at[0], in_y - looks_at[1]) / max(self._radius, 1e-3)
        share = np.clip((2.6 - distance) / 1.4, 0, 1)
        share = share * share * (3 - 2 * share)
        in_x, in_y = in_x - share * gaze[0], in_y - share * gaze[1]
        colours = self._exact.sample(in_x, in_y)
        # The rim of the painted opening is right where it was painted, and wrong once the lids or the eye have moved.
        change = abs(_lid_gap(target, self._eye) / max(self._gap, 1e-6) - 1) * 5
        change = min(change + 2 * float(np.hypot(*gaze)) / max(self._radius, 1e-3), 1.0)
        if change > 0:
            colours += change * (self._whole.sample(in_x, in_y) - colours)
        _blend(rgb[top:bottom, left:right], colours, mask)
        self._draw_lashes(rgb, target)

    def _draw_lashes(self, rgb: Rgb, target: Points) -> None:
        """The line in which shut lids meet: as dark as the picture's own lashes, over whatever shines through."""
        open_share = _lid_gap(target, self._eye) / max(self._gap, 1e-6)
        share = LASH_SHARE * float(_step(np.array((0.5 - open_share) / 0.4)))
        if share == 0:
            return
        upper, lower = (target[list(lid), :2] for lid in (self._eye.upper, self._eye.lower))
        line = (upper + lower) / 2
        left, top, right, bottom = _bounding(line, np.array([2, 2]) * self._stroke + 2, *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        # Thin towards the corners: the stroke is the lens between two arcs.
        thin = np.sin(np.linspace(0, np.pi, len(line)))[:, None] * (0.0, self._stroke / 2)
        lens = np.concatenate([line - thin, (line + thin)[::-1]])
        mask = _polygon_mask(lens, left, top, right - left, bottom - top)
        size = 2 * max(1, round(self._stroke / 3)) + 1
        mask = cv2.GaussianBlur(mask, (size, size), 0) * share
        _blend(rgb[top:bottom, left:right], np.broadcast_to(self._lashes, (*mask.shape, 3)), mask)


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
    luma = edge @ _LUMA
    return edge[luma <= np.percentile(luma, 25)].mean(axis=0)


def _lid_gap(points: Points, eye: Eye) -> float:
    """Mean gap between the lids over the eye's width."""
    apart = np.linalg.norm(points[list(eye.upper[2:-2]), :2] - points[list(eye.lower[2:-2]), :2], axis=1).mean()
    return float(apart / np.linalg.norm(points[eye.corners[1], :2] - points[eye.corners[0], :2]))


def _feathered(mask: Array, radius: float) -> Array:
    """Softened inwards only, so that nothing shows outside the opening."""
    size = 2 * round(radius) + 1
    return mask * cv2.blur(mask, (size, size)) if size > 1 else mask


def _blend(part: Rgb, colours: Array, mask: Array) -> None:
    share = mask[..., None]
    part[:] = np.clip(np.rint(part * (1 - share) + colours * share), 0, 255)


class MouthPlate:
    """The inside of the mouth: what the picture shows of it, and below that darkness, teeth and tongue."""

    def __init__(self, rgb: Rgb, source: Points, head: Head) -> None:
        self._head = head
        self._source = source
        self._outline = list(MOUTH_OUTLINE)
        outline = source[self._outline, :2]
        self._depth = float(source[self._outline, 2].mean())
        self._corners = source[[MOUTH_OUTLINE[0], MOUTH_OUTLINE[10]], :2].astype(np.float64)
        self._width = float(np.linalg.norm(self._corners[1] - self._corners[0]))
        self._gap = _opening(source) / self._width
        left, top, right, bottom = _bounding(outline, np.array([0.2, 0.9]) * self._width, *rgb.shape[1::-1])
        picture = rgb[top:bottom, left:right]
        shown = _polygon_mask(outline, left, top, right - left, bottom - top)
        rim = 2 * max(1, round(0.015 * self._width)) + 1
        inner = cv2.erode(shown, np.ones((rim, rim), np.uint8))
        palette = _Palette.of(rgb, source, picture[inner > 0.5])
        self._tongue = palette.tongue
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        across, down = self._in_mouth(x, y, source)
        made = _teeth_and_darkness(across, down, self._gap, palette)
        soft = cv2.blur(inner, (rim, rim))[..., None]
        whole = np.clip(np.rint(made + soft * (picture - made)), 0, 255).astype(np.uint8)
        self._whole = _Sheet(whole, left, top)
        self._exact = _Sheet(np.where(shown[..., None] > 0, picture, whole), left, top)

    def _in_mouth(self, x: Array, y: Array, source: Points) -> tuple[Array, Array]:
        """Points in mouth widths: across from its middle, down from the line between the lips."""
        along = (self._corners[1] - self._corners[0]) / self._width
        upper = source[list(LIPS_INNER_UPPER), :2]
        middle = self._corners.mean(axis=0)
        across = ((x - middle[0]) * along[0] + (y - middle[1]) * along[1]) / self._width
        down = (-(x - middle[0]) * along[1] + (y - middle[1]) * along[0]) / self._width
        lip_across = ((upper - middle) @ along) / self._width
        lip_down = ((upper - middle) @ np.array([-along[1], along[0]])) / self._width
        return across, down - np.interp(across, lip_across, lip_down)

    def draw(self, rgb: Rgb, target: Points) -> None:
        """Show it between the lips; changes `rgb` in place."""
        outline = target[self._outline, :2]
        left, top, right, bottom = _bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        mask = _feathered(_polygon_mask(outline, left, top, right - left, bottom - top), 0.012 * self._width)
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        back = cv2.invertAffineTransform(self._head.affine(target, self._depth))
        in_x = back[0, 0] * x + back[0, 1] * y + back[0, 2]
        in_y = back[1, 0] * x + back[1, 1] * y + back[1, 2]
        colours = self._exact.sample(in_x, in_y)
        # How much further than in the picture the mouth is open: only that much may be changed.
        more = float(np.clip((_opening(target) / self._width - self._gap) / 0.1, 0, 1))
        if more > 0:
            made = self._shaded(self._whole.sample(in_x, in_y - self._hidden(back, target)), x, y, target)
            colours += more * (made - colours)
        _blend(rgb[top:bottom, left:right], colours, mask)

    def _hidden(self, back: Array, target: Points) -> float:
        """How far the teeth must come down, in the portrait's pixels, to show a little under a lowered lip."""
        lip = (back @ np.append(target[LIPS_INNER_UPPER[5], :2], 1.0)).astype(np.float32)
        down = float(self._in_mouth(lip[:1], lip[1:2], self._source)[1][0])
        return max(0.0, down - (_teeth_edge(self._gap) - LEAST_TEETH)) * self._width

    def _shaded(self, colours: Array, x: Array, y: Array, target: Points) -> Array:
        """With the tongue behind the lower lip and the shadow that the upper lip throws."""
        upper, lower = (target[list(lip), :2].astype(np.float64) for lip in (LIPS_INNER_UPPER, LIPS_INNER_LOWER))
        above = (_curve(lower, x) - y) / self._width
        below = (y - _curve(upper, x)) / self._width
        middle = (x - lower[:, 0].mean()) / self._width
        hill = 0.26 * (1 - (middle / 0.42) ** 2)
        share = _step((hill - above) / 0.10) * np.clip(1 - (middle / 0.42) ** 2, 0, 1)
        # Teeth stand before the tongue: it covers only what is dark.
        light = colours.max(axis=-1) / max(float(self._tongue.max()), 1.0)
        share = share * _step((1.3 - light) / 0.5)
        colours = colours + share[..., None] * (self._tongue * (1 - 0.35 * _step(above / 0.2))[..., None] - colours)
        return colours * (1 - 0.5 * np.exp(-np.maximum(below, 0) / 0.03))[..., None]


def _curve(points: Array, x: Array) -> Array:
    """Height of a lip at some x."""
    order = np.argsort(points[:, 0])
    return np.interp(x, points[order, 0], points[order, 1])


def _step(t: Array) -> Array:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _opening(points: Points) -> float:
    """Gap between the middles of the inner lips, in pixels."""
    upper, lower = list(LIPS_INNER_UPPER[4:7]), list(LIPS_INNER_LOWER[4:7])
    return float(np.linalg.norm(points[upper, :2] - points[lower, :2], axis=1).mean())


@dataclass(frozen=True)
class _Palette:
    """Colours of a mouth's inside that belong to this picture, float RGB each."""

    teeth: Array
    dark: Array
    tongue: Array

    @staticmethod
    def of(rgb: Rgb, source: Points, inside: Array) -> _Palette:
        """From cheeks, lips, and the pixels, (n, 3), that the picture shows of the mouth's inside."""
        height, width = rgb.shape[:2]

        def colours(landmarks: tuple[int, ...]) -> Array:
            at = np.rint(source[list(landmarks), :2]).astype(int)
            return rgb[at[:, 1].clip(0, height - 1), at[:, 0].clip(0, width - 1)].astype(np.float64)

        skin = np.percentile(colours(_CHEEKS), 75, axis=0)
        lips = np.median(colours(LIPS), axis=0)
        light = float(np.median(colours(_ROUND_MOUTH), axis=0) @ _LUMA)
        ivory = light * np.array([1.0, 0.96, 0.88])
        teeth = 0.7 * ivory + 0.3 * skin * light / max(float(skin @ _LUMA), 1.0)
        if len(inside) >= 12:
            seen = inside.astype(np.float64)
            bright = seen[seen @ _LUMA >= np.percentile(seen @ _LUMA, 70)].mean(axis=0)
            if bright @ _LUMA > 0.5 * light:
                teeth = bright
        return _Palette(teeth, dark=0.2 * lips, tongue=0.62 * lips + 0.1 * skin)


_LUMA = np.array([0.299, 0.587, 0.114])
_ROUND_MOUTH = (164, 165, 391, 92, 322, 57, 287, 43, 273, 106, 335, 182, 406, 18, 200, 199)
_CHEEKS = (50, 101, 118, 117, 205, 36, 280, 330, 347, 346, 425, 266, 151, 9, 108, 337)


LEAST_TEETH = 0.05
"""How much of the upper teeth an open mouth shows at least, in mouth widths."""


def _teeth_edge(gap: float) -> float:
    """Where the upper row ends in its middle, in mouth widths below the upper lip's rest: below what is seen of it."""
    return max(0.095, gap + 0.04)


def _teeth_and_darkness(across: Array, down: Array, gap: float, palette: _Palette) -> Array:
    """The inside of a mouth beyond what the picture shows, float (h, w, 3); places and gap in mouth widths."""
    edge = _teeth_edge(gap) - 0.5 * across**2
    tooth = _step((edge - down) / 0.03) * _step((0.42 - np.abs(across)) / 0.10)
    seams = np.min([np.abs(np.abs(across) - seam) for seam in (0.0, 0.125, 0.22, 0.30)], axis=0)
    # Each tooth ends in a round edge: the row is a little shorter at its seams.
    tooth = tooth * (1 - 0.5 * np.exp(-((seams / 0.012) ** 2)) * _step((down - edge + 0.035) / 0.03))
    shade = np.clip(1 - 2.4 * across**2, 0.2, 1) * (1 - 0.10 * np.exp(-((seams / 0.012) ** 2)))
    return palette.dark + tooth[..., None] * (palette.teeth * shade[..., None] - palette.dark)
