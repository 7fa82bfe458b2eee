"""Where exactly the irises are, and what is white: trackers know photographed eyes, painted and drawn ones differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import EYES, Eye, Points
from gioconda.rendering.plates import Rgb, bounding, polygon_mask, taken

Array = NDArray[Any]

FACTORS = np.geomspace(0.6, 2.2, 48)
"""Radii that are tried, over the tracker's."""
BESIDE = 2
"""Steps from a radius to those between which the picture must get whiter."""
ACROSS, DOWN, STEP = 0.4, 0.2, 0.1
"""How far from the tracker's place others are tried, and in which steps, in its radii."""
DIRECTIONS = np.linspace(0, 2 * np.pi, 72, endpoint=False)
LEAST_SEEN = 12
"""Of those directions, in which an edge must show between the lids."""
OTHER_SIZE, OTHER_PLACE = 0.45, (0.625, 1.25)
"""How far off the tracker may be: standard deviations of the logarithm of the radius, and of the place in those
reaches."""
LEAST_EDGE = 0.15
"""How much whiter it must get."""
SOFT = 0.1
"""Blur, in the tracker's radii: lashes and brush strokes are no edges."""
OUTSIDE = 1.2
"""Radii from an iris's centre from which on no pixel is its: its edge is soft."""
RIM = 0.1
"""Width of the lids' rim inside the opening, in radii of the iris."""


@dataclass(frozen=True)
class Iris:
    """A circle in a picture's pixels."""

    centre: Array
    radius: float

    def distance(self, x: Array, y: Array) -> Array:
        """Of some pixels from its centre, in radii."""
        return np.hypot(x - self.centre[0], y - self.centre[1]) / self.radius


def find_irises(rgb: Rgb, source: Points, across: float = ACROSS) -> tuple[Iris, Iris]:
    """Both irises of a face with some landmarks, (478, 3); the tracker's where the picture shows no edge.

    The circle across which a picture gets whitest, as far as the lids leave it in view, at most `across` of the
    tracker's radii beside its place. Both eyes must agree by how much it misjudges their size. Source: Daugman,
    "High confidence visual recognition of persons by a test of statistical independence", PAMI 1993.
    """
    tracked = [_tracked(source, eye) for eye in EYES]
    places = _places(across)
    edges = [_edges(rgb, source, eye, iris, places) for eye, iris in zip(EYES, tracked, strict=True)]
    tried = FACTORS[BESIDE:-BESIDE]
    size = np.exp(-np.square(np.log(tried) / OTHER_SIZE) / 2)
    number = int((np.sum([likely.max(axis=0) for likely, _ in edges], axis=0) * size).argmax())
    found = []
    for iris, (likely, whiter) in zip(tracked, edges, strict=True):
        place = int(likely[:, number].argmax())
        if whiter[place, number] >= LEAST_EDGE:
            iris = Iris(iris.centre + places.shifts[place] * iris.radius, float(tried[number]) * iris.radius)
        found.append(iris)
    return found[0], found[1]


def whiteness(picture: Rgb, inside: Array, from_iris: Array) -> Array:
    """From 0, as dark as the iris, to 1, as the white beside it, (h, w), in red: light blue is bright, and not white.

    Args:
        picture: an eye, (h, w, 3).
        inside: what lies between the lids, (h, w) bool, somewhere true.
        from_iris: distance from its centre in radii, (h, w).
    """
    red = picture[..., 0].astype(np.float32)
    beside, ring = inside & (from_iris > OUTSIDE), inside & (from_iris > 0.5) & (from_iris < 0.9)
    white = float(np.percentile(red[beside if beside.any() else inside], 75))
    iris = float(np.median(red[ring])) if ring.any() else 0.0
    return np.clip((red - iris) / max(white - iris, 1.0), 0, 1)


def _tracked(source: Points, eye: Eye) -> Iris:
    centre, *ring = source[list(eye.iris), :2].astype(np.float64)
    return Iris(centre, max(float(np.linalg.norm(ring - centre, axis=1).mean()), 1e-3))


@dataclass(frozen=True)
class _Places:
    """Places that are tried, (n, 2) in the tracker's radii from its place, and how likely each is, (n,)."""

    shifts: Array
    likely: Array


def _places(across: float) -> _Places:
    reaches = np.array([across, DOWN])
    x, y = (np.linspace(-reach, reach, 2 * round(reach / STEP) + 1) for reach in reaches)
    shifts = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return _Places(shifts, np.exp(-np.square(shifts / (reaches * OTHER_PLACE)).sum(axis=1) / 2))


def _edges(rgb: Rgb, source: Points, eye: Eye, iris: Iris, places: _Places) -> tuple[Array, Array]:
    """Of places (n) and radii (m) that are tried: how likely each is, and how much whiter it gets there."""
    outline = source[list(eye.outline), :2]
    left, top, right, bottom = bounding(outline, np.full(2, iris.radius), *rgb.shape[1::-1])
    rim = 2 * max(1, round(RIM * iris.radius)) + 1
    opening = polygon_mask(outline, left, top, right - left, bottom - top)
    seen = cv2.erode(opening, np.ones((rim, rim), np.uint8))
    none = np.zeros((len(places.shifts), len(FACTORS) - 2 * BESIDE))
    if not (seen > 0.5).any():
        return none, none
    y, x = np.mgrid[top:bottom, left:right]
    white = whiteness(rgb[top:bottom, left:right], seen > 0.5, iris.distance(x, y))
    white = cv2.GaussianBlur(white, (0, 0), max(SOFT * iris.radius, 0.6))
    ways = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)], axis=-1)
    middles = iris.centre - (left, top) + places.shifts * iris.radius
    at = (middles[:, None, None] + (FACTORS * iris.radius)[:, None, None] * ways).astype(np.float32)
    flat = at.reshape(-1, len(DIRECTIONS), 2)
    levels, shown = (taken(values, flat, cv2.INTER_LINEAR).reshape(at.shape[:3]) for values in (white, seen))
    within, beyond = np.s_[:, : -2 * BESIDE], np.s_[:, 2 * BESIDE :]
    both = (shown[within] > 0.5) & (shown[beyond] > 0.5)
    count = both.sum(axis=2)
    whiter = ((levels[beyond] - levels[within]) * both).sum(axis=2) / np.maximum(count, LEAST_SEEN)
    return np.maximum(whiter, 0) * np.sqrt(count / len(DIRECTIONS)) * places.likely[:, None], whiter
