"""Footage that is resident: all frames of a dataset as one tensor, and who is on which."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gioconda.errors import UsageError, VideoError
from gioconda.learning.dataset import Shot, usable_shots, usable_stills
from gioconda.progress import Progress, quiet
from gioconda.rendering.network_frame import NetworkFrame

FACE_SHARE = 0.58
"""Longer side of the face, in sides of the frame: hair and chin stay inside while the head turns."""


@dataclass(frozen=True)
class Footage:
    """Videos of many people, each cut to one fixed square around the face.

    Attributes:
        frames: uint8 (n, 3, size, size), videos one after the other.
        points: float32 (n, 478, 2) in their pixels.
        starts: (videos + 1,), the first frame of each video, and n.
        people: for each person who moves the numbers of their videos.
        stills: the numbers of the videos that are a single picture.
        left_out: names of shots that show fewer than two frames, or cannot be read.
    """

    frames: Tensor
    points: Tensor
    starts: Tensor
    people: tuple[tuple[int, ...], ...]
    stills: tuple[int, ...]
    left_out: tuple[str, ...] = ()

    @property
    def videos(self) -> int:
        """How many videos there are."""
        return len(self.starts) - 1

    def to(self, device: str) -> Footage:
        """On a device, all of it, so that no step waits for a loader."""
        return replace(self, frames=self.frames.to(device), points=self.points.to(device))


def load_footage(
    folder: Path,
    size: int,
    *,
    every: int = 1,
    share_of_people: float = 1.0,
    stills: bool = True,
    progress: Progress = quiet,
) -> Footage:
    """The training split of a dataset folder; a still is a video of one frame.

    Args:
        folder: laid out as `gioconda dataset build` does.
        size: side of the frames in pixels.
        every: keep one frame in so many.
        share_of_people: the first part of the people, in the order of their names, 0 to 1.
        stills: whether to take the pictures too.
        progress: told about every video.

    Raises:
        UsageError: nothing that can be used, or a number out of range.
    """
    if not 0 < share_of_people <= 1 or every < 1:
        raise UsageError(f"{share_of_people:g} of the people, one frame in {every}: use 0 to 1, and 1 or more")
    people: dict[str, list[int]] = {}
    frames: list[NDArray[Any]] = []
    points: list[NDArray[Any]] = []
    shots = usable_shots(folder)
    names = sorted({shot.person for shot in shots})
    wanted = set(names[: max(1, round(share_of_people * len(names)))])
    shots = [shot for shot in shots if shot.person in wanted]

    left_out = []

    def read(shot: Shot) -> tuple[NDArray[Any], NDArray[Any]] | None:
        numbers = np.arange(0, len(shot.points), every)
        try:
            rgb = shot.frames(numbers)
        except VideoError:
            return None
        # One frame shows nobody moving.
        return cut(rgb, shot.points[numbers][: len(rgb)], size) if len(rgb) > 1 else None

    with ThreadPoolExecutor() as pool, progress("reading videos", len(shots)) as tick:
        for shot, found in zip(shots, pool.map(read, shots), strict=True):
            tick()
            if found is None:
                left_out.append(shot.id)
                continue
            people.setdefault(shot.person, []).append(len(frames))
            frames.append(found[0])
            points.append(found[1])
    if not frames:
        raise UsageError(
            f"{folder}: none of {len(shots)} shots has two frames that can be read; "
            "use longer ones, or keep more of their frames"
        )
    pictured = []
    if stills:
        pictures = list(usable_stills(folder))
        for rgb, places in pictures[: round(share_of_people * len(pictures))]:
            one, place = cut(rgb[None], places[None], size)
            pictured.append(len(frames))
            frames.append(one)
            points.append(place)
    starts = np.concatenate([[0], np.cumsum([len(f) for f in frames])])
    return Footage(
        torch.from_numpy(np.concatenate(frames)),
        torch.from_numpy(np.concatenate(points)),
        torch.from_numpy(starts),
        tuple(map(tuple, people.values())),
        tuple(pictured),
        tuple(left_out),
    )


def cut(frames: NDArray[Any], points: NDArray[Any], size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """One square around the face for all frames of a video.

    Frames, (n, h, w, 3), and landmarks, (n, 478, 3) -> uint8 (n, 3, size, size), float32 (n, 478, 2).
    """
    frame = NetworkFrame.of(np.median(points, axis=0), size, FACE_SHARE)
    pictures = np.stack([frame.picture(rgb) for rgb in frames])
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)), frame.points(points)[..., :2].copy()
