"""What the tracker is taught by. Lengths are in crop sides; the eyes are about a quarter of one apart."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from gioconda.face import EYES, LANDMARKS, LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER
from gioconda.learning.tracker.placement import Placement

DEPTH = 0.25
"""Weight of depth against across and down: the teacher guesses it too."""


@cache
def importance() -> Tensor:
    """(478,): eyes and lips are a tenth of the points and most of what is looked at. The mean is 1."""
    weights = torch.ones(LANDMARKS)
    for eye in EYES:
        weights[[*eye.outline, *eye.iris]] = 4
    weights[list(LIPS)] = 3
    return weights / weights.mean()


@cache
def gaps() -> tuple[Tensor, Tensor]:
    """Pairs of landmarks whose distance is an expression: lids, lips, iris and the corners of its eye."""
    pairs = list(zip(LIPS_INNER_UPPER[1:-1], LIPS_INNER_LOWER[1:-1], strict=True))
    for eye in EYES:
        pairs += zip(eye.upper[1:-1], eye.lower[1:-1], strict=True)
        pairs += [(eye.iris[0], corner) for corner in eye.corners] * 3
        pairs += [(eye.iris[0], eye.upper[4]), (eye.iris[0], eye.lower[4])]
    first, second = zip(*pairs, strict=True)
    return torch.tensor(first), torch.tensor(second)


def point_loss(points: Tensor, truth: Tensor) -> Tensor:
    """Weighted mean distance of landmarks, (n, 478, 3); depth counts less."""
    off = points - truth
    flat = (off[..., :2].square().sum(dim=2) + 1e-10).sqrt() + DEPTH * off[..., 2].abs()
    return (flat * importance().to(points.device)).mean()


def gap_loss(points: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the `gaps`, as vectors in the picture plane."""
    a, b = (index.to(points.device) for index in gaps())

    def apart(x: Tensor) -> Tensor:
        return x[:, a, :2] - x[:, b, :2]

    return (apart(points) - apart(truth)).abs().sum(dim=2).mean()


def doubt_loss(log_scale: Tensor, points: Tensor, truth: Tensor) -> Tensor:
    """Negative log-likelihood of the distances under a two-dimensional Laplace distribution of mean `2 exp(log_scale)`.

    Only the scale learns: sure points must not grow at the cost of unsure ones.
    """
    off = (points.detach()[..., :2] - truth[..., :2]).square().sum(dim=2).sqrt()
    return (off / log_scale.exp() + 2 * log_scale + math.log(2 * math.pi)).mean()


def agreement_loss(points: Tensor, placement: Placement) -> Tensor:
    """Mean distance, in crop sides, between what two crops of each face say: the first half and the second."""
    placed = placement.out(points[..., :2])
    a, b = placed.chunk(2)
    side = placement.side.chunk(2)[0]
    return (((a - b).square().sum(dim=2) + 1e-10).sqrt() / side[:, None]).mean()


def expression_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the coefficients, where the teacher knows them."""
    known = ~truth.isnan()
    off = (torch.sigmoid(logits) - truth.nan_to_num()).abs() * known
    return off.sum() / known.sum().clamp(min=1)


def presence_loss(logits: Tensor, faces: int) -> Tensor:
    """Cross-entropy: the first `faces` crops show one, the others do not."""
    truth = (torch.arange(len(logits), device=logits.device) < faces).to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, truth)


def heat_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Penalty-reduced focal loss of a map of middles, over the number of faces.

    `truth` is 1 at middles and falls off around them. Source: Zhou et al. 2019, equation 1.
    """
    chance = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    middles = truth >= 1
    missed = (1 - chance).square() * chance.log() * middles
    false = (1 - truth) ** 4 * chance.square() * (1 - chance).log() * ~middles
    return -(missed + false).sum() / middles.sum().clamp(min=1)


def shape_loss(shapes: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error of sizes and five points, (n, 11, h, w), where the weight, (n, 1, h, w), is large."""
    return ((shapes - truth).abs() * weight).sum() / (11 * weight.sum() + 1e-6)
