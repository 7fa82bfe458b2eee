"""The stream: performance -> retarget -> render -> composite -> clip. Memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda import __version__
from gioconda.avatar import Avatar
from gioconda.credentials.identity import signing_identity
from gioconda.credentials.marking import Marking, marked
from gioconda.credentials.signing import Seal
from gioconda.credentials.statement import Disclosure, Statement
from gioconda.editing import eased_into
from gioconda.errors import UsageError
from gioconda.inference import AUTO
from gioconda.media.ahead import ahead, depth_for, side_by_side, threads_for
from gioconda.media.clip import ClipWriter, Sound, check_output, is_still_output
from gioconda.media.files import sha256_of
from gioconda.performance import Motion, Performance
from gioconda.portrait import Portrait, View
from gioconda.progress import Progress, quiet
from gioconda.rendering import Patch, composite, make_renderer
from gioconda.rendering.renderer import DEFAULT_RENDERER, own_network
from gioconda.resume import Scene, Unfinished, digest
from gioconda.retarget import Gains, Sitter, retarget
from gioconda.tracking import Box

MOST_FPS = 60.0
"""Frames per second of a clip, unless more are asked for."""


@dataclass(frozen=True)
class Frame:
    """One frame of a clip, as it was rendered: without a mark, which it gets when it is saved.

    Attributes:
        rgb: uint8 (height, width, 3).
        alpha: uint8 (height, width) where the canvas has transparency.
        drawn: the parts that a renderer drew, in pixels; none where that is not known.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    drawn: tuple[Box, ...] = ()

    @staticmethod
    def of(canvas: View, *patches: Patch) -> Frame:
        """The canvas with what renderers drew."""
        return Frame(*composite(canvas, *patches), tuple(map(_box_of, patches)))


Watch = Callable[[Frame], object]
"""Is shown the frames of a clip as they are written: marked."""


def unwatched(frame: Frame) -> None:
    """Nobody looks."""


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
        device: what the network is computed on.
    """

    portrait: Portrait
    performance: Performance
    gains: Gains
    absolute: bool
    renderer: str
    weights: Path | Avatar | None
    fps: float
    device: str = AUTO

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
        return self.frames()

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """The frames from some number on. A frame depends on nothing but its number: they are always the same."""
        canvas = self.portrait.views[0]
        paint = self.painter()
        motions = self.performance.resampled(self.fps, first)
        yield from side_by_side(lambda motion: Frame.of(canvas, paint(motion)), motions, threads_for(self.size))

    def identity(self) -> dict[str, Any]:
        """All that decides about the frames, in JSON's types: two animations of one identity look alike."""
        views = self.portrait.views
        motion = self.performance.motion
        return {
            "version": __version__,
            "size": list(self.size),
            "frames": len(self),
            "fps": self.fps,
            "portrait": digest(*(part for view in views for part in (view.rgb, view.points, *view.neighbours))),
            "transparency": digest(*(view.alpha for view in views if view.alpha is not None)),
            "performance": digest(self.performance.times, *(getattr(motion, f.name) for f in fields(motion))),
            "gains": vars(self.gains),
            "absolute": self.absolute,
            "renderer": self.renderer,
            "weights": self._network(),
        }

    def _network(self) -> str | None:
        """Sha256 of the weights, if there are any; those that are missing are told of by the renderer."""
        network = self.weights or own_network(self.renderer)
        if isinstance(network, Avatar):
            return digest(*network.network.values())
        return sha256_of(network) if network and network.is_file() else None

    def painter(self) -> Callable[[Motion], Patch]:
        """What draws the face region for a movement."""
        return painter(self.portrait, self.gains, self.absolute, self.renderer, self.weights, self.device)

    def statement(self, consent: str | None = None) -> Statement:
        """What a clip of it says of itself."""
        return Statement(
            renderer=self.renderer,
            weights=self._network(),
            portraits=tuple(view.sha256 for view in self.portrait.views if view.sha256),
            performances=(self.performance.sha256,) if self.performance.sha256 else (),
            consent=consent,
        )

    def save(
        self,
        path: str | Path,
        *,
        sound: Path | bool = True,
        disclosure: Disclosure | None = None,
        progress: Progress = quiet,
        resume: bool = False,
        watch: Watch = unwatched,
    ) -> Path:
        """Write the clip; the format follows the ending (`gioconda.media.clip.OUTPUT_SUFFIXES`).

        With the ending of a still picture (`STILL_SUFFIXES`) only the last frame is rendered and written.

        Args:
            path: where to; the file appears under this name only when it is whole.
            sound: True for the driver's own sound, False for none, or a file to take it from, whose
                beginning is the beginning of the driver (not of the part that `start` left of it).
            disclosure: what the clip says of itself beyond what every clip does.
            progress: told about every frame.
            resume: keep what is finished when interrupted, and go on from there (`gioconda.resume`).
            watch: shown every frame as it is written; not with `resume`.

        Raises:
            OutputError: unknown ending, or the file cannot be written there.
            UsageError: `resume` with a format that is encoded as a whole.
            CredentialsError: the certificate to sign with is of no use.
        """
        told = disclosure or Disclosure()
        return save_scene(path, self, sound_of(self.performance, sound), told, progress, resume, watch)


def painter(
    portrait: Portrait,
    gains: Gains,
    absolute: bool,
    renderer: str,
    weights: Path | Avatar | None,
    device: str = AUTO,
) -> Callable[[Motion], Patch]:
    """What draws the face region of a portrait for a movement, in any number of threads at once.

    The arguments are the attributes of `Animation`.
    """
    canvas = portrait.views[0]
    height, width = canvas.rgb.shape[:2]
    others = [view.points for view in portrait.views[1:]]
    sitter = Sitter.of(canvas.points, width, height, canvas.neighbours, others)
    render = make_renderer(renderer, portrait.views, weights, device)
    return lambda motion: render(retarget(sitter, motion, gains, absolute))


def marked_pictures(
    canvas: View, paint: Callable[[Motion], Patch], label: bool
) -> Callable[[Motion], NDArray[np.uint8]]:
    """What draws single pictures of a portrait, uint8 (height, width, 3), marked as a clip that begins at rest."""
    marking = Marking.of(Frame.of(canvas, paint(Motion.neutral())), label)
    return lambda motion: marking.on(Frame.of(canvas, paint(motion))).rgb


def _box_of(patch: Patch) -> Box:
    """Where a patch lies, in pixels of the canvas."""
    height, width = patch.rgb.shape[:2]
    return Box(patch.left, patch.top, width, height)


def sound_of(performance: Performance, sound: Path | bool = True) -> Sound | None:
    """The sound of a clip: the driver's own, none, or that of a file, from where the performance begins."""
    source = performance.source if sound is True else (sound or None)
    return Sound(source, float(performance.times[0])) if source else None


def statement_of(animations: Sequence[Animation], consent: str | None) -> Statement:
    """What a clip says that shows several animations of one picture."""
    statements = [animation.statement(consent) for animation in animations]
    return replace(statements[0], performances=tuple(value for each in statements for value in each.performances))


def animate(
    portrait: Portrait,
    performance: Performance,
    *,
    gains: Gains | None = None,
    absolute: bool = False,
    renderer: str = DEFAULT_RENDERER,
    weights: Path | Avatar | None = None,
    device: str = AUTO,
    crop: bool = False,
    size: int | None = None,
    fps: float | None = None,
) -> Animation:
    """Let a portrait make somebody's movements.

    Args:
        portrait: the person or painting to move.
        performance: the movement; one of a single frame (a photograph's) is moved into and held a while.
        gains: how much of head, mouth, eyes and brows; None for all of them as they are.
        absolute: turn the head as the driver's is turned to the camera, instead of from its own pose.
        renderer: name of the renderer.
        weights: its network: of `warp` the warp.onnx of a training run, or an avatar, None for the package's own; of
            `sketch` an avatar, or its file.
        device: what the network is computed on: `auto`, or one of `gioconda.inference.devices`.
        crop: show the head alone, not the whole picture.
        size: longer side of the clip in pixels; None for the picture's own.
        fps: frames per second; None for the driver's.

    Raises:
        UsageError: an option out of range.
    """
    if fps is not None and not 1 <= fps <= 120:
        raise UsageError(f"fps {fps:g}: use 1 to 120 frames per second")
    if len(performance) == 1:
        performance = eased_into(performance)
    # A recording's average rate may be anything; players want an ordinary one.
    rate = fps or min(max(performance.fps, 1.0), MOST_FPS)
    framed = portrait.framed(crop, size)
    return Animation(framed, performance, gains or Gains(), absolute, renderer, weights, rate, device)


def save_scene(
    path: str | Path,
    scene: Scene,
    sound: Sound | None,
    disclosure: Disclosure,
    progress: Progress,
    resume: bool,
    watch: Watch = unwatched,
) -> Path:
    """Write a clip, in one go or so that it can be resumed; a still picture is its last frame."""
    statement = scene.statement(disclosure.consent)
    if resume:
        seal = Seal(statement, disclosure.identity or signing_identity())
        Unfinished.of(path, scene, disclosure.label).finish(sound, seal, progress)
    else:
        first, heard = (len(scene) - 1, None) if is_still_output(path) else (0, sound)
        frames, count = scene.frames(first), len(scene) - first
        write_clip(path, frames, scene.size, count, scene.fps, heard, statement, disclosure, progress, watch)
    return Path(path)


def write_clip(
    path: str | Path,
    frames: Iterable[Frame],
    size: tuple[int, int],
    count: int,
    fps: float,
    sound: Sound | None,
    statement: Statement,
    disclosure: Disclosure,
    progress: Progress,
    watch: Watch = unwatched,
) -> None:
    """Write frames to a file, marked and signed; rendering and encoding go on side by side."""
    width, height = size
    check_output(path)
    seal = Seal(statement, disclosure.identity or signing_identity())
    with (
        ClipWriter(path, width, height, fps, sound, seal) as writer,
        progress(f"writing {Path(path).name}", count) as tick,
    ):
        for frame in ahead(marked(frames, disclosure.label), depth_for(size)):
            writer.write(frame.rgb, frame.alpha)
            watch(frame)
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
        options = {"fps": min(fps, MOST_FPS), **options}
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
        drawn: list[tuple[Box, ...]] = [()] * len(running)
        for _ in range(len(self)):
            for index, frames in enumerate(running):
                frame = next(frames, None)
                if frame is not None:
                    shown[index] = self._fit(frame.rgb)
                    drawn[index] = tuple(self._placed(box, index + 1) for box in frame.drawn)
            yield Frame(np.hstack([still, *shown]), None, tuple(box for boxes in drawn for box in boxes))

    def _placed(self, box: Box, panel: int) -> Box:
        """A box of an animation's frame where it lies in the reel."""
        width, height = self.animations[0].size
        x, y = self.panel[0] / width, self.panel[1] / height
        return Box(box.x * x + panel * self.panel[0], box.y * y, box.width * x, box.height * y)

    def _fit(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        method = cv2.INTER_AREA if rgb.shape[0] > self.panel[1] else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(rgb, self.panel, interpolation=method), np.uint8)

    def save(
        self,
        path: str | Path,
        *,
        sound: int | None = None,
        disclosure: Disclosure | None = None,
        progress: Progress = quiet,
        watch: Watch = unwatched,
    ) -> Path:
        """Write the reel; `sound` is the number of the driver whose voice is heard, from 0, None for silence.

        Raises:
            OutputError, CredentialsError: as `Animation.save`.
            UsageError: no driver of that number.
        """
        disclosure = disclosure or Disclosure()
        voice = None
        if sound is not None:
            if not 0 <= sound < len(self.animations):
                raise UsageError(f"--sound {sound}: the drivers are numbered 0 to {len(self.animations) - 1}")
            voice = sound_of(self.animations[sound].performance)
        statement = statement_of(self.animations, disclosure.consent)
        write_clip(path, self, self.size, len(self), self.fps, voice, statement, disclosure, progress, watch)
        return Path(path)
