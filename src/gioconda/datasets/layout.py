"""A dataset folder: its files, and how each is written and read. `docs/dataset.md` describes it field by field."""

from __future__ import annotations

import io
import json
import lzma
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import DatasetError, OutputError, UsageError
from gioconda.face import LANDMARKS, Points
from gioconda.media.files import spoken_os_error, whole_file
from gioconda.untrusted import parse_json, read_array, read_arrays, unpack_xz

CLIPS, STILLS, STILL_POINTS, SKIPPED = "clips.jsonl", "stills.jsonl", "stills.npz", "skipped.jsonl"
NOT_STATED = "none stated"
"""The licence of footage that nobody gave one."""
PER_PIXEL, PER_STILL_PIXEL = 4, 8
"""Steps a pixel in which landmarks of shots and of stills are kept."""
MOST_FRAMES = 100_000
"""Of a shot: many more than a build makes, and few enough that landmarks fit into memory."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""What a shot, a still or a split may be called: names of files are made of it."""


@dataclass(frozen=True)
class ClipRow:
    """A line of `clips.jsonl`: one shot of one face."""

    id: str
    person: str
    split: str
    frames: int
    fps: float
    upscale: float
    sharpness: float
    mouth_motion: float
    head_motion: float
    source: str
    start: float
    licence: str


@dataclass(frozen=True)
class StillRow:
    """A line of `stills.jsonl`: one face of one picture."""

    id: str
    person: str
    split: str
    kind: str
    upscale: float
    mouth_open: float
    sharpness: float
    source: str
    licence: str


def clip_path(folder: Path, id: str) -> Path:
    """The frames of a shot."""
    return folder / "clips" / f"{id}.mp4"


def landmarks_path(folder: Path, id: str) -> Path:
    """The landmarks of a shot."""
    return folder / "clips" / f"{id}.npy.xz"


def still_path(folder: Path, id: str) -> Path:
    """A still."""
    return folder / "stills" / f"{id}.jpg"


def licence_of(row: Mapping[str, Any]) -> str:
    """The licence of a line of either list; datasets made by hand may call it `repo_licence`."""
    return str(row.get("licence", row.get("repo_licence", NOT_STATED)))


def starts_with(licence: str, beginnings: Iterable[str]) -> bool:
    """Whether a licence begins with one of these, in small or capital letters."""
    return licence.casefold().startswith(tuple(beginning.casefold() for beginning in beginnings))


def pack_landmarks(points: Points) -> bytes:
    """The content of an `.npy.xz` file: landmarks (frames, 478, 3) in pixels, as differences in quarter pixels."""
    whole = np.rint(points * PER_PIXEL).astype(np.int16).transpose(2, 0, 1)
    delta = np.concatenate([whole[:, :1], np.diff(whole, axis=1)], axis=1).astype(np.int16)
    file = io.BytesIO()
    np.save(file, delta)
    return lzma.compress(file.getvalue())


def read_landmarks(path: Path) -> Points:
    """Landmarks, float32 (frames, 478, 3) in pixels, of an `.npy.xz` file.

    Raises:
        DatasetError: not such a file.
    """
    try:
        packed = unpack_xz(path.read_bytes(), 6 * MOST_FRAMES * LANDMARKS + 1000)
        delta = read_array(io.BytesIO(packed))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path}: the landmarks cannot be read ({error}); build or copy the dataset again"
        ) from error
    if delta.ndim != 3 or delta.shape[0] != 3 or delta.shape[2] != LANDMARKS or delta.dtype.kind != "i":
        raise DatasetError(f"{path}: not landmarks of shape (3, frames, {LANDMARKS}) but {delta.shape}")
    whole = np.cumsum(delta, axis=1, dtype=np.int32)
    return np.asarray(whole.transpose(1, 2, 0) / PER_PIXEL, np.float32)


def read_still_points(folder: Path) -> dict[str, NDArray[np.int16]]:
    """Landmarks of each still by id, (478, 3) in eighths of a pixel.

    Raises:
        DatasetError: `stills.npz` is missing, damaged, or holds something else.
    """
    path = folder / STILL_POINTS
    try:
        ids, points = read_arrays(path, "ids", "landmarks")
        if points.shape != (*ids.shape, LANDMARKS, 3) or ids.ndim != 1 or points.dtype.kind != "i":
            raise ValueError(f"arrays of shapes {ids.shape} and {points.shape}")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); build or copy the dataset again") from error
    return {str(id): each.astype(np.int16) for id, each in zip(ids, points, strict=True)}


def read_rows(path: Path, fields: Mapping[str, type | UnionType]) -> list[dict[str, Any]]:
    """The lines of a list, which have at least some fields of some types; `id` and `split` are names.

    Raises:
        UsageError: the file cannot be read, or a line is something else.
    """
    rows = read_lines(path)
    for row in rows:
        wrong = [name for name, kind in fields.items() if not isinstance(row.get(name), kind)]
        wrong += [name for name in ("id", "split") if name in row and not NAME.fullmatch(str(row[name]))]
        if wrong:
            raise UsageError(f"{path}: a line lacks {', '.join(dict.fromkeys(wrong))}, or has no such thing there")
    return rows


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one JSON object a line.

    Raises:
        UsageError: the file cannot be read, or a line is something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
        if not isinstance(row, dict):
            raise UsageError(f"{path}, line {number}: not a JSON object")
        rows.append(row)
    return rows


def write_lists(
    folder: Path,
    clips: Iterable[Mapping[str, Any]],
    stills: Iterable[Mapping[str, Any]],
    points: Mapping[str, NDArray[np.int16]],
) -> None:
    """Write `stills.npz`, `stills.jsonl` and, last, `clips.jsonl`, sorted by id. Raises OutputError.

    Args:
        folder: the dataset.
        clips: lines about its shots.
        stills: lines about its stills.
        points: landmarks of each still by id, (478, 3) in eighths of a pixel.
    """
    stills = sorted(stills, key=_id)
    ids = [str(row["id"]) for row in stills]
    file = io.BytesIO()
    table = np.array([points[id] for id in ids], np.int16).reshape(-1, LANDMARKS, 3)
    np.savez(file, ids=np.array(ids, dtype=np.str_), landmarks=table)
    write_bytes(folder / STILL_POINTS, file.getvalue())
    write_lines(folder / STILLS, stills)
    write_lines(folder / CLIPS, sorted(clips, key=_id))


def _id(row: Mapping[str, Any]) -> str:
    return str(row["id"])


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line. Raises OutputError."""
    write_bytes(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file. Raises OutputError."""
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {spoken_os_error(error)}") from error
