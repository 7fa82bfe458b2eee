"""Content losses: how far two pictures are apart for a network that knows what pictures show.

The weights are the user's: none that may be shipped are at our disposal. A safetensors file holds
`features.N.weight` and `features.N.bias`, numbered as layers of a plain VGG are, with pooling and
ReLU counted. The networks meant are the Caffe-trained ones, which want blue, green, red from 0 to
255 less a mean; fed with red, green, blue from 0 to 1 the loss is far too small and nothing is learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gioconda.errors import UsageError
from gioconda.learning.checkpoint import DAMAGE, finite_tensors
from gioconda.learning.losses import content_loss
from gioconda.untrusted import one_line


@dataclass(frozen=True)
class Plan:
    """A VGG network.

    Attributes:
        name: what it is called.
        widths: channels of each convolution; 0 stands for a pooling.
        taken: numbers of the layers, ReLUs all, whose features are compared.
        mean: of the footage it was trained on: red, green, blue, 0 to 255.
    """

    name: str
    widths: tuple[int, ...]
    taken: tuple[int, ...]
    mean: tuple[float, float, float]


VGG19 = Plan(
    "VGG19",
    (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512),
    (1, 6, 11, 20, 29),
    (123.68, 116.779, 103.939),
)
"""Trained on ImageNet. Source: Simonyan and Zisserman 2015, configuration E."""
VGGFACE = Plan(
    "VGGFace",
    (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512),
    (1, 6, 11, 18, 25),
    (129.1863, 104.7624, 93.5940),
)
"""Trained to know faces. Source: Parkhi et al. 2015; configuration D."""


class Perceptual(nn.Module):
    """Mean absolute difference of features, summed over the layers taken. Source: Zakharov et al. 2019, L_CNT."""

    def __init__(self, plan: Plan, weights: Path) -> None:
        super().__init__()
        try:
            tensors = finite_tensors(weights)
        except DAMAGE as error:
            raise UsageError(
                f"{weights}: not a safetensors file to be used ({one_line(error)}); copy it again"
            ) from error
        self.plan = plan
        layers: list[nn.Module] = []
        inside = 3
        for width in plan.widths:
            if not width:
                layers.append(nn.MaxPool2d(2))
                continue
            layer = nn.Conv2d(inside, width, 3, padding=1)
            for part in ("weight", "bias"):
                name = f"features.{len(layers)}.{part}"
                wanted = getattr(layer, part).shape
                if name not in tensors or tensors[name].shape != wanted:
                    raise UsageError(f"{weights}: not {plan.name}, it has no {name} of shape {tuple(wanted)}")
                getattr(layer, part).data = tensors[name].float()
            layers += [layer, nn.ReLU()]
            inside = width
        self.layers = nn.ModuleList(layers).requires_grad_(False)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Of pictures, (n, 3, h, w), red, green, blue, 0 to 1."""
        mean = torch.tensor(self.plan.mean, device=pictures.device)[:, None, None]
        x = (pictures * 255 - mean).flip(1)
        found = []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self.plan.taken:
                found.append(x)
        return found

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """The loss of pictures, (n, 3, h, w) each, 0 to 1."""
        return content_loss(made, truth, self.features)
