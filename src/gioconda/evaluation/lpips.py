"""LPIPS: how different two pictures look, by the features of a network that knows objects (extra `learn`).

Source: Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", 2018, equation 1, in version 0.1 of its weights. The features are those of AlexNet (Krizhevsky 2014) or of
VGG16 (Simonyan and Zisserman 2015), each after five of its rectifications. The weights are not part of the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from gioconda.errors import UsageError
from gioconda.evaluation.given import SEE, as_tensor, fill, read_tensors
from gioconda.evaluation.judges import Picture

WHAT = "network of LPIPS"
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and deviation for pictures of -1 to 1."""
TINY = 1e-10
TAKEN = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
"""Layers after which features are taken: relu1 to relu5 of AlexNet; relu1_2, 2_2, 3_3, 4_3 and 5_3 of VGG16."""
_VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Lpips:
    """LPIPS with the weights of a file; ``kind``: alex or vgg, by the shape of the file's first tensor.

    The file has the feature network's tensors, ``features.N.weight`` and ``features.N.bias``, N as in torchvision's
    AlexNet or VGG16, and the five linear layers, ``lin0.model.1.weight`` to ``lin4.model.1.weight``, (1, C, 1, 1).
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raises `UsageError` where it holds no such network."""
        tensors = read_tensors(path, WHAT)
        first = tensors.get("features.0.weight")
        self.kind = "alex" if first is not None and first.shape[-2:] == (11, 11) else "vgg"
        self._network = features(self.kind)
        fill(self._network, tensors, path, WHAT)
        self._weights = [
            _channel_weights(tensors, f"lin{depth}.model.1.weight", len(tensors[f"features.{number - 1}.bias"]), path)
            for depth, number in enumerate(TAKEN[self.kind])
        ]

    def __call__(self, made: Picture, true: Picture) -> float:
        """Return the distance of two pictures (H, W, 3) of one size: 0 (equal) upwards, without unit.

        At each of five depths: features (C, h, w) scaled to length 1 at every place, the squared difference times one
        weight per channel, none of them negative, the sum over channels, the mean over places; then the sum.
        """
        with torch.inference_mode():
            pair = torch.cat([as_tensor(made), as_tensor(true)])
            return float(sum(distance(taken, w) for taken, w in zip(self._taken(pair), self._weights, strict=True)))

    def _taken(self, pair: Tensor) -> Iterator[Tensor]:
        x = (pair - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        for name, layer in self._network["features"].named_children():
            x = layer(x)
            if int(name) in TAKEN[self.kind]:
                yield x


def distance(pair: Tensor, weights: Tensor) -> Tensor:
    """Return the distance of two pictures' features (2, C, h, w) under weights (C,)."""
    unit = pair / (pair.square().sum(1, keepdim=True).sqrt() + TINY)
    return ((unit[0] - unit[1]).square() * weights[:, None, None]).sum(0).mean()


def features(kind: str) -> nn.ModuleDict:
    """Return the layers up to the last features taken, numbered as torchvision numbers them."""
    return nn.ModuleDict({"features": nn.Sequential(*(_alex() if kind == "alex" else _vgg()))})


def _alex() -> list[nn.Module]:
    return [
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    ]


def _vgg() -> list[nn.Module]:
    layers: list[nn.Module] = []
    inside = 3
    for widths in _VGG:
        for a, b in pairwise((inside, *widths)):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2, 2))
        inside = widths[-1]
    return layers[:-1]


def _channel_weights(tensors: dict[str, Tensor], name: str, channels: int, path: Path) -> Tensor:
    weights = tensors.get(name)
    if weights is None:
        raise UsageError(f"{path}: no {WHAT}, it has no tensor {name!r}; {SEE}")
    if weights.shape != (1, channels, 1, 1) or bool((weights < 0).any()):
        raise UsageError(f"{path}: no {WHAT}, {name!r} is not one weight of 0 or more for each of {channels} channels")
    return weights.reshape(-1)
