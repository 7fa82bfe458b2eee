"""Eyeballs behind the lids, and lids that come down over them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import BROWS, EYES, OVAL, Eye, Points, eye_distance
from gioconda.geometry import Similarity, smoothstep
from gioconda.neutral import lid_gaps
from gioconda.rendering.head import affine
from gioconda.rendering.iris import OUTSIDE, RIM, Iris, whiteness
from gioconda.rendering.plates import (
    LUMA,
    Rgb,
    Sheet,
    blend,
    bounding,
    feathered,
    grown,
    height_at,
    mapped,
    polygon_mask,
)

Array = NDArray[Any]


class EyePlate:
    """An eyeball: sclera and a round iris that looks about, under lids that cover it."""

    def __init__(self, rgb: Rgb, source: Points, side: int, iris: Iris) -> None:
        """`iris`: see `find_irises`."""
        self._side, self._eye = side, EYES[side]
        self._outline = list(self._eye.outline)
        outline = source[self._outline, :2]
        self._depth = float(source[self._outline, 2].mean())
        self._iris, self._looking = iris, source[self._eye.iris[0], :2]
        self._inner = source[self._eye.corners[1 - side], :2]
        self._width = float(np.linalg.norm(outline[0] - outline[len(self._eye.upper) - 1]))
        self._feather = 0.012 * float(eye_distance(source))
        self._gap = self._lid_gap(source)
        self._shadow = max(SHADE * self._gap * self._width, 1.0)
        left, top, right, bottom = bounding(outline, np.array([0.5, 0.9]) * self._width, *rgb.shape[1::-1])
        picture = rgb[top:bottom, left:right]
        self._exact = Sheet(picture, left, top)
        polygon, box = _round_eye(source, self._eye), (left, top, right, bottom)
        relief = _relief(rgb, polygon, box)
        white, ball, self.white = self._unlidded(picture, relief, source, left, top)
        """The mean colour of the picture's white beside the iris, (3,)."""
        self._white, self._ball = Sheet(white, left, top), Sheet(ball, left, top)
        self._skin = Sheet(_levels(_eyeless(rgb, source, polygon, box) + relief), left, top)
        self._lashes = _lash_colour(rgb, source, self._eye, iris)
        self._stroke = LASH_WIDTH * float(eye_distance(source))

    def _unlidded(self, picture: Rgb, relief: Array, source: Points, left: int, top: int) -> tuple[Rgb, Rgb, Array]:
        """The eyeball as if the lids were away, once without iris and once with a whole one, and its white, (3,)."""
        height, width = picture.shape[:2]
        y, x = np.mgrid[top : top + height, left : left + width].astype(np.float32)
        shown = polygon_mask(source[self._outline, :2], left, top, width, height) > 0
        # Lashes, the lids' rims and the shadow of the upper one lie inside the opening: they are not the eyeball.
        rim = 2 * max(1, round(RIM * self._iris.radius)) + 1
        seen = cv2.erode(shown.astype(np.uint8), np.ones((rim, rim), np.uint8)) > 0
        lit = seen & (self._below_lid(source, x, y) > self._shadow)
        inner = next((part for part in (lit, seen, shown) if part.sum() >= 9), np.ones_like(shown))
        from_iris = self._iris.distance(x, y)
        beside = inner & (from_iris > OUTSIDE)
        beside = beside if beside.sum() >= 9 else inner
        white = whiteness(picture, inner, from_iris)
        # In shadow, lashes and edges are the others.
        whitest = beside & (white >= np.percentile(white[beside], 100 - WHITEST))
        made = cv2.blur(grown(picture, whitest.astype(np.uint8)), (rim, rim))
        # It is a ball: light falls off towards its sides.
        middle = source[list(self._eye.corners), :2].mean(axis=0)
        made = made * (1 - ROUND * np.minimum(np.square((x - middle[0]) / (0.55 * self._width)), 1))[..., None]
        # No painted pixel of it stays: an outer part of the iris, a light or an edge would be seen to stay behind.
        white = made + WHITE_GRAIN * relief
        rings = _rings(picture, inner, from_iris)
        own = cv2.blur((inner & (from_iris < OUTSIDE)).astype(np.float32), (3, 3))[..., None]
        ball = rings + own * (picture - rings)
        return _levels(white), _levels(ball), picture[whitest].mean(axis=0)

    def _caruncle(self, x: Array, y: Array) -> Array:
        """How far pixels of the picture belong to the pink of the corner beside the nose, which stays as it is."""
        corner = np.hypot(x - self._inner[0], y - self._inner[1]) / self._width
        beside = smoothstep((self._iris.distance(x, y) - OUTSIDE) / 0.2)
        return smoothstep((CARUNCLE - corner) / (0.5 * CARUNCLE)) * beside

    def _below_lid(self, points: Points, x: Array, y: Array) -> Array:
        """How far pixels are below the edge of the upper lid."""
        return y - height_at(points[list(self._eye.upper), :2], x)

    def _opened(self, target: Points) -> float:
        """How far the eye is open: 1 as in the picture, 0 shut; a picture of shut eyes has little to close."""
        return 1 + (self._lid_gap(target) - self._gap) / max(self._gap, LEAST_GAP)

    def _lid_gap(self, points: Points) -> float:
        """Mean gap between the lids over the eye's width, both as they are seen."""
        return float(lid_gaps(points[:, :2])[self._side])

    def draw(self, rgb: Rgb, target: Points, moved: Similarity) -> None:
        """Show it through the opening between the lids, the head having moved; changes `rgb` in place."""
        outline = target[self._outline, :2]
        back = cv2.invertAffineTransform(affine(moved, self._depth))
        opened = self._opened(target)
        self._draw_skin(rgb, target, back, opened)
        left, top, right, bottom = bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        mask = feathered(polygon_mask(outline, left, top, right - left, bottom - top), self._feather)
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        in_x, in_y = mapped(back, x, y)
        gaze = back @ np.append(target[self._eye.iris[0], :2], 1.0) - self._looking
        colours = self._exact.sample(in_x, in_y)
        # The painted opening is right as it was painted, and wrong once the lids or the eye have moved.
        change = min(5 * abs(opened - 1) + 2 * float(np.hypot(*gaze)) / self._iris.radius, 1.0)
        if change > 0:
            ball_x, ball_y = in_x - np.float32(gaze[0]), in_y - np.float32(gaze[1])
            away = self._iris.distance(ball_x, ball_y)
            made = self._white.sample(in_x, in_y)
            made += smoothstep((1.14 - away) / 0.2)[..., None] * (self._ball.sample(ball_x, ball_y) - made)
            shade = np.exp(-np.maximum(self._below_lid(target, x, y), 0) / self._shadow)
            made *= (1 - LID_SHADOW * shade)[..., None]
            kept = self._caruncle(in_x, in_y) * smoothstep((away - 1) / 0.2)
            colours += (change * (1 - kept))[..., None] * (made - colours)
        blend(rgb[top:bottom, left:right], colours, mask)
        self._draw_lashes(rgb, target, opened)

    def _draw_skin(self, rgb: Rgb, target: Points, back: Array, opened: float) -> None:
        """The lid that comes down: smooth skin in place of what a painted fold and lashes would be stretched to."""
        share = float(smoothstep((SMOOTH[0] - opened) / (SMOOTH[0] - SMOOTH[1])))
        if share == 0:
            return
        polygon = _round_eye(target, self._eye)
        soft = max(1, round(0.09 * self._width))
        left, top, right, bottom = bounding(polygon, np.array([soft, soft]), *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        mask = cv2.blur(polygon_mask(polygon, left, top, right - left, bottom - top), (2 * soft + 1, 2 * soft + 1))
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        colours = self._skin.sample(*mapped(back, x, y))
        # The fold of the lid stays as a soft line.
        off = (y - height_at(target[list(self._eye.crease), :2], x)) / (0.05 * self._width)
        colours *= (1 - FOLD * np.exp(-off * off))[..., None]
        blend(rgb[top:bottom, left:right], colours, mask * share)

    def _draw_lashes(self, rgb: Rgb, target: Points, opened: float) -> None:
        """The lashes along the edge of a lid that comes down, as dark as the picture's own: its skin has none."""
        share = LASH_SHARE * float(smoothstep((SMOOTH[0] - opened) / (SMOOTH[0] - SMOOTH[1])))
        if share == 0:
            return
        line = target[list(self._eye.upper), :2]
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


LEAST_GAP = 0.12
"""Gap between lids, in widths of the eye, below which a picture shows them shut or nearly."""
WHITE_GRAIN = 0.6
"""Of the grain of the cheek, how much the white has."""
WHITEST = 40
"""Per cent of the pixels beside the iris that make the white."""
ROUND = 0.1
"""How much darker the white is at the corners than in the middle."""
SHADE = 0.25
"""How far the upper lid's shadow reaches into the eye, in painted openings."""
LID_SHADOW = 0.4
"""How much darker it is at that lid's edge."""
CARUNCLE = 0.2
"""How far the pink of the corner beside the nose reaches into the eye, in widths of the eye."""
SMOOTH = (0.75, 0.4)
"""How far open, of its painted opening, an eye is when its lid begins to be smooth skin edged with lashes, and when all
of it is."""
LASH_WIDTH = 0.035
"""Width of the line of lashes in its middle, in eye distances."""
LASH_SHARE = 0.75
"""How much of what is under that line it covers."""


def _levels(colours: Array) -> Rgb:
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)


def _rings(picture: Rgb, seen: Array, radius: Array) -> Array:
    """A disc whose colours depend on the distance from its middle alone, as medians of what is seen, (h, w, 3)."""
    edges = np.linspace(0, OUTSIDE, 9)
    places, colours = [], []
    for low, high in pairwise(edges):
        here = seen & (radius >= low) & (radius < high)
        if here.any():
            places.append((low + high) / 2)
            colours.append(np.median(picture[here], axis=0))
    if not places:
        return picture.astype(np.float64)
    table = np.array(colours)
    return np.stack([np.interp(radius, places, table[:, channel]) for channel in range(3)], axis=2)


def _round_eye(points: Points, eye: Eye) -> Array:
    """Outline, (n, 2), of an eye with its lashes, rims and fold."""
    upper, lower, ends = (points[list(part), :2] for part in (eye.upper, eye.lower, eye.corners))
    across = ends[1] - ends[0]
    width = max(float(np.linalg.norm(across)), 1e-9)
    down = np.array([-across[1], across[0]]) / width
    # A shut eye has a rim too.
    rim = np.maximum(0.5 * (lower - upper) @ down, BELOW * width)
    bottom = lower + rim[:, None] * down
    out = 0.12 * across
    return np.concatenate([ends[:1] - out, points[list(eye.hollow), :2], ends[1:] + out, bottom[::-1]])


def _eyeless(rgb: Rgb, source: Points, polygon: Array, box: tuple[int, int, int, int]) -> Array:
    """The skin as it would be without the eye inside a polygon, smooth, grown from the face around it, (h, w, 3)."""
    left, top, right, bottom = box
    size = right - left, bottom - top
    picture = rgb[top:bottom, left:right]
    eyed = polygon_mask(polygon, left, top, *size)
    other = [polygon_mask(cv2.convexHull(source[list(brow), :2])[:, 0], left, top, *size) for brow in BROWS]
    face = polygon_mask(source[list(OVAL), :2], left, top, *size)
    skin = (eyed == 0) & (np.maximum(*other) == 0) & (face > 0)
    soft = _softness(polygon)
    return cv2.blur(cv2.blur(grown(picture, skin.astype(np.uint8)), soft), soft)


def _relief(rgb: Rgb, polygon: Array, box: tuple[int, int, int, int]) -> Array:
    """The grain of the cheek below the eye inside a polygon, in levels, (h, w, 3); none at a picture's edge."""
    left, top, right, bottom = box
    down = int(np.ceil(np.ptp(polygon[:, 1])))
    cheek = rgb[top + down : bottom + down, left:right].astype(np.float32)
    if len(cheek) < bottom - top:
        return np.zeros((bottom - top, right - left, 3), np.float32)
    return np.clip(cheek - cv2.blur(cheek, _softness(polygon)), -GRAIN, GRAIN)


def _softness(polygon: Array) -> tuple[int, int]:
    """Pixels across and down over which skin is smoothed."""
    soft = 2 * max(1, round(0.04 * float(np.ptp(polygon[:, 0])))) + 1
    return soft, soft


BELOW = 0.08
"""How far below the lower lid's edge, in widths of the eye, its rim reaches at least."""
FOLD = 0.08
"""How much darker the fold of a shut lid is."""
GRAIN = 10
"""Most levels by which the grain of skin, canvas or brush departs from its surroundings."""


def _lash_colour(rgb: Rgb, source: Points, eye: Eye, iris: Iris) -> Array:
    """The dark of the upper lid's edge in the picture, float RGB, where the iris is not."""
    edge = source[list(eye.upper[1:-1]), :2]
    away = iris.distance(edge[:, 0], edge[:, 1])
    # A wide iris touches nearly all of the edge: three places at least, the farthest from it.
    at = np.rint(edge[away >= min(OUTSIDE, np.sort(away)[-3])]).astype(int)
    reach = max(1, round(0.02 * float(eye_distance(source))))
    height, width = rgb.shape[:2]
    strips = [rgb[max(y - reach, 0) : y + reach + 1, max(min(x, width - 1), 0)] for x, y in at if 0 <= y < height]
    colours = np.concatenate(strips) if strips else rgb.reshape(-1, 3)
    luma = colours @ LUMA
    return colours[luma <= np.percentile(luma, 25)].mean(axis=0)
