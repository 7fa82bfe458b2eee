"""Teach the tracker: a pool of faces, then landmarks, then the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gioconda.errors import UsageError
from gioconda.learning.tracker.faces import Faces, face_pool
from gioconda.learning.tracker.learner import Schedule
from gioconda.learning.tracker.train_detector import train_detector
from gioconda.learning.tracker.train_landmarks import train_landmarks
from gioconda.progress import Progress, quiet

SHARES = {"landmarks": 0.75, "detector": 0.25}
"""Of the time, where both networks are taught."""


@dataclass(frozen=True)
class TrackerTraining:
    """Settings of a run.

    Attributes:
        steps: of each network's schedule; may differ when a run goes on.
        frames: of videos in the pool.
        batch: faces a step for the landmarks, each seen twice; canvases a step for the detector.
        rate: highest learning rate.
        seed: of everything random.
    """

    steps: int = 20000
    frames: int = 12000
    batch: int = 12
    rate: float = 1.5e-3
    seed: int = 0


def train_tracker(
    data: Path,
    teacher: Path,
    run: Path,
    settings: TrackerTraining,
    minutes: float,
    parts: Sequence[str] = tuple(SHARES),
    *,
    log: int = 100,
    progress: Progress = quiet,
) -> Faces:
    """Train for some minutes, or go on with the run that is in the folder already; gives back the pool.

    Raises:
        UsageError: dataset or teacher cannot be read, a number is out of range, or the run in the folder was
            begun with others.
    """
    if min(settings.steps, settings.frames) < 1 or settings.batch < 2 or minutes < 0:
        raise UsageError("training needs at least one step and frame, a batch of two, and some minutes")
    if run.exists() and not run.is_dir():
        raise UsageError(f"{run} is a file; give a folder for the run")
    faces = face_pool(data, teacher, run, settings.frames, progress)
    schedule = Schedule(settings.steps, settings.rate)
    whole = sum(SHARES[part] for part in parts)
    for part in parts:
        share = minutes * SHARES[part] / whole
        if part == "landmarks":
            train_landmarks(
                faces, run, schedule, share, pairs=settings.batch, seed=settings.seed, log=log, progress=progress
            )
        else:
            train_detector(
                faces, run, schedule, share, canvases=settings.batch, seed=settings.seed, log=log, progress=progress
            )
    return faces
