"""Clips out: frames, and perhaps the sound of another file, become one file, a folder of pictures, or a still."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, cast

import av
import cv2
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from gioconda.errors import OutputError
from gioconda.media.files import partial_path, spoken_os_error, whole_file
from gioconda.media.pictures import write_png
from gioconda.media.video import open_media, read_packets, sound_origin

__all__ = [
    "OUTPUT_SUFFIXES",
    "STILL_SUFFIXES",
    "ClipWriter",
    "Sound",
    "check_output",
    "frames_in_file",
    "is_folder",
    "is_still_output",
    "size_in_file",
]

Bytes = NDArray[np.uint8]
Samples = NDArray[np.float32]

Seal = Callable[[Path], bytes | None]
"""Signs a finished file in place; gives back the sidecar of one that cannot hold its signature itself."""

_SOUND_RATE = 48_000  # samples per second
_SOUND_SLACK = _SOUND_RATE // 50  # disorder of time stamps that is not worth a click
_COPY_SLACK = 0.04  # seconds of missing beginning up to which sound packets are copied
_SEEK_FROM = 5.0  # seconds into the file from which seeking beats reading
_VAST = 16_000_000  # pixels of a frame from which an encoder's memory is kept small
_PAPER = 255  # what shows through where a format has no transparency


@dataclass(frozen=True)
class Sound:
    """The file whose sound goes into the clip, and where in it the clip begins.

    ``start``: seconds after the file's first video frame (or first sound, where it has no video).
    """

    path: Path
    start: float = 0.0


def check_output(path: str | Path) -> None:
    """See to it, before any work is done, that a clip can be written to ``path``.

    Raises OutputError: unknown ending, missing or unwritable folder, a folder that is not empty.
    """
    try:
        _check_target(path)
    except (OSError, ValueError) as error:  # a name too long, a null character
        raise OutputError(f"{path} cannot be written: {error}; choose another name.") from None


def _check_target(path: str | Path) -> None:
    target = Path(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        target.lstat()  # for what no file can be called
    if not is_folder(path):
        if not is_still_output(path):
            _recipe(target)
    elif target.name in ("", ".."):
        raise OutputError(f"{target} cannot be written as a whole; give a new folder inside it.")
    elif target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file; for numbered PNG pictures give a new folder.")
    elif target.exists() and any(target.iterdir()):
        raise OutputError(f"{target} is a folder with files in it; give a new or an empty folder.")
    parent = target.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"the folder {parent} does not exist; create it first.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {parent} cannot be written to; choose another one.")


class ClipWriter:
    """Writes a clip, frame by frame, in constant memory.

    The ending of ``path`` chooses the format: one of ``OUTPUT_SUFFIXES``; or, where ``path`` ends in
    a slash or is an empty folder, pictures named 000000.png, 000001.png and so on in that folder.
    Of a still picture (``STILL_SUFFIXES``) only the last frame is kept.
    MP4, MOV and WebM hold ``sound`` and no transparency; the others transparency and no sound. (The
    WebP encoder collects its compressed frames until the end.) MP4, MOV and WebM need even sides:
    an odd one grows by a pixel that repeats the edge (``size_in_file``). GIF shows at most 50 frames
    per second; surplus frames are left out (``frames_in_file``).

    ``width``, ``height``: pixels. ``fps``: frames per second. ``seal``: signs the finished file, or
    each picture of a folder; a sidecar has the clip's whole name and .c2pa after it.

    The clip appears under its name when the ``with`` block ends well, and not at all otherwise.
    Raises OutputError (see ``check_output``; also a full disk, or no frames at all) and, for the file
    of ``sound``, VideoError.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: Fraction | float,
        sound: Sound | None = None,
        seal: Seal | None = None,
    ) -> None:
        check_output(path)
        if width < 1 or height < 1 or not 0.01 <= fps <= 1000:
            raise ValueError(f"no clip can be {width} x {height} pixels at {fps} frames per second")
        self.path = Path(path)
        self.width = width
        self.height = height
        self.fps = Fraction(fps).limit_denominator(1001)
        self.frame_count = 0
        self._sound = sound
        self._seal = seal
        self._recipe = None if is_folder(path) or is_still_output(path) else _recipe(self.path)
        if self._recipe and max(width, height) > self._recipe.longest_side:
            raise OutputError(
                f"{self.path} would be {width} x {height} pixels, and {self.path.suffix} holds at most "
                f"{self._recipe.longest_side} on a side; make it smaller or give a folder."
            )
        self._part = partial_path(self.path)
        self._sink: _Sink | None = None

    def __enter__(self) -> Self:
        try:
            if is_still_output(self.path):
                self._sink = _Still(self._part)
            elif self._recipe is None:
                self._part.mkdir()
                self._sink = _Folder(self._part)
            else:
                self._part.touch(exist_ok=False)
                self._sink = _Film(self._part, self._recipe, self.fps, self._sound)
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                raise self._failure(error) from error
            raise
        return self

    def write(self, rgb: Bytes, alpha: Bytes | None = None) -> None:
        """Append a frame: uint8 (height, width, 3), and its opacity, uint8 (height, width).

        The first frame decides whether the clip has transparency. The arrays are not kept.
        """
        if rgb.dtype != np.uint8 or rgb.shape != (self.height, self.width, 3):
            raise ValueError(f"frame is {rgb.dtype} {rgb.shape}, not uint8 {(self.height, self.width, 3)}")
        if alpha is not None and (alpha.dtype != np.uint8 or alpha.shape != rgb.shape[:2]):
            raise ValueError(f"alpha is {alpha.dtype} {alpha.shape}, not uint8 {rgb.shape[:2]}")
        if self._sink is None:
            raise ValueError("a ClipWriter writes inside its `with` block only")
        try:
            self._sink.write(self.frame_count, np.ascontiguousarray(rgb), alpha)
        except (OSError, av.FFmpegError) as error:
            raise self._failure(error) from error
        self.frame_count += 1

    def append(self, clip: Path) -> None:
        """Append a silent MP4, MOV or WebM clip that this class wrote, without encoding it anew.

        It must have the same format, size and rate, and all of the frames must come from such clips.
        """
        if not isinstance(self._sink, _Film):
            raise ValueError("only encoded video can be appended")
        try:
            self.frame_count += self._sink.append(self.frame_count, clip)
        except (OSError, av.FFmpegError) as error:
            raise self._failure(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except (OSError, av.FFmpegError) as failure:
            raise self._failure(failure) from failure
        finally:
            self._discard()

    def _finish(self) -> None:
        assert self._sink is not None
        if self.frame_count == 0:
            raise OutputError(f"{self.path} was not written: there are no frames; check the driver.")
        self._sink.finish()
        sidecar = self._sealed()
        if sidecar is None:
            self._part.replace(self.path)
            return
        # Two files cannot appear at once. If the process is killed in between, a sidecar without its clip misleads
        # nobody; a whole clip that does not say what it is would. Where there was a clip before, what then lies beside
        # each other does not fit in either order.
        with _taken_back(self.path.with_name(f"{self.path.name}.c2pa"), sidecar):
            self._part.replace(self.path)

    def _sealed(self) -> bytes | None:
        """Sign what is written; gives back the sidecar of a file that cannot hold its signature itself."""
        if self._seal is None:
            return None
        if self._part.is_dir():
            for picture in sorted(self._part.iterdir()):
                self._seal(picture)
            return None
        return self._seal(self._part)

    def _discard(self) -> None:
        """Let go of everything and remove what is left of the unfinished clip."""
        sink, self._sink = self._sink, None
        try:
            if sink is not None:
                sink.release()
        finally:
            if self._part.is_dir():
                shutil.rmtree(self._part, ignore_errors=True)
            else:
                self._part.unlink(missing_ok=True)

    def _failure(self, error: Exception) -> OutputError:
        reason = spoken_os_error(error) if isinstance(error, OSError) else f"{error}; choose another format."
        return OutputError(f"cannot write {self.path}: {reason}")


@contextmanager
def _taken_back(path: Path, content: bytes) -> Iterator[None]:
    """A file gets new contents; if the block fails it has those of before, or is gone. Raises OSError."""
    before = path.read_bytes() if path.is_file() else None
    _write_whole(path, content)
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            _write_whole(path, before)
        raise


def _write_whole(path: Path, content: bytes) -> None:
    with whole_file(path) as file:
        file.write(content)


def is_still_output(path: str | Path) -> bool:
    """Whether a clip written there would be a single picture."""
    return Path(path).suffix.lower() in STILL_SUFFIXES and not is_folder(path)


def is_folder(path: str | Path) -> bool:
    """Whether a clip of this name would be a folder of numbered PNG pictures."""
    return str(path).endswith(("/", os.sep)) or Path(path).is_dir()


def size_in_file(path: str | Path, width: int, height: int) -> tuple[int, int]:
    """Width and height in pixels that a clip written there has, of frames of that size."""
    if is_folder(path) or is_still_output(path) or not _recipe(Path(path)).is_video:
        return width, height
    return _even(width), _even(height)


def frames_in_file(path: str | Path, count: int, fps: float) -> int:
    """How many of some frames, that come at some rate, a clip written there has: GIF is not faster than 50 a second."""
    if is_folder(path) or is_still_output(path):
        return count
    clock = _Clock(_recipe(Path(path)), Fraction(fps).limit_denominator(1001))
    return sum(clock.tick(index) is not None for index in range(count))


# Formats


class _Sink(Protocol):
    def write(self, index: int, rgb: Bytes, alpha: Bytes | None) -> None: ...

    def finish(self) -> None: ...

    def release(self) -> None: ...


class _Folder:
    """Numbered PNG pictures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, index: int, rgb: Bytes, alpha: Bytes | None) -> None:
        write_png(self._folder / f"{index:06d}.png", rgb, alpha, effort=1)

    def finish(self) -> None:
        pass

    def release(self) -> None:
        pass


class _Still:
    """The last frame as a picture."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, index: int, rgb: Bytes, alpha: Bytes | None) -> None:
        self._last = rgb.copy(), None if alpha is None else alpha.copy()

    def finish(self) -> None:
        rgb, alpha = self._last
        if self._path.suffix.lower() == ".png":
            pixels = rgb if alpha is None else np.dstack((rgb, alpha))
            Image.fromarray(pixels).save(self._path, "PNG", compress_level=3)
        else:
            pixels = rgb if alpha is None else on_paper(rgb, alpha)
            Image.fromarray(pixels).save(self._path, "JPEG", quality=95, subsampling=0)

    def release(self) -> None:
        pass


Painter = Callable[[Bytes, Bytes | None], av.VideoFrame]
"""Makes a frame for the encoder out of rgb and alpha."""


@dataclass(frozen=True)
class _Recipe:
    """How one kind of file is made.

    ``vast_options``: the codec's for frames above ``_VAST`` pixels, besides the others. ``is_video``: what
    ``_video_painter`` makes, with even sides. ``clock``: the encoder's ticks per second, if not the frame rate.
    """

    muxer: str
    codec: str
    painter: Callable[[], Painter]
    codec_options: dict[str, str] = field(default_factory=dict)
    vast_options: dict[str, str] = field(default_factory=dict)
    muxer_options: dict[str, str] = field(default_factory=dict)
    sound_codec: Literal["aac", "libopus"] | None = None
    copied_codecs: tuple[str, ...] = ()
    is_video: bool = False
    clock: int | None = None
    shortest_frame: int = 1
    longest_side: int = 16_383


def _recipe(path: Path) -> _Recipe:
    recipe = _RECIPES.get(path.suffix.lower())
    if recipe is None:
        ending = f"unknown ending {path.suffix}" if path.suffix else "no ending"
        raise OutputError(
            f"{path}: {ending}; use {', '.join(OUTPUT_SUFFIXES)}, {' or '.join(STILL_SUFFIXES)} for a still, "
            "or end in / for a folder of PNG pictures."
        )
    return recipe


class _Clock:
    """When frames are shown, in ticks of an encoder; `rate` is how many of them a second has."""

    def __init__(self, recipe: _Recipe, fps: Fraction) -> None:
        self.rate = Fraction(recipe.clock) if recipe.clock else fps
        self._fps = fps
        self._shortest = recipe.shortest_frame
        self._next = 0

    def tick(self, index: int) -> int | None:
        """Of a frame; they come in order. None where it follows the one before too soon, and is left out."""
        tick = round(index * self.rate / self._fps)
        if tick < self._next:
            return None
        self._next = tick + self._shortest
        return tick


class _Film:
    """One file of moving pictures, perhaps with sound."""

    def __init__(self, path: Path, recipe: _Recipe, fps: Fraction, sound: Sound | None) -> None:
        self._recipe = recipe
        self._fps = fps
        self._clock = _Clock(recipe, fps)
        self._paint = recipe.painter()
        self._stream: VideoStream | None = None
        self._encoded = True
        self._feed = None if sound is None else _sound_feed(sound, recipe)
        self._output = av.open(
            f"file:{path.absolute()}", "w", format=recipe.muxer, container_options=recipe.muxer_options
        )

    def write(self, index: int, rgb: Bytes, alpha: Bytes | None) -> None:
        tick = self._clock.tick(index)
        if tick is not None:
            frame = self._paint(rgb, alpha)
            frame.pts = tick
            frame.time_base = 1 / self._clock.rate
            if self._stream is None:
                self._stream = self._begun(self._open_stream(frame))
            self._output.mux(self._stream.encode(frame))
        if self._feed is not None:
            self._feed.advance(float((index + 1) / self._fps))

    def append(self, index: int, clip: Path) -> int:
        """Copy the packets of a clip to the place of frame ``index``; gives back how many frames that were."""
        count = 0
        with open_media(clip) as source:
            stream = source.streams.video[0]
            if self._stream is None:
                self._stream = self._begun(self._output.add_stream_from_template(stream))
                self._encoded = False
            for packet in source.demux(stream):
                if packet.pts is None or packet.dts is None:  # the empty packet at the end
                    continue
                # Counted in frames: some formats round times, and rounded times must not add up.
                packet.pts, packet.dts = (
                    round((index + round(ticks * packet.time_base * self._fps)) / self._fps / packet.time_base)
                    for ticks in (packet.pts, packet.dts)
                )
                packet.stream = self._stream
                self._output.mux(packet)
                count += 1
                if self._feed is not None:
                    self._feed.advance(float((index + count) / self._fps))
        return count

    def finish(self) -> None:
        assert self._stream is not None
        if self._encoded:
            self._output.mux(self._stream.encode())
        if self._feed is not None:
            self._feed.finish()
        self._output.close()

    def release(self) -> None:
        if self._feed is not None:
            self._feed.close()
        with suppress(OSError, av.FFmpegError):  # an unfinished file need not be whole
            self._output.close()

    def _begun(self, stream: VideoStream) -> VideoStream:
        if self._feed is not None:
            self._feed.attach(self._output)
        return stream

    def _open_stream(self, frame: av.VideoFrame) -> VideoStream:
        """The first frame decides on size and pixel format."""
        stream = cast(VideoStream, self._output.add_stream(self._recipe.codec, rate=self._fps))
        stream.width = frame.width
        stream.height = frame.height
        stream.pix_fmt = frame.format.name
        stream.codec_context.time_base = 1 / self._clock.rate
        vast = frame.width * frame.height > _VAST
        stream.codec_context.options = self._recipe.codec_options | (self._recipe.vast_options if vast else {})
        if self._recipe.is_video:
            stream.codec_context.colorspace = int(Colorspace.ITU709)
            stream.codec_context.color_range = int(ColorRange.MPEG)
            stream.codec_context.color_primaries = int(ColorPrimaries.BT709)
            stream.codec_context.color_trc = int(ColorTrc.BT709)
        return stream


# Frames for the encoders


def _video_painter() -> Painter:
    """Opaque 4:2:0 video with BT.709 colours and even sides."""
    reformatter = VideoReformatter()

    def paint(rgb: Bytes, alpha: Bytes | None) -> av.VideoFrame:
        if alpha is not None:
            rgb = on_paper(rgb, alpha)
        height, width = rgb.shape[:2]
        below, beside = _even(height) - height, _even(width) - width
        if below or beside:
            rgb = np.asarray(cv2.copyMakeBorder(rgb, 0, below, 0, beside, cv2.BORDER_REPLICATE), np.uint8)
        return reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(rgb, "rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
            threads=1,
        )

    return paint


def _even(side: int) -> int:
    return side + side % 2


def on_paper(rgb: Bytes, alpha: Bytes) -> Bytes:
    """A picture, uint8 (height, width, 3) with alpha (height, width), as it looks where nothing is transparent."""
    share = alpha[..., None].astype(np.uint16)
    return ((rgb * share + _PAPER * (255 - share) + 127) // 255).astype(np.uint8)


def _bgra_painter() -> Painter:
    def paint(rgb: Bytes, alpha: Bytes | None) -> av.VideoFrame:
        bgra = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA), np.uint8)
        if alpha is not None:
            bgra[..., 3] = alpha
        return av.VideoFrame.from_numpy_buffer(bgra, "bgra")

    return paint


def _rgb_painter() -> Painter:
    """RGB, or RGBA if the first frame has alpha."""
    with_alpha: bool | None = None

    def paint(rgb: Bytes, alpha: Bytes | None) -> av.VideoFrame:
        nonlocal with_alpha
        if with_alpha is None:
            with_alpha = alpha is not None
        if not with_alpha:
            return av.VideoFrame.from_ndarray(rgb, "rgb24")
        rgba = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA), np.uint8)
        if alpha is not None:
            rgba[..., 3] = alpha
        return av.VideoFrame.from_numpy_buffer(rgba, "rgba")

    return paint


def _palette_painter() -> Painter:
    """At most 255 colours and a transparent one.

    The palette is kept while it fits, and the dither pattern stands still: what does not move
    neither shimmers nor costs space.
    """
    palette: Image.Image | None = None
    usual_misfit = 0.0

    def paint(rgb: Bytes, alpha: Bytes | None) -> av.VideoFrame:
        nonlocal palette, usual_misfit
        dithered = Image.fromarray(_dithered(rgb))
        codes = None if palette is None else _codes(dithered, palette)
        if palette is None or codes is None or _misfit(codes, palette, rgb) > 1.2 * usual_misfit + 0.2:
            palette = _palette(rgb)
            codes = _codes(dithered, palette)
            usual_misfit = _misfit(codes, palette, rgb)
        if alpha is not None:
            codes[alpha < 128] = _TRANSPARENT
        colours = np.insert(_colours(palette), 0, 255, axis=1)
        colours[_TRANSPARENT] = 0
        pair = cast(Bytes, (codes, colours))  # what "pal8" takes, though the annotation forgets it
        return av.VideoFrame.from_ndarray(pair, "pal8")

    return paint


_TRANSPARENT = 255
_DITHER = 8.0  # levels from the pattern's lowest to its highest
_PATTERN = np.array(
    [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32
)  # each value once, evenly spread


def _dithered(rgb: Bytes) -> Bytes:
    height, width = rgb.shape[:2]
    offsets = np.rint((_PATTERN - 7.5) * (_DITHER / 15)).astype(np.int16)
    tiled = np.tile(offsets, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    return np.asarray(np.clip(rgb + tiled, 0, 255), np.uint8)


def _palette(rgb: Bytes) -> Image.Image:
    """A palette of 255 colours that suit the picture, the last one repeated to fill all 256 places."""
    quantized = Image.fromarray(rgb).quantize(_TRANSPARENT, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    colours = np.array(quantized.getpalette(), np.uint8).reshape(-1, 3)[:_TRANSPARENT]
    filler = np.repeat(colours[-1:], 256 - len(colours), axis=0)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate((colours, filler)).tobytes())
    return palette


def _colours(palette: Image.Image) -> Bytes:
    return np.array(palette.getpalette(), np.uint8).reshape(256, 3)


def _codes(picture: Image.Image, palette: Image.Image) -> Bytes:
    codes = np.array(picture.quantize(palette=palette, dither=Image.Dither.NONE))
    usable: Bytes = np.minimum(codes, np.uint8(_TRANSPARENT - 1))
    return usable


def _misfit(codes: Bytes, palette: Image.Image, rgb: Bytes) -> float:
    """Mean distance in levels between a coded picture and the true one, on a sample of its pixels."""
    coded = _colours(palette)[codes[::4, ::4]]
    return float(np.abs(coded - rgb[::4, ::4].astype(np.int16)).mean())


# Sound


class _SoundFeed(Protocol):
    """Sound that keeps step with the pictures of a clip, so that only little of it is in memory."""

    def attach(self, output: OutputContainer) -> None:
        """Add the sound's stream to the output."""

    def advance(self, until: float) -> None:
        """Write the sound of the clip's first ``until`` seconds."""

    def finish(self) -> None:
        """Write what the encoder still holds."""

    def close(self) -> None:
        """Close the file that the sound comes from."""


@dataclass(frozen=True)
class _SoundSource:
    """An open file's sound. ``zero``: the time in the file, in seconds, at which the clip begins."""

    container: InputContainer
    stream: AudioStream
    zero: float

    @staticmethod
    def open(path: Path, zero: float) -> _SoundSource:
        container = open_media(path, sound_only=True)
        stream = next(s for s in container.streams.audio if s.codec_context is not None)
        if zero > _SEEK_FROM:
            with suppress(av.FFmpegError):  # then all is read, and what comes before is left out
                container.seek(int((zero - 1.0) * av.time_base))
        return _SoundSource(container, stream, zero)

    def packets(self) -> Iterator[tuple[float, av.Packet[AudioStream]]]:
        """The packets from the clip's beginning on, with their times in the clip in seconds."""
        for packet in read_packets(self.container, self.stream):
            if packet.pts is not None:
                time = float(packet.pts * packet.time_base) - self.zero
                if time >= 0:
                    yield time, packet

    def frames(self) -> Iterator[av.AudioFrame]:
        for packet in read_packets(self.container, self.stream):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                continue


def _sound_feed(sound: Sound, recipe: _Recipe) -> _SoundFeed | None:
    """The sound for a clip; None where the clip cannot have one or the file has none."""
    origin = sound_origin(sound.path)
    if origin is None or recipe.sound_codec is None:
        return None
    zero = origin + sound.start
    source = _SoundSource.open(sound.path, zero)
    context = source.stream.codec_context
    if context.name in recipe.copied_codecs and context.extradata:
        packets = source.packets()
        first = next(packets, None)
        if first is not None and first[0] <= _COPY_SLACK:
            return _CopiedSound(source, chain((first,), packets))
        source.container.close()
        source = _SoundSource.open(sound.path, zero)
    return _EncodedSound(source, recipe.sound_codec)


class _CopiedSound:
    """Packets passed on as they are."""

    def __init__(self, source: _SoundSource, packets: Iterator[tuple[float, av.Packet[AudioStream]]]) -> None:
        self._source = source
        self._packets = packets
        self._next = next(packets, None)

    def attach(self, output: OutputContainer) -> None:
        self._output = output
        self._stream = output.add_stream_from_template(self._source.stream)

    def advance(self, until: float) -> None:
        while self._next is not None and self._next[0] < until:
            packet = self._next[1]
            shift = round(self._source.zero / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = packet.pts
            packet.stream = self._stream
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def finish(self) -> None:
        pass

    def close(self) -> None:
        self._source.container.close()


class _EncodedSound:
    """Sound decoded, put on the clip's time line and encoded anew."""

    def __init__(self, source: _SoundSource, codec: Literal["aac", "libopus"]) -> None:
        self._source = source
        self._codec = codec
        self._layout = "mono" if source.stream.codec_context.layout.nb_channels == 1 else "stereo"
        self._blocks = _on_time_line(source.frames(), source.zero, self._layout)
        self._waiting: Samples | None = None
        self._written = 0

    def attach(self, output: OutputContainer) -> None:
        self._output = output
        self._stream = output.add_stream(self._codec, rate=_SOUND_RATE)
        self._stream.codec_context.layout = self._layout
        self._stream.codec_context.bit_rate = 96_000 if self._layout == "mono" else 160_000

    def advance(self, until: float) -> None:
        goal = round(until * _SOUND_RATE)
        while self._written < goal:
            block = next(self._blocks, None) if self._waiting is None else self._waiting
            if block is None:
                return
            room = goal - self._written
            self._waiting = block[:, room:] if block.shape[1] > room else None
            self._encode(block[:, :room])

    def finish(self) -> None:
        self._output.mux(self._stream.encode())

    def close(self) -> None:
        self._source.container.close()

    def _encode(self, block: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", self._layout)
        frame.sample_rate = _SOUND_RATE
        frame.time_base = Fraction(1, _SOUND_RATE)
        frame.pts = self._written
        self._written += block.shape[1]
        self._output.mux(self._stream.encode(frame))


def _on_time_line(frames: Iterable[av.AudioFrame], zero: float, layout: str) -> Iterator[Samples]:
    """Blocks of samples, float32 (channels, n) at 48 kHz, gapless from the clip's beginning on.

    What lies before the beginning is left out; holes are filled with silence, overlaps cut.
    """
    channels = 1 if layout == "mono" else 2
    position = 0
    slack = 0
    for start, block in _resampled(frames, layout):
        place = position if start is None else round((start - zero) * _SOUND_RATE)
        if place > position + slack:
            yield from _silence(channels, place - position)
            position = place
        elif place < position - slack:
            block = block[:, position - place :]
        if block.shape[1]:
            yield block
            position += block.shape[1]
            slack = _SOUND_SLACK


def _silence(channels: int, count: int) -> Iterator[Samples]:
    for begin in range(0, count, _SOUND_RATE):
        yield np.zeros((channels, min(_SOUND_RATE, count - begin)), np.float32)


def _resampled(frames: Iterable[av.AudioFrame], layout: str) -> Iterator[tuple[float | None, Samples]]:
    """The file's time of each block, in seconds, and its samples."""
    resampler: AudioResampler | None = None
    kind: tuple[str, str, int] | None = None
    for frame in frames:
        if kind != (frame.format.name, frame.layout.name, frame.sample_rate):
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            resampler = AudioResampler("fltp", layout, _SOUND_RATE)
        assert resampler is not None
        for part in resampler.resample(frame):
            yield part.time, part.to_ndarray().astype(np.float32, copy=False)


# The formats


_AVX512 = 256  # OpenCV's CPU_AVX512_SKX, which its Python binding does not name


def _x264_speedups() -> dict[str, str]:
    """x264's code for AVX-512 reads memory that nobody wrote to, where the width is no multiple of 128 pixels: the same
    frames then give another clip each time. AVX2, which such processors also have, takes 5 % longer.
    """
    if not cv2.checkHardwareSupport(_AVX512):
        return {}
    return {"x264-params": "asm=MMX2,SSE2,SSE2Fast,LZCNT,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2"}


_H264 = {"crf": "17", "preset": "veryfast", **_x264_speedups()}
_H264_VAST = {"tune": "zerolatency"}  # the encoder looks no frames ahead: at 100 megapixels they take 5 GB
_VP9 = {
    **{"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "tile-columns": "1"},
    **{"lag-in-frames": "0", "crf": "20", "b": "0"},
}

_RECIPES = {
    ".mp4": _Recipe(
        "mp4",
        "libx264",
        _video_painter,
        _H264,
        _H264_VAST,
        {"movflags": "+faststart"},
        "aac",
        ("aac",),
        is_video=True,
    ),
    ".mov": _Recipe(
        "mov",
        "libx264",
        _video_painter,
        _H264,
        _H264_VAST,
        {"movflags": "+faststart"},
        "aac",
        ("aac",),
        is_video=True,
    ),
    ".webm": _Recipe("webm", "libvpx-vp9", _video_painter, _VP9, {}, {}, "libopus", ("opus", "libopus"), is_video=True),
    ".webp": _Recipe(
        "webp", "libwebp_anim", _bgra_painter, {"quality": "85", "compression_level": "1"}, {}, {"loop": "0"}
    ),
    # GIF counts in hundredths of a second, and browsers slow frames of less than two down to ten
    ".gif": _Recipe(
        "gif", "gif", _palette_painter, {}, {}, {"loop": "0"}, clock=100, shortest_frame=2, longest_side=65_535
    ),
    ".apng": _Recipe(
        "apng",
        "apng",
        _rgb_painter,
        {"pred": "up", "compression_level": "1"},
        {},
        {"plays": "0"},
        longest_side=65_535,
    ),
}

OUTPUT_SUFFIXES = tuple(_RECIPES)
"""The endings of the files that a clip can be written to."""
STILL_SUFFIXES = (".png", ".jpg", ".jpeg")
"""The endings of the files that its last frame alone can be written to."""
