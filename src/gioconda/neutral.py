"""The driver's relaxed face and resting pose, estimated from many frames, never from the first one.

Source of the idea that the reference must be estimated: the most frequent complaint about tools
that take the first frame of the driver for neutral.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.expression import lower_face
from gioconda.face import (
    EYES,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    MOUTH_OUTLINE,
    STEADY,
    Points,
    face_model,
)
from gioconda.geometry import Similarity, align, angles

Array = NDArray[Any]
_STEADY = list(STEADY)

UNSEEN_CLOSED = 0.2
"""Lid gap of a closed eye over that of a relaxed one, as trackers report it, where no blink was seen."""


@dataclass(frozen=True)
class Neutral:
    """What a driver looks like and where the head is when nothing happens.

    Attributes:
        shape: (478, 3) relaxed face in eye distances, upright, axes of the canonical face.
        angles: (3,) resting yaw, pitch, roll in degrees.
        position: (2,) resting place of the point between the eyes in picture pixels.
        size: resting eye distance in pixels.
        lids_open: (2,) relaxed lid gap over eye width, per eye.
        lids_closed: (2,) the same of a closed eye.
        gaze: (2,) resting place of the irises in eye widths.
    """

    shape: Points
    angles: Array
    position: Array
    size: float
    lids_open: Array
    lids_closed: Array
    gaze: Array


def head_pose(shape: Points, points: Points) -> Similarity:
    """Rigid pose that takes a relaxed face, (478, 3), onto tracked landmarks, (..., 478, 3)."""
    return align(shape[_STEADY].astype(np.float64), points[..., _STEADY, :].astype(np.float64))


def lid_gaps(points: Points) -> Array:
    """Lid gap over eye width of both eyes, shape (..., 2); the middle half of the lids is measured."""
    gaps = []
    for eye in EYES:
        apart = points[..., eye.upper[2:-2], :] - points[..., eye.lower[2:-2], :]
        width = points[..., eye.corners[1], :] - points[..., eye.corners[0], :]
        gaps.append(np.linalg.norm(apart, axis=-1).mean(axis=-1) / np.linalg.norm(width, axis=-1))
    return np.stack(gaps, axis=-1)


def mouth_gap(points: Points) -> Array:
    """Mean gap between the inner lips, in the points' unit, shape (...)."""
    upper, lower = list(LIPS_INNER_UPPER[3:8]), list(LIPS_INNER_LOWER[3:8])
    return np.linalg.norm(points[..., upper, :] - points[..., lower, :], axis=-1).mean(axis=-1)


def eye_trust(yaw: Array) -> Array:
    """How far to believe each eye, shape (..., 2), 0.02 to 1: the far one of a turned head is foreshortened."""
    turned = np.clip((np.stack([-yaw, yaw], axis=-1) - 20) / 20, 0, 0.98)
    return 1 - turned


def iris_places(points: Points, trust: Array) -> Array:
    """Irises right and down of the eyes' middles, in eye widths, mean of both eyes, shape (..., 2)."""
    places = []
    for eye in EYES:
        left, right = points[..., eye.corners[0], :2], points[..., eye.corners[1], :2]
        width = np.linalg.norm(right - left, axis=-1)[..., None]
        places.append((points[..., eye.iris[0], :2] - (left + right) / 2) / width)
    weight = trust / trust.sum(axis=-1, keepdims=True)
    return places[0] * weight[..., :1] + places[1] * weight[..., 1:]


def estimate_neutral(samples: Points) -> Neutral:
    """Relaxed face and resting pose of one person from tracked landmarks, (n, 478, 3) in pixels, n >= 1.

    The shape is a median over frames near the resting pose; around the mouth only over those with
    the mouth most at rest, so that a driver who speaks all the time still has closed lips in neutral.
    """
    shape = face_model().shape
    for _ in range(2):  # the second time with the driver's own shape, which separates pose from expression better
        pose = head_pose(shape, samples)
        upright = pose.undo(samples.astype(np.float64))
        turn = angles(pose.rotation)
        rest = np.median(turn, axis=0)
        away = np.abs(turn - rest).max(axis=1)
        calm = upright[away <= max(10.0, np.percentile(away, 30))]
        width = np.linalg.norm(calm[:, MOUTH_OUTLINE[0]] - calm[:, MOUTH_OUTLINE[10]], axis=1)
        unrest = mouth_gap(calm) + 0.5 * np.abs(width - np.median(width))
        at_rest = calm[unrest <= np.percentile(unrest, 15)]
        share = lower_face()[:, None]
        shape = np.median(calm, axis=0) * (1 - share) + np.median(at_rest, axis=0) * share
        shape = shape.astype(np.float32)
    pose = head_pose(shape, samples)
    upright = pose.undo(samples.astype(np.float64))
    turn = angles(pose.rotation)
    gaps = lid_gaps(upright)
    lids_open = np.percentile(gaps, 60, axis=0)
    lowest = np.percentile(gaps, 1, axis=0)
    closed = np.where(lowest < 0.5 * lids_open, np.clip(lowest, 0.05 * lids_open, 0.35 * lids_open), 0)
    return Neutral(
        shape=shape,
        angles=np.median(turn, axis=0),
        position=np.median(pose.translation[:, :2], axis=0),
        size=float(np.median(pose.scale)),
        lids_open=lids_open,
        lids_closed=np.where(closed > 0, closed, UNSEEN_CLOSED * lids_open),
        gaze=np.median(iris_places(upright, eye_trust(turn[:, 0])), axis=0),
    )
