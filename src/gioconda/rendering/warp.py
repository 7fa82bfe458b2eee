"""The renderer called `warp`: `flow`, and what a small network has learned of how faces change when they move.

It sees the warped picture and the movement (`clues.py`), and says by how much each place of the face
is off and how much lighter or darker it must be: cheeks that rise, folds beside a smile, the shade
of a turned head, lips that thin out. It paints no pixels of its own, so that what it changes keeps
the picture's resolution, brush strokes and grain.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.avatar import Avatar
from gioconda.errors import AvatarError, UsageError
from gioconda.face import Points
from gioconda.inference import AUTO, CPU, PROVIDERS, answers, fastest_network, start_network
from gioconda.parts import bands, occupied
from gioconda.portrait import View
from gioconda.rendering.clues import CELLS, CHANNELS, FACE, FRAME, ShapeDrawer, in_cells, warp_frame
from gioconda.rendering.flow import FlowRenderer
from gioconda.rendering.plates import taken
from gioconda.rendering.renderer import Patch

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Array = NDArray[Any]

ONNX = "warp.onnx"
"""Name, among an avatar's tensors, of its network: the bytes of an ONNX file."""
CHANGES = 5
"""Channels of what the network says: where a place comes from, as a displacement in frame pixels (x, y), and the
logarithm of the gain of red, green and blue."""
FARTHEST = 3.0
"""Frame pixels by which a place may be moved at most."""
STRONGEST = 0.3
"""Logarithm of the largest gain, and of the smallest but for its sign. Skin seldom needs more, and a painting that the
network takes for something else gets no bright blots."""
BLACK = 12.0
"""Levels of brightness that are added before a gain, and taken away after it: the dark can be brightened too."""
LIGHTEST = 95.0
"""Per cent of a face's pixels that are darker than what skin is made no lighter than. A lid that comes down shows skin
that was in the crease's shadow; in a painting it may be as light as can be already."""
GREY, COLOURED = 4.0, 12.0
"""Levels between the strongest and the weakest of a pixel's colours, in the median of the face, up to which a picture
is grey, and from which it has all its colours."""
SKIN_TONES = (10.0, 95.0)
"""Per cent of a face's pixels that are darker than its skin, brows and nostrils, and than all but its highlights."""
TONES = (0.5, 1.7)
"""Least and most that one colour falls when all three fall by 1."""
LEAST_RANGE = 0.1
"""Logarithm of the ratio of the lightest to the darkest of those pixels below which they say nothing of it."""
MARGIN = 2
"""Cells around those that change, into which the enlargement reaches."""
BAND_PIXELS = 1_000_000
"""Pixels that are changed at once, in floating point."""


@dataclass(frozen=True)
class WarpNetwork:
    """A trained network of `warp`.

    Attributes:
        name: of its file, or what messages call it.
        session: in which it runs.
        turn: who holds it may ask: not every device answers several threads at once.
    """

    name: Path | str
    session: InferenceSession
    turn: AbstractContextManager[object]

    @staticmethod
    def load(path: Path, device: str = AUTO) -> WarpNetwork:
        """From an ONNX file that `gioconda train warp` wrote, on one of `inference.devices`.

        Raises:
            UsageError: it cannot be read, or is another network; no such device.
        """
        try:
            return WarpNetwork._of(path.read_bytes(), path, device)
        except OSError as error:
            raise UsageError(
                f"{path}: not a network that can be read ({error.strerror}); give the warp.onnx of a training run"
            ) from error

    @staticmethod
    def of(avatar: Avatar, device: str = AUTO) -> WarpNetwork:
        """That of an avatar, likewise.

        Raises:
            AvatarError: it has none, or another's.
            UsageError: no such device.
        """
        network = np.asarray(avatar.network.get(ONNX))
        if avatar.about.renderer != "warp" or network.dtype != np.uint8:
            raise AvatarError(f"the avatar is for the renderer {avatar.about.renderer!r}, not for warp; make it again")
        return WarpNetwork._of(network.tobytes(), "the avatar's network", device)

    @staticmethod
    def _of(network: bytes, name: Path | str, device: str) -> WarpNetwork:
        threads = max(1, cv2.getNumThreads())
        if device == AUTO:
            example = np.random.default_rng(0).random((1, CHANNELS, CELLS, CELLS), np.float32)
            session = fastest_network(network, name, example, threads=threads)
        else:
            session = start_network(network, name, threads=threads, device=device)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        wanted = [("clues", [1, CHANNELS, CELLS, CELLS])]
        if [(i.name, i.shape) for i in inputs] != wanted or len(outputs) != 1:
            raise UsageError(f"{name}: another network; give the warp.onnx that 'gioconda train warp' wrote")
        on_cpu = session.get_providers() == [PROVIDERS[CPU]]
        return WarpNetwork(name, session, nullcontext() if on_cpu else Lock())

    def __call__(self, seen: Array) -> Array:
        """What it says of `clues.in_cells`, within what it may say: float32 (CELLS, CELLS, CHANGES)."""
        with self.turn:
            (said,) = answers(self.session, seen[None], [(1, CHANGES, CELLS, CELLS)], self.name)
        most = np.array([FARTHEST] * 2 + [STRONGEST] * 3, np.float32)
        return np.clip(said[0].transpose(1, 2, 0), -most, most)


class WarpRenderer:
    """See `gioconda.rendering.Renderer`. The first view is the canvas; the others may lend their teeth."""

    def __init__(self, views: Sequence[View], network: WarpNetwork) -> None:
        points = views[0].points
        self._flow, self._network = FlowRenderer(views), network
        self._frame = warp_frame(points)
        self._shape = ShapeDrawer(self._frame.points(points))
        face = self._shape(self._frame.points(points)).channels[..., FACE] > 0
        pixels = self._frame.picture(views[0].rgb)[::2, ::2][face]
        self._colours, self._tones = _colours(pixels), _tones(pixels)
        self._lightest = np.percentile(pixels, LIGHTEST, axis=0) if len(pixels) else np.full(3, 255.0)

    def __call__(self, target: Points) -> Patch:
        """The region around the face with the landmarks at `target`, (478, 3) in canvas pixels."""
        patch = self._flow(target)
        shape = self._shape(self._frame.points(target))
        if not shape.gate.any():
            return patch
        corner = np.array([[1, 0, patch.left], [0, 1, patch.top]], float)
        seen = in_cells(self._frame.picture(patch.rgb, corner), shape.channels)
        change = self._network(seen) * shape.gate[..., None]
        # What is light and shade to the network may have a colour: a grey picture stays grey. And shade has the colours
        # that it has in this picture.
        shade = change[..., 2:].mean(axis=2, keepdims=True)
        change[..., 2:] = shade * self._tones + self._colours * (change[..., 2:] - shade)
        apply(patch.rgb, change, self._frame.matrix @ np.vstack([corner, (0, 0, 1)]), self._lightest)
        return patch


def apply(rgb: NDArray[np.uint8], change: Array, to_frame: Array, lightest: Array) -> None:
    """Move and shade pixels, uint8 (h, w, 3), as the network says, in place.

    Args:
        rgb: the pixels.
        change: float32 (CELLS, CELLS, CHANGES), 0 where nothing is to change.
        to_frame: (2, 3), from these pixels to the frame's, without a turn.
        lightest: red, green and blue above which nothing is made lighter, (3,).
    """
    part = occupied(np.abs(change).max(axis=2))
    if part is None:
        return
    height, width = rgb.shape[:2]
    scale = to_frame[0, 0]
    low = np.array([2 * (at.start - MARGIN) for at in part[::-1]])
    high = np.array([2 * (at.stop + MARGIN) for at in part[::-1]])
    left, top = np.clip(np.floor((low - to_frame[:, 2]) / scale).astype(int), 0, (width, height))
    right, bottom = np.clip(np.ceil((high - to_frame[:, 2]) / scale).astype(int), 0, (width, height))
    if right <= left or bottom <= top:
        return
    # Twice as fine by cubic curves; beyond that, straight lines do.
    moves = _doubled(change[..., :2] / np.float32(scale))
    gains = _doubled(np.exp(change[..., 2:]))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    made = rgb[top:bottom, left:right]
    was = made.copy()
    across = np.arange(right - left, dtype=np.float32)
    for rows in bands(len(made), len(across), BAND_PIXELS):
        matrix = to_frame.copy()
        matrix[:, 2] += matrix[:, :2] @ (left, top + rows.start)
        size = len(across), rows.stop - rows.start
        came_from = cv2.warpAffine(moves, matrix, size, flags=flags)
        came_from[..., 0] += across
        came_from[..., 1] += np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        gain = cv2.warpAffine(gains, matrix, size, flags=flags, borderValue=(1, 1, 1))
        moved = taken(was, came_from, cv2.INTER_CUBIC)
        # (pixel + BLACK) * gain - BLACK, rounded.
        lit = cv2.addWeighted(cv2.multiply(moved, gain, dtype=cv2.CV_32F), 1, gain, BLACK, -BLACK, dtype=cv2.CV_8U)
        np.minimum(lit, np.maximum(moved, np.rint(lightest).astype(np.uint8)), out=made[rows])


def _colours(pixels: Array) -> float:
    """How far pixels, uint8 (n, 3), are of a picture in colours, 0 to 1."""
    apart = float(np.median(np.ptp(pixels, axis=1))) if len(pixels) else 0.0
    return float(np.clip((apart - GREY) / (COLOURED - GREY), 0, 1))


def _tones(pixels: Array) -> NDArray[np.float32]:
    """How far red, green and blue, (3,), of a face's pixels, uint8 (n, 3), fall from light to shade, over all three.

    In logarithms, as the network speaks. Light skin in the shade is not grey: in a painting it is warm.
    """
    levels = np.log(pixels.reshape(-1, 3) + np.float32(BLACK))
    light = levels.mean(axis=1)
    low, high = np.percentile(light, SKIN_TONES) if len(light) else (0.0, 0.0)
    if high - low < LEAST_RANGE:
        return np.ones(3, np.float32)
    within = (light >= low) & (light <= high)
    levels, light = levels[within], light[within]
    falls = (light - light.mean()) @ (levels - levels.mean(axis=0)) / (light.var() * len(light))
    return np.asarray(np.clip(falls, *TONES), np.float32)


def _doubled(values: Array) -> Array:
    """Values of cells, (CELLS, CELLS, c), at the frame's pixels, float32 (FRAME, FRAME, c)."""
    return cv2.resize(np.ascontiguousarray(values, np.float32), (FRAME, FRAME), interpolation=cv2.INTER_CUBIC)
