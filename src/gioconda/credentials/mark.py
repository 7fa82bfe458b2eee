"""The invisible mark: a faint fixed pattern, added to the brightness of the region that moves.

It says one thing, "this came out of Gioconda", and carries no data. The pattern is a square tile,
repeated: the sum of all waves of `LOWEST` to `HIGHEST` cycles a tile, equally strong, with phases
drawn from a hash of a public name (spread spectrum after Cox, Kilian, Leighton, Shamoon, "Secure
Spread Spectrum Watermarking for Multimedia", IEEE Trans. Image Processing 1997; the repeated tile
finds itself again after a crop). Its size goes with the region's, so that a clip made smaller keeps
it. It is one layer for a whole clip: nothing of it moves or flickers. `detection.py` looks for it;
`docs/credentials.md` says what it withstands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.parts import bands
from gioconda.tracking import Box

Array = NDArray[Any]

NAME = b"gioconda mark 1"
"""What the phases are drawn from. Another name is another mark."""
GRID = 64
"""Samples along a side of the tile where it is looked for."""
LOWEST, HIGHEST = 6, 22
"""Cycles a tile of the slowest and the fastest wave."""
TILES = 4
"""Tiles along the longer side of the region."""
SHORTEST_TILE = 96
"""Pixels; a small region has fewer, larger tiles, so that they can still be halved."""

_FLAT = 0.6
"""Strength where the picture is even, in 8-bit levels (root mean square)."""
_BUSY = 0.35
"""Strength gained per level of fine detail, averaged over a neighbourhood."""
_BUSIEST = 12.0
"""Most detail that a single spot counts for, in levels."""
_STRONGEST = 2.2
"""Most strength anywhere, in levels."""
_ON_AVERAGE = 1.45
"""Most strength over the region, in levels: a peak signal-to-noise ratio of 44.9 dB."""
_BAND_PIXELS = 40_000
"""Pixels of the rows that are worked on at a time: so few that what they need stays in the processor's cache, and is no
block of memory that is given back and asked for again with every frame."""
_DIM = 90.0
"""Brightness below which strength falls, to half of it at the darkest: dark paint shows more."""


@cache
def waves(name: bytes = NAME) -> Array:
    """The tile's spectrum: complex (64, 33), as of `numpy.fft.rfft2`, of modulus 1 in the mark's band, else 0."""
    down = np.fft.fftfreq(GRID)[:, None] * GRID
    right = np.fft.rfftfreq(GRID)[None] * GRID
    cycles = np.hypot(down, right)
    # The column at 0 is left out, since a real tile's spectrum holds those waves twice.
    used = (cycles >= LOWEST) & (cycles <= HIGHEST) & (right > 0)
    drawn = hashlib.shake_256(name).digest(4 * int(used.sum()))
    spectrum = np.zeros(used.shape, np.complex128)
    spectrum[used] = np.exp(2j * np.pi * np.frombuffer(drawn, "<u4") / 2**32)
    return spectrum


@cache
def _fine_tile() -> Array:
    """The tile with 256 samples a side, float32, mean 0 and root mean square 1."""
    fine = 4 * GRID
    padded = np.zeros((fine, fine // 2 + 1), np.complex128)
    half = GRID // 2
    padded[:half, : half + 1] = waves()[:half]
    padded[-half:, : half + 1] = waves()[half:]
    tile = np.fft.irfft2(padded, (fine, fine))
    return (tile / tile.std()).astype(np.float32)


@dataclass(frozen=True)
class Layer:
    """What is added to every frame of a clip: the same for red, green and blue.

    Attributes:
        brighter, darker: uint8 (height, width), what to add and what to take away.
    """

    brighter: NDArray[np.uint8]
    darker: NDArray[np.uint8]

    @staticmethod
    def of(rgb: NDArray[np.uint8], regions: Sequence[Box] = ()) -> Layer:
        """The layer for a clip.

        Args:
            rgb: its first frame, uint8 (height, width, 3). Where that is busy the mark is stronger.
            regions: the parts that move, in pixels; none for the whole frame.
        """
        height, width = rgb.shape[:2]
        regions = regions or (Box(0, 0, width, height),)
        side = max(max(box.width, box.height) for box in regions)
        tile = max(float(SHORTEST_TILE), side / TILES)
        strength = _strength(rgb, regions, GRID / tile)
        brighter, darker = np.empty((height, width), np.uint8), np.empty((height, width), np.uint8)
        for rows in bands(height, width, _BAND_PIXELS):
            change = np.rint(strength[rows] * _pattern(width, rows, tile))
            brighter[rows], darker[rows] = change.clip(min=0), -change.clip(max=0)
        return Layer(brighter, darker)

    def on(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A frame with the mark, uint8 (height, width, 3)."""
        height, width = rgb.shape[:2]
        return np.concatenate([self._band(rgb, rows) for rows in bands(height, width, _BAND_PIXELS)])

    def _band(self, rgb: NDArray[np.uint8], rows: slice) -> NDArray[np.uint8]:
        brighter, darker = (cv2.cvtColor(part[rows], cv2.COLOR_GRAY2RGB) for part in (self.brighter, self.darker))
        return np.asarray(cv2.subtract(cv2.add(rgb[rows], brighter), darker), np.uint8)


def _pattern(width: int, rows: slice, tile: float) -> Array:
    """Some rows of the repeated tile, float32 (rows, width), with tiles of some pixels a side."""
    fine = _fine_tile()
    step = len(fine) / tile

    def places(first: int, end: int) -> Array:
        return (((np.arange(first, end) + 0.5) * step - 0.5) % len(fine)).astype(np.float32)

    across, down = np.meshgrid(places(0, width), places(rows.start, rows.stop))
    return cv2.remap(np.pad(fine, (0, 2), mode="wrap"), across, down, cv2.INTER_LINEAR)


def _strength(rgb: NDArray[np.uint8], regions: Sequence[Box], factor: float) -> Array:
    """How strong the pattern may be, float32 (height, width) in levels.

    Worked out at the fineness at which a tile has `GRID` samples: `factor` of the frame's.
    """
    height, width = rgb.shape[:2]
    size = max(8, round(width * factor)), max(8, round(height * factor))
    grey = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY).astype(np.float32)
    # A median keeps outlines: they are not busy, and the even areas beside them stay clean.
    detail = np.abs(grey - cv2.medianBlur(grey, 5))
    busy = cv2.GaussianBlur(np.minimum(detail, _BUSIEST), (0, 0), 3)
    light = np.clip(cv2.GaussianBlur(grey, (0, 0), 2) / _DIM, 0.5, 1)
    inside = np.zeros(size[::-1], np.float32)
    for box in regions:
        left, top = round(box.x * factor), round(box.y * factor)
        inside[top : round((box.y + box.height) * factor), left : round((box.x + box.width) * factor)] = 1
    inside = cv2.GaussianBlur(inside, (0, 0), 2, borderType=cv2.BORDER_REPLICATE) * inside
    strength = np.clip(_FLAT + _BUSY * busy, 0, _STRONGEST) * light * inside
    average = float(np.sqrt((strength**2).sum() / max(float(inside.sum()), 1.0)))
    strength *= min(1.0, _ON_AVERAGE / max(average, 1e-6))
    enlarged = cv2.resize(strength, (width, height), interpolation=cv2.INTER_LINEAR)
    outside = np.ones((height, width), np.uint8)
    for box in regions:
        outside[round(box.y) : round(box.y + box.height), round(box.x) : round(box.x + box.width)] = 0
    np.copyto(enlarged, 0, where=outside.view(bool))
    return enlarged
