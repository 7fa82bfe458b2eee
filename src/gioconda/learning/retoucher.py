"""The network of the `warp` renderer, and what it does to a picture, in torch."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gioconda.rendering.clues import CHANNELS
from gioconda.rendering.warp import BLACK, CHANGES, FARTHEST, STRONGEST

WIDTHS = (16, 32, 48, 64)
"""Channels at full, half, quarter and eighth resolution of the cells."""


class _Block(nn.Module):
    """Two convolutions around which the input goes on."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, padding=1)
        self.second = nn.Conv2d(outside, outside, 3, padding=1)
        self.shortcut = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, inside, h, w) -> (n, outside, h, w)."""
        y = functional.leaky_relu(self.first(x), 0.1)
        return functional.leaky_relu(self.second(y) + self.shortcut(x), 0.1)


class Retoucher(nn.Module):
    """U-Net (Ronneberger et al. 2015) that says how a moved face differs from the picture of it, moved.

    Clues, (n, 28, h, w), as `rendering.clues.in_cells` -> change, (n, 5, h, w), as `rendering.warp.CHANGES`; h and w
    are multiples of 8. A fresh network changes nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        finer = list(pairwise(WIDTHS))
        self.enter = nn.Conv2d(CHANNELS, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList([_Block(WIDTHS[0], WIDTHS[0]), *(_Block(a, b) for a, b in finer)])
        self.up = nn.ModuleList(_Block(a + b, a) for a, b in finer)
        self.leave = nn.Conv2d(WIDTHS[0], CHANGES, 3, padding=1)
        for part in self.leave.parameters():
            nn.init.zeros_(part)

    def forward(self, clues: Tensor) -> Tensor:
        """See the class."""
        x = functional.leaky_relu(self.enter(clues), 0.1)
        kept: list[Tensor] = []
        for number, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if number else x)
            kept.append(x)
        kept.pop()
        for block in reversed(list(self.up)):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, kept.pop()], dim=1))
        said = torch.tanh(self.leave(x))
        return torch.cat([FARTHEST * said[:, :2], STRONGEST * said[:, 2:]], dim=1)


def retouched(picture: Tensor, change: Tensor, gate: Tensor) -> Tensor:
    """The warped picture, (n, 3, 2h, 2w), 0 to 1, changed, (n, 5, h, w), as far as the gate, (n, 1, h, w), lets it.

    The same as `rendering.warp.apply` in the frame's own pixels, but for how it interpolates.
    """
    large = functional.interpolate(change.float() * gate, scale_factor=2.0, mode="bilinear", align_corners=False)
    height, width = picture.shape[2:]
    still = torch.eye(2, 3, device=picture.device)[None].expand(len(picture), 2, 3)
    grid = functional.affine_grid(still, [len(picture), 1, height, width], align_corners=False)
    step = torch.tensor([2 / width, 2 / height], device=picture.device)
    grid = grid + large[:, :2].permute(0, 2, 3, 1) * step
    moved = functional.grid_sample(picture, grid, padding_mode="border", align_corners=False)
    black = BLACK / 255
    return ((moved + black) * torch.exp(large[:, 2:]) - black).clamp(0, 1)
