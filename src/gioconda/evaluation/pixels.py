"""How close a made frame comes to the true one, pixel by pixel. Pure functions.

Pictures are RGB ``uint8 (H, W, 3)``; a region is a mask ``bool (H, W)`` of the pixels that count. Regions come
from the true frame's 478 landmarks, so they are the same whoever made the frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gioconda.evaluation.judges import Array, Picture
from gioconda.face import EYES, LIPS, Points

Mask = npt.NDArray[np.bool_]

REGIONS = ("frame", "face", "mouth", "eyes")
HIGHEST_PSNR = 100.0
"""Decibels that two equal pictures are given: infinity could not be averaged. The next best, one pixel of a
256 px frame off by one level in one colour, has 101 dB, and is given 100 as well."""

# Wang et al. 2004: an 11 x 11 Gaussian window of 1.5 pixels, and constants for 8-bit levels.
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def regions(points: Points, height: int, width: int) -> dict[str, Mask]:
    """Return the regions of :data:`REGIONS` for landmarks (478, 3) in pixels of a frame of this size.

    ``frame``: everything. ``face``: the convex hull of all landmarks. ``mouth``: a box around the lips, grown
    by a quarter of its width on every side, so that teeth, chin fold and the corners' wrinkles are in.
    ``eyes``: a box around each eye with its lid crease, grown by a fifth of its width; both together.
    """
    hull: Any = cv2.convexHull(points[:, :2].astype(np.float32))
    face = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(face, np.rint(hull).astype(np.int32), (1,))
    eyes = np.zeros((height, width), bool)
    for eye in EYES:
        eyes |= _box(points[[*eye.outline, *eye.crease], :2], 0.2, height, width)
    return {
        "frame": np.ones((height, width), bool),
        "face": face.astype(bool),
        "mouth": _box(points[list(LIPS), :2], 0.25, height, width),
        "eyes": eyes,
    }


def l1(made: Picture, true: Picture, region: Mask | None = None) -> float:
    """Return the mean absolute difference: 0 (equal) to 255, in 8-bit levels, over all three colours.

    NaN for an empty region.
    """
    return _mean(np.abs(made.astype(np.int16) - true).mean(axis=2), region)


def psnr(made: Picture, true: Picture, region: Mask | None = None) -> float:
    """Return the peak signal-to-noise ratio: 10 log10(255^2 / MSE), 0 to 100 decibels, over all three colours.

    Equal pictures get :data:`HIGHEST_PSNR`. NaN for an empty region.
    """
    error = _mean(np.square(made.astype(np.float64) - true).mean(axis=2), region)
    if np.isnan(error):
        return error
    return float(HIGHEST_PSNR if error == 0 else min(HIGHEST_PSNR, 10 * np.log10(255**2 / error)))


def ssim(made: Picture, true: Picture, region: Mask | None = None) -> float:
    """Return the structural similarity on luma: -1 to 1, 1 for equal pictures, no unit.

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    2004: means, variances and covariance under a Gaussian window of 11 x 11 pixels, sigma 1.5; the map is
    averaged over the region. Pixels less than half a window from the frame's edge are left out. NaN where
    nothing is left.
    """
    return ssim_mean(ssim_map(made, true), region)


def ssim_map(made: Picture, true: Picture) -> Array:
    """Return the structural similarity of each pixel (H, W), NaN less than half a window from the edge."""
    x, y = luma(made), luma(true)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    both = _blur(x * y) - mean_x * mean_y
    found = ((2 * mean_x * mean_y + _C1) * (2 * both + _C2)) / ((mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2))
    rim = _WINDOW // 2
    inside = np.full(x.shape, np.nan)
    inside[rim:-rim, rim:-rim] = found[rim:-rim, rim:-rim]
    return inside


def ssim_mean(similarity: Array, region: Mask | None = None) -> float:
    """Return the mean of a :func:`ssim_map` over a region, NaN where nothing of it is left."""
    known = np.isfinite(similarity)
    return _mean(similarity, known if region is None else known & region)


def luma(rgb: Picture) -> Array:
    """Return the brightness (...) of pixels (..., 3), 0 to 255: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)."""
    return np.asarray(rgb.astype(np.float64) @ [0.299, 0.587, 0.114])


def compare(made: Picture, true: Picture, where: Mapping[str, Mask]) -> dict[str, float]:
    """Return PSNR, SSIM and L1 for each region, as ``psnr_face`` and so on."""
    structure = ssim_map(made, true)
    found = {}
    for name, region in where.items():
        found[f"psnr_{name}"] = psnr(made, true, region)
        found[f"ssim_{name}"] = ssim_mean(structure, region)
        found[f"l1_{name}"] = l1(made, true, region)
    return found


def akd(made: Array, true: Array, eye_distance: float) -> float:
    """Return the average keypoint distance: 0 upwards, in iris-to-iris distances of the true face.

    The mean distance between the judge's landmarks (66, 2) on the made and on the true frame. NaN where either
    has no face. Source: Siarohin et al., "First order motion model for image animation", 2019, which divides
    by nothing; here pixels are divided by :func:`iris_distance`, so that frames of any size compare.
    """
    return float(np.linalg.norm(made - true, axis=-1).mean() / eye_distance)


def iris_distance(points: Points) -> float:
    """Return the distance between the irises' middles in pixels, of landmarks (478, 3).

    In 3-D: in the picture it would shrink to nothing on a face in profile.
    """
    left, right = (points[eye.iris[0]].astype(np.float64) for eye in EYES)
    return float(np.linalg.norm(right - left))


def _mean(values: Array, region: Mask | None) -> float:
    """Return the mean of (H, W) over a region, NaN if that is empty."""
    chosen = values if region is None else values[region]
    return float(chosen.mean()) if chosen.size else float("nan")


def _blur(values: Array) -> Array:
    """Return (H, W) under the Gaussian window."""
    blurred: Any = cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)
    return np.asarray(blurred)


def _box(points: Array, grown: float, height: int, width: int) -> Mask:
    """Return the box around points (N, 2), grown on every side by a part of its width."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    rim = grown * (x1 - x0)
    mask = np.zeros((height, width), bool)
    top, bottom = max(0, int(np.floor(y0 - rim))), max(0, int(np.ceil(y1 + rim)) + 1)
    left, right = max(0, int(np.floor(x0 - rim))), max(0, int(np.ceil(x1 + rim)) + 1)
    mask[top:bottom, left:right] = True
    return mask
