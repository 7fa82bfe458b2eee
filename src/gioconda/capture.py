"""Video -> performance, in two passes: track every frame to a spool on disk, then take the face shape out.

The relaxed face can only be known when the whole video has been seen, and the video may be long:
landmarks wait in a temporary file, so memory holds the finished performance (under 1 KB a frame)
and a few seconds of landmarks.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from gioconda.cuts import Sighting, is_cut, thumbnail
from gioconda.errors import FileError, NoFaceError, UsageError
from gioconda.expression import controls, proportions
from gioconda.face import LANDMARKS, Points
from gioconda.geometry import angles
from gioconda.media.ahead import ahead
from gioconda.media.files import sha256_of, spoken_os_error
from gioconda.media.video import VideoFrame, VideoReader
from gioconda.neutral import Neutral, estimate_neutral, eye_trust, head_pose, iris_places, lid_gaps
from gioconda.performance import Motion, Performance, blank_recording
from gioconda.progress import Progress, quiet
from gioconda.smoothing import Continuity, Tracked, steadied
from gioconda.tracking import Face, Tracker, default_tracker

TRACKING_SIDE = 960
"""Longest side, in pixels, at which the driver's frames are tracked."""
NEUTRAL_SAMPLES = 400
"""Frames, evenly spread over a shot, from which the relaxed face is estimated."""
SHORTEST_SHOT = 1.0
"""Seconds; a shorter shot says too little about a relaxed face and borrows that of the shot before."""
SHUT = 0.08
"""Opening, over a relaxed one, that counts as shut: a tracker's gap wavers by as much on a closed eye."""
WIDEST = 1.5
"""Most that an eye opens, over a relaxed one."""
LONG_GONE = 1.0
"""Seconds after which a face that comes back may be another person's, and is treated as another shot."""
CHUNK = 256
"""Frames whose face shape is taken out at once."""


def capture(
    path: Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    tracker: Tracker | None = None,
    progress: Progress = quiet,
) -> Performance:
    """Record the performance of the largest face in a video.

    Args:
        path: the video.
        start: seconds to skip.
        end: second at which to stop; None for the whole video.
        tracker: finds the face; None for the default.
        progress: told about every frame.

    Raises:
        VideoError: the video cannot be read.
        NoFaceError: no face in any frame.
        UsageError: no frame between `start` and `end`.
    """
    with VideoReader(path, max_side=TRACKING_SIDE) as video:
        performance = record(video, str(path), start=start, end=end, tracker=tracker, progress=progress)
        return replace(performance, source=path, sha256=sha256_of(path))


class Footage(Protocol):
    """Frames one after the other: a video, or a camera."""

    @property
    def fps(self) -> float:
        """Frames per second, on average."""
        ...

    @property
    def duration(self) -> float:
        """Seconds."""
        ...

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames, in order."""
        ...


def record(
    footage: Footage,
    name: str,
    *,
    start: float = 0.0,
    end: float | None = None,
    tracker: Tracker | None = None,
    progress: Progress = quiet,
) -> Performance:
    """Record the performance of the largest face in some footage; `name` is for messages, the rest as of `capture`.

    Raises as `capture`.
    """
    if not np.isfinite([start, end or 0.0]).all():
        raise UsageError(f"{name}: from {start} to {end or 'the end'} are no seconds")
    with _spool_file() as file:
        spool = _Spool(file)
        length = min(footage.duration, end or footage.duration) - start
        with progress("tracking", round(length * footage.fps)) as tick:
            _track(footage, spool, tracker or default_tracker(), start, end, tick)
        if not spool.times:
            raise UsageError(f"{name}: no frame between {start:g} s and {'the end' if end is None else f'{end:g} s'}")
        if not any(spool.seen):
            raise NoFaceError(
                f"{name}: no face found in any of its {len(spool.times)} frames; "
                "use a video in which the face is larger, lit and turned to the camera"
            )
        recorded = blank_recording(len(spool.times))
        continuity = Continuity()
        for index, frame in enumerate(steadied(_tracked(spool))):
            recorded.put(index, continuity(frame))
        return Performance(
            times=np.array(spool.times),
            motion=recorded,
            seen=np.array(spool.seen),
            fps=footage.fps,
            cuts=len(spool.cuts),
        )


def _spool_file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(prefix="gioconda-")
    except OSError as error:
        raise _no_spool(error) from error


def _no_spool(error: OSError) -> FileError:
    return FileError(
        f"what is tracked cannot be kept in {tempfile.gettempdir()}: {spoken_os_error(error)} "
        "The environment variable TMPDIR names another folder."
    )


@dataclass
class _Spool:
    """Landmarks of all frames so far: in a file; their times, visibility and cuts: in memory."""

    file: IO[bytes]
    times: list[float] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)

    def add(self, time: float, face: Face | None, cut: bool) -> None:
        points = face.points if face else np.zeros((LANDMARKS, 3), np.float32)
        try:
            self.file.write(points.astype(np.float32).tobytes())
        except OSError as error:
            raise _no_spool(error) from error
        self.times.append(time)
        self.seen.append(face is not None)
        if cut:
            self.cuts.append(len(self.times) - 1)

    def read(self, first: int, count: int) -> Points:
        """Landmarks of some frames, (count, 478, 3)."""
        size = LANDMARKS * 3 * 4
        self.file.seek(first * size)
        return np.frombuffer(self.file.read(count * size), np.float32).reshape(-1, LANDMARKS, 3)

    def shots(self) -> Iterator[range]:
        """Frames between cuts."""
        edges = [0, *self.cuts, len(self.times)]
        yield from (range(a, b) for a, b in itertools.pairwise(edges) if b > a)


def _track(
    footage: Footage,
    spool: _Spool,
    tracker: Tracker,
    start: float,
    end: float | None,
    tick: Callable[[], object],
) -> None:
    follow = tracker.follow()
    before: Sighting | None = None
    last_seen = 0.0
    try:
        for frame in ahead(footage):
            if end is not None and frame.time >= end:
                break
            if frame.time < start:
                continue
            face = follow(frame.rgb)
            now = Sighting(face, thumbnail(frame.rgb)) if face else None
            gone = frame.time - last_seen > LONG_GONE
            spool.add(
                frame.time,
                face,
                cut=before is not None and now is not None and (gone or is_cut(before, now)),
            )
            if now:
                before, last_seen = now, frame.time
            tick()
    finally:
        follow.close()


def _tracked(spool: _Spool) -> Iterator[Tracked]:
    """The movement in every frame, as it was seen."""
    neutral: Neutral | None = None
    for shot in spool.shots():
        samples = _samples(spool, shot)
        if len(samples) and (neutral is None or spool.times[shot[-1]] - spool.times[shot[0]] >= SHORTEST_SHOT):
            neutral = estimate_neutral(samples)
        for first in range(shot.start, shot.stop, CHUNK):
            count = min(CHUNK, shot.stop - first)
            motion = take_out_shape(spool.read(first, count), neutral) if neutral else None
            for i in range(count):
                frame = first + i
                seen = motion is not None and spool.seen[frame]
                now = _frame(motion, i) if seen and motion else None
                yield Tracked(spool.times[frame], now, cut=i == 0 and first == shot.start)


def _frame(motion: Motion, index: int) -> Motion:
    return motion.map(lambda values: values[index])


def _samples(spool: _Spool, shot: range) -> Points:
    """Landmarks of seen frames, evenly spread over a shot, (n, 478, 3)."""
    seen = [i for i in shot if spool.seen[i]]
    chosen = np.unique(np.linspace(0, len(seen) - 1, min(len(seen), NEUTRAL_SAMPLES)).round().astype(int))
    return np.concatenate([spool.read(seen[i], 1) for i in chosen]) if len(seen) else np.zeros((0, LANDMARKS, 3))


def take_out_shape(points: Points, neutral: Neutral) -> Motion:
    """Movement of tracked landmarks, (n, 478, 3) in pixels, relative to the person's relaxed face."""
    # A frame without a face is all zeros in the spool: any face will do, it is not used.
    points = np.where(points.any(axis=(1, 2), keepdims=True), points.astype(np.float64), neutral.shape)
    pose = head_pose(neutral.shape, points)
    upright = pose.undo(points)
    turn = angles(pose.rotation)
    trust = eye_trust(turn[:, 0])
    closed = neutral.lids_closed + SHUT * (neutral.lids_open - neutral.lids_closed)
    lids = np.clip((lid_gaps(upright) - closed) / (neutral.lids_open - closed), 0, WIDEST)
    # What the far eye of a turned head does is taken from the near one.
    near = (lids * trust).sum(axis=1, keepdims=True) / trust.sum(axis=1, keepdims=True)
    held = list(controls())
    shift = np.column_stack(
        [(pose.translation[:, :2] - neutral.position) / neutral.size, np.log(pose.scale / neutral.size)]
    )
    motion = Motion(
        angles=turn - neutral.angles,
        rest=np.broadcast_to(neutral.angles, turn.shape),
        shift=shift,
        lids=lids * trust + near * (1 - trust),
        gaze=iris_places(upright, trust) - neutral.gaze,
        offsets=(upright - neutral.shape)[:, held] / proportions(neutral.shape)[held],
    )
    return motion.map(lambda a: a.astype(np.float32))
