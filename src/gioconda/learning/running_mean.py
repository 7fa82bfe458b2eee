"""The running mean of a network that learns: what is used of it."""

from __future__ import annotations

import torch
from torch import nn


def kept(most: float, step: int) -> float:
    """How much of a running mean stays at a step, counted from 1: less at first, or it would be long what began it."""
    return min(most, (1 + step) / (10 + step))


@torch.no_grad()
def follow(mean: nn.Module, network: nn.Module, keep: float) -> None:
    """Move a mean of networks towards a new one; `keep` of it stays. Buffers are taken over as they are."""
    for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - keep)
    for state, fresh in zip(mean.buffers(), network.buffers(), strict=True):
        state.copy_(fresh)
