"""The running mean of a network that learns: what is used of it."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def follow(mean: nn.Module, network: nn.Module, most: float, step: int) -> None:
    """Move a mean of networks towards a new one, as it is after a step, counted from 1. Buffers are taken over.

    At most `most` of the mean stays; less at first, or it would be long what began it.
    """
    keep = min(most, (1 + step) / (10 + step))
    for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - keep)
    for state, fresh in zip(mean.buffers(), network.buffers(), strict=True):
        state.copy_(fresh)
