"""A contact sheet of a dataset: one frame of each shot and still, with its landmarks drawn."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gioconda.datasets.layout import (
    PER_STILL_PIXEL,
    ClipRow,
    StillRow,
    clip_path,
    landmarks_path,
    read_landmarks,
    still_path,
    write_bytes,
)
from gioconda.face import BROWS, EYES, MOUTH_OUTLINE, OVAL, Points
from gioconda.faces import COLOUR
from gioconda.media.pictures import read_picture
from gioconda.media.video import VideoReader
from gioconda.tracking.tracker import Rgb

TILE = 160
"""Pixels a side of a tile."""
CAPTION = 16
"""Pixels under it for the words."""
MOST = 120
"""Tiles; of more shots and stills, as many evenly spread over their list."""


def write_sheet(
    folder: Path,
    clips: Sequence[ClipRow],
    stills: Sequence[StillRow],
    points: Mapping[str, NDArray[np.int16]],
    path: Path,
) -> None:
    """Draw the sheet as a JPEG: people side by side, by name. Raises OutputError, DatasetError, VideoError."""
    rows: list[ClipRow | StillRow] = [*clips, *stills]
    rows.sort(key=lambda row: (row.person, row.source, row.id))
    chosen = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST)).round().astype(int))]
    columns = min(12, math.ceil(math.sqrt(len(chosen) * 1.6)))
    sheet = np.full((math.ceil(len(chosen) / columns) * (TILE + CAPTION), columns * TILE, 3), 24, np.uint8)
    for number, row in enumerate(chosen):
        if isinstance(row, ClipRow):
            rgb, face = _middle(folder, row)
        else:
            rgb, face = read_picture(still_path(folder, row.id)).rgb, points[row.id] / PER_STILL_PIXEL
        top, left = number // columns * (TILE + CAPTION), number % columns * TILE
        sheet[top : top + TILE, left : left + TILE] = _tile(rgb, face)
        words = f"{row.split} {row.person}".encode("ascii", "replace").decode()
        # A column of the sheet, so that a long name does not run into its neighbour's.
        column, line = sheet[:, left : left + TILE - 2], top + TILE + CAPTION - 5
        cv2.putText(column, words, (3, line), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (230,) * 3, 1, cv2.LINE_AA)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "JPEG", quality=90)
    write_bytes(path, file.getvalue())


def _middle(folder: Path, row: ClipRow) -> tuple[Rgb, Points]:
    """The frame in the middle of a shot, and its landmarks."""
    number = row.frames // 2
    with VideoReader(clip_path(folder, row.id)) as video:
        for _, frame in zip(range(number + 1), video, strict=False):
            rgb = frame.rgb
    return rgb, read_landmarks(landmarks_path(folder, row.id))[number]


def _tile(rgb: Rgb, points: Points) -> Rgb:
    scale = TILE / len(rgb)
    small: Any = cv2.resize(rgb, (TILE, TILE), interpolation=cv2.INTER_AREA)
    outlines: Iterable[tuple[tuple[int, ...], bool]] = (
        (OVAL, True),
        (MOUTH_OUTLINE, True),
        *((eye.outline, True) for eye in EYES),
        *((eye.iris[1:], True) for eye in EYES),
        *((brow[:5], False) for brow in BROWS),
    )
    for outline, closed in outlines:
        line = np.rint(points[list(outline), :2] * scale * 16).astype(np.int32)
        cv2.polylines(small, [line], closed, COLOUR, 1, cv2.LINE_AA, 4)
    return small
