"""Where the driver's frames come from, each stamped with the time at which it came."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.capture import TRACKING_SIDE
from gioconda.errors import UsageError
from gioconda.media.camera import Camera
from gioconda.media.stream import read_stream
from gioconda.media.video import VideoFrame, VideoReader

STANDARD_INPUT = "-"
"""The source that another program writes."""


@dataclass(frozen=True)
class Captured:
    """A frame that came just now.

    Attributes:
        at: when it came, in seconds of `time.monotonic`.
        rgb: uint8 (height, width, 3).
    """

    at: float
    rgb: NDArray[np.uint8]


def open_source(camera: str, source: str | None) -> Iterable[VideoFrame]:
    """Frames of a camera, or of a source in its place: a video file at its own pace, or `-`, standard input.

    Raises:
        VideoError: the file is of no use; what is wrong with a camera or a stream is raised when it is read.
        UsageError: nothing is connected to standard input.
    """
    if source is None:
        return Camera(camera)
    if source == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("--source - reads a video from another program: pipe one in, or give a file")
        return read_stream()
    return paced(VideoReader(Path(source), max_side=TRACKING_SIDE))


def paced(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames of a recording, each when its time has come."""
    began = None
    for frame in frames:
        began = time.monotonic() - frame.time if began is None else began
        time.sleep(max(0.0, began + frame.time - time.monotonic()))
        yield frame


def captured(frames: Iterable[VideoFrame], mirrored: bool) -> Iterator[Captured]:
    """Frames as they come; `mirrored`: left and right swapped."""
    for frame in frames:
        at = time.monotonic()
        yield Captured(at, np.asarray(cv2.flip(frame.rgb, 1), np.uint8) if mirrored else frame.rgb)
