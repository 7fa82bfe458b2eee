"""A content loss that needs nobody's weights: how far two faces are apart for the tracker that comes with the package.

The first stage of its landmark network knows where lips, lids and outlines are, and little of who it is. It stands in
for networks that were taught on a million pictures, and is no match for them.
"""

from __future__ import annotations

from importlib import resources

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from gioconda.learning.losses import content_loss
from gioconda.learning.tracker.networks import LandmarkNet
from gioconda.tracking.crops import CROP

_TRUNK = "/network/trunk/"
"""Beginning of the names of the first stage's layers in the file."""


class TrackerFeatures(nn.Module):
    """Mean absolute difference of features in units of the true face's mean, summed over the layers."""

    def __init__(self) -> None:
        super().__init__()
        # What comes first halves the crop, which is done with the change of size at once.
        self.layers = nn.ModuleList(list(LandmarkNet().trunk)[1:]).eval().requires_grad_(False)
        convolutions = [layer for layer in self.layers.modules() if isinstance(layer, nn.Conv2d)]
        norms = [layer for layer in self.layers.modules() if isinstance(layer, nn.BatchNorm2d)]
        for layer, norm, (weight, bias) in zip(convolutions, norms, _kept(), strict=True):
            layer.weight.copy_(weight)
            # In the file a norm is part of its convolution: here it adds the bias, and no more.
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
            norm.bias.copy_(bias)

    def train(self, mode: bool = True) -> TrackerFeatures:
        """It learns no more, and its norms must not take up the pictures' own means."""
        return super().train(False)

    def features(self, faces: Tensor) -> list[Tensor]:
        """Of faces that fill about half of their picture, (n, 3, s, s), red, green, blue, 0 to 1."""
        x = functional.interpolate(faces.float(), (CROP // 2, CROP // 2), mode="bilinear", antialias=True) * 2 - 1
        found = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """The loss of faces, (n, 3, s, s) each, 0 to 1."""
        return content_loss(made, truth, self.features, lambda a, b: functional.l1_loss(a, b) / (b.mean() + 1e-6))


def _kept() -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of the first stage's convolutions, in order, from the network that comes with the package."""
    file = resources.files("gioconda.data").joinpath("tracker", "landmarks.onnx")
    graph = onnx.load_from_string(file.read_bytes()).graph
    numbers = {each.name: each for each in graph.initializer}
    # Numbers are kept in half precision and cast, and some layers share theirs.
    passed_on = {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("Cast", "Identity")}

    def tensor(name: str) -> Tensor:
        while name not in numbers:
            name = passed_on[name]
        return torch.from_numpy(numpy_helper.to_array(numbers[name]).copy()).float()

    convolutions = [node for node in graph.node if node.op_type == "Conv" and node.name.startswith(_TRUNK)]
    return [(tensor(node.input[1]), tensor(node.input[2])) for node in convolutions]
