"""What is to be made: a list of clips from folders of portraits and drivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gioconda.drivers import builtin_names
from gioconda.errors import UsageError
from gioconda.inference import AUTO
from gioconda.media.clip import OUTPUT_SUFFIXES
from gioconda.media.pictures import MAX_PIXELS, PICTURE_SUFFIXES
from gioconda.media.video import VIDEO_SUFFIXES
from gioconda.rendering.renderer import DEFAULT_RENDERER
from gioconda.retarget import Gains
from gioconda.tracking.tracker import TrackerName

DRIVERS = (".motion", *VIDEO_SUFFIXES, *PICTURE_SUFFIXES)
"""Endings of the files of a folder that are taken for drivers: performances, videos, photographs and animations."""


@dataclass(frozen=True)
class Drawing:
    """How all clips of a batch are drawn, and what they say of themselves.

    The options of `animate`, of `Performance.from_video` and of `Disclosure`; `certificate` and `key` are the files of
    who signs, None for whoever is configured.
    """

    gains: Gains = field(default_factory=Gains)
    absolute: bool = False
    renderer: str = DEFAULT_RENDERER
    weights: Path | None = None
    device: str = AUTO
    crop: bool = False
    size: int | None = None
    fps: float | None = None
    start: float = 0.0
    end: float | None = None
    mute: bool = False
    max_pixels: int = MAX_PIXELS
    tracker: TrackerName = "gioconda"
    label: bool = False
    consent: str | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Work:
    """One clip to make: a portrait's picture, a driver (a file, or a built-in performance's name), and where to."""

    picture: Path
    driver: str
    out: Path
    drawing: Drawing

    @property
    def store(self) -> Path:
        """Where what is tracked is kept, and the pictures for the contact sheet."""
        return self.out.parent / ".batch"

    @property
    def thumbnail(self) -> Path:
        """A telling frame of the clip, for the contact sheet."""
        return self.store / f"{self.out.name}.png"


def portraits_in(place: Path) -> list[Path]:
    """The pictures of a folder, by name; or the one picture that is given.

    Raises:
        UsageError: there are none.
    """
    return _files(place, PICTURE_SUFFIXES, "picture")


def drivers_in(places: Sequence[str]) -> list[str]:
    """The drivers that some words name: all of a folder, a file, or a built-in performance.

    Raises:
        UsageError: there are none, or there is nothing of that name.
    """
    drivers: list[str] = []
    for place in places:
        if not Path(place).exists() and place in builtin_names():
            drivers.append(place)
        else:
            drivers += map(str, _files(Path(place), DRIVERS, "driver"))
    return drivers


def _files(place: Path, endings: Sequence[str], kind: str) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        hint = f"; built in are {', '.join(builtin_names())}" if kind == "driver" else ""
        raise UsageError(f"{place}: no such file or folder to take a {kind} from{hint}")
    files = sorted(f for f in place.iterdir() if f.suffix.lower() in endings and not f.name.startswith("."))
    if not files:
        raise UsageError(f"{place}: no {kind} in this folder; it may be {', '.join(endings)}")
    return files


def plan(
    pictures: Sequence[Path], drivers: Sequence[str], out: Path, drawing: Drawing, ending: str = ".mp4"
) -> list[Work]:
    """The list of clips, portrait by portrait; a clip is called PORTRAIT--DRIVER.

    Raises:
        UsageError: two portraits or two drivers have one name, or there is no such format.
    """
    if ending not in OUTPUT_SUFFIXES:
        raise UsageError(f"no format {ending}; use {', '.join(OUTPUT_SUFFIXES)}")
    rows, columns = _labels([str(picture) for picture in pictures]), _labels(drivers)
    return [
        Work(picture, driver, out / f"{row}--{column}{ending}", drawing)
        for picture, row in zip(pictures, rows, strict=True)
        for driver, column in zip(drivers, columns, strict=True)
    ]


def _labels(words: Sequence[str]) -> list[str]:
    """A name for each file: without its ending, where that is enough to tell them apart."""
    for name in (lambda word: Path(word).stem, lambda word: Path(word).name):
        labels = list(map(name, words))
        if len(set(labels)) == len(labels):
            return labels
    twice = next(label for label in labels if labels.count(label) > 1)
    raise UsageError(f"{twice} is given twice; two clips would have one name")
