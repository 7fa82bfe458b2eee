"""The networks of 2019: embedder, generator and projection discriminator.

Source: Zakharov, Shysheya, Burkov, Lempitsky, *Few-Shot Adversarial Learning of Realistic Neural
Talking Head Models* (2019), sections 3.1 and 4.1. Pictures and sketches are 0 to 1 everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from gioconda.learning.layers import (
    AdaptiveNorm,
    AdaptiveResidual,
    Attention,
    Residual,
    normed_convolution,
    normed_linear,
)

Network = TypeVar("Network", bound=nn.Module)

_COARSEST = 4
"""Side at which embedder and discriminator sum over the picture."""
_BOTTLENECK = 16
"""Side at which the generator stops shrinking."""
_ATTENTIVE = 32
"""Side of the maps that attend to themselves, where there is attention."""


@dataclass(frozen=True)
class Shape:
    """How large the networks are. Raises ValueError where the numbers do not fit each other.

    Attributes:
        size: side of pictures and sketches in pixels, a power of two from 32 to 1024.
        narrowest: channels at full and half size; they double with each further halving.
        widest: the most channels of any layer, reached at a side of 4 pixels at the latest, and the length of
            the vector a person is told by.
        residuals: blocks at the generator's bottleneck.
        attention: whether maps of 32 pixels attend to themselves.
    """

    size: int = 256
    narrowest: int = 64
    widest: int = 512
    residuals: int = 5
    attention: bool = True

    def __post_init__(self) -> None:
        fitting = (
            self.size in (32, 64, 128, 256, 512, 1024)
            # Headers are read from files: what they claim must not take all memory.
            and 1 <= self.narrowest <= self.widest <= 1024
            and 0 <= self.residuals <= 16
            and self.channels(_COARSEST) == self.widest
            # A map that attends to itself is told by an eighth of its channels.
            and not (self.attention and self.size > _ATTENTIVE and self.channels(2 * _ATTENTIVE) < 8)
        )
        if not fitting:
            raise ValueError(f"no network can be of {self}")

    @staticmethod
    def of(values: Mapping[str, int]) -> Shape:
        """From a header. Raises TypeError or KeyError for other names than those above, ValueError as the class."""
        return Shape(**{**values, "attention": bool(values["attention"])})  # type: ignore[arg-type]

    def channels(self, side: int) -> int:
        """Of a map of that side."""
        return min(self.narrowest * max(self.size // (2 * side), 1), self.widest)


class Embedder(nn.Module):
    """Pictures and their sketches -> what person they show."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_shrinking(shape, 6, _COARSEST))

    def forward(self, pictures: Tensor, sketches: Tensor) -> Tensor:
        """K pictures each of n people, (n, K, 3, s, s), with their sketches -> their embeddings, (n, widest)."""
        people, views = pictures.shape[:2]
        x = torch.cat([pictures, sketches], dim=2).flatten(0, 1) * 2 - 1
        for layer in self.layers:
            x = layer(x)
        each = functional.relu(x).sum(dim=(2, 3))
        return each.view(people, views, -1).mean(dim=1)


class Generator(nn.Module):
    """A sketch -> a face, of the person that `personal` parameters tell."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.down = nn.ModuleList(_shrinking(shape, 3, _BOTTLENECK, normed=True))
        wide = shape.channels(_BOTTLENECK)
        middle: list[nn.Module] = [AdaptiveResidual(wide, wide, grow=False) for _ in range(shape.residuals)]
        up: list[nn.Module] = []
        side = _BOTTLENECK
        while side < shape.size:
            up.append(AdaptiveResidual(shape.channels(side), shape.channels(2 * side), grow=True))
            side *= 2
            if shape.attention and side == 2 * _ATTENTIVE:
                up.append(Attention(shape.channels(side)))
        self.steered = nn.ModuleList([*middle, *up])
        self.norm = AdaptiveNorm(shape.narrowest)
        self.leave = normed_convolution(shape.narrowest, 3)
        lengths = [sum(n.length for n in part.modules() if isinstance(n, AdaptiveNorm)) for part in self.steered]
        self.lengths = (*lengths, self.norm.length)
        self.project = normed_linear(shape.widest, sum(self.lengths))

    def personal(self, embedding: Tensor) -> Tensor:
        """Embeddings, (n, widest) -> scales and shifts of all adaptive norms, (n, parameters): P e of the paper."""
        return self.project(embedding)

    def forward(self, sketches: Tensor, personal: Tensor) -> Tensor:
        """Sketches, (n, 3, s, s), and personal parameters, (n or 1, parameters) -> faces, (n, 3, s, s)."""
        x = sketches * 2 - 1
        for layer in self.down:
            x = layer(x)
        parts = torch.split(personal.expand(len(x), -1), list(self.lengths), dim=1)
        for layer, part in zip(self.steered, parts[:-1], strict=True):
            x = layer(x, part) if part.shape[1] else layer(x)
        x = functional.relu(self.norm(x, parts[-1]))
        return (torch.tanh(self.leave(x)) + 1) / 2


class Discriminator(nn.Module):
    """Tells real faces from made ones, knowing the sketch and which training video they should be of.

    A projection discriminator (Miyato and Koyama 2018): its score is V(x, y) (W_i + w0) + b.
    """

    def __init__(self, shape: Shape, videos: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_shrinking(shape, 6, _COARSEST))
        self.last = Residual(shape.widest, shape.widest)
        self.columns = nn.Embedding(videos, shape.widest)
        nn.init.uniform_(self.columns.weight, -0.1, 0.1)
        self.common = nn.Parameter(torch.empty(shape.widest).uniform_(-0.1, 0.1))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, pictures: Tensor, sketches: Tensor, columns: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores, (n,), and each block's features.

        Args:
            pictures, sketches: (n, 3, s, s) each.
            columns: W_i of each, (n or 1, widest).
        """
        x = torch.cat([pictures, sketches], dim=1) * 2 - 1
        features = []
        for layer in (*self.layers, self.last):
            x = layer(x)
            features.append(x)
        seen = functional.relu(x).sum(dim=(2, 3))
        return (seen * (columns + self.common)).sum(dim=1) + self.bias, features


def _shrinking(shape: Shape, inside: int, until: int, normed: bool = False) -> list[nn.Module]:
    """Blocks that halve a picture until a side is reached."""
    layers: list[nn.Module] = []
    side = shape.size
    while side > until:
        layers.append(Residual(inside, shape.channels(side // 2), shrink=True, normed=normed, first=side == shape.size))
        inside = shape.channels(side // 2)
        side //= 2
        if shape.attention and side == _ATTENTIVE:
            layers.append(Attention(inside))
    return layers


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in network.parameters())
