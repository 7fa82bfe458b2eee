"""Which landmarks carry an expression, and how the rest of the face follows them.

A performance records 128 **control** landmarks instead of 478: all of the lips and brows and an
even spread over the rest of the skin. Lids and irises are not among them: they move by their
opening and gaze. The other landmarks follow harmonically over the triangles of the face, so an
upper lip never drags the lower one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.face import BROWS, CHIN, EYES, LANDMARKS, LIPS, MOUTH_OUTLINE, NOSE_BASE, Points, face_model
from gioconda.geometry import smoothstep

CONTROL_COUNT = 128
LOOSE, BOUND = 0.75, 1.05
"""Eye distances from the middle of the face up to which skin is wholly loose, and from which it does not move."""
SKIN = 468
"""Landmarks before the irises."""

Weights = NDArray[Any]


@cache
def controls() -> tuple[int, ...]:
    """Numbers of the control landmarks, ascending: lips, brows, then farthest-point samples of the skin."""
    shape = face_model().shape[:SKIN]
    lids = {i for eye in EYES for i in eye.outline}
    chosen = [*LIPS, *BROWS[0], *BROWS[1]]
    distance = np.min(np.linalg.norm(shape[:, None] - shape[None, chosen], axis=-1), axis=1)
    distance[list(lids)] = 0
    while len(chosen) < CONTROL_COUNT:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(shape - shape[chosen[-1]], axis=-1))
    return tuple(sorted(chosen))


@cache
def _following() -> Weights:
    """(478, 128): each landmark as a weighted mean of the controls; 1 at the controls themselves.

    Solves Laplace's equation over the edges of the face (weights: inverse square of their length),
    with the controls held. Irises follow the outline of their eye.
    """
    model = face_model()
    triangles = model.triangles.astype(int)
    edges = np.unique(
        np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])), axis=0
    )
    stiffness = 1 / np.square(model.shape[edges[:, 0]] - model.shape[edges[:, 1]]).sum(axis=1)
    laplacian: NDArray[Any] = np.zeros((LANDMARKS, LANDMARKS))
    laplacian[edges[:, 0], edges[:, 1]] = laplacian[edges[:, 1], edges[:, 0]] = stiffness
    for eye in EYES:
        for i in eye.iris:
            laplacian[i, list(eye.outline)] = 1.0
    laplacian -= np.diag(laplacian.sum(axis=1))
    held = np.array(controls())
    free = np.setdiff1d(np.arange(LANDMARKS), held)
    weights = np.zeros((LANDMARKS, len(held)), np.float32)
    weights[held, np.arange(len(held))] = 1
    weights[free] = np.linalg.solve(-laplacian[np.ix_(free, free)], laplacian[np.ix_(free, held)])
    return weights


def spread(offsets: Points) -> Points:
    """Offsets of all landmarks, (478, 3), from those of the controls, (128, 3)."""
    return _following() @ offsets


@cache
def lower_face() -> Weights:
    """(478,): 1 on mouth, chin and jaw, 0 from the nose up, smooth in between."""
    height = face_model().shape[:, 1]
    top, bottom = height[NOSE_BASE] - 0.15, height[list(MOUTH_OUTLINE)].mean() - 0.1
    return smoothstep((height - top) / (bottom - top)).astype(np.float32)


@cache
def looseness() -> Weights:
    """(478,): how far skin can be moved by an expression: 1, but less towards the sides of the head (at the ends of the
    brows and the angles of the jaw), and 0 before the ears, where it lies on bone. What a tracker reports there of a
    turned head is its own error.
    """
    aside = np.abs(face_model().shape[:, 0])
    return (1 - smoothstep((aside - LOOSE) / (BOUND - LOOSE))).astype(np.float32)


def proportions(shape: Points) -> Points:
    """How much larger each landmark's movements are on this face than on the canonical one: (478, 3).

    `shape` is a relaxed face, (478, 3), in eye distances. Around the mouth, widths go with the width
    of the mouth and heights with the distance from nose to chin; above, with the eye distance, the unit.
    """
    canonical = face_model().shape

    def size(points: Points) -> NDArray[Any]:
        left, right = MOUTH_OUTLINE[0], MOUTH_OUTLINE[10]
        wide = np.linalg.norm(points[right] - points[left])
        high = np.linalg.norm(points[CHIN] - points[NOSE_BASE])
        return np.array([wide, high, high], np.float32)

    # Faces differ less than trackers err: a ratio beyond these bounds is an open mouth or a wrong fit.
    ratio = np.clip(size(shape) / size(canonical), 0.7, 1.4)
    return 1 + lower_face()[:, None] * (ratio - 1)
