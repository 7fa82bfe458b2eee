"""An anatomical model of the inside of a mouth: two rows of teeth, gums and a tongue.

A picture with closed lips holds nothing of them, so they are built: dental arches of average human
measures, half ellipses that stand upright behind the lips, and the tongue, an ellipsoid between them.
Every pixel's line of sight is met with them in closed form, so the rows turn with the head, keep
their edges at any resolution and need no data. Colours and the direction of light are the portrait's own.

Lengths are millimetres of a face whose eyes are 63 mm apart; x to the picture's right, y down, z away
from the camera, the head upright; the origin is where the lips' line crosses the front of the upper teeth.
Measures of teeth: Wheeler's Dental Anatomy, Physiology and Occlusion (Nelson, 10th ed., table 1-1), rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.geometry import smoothstep

Array = NDArray[Any]

EYE_DISTANCE = 63.0
"""Millimetres between the middles of an adult's eyes."""


@dataclass(frozen=True)
class Arch:
    """One row of teeth, from the middle outwards.

    Attributes:
        widths, heights: of the crowns.
        edges: how much shorter (towards the gums) each ends than the middle one.
        across, deep: half axes of the ellipse of its front.
        behind: how far back its front stands.
    """

    widths: tuple[float, ...]
    heights: tuple[float, ...]
    edges: tuple[float, ...]
    across: float
    deep: float
    behind: float


UPPER = Arch(
    widths=(8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.0),
    heights=(10.5, 9.0, 10.0, 8.5, 8.5, 7.5, 7.0),
    edges=(0.0, 0.6, 0.1, 0.8, 1.3, 1.8, 2.2),
    across=30.0,
    deep=44.0,
    behind=0.0,
)
LOWER = Arch(
    widths=(5.0, 5.5, 7.0, 7.0, 7.0, 11.0, 10.5),
    heights=(9.0, 9.5, 11.0, 8.5, 8.0, 7.5, 7.0),
    edges=(0.0, 0.1, -0.2, 0.5, 0.9, 1.2, 1.4),
    across=27.0,
    deep=41.0,
    behind=2.5,
)
GUMS = 12.0
"""How far the gums reach beyond the crowns."""
SEAM = 0.3
"""Width of the line between two teeth."""
DEPTH = 28.0
"""Distance into the mouth over which light falls to a third."""
MOST_PIXELS = 12.0
"""Most pixels to a millimetre that rows are prepared for: beyond, their edges are soft."""
TONGUE_DEPTH = 28.0
"""The same over the tongue, which teeth and lips shade."""
TONGUE_LIGHT = 0.77
"""How light it is there, over the picture's light: brighter than the lips, a tongue is taken for one.

Photographs of open mouths show it as bright; paintings hardly ever show it.
"""
TONGUE_GAP = 3.0
"""Millimetres between the rows from which light falls onto it in full."""
TONGUE = (20.0, 26.0)
"""Half axes of the tongue, across and deep."""


WARMTH = np.array([0.8, 1.0, 1.15], np.float32)
"""Powers of the light's red, green and blue: what reaches the inside of a mouth has been on lips and gums before, and
is the redder the dimmer it is. Teeth that only grow darker look blue beside the skin."""


@dataclass(frozen=True)
class Palette:
    """Colours of a mouth's inside, float RGB each, and the side light comes from, -1 (left) to 1 (right).

    `dark` is the depth of the mouth; `black` what the picture shows where there is no light at all: brown in a faded
    photograph. `colourful` says how much the picture knows of colours, from 0 (grey) to 1.
    """

    teeth: Array
    gums: Array
    tongue: Array
    dark: Array
    black: Array
    side: float = 0.0
    colourful: float = 1.0

    def lit(self, colours: Array, light: Array, warm: bool = True) -> Array:
        """Colours, (..., 3), of the inside of a mouth in some light, (...), 1 being that of the picture."""
        floor = np.minimum(self.black.astype(np.float32), colours)
        power = 1 + np.float32(self.colourful) * (WARMTH - 1) if warm else np.float32(1)
        return floor + (colours - floor) * light[..., None] ** power


@dataclass(frozen=True)
class Sight:
    """Lines of sight of some pixels: where they cross the plane z = 0, and their direction.

    `x` and `y` are float32 (h, w); `ray` is (3,), of any length, its z positive.
    """

    x: Array
    y: Array
    ray: Array

    def behind(self, z: float) -> Sight:
        """The same, of the plane that lies so far behind."""
        far = z / self.ray[2]
        return Sight(self.x + far * self.ray[0], self.y + far * self.ray[1], self.ray)


@dataclass(frozen=True)
class Jaws:
    """Where the rows are: y of the middle edge of each, how far right the jaw has gone; how far apart the lips are."""

    upper: float
    lower: float
    right: float
    opened: float


class Dentition:
    """Draws the inside of one portrait's mouth."""

    def __init__(self, palette: Palette, pixels: float) -> None:
        """`pixels` to a millimetre is the resolution the rows are prepared for."""
        pixels = min(pixels, MOST_PIXELS)
        self._palette = palette
        self._upper = _Row(UPPER, palette, pixels, upwards=True)
        self._lower = _Row(LOWER, palette, pixels, upwards=False)

    def draw(self, sight: Sight, jaws: Jaws) -> Array:
        """Colours, float32 (h, w, 3), of the pixels that lines of sight belong to."""
        colours = np.broadcast_to(self._palette.dark.astype(np.float32), (*sight.x.shape, 3)).copy()
        in_jaw = Sight(sight.x - np.float32(jaws.right), sight.y - np.float32(jaws.lower), sight.ray)
        self._draw_tongue(colours, in_jaw, jaws)
        self._lower.draw(colours, in_jaw)
        self._upper.draw(colours, Sight(sight.x, sight.y - np.float32(jaws.upper), sight.ray))
        return colours

    def _draw_tongue(self, colours: Array, sight: Sight, jaws: Jaws) -> None:
        """A mound behind the lower teeth; its root stays up when the jaw falls."""
        across, deep = TONGUE
        opened = jaws.opened
        high = 8.0 + 0.22 * opened
        middle = sight.behind(LOWER.behind + deep + 1.0)
        x, y = middle.x / across, (middle.y - (high - 2.5 - 0.32 * opened)) / high
        ray = sight.ray / sight.ray[2] * deep
        a, b = ray[0] / across, ray[1] / high
        # The line of sight (x + a t, y + b t, t) meets the unit ball first where t is least.
        square, half, rest = 1 + a * a + b * b, x * a + y * b, x * x + y * y - 1
        root = half * half - square * rest
        inside = np.sqrt(np.maximum(root, 0))
        t = (-half - inside) / square
        up, front = -(y + b * t), -t
        light = 0.5 + 0.6 * np.maximum(0.55 * up + 0.83 * front, 0) + 0.25 * self._palette.side * (x + a * t)
        light *= 0.92 + 0.08 * smoothstep(np.abs(x + a * t) / 0.25)
        light *= np.exp(-np.maximum(deep * (1 + t), 0) / TONGUE_DEPTH)
        # Soft at its rim.
        share = smoothstep(root / (0.35 * square)).astype(np.float32)[..., None]
        light *= TONGUE_LIGHT * min(max(jaws.lower - jaws.upper, 0.0) / TONGUE_GAP, 1.0)
        tongue = self._palette.lit(self._palette.tongue, light, warm=False).astype(np.float32)
        colours += share * (tongue - colours)


class _Row:
    """One arch as a lit picture, rolled out over the angle along its ellipse and the height."""

    def __init__(self, arch: Arch, palette: Palette, pixels: float, *, upwards: bool) -> None:
        """`upwards` says on which side of the edges the gums are."""
        self._arch = arch
        self._sign = -1.0 if upwards else 1.0
        high = max(arch.heights) + GUMS
        self._down = np.float32(pixels)
        columns = max(16, round(np.pi * arch.deep * pixels))
        angle = np.linspace(-np.pi / 2, np.pi / 2, columns)
        self._along = np.float32((columns - 1) / np.pi)
        steps = np.hypot(arch.across * np.cos(angle), arch.deep * np.sin(angle))
        along = np.concatenate([[0.0], np.cumsum((steps[1:] + steps[:-1]) / 2)]) * np.pi / (columns - 1)
        along -= along[columns // 2] if columns % 2 else along[columns // 2 - 1 : columns // 2 + 1].mean()
        # y from the middle tooth's edge into the gums; a little of nothing before it.
        self._before = 2.0 + 1.0 / pixels
        height = np.arange(0, high + self._before, 1 / pixels) - self._before
        self._sheet = _rolled_out(arch, palette, along[None], height[:, None], angle[None], 0.7 / pixels)

    def draw(self, colours: Array, sight: Sight) -> None:
        """Lay it over colours, (h, w, 3), in place; y is 0 at the edge of its middle teeth."""
        arch = self._arch
        front = sight.behind(arch.behind)
        ray = front.ray / front.ray[2]
        a, b = ray[0] / arch.across, 1 / arch.deep
        x = front.x / np.float32(arch.across)
        # (x + a t)^2 + (1 - b t)^2 = 1, t being millimetres behind the front.
        square, half = np.float32(a * a + b * b), x * np.float32(a) - np.float32(b)
        root = half * half - square * x * x
        t = (-half - np.sqrt(np.maximum(root, 0))) / square
        angle = np.arctan2(x + np.float32(a) * t, 1 - np.float32(b) * t)
        height = self._sign * (front.y + np.float32(ray[1]) * t)
        column = (angle + np.float32(np.pi / 2)) * self._along
        row = (height + np.float32(self._before)) * self._down
        column = np.where(root > 0, column, np.float32(-9)).astype(np.float32)
        picture = cv2.remap(
            self._sheet, column, row.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        share = picture[..., 3:] / np.float32(255)
        colours += picture[..., :3] - share * colours


def _rolled_out(arch: Arch, palette: Palette, along: Array, height: Array, angle: Array, soft: float) -> Array:
    """A row as float32 (h, w, 4): colours times coverage, and coverage in 8-bit levels.

    `along` (1, w) and `height` (h, 1) are millimetres from the middle and from the edge into the gums,
    `angle` (1, w) is that on the ellipse, `soft` how wide an edge must be in millimetres for the resolution.
    """
    borders = np.cumsum(arch.widths)
    tooth = np.minimum(np.searchsorted(borders, np.abs(along)), len(borders) - 1)
    width, high, edge = (np.array(values)[tooth] for values in (arch.widths, arch.heights, arch.edges))
    place = 2 * (np.abs(along) - borders[tooth]) / width + 1
    square = place**2
    # A crown's edge is round at its corners; its gum an arch that reaches down between the teeth.
    edge = edge + 0.08 * width * square**3
    gum = high - 0.4 - 2.6 * square**2
    seam = np.exp(-(((1 - np.abs(place)) * width / 2) ** 2) / (2 * max(SEAM, soft) ** 2))
    seam *= min(1.0, SEAM / max(SEAM, soft) * 1.2)
    into = np.clip((height - edge) / high, 0, 1)
    crown = palette.teeth * (1.0 - 0.10 * into - 0.06 * np.exp(-((into / 0.12) ** 2)))[..., None]
    crown = crown * (1 - 0.08 * square**2 - 0.10 * seam * (1 - 0.3 * into))[..., None]
    in_gum = smoothstep((height - gum) / max(0.8, 2 * soft) + 0.5)[..., None]
    colours = crown + in_gum * (palette.gums - crown)
    facing = np.clip(np.cos(angle), 0, 1)
    back = arch.deep * (1 - facing) + arch.behind
    light = (0.35 + 0.65 * facing + 0.45 * palette.side * np.sin(angle)) * np.exp(-back / DEPTH)
    colours = palette.lit(colours, np.clip(light, 0.05, 1.15))
    covered = smoothstep((height - edge) / max(0.8, 2 * soft) + 0.5)[..., None]
    return np.dstack([colours * covered, 255 * covered]).astype(np.float32)
