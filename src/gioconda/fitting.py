"""Fit the face to a few marked points: where no tracker sees one, a person shows where it is.

The face is the canonical shape plus modes, the directions in which faces and expressions vary most
(`data/face_variation.safetensors`, made by ``tools/build_face_model.py``). Pose and modes are the
most probable ones given the marks, found by Gauss-Newton on a scaled orthographic view; what no
face of the model explains (drawings keep no human proportions) is a smooth displacement on top, so
that the mesh passes through the marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from gioconda.face import (
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    Eye,
    Points,
    face_model,
)
from gioconda.geometry import rotation, smoothstep

Array = NDArray[Any]

NOISE = 0.03
"""Standard deviation of a mark, in eye distances."""
USUAL_PITCH = -7.0
"""Degrees that the tracker sees a face look down which looks at the camera: mean of the training stills."""
YAW_SPREAD, PITCH_SPREAD = 17.0, 8.0
"""Standard deviation, in degrees, of the poses in which people are pictured: of the training stills."""
MOST_YAW, MOST_PITCH = 60.0, 45.0
"""Degrees beyond which the marks of a face say nothing."""
STEPS = 12
"""Of Gauss-Newton: the last ones change nothing that is seen."""
REACHES = (0.5, 0.15)
"""How far, in eye distances, a mark that the model does not explain drags its surroundings along: half of it the
first distance, half the second, so that a large drawn eye moves a cheek, and its corner need not move its lid."""
LID_REACHES = (0.2,)
"""The same for the lids of one eye: so near that the other eye stays."""
ALMOND, ROUND = 0.35, 0.6
"""Height over width of an eye that is shaped as people's are, and of one drawn as an ellipse."""
IRIS = 0.35
"""Radius of the iris in a drawn eye, at least, over the height of the eye."""
LID_SLACK = 0.1
LEAST_FOLD = 0.06
"""Skin between a lid and the brow, at least, in half widths of the eye."""
SLACK = 0.02
"""Variance of a mark over that of the unexplained: marks side by side that contradict each other are averaged."""


@cache
def _modes() -> Array:
    """(modes, 478, 3) in eye distances, each one standard deviation long."""
    raw = resources.files("gioconda.data").joinpath("face_variation.safetensors").read_bytes()
    return load(raw)["modes"].astype(np.float64)


@dataclass(frozen=True)
class _Face:
    """A face of the model in a view: what Gauss-Newton solves for."""

    log_scale: float
    angles: Array  # (3,) yaw, pitch, roll in degrees
    translation: Array  # (2,)
    amounts: Array  # (modes,) in standard deviations

    def moved(self, step: Array) -> _Face:
        angles = self.angles + np.clip(step[1:4], -20, 20)
        most = np.array([MOST_YAW, MOST_PITCH, np.inf])
        return _Face(
            self.log_scale + float(np.clip(step[0], -0.5, 0.5)),
            np.clip(angles, -most, most),
            self.translation + step[4:6],
            self.amounts + step[6:],
        )

    def seen(self, shape: Array, modes: Array, angles: Array | None = None) -> Array:
        """Points of a shape, (n, 3), with its modes, (m, n, 3), in the view: (n, 3)."""
        turn = rotation(*(self.angles if angles is None else angles))
        moved = np.exp(self.log_scale) * (shape + np.tensordot(self.amounts, modes, 1)) @ turn.T
        return moved + np.append(self.translation, 0.0)


def fit_face(which: Array, places: Array) -> Points:
    """The whole face from a few of its points.

    Args:
        which: (n, 478), each row the weights of the landmarks whose mean a mark shows, sum 1.
        places: (n, 2), where the marks are, in pixels. Five that spread over the face are enough.

    Returns:
        (478, 3) float32 landmarks, in the same pixels.
    """
    shape, modes = face_model().shape.astype(np.float64), _modes()
    known, known_modes = which @ shape, np.einsum("ni,mij->mnj", which, modes)
    # In units of the model, so that the spread of marks and poses means the same for every picture.
    middle = places.mean(axis=0)
    unit = np.linalg.norm(places - middle) / np.linalg.norm((known - known.mean(axis=0))[:, :2])
    marks = (places - middle) / unit
    face = _most_probable(known, known_modes, marks)
    points = face.seen(shape, modes)
    points[:, :2] += _smooth(which @ shape[:, :2], marks - face.seen(known, known_modes)[:, :2], REACHES, SLACK)
    points *= unit
    points[:, :2] += middle
    return points.astype(np.float32)


def upright(known: Array, marks: Array) -> Array:
    """(2, 2) rotation that turns marks, (n, 2), upright, as the points, (n, 2), of the canonical face are.

    Source: Schoenemann, "A generalized solution of the orthogonal Procrustes problem", 1966.
    """
    from_, to = marks - marks.mean(axis=0), known - known.mean(axis=0)
    angle = np.arctan2((from_[:, 0] * to[:, 1] - from_[:, 1] * to[:, 0]).sum(), (from_ * to).sum())
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _most_probable(shape: Array, modes: Array, marks: Array) -> _Face:
    """Pose and modes by Gauss-Newton, for points (n, 3), their modes (m, n, 3), and marks (n, 2)."""
    turn = upright(shape[:, :2], marks)
    roll = float(np.degrees(np.arctan2(turn[0, 1], turn[0, 0])))
    expected = np.concatenate([np.zeros(6), np.zeros(len(modes))])
    expected[2] = USUAL_PITCH
    trust = np.concatenate([[0, YAW_SPREAD**-2, PITCH_SPREAD**-2, 0, 0, 0], np.ones(len(modes))])
    face = _Face(0.0, np.array([0.0, USUAL_PITCH, roll]), np.zeros(2), np.zeros(len(modes)))
    face = face.moved(np.concatenate([np.zeros(4), -face.seen(shape, modes)[:, :2].mean(axis=0), face.amounts]))
    for _ in range(STEPS):
        seen = face.seen(shape, modes)[:, :2]
        slope = np.zeros((*marks.shape, len(expected)))
        slope[..., 0] = seen - face.translation
        for axis in range(3):
            degree = np.eye(3)[axis] * 0.01
            slope[..., 1 + axis] = (face.seen(shape, modes, face.angles + degree)[:, :2] - seen) / 0.01
        slope[:, 0, 4] = slope[:, 1, 5] = 1
        slope[..., 6:] = np.moveaxis(np.exp(face.log_scale) * modes @ rotation(*face.angles)[:2].T, 0, -1)
        slope = slope.reshape(-1, len(expected))
        now = np.concatenate([[face.log_scale], face.angles, face.translation, face.amounts])
        off = (marks - seen).ravel()
        pull = slope.T @ off / NOISE**2 + trust * (expected - now)
        face = face.moved(np.linalg.solve(slope.T @ slope / NOISE**2 + np.diag(trust), pull))
    return face


def _smooth(at: Array, off: Array, reaches: tuple[float, ...], slack: float) -> Array:
    """What is known at some places of the canonical face, (n, 2) each, smoothly over all of it: (478, 2).

    Source: Gaussian-process regression; Rasmussen & Williams, 2006, eq. 2.25.
    """

    def alike(a: Array, b: Array) -> Array:
        distance = np.square(a[:, None] - b[None]).sum(axis=-1)
        return np.mean([np.exp(-distance / (2 * reach**2)) for reach in reaches], axis=0)

    everywhere = face_model().shape[:, :2].astype(np.float64)
    return alike(everywhere, at) @ np.linalg.solve(alike(at, at) + slack * np.eye(len(at)), off)


def closed_lips(points: Points) -> Points:
    """The same face, (478, 3), with the lips meeting half way: a smile does not mean that teeth are seen."""
    upper, lower = list(LIPS_INNER_UPPER), list(LIPS_INNER_LOWER)
    half = (points[lower] - points[upper]) / 2
    closed = points.copy()
    closed[upper] += half
    closed[lower] -= half
    closed[list(LIPS_OUTER_UPPER)] += half
    closed[list(LIPS_OUTER_LOWER)] -= half
    return closed


def shaped_lids(points: Points, eye: Eye, brow: tuple[int, ...]) -> Points:
    """The same face, (478, 3), with an eye as round as the height of its opening asks for.

    Corners and the lids' middles stay. People's eyes are almonds; large drawn ones are ellipses,
    whose white an almond would leave outside, to be seen when the lids shut. The skin between lid
    and brow, from which a shut lid is made, is kept between them.
    """
    outline, upper, middle = list(eye.outline), list(eye.upper), len(eye.upper) // 2
    left, right = (points[corner, :2].astype(np.float64) for corner in eye.corners)
    along = (right - left) / 2
    frame = np.stack([along, (-along[1], along[0])])  # in half widths of the eye: along it, and down

    def inside(numbers: list[int]) -> Array:
        return (points[numbers, :2] - (left + right) / 2) @ frame.T / (along @ along)

    x, y = inside(outline).T
    lids = y[middle], y[len(upper) - 1 + middle]
    height = (lids[1] - lids[0]) / 2
    share = float(smoothstep((height - ALMOND) / (ROUND - ALMOND)))
    apex = np.where(np.arange(len(y)) < len(upper), *lids)
    arc = apex * np.sqrt(np.clip(1 - x**2, 0, 1) / np.clip(1 - x[middle] ** 2, 0.01, 1))
    wanted = np.stack([x, y + share * (arc - y)], axis=1)
    at = face_model().shape[outline, :2].astype(np.float64)
    shaped = points.copy()
    shaped[:, :2] += _smooth(at, (wanted - inside(outline)) @ frame, LID_REACHES, LID_SLACK)
    shaped[outline, :2] = wanted @ frame + (left + right) / 2
    edge = inside(sorted(brow[5:], key=lambda i: float(points[i, :2] @ along)))
    lashes = wanted[1 : len(upper) - 1]
    room = np.minimum(np.interp(lashes[:, 0], *edge.T) - lashes[:, 1], -LEAST_FOLD)
    for row, way in ((eye.crease, 1 / 3), (eye.hollow, 2 / 3)):
        between = (lashes + np.stack([0 * room, way * room], axis=1)) @ frame + (left + right) / 2
        shaped[list(row), :2] += share * (between - shaped[list(row), :2])
    iris = list(eye.iris)
    rim = points[iris] - points[iris[0]]
    radius = float(np.linalg.norm(rim[1:, :2], axis=1).mean())
    shaped[iris] = points[iris[0]] + rim * max(1.0, 2 * IRIS * height * np.linalg.norm(along) / max(radius, 1e-6))
    return shaped
