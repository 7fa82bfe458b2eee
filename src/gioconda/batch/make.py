"""The unit of work: one clip, made in a process of its own, and what became of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import numpy as np

from gioconda.batch.contact_sheet import CELL, fitted
from gioconda.batch.plan import Work
from gioconda.credentials.identity import signing_identity
from gioconda.credentials.statement import Disclosure
from gioconda.drivers import Recording
from gioconda.media.clip import size_in_file
from gioconda.media.pictures import write_png
from gioconda.performance import Performance
from gioconda.pipeline import animate
from gioconda.portrait import Portrait
from gioconda.tracked import kept_performance, kept_portrait
from gioconda.tracking import tracker_named


@dataclass(frozen=True)
class Outcome:
    """What became of a clip.

    Attributes:
        clip: its file's name.
        portrait, driver: what it was to be made of.
        state: "done", "kept" (it was there, and made of the same) or "failed".
        seconds: what making it took.
        reason: why it failed.
        error: the error's id, "fault" for a defect of the program, "killed" for a process that ended.
        frames, width, height, fps, bytes: of the clip; 0 where it failed.
        key: what it was made of, shortened: contents of its files, settings, version of the program.
    """

    clip: str
    portrait: str
    driver: str
    state: str
    seconds: float = 0.0
    reason: str | None = None
    error: str | None = None
    frames: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    bytes: int = 0
    key: str = ""


def make_clip(work: Work) -> Outcome:
    """Make one clip and its thumbnail: the unit of work.

    Raises:
        GiocondaError: why there is none.
    """
    began = time.perf_counter()
    drawing = work.drawing
    animation = animate(
        _portrait(work),
        _performance(work),
        gains=drawing.gains,
        absolute=drawing.absolute,
        renderer=drawing.renderer,
        weights=drawing.weights,
        device=drawing.device,
        crop=drawing.crop,
        size=drawing.size,
        fps=drawing.fps,
    )
    disclosure = Disclosure(drawing.label, drawing.consent, signing_identity(drawing.certificate, drawing.key))
    animation.save(work.out, sound=not drawing.mute, disclosure=disclosure)
    shown = animation.performance  # a photograph's is moved into
    moment = round((telling(shown) - shown.times[0]) * animation.fps)
    frame = next(animation.frames(min(moment, len(animation) - 1)))
    write_png(work.thumbnail, fitted(frame.rgb, CELL))
    width, height = size_in_file(work.out, *animation.size)
    return Outcome(
        work.out.name,
        str(work.picture),
        work.driver,
        "done",
        seconds=round(time.perf_counter() - began, 2),
        frames=len(animation),
        width=width,
        height=height,
        fps=round(animation.fps, 3),
        bytes=work.out.stat().st_size,
    )


def telling(performance: Performance) -> float:
    """The time in seconds at which most is to be seen of a performance: expression and turn, eyes open."""
    motion = performance.motion.map(lambda values: values.astype(np.float32))
    expression = np.linalg.norm(motion.offsets, axis=-1).mean(axis=-1)
    turn = np.abs(motion.angles).max(axis=-1)
    much = expression / max(float(expression.max()), 1e-6) + 0.5 * turn / max(float(turn.max()), 1e-6)
    return float(performance.times[np.argmax(much * np.clip(motion.lids.mean(axis=-1), 0, 1))])


def track_portrait(work: Work) -> None:
    """Track the portrait of a clip, so that all its clips find that done; raises as `make_clip`."""
    _portrait(work)


def track_driver(work: Work) -> None:
    """Track the driver of a clip, so that all its clips find that done; raises as `make_clip`."""
    _performance(work)


_tracker = cache(tracker_named)  # one a process, however many clips it makes


def _portrait(work: Work) -> Portrait:
    drawing = work.drawing
    tracker = _tracker(drawing.tracker)
    return kept_portrait(work.store, work.picture, max_pixels=drawing.max_pixels, tracker=tracker)


def _performance(work: Work) -> Performance:
    drawing = work.drawing
    how = Recording(drawing.start, drawing.end, drawing.max_pixels, _tracker(drawing.tracker))
    return kept_performance(work.store, work.driver, how)
