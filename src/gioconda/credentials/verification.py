"""`gioconda verify`: what a file says of itself, and what its pixels say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.credentials.detection import Detection, detect
from gioconda.credentials.reading import Credentials, read_credentials
from gioconda.errors import PictureError, VideoError
from gioconda.media.files import is_file
from gioconda.media.pictures import read_picture
from gioconda.media.video import VideoReader

FRAMES = 24
"""Frames of a clip that are looked at for the mark."""
SECONDS = 20.0
"""They are spread over this much of its beginning."""
LONGEST_SIDE = 1280
"""Pixels; larger frames are made smaller first."""


class Verdict(Enum):
    """What a file is; the value is the exit code of `gioconda verify`."""

    INTACT = 0
    UNREADABLE = 2
    CHANGED = 3
    MARKED = 4
    FOREIGN = 5


@dataclass(frozen=True)
class Finding:
    """What is known of a file.

    Attributes:
        path: the file.
        verdict: INTACT, a clip of this program, as it was when it was signed; CHANGED, credentials of this
            program that do not fit the file; MARKED, the mark in the pixels without such credentials; FOREIGN,
            neither; UNREADABLE, nothing that can be looked at.
        credentials: the credentials, this program's or another's; None without.
        mark: the mark; None where there are no pixels to be had.
        reason: why it is unreadable.
    """

    path: Path
    verdict: Verdict
    credentials: Credentials | None = None
    mark: Detection | None = None
    reason: str | None = None


def verify(path: Path) -> Finding:
    """Look a file over, anybody's. Nothing is fetched and nothing is written."""
    if not is_file(path):
        return Finding(path, Verdict.UNREADABLE, reason="not a file" if os.path.isdir(path) else "no such file")
    credentials, mark, reason = None, None, None
    try:
        credentials = read_credentials(path)
        mark = detect(_frames(path))
    except (PictureError, VideoError, OSError) as error:
        reason = str(error)
    return Finding(path, _verdict(credentials, mark), credentials, mark, reason)


def _verdict(credentials: Credentials | None, mark: Detection | None) -> Verdict:
    if credentials is not None and credentials.ours:
        return Verdict.INTACT if credentials.intact else Verdict.CHANGED
    if mark is not None and mark.found:
        return Verdict.MARKED
    return Verdict.UNREADABLE if credentials is None and mark is None else Verdict.FOREIGN


def _frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Some frames of a video or an animation, or the one of a still picture, uint8 (height, width, 3)."""
    try:
        with VideoReader(path, max_side=LONGEST_SIDE) as video:
            length = min(video.frame_count_estimate, round(SECONDS * video.fps))
            step = max(1, length // FRAMES)
            for frame in islice(video, 0, FRAMES * step, step):
                yield frame.rgb
    except VideoError:
        rgb = read_picture(path).rgb
        factor = LONGEST_SIDE / max(rgb.shape)
        yield (
            rgb
            if factor >= 1
            else np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        )
