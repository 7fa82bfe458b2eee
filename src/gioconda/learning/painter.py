"""The small painter of the `warp` renderer and the discriminator that teaches it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gioconda.learning.layers import normed_convolution
from gioconda.rendering.clues import CHANNELS


@dataclass(frozen=True)
class PainterShape:
    """Width of the painter: channels at full, half, quarter and eighth size."""

    channels: tuple[int, ...] = (24, 48, 96, 128)


class _Block(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, padding=1)
        self.second = nn.Conv2d(outside, outside, 3, padding=1)
        self.shortcut = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, inside, h, w) -> (n, outside, h, w)."""
        y = functional.leaky_relu(self.first(x), 0.1)
        return functional.leaky_relu(self.second(y) + self.shortcut(x), 0.1)


class Painter(nn.Module):
    """U-Net that paints what a picture does not hold: the inside of an open mouth, shut lids, moved irises.

    Clues, (n, 10, h, w), 0 to 1 -> colour and share, (n, 4, h, w), 0 to 1; h and w are multiples of 8.
    """

    def __init__(self, shape: PainterShape | None = None) -> None:
        super().__init__()
        widths = (shape or PainterShape()).channels
        self.enter = nn.Conv2d(CHANNELS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_Block(a, b) for a, b in zip(widths, (*widths[1:], widths[-1]), strict=True))
        self.up = nn.ModuleList(
            _Block(a + b, b) for a, b in zip((widths[-1], *widths[:0:-1]), widths[::-1], strict=True)
        )
        self.leave = nn.Conv2d(widths[0], 4, 3, padding=1)
        for part in self.leave.parameters():
            nn.init.zeros_(part)

    def forward(self, clues: Tensor) -> Tensor:
        """See the class."""
        x = functional.leaky_relu(self.enter(clues * 2 - 1), 0.1)
        kept = []
        for number, block in enumerate(self.down):
            kept.append(x)
            x = block(functional.avg_pool2d(x, 2) if number < len(self.down) - 1 else x)
        for number, block in enumerate(self.up):
            if number:
                x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, kept[-1 - number]], dim=1))
        painted = self.leave(x)
        # Colour is a change of the warped picture: a fresh network changes nothing.
        colour = (clues[:, :3] + torch.tanh(painted[:, :3])).clamp(0, 1)
        return torch.cat([colour, torch.sigmoid(painted[:, 3:] + 1)], dim=1)


def painted(clues: Tensor, gate: Tensor, output: Tensor) -> Tensor:
    """The picture with the painter's colour where it wants and the gate, (n, 1, h, w), lets it: (n, 3, h, w)."""
    share = output[:, 3:] * gate
    return clues[:, :3] + share * (output[:, :3] - clues[:, :3])


class Discriminator(nn.Module):
    """Tells painted windows from real ones, place by place, knowing where mouth and eyes should be.

    A place of its last layer sees 78 pixels around it: a whole mouth, or an eye with its brow.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = (3 + 4, width, 2 * width, 4 * width, 4 * width)
        self.layers = nn.ModuleList(normed_convolution(a, b, side=4, stride=2) for a, b in pairwise(widths))
        self.judge = normed_convolution(widths[-1], 1)

    def forward(self, picture: Tensor, where: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores, (n, 1, h/16, w/16), and each layer's features, for pictures (n, 3, h, w) and masks (n, 4, h, w)."""
        x = torch.cat([picture * 2 - 1, where], dim=1)
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.judge(x), features
