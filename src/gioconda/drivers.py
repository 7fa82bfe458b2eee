"""Whoever's face moves: a video, a `.motion` file, or a performance that comes with the product."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from gioconda.capture import capture
from gioconda.errors import UsageError, VideoError
from gioconda.motion_file import read_motion
from gioconda.performance import Performance
from gioconda.progress import Progress, quiet

_FOLDER = resources.files("gioconda.data.performances")


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


def open_driver(
    driver: str, *, start: float = 0.0, end: float | None = None, progress: Progress = quiet
) -> Performance:
    """The performance that a word on the command line names: a file, or else a built-in performance.

    Raises:
        VideoError, MotionFileError, NoFaceError: the file is of no use.
        UsageError: nothing between `start` and `end`.
    """
    path = Path(driver)
    if path.suffix == ".motion":
        return read_motion(path).trimmed(start, end)
    if not path.exists() and driver in builtin_names():
        return builtin(driver).trimmed(start, end)
    if not path.exists() and "." not in driver and "/" not in driver:
        raise VideoError(
            f"{driver}: no such file, and no built-in performance of that name ({', '.join(builtin_names())})"
        )
    return capture(path, start=start, end=end, progress=progress)
