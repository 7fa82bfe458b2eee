"""How much of the machine visitors of the studio may take."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What is refused, or cut, because it is too much.

    Attributes:
        upload: bytes of what is sent at once.
        storage: bytes of all files of one visitor.
        pixels: of a picture, or of one frame of a video.
        seconds: of a video that are used; what comes after is left out.
        waiting: requests that may wait in the queue.
        kept: seconds after which the files of a visitor who was not heard of go.
    """

    upload: int = 300 * MEGABYTE
    storage: int = 2000 * MEGABYTE
    pixels: int = 50_000_000
    seconds: float = 60.0
    waiting: int = 8
    kept: float = 3600.0
