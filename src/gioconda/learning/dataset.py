"""A dataset folder: face shots with landmarks, and stills, one JSON line each in `clips.jsonl` and `stills.jsonl`."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import UsageError
from gioconda.media.pictures import read_picture
from gioconda.media.video import VideoReader

Array = NDArray[Any]

EXCLUDED_LICENCES = ("AGPL", "CC-BY-NC", "non-commercial")
"""Beginnings of licences whose footage goes into no weights that ship."""
EXCLUDED_SOURCES = (
    "neuralchen/SimSwap",
    "sczhou/CodeFormer",
    "williamyang1991/VToonify",
    "YadiraF/DECA",
    "yfeng95/PIXIE",
)
"""Sources of stills whose licence says the same; a still's line does not name its licence."""
SOFTEST = 1.6
"""Crop pixels per source pixel above which a picture is too soft to learn from."""


@dataclass(frozen=True)
class Shot:
    """One shot of one person. `points` are (frames, 478, 3) in pixels of its square frames."""

    id: str
    person: str
    path: Path
    points: Array

    def frames(self, wanted: Array) -> Array:
        """Frames by number (ascending), uint8 (n, height, width, 3)."""
        chosen = set(wanted.tolist())
        with VideoReader(self.path) as video:
            return np.stack([f.rgb for number, f in enumerate(video) if number in chosen])


def training_shots(folder: Path) -> list[Shot]:
    """Sharp enough shots of the training split whose licence allows shipping what is learned from them.

    Raises:
        UsageError: the folder is no dataset, or nothing in it can be used.
    """
    shots = []
    for row in _rows(folder, "clips.jsonl"):
        if row["split"] != "train" or _banned(row) or row["upscale"] > SOFTEST or row["frames"] < 16:
            continue
        delta = _landmarks(folder / "clips" / f"{row['id']}.npy.xz")
        points = np.cumsum(delta, axis=1, dtype=np.int32).transpose(1, 2, 0).astype(np.float32) / 4
        shots.append(Shot(row["id"], row["person"], folder / "clips" / f"{row['id']}.mp4", points))
    if not shots:
        raise UsageError(f"{folder}: no training shot that may be used")
    return shots


def training_stills(folder: Path, mouth_open: float) -> Iterator[tuple[Array, Array]]:
    """Pictures of the training split, uint8 (h, w, 3), with landmarks, (478, 3), that show the inside of a mouth."""
    if not (folder / "stills.npz").is_file():
        raise UsageError(f"{folder}: not a whole dataset folder (stills.npz is missing)")
    archive = np.load(folder / "stills.npz", allow_pickle=False)
    points = {str(i): p.astype(np.float32) / 8 for i, p in zip(archive["ids"], archive["landmarks"], strict=True)}
    banned = {*EXCLUDED_SOURCES, *(row.get("source") for row in _rows(folder, "clips.jsonl") if _banned(row))}
    for row in _rows(folder, "stills.jsonl"):
        usable = row["split"] == "train" and row.get("source") not in banned and row["upscale"] <= SOFTEST
        if usable and row["mouth_open"] >= mouth_open:
            yield read_picture(folder / "stills" / f"{row['id']}.jpg").rgb, points[row["id"]]


def _banned(row: dict[str, Any]) -> bool:
    return str(row["repo_licence"]).startswith(EXCLUDED_LICENCES)


_FIELDS = {
    "clips.jsonl": {"id", "person", "split", "repo_licence", "upscale", "frames"},
    "stills.jsonl": {"id", "split", "mouth_open", "upscale"},
}


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    if not (folder / name).is_file():
        raise UsageError(f"{folder}: not a dataset folder ({name} is missing)")
    try:
        rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    except ValueError as error:
        raise UsageError(f"{folder / name}: a line is not JSON ({error})") from error
    for row in rows:
        if missing := _FIELDS[name] - set(row):
            raise UsageError(f"{folder / name}: a line lacks {', '.join(sorted(missing))}")
    return rows


def _landmarks(path: Path) -> Array:
    """Differences over time, int16 (3, frames, 478)."""
    try:
        with lzma.open(path) as file:
            return np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise UsageError(f"{path}: landmarks cannot be read ({error})") from error
