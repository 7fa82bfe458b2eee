"""The running mean of a network that learns: what is used of it."""

from __future__ import annotations

import torch
from torch import nn


def kept_share(most: float, step: int) -> float:
    """How much of the mean stays at a step, counted from 1: `most` (0 to 1), and less at first, lest its start last."""
    return min(most, (1 + step) / (10 + step))


@torch.no_grad()
def follow(mean: nn.Module, network: nn.Module, most: float, step: int) -> None:
    """Move a mean of networks towards a new one, as it is after a step (`kept_share`). Buffers are taken over."""
    keep = kept_share(most, step)
    for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - keep)
    for state, fresh in zip(mean.buffers(), network.buffers(), strict=True):
        state.copy_(fresh)
