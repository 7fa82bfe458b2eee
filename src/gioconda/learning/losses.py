"""What the networks are taught by."""

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


def hinge(real: Tensor, made: Tensor) -> Tensor:
    """The discriminator's loss of whole pictures' scores, (n,) each. Source: Zakharov et al. 2019, equation 6."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def match_loss(embeddings: Tensor, columns: Tensor) -> Tensor:
    """Mean absolute difference of what the embedder and the discriminator know of a video, (n, widest) each.

    It is what lets the discriminator start from an embedding when it meets a new person.
    Source: Zakharov et al. 2019, section 3.2, L_MCH.
    """
    return (embeddings - columns).abs().mean()


def pyramid_loss(made: Tensor, truth: Tensor, weight: Tensor, levels: int = 3) -> Tensor:
    """`pixel_loss` at full size, half, quarter and so on, averaged: coarse levels forgive a shift of a pixel."""
    total = made.new_zeros(())
    for level in range(levels):
        if level:
            made, truth, weight = (functional.avg_pool2d(x, 2) for x in (made, truth, weight))
        total = total + pixel_loss(made, truth, weight)
    return total / levels


def attention(sketches: Tensor, emphasis: float) -> Tensor:
    """Where a loss looks, (n, 1, s, s), from sketches, (n, 3, s, s): 1, and 1 + `emphasis` on and around the lines."""
    reach = 2 * (sketches.shape[-1] // 32) + 1
    lines = sketches.amax(dim=1, keepdim=True)
    return 1 + emphasis * functional.max_pool2d(lines, reach, stride=1, padding=reach // 2)
