"""Where exactly the lids of a picture are: trackers know photographed eyes, painted and drawn ones differ."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import EYES, Points, face_model
from gioconda.geometry import smoothstep

Array = NDArray[Any]

ACROSS = 64
"""Pixels from corner to corner of an eye as it is looked at."""
LEAST_WIDTH = 30
"""Pixels an eye must be wide to be fitted: of smaller ones grain says more than lids."""
SURE_EYE, SURE_SKIN, AROUND = 0.05, 0.11, 0.3
"""How far inside the tracker's outline a pixel is eye for sure, how far outside it is skin for sure, and how far skin
is looked at, in widths of the eye."""
LASHES = (0.15, 0.85)
"""Between which shares of the width lashes hide where the upper lid ends: they are as dark as the iris."""
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
    """Landmarks, (478, 3), whose lids enclose what is eye in the picture and leave out what is skin.

    Each eye's corners move, the lower lid bends, and the rest of the lids goes along; the tracker's place stands where
    the picture says nothing: of shut, tiny or hidden eyes. What is eye is told by its colours. Source: Rother,
    Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph cuts", SIGGRAPH 2004.
    """
    for eye in EYES:
        numbers = [*eye.upper, *eye.lower]
        lids = points[numbers, :2].astype(np.float64)
        width = float(np.linalg.norm(lids[8] - lids[0]))
        if width >= LEAST_WIDTH:
            moved = _along(points, numbers, np.concatenate(_fitted(rgb, lids[:9], lids[9:], width)) - lids, width)
            if _unfolded(points, moved, SLIVER * width**2):
                points = moved
    return points


def _fitted(rgb: NDArray[np.uint8], upper: Array, lower: Array, width: float) -> tuple[Array, Array]:
    """Both lids of an eye, (9, 2) each, in the picture's pixels."""
    along = (upper[-1] - upper[0]) / width
    turn = np.array([along, [-along[1], along[0]]]) * ACROSS / width
    size = 2 * ACROSS, 3 * ACROSS // 2
    shift = np.array(size) / 2 - turn @ (upper[0] + upper[-1]) / 2
    left, top = np.maximum(upper.min(axis=0) - 2 * width, 0).astype(int)
    right, bottom = np.maximum(upper.max(axis=0) + 2 * width, 0).astype(int)
    part: Array = rgb[top:bottom, left:right]
    if part.size == 0:
        return upper, lower
    if width > 1.4 * ACROSS:  # a pixel in so many would be noise
        part = cv2.GaussianBlur(part, (0, 0), width / ACROSS / 2)
    here = turn @ (left, top) + shift
    seen = cv2.warpAffine(part, np.column_stack([turn, here]), size, borderMode=cv2.BORDER_REPLICATE)
    level = upper @ turn.T + shift, lower @ turn.T + shift
    told = _told(np.asarray(seen, np.uint8), *level)
    if told is None:
        return upper, lower
    moved = _shaped(*level, _best(told, *level))
    back = np.linalg.inv(turn).T
    return (moved[0] - shift) @ back, (moved[1] - shift) @ back


def _told(seen: NDArray[np.uint8], upper: Array, lower: Array) -> Array | None:
    """What the pixels are, float32 (h, w): 1 eye, -1 skin, 0 unknown; None where too little of an eye is to be seen."""
    inside = _filled(upper, lower, seen.shape)
    within, outside = (cv2.distanceTransform(mask, cv2.DIST_L2, 5) / ACROSS for mask in (inside, 1 - inside))
    kinds = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    kinds[within > SURE_EYE] = cv2.GC_FGD
    kinds[outside > SURE_SKIN] = cv2.GC_BGD
    rows, columns = (np.flatnonzero((outside < AROUND).any(axis=axis)) for axis in (1, 0))
    near = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cut = np.ascontiguousarray(kinds[near])
    sure = [seen[near][cut == kind] for kind in (cv2.GC_FGD, cv2.GC_BGD)]
    if min(map(len, sure)) < LEAST_SURE or np.concatenate(sure).std(axis=0).max() < LEAST_CONTRAST:
        return None
    cv2.setRNGSeed(0)  # the colours' clusters start at random places; the same picture must give the same eyes
    colours = np.ascontiguousarray(seen[near])
    cv2.grabCut(colours, cut, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    told = np.full(inside.shape, -1, np.float32)
    told[near] = np.where((cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD), 1, -1)
    y, x = np.mgrid[: inside.shape[0], : inside.shape[1]]
    share = (x - upper[0, 0]) / ACROSS
    above = y < np.interp(x[0], upper[:, 0], upper[:, 1]) + 0.02 * ACROSS
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
    skin = points[: min(EYES[0].iris), :2].astype(np.float64)
    apart = np.linalg.norm(skin[:, None] - skin[numbers], axis=2)
    share = 1 - smoothstep(apart.min(axis=1) / (LOOSE * width))
    near = 1 / np.square(apart + 1e-3 * width)
    moved[: len(skin), :2] += share[:, None] * (near @ ways / near.sum(axis=1, keepdims=True))
    return moved


def _unfolded(points: Points, moved: Points, sliver: float) -> bool:
    """Whether every triangle of the face lies as it did, but for those of less than some square pixels."""
    before, after = (_areas(places[..., :2].astype(np.float64)) for places in (points, moved))
    turned = before * after < 0
    return bool((np.abs(after[turned]) < 2 * sliver).all())


def _areas(places: Array) -> Array:
    """Twice the signed area of the face's triangles, (n,), of landmarks in a plane, (478, 2)."""
    corners = places[face_model().triangles]
    (ax, ay), (bx, by) = ((corners[:, k] - corners[:, 0]).T for k in (1, 2))
    return ax * by - ay * bx
