"""The inside of the mouth behind the lips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER, MOUTH_OUTLINE, Points
from gioconda.geometry import smoothstep
from gioconda.portrait import View
from gioconda.rendering.head import Head
from gioconda.rendering.plates import LUMA, Rgb, Sheet, blend, bounding, feathered, grown, polygon_mask

Array = NDArray[Any]


class MouthPlate:
    """The inside of the mouth: what the picture shows of it, and below that darkness, teeth and tongue."""

    def __init__(self, rgb: Rgb, source: Points, head: Head, others: Sequence[View]) -> None:
        """The picture's pixels and landmarks, and further views of the person, whose teeth may be seen better."""
        self._head = head
        self._source = source
        self._outline = list(MOUTH_OUTLINE)
        outline = source[self._outline, :2]
        self._depth = float(source[self._outline, 2].mean())
        self._corners = source[[MOUTH_OUTLINE[0], MOUTH_OUTLINE[10]], :2].astype(np.float64)
        self._width = float(np.linalg.norm(self._corners[1] - self._corners[0]))
        self._gap = _opening(source) / self._width
        left, top, right, bottom = bounding(outline, np.array([0.2, 0.9]) * self._width, *rgb.shape[1::-1])
        picture = rgb[top:bottom, left:right]
        shown = polygon_mask(outline, left, top, right - left, bottom - top)
        rim = 2 * max(1, round(0.015 * self._width)) + 1
        inner = cv2.erode(shown, np.ones((rim, rim), np.uint8))
        palette = _Palette.of(rgb, source, picture[inner > 0.5])
        self._tongue = palette.tongue
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        across, down = self._in_mouth(x, y)
        made = _teeth_and_darkness(across, down, self._gap, palette)
        shows = [teeth_shown(view.rgb, view.points) for view in others]
        if shows and max(shows) > teeth_shown(rgb, source) + LEAST_LOAN:
            lender = others[int(np.argmax(shows))]
            place = np.array([[1, 0, -left], [0, 1, -top]], np.float64)
            made = _lent(lender, rgb, source, place, (right - left, bottom - top), palette)
        soft = cv2.blur(inner, (rim, rim))[..., None]
        whole = np.clip(np.rint(made + soft * (picture - made)), 0, 255).astype(np.uint8)
        self._whole = Sheet(whole, left, top)
        self._exact = Sheet(np.where(shown[..., None] > 0, picture, whole), left, top)

    def _in_mouth(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Points in mouth widths: across from its middle, down from the line between the lips."""
        along = (self._corners[1] - self._corners[0]) / self._width
        upper = self._source[list(LIPS_INNER_UPPER), :2]
        middle = self._corners.mean(axis=0)
        across = ((x - middle[0]) * along[0] + (y - middle[1]) * along[1]) / self._width
        down = (-(x - middle[0]) * along[1] + (y - middle[1]) * along[0]) / self._width
        lip_across = ((upper - middle) @ along) / self._width
        lip_down = ((upper - middle) @ np.array([-along[1], along[0]])) / self._width
        return across, down - np.interp(across, lip_across, lip_down)

    def draw(self, rgb: Rgb, target: Points) -> None:
        """Show it between the lips; changes `rgb` in place."""
        outline = target[self._outline, :2]
        left, top, right, bottom = bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        mask = feathered(polygon_mask(outline, left, top, right - left, bottom - top), 0.012 * self._width)
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
        blend(rgb[top:bottom, left:right], colours, mask)

    def _hidden(self, back: Array, target: Points) -> float:
        """How far the teeth must come down, in the portrait's pixels, to show a little under a lowered lip."""
        lip = (back @ np.append(target[LIPS_INNER_UPPER[5], :2], 1.0)).astype(np.float32)
        down = float(self._in_mouth(lip[:1], lip[1:2])[1][0])
        return max(0.0, down - (_teeth_edge(self._gap) - LEAST_TEETH)) * self._width

    def _shaded(self, colours: Array, x: Array, y: Array, target: Points) -> Array:
        """With the tongue behind the lower lip and the shadow that the upper lip throws."""
        upper, lower = (target[list(lip), :2].astype(np.float64) for lip in (LIPS_INNER_UPPER, LIPS_INNER_LOWER))
        above = (_curve(lower, x) - y) / self._width
        below = (y - _curve(upper, x)) / self._width
        middle = (x - lower[:, 0].mean()) / self._width
        hill = 0.27 * (1 - (middle / 0.46) ** 2)
        share = smoothstep((hill - above) / 0.2) * np.clip(1 - (middle / 0.42) ** 2, 0, 1)
        # Teeth stand before the tongue: it covers only what is dark.
        light = colours.max(axis=-1) / max(float(self._tongue.max()), 1.0)
        share = share * smoothstep((1.3 - light) / 0.5)
        tongue = self._tongue * (1 - 0.35 * smoothstep(above / 0.2))[..., None]
        colours = colours + share[..., None] * (tongue - colours)
        return colours * (1 - 0.5 * np.exp(-np.maximum(below, 0) / 0.03))[..., None]


def _curve(points: Array, x: Array) -> Array:
    """Height of a lip at some x."""
    order = np.argsort(points[:, 0])
    return np.interp(x, points[order, 0], points[order, 1])


LEAST_LOAN = 0.01
"""Squared mouth widths that another view must show more of the teeth for them to be taken from it."""


def teeth_shown(rgb: Rgb, points: Points) -> float:
    """Area of what is as bright as teeth and less red than skin (a tongue is not) between the lips, in squared mouth
    widths.
    """
    outline = points[list(MOUTH_OUTLINE), :2]
    left, top, right, bottom = bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
    if right - left < 2 or bottom - top < 2:
        return 0.0
    inside = polygon_mask(outline, left, top, right - left, bottom - top)
    skin = np.median(_colours(rgb, points, _ROUND_MOUTH), axis=0)
    seen = rgb[top:bottom, left:right].astype(np.float64)
    bright = (seen @ LUMA > 0.75 * float(skin @ LUMA)) & (_redness(seen) < 0.7 * _redness(skin) + 0.03)
    width = float(np.linalg.norm(points[MOUTH_OUTLINE[10], :2] - points[MOUTH_OUTLINE[0], :2]))
    return float((inside * bright).sum()) / max(width, 1.0) ** 2


def _lent(view: View, rgb: Rgb, source: Points, place: Array, size: tuple[int, int], palette: _Palette) -> Array:
    """The inside of another view's mouth, laid where it is in the portrait's skull, float (h, w, 3).

    Above it, where that view's upper lip was, the teeth go on as they begin; below, it is dark.
    `place`, (2, 3), takes the portrait's pixels to those of the result, of width and height `size`.
    """
    to_portrait = Head(view.points).affine(source, float(view.points[list(MOUTH_OUTLINE), 2].mean()))
    matrix = place @ np.vstack([to_portrait, (0, 0, 1)])
    height, width = view.rgb.shape[:2]
    outline = view.points[list(MOUTH_OUTLINE), :2]
    inside = cv2.warpAffine(polygon_mask(outline, 0, 0, width, height), matrix, size, flags=cv2.INTER_LINEAR)
    soft = 2 * max(1, round(0.015 * float(np.linalg.norm(source[61] - source[291])))) + 1
    inside = cv2.erode(inside, np.ones((soft, soft), np.uint8))
    colours = cv2.warpAffine(view.rgb, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float64)
    colours *= _skin(rgb, source) / np.maximum(_skin(view.rgb, view.points), 1.0)
    known = (inside > 0.9).astype(np.uint8)
    if not known.any():
        return np.broadcast_to(palette.dark, colours.shape).copy()
    onwards = grown(colours, known)
    below = (np.cumsum(known, axis=0) > 0) & (known == 0)
    fade = cv2.blur(below.astype(np.float32), (soft, soft))[..., None]
    whole = np.where(known[..., None] > 0, colours, onwards + fade * (palette.dark - onwards))
    across = np.any(known, axis=0)
    whole[:, ~across] = palette.dark
    return whole


def _colours(rgb: Rgb, points: Points, landmarks: tuple[int, ...]) -> Array:
    """The picture's colours at some landmarks, float (n, 3)."""
    height, width = rgb.shape[:2]
    at = np.rint(points[list(landmarks), :2]).astype(int)
    return rgb[at[:, 1].clip(0, height - 1), at[:, 0].clip(0, width - 1)].astype(np.float64)


def _skin(rgb: Rgb, points: Points) -> Array:
    return np.percentile(_colours(rgb, points, _CHEEKS), 75, axis=0)


def _redness(colours: Array) -> Array:
    """How much more red than green, (...), colours, (..., 3), are, as a share of their brightness."""
    return (colours[..., 0] - colours[..., 1]) / np.maximum(colours @ LUMA, 1.0)


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
        skin = _skin(rgb, source)
        lips = np.median(_colours(rgb, source, LIPS), axis=0)
        light = float(np.median(_colours(rgb, source, _ROUND_MOUTH), axis=0) @ LUMA)
        ivory = light * np.array([1.0, 0.96, 0.88])
        teeth = 0.5 * ivory + 0.5 * skin * light / max(float(skin @ LUMA), 1.0)
        if len(inside) >= 12:
            seen = inside.astype(np.float64)
            bright = seen[seen @ LUMA >= np.percentile(seen @ LUMA, 70)].mean(axis=0)
            if bright @ LUMA > 0.5 * light:
                teeth = bright
        return _Palette(teeth, dark=0.24 * lips + 0.02 * skin, tongue=0.66 * lips + 0.12 * skin)


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
    tooth = smoothstep((edge - down) / 0.03) * smoothstep((0.42 - np.abs(across)) / 0.10)
    seams = np.min([np.abs(np.abs(across) - seam) for seam in (0.0, 0.125, 0.22, 0.30)], axis=0)
    # Each tooth ends in a round edge: the row is a little shorter at its seams.
    tooth = tooth * (1 - 0.5 * np.exp(-((seams / 0.012) ** 2)) * smoothstep((down - edge + 0.035) / 0.03))
    shade = np.clip(1 - 2.4 * across**2, 0.2, 1) * (1 - 0.10 * np.exp(-((seams / 0.012) ** 2)))
    return palette.dark + tooth[..., None] * (palette.teeth * shade[..., None] - palette.dark)
