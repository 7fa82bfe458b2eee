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
    STEADY,
    Points,
    eye_distance,
)
from gioconda.geometry import align

Array = NDArray[Any]
Rgb = NDArray[np.uint8]


class Motionless:
    """Moves what is fixed to the skull: the affine map of the picture plane that a head's movement means there."""

    def __init__(self, source: Points) -> None:
        self._steady = source[list(STEADY)].astype(np.float64)

    def affine(self, target: Points, depth: float) -> Array:
        """(2, 3) map of points at `depth` (z in the portrait) to where the head's movement takes them."""
        pose = align(self._steady, target[list(STEADY)].astype(np.float64))
        matrix = pose.scale * pose.rotation
        return np.column_stack([matrix[:2, :2], matrix[:2, 2] * depth + pose.translation[:2]])


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
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _bounding(polygon: Array, margin: Array, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a polygon with a margin (x, y), inside a picture."""
    low = np.maximum(np.floor(polygon.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(polygon.max(axis=0) + margin) + 1, (width, height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _grown(rgb: Array, known: Array) -> Array:
    """Fill the unknown smoothly from the known (uint8 mask 0 or 1): a pyramid of weighted means."""
    weight = known.astype(np.float32)
    levels = [(rgb.astype(np.float32) * weight[..., None], weight)]
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

    def __init__(self, rgb: Rgb, source: Points, side: int, head: Motionless) -> None:
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
        self._sheet = _Sheet(self._unlidded(picture, shown > 0, left, top), left, top)

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
        # Lids and lashes at the rim of the opening would grow into the white: start a little inside.
        inner = cv2.erode(shown.astype(np.uint8), np.ones((3, 3), np.uint8))
        start = np.where((known > 0) & ~shown, 1, inner).astype(np.uint8)
        if not start.any():
            start = known
        grown = _grown(colours, start) if start.any() else colours
        grown[shown] = picture[shown]
        grown[hidden & (known > 0)] = colours[hidden & (known > 0)]
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
        colours = self._sheet.sample(in_x - share * gaze[0], in_y - share * gaze[1])
        _blend(rgb[top:bottom, left:right], colours, mask)


def _feathered(mask: Array, radius: float) -> Array:
    """Softened inwards only, so that nothing shows outside the opening."""
    size = 2 * round(radius) + 1
    return mask * cv2.blur(mask, (size, size)) if size > 1 else mask


def _blend(part: Rgb, colours: Array, mask: Array) -> None:
    share = mask[..., None]
    part[:] = np.clip(np.rint(part * (1 - share) + colours * share), 0, 255)


class MouthPlate:
    """The inside of the mouth: what the picture shows of it, and below that darkness, teeth and tongue."""

    def __init__(self, rgb: Rgb, source: Points, head: Motionless) -> None:
        self._head = head
        self._outline = list(MOUTH_OUTLINE)
        outline = source[self._outline, :2]
        self._depth = float(source[self._outline, 2].mean())
        self._corners = source[[MOUTH_OUTLINE[0], MOUTH_OUTLINE[10]], :2].astype(np.float64)
        self._width = float(np.linalg.norm(self._corners[1] - self._corners[0]))
        self._gap = _opening(source) / self._width
        palette = _Palette.of(rgb, source)
        self._tongue = palette.tongue
        left, top, right, bottom = _bounding(outline, np.array([0.2, 0.9]) * self._width, *rgb.shape[1::-1])
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        across, down = self._in_mouth(x, y, source)
        made = _teeth_and_darkness(across, down, palette)
        shown = _polygon_mask(outline, left, top, right - left, bottom - top)[..., None]
        if self._gap > 0.03:
            # What lies below the painted inside is the dark of the throat, not another row of teeth.
            made = np.broadcast_to(palette.dark, made.shape)
        soft = cv2.blur(made, (3, 3))
        colours = np.where(shown > 0, rgb[top:bottom, left:right], soft)
        self._sheet = _Sheet(np.clip(np.rint(colours), 0, 255).astype(np.uint8), left, top)

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
        colours = self._sheet.sample(in_x, in_y)
        # How much further than in the picture the mouth is open: only that much may be changed.
        more = np.clip((_opening(target) / self._width - self._gap) / 0.12, 0, 1)
        if more > 0:
            colours = self._shaded(colours, mask, x, y, target, float(more))
        _blend(rgb[top:bottom, left:right], colours, mask)

    def _shaded(self, colours: Array, mask: Array, x: Array, y: Array, target: Points, more: float) -> Array:
        """With the tongue behind the lower lip and the lips' shadow along the rim."""
        lower = target[list(LIPS_INNER_LOWER), :2].astype(np.float64)
        order = np.argsort(lower[:, 0])
        above = (np.interp(x, lower[order, 0], lower[order, 1]) - y) / self._width
        middle = (x - lower[:, 0].mean()) / self._width
        share = np.clip(1 - above / 0.22, 0, 1) * np.clip(1 - (middle / 0.36) ** 2, 0, 1) * 0.75 * more
        colours = colours + share[..., None] * (self._tongue - colours)
        inside = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3) / self._width
        shadow = 1 - more * 0.55 * np.exp(-inside / 0.045)
        return colours * shadow[..., None]


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
    def of(rgb: Rgb, source: Points) -> _Palette:
        height, width = rgb.shape[:2]

        def colours(landmarks: tuple[int, ...]) -> Array:
            at = np.rint(source[list(landmarks), :2]).astype(int)
            return rgb[at[:, 1].clip(0, height - 1), at[:, 0].clip(0, width - 1)].astype(np.float64)

        skin = np.percentile(colours(_CHEEKS), 75, axis=0)
        lips = np.median(colours(LIPS), axis=0)
        light = float(skin @ (0.299, 0.587, 0.114))
        ivory = light * np.array([1.0, 0.97, 0.90])
        return _Palette(teeth=0.8 * (0.65 * ivory + 0.35 * skin), dark=0.17 * lips, tongue=0.55 * lips)


_CHEEKS = (50, 101, 118, 117, 205, 36, 280, 330, 347, 346, 425, 266, 151, 9, 108, 337)


def _teeth_and_darkness(across: Array, down: Array, palette: _Palette) -> Array:
    """The inside of a mouth that the picture shows closed, float (h, w, 3); places in mouth widths."""
    # The upper row ends just below the line of the lips and rises to the sides; its own roundness darkens it there.
    edge = 0.055 - 0.35 * across**2
    tooth = np.clip((edge - down) / 0.02, 0, 1) * np.clip((0.40 - np.abs(across)) / 0.08, 0, 1)
    between = np.min([np.abs(np.abs(across) - seam) for seam in (0.0, 0.125, 0.22, 0.30)], axis=0)
    roundness = (1 - 1.6 * across**2) * (1 - 0.16 * np.exp(-((between / 0.010) ** 2)))
    teeth = palette.teeth * roundness[..., None]
    return palette.dark + tooth[..., None] * (teeth - palette.dark)
