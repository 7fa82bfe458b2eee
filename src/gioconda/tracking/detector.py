"""The detector at work: all faces of a picture, with five points each, from a pyramid of ever larger copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.inference import open_network
from gioconda.tracking.crops import Array, Crop

STRIDE = 8
"""Pixels a cell of the detector's map."""
MULTIPLE = 32
"""The network's picture has sides of multiples of so many pixels."""
PYRAMID = (320, 640, 1280, 2560)
"""Longest sides, in pixels, at which a picture is searched."""
ALWAYS = 2
"""So many of them always; finer ones while nothing was found."""
MOST = 100
"""Peaks taken at each size, the surest: more faces than that are a crowd, or a network gone wrong."""
SURE = 0.15
"""Score from which a peak may be a face; the landmark network, which looks closer, has the last word."""


@dataclass(frozen=True)
class Detection:
    """A face: eyes, nose tip and corners of the mouth, (5, 2), in picture pixels, left ones first; and a score."""

    five: Array
    score: float

    @property
    def crop(self) -> Crop:
        """Where to look for landmarks."""
        return Crop.around_five(self.five)


class Detector:
    """A detector network. `path` is what `gioconda train tracker` exports."""

    def __init__(self, path: Path) -> None:
        self._session = open_network(path, threads=1)

    def __call__(
        self, rgb: NDArray[np.uint8], sizes: Sequence[int] = PYRAMID, threshold: float = SURE
    ) -> list[Detection]:
        """All faces of a picture, uint8 (height, width, 3), surest first; searched at some longest sides."""
        longest = max(rgb.shape[:2])
        found: list[Detection] = []
        for number, size in enumerate(sizes):
            if (number >= ALWAYS and found) or (number and size / 2 >= longest):
                break
            found += self.at_size(rgb, min(size, 2 * longest), threshold)
        return distinct(found)

    def at_size(self, rgb: NDArray[np.uint8], size: int, threshold: float = SURE) -> list[Detection]:
        """The faces of a picture shrunk or grown to a longest side of `size` pixels."""
        height, width = rgb.shape[:2]
        zoom = size / max(height, width)
        shape = max(1, round(width * zoom)), max(1, round(height * zoom))
        small = _resized(rgb, shape)
        below, beside = (-v % MULTIPLE for v in small.shape[:2])
        small = np.asarray(cv2.copyMakeBorder(small, 0, below, 0, beside, cv2.BORDER_REPLICATE), np.uint8)
        heat, shapes = self._session.run(None, {"picture": small[None]})
        scale = np.array([width / shape[0], height / shape[1]])
        return [Detection((five + 0.5) * scale - 0.5, score) for five, score in peaks(heat[0, 0], shapes[0], threshold)]


def _resized(rgb: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture with another width and height; by halves as long as it can be, which is far quicker than at once."""
    while rgb.shape[1] >= 2 * shape[0] and rgb.shape[0] >= 2 * shape[1] > 2:
        half = rgb.shape[1] // 2, rgb.shape[0] // 2
        rgb = np.asarray(cv2.resize(rgb, half, interpolation=cv2.INTER_AREA), np.uint8)
    smaller = shape[0] < rgb.shape[1]
    return np.asarray(cv2.resize(rgb, shape, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8)


def peaks(heat: Array, shapes: Array, threshold: float) -> list[tuple[Array, float]]:
    """Faces in a detector's output: five points, (5, 2), in pixels of its picture, and a score, for each local maximum.

    Args:
        heat: (h, w) scores, 0 to 1, a cell every `STRIDE` pixels.
        shapes: (11, h, w): logarithm of the face's size in pixels, then the five points' places from the
            cell's middle in sizes, across and down.
        threshold: of the scores.
    """
    highest: Any = cv2.dilate(heat.astype(np.float32), np.ones((3, 3), np.uint8))
    places = np.argwhere((heat >= highest) & (heat >= threshold))
    surest = np.argsort(-heat[tuple(places.T)], kind="stable")[:MOST]
    found = []
    for row, column in places[surest]:
        values = shapes[:, row, column].astype(np.float64)
        middle = (np.array([column, row]) + 0.5) * STRIDE - 0.5
        found.append((middle + np.exp(values[0]) * values[1:].reshape(5, 2), float(heat[row, column])))
    return found


def distinct(found: list[Detection]) -> list[Detection]:
    """Surest first, without those whose middle lies within a third of a surer one's crop."""
    kept: list[Detection] = []
    crops: list[Crop] = []
    for face in sorted(found, key=lambda f: -f.score):
        crop = face.crop
        if all(np.hypot(crop.x - o.x, crop.y - o.y) > 0.33 * max(crop.side, o.side) for o in crops):
            kept.append(face)
            crops.append(crop)
    return kept
