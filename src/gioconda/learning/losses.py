"""What the painter is taught by."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def pixel_loss(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of pictures, (n, 3, h, w), where `weight`, (n, 1, h, w), is large."""
    return ((made - truth).abs() * weight).sum() / (3 * weight.sum() + 1e-6)


def edge_loss(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The same of their differences between neighbouring pixels: what blur would lose."""

    def edges(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]

    down = pixel_loss(edges(made)[0], edges(truth)[0], weight[..., 1:, :])
    return down + pixel_loss(edges(made)[1], edges(truth)[1], weight[..., 1:])


def mean_score(scores: Tensor, weight: Tensor) -> Tensor:
    """Mean of scores, (n, 1, h, w), where the weight, (n, 1, H, W), shrunk to them, is large."""
    height, width = scores.shape[-2:]
    shrunk = functional.adaptive_avg_pool2d(weight, (height, width))
    return (scores * shrunk).sum() / (shrunk.sum() + 1e-6)


def hinge_discriminator(real: Tensor, made: Tensor, weight: Tensor) -> Tensor:
    """The discriminator's hinge loss where something was painted. Source: Zakharov et al. 2019, equation 6."""
    return mean_score(functional.relu(1 - real), weight) + mean_score(functional.relu(1 + made), weight)


def feature_matching(real: list[Tensor], made: list[Tensor]) -> Tensor:
    """Mean absolute difference of a discriminator's features. Source: Wang et al. 2018 (pix2pixHD), equation 4."""
    total = made[0].new_zeros(())
    for a, b in zip(real, made, strict=True):
        total = total + (a.detach() - b).abs().mean()
    return total / len(real)
