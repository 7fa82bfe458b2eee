"""A dataset folder as tar shards in the layout of WebDataset, and back."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gioconda.datasets.layout import (
    CLIPS,
    STILL_POINTS,
    STILLS,
    clip_path,
    landmarks_path,
    read_rows,
    read_still_points,
    still_path,
    write_bytes,
    write_lists,
)
from gioconda.errors import DatasetError, OutputError, UsageError
from gioconda.face import LANDMARKS
from gioconda.media.files import sha256_of, spoken_os_error, whole_file
from gioconda.progress import Progress, quiet
from gioconda.untrusted import parse_json, read_array

INDEX = "shards.json"
_MEMBER = re.compile(r"(?P<id>[A-Za-z0-9_-]{1,100})\.(?P<kind>mp4|npy\.xz|jpg|npy|json)")
_WHOLE = {"clips": {"mp4", "npy.xz", "json"}, "stills": {"jpg", "npy", "json"}}
_BLOCK = 512
"""Bytes; tar counts in them."""


@dataclass(frozen=True)
class _Shard:
    """A line of `shards.json`: an archive, its length, and the fingerprint of its content."""

    name: str
    bytes: int
    sha256: str
    samples: int


@dataclass(frozen=True)
class _Sample:
    """A shot or still: what each of its members holds, a file or the bytes."""

    id: str
    members: Mapping[str, Path | bytes]

    @property
    def size(self) -> int:
        """Bytes in the archive."""
        lengths = (len(m) if isinstance(m, bytes) else m.stat().st_size for m in self.members.values())
        return sum(_BLOCK + -(-length // _BLOCK) * _BLOCK for length in lengths)


def export(folder: Path, out: Path, shard_bytes: int = 256_000_000, progress: Progress = quiet) -> list[str]:
    """Write a dataset as shards: `clips-train-000000.tar` and so on, and `shards.json`, which lists them.

    The same dataset gives the same bytes. A shard grows no further once it has `shard_bytes`.

    Returns:
        the shards' names.

    Raises:
        UsageError: `folder` is no dataset, or `shard_bytes` is out of range.
        DatasetError: a file of it is missing or damaged.
        OutputError: `out` has files in it, or cannot be written.
    """
    if not 1_000_000 <= shard_bytes <= 100_000_000_000:
        raise UsageError(f"--shard-size is {shard_bytes / 1e6:g} MB, must be 1 to 100000")
    if not (folder / CLIPS).is_file():
        raise UsageError(f"{folder}: not a dataset folder ({CLIPS} is missing)")
    rows = {"clips": read_rows(folder / CLIPS, {"id": str})}
    rows["stills"] = read_rows(folder / STILLS, {"id": str}) if (folder / STILLS).is_file() else []
    points = read_still_points(folder) if rows["stills"] else {}
    _make_empty(out)
    written: list[_Shard] = []
    with progress("shots and stills", sum(map(len, rows.values()))) as tick:
        for kind, entries in rows.items():
            for split in sorted({str(row.get("split", "none")) for row in entries}):
                of_split = (row for row in entries if str(row.get("split", "none")) == split)
                samples = (
                    _sample(folder, kind, row, points) for row in sorted(of_split, key=lambda row: str(row["id"]))
                )
                for number, part in enumerate(_parts(samples, shard_bytes)):
                    written.append(_write_shard(out / f"{kind}-{split}-{number:06d}.tar", part))
                    for _ in part:
                        tick()
    index = {"format": "gioconda-shards", "version": 1, "shards": [asdict(shard) for shard in written]}
    write_bytes(out / INDEX, json.dumps(index, indent=1).encode())
    return [shard.name for shard in written]


def unpack(shards: Path, out: Path, progress: Progress = quiet) -> tuple[int, int]:
    """Make a dataset folder of shards; the lists are written last.

    Nothing in an archive says where a file goes but its kind and id, and those are checked.

    Returns:
        how many shots and stills.

    Raises:
        UsageError: `shards` is no such folder.
        DatasetError: a shard is missing, cut short or damaged, or holds what no export writes.
        OutputError: `out` has files in it, or cannot be written.
    """
    index = _read_index(shards)
    for shard in index:
        _check_length(shards / shard.name, shard.bytes)
    _make_empty(out)
    rows: dict[str, list[dict[str, Any]]] = {"clips": [], "stills": []}
    points: dict[str, Any] = {}
    with progress("shards", len(index)) as tick:
        for shard in index:
            for sample in _read_shard(shards / shard.name, shard.sha256):
                row, kind = _row(shards / shard.name, sample)
                rows[kind].append(row)
                if kind == "clips":
                    _put(clip_path(out, sample.id), sample.members["mp4"])
                    _put(landmarks_path(out, sample.id), sample.members["npy.xz"])
                else:
                    _put(still_path(out, sample.id), sample.members["jpg"])
                    points[sample.id] = _array(shards / shard.name, sample)
            tick()
    write_lists(out, rows["clips"], rows["stills"], points)
    return len(rows["clips"]), len(rows["stills"])


def _make_empty(out: Path) -> None:
    try:
        out.mkdir(exist_ok=True)
        if any(out.iterdir()):
            raise OutputError(f"{out} is a folder with files in it; give a new or an empty folder")
    except OSError as error:
        raise OutputError(f"cannot write {out}: {spoken_os_error(error)}") from error


# Out


def _sample(folder: Path, kind: str, row: Mapping[str, Any], points: Mapping[str, Any]) -> _Sample:
    id = str(row["id"])
    members: dict[str, Path | bytes] = {"json": json.dumps(row, ensure_ascii=False).encode()}
    if kind == "clips":
        members |= {"mp4": clip_path(folder, id), "npy.xz": landmarks_path(folder, id)}
    else:
        if id not in points:
            raise DatasetError(f"{folder / STILL_POINTS} lacks the landmarks of {id}; build the dataset again")
        file = io.BytesIO()
        np.save(file, points[id])
        members |= {"jpg": still_path(folder, id), "npy": file.getvalue()}
    for member in members.values():
        if isinstance(member, Path) and not member.is_file():
            raise DatasetError(f"{member} is missing, though the list names it; build or copy the dataset again")
    return _Sample(id, members)


def _parts(samples: Iterator[_Sample], most: int) -> Iterator[list[_Sample]]:
    part: list[_Sample] = []
    size = 0
    for sample in samples:
        part.append(sample)
        size += sample.size
        if size >= most:
            yield part
            part, size = [], 0
    if part:
        yield part


def _write_shard(path: Path, samples: list[_Sample]) -> _Shard:
    try:
        with whole_file(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for sample in samples:
                for kind, member in sorted(sample.members.items()):
                    content = member if isinstance(member, bytes) else member.read_bytes()
                    # Owner, mode and time stay those of a fresh entry: the same content is the same archive.
                    entry = tarfile.TarInfo(f"{sample.id}.{kind}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {spoken_os_error(error)}") from error
    return _Shard(path.name, path.stat().st_size, sha256_of(path), len(samples))


# Back


def _read_index(shards: Path) -> list[_Shard]:
    path = shards / INDEX
    if not path.is_file():
        raise UsageError(f"{shards}: not a folder of shards ({INDEX} is missing)")
    try:
        index = parse_json(path.read_bytes())
        found = [_Shard(**entry) for entry in index["shards"]]
        if not all(isinstance(shard.bytes, int) and isinstance(shard.sha256, str) for shard in found):
            raise ValueError("a length or checksum is none")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is damaged ({error}); export the dataset again") from error
    for shard in found:
        if not re.fullmatch(r"[A-Za-z0-9_-]+\.tar", str(shard.name)):
            raise DatasetError(f"{path} names {shard.name!r}, which is no name of a shard; export the dataset again")
    return found


def _check_length(path: Path, expected: int) -> None:
    if not path.is_file():
        raise DatasetError(f"{path} is missing; copy it again")
    if (length := path.stat().st_size) != expected:
        raise DatasetError(f"{path} is cut short or damaged: {length} bytes, not {expected}; copy it again")


def _read_shard(path: Path, sha256: str) -> Iterator[_Sample]:
    """The samples of a shard, each when all its members have been read."""
    if sha256_of(path) != sha256:
        raise DatasetError(f"{path} is damaged: its content is not what was exported; copy it again")
    with path.open("rb") as file:
        yield from _samples(path, file)


def _samples(path: Path, file: BinaryIO) -> Iterator[_Sample]:
    id, members = "", dict[str, Path | bytes]()
    length = path.stat().st_size
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for entry in tar:
                name = _MEMBER.fullmatch(entry.name)
                if name is None or not entry.isreg() or entry.issparse():
                    raise DatasetError(f"{path} holds {entry.name!r}, which no export writes; do not trust it")
                if name["id"] != id and id:
                    yield _Sample(id, members)
                    members = {}
                id = name["id"]
                if entry.size > length:
                    raise DatasetError(f"{path} is damaged: {entry.name!r} is longer than the whole; copy it again")
                content = tar.extractfile(entry)
                members[name["kind"]] = content.read() if content else b""
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise DatasetError(f"{path} is cut short or damaged ({error}); copy it again") from error
    if id:
        yield _Sample(id, members)


def _row(path: Path, sample: _Sample) -> tuple[dict[str, Any], str]:
    """The line of a sample for its list, and which list that is."""
    kind = next((kind for kind, whole in _WHOLE.items() if set(sample.members) == whole), None)
    if kind is None:
        raise DatasetError(f"{path}: {sample.id} is not whole ({', '.join(sorted(sample.members))})")
    content = sample.members["json"]
    try:
        row = parse_json(content) if isinstance(content, bytes) else None
    except ValueError as error:
        raise DatasetError(f"{path}: {sample.id}.json is damaged ({error})") from error
    if not isinstance(row, dict) or row.get("id") != sample.id:
        raise DatasetError(f"{path}: {sample.id}.json is not about {sample.id}")
    return row, kind


def _array(path: Path, sample: _Sample) -> Any:
    content = sample.members["npy"]
    try:
        points = read_array(io.BytesIO(content if isinstance(content, bytes) else b""))
    except ValueError as error:
        raise DatasetError(f"{path}: {sample.id}.npy is damaged ({error})") from error
    if points.shape != (LANDMARKS, 3) or points.dtype.kind != "i":
        raise DatasetError(f"{path}: {sample.id}.npy is not the landmarks of one face")
    return points


def _put(path: Path, content: Path | bytes) -> None:
    assert isinstance(content, bytes)
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, content)
