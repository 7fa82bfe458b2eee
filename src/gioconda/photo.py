"""A photograph as a driver: the expression and head pose of one still picture, as a performance of one frame.

A single picture cannot say what of a face is its shape and what its expression. So movement is
counted from the mean face of many people at rest, and only a share of it is believed: about as much
of such a difference as is expression, not shape, among filmed people (docs/limits.md has figures).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gioconda.capture import WIDEST, take_out_shape
from gioconda.errors import NoFaceError
from gioconda.expression import controls, lower_face
from gioconda.face import Points, face_model
from gioconda.media.files import sha256_of
from gioconda.media.pictures import MAX_PIXELS, read_picture
from gioconda.neutral import UNSEEN_CLOSED, Neutral, head_pose
from gioconda.performance import Motion, Performance
from gioconda.tracking import Tracker, default_tracker

REST = np.array([0.0, -3.0, 0.0])
"""Yaw, pitch and roll at which people hold their heads before a camera: medians of 200 people."""
RELAXED_LIDS = 0.254
"""Lid gap over eye width of relaxed eyes, median of 200 people."""
SHAPE_OF_LIDS = 0.75, 1.3
"""Openings, over that median, that relaxed eyes have: within them an eye counts as relaxed."""
RESTING_IRISES = np.array([0.0, -0.06])
"""Eye widths right and down of the eye's middle at which irises rest."""
MOUTH_SHARE, BROW_SHARE, GAZE_SHARE = 0.7, 0.25, 0.65
"""How much of a difference from the mean face is expression: below the nose, above it, and of the irises."""
FPS = 25.0
"""Frames per second of a move into the expression."""


def capture_photo(path: Path, *, max_pixels: int = MAX_PIXELS, tracker: Tracker | None = None) -> Performance:
    """The performance, one frame long, of the largest face in a still picture.

    Args:
        path: the picture.
        max_pixels: larger pictures are refused.
        tracker: finds the face; None for the default.

    Raises:
        PictureError: the picture cannot be read.
        NoFaceError: no face in it.
    """
    faces = (tracker or default_tracker()).find(read_picture(path, max_pixels).rgb).faces
    if not faces:
        raise NoFaceError(
            f"{path}: no face found in this picture; use one in which the face is larger, lit and turned to the camera"
        )
    motion = motion_of_one(faces[0].points).map(lambda part: part[None])
    return Performance(np.zeros(1), motion, np.ones(1, bool), FPS, sha256=sha256_of(path))


def motion_of_one(points: Points) -> Motion:
    """The expression and head pose of one face, (478, 3) in pixels, without knowing the person at rest.

    The head counts against a head before a camera (`angles` from `REST`); where it is in the picture
    says nothing, so there is no shift.
    """
    return believed(difference_from_mean(points))


def difference_from_mean(points: Points) -> Motion:
    """All that sets one face, (478, 3) in pixels, apart from the mean face at rest: its expression and its shape."""
    mean = face_model().shape
    pose = head_pose(mean, points)
    neutral = Neutral(
        shape=mean,
        angles=REST,
        position=pose.translation[:2],
        size=float(pose.scale),
        lids_open=np.full(2, RELAXED_LIDS),
        lids_closed=np.full(2, UNSEEN_CLOSED * RELAXED_LIDS),
        gaze=RESTING_IRISES,
    )
    return take_out_shape(points[None], neutral).map(lambda part: part[0])


def believed(difference: Motion) -> Motion:
    """What of a `difference_from_mean` is taken for expression."""
    share = BROW_SHARE + (MOUTH_SHARE - BROW_SHARE) * lower_face()[list(controls())][:, None]
    low, high = SHAPE_OF_LIDS
    return replace(
        difference,
        lids=np.interp(difference.lids, (0, low, high, WIDEST), (0, 1, 1, WIDEST)).astype(np.float32),
        gaze=(difference.gaze * GAZE_SHARE).astype(np.float32),
        offsets=(difference.offsets * share).astype(np.float32),
    )
