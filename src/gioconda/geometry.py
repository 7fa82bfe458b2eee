"""Rigid motion of a head: rotations as yaw, pitch and roll, and the closed-form alignment of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Rotation matrix, shape (3, 3), from angles in degrees.

    Axes are the picture's (x right, y down, z away). Yaw is positive when the face turns to the
    picture's right, pitch when it looks up, roll when it tilts clockwise. The head rolls about its
    own line of sight, then nods, then turns: R = Yaw . Pitch . Roll.
    """
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians((yaw, pitch, roll))) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return turn @ nod @ tilt


def angles(matrix: Array) -> Array:
    """Yaw, pitch and roll in degrees, shape (..., 3), of rotations of shape (..., 3, 3): undoes `rotation`."""
    pitch = np.arcsin(np.clip(matrix[..., 1, 2], -1.0, 1.0))
    yaw = np.arctan2(-matrix[..., 0, 2], matrix[..., 2, 2])
    roll = np.arctan2(matrix[..., 1, 0], matrix[..., 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1))


@dataclass(frozen=True)
class Similarity:
    """p -> scale * rotation @ p + translation, for one frame or, with leading axes, for many."""

    scale: Array  # (...)
    rotation: Array  # (..., 3, 3)
    translation: Array  # (..., 3)

    def apply(self, points: Array) -> Array:
        """Move points of shape (..., n, 3)."""
        turned = points @ np.swapaxes(self.rotation, -1, -2)
        return self.scale[..., None, None] * turned + self.translation[..., None, :]

    def undo(self, points: Array) -> Array:
        """Inverse of `apply`."""
        return (points - self.translation[..., None, :]) @ self.rotation / self.scale[..., None, None]


def align(source: Array, target: Array) -> Similarity:
    """Least-squares similarity that takes source, shape (n, 3), to target, shape (..., n, 3).

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", PAMI 1991.
    """
    source_mean, target_mean = source.mean(axis=-2), target.mean(axis=-2)
    source_centred, target_centred = source - source_mean, target - target_mean[..., None, :]
    u, singular, vt = np.linalg.svd(np.swapaxes(target_centred, -1, -2) @ source_centred)
    handedness = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    signs = np.ones_like(singular)
    signs[..., -1] = handedness
    turn = (u * signs[..., None, :]) @ vt
    scale = (singular * signs).sum(axis=-1) / np.square(source_centred).sum()
    translation = target_mean - scale[..., None] * np.einsum("...ij,j->...i", turn, source_mean)
    return Similarity(scale, turn, translation)


def smoothstep(t: Array | float) -> Array:
    """0 below 0, 1 above 1, smooth between (3 t^2 - 2 t^3)."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
