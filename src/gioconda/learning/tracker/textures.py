"""Pictures without a face, made of pictures with one: what both networks must let pass."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from gioconda.learning.tracker.placement import grid, sampled
from gioconda.learning.tracker.treatments import cloud, uniform


def faceless(frames: Tensor, size: int, random: Generator) -> Tensor:
    """One picture, (n, 3, size, size), from each of some frames, (n, 3, h, h), with a face in their middle.

    Their corners, where no face is, folded over and over; their pieces in random order; and clouds of colour.
    """
    n, device = len(frames), frames.device
    folds = uniform(n, 0.5, 6, random)[..., 0]
    shift = uniform(n, 0, 2, random, 2)[:, None, :, 0, 0]
    folded = ((grid(size, device) * folds + shift) % 2 - 1).abs()
    reach = uniform(n, 0.15, 0.4, random)[..., 0]
    signs = torch.where(uniform(n, 0, 1, random, 2)[:, None, :, 0, 0] < 0.5, -0.5, 0.5)
    corners = sampled(frames, signs * (1 - reach * folded), size)
    clouds = uniform(n, 0, 1, random, 3) + 0.15 * cloud(n, 3, (size, size), 8, random)
    kind = uniform(n, 0, 1, random)
    made = torch.where(kind < 0.1, clouds.clamp(0, 1), corners)
    pieces = sampled(scattered(frames, 4, random), grid(size, device).expand(n, -1, -1), size)
    return torch.where(kind > 0.6, pieces, made)


def scattered(pictures: Tensor, pieces: int, random: Generator) -> Tensor:
    """Square pictures, each cut into so many pieces a side, laid out again in random order."""
    size = pictures.shape[3] // pieces
    n, colours = pictures.shape[:2]
    blocks = pictures.reshape(n, colours, pieces, size, pieces, size).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.rand(len(blocks), pieces * pieces, generator=random, device=random.device).argsort(dim=1)
    blocks = blocks.gather(1, order[:, :, None, None, None].expand_as(blocks))
    return blocks.reshape(n, pieces, pieces, colours, size, size).permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
