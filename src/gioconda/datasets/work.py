"""One file of footage -> shots or stills in the dataset folder: the unit of work.

`process` is a plain function of a job that can be sent anywhere (another process, another machine with the same
folders); what it gives back is the one line that the build keeps of the file.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import cv2
import numpy as np
from PIL import Image

from gioconda.capture import TRACKING_SIDE
from gioconda.datasets.identity import check_network, identify, pack
from gioconda.datasets.layout import (
    NAME,
    PER_STILL_PIXEL,
    clip_path,
    landmarks_path,
    pack_landmarks,
    still_path,
    write_bytes,
)
from gioconda.datasets.runs import Limits, Run, find_runs
from gioconda.datasets.square import FACES, Square
from gioconda.errors import GiocondaError, OutputError
from gioconda.face import LANDMARKS, Points, bounds, eye_distance, face_model
from gioconda.geometry import angles
from gioconda.media.ahead import ahead
from gioconda.media.clip import ClipWriter
from gioconda.media.files import sha256_of
from gioconda.media.pictures import PICTURE_SUFFIXES, read_picture
from gioconda.media.video import VideoReader
from gioconda.neutral import head_pose
from gioconda.tracking import tracker_named
from gioconda.tracking.tracker import Rgb, TrackerName

RATE = 15.0
"""Frames per second to which videos are thinned, as far as leaving out whole frames can: 11 to 22."""
LOOKS = 5
"""Frames of a shot, evenly spread, that its sharpness and its identity are taken from."""
UPPER_LIP, LOWER_LIP = 13, 14
L = TypeVar("L")


@dataclass(frozen=True)
class Settings:
    """What a dataset is made like; one folder holds one kind.

    Attributes:
        size: pixels a side of shots and stills; even, 64 to 1024.
        faces: most faces followed at a time.
        max_upscale: crop pixels per source pixel above which a face is too soft.
        least_frames: frames of the shortest shot.
        longest: seconds of the longest shot; a longer one is parted.
        tracker: what finds and follows the faces.
    """

    size: int = 256
    faces: int = 3
    max_upscale: float = 2.0
    least_frames: int = 16
    longest: float = 20.0
    tracker: TrackerName = "gioconda"


@dataclass(frozen=True)
class Job:
    """One file of footage.

    Attributes:
        path: where it lies.
        file: its name in the dataset.
        out: the dataset folder; `clips/` and `stills/` are there.
        settings: what the shots are like.
        identity: a face-recognition network, or None.
    """

    path: Path
    file: str
    out: Path
    settings: Settings
    identity: Path | None = None


@dataclass(frozen=True)
class Facts:
    """What is measured of a shot (all but `mouth_open`) or a still (no `frames`, `fps`, motions, `start`).

    Attributes:
        id: name of its files.
        track: which face of the source it is.
        main: whether no larger face is to be seen at the same time.
        start: seconds into the source.
        identity: vector of the network (`identity.pack`); None without one.
        landmarks: of a still, base64 of int16 (478, 3) in eighths of a pixel.
    """

    id: str
    track: int
    main: bool
    upscale: float
    sharpness: float
    frames: int = 0
    fps: float = 0.0
    start: float = 0.0
    mouth_motion: float = 0.0
    head_motion: float = 0.0
    mouth_open: float = 0.0
    identity: str | None = None
    landmarks: str | None = None


@dataclass(frozen=True)
class Done:
    """What became of one file.

    Attributes:
        file: its name in the dataset.
        bytes: its size; another one means another file.
        sha256: of its content; two files with the same are one.
        seconds: of footage looked at.
        shots: found in a video.
        stills: found in a picture.
        left_out: how many faces or runs were not used, by reason.
        skipped: why there is neither, or None.
    """

    file: str
    bytes: int
    sha256: str = ""
    seconds: float = 0.0
    shots: list[Facts] = field(default_factory=list)
    stills: list[Facts] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    skipped: str | None = None

    def line(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @staticmethod
    def of(line: dict[str, Any]) -> Done:
        """From JSON. Raises TypeError, KeyError or ValueError where it is something else."""
        facts = {name: [_typed(Facts(**entry)) for entry in line[name]] for name in ("shots", "stills")}
        for still in facts["stills"]:
            still_points(still)
        return _typed(Done(**{**line, **facts}))


def _typed(line: L) -> L:
    """A line that was read, each of whose values is of the type it should be. Raises TypeError."""
    for name, kind in get_type_hints(type(line)).items():
        value = getattr(line, name)
        if not isinstance(value, get_origin(kind) if get_origin(kind) in (list, dict) else kind | _also(kind)):
            raise TypeError(f"{name} is {value!r}")
        if name == "id" and not NAME.fullmatch(str(value)):
            raise ValueError(f"{value!r} is no name")
    return line


def _also(kind: Any) -> Any:
    """JSON has one kind of number."""
    return int if kind is float else kind


def process(job: Job) -> Done:
    """Make the shots of a video, or the stills of a picture, and say what they are.

    Whatever is wrong with the file ends in `Done.skipped`.

    Raises:
        OutputError: the dataset folder cannot be written; that is no fault of the file.
        MissingExtraError: the tracker is not installed on the machine that works; nor is that.
        UsageError: the machine that works does not have the network.
    """
    _tracker(job.settings.tracker)
    if job.identity is not None:
        check_network(job.identity)
    size = 0
    try:
        size = job.path.stat().st_size
        digest = sha256_of(job.path)
        make = _stills if job.path.suffix.lower() in PICTURE_SUFFIXES else _shots
        return replace(make(job, digest[:12]), bytes=size, sha256=digest)
    except OutputError:
        raise
    except GiocondaError as error:
        return Done(job.file, size, skipped=str(error))
    except Exception as error:  # damaged files make decoders raise nearly anything, and one must not end the build
        return Done(job.file, size, skipped=f"{type(error).__name__}: {error}")


_tracker = cache(tracker_named)
"""One for a whole process: its networks hold memory."""


# Videos


@dataclass(frozen=True, eq=False)
class _Shot:
    """A run that will be a shot. `height`: the face's; `points`: crop landmarks of a few frames, by number."""

    id: str
    first: int
    frames: int
    height: float
    square: Square
    landmarks: bytes
    points: dict[int, Points]
    facts: Facts

    def is_beside(self, other: _Shot) -> bool:
        """Whether both are to be seen at some time."""
        return self.first < other.first + other.frames and other.first < self.first + self.frames


def _shots(job: Job, name: str) -> Done:
    settings = job.settings
    with VideoReader(job.path) as video:
        source = max(video.width, video.height)
        step = max(1, round(video.fps / RATE))
    left_out: Counter[str] = Counter()
    with VideoReader(job.path, max_side=TRACKING_SIDE) as video:
        fps = video.fps / step
        shrunk = min(1.0, TRACKING_SIDE / source)
        smallest = settings.size / settings.max_upscale / FACES * shrunk
        limits = Limits(settings.faces, max(settings.least_frames, round(settings.longest * fps)), smallest)
        looked = _Counted(frame.rgb for frame in islice(ahead(video), 0, None, step))
        shots: list[_Shot] = []
        longest = 0
        for run in find_runs(looked, fps, _tracker(settings.tracker), limits):
            longest = max(longest, len(run.points))
            if len(run.points) < max(2, settings.least_frames):
                left_out["runs of too few frames"] += 1
                continue
            shot = _planned(run, f"{name}_{len(shots)}", fps, 1 / shrunk, settings.size)
            if shot.facts.upscale > settings.max_upscale:
                left_out["runs of a face too small"] += 1
                continue
            shots.append(shot)
    done = Done(job.file, 0, seconds=looked.count / fps, left_out=dict(left_out))
    if not shots:
        return replace(done, skipped=_why(longest, left_out, settings))
    facts = []
    for shot, seen in zip(shots, _write(job, shots, step, fps), strict=True):
        beside_larger = any(shot.height < other.height and shot.is_beside(other) for other in shots)
        facts.append(replace(shot.facts, main=not beside_larger, **seen))
    return replace(done, shots=facts)


class _Counted:
    """Frames, counted as they pass."""

    def __init__(self, frames: Iterator[Rgb]) -> None:
        self._frames = frames
        self.count = 0

    def __iter__(self) -> Iterator[Rgb]:
        for frame in self._frames:
            self.count += 1
            yield frame


def _why(longest: int, left_out: Counter[str], settings: Settings) -> str:
    if longest == 0:
        return f"no face of at least {round(settings.size / settings.max_upscale / FACES)} pixels found"
    if left_out["runs of a face too small"]:
        return "its faces are too small"
    if longest < 2:
        return "a face in a single frame only; at least 2 are needed"
    return f"no face stays for {settings.least_frames} frames; the longest run has {longest}"


def _planned(run: Run, id: str, fps: float, grown: float, size: int) -> _Shot:
    """The shot that a run will be; `grown`: source pixels per pixel that was tracked."""
    source = run.points.astype(np.float64) * grown
    square = Square.around(source)
    points = square.points(source, size)
    unit = eye_distance(points)
    lips = np.linalg.norm(points[:, UPPER_LIP] - points[:, LOWER_LIP], axis=1) / unit
    low, high = np.percentile(angles(head_pose(face_model().shape, points).rotation), (5, 95), axis=0)
    looks = np.unique(np.linspace(0, len(points) - 1, LOOKS).round().astype(int))
    return _Shot(
        id=id,
        first=run.first,
        frames=len(points),
        height=run.height,
        square=square,
        landmarks=pack_landmarks(points),
        points={int(look): points[look].copy() for look in looks},
        facts=Facts(
            id=id,
            track=run.track,
            main=True,
            upscale=round(size / square.side, 2),
            sharpness=0.0,
            frames=len(points),
            fps=round(fps, 3),
            start=round(run.first / fps, 3),
            mouth_motion=round(float(lips.std()), 3),
            head_motion=round(float((high - low).max()), 2),
        ),
    )


def _write(job: Job, shots: list[_Shot], step: int, fps: float) -> list[dict[str, Any]]:
    """Write the shots' files, reading the video once more; gives back what is seen in their frames."""
    size = job.settings.size
    looks: list[list[tuple[Rgb, Points]]] = [[] for _ in shots]
    order = sorted(range(len(shots)), key=lambda index: shots[index].first)
    open_now: dict[int, tuple[ExitStack, ClipWriter]] = {}
    with VideoReader(job.path) as video, ExitStack() as everything:
        for number, frame in enumerate(islice(ahead(video), 0, None, step)):
            while order and shots[order[0]].first == number:
                index = order.pop(0)
                stack = everything.enter_context(ExitStack())
                clip = ClipWriter(clip_path(job.out, shots[index].id), size, size, fps)
                open_now[index] = stack, stack.enter_context(clip)
            for index, (stack, clip) in list(open_now.items()):
                shot = shots[index]
                rgb = shot.square.cut(frame.rgb, size)
                clip.write(rgb)
                look = shot.points.get(number - shot.first)
                if look is not None:
                    looks[index].append((rgb, look))
                if clip.frame_count == shot.frames:
                    stack.close()
                    write_bytes(landmarks_path(job.out, shot.id), shot.landmarks)
                    del open_now[index]
            if not order and not open_now:
                break
        if order or open_now:
            raise RuntimeError("the second reading gave fewer frames than the first")
    return [_seen(look, job.identity) for look in looks]


def _seen(looks: list[tuple[Rgb, Points]], identity: Path | None) -> dict[str, Any]:
    return {
        "sharpness": round(float(np.median([sharpness(rgb, points) for rgb, points in looks])), 1),
        "identity": pack(identify(identity, looks)) if identity else None,
    }


def sharpness(rgb: Rgb, points: Points) -> float:
    """Variance of the Laplacian of the face's brightness, in squared 8-bit levels; landmarks (478, 3) in pixels."""
    x, y, width, height = bounds(points)
    left, top = max(0, int(x)), max(0, int(y))
    face = rgb[top : int(y + height) + 1, left : int(x + width) + 1]
    return float(cv2.Laplacian(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


# Pictures


def _stills(job: Job, name: str) -> Done:
    settings = job.settings
    picture = read_picture(job.path)
    left_out: Counter[str] = Counter()
    stills = []
    search = _tracker(settings.tracker).find(picture.rgb)
    for number, face in enumerate(search.faces[: settings.faces]):
        source = face.points[None].astype(np.float64)
        square = Square.around(source)
        if settings.size / square.side > settings.max_upscale:
            left_out["faces too small"] += 1
            continue
        rgb, points = square.cut(picture.rgb, settings.size), square.points(source, settings.size)[0]
        kept = np.rint(points * PER_STILL_PIXEL).astype("<i2")
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "JPEG", quality=95)
        id = f"{name}_{number}"
        write_bytes(still_path(job.out, id), file.getvalue())
        gap = float(np.linalg.norm(points[UPPER_LIP] - points[LOWER_LIP]) / eye_distance(points))
        stills.append(
            Facts(
                id=id,
                track=number,
                main=number == 0,
                upscale=round(settings.size / square.side, 2),
                mouth_open=round(gap, 3),
                landmarks=base64.b64encode(kept.tobytes()).decode(),
                **_seen([(rgb, points)], job.identity),
            )
        )
    why = None if stills else "its faces are too small" if search.faces else "no face found"
    return Done(job.file, 0, stills=stills, left_out=dict(left_out), skipped=why)


def still_points(facts: Facts) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Landmarks of a still, int16 (478, 3), in eighths of a pixel."""
    raw = base64.b64decode(facts.landmarks or "")
    return np.frombuffer(raw, "<i2").reshape(LANDMARKS, 3).astype(np.int16)
