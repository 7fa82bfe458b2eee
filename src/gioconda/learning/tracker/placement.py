"""Squares cut out of pictures, differentiably: faces out of frames, eyes and lips out of crops."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Placement:
    """Where squares, in sides from their middle, lie in something larger: there = axes @ here + middle.

    Attributes:
        axes: (n, 2, 2); the columns are a side to the right and a side down.
        middle: (n, 2).
    """

    axes: Tensor
    middle: Tensor

    @staticmethod
    def upright(squares: Tensor) -> Placement:
        """Of crops (n, 4): x, y, side and lean, see `gioconda.tracking.crops`."""
        return Placement(turned(squares[:, 3]) * squares[:, 2, None, None], squares[:, :2])

    def out(self, points: Tensor) -> Tensor:
        """(n, k, 2) in sides, to where they are in the larger."""
        return points @ self.axes.transpose(1, 2) + self.middle[:, None]

    def into(self, points: Tensor) -> Tensor:
        """Undoes `out`."""
        return (points - self.middle[:, None]) @ torch.linalg.inv(self.axes).transpose(1, 2)

    @property
    def side(self) -> Tensor:
        """Side of the squares in the larger's unit, (n,): the square root of their area."""
        return torch.linalg.det(self.axes).abs().sqrt()

    def cut(self, frames: Tensor, size: int) -> Tensor:
        """The squares as pictures, (n, 3, size, size), of frames (n, 3, h, w) in whose pixels they are placed."""
        return sampled(frames, in_sides(self.out(grid(size, frames.device)), frames), size)


def turned(lean: Tensor) -> Tensor:
    """Rotations, (n, 2, 2), clockwise by radians, (n,)."""
    c, s = lean.cos(), lean.sin()
    return torch.stack([torch.stack([c, -s], dim=1), torch.stack([s, c], dim=1)], dim=1)


def grid(size: int, device: torch.device | str) -> Tensor:
    """Middles of the pixels of a square, row by row, in sides from its middle: (1, size * size, 2)."""
    steps = (torch.arange(size, dtype=torch.float32, device=device) + 0.5) / size - 0.5
    across, down = steps[None, :].expand(size, size), steps[:, None].expand(size, size)
    return torch.stack([across, down], dim=-1).reshape(1, -1, 2)


def in_sides(pixels: Tensor, pictures: Tensor) -> Tensor:
    """Places (n, k, 2) in pixels of pictures (n, 3, h, w), as shares of width and height from the middle."""
    extent = torch.tensor([pictures.shape[3], pictures.shape[2]], device=pictures.device)
    return (pixels + 0.5) / extent - 0.5


def sampled(pictures: Tensor, places: Tensor, size: int, beyond: str = "border") -> Tensor:
    """Pictures (n, 3, h, w) at places (n, size * size, 2), in sides from their middle: (n, 3, size, size)."""
    where = 2 * places.reshape(-1, size, size, 2)
    return functional.grid_sample(pictures, where, padding_mode=beyond, align_corners=False)
