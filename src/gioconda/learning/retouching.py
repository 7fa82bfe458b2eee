"""What the network of `warp` learns from at a step, and how far it is from the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gioconda.learning.losses import edge_loss, pixel_loss, structure_loss
from gioconda.learning.precision import fast
from gioconda.learning.retoucher import Retoucher, retouched
from gioconda.rendering.clues import FACE, FRAME, FULL, LIPS, MIRRORED, OPENINGS, SHAPE

Array = NDArray[Any]

GRAIN = 0.12
"""Contrast of the texture that is laid over some pairs, so that brush strokes and cracks are nothing new."""


@dataclass(frozen=True)
class Batch:
    """Samples as a network takes them, float32.

    Attributes:
        warped, truth: (n, 3, FRAME, FRAME), 0 to 1.
        shape: (n, SHAPE, CELLS, CELLS), -1 to 1.
        gate: (n, 1, CELLS, CELLS), 0 to 1.
    """

    warped: Tensor
    truth: Tensor
    shape: Tensor
    gate: Tensor


def batch_of(samples: dict[str, Array], device: str = "cpu") -> Batch:
    """Samples, by the names of `pairs.SHAPES`, a sample a row."""

    def tensor(name: str, full: int) -> Tensor:
        return torch.from_numpy(samples[name].astype(np.float32) / full).permute(0, 3, 1, 2).to(device)

    shape = tensor("shape", FULL)
    return Batch(tensor("warped", 255), tensor("truth", 255), shape[:, :SHAPE], shape[:, SHAPE:])


def augmented(batch: Batch, random: np.random.Generator) -> Batch:
    """A batch, each of it mirrored, recoloured and roughened at random, as a whole."""
    return _roughened(_recoloured(_mirrored(batch, random), random), random)


def _mirrored(batch: Batch, random: np.random.Generator) -> Batch:
    """Half of a batch as in a mirror."""
    flip = torch.from_numpy(random.random(len(batch.gate)) < 0.5).to(batch.gate.device)[:, None, None, None]
    signs = torch.ones(SHAPE, device=batch.gate.device)
    signs[list(MIRRORED)] = -1

    def flipped(x: Tensor) -> Tensor:
        return torch.where(flip, x.flip(3), x)

    shape = torch.where(flip, batch.shape.flip(3) * signs[None, :, None, None], batch.shape)
    return Batch(flipped(batch.warped), flipped(batch.truth), shape, flipped(batch.gate))


def _recoloured(batch: Batch, random: np.random.Generator) -> Batch:
    """The pictures of each sample in other colours, both alike."""

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        values = random.uniform(low, high, (len(batch.gate), channels, 1, 1)).astype(np.float32)
        return torch.from_numpy(values).to(batch.gate.device)

    gamma, gain, grey = draw(0.7, 1.4), draw(0.85, 1.15, 3), draw(-0.6, 1.0).clamp(0, 1)
    tint = draw(0.8, 1.2, 3)
    luma = torch.tensor([0.299, 0.587, 0.114], device=batch.gate.device)[None, :, None, None]

    def changed(picture: Tensor) -> Tensor:
        mono = (picture * luma).sum(1, keepdim=True) * tint
        return ((picture + grey * (mono - picture)).clamp(1e-4, 1) ** gamma * gain).clamp(0, 1)

    return replace(batch, warped=changed(batch.warped), truth=changed(batch.truth))


def _roughened(batch: Batch, random: np.random.Generator) -> Batch:
    """Half of a batch with a texture over both pictures, fine or coarse."""
    count = len(batch.gate)
    side = int(random.choice([FRAME, FRAME // 2, FRAME // 4]))
    fine = torch.from_numpy(random.normal(size=(count, 1, side, side)).astype(np.float32)).to(batch.gate.device)
    much = random.uniform(-GRAIN, GRAIN, (count, 1, 1, 1)).clip(0).astype(np.float32)
    grain = functional.interpolate(fine, size=(FRAME, FRAME), mode="bilinear", align_corners=False)
    rough = 1 + torch.from_numpy(much).to(batch.gate.device) * grain
    return replace(batch, warped=(batch.warped * rough).clamp(0, 1), truth=(batch.truth * rough).clamp(0, 1))


def looked_at(shape: Tensor, detail: float) -> Tensor:
    """Where the losses look, (n, 1, FRAME, FRAME): the face, and by `detail` more at lips and openings of the eyes."""
    details = torch.maximum(shape[:, LIPS : LIPS + 1], shape[:, OPENINGS : OPENINGS + 1]).clamp(0, 1)
    near = functional.max_pool2d(details, 5, stride=1, padding=2)
    weight = shape[:, FACE : FACE + 1].clamp(0, 1) * (1 + detail * near)
    return functional.interpolate(weight, scale_factor=2.0, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class LossWeights:
    """What counts how much, beside the pixels' 1.

    Attributes:
        edges: the edge loss.
        structure: the structure loss.
        detail: how much more mouth and eyes count than the rest of the face.
    """

    edges: float = 0.5
    structure: float = 0.15
    detail: float = 2.0


@dataclass(frozen=True)
class Losses:
    """Of a batch, each a single number.

    Attributes:
        total: what is made less.
        pixels, edges, structure: what it is made of.
        untouched: `pixels` of the warped pictures as they are.
    """

    total: Tensor
    pixels: Tensor
    edges: Tensor
    structure: Tensor
    untouched: Tensor


def made_of(retoucher: Retoucher, batch: Batch) -> Tensor:
    """What a network makes of a batch's warped pictures, (n, 3, FRAME, FRAME)."""
    clues = torch.cat([functional.pixel_unshuffle(batch.warped, 2), batch.shape], dim=1)
    with fast(batch.warped.device.type):
        change = retoucher(clues.to(memory_format=torch.channels_last))
    return retouched(batch.warped, change, batch.gate)


def losses(retoucher: Retoucher, batch: Batch, weights: LossWeights) -> Losses:
    """How far a network leaves a batch from the truth."""
    made = made_of(retoucher, batch)
    looked = looked_at(batch.shape, weights.detail)
    pixels = pixel_loss(made, batch.truth, looked)
    edges = edge_loss(made, batch.truth, looked)
    structure = structure_loss(made, batch.truth, looked)
    with torch.no_grad():
        untouched = pixel_loss(batch.warped, batch.truth, looked)
    total = pixels + weights.edges * edges + weights.structure * structure
    return Losses(total, pixels, edges, structure, untouched)
