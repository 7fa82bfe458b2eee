"""Processes that learn as one: at each step they take the mean of their gradients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Team:
    """One process of several, with PyTorch's default process group between them; or one alone.

    Attributes:
        rank: its number. The first leads: it keeps the run's folder and the time.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether it is the first."""
        return self.rank == 0

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Put everybody's mean in the place of each gradient."""
        if self.size > 1:
            own = [parameter.grad for parameter in parameters if parameter.grad is not None]
            mean = self.mean(torch.cat([grad.flatten() for grad in own]))
            for grad, values in zip(own, torch.split(mean, [grad.numel() for grad in own]), strict=True):
                grad.copy_(values.view_as(grad))

    def mean(self, values: Tensor) -> Tensor:
        """Everybody's mean of some values of one shape."""
        if self.size == 1:
            return values
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total / self.size

    def agreed(self, decided: bool, device: str) -> bool:
        """What the first has decided."""
        if self.size == 1:
            return decided
        told = torch.tensor(int(decided), device=device)
        distributed.broadcast(told, 0)
        return bool(told)


ALONE = Team()
