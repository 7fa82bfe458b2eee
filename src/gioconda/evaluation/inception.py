"""The features of FID: Inception v3 as the first FID used it (extra `learn`).

Source: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, "GANs trained by a two time-scale update rule converge to
a local Nash equilibrium", 2017, with the network of Szegedy et al., "Rethinking the Inception architecture", 2016,
in the training of 2015-12-05. That training's graph differs from the paper's network in its pooling: averages leave
the border out, and the last block takes the largest value. The weights are not part of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gioconda.evaluation.given import as_tensor, fill, read_tensors
from gioconda.evaluation.judges import Array, Picture

WHAT = "Inception network of FID"
FEATURES = 2048
SIDE = 299
"""Pixels a side to which pictures are brought, whatever their shape."""

Kernel = tuple[int, int]
Layer = tuple[str, int, Kernel]
"""Name, channels out, height and width of the kernel."""
Branch = Sequence[Sequence[Layer]]
"""Stages one after the other; the layers of a stage all see the same and lie beside each other in what comes out."""
ONE, THREE, FIVE = (1, 1), (3, 3), (5, 5)
WIDE, HIGH = (1, 7), (7, 1)


class Inception:
    """Inception v3 with the weights of a file, up to the mean over places of its last features.

    The file has the tensors of the checkpoint that the PyTorch port of FID uses, pt_inception-2015-12-05, under
    their names: ``Conv2d_1a_3x3.conv.weight`` and so on.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raises `UsageError` where it holds no such network."""
        self._network = network()
        fill(self._network, read_tensors(path, WHAT), path, WHAT)

    def __call__(self, rgb: Picture) -> Array:
        """Return the features (2048,) of a picture (H, W, 3)."""
        with torch.inference_mode():
            x = functional.interpolate(as_tensor(rgb), (SIDE, SIDE), mode="bilinear", align_corners=False)
            return np.asarray(self._network(x).mean((2, 3))[0], np.float64)


class _Convolution(nn.Module):
    """A convolution without bias, normalised and rectified."""

    def __init__(self, inside: int, outside: int, kernel: Kernel, stride: int = 1, same: bool = True) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if same else (0, 0)
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Block(nn.Module):
    """Branches beside each other, and one that pools; with ``halves`` the last stage of each halves the size."""

    def __init__(self, inside: int, branches: Sequence[Branch], pooled: int = 0, largest: bool = False) -> None:
        super().__init__()
        self._halves, self._largest = not pooled, largest
        self._stages = [[[layer[0] for layer in stage] for stage in branch] for branch in branches]
        for branch in branches:
            width = inside
            for number, stage in enumerate(branch):
                last = self._halves and number == len(branch) - 1
                for name, outside, kernel in stage:
                    self.add_module(name, _Convolution(width, outside, kernel, 2 if last else 1, same=not last))
                width = sum(outside for _, outside, _ in stage)
        if pooled:
            self.branch_pool = _Convolution(inside, pooled, ONE)

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for stages in self._stages:
            y = x
            for stage in stages:
                y = torch.cat([self.get_submodule(name)(y) for name in stage], 1)
            found.append(y)
        return torch.cat([*found, self._pool(x)], 1)

    def _pool(self, x: Tensor) -> Tensor:
        if self._halves:
            return functional.max_pool2d(x, 3, 2)
        if self._largest:
            return self.branch_pool(functional.max_pool2d(x, 3, 1, 1))
        return self.branch_pool(functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))


def network() -> nn.Sequential:
    """Return Inception v3 without what comes after its last features."""
    layers: list[tuple[str, nn.Module]] = [
        ("Conv2d_1a_3x3", _Convolution(3, 32, THREE, 2, same=False)),
        ("Conv2d_2a_3x3", _Convolution(32, 32, THREE, same=False)),
        ("Conv2d_2b_3x3", _Convolution(32, 64, THREE)),
        ("pool1", nn.MaxPool2d(3, 2)),
        ("Conv2d_3b_1x1", _Convolution(64, 80, ONE)),
        ("Conv2d_4a_3x3", _Convolution(80, 192, THREE, same=False)),
        ("pool2", nn.MaxPool2d(3, 2)),
        ("Mixed_5b", _fives(192, 32)),
        ("Mixed_5c", _fives(256, 64)),
        ("Mixed_5d", _fives(288, 64)),
        ("Mixed_6a", _Block(288, [[[("branch3x3", 384, THREE)]], _doubled(96)])),
        ("Mixed_6b", _sevens(128)),
        ("Mixed_6c", _sevens(160)),
        ("Mixed_6d", _sevens(160)),
        ("Mixed_6e", _sevens(192)),
        ("Mixed_7a", _Block(768, [_chain("branch3x3", (192, ONE), (320, THREE)), _chain(
            "branch7x7x3", (192, ONE), (192, WIDE), (192, HIGH), (192, THREE))])),
        ("Mixed_7b", _forks(1280, largest=False)),
        ("Mixed_7c", _forks(2048, largest=True)),
    ]  # fmt: skip
    whole = nn.Sequential()
    for name, layer in layers:
        whole.add_module(name, layer)
    return whole


def _chain(name: str, *layers: tuple[int, Kernel]) -> Branch:
    return [[(f"{name}_{number}", *layer)] for number, layer in enumerate(layers, 1)]


def _doubled(width: int) -> Branch:
    return _chain("branch3x3dbl", (64, ONE), (96, THREE), (width, THREE))


def _fives(inside: int, pooled: int) -> _Block:
    fives = _chain("branch5x5", (48, ONE), (64, FIVE))
    return _Block(inside, [[[("branch1x1", 64, ONE)]], fives, _doubled(96)], pooled)


def _sevens(width: int) -> _Block:
    once = _chain("branch7x7", (width, ONE), (width, WIDE), (192, HIGH))
    twice = _chain("branch7x7dbl", (width, ONE), (width, HIGH), (width, WIDE), (width, HIGH), (192, WIDE))
    return _Block(768, [[[("branch1x1", 192, ONE)]], once, twice], 192)


def _forks(inside: int, largest: bool) -> _Block:
    once = [[("branch3x3_1", 384, ONE)], [("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))]]
    twice = [
        [("branch3x3dbl_1", 448, ONE)],
        [("branch3x3dbl_2", 384, THREE)],
        [("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))],
    ]
    return _Block(inside, [[[("branch1x1", 320, ONE)]], once, twice], 192, largest)
