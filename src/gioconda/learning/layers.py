"""Layers of the networks: residual blocks with spectral normalisation, adaptive instance norm, self-attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import register_parametrization

EPSILON = 1e-4
"""Of norms: flat maps, which black sketches make many of, must not be blown up to noise."""


GAIN = 1.5
"""Spectral norm of convolutions. A random layer bounded by 1 and the ReLU after it make differences smaller; a
dozen of them leave nothing to tell one person, or a made picture, by. With this gain features keep their size."""


def normed_convolution(inside: int, outside: int, side: int = 3, stride: int = 1) -> nn.Module:
    """Convolution of bounded spectral norm that divides the size by `stride`. Source: Miyato et al. 2018."""
    layer = spectral_norm(nn.Conv2d(inside, outside, side, stride, padding=(side - 1) // 2), eps=EPSILON)
    return register_parametrization(layer, "weight", _Gain())


def normed_linear(inside: int, outside: int) -> nn.Module:
    """Linear layer of spectral norm 1."""
    return spectral_norm(nn.Linear(inside, outside), eps=EPSILON)


class _Gain(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        """Any weight -> alike."""
        return GAIN * weight


class Residual(nn.Module):
    """Two convolutions with a shortcut, (n, inside, h, w) -> (n, outside, h, w), or half of h and w.

    Source: Brock et al. 2019 (BigGAN), figure 15, with instance norm or none in place of batch norm.
    """

    def __init__(
        self, inside: int, outside: int, *, shrink: bool = False, normed: bool = False, first: bool = False
    ) -> None:
        super().__init__()
        self.shrink, self.normed, self.first = shrink, normed, first
        self.one = normed_convolution(inside, outside)
        self.two = normed_convolution(outside, outside)
        self.short = normed_convolution(inside, outside, 1) if inside != outside or shrink else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        # A picture's own values are not features yet: they are neither normed nor cut at nought.
        y = x if self.first else self._activated(x)
        y = self.two(self._activated(self.one(y)))
        if self.shrink:
            # Averaging and a 1 x 1 convolution may change places; shrinking first is cheaper.
            return functional.avg_pool2d(y, 2) + self.short(functional.avg_pool2d(x, 2))
        return y + self.short(x)

    def _activated(self, x: Tensor) -> Tensor:
        return functional.relu(functional.instance_norm(x, eps=EPSILON) if self.normed else x)


class AdaptiveNorm(nn.Module):
    """Instance norm whose scale and shift come from outside. Source: Huang and Belongie 2017 (AdaIN)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.length = 2 * channels
        """Numbers it takes for a person."""

    def forward(self, x: Tensor, personal: Tensor) -> Tensor:
        """Features, (n, channels, h, w), and (n, 2 channels): scales less one, then shifts."""
        scale, shift = personal[..., None, None].chunk(2, dim=1)
        return functional.instance_norm(x, eps=EPSILON) * (1 + scale) + shift


class AdaptiveResidual(nn.Module):
    """Residual block with adaptive norms, (n, inside, h, w) -> (n, outside, h, w), or twice h and w."""

    def __init__(self, inside: int, outside: int, *, grow: bool) -> None:
        super().__init__()
        self.grow = grow
        self.norm_one, self.norm_two = AdaptiveNorm(inside), AdaptiveNorm(outside)
        self.one = normed_convolution(inside, outside)
        self.two = normed_convolution(outside, outside)
        self.short = normed_convolution(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, x: Tensor, personal: Tensor) -> Tensor:
        """See the class; `personal` is (n, 2 inside + 2 outside)."""
        first, second = torch.split(personal, [self.norm_one.length, self.norm_two.length], dim=1)
        y = functional.relu(self.norm_one(x, first))
        y = self.one(_doubled(y) if self.grow else y)
        y = self.two(functional.relu(self.norm_two(y, second)))
        short = self.short(x)
        return y + (_doubled(short) if self.grow else short)


class Attention(nn.Module):
    """Each place of a map sees all others; the shape stays. Source: Zhang et al. 2019 (SAGAN), section 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.key = normed_convolution(channels, channels // 8, 1)
        self.query = normed_convolution(channels, channels // 8, 1)
        self.value = normed_convolution(channels, channels, 1)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        key, query, value = (part(x).flatten(2) for part in (self.key, self.query, self.value))
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=2)
        return x + self.share * (value @ weights.transpose(1, 2)).view_as(x)


def _doubled(x: Tensor) -> Tensor:
    # Repeated pixels, as in BigGAN, leave a weave of lines on a face until training is long.
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear")
