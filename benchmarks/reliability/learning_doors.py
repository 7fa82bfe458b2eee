"""Ways in through what PyTorch reads: networks that the user gives, runs of `train tracker`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from mutation import changed_bytes, changed_json_text, changed_safetensors

SIDE = 64
"""Pixels of the pictures that networks are shown."""


# Networks that are not free to ship: LPIPS, FID's Inception, the VGGs of `train sketch`


@cache
def _empty() -> dict[str, Callable[[], dict[str, Any]]]:
    """How each network's tensors are made, by the name of its file; as small as a file of this kind can be."""
    import torch
    from torch import nn

    from gioconda.evaluation import inception, lpips
    from gioconda.learning.perceptual import VGG19, VGGFACE, Plan

    def tensors(network: nn.Module) -> dict[str, Any]:
        return {name: torch.full(t.shape, 1, dtype=torch.uint8) for name, t in network.state_dict().items()}

    def distance(kind: str) -> dict[str, Any]:
        found = tensors(lpips.features(kind))
        for depth, number in enumerate(lpips.TAKEN[kind]):
            channels = len(found[f"features.{number - 1}.bias"])
            found[f"lin{depth}.model.1.weight"] = torch.full((1, channels, 1, 1), 0.5)
        return found

    def vgg(plan: Plan) -> dict[str, Any]:
        found, inside, number = {}, 3, 0
        for width in plan.widths:
            if width:
                found[f"features.{number}.weight"] = torch.full((width, inside, 3, 3), 1, dtype=torch.uint8)
                found[f"features.{number}.bias"] = torch.zeros(width)
                inside = width
            number += 2 if width else 1
        return found

    return {
        "lpips": lambda: distance("alex"),
        "inception": lambda: tensors(inception.network()),
        "vgg19": lambda: vgg(VGG19),
        "vggface": lambda: vgg(VGGFACE),
    }


def given_networks(folder: Path) -> None:
    """A file of each."""
    from safetensors.torch import save_file

    for name, tensors in _empty().items():
        save_file(tensors(), folder / f"{name}.safetensors")


def change_given(data: bytes, random: Random, others: Any) -> bytes:
    """Mostly a header that says something else; numbers that are none."""
    return changed_safetensors(data, random)


def enter_given(file: Path, folder: Path, random: Random) -> None:
    """As `evaluate --lpips --fid` and `train sketch --vgg19 --vggface` read and use it."""
    import torch

    from gioconda.evaluation.frechet import frechet
    from gioconda.evaluation.inception import Inception
    from gioconda.evaluation.lpips import Lpips
    from gioconda.learning.perceptual import VGG19, VGGFACE, Perceptual

    rgb = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    if file.stem == "lpips":
        Lpips(file)(rgb, np.ascontiguousarray(rgb[::-1]))
    elif file.stem == "inception":
        features = Inception(file)
        frechet(np.stack([features(rgb), features(rgb // 2)]), np.stack([features(rgb), features(rgb // 3)]))
    else:
        network = Perceptual(VGG19 if file.stem == "vgg19" else VGGFACE, file)
        pictures = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        network(pictures, pictures.flip(2))


# Runs of `train tracker`


def tracker_runs(folder: Path) -> None:
    """A data folder, and a run that has learned a step. The teacher's answers are in it: MediaPipe is not asked."""
    from gioconda.learning.tracker.train import train_tracker
    from gioconda.tracking.landmarker import EXPRESSIONS
    from makers import small_dataset

    here = folder / "tracker"
    small_dataset(here / "data", {"a": "p1", "b": "p2", "c": "p3"}, stills=("s", "t"))
    (here / "run").mkdir()
    expression_of(here / "data", here / "run", len(EXPRESSIONS))
    train_tracker(here / "data", here / "a.task", here / "run", _training(1), 1.0, log=1)
    for sheet in (here / "run").glob("*.png"):
        sheet.unlink()


def expression_of(data: Path, run: Path, names: int) -> None:
    """Put what a teacher would say of a run's faces into the run: nothing moves in any."""
    from gioconda.learning.tracker.faces import _pictures
    from gioconda.learning.tracker.profiles import turned_copies

    points = np.stack([face for _, face, _ in _pictures(data, _training(1).frames)])
    count = len(points) + len(list(turned_copies(points)))
    np.save(run / "faces-expression.npy", np.zeros((count, names), np.float32))


def _training(steps: int) -> Any:
    from gioconda.learning.tracker.train import TrackerTraining

    return TrackerTraining(steps=steps, frames=12, batch=2)


def change_tracker(data: bytes, random: Random, others: Any) -> bytes:
    """By what kind of file it is."""
    if data.startswith(b"{"):
        return changed_json_text(data, random, others)
    if data[8:9] == b"{":
        return changed_safetensors(data, random, others)
    return changed_bytes(data, random, others)


def enter_tracker(file: Path, folder: Path, random: Random) -> None:
    """Go on with the run by a step, or with its faces made anew; and write its networks."""
    from gioconda.learning.tracker.export import export_tracker
    from gioconda.learning.tracker.train import train_tracker

    here = folder / "tracker"
    if here / "data" in file.parents:  # faces that are there already are not read again
        (here / "run" / "faces-frames.npy").unlink()
        for network in ("landmarks", "detector"):
            (here / "run" / f"{network}.safetensors").unlink()
    parts = (random.choice(("landmarks", "detector")),)
    faces = train_tracker(here / "data", here / "a.task", here / "run", _training(2), 0.001, parts, log=1)
    export_tracker(here / "run", faces)
