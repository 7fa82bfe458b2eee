"""`gioconda score`: the grades of one clip, whoever made it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gioconda.errors import UsageError
from gioconda.evaluation import grading
from gioconda.evaluation.catalogue import MEASURES, NOT_MEASURED, Measure
from gioconda.evaluation.grading import Grades, Timed, Watched
from gioconda.evaluation.judges import Box, Judges, Picture
from gioconda.evaluation.protocol import network_hashes
from gioconda.evaluation.results import versions
from gioconda.evaluation.store import plain, write_text
from gioconda.media.pictures import read_picture
from gioconda.media.video import VideoReader

FORMAT = "gioconda-score"
VERSION = 1
LONGEST = 1024
"""Longest side, in pixels, at which a clip is judged."""
SAME_SHAPE = 0.02
"""Relative difference of the aspect ratios up to which a clip shows the whole portrait."""
_GRADED = tuple(m for m in MEASURES if "cross" in m.tracks and not m.pooled and m.name not in ("personality", "seam"))


def score(clip: Path, portrait: Path, driver: Path, models: Path, start: float = 0.0) -> Grades:
    """Grade a clip against the portrait it shows and the driver it should follow.

    Args:
        clip: a video.
        portrait: the picture it was made from.
        driver: the video that drove it.
        models: folder of the measuring networks.
        start: second of the driver at which the clip begins.

    Raises:
        VideoError, PictureError: a file cannot be read.
        UsageError: the judge finds no face where one is needed.
    """
    judges = Judges.load(models)
    frames = _frames(clip)
    first = next(frames, None)
    if first is None:
        raise UsageError(f"{clip} has no frames")
    canvas, head = fit(read_picture(portrait).rgb, first[1])
    person = grading.watch([(0.0, canvas)], judges)
    if not person.signals.valid.any():
        raise UsageError(f"the judge finds no face in {portrait}")
    with VideoReader(clip) as video:
        # No further than the clip goes; a little more, because containers round.
        length = video.duration + 0.5 if video.duration else math.inf
    theirs = _driver(driver, judges, start, length)
    if not theirs.signals.valid.any():
        raise UsageError(f"the judge finds no face in {driver} from second {start:g} on")
    return grading.grade_cross(itertools.chain([first], frames), canvas, person, theirs, judges, head=head)


def fit(portrait: Picture, frame: Picture) -> tuple[Picture, Box | None]:
    """The portrait in the size of a clip's frame, and where the face is if that is not where the portrait has it.

    An encoder may have added a pixel to an odd side; a clip of another shape shows another part of the portrait,
    which is then left as it is.
    """
    (height, width), (tall, wide) = portrait.shape[:2], frame.shape[:2]
    if 0 <= tall - height <= 1 and 0 <= wide - width <= 1:
        grown = cv2.copyMakeBorder(portrait, 0, tall - height, 0, wide - width, cv2.BORDER_REPLICATE)
        return np.asarray(grown, np.uint8), None
    if abs((width / height) / (wide / tall) - 1) <= SAME_SHAPE:
        method = cv2.INTER_AREA if wide < width else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(portrait, (wide, tall), interpolation=method), np.uint8), None
    return portrait, (0.0, 0.0, float(wide), float(tall))


def table(grades: Grades) -> str:
    """The grades for the terminal."""
    lines = []
    for measure in _GRADED:
        figure, weight = grades.values.get(measure.name, (math.nan, 0.0))
        lines.append(f"{measure.title:38} {_shown(measure, figure, weight):>16}  {_hint(measure)}")
    lines += [f"{name.upper():38} {'not measured':>16}" for name in NOT_MEASURED]
    lines.append(
        "identity by MobileFaceNet, trained on MS-Celeb-1M; a still picture scores 0.99 on it, so mind 'How far'"
    )
    return "\n".join(line.rstrip() for line in lines)


def write(path: Path, grades: Grades, models: Path, given: dict[str, str]) -> None:
    """Write the grades as JSON; raises `OutputError`."""
    measures: dict[str, Any] = {
        measure.name: {"value": figure if weight else None, "unit": measure.unit, "better": measure.better}
        for measure in _GRADED
        for figure, weight in [grades.values.get(measure.name, (math.nan, 0.0))]
    }
    measures |= {name: {"value": None, "reason": reason} for name, reason in NOT_MEASURED.items()}
    whole = {
        "format": FORMAT,
        "version": VERSION,
        **given,
        "versions": versions(),
        "weights": network_hashes(models),
        "frames": len(grades.watched.signals.times),
        "measures": measures,
    }
    write_text(path, json.dumps(plain(whole), indent=1, allow_nan=False) + "\n")


def _shown(measure: Measure, figure: float, weight: float) -> str:
    if not math.isfinite(figure) or not weight:
        followed = measure.family == "Movement" and measure.name != "blink_precision"
        return "driver has none" if followed else "undefined"
    return f"{figure:.{measure.digits}f}"


def _hint(measure: Measure) -> str:
    words = {"higher": "higher is better", "lower": "lower is better", "one": "1 is right", "none": "see movement"}
    return f"{words[measure.better]}{f', {measure.unit}' if measure.unit else ''}"


def _frames(path: Path) -> Iterator[Timed]:
    with VideoReader(path, max_side=LONGEST) as video:
        for frame in video:
            yield frame.time, frame.rgb


def _driver(path: Path, judges: Judges, start: float, length: float) -> Watched:
    def frames() -> Iterator[Timed]:
        for time, rgb in _frames(path):
            if time >= start + length:
                return
            if time >= start:
                yield time - start, rgb

    return grading.watch(frames(), judges)
