"""The stream: performance -> retarget -> render -> composite -> clip. Memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.avatar import Avatar
from gioconda.errors import UsageError
from gioconda.media.ahead import ahead
from gioconda.media.clip import ClipWriter, Sound
from gioconda.performance import Performance
from gioconda.portrait import Portrait
from gioconda.progress import Progress, quiet
from gioconda.rendering import composite, make_renderer
from gioconda.retarget import Gains, Sitter, retarget


@dataclass(frozen=True)
class Frame:
    """One frame of a clip: uint8 (height, width, 3), and uint8 (height, width) where the canvas has transparency."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Animation:
    """A portrait about to move. Iterating renders it frame by frame; `save` writes it to a file.

    Attributes:
        portrait: the portrait, already framed: its first view is the canvas.
        performance: what moves it.
        gains: how much of each part of the movement.
        absolute: whether the head is turned as the driver's is to the camera.
        renderer: name of the renderer.
        weights: its network, where it has one: a file or an avatar.
        fps: frames per second of the clip.
    """

    portrait: Portrait
    performance: Performance
    gains: Gains
    absolute: bool
    renderer: str
    weights: Path | Avatar | None
    fps: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.portrait.views[0].rgb.shape[:2]
        return width, height

    def __len__(self) -> int:
        """Number of frames."""
        return self.performance.frames_at(self.fps)

    def __iter__(self) -> Iterator[Frame]:
        """Render the frames in order."""
        canvas = self.portrait.views[0]
        sitter = Sitter.of(canvas.points, *self.size)
        render = make_renderer(self.renderer, self.portrait.views, self.weights)
        for motion in self.performance.resampled(self.fps):
            target = retarget(sitter, motion, self.gains, self.absolute)
            yield Frame(*composite(canvas, render(target)))

    def save(self, path: str | Path, *, sound: Path | bool = True, progress: Progress = quiet) -> Path:
        """Write the clip; the format follows the ending (`gioconda.media.clip.OUTPUT_SUFFIXES`).

        Args:
            path: where to; the file appears under this name only when it is whole.
            sound: True for the driver's own sound, False for none, or a file to take it from, whose
                beginning is the beginning of the driver (not of the part that `start` left of it).
            progress: told about every frame.

        Raises:
            OutputError: unknown ending, or the file cannot be written there.
        """
        source = self.performance.source if sound is True else (sound or None)
        begins = Sound(source, float(self.performance.times[0])) if source else None
        write_clip(path, self, self.size, len(self), self.fps, begins, progress)
        return Path(path)


def animate(
    portrait: Portrait,
    performance: Performance,
    *,
    gains: Gains | None = None,
    absolute: bool = False,
    renderer: str = "flow",
    weights: Path | Avatar | None = None,
    crop: bool = False,
    size: int | None = None,
    fps: float | None = None,
) -> Animation:
    """Let a portrait make somebody's movements.

    Args:
        portrait: the person or painting to move.
        performance: the movement.
        gains: how much of head, mouth, eyes and brows; None for all of them as they are.
        absolute: turn the head as the driver's is turned to the camera, instead of from its own pose.
        renderer: name of the renderer.
        weights: the network of `warp`: the warp.onnx of a training run; of `sketch`: an avatar, or its file.
        crop: show the head alone, not the whole picture.
        size: longer side of the clip in pixels; None for the picture's own.
        fps: frames per second; None for the driver's.

    Raises:
        UsageError: an option out of range.
    """
    if fps is not None and not 1 <= fps <= 120:
        raise UsageError(f"fps {fps:g}: use 1 to 120 frames per second")
    # A recording's average rate may be anything; players want an ordinary one.
    rate = fps or min(max(performance.fps, 1.0), 60.0)
    framed = portrait.framed(crop, size)
    return Animation(framed, performance, gains or Gains(), absolute, renderer, weights, rate)


def write_clip(
    path: str | Path,
    frames: Iterator[Frame] | Animation | Reel,
    size: tuple[int, int],
    count: int,
    fps: float,
    sound: Sound | None,
    progress: Progress,
) -> None:
    """Write frames to a file; rendering and encoding go on side by side."""
    width, height = size
    with (
        ClipWriter(path, width, height, fps, sound) as writer,
        progress(f"writing {Path(path).name}", count) as tick,
    ):
        for frame in ahead(frames):
            writer.write(frame.rgb, frame.alpha)
            tick()


@dataclass(frozen=True)
class Reel:
    """The picture beside its living portraits, one per performance, as in the famous video.

    Attributes:
        animations: one animation per performance, all of one canvas.
        panel: width and height of each panel in pixels.
        fps: frames per second.
    """

    animations: tuple[Animation, ...]
    panel: tuple[int, int]
    fps: float

    @staticmethod
    def of(portrait: Portrait, performances: Sequence[Performance], *, height: int = 480, **options: object) -> Reel:
        """Panels of a height in pixels; `options` as for `animate`."""
        if not performances:
            raise UsageError("a reel needs at least one driver")
        if not 64 <= height <= 2160:
            raise UsageError(f"height {height}: use 64 to 2160 pixels")
        fps = max(p.fps for p in performances)
        options = {"fps": min(fps, 60.0), **options}
        animations = tuple(animate(portrait, p, **options) for p in performances)  # type: ignore[arg-type]
        width, tall = animations[0].size
        panel = max(2, round(height * width / tall / 2) * 2), height
        return Reel(animations, panel, animations[0].fps)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.panel[0] * (1 + len(self.animations)), self.panel[1]

    def __len__(self) -> int:
        """Number of frames: those of the longest performance."""
        return max(map(len, self.animations))

    def __iter__(self) -> Iterator[Frame]:
        """Render the frames in order; who has finished holds the last pose."""
        still = self._fit(self.animations[0].portrait.views[0].rgb)
        running = [iter(a) for a in self.animations]
        shown = [still] * len(running)
        for _ in range(len(self)):
            for index, frames in enumerate(running):
                frame = next(frames, None)
                if frame is not None:
                    shown[index] = self._fit(frame.rgb)
            yield Frame(np.hstack([still, *shown]))

    def _fit(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        method = cv2.INTER_AREA if rgb.shape[0] > self.panel[1] else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(rgb, self.panel, interpolation=method), np.uint8)

    def save(self, path: str | Path, *, sound: int | None = None, progress: Progress = quiet) -> Path:
        """Write the reel; `sound` is the number of the driver whose voice is heard, from 0, None for silence.

        Raises:
            OutputError: as `Animation.save`.
            UsageError: no driver of that number.
        """
        voice = None
        if sound is not None:
            if not 0 <= sound < len(self.animations):
                raise UsageError(f"--sound {sound}: the drivers are numbered 0 to {len(self.animations) - 1}")
            performance = self.animations[sound].performance
            if performance.source:
                voice = Sound(performance.source, float(performance.times[0]))
        write_clip(path, self, self.size, len(self), self.fps, voice, progress)
        return Path(path)
