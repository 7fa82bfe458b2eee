"""What was tracked once is kept in a folder and found again by the contents of the files it came from."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from gioconda import __version__
from gioconda.drivers import Recording, open_driver
from gioconda.errors import FileError, MotionFileError, OutputError
from gioconda.face import Points, check_face
from gioconda.media.files import sha256_of, spoken_os_error, whole_file
from gioconda.media.pictures import MAX_PIXELS, is_still, read_picture
from gioconda.motion_file import read_motion
from gioconda.performance import Performance
from gioconda.portrait import Portrait, View
from gioconda.progress import Progress, quiet
from gioconda.tracking import Tracker


def kept_performance(folder: Path, driver: str, how: Recording, *, progress: Progress = quiet) -> Performance:
    """As `open_driver`; what was recorded from a video or a photograph is kept in the folder.

    Raises:
        OutputError: the folder cannot be written to.
        GiocondaError: as `open_driver`.
    """
    path = Path(driver)
    kept = None if path.suffix == ".motion" else _place(folder, path, f"{how.start}-{how.end}{_by(how.tracker)}.motion")
    opened = partial(open_driver, driver, how, progress=progress)
    if kept is None:
        return opened()
    try:
        performance = read_motion(kept)
    except MotionFileError:  # none yet, or of no use
        opened().save(kept)
        performance = read_motion(kept)  # rounded as it is when found again
    return replace(performance, source=None if is_still(path) else path, sha256=sha256_of(path))


def kept_portrait(
    folder: Path, picture: Path, *, max_pixels: int = MAX_PIXELS, tracker: Tracker | None = None
) -> Portrait:
    """The largest face of a picture, as `Portrait.from_pictures` finds it; its landmarks are kept in the folder.

    Raises:
        OutputError: the folder cannot be written to.
        GiocondaError: as `Portrait.from_pictures`.
    """
    kept = _place(folder, picture, f"face{_by(tracker)}.safetensors")
    if kept is None:
        return Portrait.from_pictures([picture], max_pixels=max_pixels, tracker=tracker)
    with suppress(OSError, SafetensorError, KeyError, ValueError, TypeError):  # none yet, or of no use
        face, *others = _faces(load_file(kept))
        pixels = read_picture(picture, max_pixels)
        return Portrait((View(pixels.rgb, face, pixels.alpha, tuple(others), sha256_of(picture)),))
    portrait = Portrait.from_pictures([picture], max_pixels=max_pixels, tracker=tracker)
    view = portrait.views[0]
    try:
        with whole_file(kept) as file:
            file.write(save({"faces": np.stack([view.points, *view.neighbours])}))
    except OSError as error:
        raise OutputError(f"cannot write {kept}: {spoken_os_error(error)}") from error
    return portrait


def _faces(kept: dict[str, NDArray[Any]]) -> list[Points]:
    """The landmarks of the face, then of its neighbours, (478, 3) each. Raises KeyError or ValueError."""
    faces = kept["faces"]
    if faces.dtype != np.float32:
        raise ValueError("landmarks of another make")
    for points in faces:
        check_face(points)
    return list(faces)


def _by(tracker: Tracker | None) -> str:
    """A part of a name: what tracked it."""
    return "" if tracker is None else f"-{tracker.name}"


def _place(folder: Path, path: Path, ending: str) -> Path | None:
    """A file's own name in the folder; None where it cannot be read. Another version may track otherwise."""
    try:
        name = sha256_of(path)[:32]
    except FileError:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {spoken_os_error(error)}") from error
    return folder / f"{name}-{__version__}-{ending}"
