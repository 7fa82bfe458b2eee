"""Videos in: a local file becomes a stream of upright 8-bit sRGB frames with their times."""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

import av
import av.filter
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from gioconda.errors import VideoError

__all__ = [
    "VIDEO_SUFFIXES",
    "VideoFacts",
    "VideoFrame",
    "VideoReader",
    "open_media",
    "probe_video",
    "read_packets",
    "sound_origin",
]

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".3gp", ".flv", ".wmv", ".asf", ".mxf", ".ogv", ".vob"),
)
"""Endings by which the videos of a folder are known."""

# Everything else that libavformat knows is refused before it is opened: playlists and scripts make
# it open further files or addresses.
VIDEO_CONTAINERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "h264", "hevc"),
    *("flv", "asf", "ogg", "mxf", "nut", "ivf", "dv", "yuv4mpegpipe", "gif", "apng"),
)
_SOUND_CONTAINERS = ("wav", "mp3", "flac", "aac", "aiff", "caf")
_READABLE = "an MP4, MOV, WebM, MKV, AVI, GIF, animated WebP or APNG file"

MAX_VIDEO_PIXELS = 8192 * 8192
_FALLBACK_RATE = Fraction(25)
_CREDIBLE_RATES = (Fraction(1, 100), Fraction(480))
_CREDIBLE_PIXEL_ASPECTS = (Fraction(1, 8), Fraction(8))
_HIGH_DEFINITION = 720  # pixels on the shorter side from which untagged colours are BT.709
_READ_FAILURES_BORNE = 8
_CLOCK_RESTART = 1.0  # so many seconds backwards are a new clock, less is disorder
_LONGEST_FRAME = 60.0  # seconds; a longer pause before the next frame is a damaged time stamp

_PQ, _HLG = int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)
_UNSPECIFIED_MATRIX = 2  # AVCOL_SPC_UNSPECIFIED

Rgb = NDArray[np.uint8]
StreamT = TypeVar("StreamT", AudioStream, VideoStream)
Stamped = tuple[float | None, Rgb]


@dataclass(frozen=True)
class VideoFrame:
    """One frame. ``time``: seconds since the video's first frame. ``rgb``: uint8 (H, W, 3), sRGB."""

    time: float
    rgb: Rgb


@dataclass(frozen=True)
class VideoFacts:
    """What a video file says of itself.

    ``width`` and ``height``: pixels, upright and with square pixels. ``fps``: average frames per
    second. ``duration`` (seconds) and ``frame_count_estimate`` are 0 where the file does not say.
    ``origin``: the file's own time of its first frame, in seconds; the sound runs on the same clock.
    """

    width: int
    height: int
    fps: float
    duration: float
    frame_count_estimate: int
    has_sound: bool
    origin: float


class VideoReader:
    """The frames of a local video file, one after the other, in constant memory.

    Frames are turned upright, brought to square pixels, and deinterlaced or tone-mapped where the
    file calls for it. Each iteration starts at the first frame and yields ``VideoFrame`` objects with
    strictly increasing times; what is damaged is left out.

    ``width``, ``height``, ``fps``, ``duration``, ``frame_count_estimate``, ``has_sound``: as in
    ``VideoFacts``. ``max_side``: frames are scaled down, never up, until no side is longer.
    Raises VideoError: not a local regular file, not a video, nothing in it that can be decoded.
    """

    def __init__(self, path: str | Path, max_side: int | None = None) -> None:
        if max_side is not None and max_side < 1:
            raise ValueError(f"max_side is {max_side}, must be at least 1")
        facts = probe_video(path)
        self.path = Path(path)
        self.width = facts.width
        self.height = facts.height
        self.fps = facts.fps
        self.duration = facts.duration
        self.frame_count_estimate = facts.frame_count_estimate
        self.has_sound = facts.has_sound
        self._size = _fit(facts.width, facts.height, max_side)
        self._iterations: list[Generator[VideoFrame, None, None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        iteration = self._frames()
        self._iterations.append(iteration)
        return iteration

    def close(self) -> None:
        """End all iterations and close the file."""
        while self._iterations:
            self._iterations.pop().close()

    def _frames(self) -> Generator[VideoFrame, None, None]:
        read = _webp_pictures if _is_webp(self.path) else _pictures
        clock = _Clock(1.0 / self.fps)
        for stamp, rgb in read(self.path, self._size):
            yield VideoFrame(clock.read(stamp), rgb)


def probe_video(path: str | Path) -> VideoFacts:
    """Look a video over, decoding its first frame. Raises VideoError, as ``VideoReader`` does."""
    path = Path(path)
    _check_file(path)
    if _is_webp(path):
        return _probe_webp(path)
    with open_media(path) as container:
        stream = _video_stream(path, container)
        first = next(_decoded(container, stream), None)
        if first is None:
            raise VideoError(
                f"{path} has no frame that can be decoded: it is damaged or cut short; copy or download it again."
            )
        size = _Upright.of(first).size(*_square(first.width, first.height, stream))
        rate = _average_rate(stream)
        duration = _duration(container, stream)
        return VideoFacts(
            *size,
            fps=float(rate),
            duration=duration or float(stream.frames / rate),
            frame_count_estimate=stream.frames or round(duration * rate),
            has_sound=any(sound.codec_context is not None for sound in container.streams.audio),
            origin=_stamp(first) or 0.0,
        )


def sound_origin(path: str | Path) -> float | None:
    """The file's own time, in seconds, of its first video frame; without video, of its first sound.

    None where the file has no sound that can be decoded. Raises VideoError.
    """
    path = Path(path)
    _check_file(path)
    if _is_webp(path):
        return None
    with open_media(path, sound_only=True) as container:
        sounds = [sound for sound in container.streams.audio if sound.codec_context is not None]
        if not sounds:
            return None
        if not _moving_pictures(container):
            return float((sounds[0].start_time or 0) * (sounds[0].time_base or 0))
    return probe_video(path).origin


def open_media(path: str | Path, sound_only: bool = False) -> InputContainer:
    """Open a local file of an ordinary video container (or, with ``sound_only``, of sound, too).

    Raises VideoError: not a local regular file, empty, of another kind, or damaged at its beginning.
    """
    path = Path(path)
    _check_file(path)
    containers = VIDEO_CONTAINERS + (_SOUND_CONTAINERS if sound_only else ())
    try:
        container = av.open(
            f"file:{path.absolute()}",  # the prefix keeps a colon in the name from naming a protocol
            mode="r",
            options={"protocol_whitelist": "file", "format_whitelist": ",".join(containers)},
            metadata_errors="replace",
        )
    except PermissionError:
        raise VideoError(f"{path} cannot be opened: permission denied; change its permissions.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(_unreadable(path)) from error
    if not set(container.format.name.split(",")) & set(containers):
        container.close()
        raise VideoError(_unreadable(path))
    return container


def _unreadable(path: Path) -> str:
    return f"{path} is not a video that can be read, or is damaged; use {_READABLE}, or copy it again."


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise VideoError(f"{path} is a folder; give the video inside it.")
        if not path.exists():
            if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", str(path)):
                raise VideoError(f"{path} is not a local file; download it and give the file.")
            raise VideoError(f"{path} does not exist; check the path.")
        if not path.is_file():
            raise VideoError(f"{path} is not a regular file; give a video file.")
        if path.stat().st_size == 0:
            raise VideoError(f"{path} is empty; copy or download it again.")
    except (OSError, ValueError) as error:
        raise VideoError(f"{path} cannot be opened: {error}; check the path.") from None


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The first stream of moving pictures, set up for fast decoding."""
    streams = _moving_pictures(container)
    if not streams:
        raise VideoError(f"{path} has no pictures, only sound or data; use {_READABLE}.")
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError(f"{path} is coded in a way that is not known here; convert it to MP4 with H.264.")
    if stream.width * stream.height > MAX_VIDEO_PIXELS:
        raise VideoError(f"{path} is {stream.width} x {stream.height} pixels, too large; scale it below 8192 x 8192.")
    stream.thread_type = "AUTO"
    return stream


def _moving_pictures(container: InputContainer) -> list[VideoStream]:
    """The video streams but for covers of albums."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


# Timing


def _average_rate(stream: VideoStream) -> Fraction:
    """Frames per second: counted where the file says how many, else as the file claims."""
    low, high = _CREDIBLE_RATES
    span = (stream.duration or 0) * (stream.time_base or Fraction(0))
    counted = stream.frames / span if stream.frames > 1 and span > 0 else None
    rates = (counted, stream.average_rate, stream.guessed_rate)
    return next((rate for rate in rates if rate and low <= rate <= high), _FALLBACK_RATE)


def _duration(container: InputContainer, stream: VideoStream) -> float:
    """Seconds; 0 where unknown."""
    if stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, (container.duration or 0) / av.time_base)


def _stamp(frame: av.VideoFrame) -> float | None:
    """The frame's time in seconds on the file's clock; some containers store decoding times only."""
    ticks = frame.dts if frame.pts is None else frame.pts
    return None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)


class _Clock:
    """Turns a file's time stamps into strictly increasing seconds since the first of them."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._origin: float | None = None
        self._now = 0.0

    def read(self, stamp: float | None) -> float:
        if self._origin is None:
            self._origin = stamp or 0.0
            return self._now
        elapsed = self._now + self._step if stamp is None else stamp - self._origin
        jumped = elapsed <= self._now - _CLOCK_RESTART or elapsed > self._now + max(_LONGEST_FRAME, 2 * self._step)
        if jumped and stamp is not None:
            self._origin = stamp - self._now - self._step
            elapsed = self._now + self._step
        elif elapsed <= self._now:
            elapsed = self._now + self._step / 8
        self._now = elapsed
        return elapsed


# Decoding


def _pictures(path: Path, size: tuple[int, int]) -> Generator[Stamped, None, None]:
    """Time stamps and upright pictures of ``size`` (width, height)."""
    with open_media(path) as container:
        stream = _video_stream(path, container)
        reformatter = VideoReformatter()
        upright: _Upright | None = None
        for frame in _deinterlaced(_decoded(container, stream)):
            upright = upright or _Upright.of(frame)
            width, height = upright.size(*size)
            if stream.codec_context.color_trc in (_PQ, _HLG):
                rgb = _tone_mapped(reformatter, frame, width, height, stream.codec_context.color_trc)
            else:
                rgb = _converted(reformatter, frame, width, height, "rgb24").astype(np.uint8, copy=False)
            yield _stamp(frame), upright.turn(rgb)


def read_packets(container: InputContainer, stream: StreamT) -> Iterator[av.Packet[StreamT]]:
    """All packets of a stream that can be read, and the empty one that ends it."""
    failures = 0
    packets: Iterator[av.Packet[StreamT]] = container.demux(stream)
    while failures <= _READ_FAILURES_BORNE:
        try:
            yield next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            failures += 1
            packets = container.demux(stream)  # an error ends the previous iterator


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """All frames that can be decoded; damaged packets are skipped."""
    for packet in read_packets(container, stream):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue


def _deinterlaced(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Pass progressive frames on; from the first interlaced one on, all go through a filter."""
    graph: av.filter.Graph | None = None
    layout: tuple[int, int, str] | None = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        if graph is None or layout != (frame.width, frame.height, frame.format.name):
            if graph is not None:
                yield from _drained(graph)
            layout = (frame.width, frame.height, frame.format.name)
            graph = _deinterlacer(frame)
        graph.vpush(frame)
        yield from _available(graph)
    if graph is not None:
        yield from _drained(graph)


def _deinterlacer(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _drained(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    graph.vpush(None)
    yield from _available(graph)


def _available(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return


# Colours


def _converted(
    reformatter: VideoReformatter, frame: av.VideoFrame, width: int, height: int, pixels: str
) -> NDArray[np.generic]:
    """The frame scaled and as full-range RGB, (height, width, 3)."""
    untagged = frame.colorspace == _UNSPECIFIED_MATRIX and not frame.format.is_rgb
    high_definition = min(frame.width, frame.height) >= _HIGH_DEFINITION
    converted = reformatter.reformat(
        frame,
        width,
        height,
        pixels,
        src_colorspace=Colorspace.ITU709 if untagged and high_definition else None,
        dst_color_range=ColorRange.JPEG,
        # without the latter two, swscale's fast paths darken everything by two levels
        interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
        threads=1,  # the decoder keeps the other cores busy; splitting one frame costs more than it gains
    )
    return np.ascontiguousarray(converted.to_ndarray())


def _tone_mapped(reformatter: VideoReformatter, frame: av.VideoFrame, width: int, height: int, transfer: int) -> Rgb:
    """High dynamic range as sRGB: reference white near white, what is brighter rolled off softly."""
    code = _converted(reformatter, frame, width, height, "rgb48le")
    light = _light_of_code(transfer)[code]
    if transfer == _HLG:
        luminance = cv2.transform(light, np.array([[0.2627, 0.6780, 0.0593]], np.float32))
        light *= (np.maximum(luminance, 1e-6) ** 0.2 * (1000.0 / 203.0))[..., None]
    peak = light.max(axis=2, keepdims=True)
    knee = np.float32(0.6)
    rolled = knee + (1 - knee) * (1 - np.exp((knee - peak) / (1 - knee)))
    light *= np.where(peak > knee, rolled / np.maximum(peak, knee), np.float32(1))
    light = np.clip(cv2.transform(light, _BT2020_TO_BT709), 0.0, 1.0)
    steps = _code_of_light()
    rgb: Rgb = steps[(light * np.float32(len(steps) - 1)).astype(np.uint16)]
    return rgb


_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


@cache
def _light_of_code(transfer: int) -> NDArray[np.float32]:
    """Linear light of each 16-bit code: PQ as a multiple of reference white, HLG as scene light."""
    code = np.linspace(0.0, 1.0, 65536)
    if transfer == _PQ:
        root = code ** (1 / 78.84375)
        nits = 1e4 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return np.asarray(nits / 203.0, np.float32)
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return np.asarray(scene, np.float32)


@cache
def _code_of_light() -> NDArray[np.uint8]:
    """The 8-bit sRGB code of linear light 0 to 1, in steps fine enough for the shadows."""
    light = np.linspace(0.0, 1.0, 16384)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (code * 255.0 + 0.5).astype(np.uint8)


# Geometry


@dataclass(frozen=True)
class _Upright:
    """How to turn stored frames upright: first swap the axes, then mirror."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @staticmethod
    def of(frame: av.VideoFrame) -> _Upright:
        """From the display matrix of a decoded frame, to the nearest right angle."""
        sides = cast(Iterable[SideData], frame.side_data)
        matrices = [bytes(side) for side in sides if side.type == SideDataType.DISPLAYMATRIX]
        if not matrices:
            return _Upright()
        (xx, xy, _), (yx, yy, _), _ = np.frombuffer(matrices[0], np.int32)[:9].reshape(3, 3).tolist()
        if abs(xy) > abs(xx):
            return _Upright(swap=True, mirror_x=yx < 0, mirror_y=xy < 0)
        return _Upright(mirror_x=xx < 0, mirror_y=yy < 0)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The (width, height) after turning; turning back swaps alike."""
        return (height, width) if self.swap else (width, height)

    def turn(self, rgb: Rgb) -> Rgb:
        if self.swap:
            rgb = np.asarray(cv2.transpose(rgb), np.uint8)
        if self.mirror_x or self.mirror_y:
            # cv2's code: 0 mirrors top and bottom, 1 left and right, -1 both
            axes = -1 if self.mirror_x and self.mirror_y else int(self.mirror_x)
            rgb = np.asarray(cv2.flip(rgb, axes), np.uint8)
        return rgb


def _square(width: int, height: int, stream: VideoStream) -> tuple[int, int]:
    """The stored size with square pixels, keeping the number of rows."""
    low, high = _CREDIBLE_PIXEL_ASPECTS
    aspect = stream.sample_aspect_ratio
    return (round(width * aspect), height) if aspect and low <= aspect <= high else (width, height)


def _fit(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """The size scaled down until no side is longer than ``max_side``."""
    longest = max(width, height)
    if max_side is None or longest <= max_side:
        return width, height
    return max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))


# Animated WebP, which libavcodec does not decode


def _is_webp(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"


def _open_webp(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=("WEBP",))
    except Exception as error:  # damaged files make the decoder raise nearly anything
        raise VideoError(_unreadable(path)) from error
    if not getattr(image, "is_animated", False):
        raise VideoError(f"{path} is a still picture; use {_READABLE}.")
    if image.width * image.height > MAX_VIDEO_PIXELS:
        raise VideoError(f"{path} is {image.width} x {image.height} pixels, too large; scale it down.")
    return image


def _probe_webp(path: Path) -> VideoFacts:
    with _open_webp(path) as image:
        try:
            image.load()
        except Exception as error:
            raise VideoError(_unreadable(path)) from error
        count = int(getattr(image, "n_frames", 1))
        first = float(image.info.get("duration") or 1000.0 / _FALLBACK_RATE) / 1000.0
        return VideoFacts(
            image.width,
            image.height,
            fps=1.0 / first,
            duration=count * first,
            frame_count_estimate=count,
            has_sound=False,
            origin=0.0,
        )


def _webp_pictures(path: Path, size: tuple[int, int]) -> Generator[Stamped, None, None]:
    with _open_webp(path) as image:
        stamp = 0.0
        for index in range(int(getattr(image, "n_frames", 1))):
            try:
                image.seek(index)
                rgb = np.array(image.convert("RGB"))
            except Exception:  # damaged from here on
                return
            if size != image.size:
                rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
            yield stamp, rgb
            stamp += float(image.info.get("duration", 0)) / 1000.0
