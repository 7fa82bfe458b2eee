"""How alike two faces are: whether pictures may show two different people.

Two things are compared: the edges of the face, levelled and brought to one size, as histograms of oriented gradients;
and its shape as landmarks give it, relaxed and turned to the front. Of each, only those directions count in which
people differ most for what pictures of one person do (Fisher's linear discriminant). They were learned from footage
by `tools/fit_likeness.py`. This is good for a question, and proves nothing: light, age, and a brush change edges too.

Sources: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005; Belhumeur, Hespanha and
Kriegman, "Eigenfaces vs. Fisherfaces", PAMI 1997.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from gioconda.face import eye_middles
from gioconda.portrait import View
from gioconda.rendering.plates import bounding
from gioconda.retarget import Sitter

Array = NDArray[Any]

ONE_PERSON = 0.15
"""Likeness, -1 to 1, of a picture to those of a person, below which it may show somebody else."""
SIDE = 96
"""Pixels a side of the levelled face."""
EYES_APART, EYES_AT = 0.36, (0.5, 0.42)
"""Distance of the eyes in it, and the place of their middle, in sides."""
SHAPE = 0.8
"""Weight of the shape, where that of the edges is 1."""
_EDGES = cv2.HOGDescriptor((SIDE, SIDE), (24, 24), (12, 12), (12, 12), 9)


@dataclass(frozen=True)
class Discriminant:
    """Directions in which people differ, of k1 and k2 numbers.

    Attributes:
        edges_mean, edges_axes: float32 (1764,) and (1764, k1).
        shape_mean, shape_axes: float32 (1434,) and (1434, k2).
    """

    edges_mean: Array
    edges_axes: Array
    shape_mean: Array
    shape_axes: Array


@cache
def discriminant() -> Discriminant:
    """The one that comes with the package."""
    raw = resources.files("gioconda.data").joinpath("likeness", "likeness.safetensors").read_bytes()
    return Discriminant(**{name: values.astype(np.float32) for name, values in load(raw).items()})


def signature(view: View) -> Array:
    """What a face is compared by, (k1 + k2,): its product with another's is how alike both are, -1 to 1.

    It stays in memory: nothing of it is kept on a disk.
    """
    return signature_of(edges_of(levelled(view, SIDE, EYES_APART, EYES_AT)), shape(view), discriminant())


def signature_of(edges: Array, relaxed: Array, by: Discriminant) -> Array:
    """As `signature`, of `edges_of` a face and its `shape`."""
    found = _unit((edges - by.edges_mean) @ by.edges_axes), _unit((relaxed - by.shape_mean) @ by.shape_axes)
    return _unit(np.concatenate([found[0], SHAPE * found[1]]))


def likenesses(views: Sequence[View]) -> list[float]:
    """How alike each face is to the others, -1 to 1: the median of its likenesses; 1 if it is alone."""
    if len(views) == 1:
        return [1.0]
    signatures = [signature(view) for view in views]
    others = (signatures[:number] + signatures[number + 1 :] for number in range(len(signatures)))
    return [float(np.median(np.array(rest) @ own)) for own, rest in zip(signatures, others, strict=True)]


def edges_of(face: Array) -> Array:
    """Histograms of oriented gradients, (1764,), of a levelled face, uint8 (96, 96, 3)."""
    return np.asarray(_EDGES.compute(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))).ravel()


def shape(view: View) -> Array:
    """The relaxed face from the front, (1434,), in eye distances."""
    height, width = view.rgb.shape[:2]
    return np.asarray(Sitter.of(view.points, width, height).shape, np.float32).ravel()


def levelled(view: View, side: int, apart: float, at: tuple[float, float]) -> Array:
    """The face with level eyes, uint8 (side, side, 3); `apart`, `at`: the eyes' distance and middle, in sides."""
    left, right = (eye.astype(np.float64) for eye in eye_middles(view.points[:, :2]))
    across = (right - left) / (side * apart)
    turn = np.array([across, (-across[1], across[0])])  # of one pixel of the result, in the picture
    corner = (left + right) / 2 - np.array(at) * side @ turn
    sigma = max(float(np.linalg.norm(across)) / 2, 0.3)
    # Of a picture of 100 megapixels only the face is touched.
    corners = corner + side * np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ turn
    x0, y0, x1, y1 = bounding(corners, np.full(2, 4 * sigma + 2), *view.rgb.shape[1::-1])
    soft = cv2.GaussianBlur(view.rgb[y0:y1, x0:x1], (0, 0), sigma)
    place = np.column_stack([turn.T, corner - (x0, y0)])
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(soft, place, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT), np.uint8)


def _unit(values: Array) -> Array:
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-9))
