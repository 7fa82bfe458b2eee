"""Whoever's face moves: a video, a photograph, a camera, a `.motion` file, or a performance of the product's own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gioconda.capture import capture, record
from gioconda.errors import UsageError, VideoError
from gioconda.media.camera import Camera
from gioconda.media.files import is_file
from gioconda.media.pictures import MAX_PIXELS, is_still
from gioconda.motion_file import read_motion
from gioconda.performance import Performance
from gioconda.photo import capture_photo
from gioconda.progress import Progress, quiet
from gioconda.tracking import Tracker

_FOLDER = resources.files("gioconda.data.performances")


@dataclass(frozen=True)
class Recording:
    """What of a driver is recorded, and by whom.

    Attributes:
        start: seconds to skip.
        end: second at which to stop; None for all of it.
        max_pixels: a photograph of more pixels is refused.
        tracker: finds the face; None for the default.
    """

    start: float = 0.0
    end: float | None = None
    max_pixels: int = MAX_PIXELS
    tracker: Tracker | None = None


_WHOLE = Recording()


def builtin_names() -> list[str]:
    """Names of the performances that come with the product."""
    return sorted(f.name.removesuffix(".motion") for f in _FOLDER.iterdir() if f.name.endswith(".motion"))


def builtin(name: str) -> Performance:
    """A performance that comes with the product.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in builtin_names():
        raise UsageError(f"no built-in performance named {name!r}; there are {', '.join(builtin_names())}")
    with resources.as_file(_FOLDER / f"{name}.motion") as path:
        return read_motion(path)


def open_driver(driver: str, how: Recording = _WHOLE, *, progress: Progress = quiet) -> Performance:
    """The performance that a word on the command line names: a file, a camera, or else a built-in performance.

    Raises:
        VideoError, PictureError, MotionFileError, NoFaceError: the file or the camera is of no use.
        UsageError: nothing between start and end.
    """
    path = Path(driver)
    if path.suffix == ".motion":
        return read_motion(path).trimmed(how.start, how.end)
    if not is_file(path) and driver in builtin_names():
        return builtin(driver).trimmed(how.start, how.end)
    if not is_file(path) and not any(sign in driver for sign in "./:"):
        raise VideoError(
            f"{driver}: no such file, and no built-in performance of that name ({', '.join(builtin_names())})"
        )
    return record_driver(driver, how, progress=progress)


def record_driver(driver: str, how: Recording = _WHOLE, *, progress: Progress = quiet) -> Performance:
    """A performance recorded from a video, from a still picture (one frame), or from a camera (`camera:0`).

    Raises:
        VideoError, PictureError, NoFaceError: the file or the camera is of no use.
        UsageError: nothing between start and end, or no end for a camera.
    """
    kind, _, name = driver.partition(":")
    if kind == "camera" and name:
        if how.end is None:
            raise UsageError(f"{driver}: a camera has no end; say with --end after how many seconds to stop")
        return record(Camera(name), driver, start=how.start, end=how.end, tracker=how.tracker, progress=progress)
    path = Path(driver)
    if is_still(path):
        return capture_photo(path, max_pixels=how.max_pixels, tracker=how.tracker).trimmed(how.start, how.end)
    return capture(path, start=how.start, end=how.end, tracker=how.tracker, progress=progress)
