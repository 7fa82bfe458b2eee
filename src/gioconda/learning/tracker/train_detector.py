"""Teach the detector: resumable, on CPU or GPU, with everything resident on it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gioconda.learning.tracker import losses
from gioconda.learning.tracker.batches import FaceBatches
from gioconda.learning.tracker.canvases import CanvasBatches
from gioconda.learning.tracker.faces import Faces
from gioconda.learning.tracker.learner import Learner, Schedule, best_device, practise, stepped
from gioconda.learning.tracker.networks import DetectorNet
from gioconda.learning.tracker.sheets import detector_sheet
from gioconda.progress import Progress, quiet


def train_detector(
    faces: Faces,
    run: Path,
    schedule: Schedule,
    minutes: float,
    *,
    canvases: int = 12,
    seed: int = 0,
    log: int = 100,
    progress: Progress = quiet,
) -> None:
    """Train for some minutes or to the schedule's end, or go on with the run that is in the folder already.

    Args:
        faces: the pool.
        run: folder for `detector.safetensors` (checkpoint), `.jsonl` (curve) and `.png` (sample sheet).
        schedule: how fast to learn.
        minutes: how long.
        canvases: pictures a step.
        seed: of everything random.
        log: steps between checkpoints.
        progress: told every step.
    """
    device = best_device()
    checkpoint = run / "detector.safetensors"
    pool = CanvasBatches(FaceBatches(faces, device))
    torch.manual_seed(seed)
    learner = Learner(DetectorNet(), DetectorNet(), schedule, device)
    learner.resume(checkpoint)

    def lesson(step: int) -> dict[str, Tensor]:
        batch = pool.batch(canvases, stepped(seed, step, device))
        heat, shapes = learner.network(batch.pictures.to(memory_format=torch.channels_last))
        return {
            "heat": losses.heat_loss(heat, batch.heat),
            "shapes": 2 * losses.shape_loss(shapes, batch.shapes, batch.weight),
        }

    def report() -> dict[str, float]:
        detector_sheet(checkpoint.with_suffix(".png"), learner.mean, pool.batch(16, stepped(seed, -1, device)))
        return {}

    practise(learner, checkpoint, lesson, report, minutes, log, progress)
