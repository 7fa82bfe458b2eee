"""A camera of this computer as a stream of frames, through the device interface of the operating system.

Linux: Video4Linux. macOS: AVFoundation. Windows: DirectShow. All three come with PyAV.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import av
import av.device
import numpy as np
from av.container import InputContainer

from gioconda.errors import VideoError
from gioconda.media.video import VideoFrame

PATIENCE = 5.0
"""Seconds without a picture after which a camera is given up."""
USUAL_RATE = 30.0
"""Frames per second that are asked for, and expected until some have come."""


@dataclass(frozen=True)
class Device:
    """What the operating system calls a camera.

    Attributes:
        format: the interface, as libavdevice names it.
        address: the camera, as that interface names it.
        options: what it is asked for.
    """

    format: str
    address: str
    options: dict[str, str] = field(default_factory=dict)


def device(name: str, platform: str = sys.platform) -> Device:
    """The camera of a number, from 0, or of the name that the system gives it.

    Raises:
        VideoError: Windows knows no camera of that number.
    """
    if platform == "darwin":
        return Device("avfoundation", f"{name}:none", {"framerate": f"{USUAL_RATE:g}"})
    if platform == "win32":
        return Device("dshow", f"video={_name_on_windows(name) if name.isdigit() else name}")
    return Device("v4l2", f"/dev/video{name}" if name.isdigit() else name)


def _name_on_windows(number: str) -> str:
    """DirectShow has names only."""
    try:
        names = [found.name for found in av.device.enumerate_input_devices("dshow")]
    except (av.FFmpegError, ValueError):
        names = []
    if int(number) >= len(names):
        raise VideoError(f"camera:{number}: no such camera; there are {', '.join(names) or 'none'}")
    return names[int(number)]


def _decoded(container: InputContainer) -> Iterator[av.VideoFrame]:
    """Frames as they come; what is damaged on its way is left out. Raises FFmpegError when none comes for long."""
    stream = container.streams.video[0]
    packets = container.demux(stream)
    heard = time.monotonic()
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.BlockingIOError:  # how AVFoundation says that the next frame is not there yet
            if time.monotonic() - heard > PATIENCE:
                raise
            time.sleep(0.005)
            packets = container.demux(stream)  # an error ends the previous iterator
            continue
        heard = time.monotonic()
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue


class Camera:
    """Frames of a camera as they come; without end, so take what is needed and no more.

    Times are those that the camera stamps on its frames, so a slow computer loses frames and not time.

    Raises:
        VideoError: no such camera, no permission, in use, or not a camera.
    """

    duration = float("inf")

    def __init__(self, name: str, source: Device | None = None) -> None:
        self.name = f"camera:{name}"
        self._source = source or device(name)
        self._times: tuple[int, float] = (0, 0.0)

    @property
    def fps(self) -> float:
        """Frames per second of what has come so far."""
        count, last = self._times
        return (count - 1) / last if count > 1 else USUAL_RATE

    def __iter__(self) -> Iterator[VideoFrame]:
        """Frames in the camera's own size, from now on; the first is at time 0."""
        with self._open() as container:
            origin, last, count = None, -1.0, 0
            try:
                for frame in _decoded(container):
                    origin = frame.time if origin is None else origin
                    now = (frame.time or 0.0) - (origin or 0.0)
                    if now <= last:
                        continue
                    last, count = now, count + 1
                    self._times = count, last
                    yield VideoFrame(now, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            except av.FFmpegError as error:
                raise VideoError(f"{self.name}: it stopped giving pictures ({error.strerror}); try again") from error

    def _open(self) -> InputContainer:
        source = self._source
        try:
            container = av.open(source.address, mode="r", format=source.format, options=source.options)
        except PermissionError as error:
            raise VideoError(
                f"{self.name}: permission denied for {source.address}; allow this program to use the camera "
                "(Linux: the group 'video'; macOS and Windows: the privacy settings)"
            ) from error
        except (av.FFmpegError, OSError) as error:
            raise VideoError(
                f"{self.name}: cannot be opened ({source.address}: {error.strerror}); "
                "plug a camera in, close other programs that use it, or give another number"
            ) from error
        except ValueError as error:
            raise VideoError(f"{self.name}: this build of PyAV has no {source.format}; record a video") from error
        if not container.streams.video:
            container.close()
            raise VideoError(f"{self.name}: {source.address} gives no pictures; give another number")
        return container
