"""Whether a clip stays calm where nothing should move. Pure functions.

Pictures are RGB ``uint8 (H, W, 3)``, boxes ``(x0, y0, x1, y1)`` in pixels. Measures over time need consecutive
frames: the residual of every third frame of a video is movement, not jitter.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from gioconda.evaluation.judges import BROWS, CHIN, Array, Box, Picture
from gioconda.evaluation.pixels import luma

STRIP = 0.06
"""Width of the border strips in which the background is watched, as a part of the picture's shorter side."""
LEAST_STRIP = 6
"""Pixels below which a strip is too narrow to be watched."""
SIDES = ("left", "top", "right", "bottom")
_HEAD = {"left": 0.3, "top": 0.55, "right": 0.3, "bottom": 0.15}
"""How far hair, ears and chin reach beyond the landmarks, in face heights."""
_LEAST_TEXTURE = 2.0
"""Deviation of a strip's luma in 8-bit levels below which a displacement could not be seen in it."""
_LEAST_LIKENESS = 0.5
"""Correlation below which two strips have nothing in common."""


def jitter(points: Array) -> float:
    """Return how much judged landmarks (T, 66, 2) tremble: 0 upwards, in thousandths of the face's height.

    Each point's distance from the middle of where it is a frame earlier and a frame later, mean over points and
    frames: smooth movement leaves almost nothing, noise from frame to frame remains. Face height: brows to chin.
    The judge's own noise is in it, so read :func:`jitter_ratio`. NaN without three consecutive judged frames.
    """
    middle = (points[:-2] + points[2:]) / 2
    residual = np.linalg.norm(points[1:-1] - middle, axis=-1).mean(axis=-1)
    height = np.linalg.norm(points[:, BROWS].mean(axis=1) - points[:, CHIN], axis=-1)
    if not np.isfinite(residual).any():
        return float("nan")
    return 1000 * float(np.nanmean(residual) / np.nanmedian(height))


def jitter_ratio(output: Array, driver: Array) -> float:
    """Return the clip's jitter over its driver's, from judged landmarks of both: 0 upwards, 1: no more, no less.

    NaN where either is undefined or the driver does not tremble at all.
    """
    theirs = jitter(driver)
    return jitter(output) / theirs if theirs > 0 else float("nan")


def flicker(brightness: Array) -> float:
    """Return how much the light flickers: 0 upwards, in 8-bit levels, from the mean luma (T,) of a fixed place.

    The mean distance of each frame's from the middle of its neighbours'. A portrait's light stands still, so 0 is
    right; movement in and out of the place adds a little. NaN for fewer than three frames.
    """
    residual = np.abs(brightness[1:-1] - (brightness[:-2] + brightness[2:]) / 2)
    known = residual[np.isfinite(residual)]
    return float(known.mean()) if len(known) else float("nan")


def brightness(rgb: Picture, box: Box) -> float:
    """Return the mean luma inside a box, 0..255; NaN where the box is outside the picture."""
    x0, y0, x1, y1 = (max(0, round(v)) for v in box)
    part = rgb[y0:y1, x0:x1]
    return float(luma(part).mean()) if part.size else float("nan")


def strips(width: int, height: int, head: Box) -> dict[str, tuple[slice, slice]]:
    """Return the border strips, by side, that show background: those that a head in this box leaves free.

    ``head`` is the box around the landmarks; hair, ears and chin are allowed for. None where the picture shows
    nothing but a head.
    """
    wide = round(STRIP * min(width, height))
    if wide < LEAST_STRIP:
        return {}
    x0, y0, x1, y1 = head
    tall = y1 - y0
    free = {
        "left": x0 - _HEAD["left"] * tall,
        "top": y0 - _HEAD["top"] * tall,
        "right": width - x1 - _HEAD["right"] * tall,
        "bottom": height - y1 - _HEAD["bottom"] * tall,
    }
    places = {
        "left": np.s_[:, :wide],
        "top": np.s_[:wide, :],
        "right": np.s_[:, width - wide :],
        "bottom": np.s_[height - wide :, :],
    }
    return {side: places[side] for side in SIDES if free[side] >= wide}


class Background:
    """What the picture's border strips do against the portrait's: make once, call for each frame."""

    def __init__(self, portrait: Picture, head: Box) -> None:
        """``head``: the box around the portrait's landmarks."""
        height, width = portrait.shape[:2]
        self._size = max(head[3] - head[1], 1e-9)
        self._places = strips(width, height, head)
        self._rest = {side: luma(portrait[place]) for side, place in self._places.items()}

    def __call__(self, rgb: Picture) -> tuple[float, float]:
        """Return the worst side's change and displacement.

        Change: mean absolute luma difference, 0..255. Displacement: of the strip as a whole against the
        portrait's, in hundredths of the face's height, 0 upwards; NaN where no strip has texture. Both NaN where
        no background shows.
        """
        changes, ways = [], []
        for side, place in self._places.items():
            now, rest = luma(rgb[place]), self._rest[side]
            changes.append(float(np.abs(now - rest).mean()))
            ways.append(100 * displacement(rest, now) / self._size)
        known = [way for way in ways if np.isfinite(way)]
        return max(changes, default=float("nan")), max(known, default=float("nan"))


def displacement(rest: Array, now: Array) -> float:
    """Return how far a strip (H, W) has moved as a whole: 0 upwards, in pixels, at most a third of its width.

    The inner part of the strip at rest is looked for in the strip as it is now, by normalised cross-correlation,
    to a part of a pixel. (Phase correlation, the usual choice, halved known shifts of narrow strips.) NaN where
    there is too little texture, or nothing in common. Source: Lewis, "Fast normalized cross-correlation", 1995, as
    in OpenCV.
    """
    if min(rest.std(), now.std()) < _LEAST_TEXTURE:
        return float("nan")
    reach = min(rest.shape) // 3
    inner = rest[reach:-reach, reach:-reach].astype(np.float32)
    likeness: Any = cv2.matchTemplate(now.astype(np.float32), inner, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
    if likeness[row, column] < _LEAST_LIKENESS:
        return float("nan")
    down = float(row) - reach + _summit(likeness[:, column], int(row))
    across = float(column) - reach + _summit(likeness[row], int(column))
    return float(np.hypot(down, across))


def _summit(values: Array, peak: int) -> float:
    """Return where between its neighbours a peak has its summit, -0.5 to 0.5, by a parabola through the three."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, here, after = (float(v) for v in values[peak - 1 : peak + 2])
    # Where nothing moved the peak is 1 and exact, and unequal neighbours say nothing.
    bend = before - 2 * here + after
    return 0.0 if here > 1 - 1e-6 or bend >= 0 else 0.5 * (before - after) / bend


def seam(rgb: Picture, portrait: Picture, region: tuple[int, int, int, int]) -> float:
    """Return how much the border of the painted region shows: in 8-bit levels, 0 is right, above 0 it shows.

    The mean step in luma across the border of ``region`` (left, top, right, bottom: first pixel in, first pixel
    out), less the same step in the portrait. Sides at the picture's own edge have no seam; NaN where all are.
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = region
    rows, columns = slice(top, bottom), slice(left, right)
    steps = []
    for inside, outside, at_edge in (
        ((rows, left), (rows, left - 1), left <= 0),
        ((rows, right - 1), (rows, right), right >= width),
        ((top, columns), (top - 1, columns), top <= 0),
        ((bottom - 1, columns), (bottom, columns), bottom >= height),
    ):
        if not at_edge:
            now, rest = (np.abs(luma(image[inside]) - luma(image[outside])) for image in (rgb, portrait))
            steps.append(now - rest)
    return float(np.concatenate(steps).mean()) if steps else float("nan")
