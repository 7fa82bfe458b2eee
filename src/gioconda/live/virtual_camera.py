"""A virtual camera: the portrait as the picture of a video call. Needs the extra `live`."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.errors import MissingExtraError, OutputError

SIZE = 1280, 720
"""Width and height in pixels: what every program for calls takes."""
FPS = 30.0
"""Frames per second that it promises."""
GROUND = 24
"""Brightness, 0 to 255, beside a portrait of another shape."""

Rgb = NDArray[np.uint8]


def fitted(rgb: Rgb, size: tuple[int, int] = SIZE) -> Rgb:
    """A picture as large as fits into a width and height, in the middle of an even ground."""
    width, height = size
    scale = min(width / rgb.shape[1], height / rgb.shape[0])
    across, down = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    left, top = (width - across) // 2, (height - down) // 2
    ground = np.full((height, width, 3), GROUND, np.uint8)
    ground[top : top + down, left : left + across] = cv2.resize(rgb, (across, down), interpolation=cv2.INTER_LINEAR)
    return ground


class VirtualCamera:
    """A camera that other programs see.

    Raises:
        MissingExtraError: pyvirtualcam is not installed.
        OutputError: the system has no virtual camera that is free.
    """

    def __init__(self) -> None:
        try:
            from pyvirtualcam import Camera
        except ImportError as error:
            raise MissingExtraError(
                "--virtual-camera needs pyvirtualcam, which is not installed: pip install 'gioconda[live]'"
            ) from error
        try:
            self._camera = Camera(*SIZE, FPS)
        except RuntimeError as error:
            reason = "; ".join(str(error).split("\n")).rstrip(".")
            raise OutputError(
                f"there is no virtual camera to write to ({reason}); make one: v4l2loopback on Linux, "
                "OBS Studio on Windows and macOS"
            ) from error

    @property
    def name(self) -> str:
        """What other programs call it."""
        return str(self._camera.device)

    def send(self, rgb: Rgb) -> None:
        """Show a picture, uint8 (height, width, 3)."""
        self._camera.send(fitted(rgb))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._camera.close()
