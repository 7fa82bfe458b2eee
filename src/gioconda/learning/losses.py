"""What the networks are taught by."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def pixel_loss(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of pictures, (n, 3, h, w), where `weight`, (n, 1, h, w), is large."""
    return ((made - truth).abs() * weight).sum() / (3 * weight.sum() + 1e-6)


def edge_loss(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """The same of their differences between neighbouring pixels: what blur would lose."""

    def edges(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]

    (down, across), (true_down, true_across) = edges(made), edges(truth)
    return pixel_loss(down, true_down, weight[..., 1:, :]) + pixel_loss(across, true_across, weight[..., 1:])


def structure_loss(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """1 - SSIM of the brightness of pictures, (n, 3, h, w), 0 to 1, where `weight`, (n, 1, h, w), is large.

    Source: Wang et al. 2004, "Image quality assessment", equation 13, over even windows of 7 x 7 pixels.
    """
    a, b = made.mean(dim=1, keepdim=True), truth.mean(dim=1, keepdim=True)
    side, edge = 7, 3

    def local(x: Tensor) -> Tensor:
        # One way after the other: the same, in a third of the time.
        return functional.avg_pool2d(functional.avg_pool2d(x, (side, 1), 1), (1, side), 1)

    mean_a, mean_b = local(a), local(b)
    spread = local(a * a) - mean_a**2 + local(b * b) - mean_b**2
    joint = local(a * b) - mean_a * mean_b
    light, rest = 0.01**2, 0.03**2
    same = (2 * mean_a * mean_b + light) / (mean_a**2 + mean_b**2 + light) * (2 * joint + rest) / (spread + rest)
    inner = weight[..., edge:-edge, edge:-edge]
    return 1 - (same * inner).sum() / (inner.sum() + 1e-6)


def content_loss(
    made: Tensor,
    truth: Tensor,
    features: Callable[[Tensor], list[Tensor]],
    distance: Callable[[Tensor, Tensor], Tensor] = functional.l1_loss,
) -> Tensor:
    """How far pictures, (n, 3, h, w) each, are apart for a network, summed over its layers' features.

    Nothing is learned from the truth's. Source: Zakharov et al. 2019, L_CNT.
    """
    with torch.no_grad():
        wanted = features(truth)
    return torch.stack([distance(a, b) for a, b in zip(features(made), wanted, strict=True)]).sum()


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
