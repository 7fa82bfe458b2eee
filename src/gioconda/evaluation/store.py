"""Figures and frames kept on disk while a run goes on: what was measured once is not measured again.

One folder for each clip, named after it, under a folder that is named after the **fingerprint** of everything
that could change a figure: this package's code, the measuring networks, the settings. So a run that was
interrupted goes on, and a changed renderer is measured afresh.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gioconda.errors import OutputError, UsageError
from gioconda.evaluation.foreign import checked_facts
from gioconda.evaluation.grading import KEPT_ARRAYS, Grades, Watched, from_arrays, to_arrays
from gioconda.evaluation.judges import Picture
from gioconda.media.files import sha256_of, spoken_os_error, whole_file
from gioconda.media.pictures import jpeg
from gioconda.untrusted import one_line, parse_json, read_arrays

SHOWN = 256
"""Longest side, in pixels, of the frames kept to be looked at."""
QUALITY = 88
# These show figures, they do not make them.
_HARMLESS = {
    *("cli.py", "doctor.py", "demo.py", "report.py", "charts.py", "study.py", "results.py", "bootstrap.py"),
    *("catalogue.py", "command.py", "scoring.py"),
}
_HARMLESS_FOLDERS = {"commands", "studio"}


def fingerprint(settings: Mapping[str, Any], weights: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits that stand for the code, the networks' sha256 and the settings."""
    package = Path(__file__).resolve().parents[1]
    code = sorted(
        path
        for path in package.rglob("*")
        if path.suffix in {".py", ".safetensors", ".onnx"}
        and path.name not in _HARMLESS
        and not _HARMLESS_FOLDERS.intersection(path.relative_to(package).parts)
    )
    names = [path.relative_to(package).as_posix() for path in code]
    text = json.dumps([names, list(map(sha256_of, code)), dict(settings), dict(weights)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Kept:
    """One clip's figures as they were kept.

    Attributes:
        clip: name of the shot, or of portrait and driver.
        renderer: who made it.
        views: number of views.
        values: each measure's figure and weight; NaN where undefined.
        frames: measures frame by frame.
        facts: what is known of the clip: person, conditions, test frames, ...
    """

    clip: str
    renderer: str
    views: int
    values: dict[str, tuple[float, float]]
    frames: dict[str, list[float]]
    facts: dict[str, Any]

    def figure(self, measure: str) -> float:
        """That of a measure; NaN where there is none, or it does not count."""
        value, weight = self.values.get(measure, (math.nan, 0.0))
        return value if weight > 0 else math.nan


class ClipFolder:
    """The folder of one clip. ``source``: fingerprint of its input; figures of another input are not loaded.

    With None for it, whatever is kept is loaded.
    """

    def __init__(self, root: Path, clip: str, source: str | None = None) -> None:
        self.clip = clip
        self.path = root / clip
        self._source = source

    def _names(self, renderer: str, views: int) -> tuple[Path, Path]:
        name = f"{renderer}-{views}"
        return self.path / f"{name}.json", self.path / f"{name}.npz"

    def load(self, renderer: str, views: int) -> Kept | None:
        """The kept figures; None where there are none, or none that can be read, of this input."""
        path, _ = self._names(renderer, views)
        try:
            raw = parse_json(path.read_bytes())
            if self._source not in (None, raw["source"]):
                return None
            values = {name: (_number(v), _number(w)) for name, (v, w) in raw["values"].items()}
            frames = {name: [_number(v) for v in row] for name, row in raw["frames"].items()}
            self.watched(renderer, views)  # or the results would find out that it cannot be read
            return Kept(self.clip, renderer, views, values, frames, checked_facts(raw["facts"], frames))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, UsageError):
            return None

    def watched(self, renderer: str, views: int) -> Watched:
        """What the judges said of the clip, or of its truth or driver (`renderer` "truth", 0 views).

        Raises:
            UsageError: it cannot be read.
        """
        path = self._names(renderer, views)[1]
        try:
            return from_arrays(dict(zip(KEPT_ARRAYS, read_arrays(path, *KEPT_ARRAYS), strict=True)))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{path}: kept figures that cannot be read ({one_line(error)}); delete {self.path}"
            ) from error

    def save(self, renderer: str, views: int, grades: Grades, facts: dict[str, Any]) -> Kept:
        """Keep the figures, the JSON last: it says that all is there."""
        path, _ = self._names(renderer, views)
        self.save_watched(renderer, views, grades.watched)
        values = {name: (_rounded(v), _rounded(w)) for name, (v, w) in grades.values.items()}
        frames = {name: [_rounded(v) for v in row] for name, row in grades.frames.items()}
        raw = {"source": self._source, "facts": facts, "values": values, "frames": frames}
        write_text(path, json.dumps(plain(raw), allow_nan=False))
        return Kept(self.clip, renderer, views, values, frames, facts)

    def save_watched(self, renderer: str, views: int, watched: Watched) -> None:
        """Keep what the judges said."""
        _, path = self._names(renderer, views)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                np.savez_compressed(file, **to_arrays(watched))
        except OSError as error:
            raise OutputError(f"cannot write {path}: {spoken_os_error(error)}") from error

    def frame(self, who: str, index: int) -> Path:
        """Where a frame is kept to be looked at. `who`: "picture", "truth", "driver" or renderer and views."""
        return self.path / "frames" / f"{who}-{index:05d}.jpg"

    def save_frame(self, who: str, index: int, jpeg: bytes) -> None:
        """Keep a frame to be looked at."""
        path = self.frame(who, index)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {spoken_os_error(error)}") from error


class Album:
    """Frames of one clip as small JPEG pictures, so that the few worth a look can be kept once they are known."""

    def __init__(self) -> None:
        self._pages: list[bytes] = []

    def add(self, rgb: Picture) -> None:
        """Put in the next frame."""
        self._pages.append(jpeg(shrunk(rgb), QUALITY))

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._pages)

    def keep(self, folder: ClipFolder, who: str, places: Mapping[int, int]) -> None:
        """Keep some frames: for each number under which one is kept, its place in the album."""
        for index, place in places.items():
            folder.save_frame(who, index, self._pages[place])


def shrunk(rgb: Picture, longest: int = SHOWN) -> Picture:
    """The picture with no side longer than so many pixels."""
    height, width = rgb.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return np.ascontiguousarray(rgb)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def write_text(path: Path, text: str) -> None:
    """Write a file that appears under its name only when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {spoken_os_error(error)}") from error


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _rounded(value: float) -> float:
    """Six significant digits: more is noise."""
    return float(f"{float(value):.6g}")


def plain(value: Any) -> Any:
    """The value with every figure that JSON cannot say replaced by None."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
