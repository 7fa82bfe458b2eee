"""Where exactly the lids of a picture are: trackers know photographed eyes, painted and drawn ones differ."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import EYES, Points, face_model
from gioconda.geometry import smoothstep
from gioconda.parts import occupied
from gioconda.tracking.crops import Crop

Array = NDArray[Any]

ACROSS = 64
"""Pixels from corner to corner of an eye as it is looked at."""
VIEW = 2
"""Side of the square that is looked at, in widths of the eye."""
LEAST_WIDTH = 30
"""Pixels an eye must be wide to be fitted: of smaller ones grain says more than lids."""
SURE_EYE, SURE_SKIN, AROUND = 0.05, 0.11, 0.3
"""How far inside the tracker's outline a pixel is eye for sure, how far outside it is skin for sure, and how far skin
is looked at, in widths of the eye."""
LASHES = (0.15, 0.85)
"""Between which shares of the width lashes hide where the upper lid ends: they are as dark as the iris."""
LASH = 0.02
"""How far below that lid's edge they reach, in widths of the eye."""
STEPS = (0.04, 0.02, 0.01)
"""By which a corner or a lid is tried elsewhere, in widths of the eye."""
FARTHEST = 0.12
"""How far from the tracker's place at most."""
HELD, HELD_CORNER = 1.0, 6.0
"""What it costs to leave the tracker's place, by the square of the way in those widths, against areas in theirs; the
second, to draw a corner in: the pink beside the nose is an eye's, and looks like skin."""
LOOSE = 0.4
"""How far around an eye the skin goes along, in widths of the eye."""
SLIVER = 0.002
"""Triangles that small, in squares of those widths, may turn over: nobody sees it."""
ROUNDS = 3
"""How often colours and places are told from each other anew."""
LEAST_SURE = 20
"""Pixels that must be eye for sure, and skin for sure."""
LEAST_CONTRAST = 4.0
"""Levels by which their colours must vary."""


def fit_lids(rgb: NDArray[np.uint8], points: Points) -> Points:
    """Landmarks whose lids enclose what is eye in the picture and leave out what is skin, (478, 3), in its pixels.

    Each eye's corners move, the lower lid bends, and the rest of the lids goes along; the tracker's place stands where
    the picture says nothing: of shut, tiny or hidden eyes. What is eye is told by its colours. Source: Rother,
    Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph cuts", SIGGRAPH 2004.

    Args:
        rgb: the picture, uint8 (height, width, 3).
        points: the tracker's landmarks, (478, 3), in its pixels.
    """
    for eye in EYES:
        upper, lower = (points[list(lid), :2].astype(np.float64) for lid in (eye.upper, eye.lower))
        width = float(np.linalg.norm(upper[-1] - upper[0]))
        ways = _ways(rgb, upper, lower, width) if width >= LEAST_WIDTH else None
        if ways is not None:
            moved = _along(points, [*eye.upper, *eye.lower], ways, width)
            if _unfolded(points, moved, SLIVER * width**2):
                points = moved
    return points


def _ways(rgb: NDArray[np.uint8], upper: Array, lower: Array, width: float) -> Array | None:
    """How an eye's lids, (9, 2) each, move, (18, 2), all in the picture's pixels; None where it says nothing."""
    right, down = upper[-1] - upper[0]
    x, y = (upper[0] + upper[-1]) / 2
    crop = Crop(x, y, VIEW * width, float(np.arctan2(down, right)))
    onto = crop.matrix(VIEW * ACROSS)
    turn, shift = onto[:, :2], onto[:, 2]
    level = upper @ turn.T + shift, lower @ turn.T + shift
    told = _told(crop.cut(rgb, VIEW * ACROSS), *level)
    if told is None:
        return None
    moved = _shaped(*level, _best(told, *level))
    return np.asarray((np.concatenate(moved) - np.concatenate(level)) @ np.linalg.inv(turn).T)


def _told(seen: NDArray[np.uint8], upper: Array, lower: Array) -> Array | None:
    """What the pixels are, float32 (h, w): 1 eye, -1 skin, 0 unknown; None where too little of an eye is to be seen."""
    inside = _filled(upper, lower, seen.shape)
    within, outside = (cv2.distanceTransform(mask, cv2.DIST_L2, 5) / ACROSS for mask in (inside, 1 - inside))
    kinds = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    kinds[within > SURE_EYE] = cv2.GC_FGD
    kinds[outside > SURE_SKIN] = cv2.GC_BGD
    near = occupied((outside < AROUND).astype(np.uint8))
    if near is None:
        return None
    colours, cut = (np.ascontiguousarray(each[near]) for each in (seen, kinds))
    sure = [colours[cut == kind] for kind in (cv2.GC_FGD, cv2.GC_BGD)]
    if min(map(len, sure)) < LEAST_SURE or np.concatenate(sure).std(axis=0).max() < LEAST_CONTRAST:
        return None
    cv2.setRNGSeed(0)  # the colours' clusters start at random places; the same picture must give the same eyes
    cv2.grabCut(colours, cut, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    told = np.full(inside.shape, -1, np.float32)
    told[near] = np.where((cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD), 1, -1)
    x, y = np.arange(inside.shape[1]), np.arange(inside.shape[0])[:, None]
    share = (x - upper[0, 0]) / ACROSS
    above = y < np.interp(x, upper[:, 0], upper[:, 1]) + LASH * ACROSS
    told[above & (share > LASHES[0]) & (share < LASHES[1])] = 0
    return told


def _best(told: Array, upper: Array, lower: Array) -> Array:
    """How the lids move, (5,): see `_shaped`. One number after the other is tried larger and smaller."""

    def gain(way: Array) -> float:
        inward = (way[0] > 0, False, way[2] < 0, False, False)
        cost = np.where(inward, HELD_CORNER, HELD) @ np.square(way)
        return float((told * _filled(*_shaped(upper, lower, way), told.shape)).sum() / ACROSS**2 - cost)

    way = np.zeros(5)
    most = gain(way)
    for step in STEPS:
        last = -np.inf
        while most > last:
            last = most
            for number in range(5):
                for change in (step, -step):
                    tried = way.copy()
                    tried[number] = np.clip(tried[number] + change, -FARTHEST, FARTHEST)
                    if (gained := gain(tried)) > most:
                        way, most = tried, gained
    return way


def _shaped(upper: Array, lower: Array, way: Array) -> tuple[Array, Array]:
    """Lids moved by (right, down) of the left corner, of the right one, and how far the lower one is bent down."""
    moved = []
    for lid, bend in ((upper, 0.0), (lower, way[4])):
        share = (lid[:, :1] - upper[0, 0]) / ACROSS
        shift = (1 - share) * way[:2] + share * way[2:4]
        moved.append(lid + ACROSS * (shift + 4 * share * (1 - share) * (0.0, bend)))
    moved[1][:, 1] = np.maximum(moved[0][:, 1], moved[1][:, 1])
    return moved[0], moved[1]


def _filled(upper: Array, lower: Array, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """1 between the lids, 0 elsewhere, (h, w)."""
    mask = np.zeros(shape[:2], np.uint8)
    outline = np.concatenate([upper, lower[-2:0:-1]])
    cv2.fillPoly(mask, [np.rint(outline * 8).astype(np.int32)], [1], shift=3)
    return mask


def _along(points: Points, numbers: list[int], ways: Array, width: float) -> Points:
    """Landmarks, (478, 3), some moved by their ways, (n, 2), the skin around them with the nearest, ever less."""
    moved = points.copy()
    skin = points[:SKIN, :2].astype(np.float64)
    apart = np.linalg.norm(skin[:, None] - skin[numbers], axis=2)
    share = 1 - smoothstep(apart.min(axis=1) / (LOOSE * width))
    near = 1 / np.square(apart + 1e-3 * width)
    moved[: len(skin), :2] += share[:, None] * (near @ ways / near.sum(axis=1, keepdims=True))
    return moved


def _unfolded(points: Points, moved: Points, sliver: float) -> bool:
    """Whether every triangle of the face lies as it did, but for those of less than some square pixels."""
    before, after = (_areas(places[:, :2].astype(np.float64)) for places in (points, moved))
    return bool((np.abs(after[before * after < 0]) < sliver).all())


def _areas(places: Array) -> Array:
    """Signed areas of the face's triangles, (n,), of landmarks in a plane, (478, 2)."""
    corners = places[face_model().triangles]
    return np.asarray(np.linalg.det(corners[:, 1:] - corners[:, :1]) / 2)
