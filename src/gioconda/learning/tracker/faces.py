"""What the tracker learns from: a pool of faces with their teacher's landmarks and expressions, made once a run.

Every person gives equally many frames, and of a person's frames the rare ones (shut eyes, open mouths,
turned heads) are as welcome as the common. Faces that are turned a little come again turned far, rendered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.errors import MissingExtraError, UsageError
from gioconda.face import LANDMARKS, NOSE_TIP, Points, eye_distance, eye_middles
from gioconda.learning.dataset import Shot, usable_shots, usable_stills
from gioconda.learning.tracker.profiles import rendered, turned_copies
from gioconda.media.files import whole_file
from gioconda.neutral import lid_gaps, mouth_gap
from gioconda.progress import Progress, quiet
from gioconda.tracking.landmarker import EXPRESSIONS
from gioconda.untrusted import one_line, parse_json

Array = NDArray[Any]

SIDE = 256
"""Pixels a side of the pool's pictures."""


@dataclass(frozen=True)
class Faces:
    """The pool.

    Attributes:
        frames: (n, 256, 256, 3) uint8.
        points: (n, 478, 3) float32, the teacher's landmarks in pixels of the frames.
        expression: (n, 52) float32, the teacher's coefficients; NaN where it saw no face.
        person: (n,) int32, who it is; each still is somebody else.
    """

    frames: Array
    points: Points
    expression: Array
    person: Array


def face_pool(data: Path, teacher: Path, run: Path, count: int, progress: Progress = quiet) -> Faces:
    """The run's pool: `count` frames of shots, all usable stills, and turned copies; what is not there yet is made.

    `teacher` is a MediaPipe Face Landmarker bundle with expressions ("blendshapes"), a `.task` file. It is
    not asked again where its answers are in the run already: a run can be moved without the large file of frames.

    Raises:
        UsageError: the dataset or the teacher cannot be read, or the run was begun with others.
    """
    about = {"data": data.name, "teacher": teacher.name, "frames": count}
    note = run / "faces.json"
    try:
        if note.exists() and (begun := parse_json(note.read_bytes())) != about:
            raise UsageError(
                f"{run} was begun with {one_line(begun)}, not {about}; give the same again, or another folder"
            )
        if not note.exists() or not _file(run, "frames").exists():
            _make(data, teacher, run, count, progress)
            with whole_file(note) as file:
                file.write(json.dumps(about).encode() + b"\n")
        return _read(run)
    except ValueError as error:
        raise UsageError(
            f"{run}: its faces cannot be read ({one_line(error)}); delete {note.name} to begin anew"
        ) from error


def _file(run: Path, name: str) -> Path:
    return run / f"faces-{name}.npy"


def _read(run: Path) -> Faces:
    """The pool that lies in a run. Raises ValueError: damaged, or none."""
    faces = Faces(*(_array(_file(run, name)) for name in Faces.__annotations__))
    count = len(np.atleast_1d(faces.person))
    for name, kind, shape in (
        ("frames", np.uint8, (SIDE, SIDE, 3)),
        ("points", np.float32, (LANDMARKS, 3)),
        ("expression", np.float32, (len(EXPRESSIONS),)),
        ("person", np.int32, ()),
    ):
        values = getattr(faces, name)
        if values.shape != (count, *shape) or values.dtype != kind:
            raise ValueError(f"{name}: {values.dtype} {values.shape}")
    if not count or not np.isfinite(faces.points).all() or faces.person.min() != 0:
        raise ValueError("no faces, or of nobody")
    return faces


def _array(path: Path) -> Array:
    """An array that is not read before it is used. Raises ValueError."""
    try:
        return np.asanyarray(np.load(path, mmap_mode="c", allow_pickle=False))
    except Exception as error:  # a header is Python text: reading it raises nearly anything
        raise ValueError(f"{path.name}: {error}") from error


def _make(data: Path, teacher: Path, run: Path, count: int, progress: Progress) -> None:
    frames, points, person = [], [], []
    with progress("reading faces", count) as tick:
        for rgb, face, number in _pictures(data, count):
            frames.append(cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
            points.append(face * np.float32(SIDE / rgb.shape[1]))
            person.append(number)
            tick()
    copies = list(turned_copies(np.stack(points)))
    told = _array(_file(run, "expression")) if _file(run, "expression").exists() else np.empty(0)
    whole = told.shape == (len(frames) + len(copies), len(EXPRESSIONS))
    expression = told[: len(frames)] if whole else _asked(teacher, frames, progress)
    with progress("turning faces", len(copies)) as tick:
        for row, target in copies:
            frames.append(rendered(frames[row], points[row], target))
            points.append(target)
            person.append(person[row])
            tick()
    expression = np.concatenate([expression, expression[[row for row, _ in copies]]])
    made = Faces(np.stack(frames), np.stack(points), expression, np.array(person, np.int32))
    run.mkdir(parents=True, exist_ok=True)
    for name, values in vars(made).items():
        with whole_file(_file(run, name)) as file:
            np.save(file, values)


def _asked(teacher: Path, frames: list[Array], progress: Progress) -> Array:
    """The teacher's coefficients, (n, 52), for all frames."""
    expression = np.full((len(frames), len(EXPRESSIONS)), np.nan, np.float32)
    with progress("asking the teacher", len(frames)) as tick, _Teacher(teacher) as ask:
        for number, rgb in enumerate(frames):
            expression[number] = ask(rgb)
            tick()
    return expression


def _pictures(data: Path, count: int) -> Iterator[tuple[Array, Points, int]]:
    people: dict[str, list[Shot]] = {}
    for shot in usable_shots(data):
        people.setdefault(shot.person, []).append(shot)
    for person, shots in enumerate(people.values()):
        for shot in shots:
            wanted = telling_frames(shot.points, max(1, count // (len(people) * len(shots))))
            for rgb, number in zip(shot.frames(wanted), wanted, strict=False):
                yield rgb, shot.points[number], person
    for number, (rgb, points) in enumerate(usable_stills(data, 0.0)):
        yield rgb, points, len(people) + number


def telling_frames(points: Points, count: int) -> Array:
    """Numbers of at most `count` frames, ascending: spread evenly over time, lids, mouth and turning of the head."""
    unit = eye_distance(points)
    left, right = eye_middles(points)
    turning = (points[:, NOSE_TIP, 0] - (left + right)[:, 0] / 2) / unit
    chosen: set[int] = set()
    for signal in (np.arange(len(points)), lid_gaps(points).mean(axis=1), mouth_gap(points) / unit, turning):
        wanted = np.linspace(signal.min(), signal.max(), max(1, count // 4))
        chosen.update(int(np.abs(signal - value).argmin()) for value in wanted)
    return np.array(sorted(chosen)[:count])


class _Teacher:
    """MediaPipe Face Landmarker, for its expression coefficients."""

    def __init__(self, path: Path) -> None:
        try:
            from mediapipe import Image, ImageFormat
            from mediapipe.tasks.python.core.base_options import BaseOptions
            from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions
        except ImportError as error:
            raise MissingExtraError("the teacher needs MediaPipe: pip install 'gioconda[learn,mediapipe]'") from error
        if not path.is_file():
            raise UsageError(f"{path} does not exist; give MediaPipe's Face Landmarker bundle (.task)")
        try:
            self._landmarker = FaceLandmarker.create_from_options(
                FaceLandmarkerOptions(BaseOptions(str(path)), output_face_blendshapes=True)
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise UsageError(f"{path}: not a Face Landmarker bundle ({str(error).splitlines()[0]})") from error
        self._image: Any = lambda rgb: Image(image_format=ImageFormat.SRGB, data=rgb)

    def __enter__(self) -> _Teacher:
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()

    def __call__(self, rgb: Array) -> Array:
        """Coefficients, (52,), of the face in a picture; NaN if it sees none."""
        found = self._landmarker.detect(self._image(np.ascontiguousarray(rgb))).face_blendshapes
        if not found:
            return np.full(len(EXPRESSIONS), np.nan, np.float32)
        by_name = {c.category_name: c.score for c in found[0]}
        return np.array([by_name[name] for name in EXPRESSIONS], np.float32)
