"""What the `self` track is measured on: shots with their landmarks, and which of their frames play which part.

A dataset folder holds ``clips.jsonl``, ``clips/ID.mp4`` and ``clips/ID.npy.xz`` (see its README); of it the
evaluation split is used. Any other folder of videos works too: each is tracked, and its longest run with a face
and without a cut becomes a shot, cut to a square that stays where it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from gioconda.datasets.layout import CLIPS, clip_path, landmarks_path, read_landmarks, read_lines
from gioconda.errors import UsageError, VideoError
from gioconda.evaluation.judges import Picture
from gioconda.face import LANDMARKS, Points, bounds
from gioconda.media.files import sha256_of
from gioconda.media.video import VIDEO_SUFFIXES, VideoReader
from gioconda.tracking import default_tracker

Item = TypeVar("Item")

MOST_VIEWS = 32
LEAST_FRAMES = 64
"""Frames from which a shot serves several views; a shorter one serves one."""
APART = 1.0
"""Seconds that lie at least between the last view and the first test frame."""
SIDE = 256
"""Pixels a side of the shots made from plain videos."""
_CROP = 2.0
_RATE = 15.0
"""Frames per second to which plain videos are thinned: views and test frames need no more."""


@dataclass(frozen=True, eq=False)
class Shot:
    """``frames``: F pictures of one size. ``points`` (F, 478, 3): their landmarks, in pixels of the frames."""

    frames: Sequence[Picture]
    points: Points
    fps: float


@dataclass(frozen=True)
class Source:
    """Where a shot comes from.

    Attributes:
        id: its name, good for a file name.
        video: the file.
        landmarks: its landmarks' file; None: they have to be tracked.
        person: who it is; None where nobody says.
        frames: their number, 0 if unknown.
        fps: frames per second, 0 if unknown.
        labels: what else is known, from the manifest.
    """

    id: str
    video: Path
    landmarks: Path | None = None
    person: str | None = None
    frames: int = 0
    fps: float = 0.0
    labels: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Of the files' contents, followed by the labels: what was measured of one is not used for another."""
        labels = json.dumps(self.labels, sort_keys=True)
        return "".join(sha256_of(path) for path in (self.video, self.landmarks) if path is not None) + labels


@dataclass(frozen=True)
class Plan:
    """Which frames of a shot play which part.

    Attributes:
        views: frames for the portrait, in the order in which they are taken: K views are the first K of these.
        tests: frames to be made and compared, ascending, the same for every number of views.
        step: frames from one test frame to the next; 1: they are consecutive.
    """

    views: tuple[int, ...]
    tests: tuple[int, ...]
    step: float

    def serves(self, views: int) -> bool:
        """Whether there are that many views."""
        return views <= len(self.views)


def plan(frames: int, fps: float, most_tests: int | None = 48) -> Plan:
    """Return the parts that a shot's frames play; no test frames where it is too short.

    From 64 frames on, the first half (at least 32 frames) gives the views: the first is frame 0, and any number
    of them is spread evenly over that half. Then a second is left out, and of the rest at most ``most_tests``
    evenly spaced frames (None: all) are test frames.
    """
    gap = math.ceil(APART * fps - 1e-6)
    if frames >= LEAST_FRAMES:
        zone = max(MOST_VIEWS, frames // 2)
        views = tuple(int(_van_der_corput(k) * zone) for k in range(MOST_VIEWS))
    else:
        zone, views = 1, (0,)
    rest = np.arange(zone - 1 + gap, frames)
    if len(rest) == 0:
        return Plan(views, (), 1.0)
    count = len(rest) if most_tests is None else min(len(rest), most_tests)
    chosen = rest[np.linspace(0, len(rest) - 1, count).round().astype(int)]
    step = (len(rest) - 1) / (count - 1) if count > 1 else 1.0
    return Plan(views, tuple(int(i) for i in chosen), step)


def find_sources(data: Path) -> list[Source]:
    """Return the shots of a folder: a dataset's evaluation split, or every video of a plain folder.

    Raises:
        UsageError: no such folder, nothing in it, a manifest that is damaged or that leaks (:func:`check_no_leak`).
    """
    if not data.is_dir():
        raise UsageError(f"{data} is not a folder; give a dataset folder or a folder of videos")
    if (data / CLIPS).is_file():
        rows = read_lines(data / CLIPS)
        check_no_leak(rows, data / CLIPS)
        found = [_of_row(data, row) for row in rows if row["split"] == "eval"]
        if not found:
            raise UsageError(f"{data / CLIPS} has no shot in the split 'eval'")
        return sorted(found, key=lambda source: source.id)
    videos = sorted(path for path in data.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    if not videos:
        raise UsageError(f"{data} holds neither {CLIPS} nor a video ({', '.join(VIDEO_SUFFIXES)})")
    return [Source(path.stem, path) for path in videos]


def check_no_leak(rows: Iterable[dict[str, Any]], manifest: Path) -> None:
    """Refuse a manifest by which somebody of the evaluation split may have been trained on.

    Raises:
        UsageError: a person stands in two splits, or a row does not say who it is or to which split it belongs.
    """
    people: dict[str, set[str]] = {}
    for number, row in enumerate(rows, 1):
        if not row.get("person") or not row.get("split"):
            raise UsageError(
                f"{manifest}, line {number}: no 'person' or 'split'; without both nobody can rule out a leak"
            )
        people.setdefault(row["split"], set()).add(row["person"])
    tested = people.pop("eval", set())
    leaked = sorted(person for other in people.values() for person in tested & other)
    if leaked:
        raise UsageError(
            f"{manifest}: {len(leaked)} of the evaluation split's people are in another split too "
            f"({', '.join(leaked[:5])}); figures on people seen in training mean nothing, so nothing was measured"
        )


def load_shot(source: Source, seconds: float | None = None) -> Shot:
    """Return a shot's frames and landmarks.

    ``seconds``: how much of a plain video is read, None for all of it.

    Raises:
        VideoError: the video cannot be read, or its landmarks do not fit it, or no face is in it.
        DatasetError: its landmarks cannot be read.
    """
    if source.landmarks is None:
        return _tracked(source.video, seconds)
    with VideoReader(source.video) as video:
        frames = [frame.rgb for frame in video]
        fps = source.fps or video.fps
    points = read_landmarks(source.landmarks)
    if len(points) != len(frames):
        raise VideoError(f"{source.video} has {len(frames)} frames, its landmarks are of {len(points)}")
    return Shot(frames, points, fps)


def one_per_person(sources: Sequence[Source], most: int) -> list[Source]:
    """Return at most so many shots: each person's longest, evenly spread over the people in their order."""
    best: dict[str, Source] = {}
    for source in sources:
        who = source.person or source.id
        if who not in best or source.frames > best[who].frames:
            best[who] = source
    chosen = [best[who] for who in sorted(best)]
    return evenly(chosen, most)


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many of the items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _of_row(data: Path, row: dict[str, Any]) -> Source:
    try:
        name = str(row["id"])
    except KeyError:
        raise UsageError(f"{data / CLIPS}: a shot without 'id'") from None
    if not name or name != Path(name).name:
        raise UsageError(f"{data / CLIPS}: {name!r} is no name for a shot")
    known = ("id", "person", "split", "frames", "fps")
    return Source(
        id=name,
        video=clip_path(data, name),
        landmarks=landmarks_path(data, name),
        person=row["person"],
        frames=int(row.get("frames", 0)),
        fps=float(row.get("fps", 0.0)),
        labels={key: value for key, value in row.items() if key not in known},
    )


def _van_der_corput(k: int) -> float:
    """Return the k-th number of a sequence in 0..1 of which the first 2, 4, 8, ... are evenly spaced."""
    return int(f"{k:05b}"[::-1], 2) / 32


def _tracked(path: Path, seconds: float | None) -> Shot:
    """Return the longest run of a video with a face and without a cut, as a square of fixed place."""
    with VideoReader(path, max_side=960) as video:
        step = max(1, round(video.fps / _RATE))
        fps = video.fps / step
        follow = default_tracker().follow()
        tracked: list[Points | None] = []
        try:
            for index, frame in enumerate(video):
                if seconds is not None and frame.time >= seconds:
                    break
                face = follow(frame.rgb)
                if index % step == 0:
                    tracked.append(None if face is None else face.points)
        finally:
            follow.close()
        first, points = _longest_run(tracked)
        if not len(points):
            raise VideoError(f"{path}: no face found")
        matrix = _square(points)
        frames: list[Picture] = []
        for index, frame in enumerate(video):
            kept, rest = divmod(index, step)
            if kept >= first + len(points):
                break
            if rest == 0 and kept >= first:
                # The edge is mirrored as in the dataset, and the picture is averaged before it shrinks.
                smooth: Any = frame.rgb
                if matrix[0, 0] < 0.7:
                    smooth = cv2.GaussianBlur(frame.rgb, (0, 0), 0.45 / matrix[0, 0])
                cut: Any = cv2.warpAffine(
                    smooth, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
                )
                frames.append(cut)
    moved = points * np.float32(matrix[0, 0])
    moved[..., :2] += matrix[:, 2].astype(np.float32)
    return Shot(frames, moved, fps)


def _longest_run(tracked: Sequence[Points | None]) -> tuple[int, Points]:
    """Return where the longest run without gap or cut begins, and its landmarks (n, 478, 3)."""
    best, start = (0, 0), 0
    for index in range(len(tracked) + 1):
        now = tracked[index] if index < len(tracked) else None
        before = tracked[index - 1] if index > start else None
        if now is None or (before is not None and _jumps(before, now)):
            if index - start > best[1] - best[0]:
                best = (start, index)
            start = index if now is not None else index + 1
    run = [points for points in tracked[best[0] : best[1]] if points is not None]
    return best[0], np.array(run, np.float32).reshape(-1, LANDMARKS, 3)


def _jumps(before: Points, after: Points) -> bool:
    """Tell whether two neighbouring frames' faces cannot be one that moved."""
    (x0, y0, w0, h0), (x1, y1, w1, h1) = bounds(before), bounds(after)
    size = max(w0, h0)
    moved = max(abs(x1 + w1 / 2 - x0 - w0 / 2), abs(y1 + h1 / 2 - y0 - h0 / 2))
    return moved > 0.35 * size or not 0.7 < max(w1, h1) / size < 1.43


def _square(points: Points) -> Any:
    """Return the (2, 3) map to a square of :data:`SIDE` in which the faces of a run are about half as high."""
    low, high = points[..., :2].min(axis=(0, 1)), points[..., :2].max(axis=(0, 1))
    height = np.median(np.ptp(points[..., 1], axis=1))
    side = max(_CROP * height, 1.1 * float((high - low).max()))
    scale = SIDE / side
    corner = (low + high) / 2 - side / 2
    return np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]], np.float64)
