"""The visible label that `--label` draws: a few words in a corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TEXT = "AI · made with Gioconda"
SHORT = "AI"
"""Where the frame is too narrow for it."""
_SHARE = 0.035
"""Height of the letters, over the frame's shorter side."""
_SMALLEST = 10
"""Pixels."""


@dataclass(frozen=True)
class Label:
    """Light words on a dark, half transparent ground, at the lower left.

    Attributes:
        ink: float32 (height, width, 3), what is drawn, in levels.
        cover: float32 (height, width, 1), how much of the frame it hides.
        left, bottom: its distance from the frame's edges in pixels.
    """

    ink: NDArray[Any]
    cover: NDArray[Any]
    left: int
    bottom: int

    @staticmethod
    def of(width: int, height: int) -> Label:
        """The label for frames of some size in pixels."""
        size = max(_SMALLEST, round(_SHARE * min(width, height)))
        pad = max(2, size // 2)
        font = _font(size)
        text = TEXT if font.getbbox(TEXT)[2] + 4 * pad <= width else SHORT
        left, top, right, bottom = font.getbbox(text)
        picture = Image.new("L", (round(right - left) + 2 * pad, round(bottom - top) + pad))
        ImageDraw.Draw(picture).text((pad - left, pad // 2 - top), text, font=font, fill=255)
        light = np.asarray(picture, np.float32)[..., None] / 255
        ground = Image.new("L", picture.size)
        ImageDraw.Draw(ground).rounded_rectangle((0, 0, picture.width - 1, picture.height - 1), pad // 2, fill=140)
        cover = np.maximum(np.asarray(ground, np.float32)[..., None] / 255, light)
        return Label(np.repeat(light * 255, 3, 2)[:height, :width], cover[:height, :width], pad, pad)

    def on(
        self, rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """A frame with the label, and its alpha: what is drawn is opaque."""
        high, wide = self.ink.shape[:2]
        bottom = max(high, rgb.shape[0] - self.bottom)
        left = max(0, min(self.left, rgb.shape[1] - wide))
        part = np.s_[bottom - high : bottom, left : left + wide]
        rgb = rgb.copy()
        rgb[part] = np.rint(rgb[part] * (1 - self.cover) + self.ink * self.cover)
        if alpha is not None:
            alpha = alpha.copy()
            alpha[part] = np.maximum(alpha[part], np.rint(255 * self.cover[..., 0]).astype(np.uint8))
        return rgb, alpha


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
