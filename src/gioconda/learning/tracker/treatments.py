"""What befalls a picture of a face before the tracker sees it: styles, covers, light, blur, noise, compression.

All are functions of a batch, (n, 3, h, w), 0 to 1, and a random generator, on whatever device the batch is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

Treatment = Callable[[Tensor, Generator], Tensor]


def uniform(n: int, low: float, high: float, random: Generator, channels: int = 1) -> Tensor:
    """Random numbers, (n, channels, 1, 1)."""
    return low + (high - low) * torch.rand(n, channels, 1, 1, generator=random, device=random.device)


def grey(x: Tensor) -> Tensor:
    """Luma, (n, 1, h, w)."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=x.device)
    return (x * weights[:, None, None]).sum(1, keepdim=True)


def smooth(x: Tensor, reach: int) -> Tensor:
    """Mean over a square of about 2 * reach pixels a side, by way of a smaller picture."""
    small = functional.avg_pool2d(x, reach, ceil_mode=True)
    return functional.interpolate(small, x.shape[2:], mode="bilinear", align_corners=False)


def cloud(n: int, channels: int, size: tuple[int, int], cells: int, random: Generator) -> Tensor:
    """Smooth noise about 0, (n, channels, *size), with about `cells` bumps a side."""
    coarse = torch.randn(n, channels, cells, cells, generator=random, device=random.device)
    return functional.interpolate(coarse, size, mode="bilinear", align_corners=False)


# Styles


def poster(x: Tensor, random: Generator) -> Tensor:
    """Few flat tones."""
    levels = 2 + (uniform(len(x), 0, 5, random)).floor()
    return (smooth(x, 2) * levels).round() / levels


def sketch(x: Tensor, random: Generator) -> Tensor:
    """A pencil or charcoal drawing on tinted paper: dark where the picture is darker than its surroundings."""
    tone = grey(x)
    lines = (tone / (smooth(tone, 5) + 0.02)).clamp(0, 1)
    strength, shade = uniform(len(x), 1.5, 5, random), uniform(len(x), 0, 0.6, random)
    drawn = (1 - strength * (1 - lines)).clamp(0, 1) * (1 - shade + shade * tone)
    paper, ink = uniform(len(x), 0.7, 1, random, 3), uniform(len(x), 0, 0.3, random, 3)
    return ink + (paper - ink) * drawn


def oil(x: Tensor, random: Generator) -> Tensor:
    """Brush strokes: of four squares around a pixel, the mean of the most even one (Kuwahara et al. 1976)."""
    # At half size: strokes are wider than pixels, and it takes a quarter of the time.
    size, x = x.shape[2:], functional.avg_pool2d(x, 2)
    reach = int(torch.randint(1, 4, (), generator=random, device=random.device))
    tone = grey(x)
    means = torch.cat([x, tone, tone.square()], dim=1)
    means = functional.avg_pool2d(functional.pad(means, (reach,) * 4, mode="replicate"), reach + 1, stride=1)
    height, width = x.shape[2:]
    quarters = torch.stack(
        [means[:, :, a : a + height, b : b + width] for a in (0, reach) for b in (0, reach)]
    )  # (4, n, 5, h, w)
    evenness = quarters[:, :, 4] - quarters[:, :, 3].square()
    best = evenness.argmin(dim=0)[None, :, None].expand(1, -1, 3, -1, -1)
    painted = quarters[:, :, :3].gather(0, best)[0]
    return functional.interpolate(painted, size, mode="bilinear", align_corners=False)


def canvas(x: Tensor, random: Generator) -> Tensor:
    """Weave and cracks, under old varnish."""
    size = (x.shape[2], x.shape[3])
    weave = cloud(len(x), 1, size, 96, random) + cloud(len(x), 1, size, 48, random)
    field = cloud(len(x), 1, size, 20, random)
    cracks = (1 - 12 * field.abs()).clamp(0, 1) * uniform(len(x), 0, 0.3, random)
    varnish = torch.cat([uniform(len(x), a, b, random) for a, b in ((0.85, 1.05), (0.7, 1), (0.4, 1))], dim=1)
    return (x * (1 + weave * uniform(len(x), 0.01, 0.07, random)) * (1 - cracks) * varnish).clamp(0, 1)


def palette(x: Tensor, random: Generator) -> Tensor:
    """Another picture's mean and spread of colours (Reinhard et al. 2001, in RGB)."""
    order = torch.randperm(len(x), generator=random, device=random.device)
    spread, mean = torch.std_mean(x, dim=(2, 3), keepdim=True)
    return ((x - mean) / (spread + 0.02) * spread[order] + mean[order]).clamp(0, 1)


STYLES: tuple[Treatment, ...] = (poster, sketch, oil, canvas, palette)


# Covers


def covered(x: Tensor, random: Generator) -> Tensor:
    """Something in front: a hand, hair, a cup. An ellipse or a strip, of one colour or of another picture's texture."""
    n, _, height, width = x.shape
    rows = torch.linspace(-0.5, 0.5, height, device=x.device)[:, None]
    columns = torch.linspace(-0.5, 0.5, width, device=x.device)[None, :]
    angle = uniform(n, 0, math.pi, random)
    across, down = columns - uniform(n, -0.45, 0.45, random), rows - uniform(n, -0.45, 0.45, random)
    along = across * angle.cos() + down * angle.sin()
    beside = down * angle.cos() - across * angle.sin()
    long, wide = uniform(n, 0.08, 0.8, random), uniform(n, 0.04, 0.22, random)
    inside = (8 * (1 - (along / long).square() - (beside / wide).square())).clamp(0, 1)
    colour = uniform(n, 0, 1, random, 3) * (1 + 0.3 * cloud(n, 1, (height, width), 6, random))
    order = torch.randperm(n, generator=random, device=random.device)
    corner = functional.interpolate(x[order][:, :, : height // 4, : width // 4], (height, width), mode="bilinear")
    plain = uniform(n, 0, 1, random) < 0.6
    return x + inside * (torch.where(plain, colour, corner).clamp(0, 1) - x)


# Light, lens and file


def recoloured(x: Tensor, random: Generator) -> Tensor:
    """Another exposure, contrast and white balance; some go grey."""
    n = len(x)
    tone = grey(x) * uniform(n, 0.9, 1.1, random, 3)
    x = x + uniform(n, -0.5, 1, random).clamp(0, 1) * (tone - x)
    x = x.clamp(1e-4, 1) ** uniform(n, 0.6, 1.6, random) * uniform(n, 0.85, 1.15, random, 3)
    return (0.5 + (x - 0.5) * uniform(n, 0.6, 1.25, random) + uniform(n, -0.1, 0.1, random)).clamp(0, 1)


def dim(x: Tensor, random: Generator) -> Tensor:
    """Low light: dark, uneven, noisy."""
    n, _, height, width = x.shape
    light = (0.6 + 0.5 * cloud(n, 1, (height, width), 2, random)).clamp(0.1, 1.4) * uniform(n, 0.25, 0.9, random)
    return noisy(x ** uniform(n, 1, 1.4, random) * light, random)


def noisy(x: Tensor, random: Generator) -> Tensor:
    """Grain."""
    noise = torch.randn(x.shape, generator=random, device=x.device)
    return (x + noise * uniform(len(x), 0, 0.06, random)).clamp(0, 1)


def coarse(x: Tensor, random: Generator) -> Tensor:
    """Fewer pixels, drawn large again: a small or soft face."""
    size = int(torch.randint(40, x.shape[3], (), generator=random, device=random.device))
    small = functional.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return functional.interpolate(small, x.shape[2:], mode="bilinear", align_corners=False)


def streaked(x: Tensor, random: Generator) -> Tensor:
    """Motion blur along one direction."""
    step = torch.randint(-2, 3, (2,), generator=random, device=random.device).tolist()
    return torch.stack([x.roll((k * step[0], k * step[1]), (2, 3)) for k in (-2, -1, 0, 1, 2)]).mean(dim=0)


_LUMA_STEPS = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22),
    *(29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103),
    *(121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""JPEG's example luminance quantisation. Source: ITU-T T.81, table K.1."""


def compressed(x: Tensor, random: Generator) -> Tensor:
    """JPEG's blocks: rounded cosine coefficients, colours at half size. Sides are multiples of 8."""
    n, _, height, width = x.shape
    tone = grey(x)
    chroma = functional.interpolate(functional.avg_pool2d(x - tone, 2), (height, width), mode="nearest")
    k = torch.arange(8, device=x.device, dtype=torch.float32)
    cosines = torch.cos((2 * k[None, :] + 1) * k[:, None] * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    blocks = tone.reshape(n, height // 8, 8, width // 8, 8).transpose(2, 3)
    coefficients = cosines @ blocks @ cosines.T
    steps = torch.tensor(_LUMA_STEPS, device=x.device, dtype=torch.float32).reshape(8, 8) / 255
    steps = steps * uniform(n, 0.3, 5, random)[..., None]
    coefficients = (coefficients / steps).round() * steps
    tone = (cosines.T @ coefficients @ cosines).transpose(2, 3).reshape(n, 1, height, width)
    return (tone + chroma).clamp(0, 1)


def some(x: Tensor, share: float, treatment: Treatment, random: Generator) -> Tensor:
    """A treatment of a random share of the batch."""
    count = round(share * len(x) + float(torch.rand((), generator=random, device=random.device)) - 0.5)
    if count <= 0:
        return x
    rows = torch.randperm(len(x), generator=random, device=random.device)[:count]
    x = x.clone()
    x[rows] = treatment(x[rows], random)
    return x


def lightly(x: Tensor, random: Generator) -> Tensor:
    """As another camera would have seen it."""
    return some(some(recoloured(x, random), 0.3, compressed, random), 0.2, noisy, random)


def heavily(x: Tensor, random: Generator) -> Tensor:
    """As a painter, a bad camera or somebody's hand would have left it."""
    for style in STYLES:
        x = some(x, 0.14, style, random)
    for share, treatment in ((0.3, covered), (0.1, covered), (0.8, recoloured), (0.1, dim)):
        x = some(x, share, treatment, random)
    for share, treatment in ((0.3, coarse), (0.15, streaked), (0.2, noisy), (0.3, compressed)):
        x = some(x, share, treatment, random)
    return x
