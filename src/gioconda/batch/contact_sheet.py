"""One picture of many clips: a row for each portrait, a column for each driver."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rgb = NDArray[np.uint8]

CELL, LEAST_CELL, LONGEST = 192, 48, 16_000
"""Pixels of a cell's side; what it shrinks to at least so that the sheet is no longer than the last."""
_PAPER, _INK, _EMPTY = (255, 255, 255), (40, 40, 40), (225, 225, 225)


def contact_sheet(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Rgb | None]], note: str = "failed"
) -> Rgb:
    """The sheet, uint8 (height, width, 3).

    Args:
        rows, columns: what is written beside and above.
        cells: a picture for each row and column, of any size; None where there is none.
        note: what is written there instead.
    """
    cell = int(np.clip(LONGEST // max(len(rows), len(columns), 1), LEAST_CELL, CELL))
    gap = max(2, cell // 32)
    font = ImageFont.load_default(max(9, cell // 12))
    head = round(font.size * 1.8)  # type: ignore[union-attr]
    sheet = Image.new("RGB", (gap + len(columns) * (cell + gap), head + len(rows) * (cell + head + gap)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        draw.text((gap + column * (cell + gap), head // 5), _fitted(name, cell, font), _INK, font)
    for row, name in enumerate(rows):
        top = head + row * (cell + head + gap)
        draw.text((gap, top + cell + head // 8), _fitted(name, cell, font), _INK, font)
        for column, picture in enumerate(cells[row]):
            left = gap + column * (cell + gap)
            if picture is None:
                draw.rectangle((left, top, left + cell - 1, top + cell - 1), _EMPTY)
                draw.text((left + cell / 2, top + cell / 2), note, _INK, font, anchor="mm")
                continue
            small = fitted(picture, cell)
            place = left + (cell - small.shape[1]) // 2, top + (cell - small.shape[0]) // 2
            sheet.paste(Image.fromarray(small), place)
    return np.array(sheet)


def fitted(picture: Rgb, side: int) -> Rgb:
    """A picture with its longer side of some pixels."""
    factor = side / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _fitted(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """As much of a text as has room, its end left out."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
