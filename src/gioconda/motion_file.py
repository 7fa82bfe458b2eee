"""`.motion` files: a performance on disk. The format is described in docs/motion-format.md.

A safetensors file: tensors named after the attributes of `Motion` plus `times` and `seen`, and a
JSON header under the metadata key `gioconda`. Under 1 KB a frame, no pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gioconda.errors import MotionFileError, OutputError
from gioconda.expression import controls
from gioconda.media.files import is_file, sha256_of, whole_file
from gioconda.performance import Motion, Performance, blank_recording
from gioconda.untrusted import one_line, parse_json

VERSION = 1
LONGEST_GAP = 600.0
"""Seconds between two frames; a damaged time stamp could ask for a clip of years."""
WILDEST = 1000.0
"""Any number of a movement: degrees, eye distances and so on are far below."""
_SHAPES = {f.name: np.shape(getattr(Motion.neutral(), f.name)) for f in fields(Motion)}


def check_motion_path(path: Path) -> None:
    """See to it, before any work is done, that a performance can be kept under a name; raises `OutputError`."""
    if path.suffix != ".motion":
        raise OutputError(f"{path}: a performance is kept in a file ending in .motion")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"{path}: cannot be written, the folder {folder} does not exist; create it first")


def write_motion(performance: Performance, path: Path) -> None:
    """Write a performance; the file appears under its name only when it is whole.

    Raises:
        OutputError: the file cannot be written there.
    """
    check_motion_path(path)
    recorded = blank_recording(len(performance))
    for name in _SHAPES:
        getattr(recorded, name)[:] = getattr(performance.motion, name)
    tensors = {name: getattr(recorded, name) for name in _SHAPES}
    tensors |= {"times": performance.times.astype(np.float64), "seen": performance.seen.astype(np.uint8)}
    header = {
        "format": "gioconda.motion",
        "version": VERSION,
        "frames": len(performance),
        "fps": performance.fps,
        "cuts": performance.cuts,
        "source": performance.source.name if performance.source else None,
        "controls": list(controls()),
    }
    data = save(tensors, {"gioconda": json.dumps(header)})
    try:
        with whole_file(path) as file:
            file.write(data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def read_motion(path: Path) -> Performance:
    """Read a performance.

    Raises:
        MotionFileError: no such file, damaged, not a `.motion` file, or of a newer version.
    """
    if not is_file(path):
        raise MotionFileError(f"{path}: no such file; record one with 'gioconda capture VIDEO --out {path.name}'")
    try:
        with safe_open(path, framework="numpy") as file:
            header = parse_json((file.metadata() or {})["gioconda"])
            if not isinstance(header, dict) or header.get("format") != "gioconda.motion":
                raise MotionFileError(f"{path}: not a performance; record one with 'gioconda capture'")
            if isinstance(header["version"], bool) or not header["version"] >= 1:
                raise ValueError(f"format version {header['version']!r}, and the first was 1")
            if header["version"] > VERSION:
                raise MotionFileError(
                    f"{path}: format version {header['version']}, this program reads up to {VERSION}; upgrade gioconda"
                )
            if header["controls"] != list(controls()):
                raise MotionFileError(f"{path}: it records other landmarks than this program knows; upgrade gioconda")
            tensors = {name: file.get_tensor(name) for name in ("times", "seen", *_SHAPES)}
            fps, cuts = float(header["fps"]), int(header["cuts"])
        sha256 = sha256_of(path)
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise MotionFileError(
            f"{path}: not a whole .motion file ({one_line(error)}); record it again with 'gioconda capture'"
        ) from error
    times = tensors.pop("times").astype(np.float64)
    seen = tensors.pop("seen").astype(bool)
    if not (_in_order(times) and seen.shape == times.shape and 0 < fps < 1000 and _credible(tensors, len(times))):
        raise MotionFileError(f"{path}: its contents do not fit together; record it again with 'gioconda capture'")
    return Performance(times, Motion(**tensors), seen, fps, None, cuts, sha256)


def _in_order(times: NDArray[np.float64]) -> bool:
    """Whether time stamps are some, and go on from each to the next, by no more than `LONGEST_GAP`."""
    if times.ndim != 1 or len(times) == 0 or not np.isfinite(times).all():
        return False
    steps = np.diff(times)
    return bool(((steps > 0) & (steps <= LONGEST_GAP)).all())


def _credible(tensors: Mapping[str, NDArray[Any]], frames: int) -> bool:
    """Whether a movement is whole, and such as a head can make, by far."""
    return all(
        tensors[name].shape == (frames, *shape) and tensors[name].dtype.kind == "f" and _below(tensors[name], WILDEST)
        for name, shape in _SHAPES.items()
    )


def _below(values: NDArray[Any], most: float) -> bool:
    return bool((np.abs(values) <= most).all())  # which numbers that are none never are
