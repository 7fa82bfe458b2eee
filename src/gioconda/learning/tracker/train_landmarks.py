"""Teach the landmark network: resumable, on CPU or GPU, with everything resident on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from gioconda.face import EYES
from gioconda.learning.tracker import losses
from gioconda.learning.tracker.batches import Batch, FaceBatches
from gioconda.learning.tracker.faces import Faces
from gioconda.learning.tracker.learner import Learner, Schedule, best_device, practise, stepped
from gioconda.learning.tracker.networks import LandmarkNet, Reading
from gioconda.learning.tracker.placement import Placement
from gioconda.learning.tracker.sheets import landmark_sheet
from gioconda.progress import Progress, quiet
from gioconda.tracking.crops import CROP

Array = NDArray[Any]

HELD_BACK = 24
"""One person in so many is not learned from: the curve's figure is of them."""
BASIS_FACES = 6000
"""Random crops from whose landmarks the linear model of faces is made."""


def train_landmarks(
    faces: Faces,
    run: Path,
    schedule: Schedule,
    minutes: float,
    *,
    pairs: int = 12,
    seed: int = 0,
    log: int = 100,
    progress: Progress = quiet,
) -> None:
    """Train for some minutes or to the schedule's end, or go on with the run that is in the folder already.

    Args:
        faces: the pool.
        run: folder for `landmarks.safetensors` (checkpoint), `.jsonl` (curve) and `.png` (sample sheet: the
            teacher's points blue, the network's red).
        schedule: how fast to learn.
        minutes: how long.
        pairs: faces a step; each is seen twice.
        seed: of everything random.
        log: steps between checkpoints.
        progress: told every step.
    """
    device = best_device()
    checkpoint = run / "landmarks.safetensors"
    held_back = faces.person % HELD_BACK == 0
    pool, others = (FaceBatches(chosen(faces, rows), device) for rows in (~held_back, held_back))
    torch.manual_seed(seed)
    network = LandmarkNet()
    if not checkpoint.exists():
        network.set_basis(*linear_model(pool, network.spread.in_features, seed))
    learner = Learner(network, LandmarkNet(), schedule, device)
    learner.resume(checkpoint)

    def lesson(step: int) -> dict[str, Tensor]:
        batch = pool.batch(pairs, stepped(seed, step, device))
        return landmark_losses(learner.network(batch.crops.to(memory_format=torch.channels_last)), batch)

    def report() -> dict[str, float]:
        treated = pool.batch(pairs, stepped(seed, learner.step, device))
        landmark_sheet(checkpoint.with_suffix(".png"), learner.mean, treated, clean_crops(others, 16))
        return errors(learner.mean, clean_crops(others, 64))

    practise(learner, checkpoint, lesson, report, minutes, log, progress)


def landmark_losses(reading: Reading, batch: Batch) -> dict[str, Tensor]:
    """All parts of the loss, weighted."""
    n = len(batch.points)
    points, coarse = reading.points[:n], reading.coarse[:n]
    return {
        "points": losses.point_loss(points, batch.points),
        "coarse": 0.5 * losses.point_loss(coarse, batch.points),
        "gaps": losses.gap_loss(points, batch.points),
        "agreement": 0.1 * losses.agreement_loss(points, batch.placement),
        "doubt": 0.01 * losses.doubt_loss(reading.log_scale[:n], points, batch.points),
        "expression": 0.2 * losses.expression_loss(reading.expression[:n], batch.expression),
        "presence": 0.01 * losses.presence_loss(reading.presence, n),
    }


def chosen(faces: Faces, rows: Array) -> Faces:
    """Some faces of a pool."""
    return Faces(*(values[rows] for values in vars(faces).values()))


def linear_model(pool: FaceBatches, components: int, seed: int) -> tuple[Tensor, Tensor]:
    """Mean, (478, 3), and principal components, (k, 478, 3), each as large as its spread, of landmarks in crops."""
    random = stepped(seed, 2**31, pool.device)
    points = pool.cropped_points(BASIS_FACES, random)
    flat = points.flatten(1)
    mean = flat.mean(dim=0)
    values, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
    strongest = vectors[:, -components:] * values[-components:].clamp(min=0).sqrt()
    return mean.reshape(points.shape[1:]), strongest.T.flip(0).reshape(-1, *points.shape[1:])


def clean_crops(pool: FaceBatches, most: int) -> Batch:
    """Evenly chosen faces, cropped well and not treated at all."""
    rows = torch.linspace(0, len(pool) - 1, min(most, len(pool)), device=pool.device).long()
    squared = pool.squares[rows]
    placement = Placement.upright(squared)
    points = pool.points[rows]
    points = torch.cat([placement.into(points[..., :2]), points[..., 2:] / squared[:, 2, None, None]], dim=2)
    crops = placement.cut(pool.frames[rows].permute(0, 3, 1, 2).float() / 255, CROP)
    return Batch(crops, points, pool.expression[rows], placement)


def errors(network: LandmarkNet, batch: Batch) -> dict[str, float]:
    """Mean distances from the teacher's points over its distance of the irises, and of its coefficients."""
    with torch.no_grad():
        reading = network(batch.crops)
    left, right = (batch.points[:, eye.iris[0], :2] for eye in EYES)
    off = (reading.points - batch.points)[..., :2].norm(dim=2) / (left - right).norm(dim=1, keepdim=True)
    irises = [index for eye in EYES for index in eye.iris]
    return {
        "held_back": float(off.mean()),
        "held_back_irises": float(off[:, irises].mean()),
        "held_back_expression": float(losses.expression_loss(reading.expression, batch.expression)),
    }
