"""Looking for the mark of `mark.py` in pictures of any size: crops, enlargements and re-encodings of marked ones.

What the picture itself shows is taken out as far as a median can guess it. For every size that the
tile may have, the rest is laid tile upon tile and compared, in the frequency domain, with the tile
in every position at once. The score is how many standard deviations the best position stands out;
without a mark it follows the largest of some millions of normal numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.credentials.mark import GRID, NAME, waves

Array = NDArray[Any]

THRESHOLD = 7.0
"""Score from which on the mark counts as found; what this means is measured in `docs/credentials.md`."""

_LARGEST_TILE, _SMALLEST_TILE = 1.0, 0.05
"""Sizes of the tile that are tried, over the frame's longer side."""
_FINEST_TILE = 40
"""Pixels; a smaller tile has lost its waves."""
_SIDES = (1280, 640, 320, 160, 80)
"""Longer sides, in pixels, at which the picture is taken out."""
_NEAR = (-0.006, -0.003, 0.003, 0.006)
"""Where the best sizes are tried again, as shares of them."""
_WINDOW = 2 / 3
"""Sides of the four windows at the corners, over the frame's, that are tried beside the whole: the region that is
marked may be a part of the frame."""


@dataclass(frozen=True)
class Detection:
    """Whether the mark is there.

    Attributes:
        score: standard deviations by which the best match stands out.
        frames: how many frames were looked at together.
    """

    score: float
    frames: int

    @property
    def found(self) -> bool:
        """Whether the score is beyond what chance gives."""
        return self.score >= THRESHOLD


def detect(frames: Iterable[NDArray[np.uint8]]) -> Detection:
    """Look for the mark in frames of one clip, uint8 (height, width, 3), all of one size.

    A few dozen frames are enough; they are looked at one by one and not kept.
    """
    rests: dict[int, Array] = {}
    count, longer = 0, 0
    for rgb in frames:
        longer = max(rgb.shape[:2])
        for side, rest in without_picture(rgb):
            rests[side] = rests[side] + rest if count else rest
        count += 1
    return Detection(float(best_scores(rests, longer, (NAME,))[0]) if count else 0.0, count)


def best_scores(rests: dict[int, Array], longer: int, names: Sequence[bytes]) -> Array:
    """The best score over all sizes for marks of some names; others than the product's measure false alarms.

    Args:
        rests: what is left of the frames without the picture, by longer side.
        longer: the frames' own longer side in pixels.
        names: of the marks.
    """
    sizes = _sizes(longer)
    scores = np.stack([_scores(rests, size, names) for size in sizes])
    again = sorted({int(index) for index in np.argsort(scores, axis=0)[-4:].ravel()})
    nearby = [_scores(rests, sizes[index] * (1 + nudge), names) for index in again for nudge in _NEAR]
    return np.max([*scores, *nearby], axis=0)


def without_picture(rgb: NDArray[np.uint8]) -> Iterator[tuple[int, Array]]:
    """What is left of a frame at several longer sides, float32, clipped to -1 to 1."""
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).astype(np.float32)
    height, width = grey.shape
    for side in _SIDES:
        factor = side / max(height, width)
        if factor > GRID / _FINEST_TILE and side > _SIDES[-1]:
            continue
        size = max(8, round(width * factor)), max(8, round(height * factor))
        fitted = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        rest = fitted - cv2.medianBlur(fitted, 5)
        spread = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), 3)) + 1
        yield side, np.clip(rest / spread, -1, 1)


def _sizes(longer: int) -> list[float]:
    """Sizes of the tile to try, over the longer side: so close that one of them fits in the whole frame."""
    sizes, size = [], _LARGEST_TILE
    while size >= max(_SMALLEST_TILE, min(_FINEST_TILE / longer, _LARGEST_TILE)):
        sizes.append(size)
        size = 1 / (1 / size + max(0.06, 0.016 / size))
    return sizes


def _scores(rests: dict[int, Array], size: float, names: Sequence[bytes]) -> Array:
    """How much the best position stands out for tiles of one size, over the longer side; one score a name."""
    spectra = np.fft.rfft2(_folded(rests, GRID / size))
    used = waves() != 0
    strength = np.abs(spectra)
    # Between the phase alone and the full amplitude: neither a strong wave of the picture decides, nor noise.
    spectra = np.where(used, spectra / np.sqrt(strength + 1e-9), 0)
    spread = np.maximum(np.sqrt((strength * used).sum((1, 2)) / 2), 1e-9)
    best = []
    for name in names:
        match = np.fft.irfft2(spectra * np.conj(waves(name)), (GRID, GRID)) * (GRID * GRID / 2)
        best.append((match.max((1, 2)) / spread).max())
    return np.array(best)


def _folded(rests: dict[int, Array], side: float) -> Array:
    """The tiles of each window laid upon each other, (windows, 64, 64), of a frame with a longer side in samples."""
    rest = rests[min((s for s in rests if s >= side), default=max(rests))]
    factor = side / max(rest.shape)
    # Not `resize`: it rounds the factor so that whole samples fit, and the tiles would drift apart.
    matrix = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])
    rows, columns = (int(np.ceil(length * factor / GRID)) for length in rest.shape)
    fitted = cv2.warpAffine(rest, matrix, (columns * GRID, rows * GRID))
    tiles = fitted.reshape(rows, GRID, columns, GRID)
    high, wide = int(np.ceil(rows * _WINDOW)), int(np.ceil(columns * _WINDOW))
    corners = {(top, left) for top in (0, rows - high) for left in (0, columns - wide)}
    windows = [tiles[top : top + high, :, left : left + wide].sum((0, 2)) for top, left in sorted(corners)]
    return np.stack([*windows, tiles.sum((0, 2))])
