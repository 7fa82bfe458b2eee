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
    PER_STILL_PIXEL,
    STILL_POINTS,
    STILLS,
    clip_path,
    landmarks_path,
    licence_of,
    read_landmarks,
    read_rows,
    read_still_points,
    starts_with,
    still_path,
)
from gioconda.errors import DatasetError, UsageError, VideoError
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
        """Frames by number (ascending), uint8 (n, height, width, 3). Raises VideoError where there is none of them."""
        chosen = set(wanted.tolist())
        with VideoReader(self.path) as video:
            found = [f.rgb for number, f in enumerate(video) if number in chosen]
        if not found:
            raise VideoError(f"{self.path} has none of the frames that its landmarks are of; copy the dataset again")
        return np.stack(found)


def usable_shots(folder: Path, split: str = "train") -> list[Shot]:
    """Sharp enough shots of a split whose licence allows shipping what is learned from them.

    Raises:
        UsageError: the folder is no dataset, or nothing in it can be used.
        DatasetError: the landmarks of a shot cannot be read.
    """
    shots = []
    for row in _usable_rows(folder, split):
        points = read_landmarks(landmarks_path(folder, row["id"]))
        shots.append(Shot(row["id"], row["person"], clip_path(folder, row["id"]), points))
    if not shots:
        raise UsageError(f"{folder}: no shot of the split {split} that may be used")
    return shots


def trained_on(folder: Path) -> dict[str, list[str]]:
    """The people and shots that are learned from, for the card: nobody may be measured on whom a network learned."""
    rows = list(_usable_rows(folder, "train"))
    return {
        "people": sorted({str(row["person"]) for row in rows}),
        "shots": sorted(str(row["id"]) for row in rows),
    }


def _usable_rows(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    for row in _rows(folder, CLIPS):
        if row["split"] == split and not _banned(row) and row["upscale"] <= SOFTEST and row["frames"] >= 16:
            yield row


def usable_stills(folder: Path, mouth_open: float = 0.0, split: str = "train") -> Iterator[tuple[Array, Array]]:
    """Pictures of a split that may be learned from, uint8 (h, w, 3), with landmarks, (478, 3).

    Their mouths are open so far at least, in eye distances.
    """
    if not (folder / STILL_POINTS).is_file():
        raise UsageError(f"{folder}: not a whole dataset folder ({STILL_POINTS} is missing)")
    points = {id: kept.astype(np.float32) / PER_STILL_PIXEL for id, kept in read_still_points(folder).items()}
    banned = {*EXCLUDED_SOURCES, *(str(row.get("source")) for row in _rows(folder, CLIPS) if _banned(row))}
    for row in _rows(folder, STILLS):
        usable = row["split"] == split and not _banned(row) and str(row.get("source")) not in banned
        if usable and row["id"] not in points:
            raise DatasetError(f"{folder / STILL_POINTS} lacks the landmarks of {row['id']}; build the dataset again")
        if usable and row["upscale"] <= SOFTEST and row["mouth_open"] >= mouth_open:
            yield read_picture(still_path(folder, row["id"])).rgb, points[row["id"]]


def _banned(row: dict[str, Any]) -> bool:
    return starts_with(licence_of(row), EXCLUDED_LICENCES)


_FIELDS = {
    CLIPS: {"id": str, "person": str, "split": str, "upscale": int | float, "frames": int},
    STILLS: {"id": str, "split": str, "mouth_open": int | float, "upscale": int | float},
}


def _rows(folder: Path, name: str) -> list[dict[str, Any]]:
    if not (folder / name).is_file():
        raise UsageError(f"{folder}: not a dataset folder ({name} is missing)")
    rows = read_rows(folder / name, _FIELDS[name])
    if name == CLIPS and not all({"licence", "repo_licence"} & set(row) for row in rows):
        raise UsageError(f"{folder / name}: a line lacks licence")
    return rows
