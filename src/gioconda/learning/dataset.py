"""A dataset folder: face shots with landmarks, and stills, one JSON line each in `clips.jsonl` and `stills.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.datasets.layout import (
    CLIPS,
    STILL_POINTS,
    STILLS,
    clip_path,
    landmarks_path,
    licence_of,
    read_landmarks,
    read_lines,
    starts_with,
    still_path,
)
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
        DatasetError: the landmarks of a shot cannot be read.
    """
    shots = []
    for row in _training_rows(folder):
        points = read_landmarks(landmarks_path(folder, row["id"]))
        shots.append(Shot(row["id"], row["person"], clip_path(folder, row["id"]), points))
    if not shots:
        raise UsageError(f"{folder}: no training shot that may be used")
    return shots


def trained_on(folder: Path) -> dict[str, list[str]]:
    """The people and shots of `training_shots`, for the card: nobody may be measured on whom a network was trained."""
    rows = list(_training_rows(folder))
    return {
        "people": sorted({str(row["person"]) for row in rows}),
        "shots": sorted(str(row["id"]) for row in rows),
    }


def _training_rows(folder: Path) -> Iterator[dict[str, Any]]:
    for row in _rows(folder, CLIPS):
        if row["split"] == "train" and not _banned(row) and row["upscale"] <= SOFTEST and row["frames"] >= 16:
            yield row


def training_stills(folder: Path, mouth_open: float = 0.0) -> Iterator[tuple[Array, Array]]:
    """Pictures of the training split, uint8 (h, w, 3), with landmarks, (478, 3), with mouths open so far at least."""
    if not (folder / STILL_POINTS).is_file():
        raise UsageError(f"{folder}: not a whole dataset folder ({STILL_POINTS} is missing)")
    archive = np.load(folder / STILL_POINTS, allow_pickle=False)
    points = {str(i): p.astype(np.float32) / 8 for i, p in zip(archive["ids"], archive["landmarks"], strict=True)}
    banned = {*EXCLUDED_SOURCES, *(row.get("source") for row in _rows(folder, CLIPS) if _banned(row))}
    for row in _rows(folder, STILLS):
        usable = row["split"] == "train" and not _banned(row) and row.get("source") not in banned
        if usable and row["upscale"] <= SOFTEST and row["mouth_open"] >= mouth_open:
            yield read_picture(still_path(folder, row["id"])).rgb, points[row["id"]]


def _banned(row: dict[str, Any]) -> bool:
    return starts_with(licence_of(row), EXCLUDED_LICENCES)


_FIELDS = {
    CLIPS: {"id", "person", "split", "upscale", "frames"},
    STILLS: {"id", "split", "mouth_open", "upscale"},
}


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    if not (folder / name).is_file():
        raise UsageError(f"{folder}: not a dataset folder ({name} is missing)")
    rows = read_lines(folder / name)
    for row in rows:
        missing = _FIELDS[name] - set(row)
        if name == CLIPS and not {"licence", "repo_licence"} & set(row):
            missing.add("licence")
        if missing:
            raise UsageError(f"{folder / name}: a line lacks {', '.join(sorted(missing))}")
    return rows
