"""Put a performance onto a portrait's own face shape. Pure functions on landmarks.

Only differences are transferred, in the portrait's proportions: a portrait driven by no movement
stays as it is to the last bit, and keeps its own shape whoever drives it (the 2019 system drew the
driver's landmarks as they were, so a driver with another face changed the portrait's identity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import UsageError
from gioconda.expression import looseness, lower_face, proportions, spread
from gioconda.face import (
    EYES,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    Eye,
    Points,
    bounds,
    eye_distance,
    face_model,
)
from gioconda.geometry import Similarity, angles, rotation
from gioconda.neutral import head_pose, lid_gaps
from gioconda.performance import Motion

Array = NDArray[Any]

MOST_YAW, MOST_PITCH, MOST_ROLL = 38.0, 24.0, 26.0
"""Degrees a picture can be turned from its own pose: beyond, it would have to show what was never painted."""
MOST_PROFILE = 50.0
"""Degrees of yaw against the camera that a turn may lead to."""
HIDDEN = 0.5
"""Degrees of turning to the camera that are lost for each degree the head is painted away from it."""
LEAST_YAW = 12.0
"""Degrees that any head may turn either way."""
MOST_SHIFT, MOST_GROWTH = 0.38, 0.15
"""Eye distances the head may move, and logarithm of how much nearer it may come."""
ROOM, LEAST_ROOM = 0.9, 0.4
"""Eye distances around the face that leave it free to tilt and move, and the share of that freedom nearer the edge."""
MOST_GAZE = 0.34
"""Eye widths the irises may leave the place where they were painted."""
EASED = 0.6
"""Share of each limit within which movement is left as it is; the rest is approached, never reached."""
CLOSURE = 0.22
"""Where the lids meet: share of the opening, from the lower lid up."""
SHUT = 0.65
"""Share of an eye's usual opening below which a picture caught it shut."""
CREASE = 0.3
"""Share of the upper lid's way down that the fold above it goes along."""


@dataclass(frozen=True)
class Gains:
    """How much of each part of a performance reaches the portrait; 1 is all, 0 none.

    Attributes:
        head: turning, nodding, tilting and moving.
        mouth: lips, jaw and cheeks beside them.
        eyes: lids and gaze.
        brows: brows, forehead and upper cheeks.
        gaze: of what `eyes` leaves of the gaze.
    """

    head: float = 1.0
    mouth: float = 1.0
    eyes: float = 1.0
    brows: float = 1.0
    gaze: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 3:
                raise UsageError(f"the gain of {name} is {value:g}; use 0 (none) to 3, 1 being the driver's own")


@dataclass(frozen=True)
class Sitter:
    """The face in one picture, taken apart: where it is, how it is turned, and its relaxed shape.

    `pose` takes `shape`, (478, 3) in eye distances, to the picture's pixels; `scale` is per-landmark
    reach of movements against the canonical face (`expression.proportions`); `room`, 0.4 to 1, is how
    freely the head may tilt and move before the picture's edge or a neighbour is in the way.
    """

    pose: Similarity
    angles: Array
    shape: Points
    scale: Points
    room: float

    @staticmethod
    def of(
        points: Points, width: int, height: int, neighbours: Sequence[Points] = (), others: Sequence[Points] = ()
    ) -> Sitter:
        """From tracked landmarks, (478, 3) in pixels, in a picture of some size with some other faces.

        `others` are the same person's in further pictures: eyes that are shut in this one alone are opened.
        """
        exact = points.astype(np.float64)
        pose = head_pose(face_model().shape, exact)
        shape = _awake(pose.undo(exact), [_level(other.astype(np.float64)) for other in others])
        left, top, across, _ = bounds(points)
        # What lies between neighbours is for both to move in, and for the hair of both.
        space = min(left, top, width - left - across, *(_gap(points, other) / 4 for other in neighbours))
        space /= float(eye_distance(exact))
        room = float(np.clip(space / ROOM, LEAST_ROOM, 1.0))
        return Sitter(pose, angles(pose.rotation), shape, proportions(shape), room)


def _level(points: Points) -> Points:
    """A face's shape, (478, 3) in eye distances."""
    return head_pose(face_model().shape, points).undo(points)


def _awake(shape: Points, others: Sequence[Points]) -> Points:
    """The shape with eyes that are far less open than in the person's other pictures as open as they are there."""
    shapes = (shape, *others)
    openings = [float(lid_gaps(one).mean()) for one in shapes]
    usual = sorted(openings)[3 * len(openings) // 4]
    if openings[0] >= SHUT * usual:
        return shape
    lender, awake = shapes[openings.index(usual)], shape.copy()
    for eye in EYES:
        moving, corners = [*eye.upper, *eye.lower, *eye.crease, *eye.iris], list(eye.corners)
        awake[moving] = lender[moving] + (shape[corners] - lender[corners]).mean(axis=0)
        awake[corners] = shape[corners]
    return awake


def _gap(one: Points, other: Points) -> float:
    """Pixels between the boxes of two faces."""
    left, top, across, down = bounds(one)
    x, y, width, height = bounds(other)
    return max(x - left - across, left - x - width, y - top - down, top - y - height, 0.0)


def retarget(sitter: Sitter, motion: Motion, gains: Gains, absolute: bool = False) -> Points:
    """Landmarks of the portrait, (478, 3) in picture pixels, when it makes a movement.

    Args:
        sitter: the portrait's face.
        motion: one frame of a performance.
        gains: how much of it is wanted.
        absolute: turn the head as the driver's is turned to the camera, instead of moving it from
            the pose it was painted in.
    """
    share = lower_face()[:, None]
    reach = sitter.scale * looseness()[:, None]
    offsets = spread(motion.offsets) * reach * (share * gains.mouth + (1 - share) * gains.brows)
    shape = _seal_lips(sitter.shape + offsets, sitter.shape)
    for side, eye in enumerate(EYES):
        opening = 1 + (float(motion.lids[side]) - 1) * gains.eyes
        shape = _move_lids(_lids_as_painted(shape, sitter.shape, eye), eye, max(opening, 0.0))
        shape = _move_iris(shape, eye, motion.gaze * gains.eyes * gains.gaze)
    return _turned(sitter, motion, gains.head, absolute).apply(shape).astype(np.float32)


def soft_limit(value: Array, most: Array | float) -> Array:
    """`value` as it is up to 0.6 of `most`, then ever slower, never beyond `most` (both broadcast)."""
    size = np.abs(value) / most
    eased = EASED + (1 - EASED) * np.tanh((size - EASED) / (1 - EASED))
    return np.where(size <= EASED, value, np.sign(value) * most * eased)


def _turned(sitter: Sitter, motion: Motion, gain: float, absolute: bool) -> Similarity:
    """The head's pose when it makes a movement."""
    turn = motion.angles * gain
    if absolute:
        turn = motion.rest + turn - sitter.angles
    yaw = sitter.angles[0]
    # Turning to the camera shows more and more of a cheek that was hidden, turning away soon shows a profile.
    room = MOST_YAW - HIDDEN * abs(yaw) if yaw * turn[0] <= 0 else MOST_PROFILE - abs(yaw)
    room = float(np.clip(room, LEAST_YAW, MOST_YAW))
    turn = soft_limit(turn, np.array([room, MOST_PITCH, MOST_ROLL * sitter.room]))
    shift = soft_limit(motion.shift * gain, np.array([MOST_SHIFT, MOST_SHIFT, MOST_GROWTH]) * sitter.room)
    matrix = rotation(*(sitter.angles + turn)) if turn.any() else sitter.pose.rotation
    return replace(
        sitter.pose,
        scale=sitter.pose.scale * np.exp(shift[2]),
        rotation=matrix,
        translation=sitter.pose.translation + np.append(shift[:2], 0.0) * sitter.pose.scale,
    )


def _lip_gaps(shape: Points) -> Array:
    return shape[list(LIPS_INNER_LOWER), 1] - shape[list(LIPS_INNER_UPPER), 1]


def _seal_lips(shape: Points, own: Points) -> Points:
    """Inner lips that would pass through each other (further than a tracker's error in the picture) meet instead."""
    crossed = np.minimum(_lip_gaps(shape) - np.minimum(_lip_gaps(own), 0.0), 0.0)
    sealed = shape.copy()
    # The ends belong to both lips: gaps there are zero.
    sealed[list(LIPS_INNER_UPPER), 1] += crossed / 2
    sealed[list(LIPS_INNER_LOWER), 1] -= crossed / 2
    return sealed


def _lids_as_painted(shape: Points, own: Points, eye: Eye) -> Points:
    """Lids as far apart as in the picture, where the corners of the eye are now.

    An expression moves them too, raised brows above all; a performance counts that among the lids' opening.
    """
    painted, corners = shape.copy(), list(eye.corners)
    for lid in (eye.upper, eye.lower):
        along = np.linspace(0, 1, len(lid))[:, None]
        first, last = shape[corners] - own[corners]
        painted[list(lid)] = own[list(lid)] + (1 - along) * first + along * last
    return painted


def _move_lids(shape: Points, eye: Eye, opening: float) -> Points:
    """Lids at a share of their painted opening: 0 meets in a line, 1 changes nothing."""
    upper, lower = shape[list(eye.upper)], shape[list(eye.lower)]
    meet = lower + CLOSURE * (upper - lower)
    moved = shape.copy()
    moved[list(eye.upper)] += (opening - 1) * (upper - meet)
    moved[list(eye.lower)] += (opening - 1) * (lower - meet)
    moved[list(eye.crease)] += CREASE * (opening - 1) * (upper - meet)[1:-1]
    return moved


def _move_iris(shape: Points, eye: Eye, gaze: Array) -> Points:
    """Irises right and down by some eye widths."""
    left, right = shape[eye.corners[0]], shape[eye.corners[1]]
    moved = shape.copy()
    moved[list(eye.iris), :2] += soft_limit(gaze, MOST_GAZE) * np.linalg.norm(right - left)
    return moved
