"""The tracker's networks: landmarks of one cropped face, and a detector of all faces of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gioconda.face import EYES, LANDMARKS, LIPS, MOUTH_CORNERS, face_model
from gioconda.learning.tracker.placement import Placement, grid, sampled
from gioconda.tracking.crops import CROP
from gioconda.tracking.landmarker import EXPRESSIONS

EYE_PATCH, LIPS_PATCH = 40, 48
"""Pixels a side of the windows that the second stage looks at."""
EYE_REACH, LIPS_REACH = 0.85, 1.4
"""Sides of those windows in distances between the eyes."""


def region(middle: tuple[int, ...], reach: float) -> tuple[int, ...]:
    """Landmarks that lie, on the canonical face, within `reach` eye distances of the middle of others."""
    shape = torch.from_numpy(face_model().shape)[:, :2]
    away = (shape - shape[list(middle)].mean(dim=0)).norm(dim=1)
    return tuple(int(i) for i in torch.nonzero(away <= reach).flatten())


EYE_REGION = tuple(sorted({*region(EYES[0].corners, 0.36), *EYES[0].iris}))
"""The picture-left eye; the right one's are their mirror images."""
LIPS_REGION = tuple(sorted({*region(LIPS, 0.45), *LIPS}))


@dataclass(frozen=True)
class LandmarkShape:
    """Size of the landmark network.

    Attributes:
        channels: of the first stage at 1/4, 1/8, 1/16 and 1/32 of the crop, which it sees at half size.
        blocks: residual blocks at each of them.
        components: numbers from which all first-stage landmarks are a linear function.
        patch: channels of the second stage.
    """

    channels: tuple[int, int, int, int] = (24, 40, 64, 96)
    blocks: tuple[int, int, int, int] = (0, 1, 2, 2)
    components: int = 96
    patch: tuple[int, int, int] = (16, 32, 48)


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w), the same back."""
        return functional.relu(x + self.second(self.first(x)))


class _PatchNet(nn.Module):
    """Offsets of some landmarks, (n, points, 3), in patch sides, from a patch around them, (n, 3, size, size)."""

    def __init__(self, size: int, points: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = widths
        self.points = points
        self.layers = nn.Sequential(
            _conv(3, a, 2), _conv(a, b), _conv(b, b, 2), _Residual(b), _conv(b, c, 2), _Residual(c), _conv(c, 16)
        )
        self.leave = nn.Linear(16 * (size // 8) ** 2, 3 * points)
        nn.init.normal_(self.leave.weight, std=1e-3)
        nn.init.zeros_(self.leave.bias)

    def forward(self, patch: Tensor) -> Tensor:
        """See the class."""
        return self.leave(self.layers(patch).flatten(1)).reshape(-1, self.points, 3)


@dataclass(frozen=True)
class Reading:
    """What the landmark network says of n crops. Lengths are in crop sides, the origin is the crop's middle.

    Attributes:
        coarse: (n, 478, 3), landmarks of the first stage.
        points: (n, 478, 3), landmarks of both.
        log_scale: (n, 478), logarithm of the expected error of each landmark.
        presence: (n,), a logit: is there a face in the crop, and rather in its middle?
        expression: (n, 52), logits of the expression coefficients.
    """

    coarse: Tensor
    points: Tensor
    log_scale: Tensor
    presence: Tensor
    expression: Tensor


class LandmarkNet(nn.Module):
    """Two stages: the whole face from a small picture of it, then eyes and lips looked at closely.

    The second stage cuts its windows out of the same crop, where the first stage saw eyes and lips, as
    the attention mesh does with features (Grishchenko et al. 2020, section 2).
    """

    places: Tensor

    def __init__(self, shape: LandmarkShape | None = None) -> None:
        super().__init__()
        shape = shape or LandmarkShape()
        widths = shape.channels
        layers: list[nn.Module] = [nn.AvgPool2d(2)]
        for inside, outside, blocks in zip((3, *widths), widths, shape.blocks, strict=False):
            layers += [_conv(inside, outside, 2), *(_Residual(outside) for _ in range(blocks))]
        self.trunk = nn.Sequential(*layers)
        self.squeeze = nn.Sequential(nn.Conv2d(widths[-1], 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.enter = nn.Linear(32 * (CROP // 32) ** 2, shape.components)
        self.spread = nn.Linear(shape.components, 3 * LANDMARKS)
        self.doubt = nn.Linear(shape.components, LANDMARKS)
        self.presence = nn.Linear(widths[-1], 1)
        self.eye = _PatchNet(EYE_PATCH, len(EYE_REGION), shape.patch)
        self.mouth = _PatchNet(LIPS_PATCH, len(LIPS_REGION), shape.patch)
        self.mood = nn.Sequential(nn.Linear(2 * LANDMARKS, 96), nn.ReLU(), nn.Linear(96, len(EXPRESSIONS)))
        mirror = face_model().mirror
        order = [*EYE_REGION, *(int(mirror[i]) for i in EYE_REGION), *LIPS_REGION]
        self.register_buffer("places", functional.one_hot(torch.tensor(order), LANDMARKS).T.float(), persistent=False)
        nn.init.normal_(self.doubt.weight, std=1e-3)
        nn.init.constant_(self.doubt.bias, -4.0)

    def set_basis(self, mean: Tensor, components: Tensor) -> None:
        """Begin with a linear model of faces: mean (478, 3), components (k, 478, 3), each as large as its spread."""
        with torch.no_grad():
            self.spread.bias.copy_(mean.flatten())
            self.spread.weight.zero_()
            self.spread.weight[:, : len(components)] = components.flatten(1).T[:, : self.spread.in_features]

    def forward(self, crop: Tensor) -> Reading:
        """Crops (n, 3, 192, 192), 0 to 1."""
        crop = crop * 2 - 1
        seen = self.trunk(crop)
        summary = self.enter(self.squeeze(seen).flatten(1))
        coarse = self.spread(summary).reshape(-1, LANDMARKS, 3)
        points = self._looked_at(crop, coarse)
        settled = points.detach()
        middle = settled[:, EYES[0].corners + EYES[1].corners, :2].mean(dim=1, keepdim=True)
        return Reading(
            coarse=coarse,
            points=points,
            log_scale=self.doubt(summary.detach()),
            presence=self.presence(seen.mean(dim=(2, 3)))[:, 0],
            expression=self.mood(((settled[..., :2] - middle) * 4).flatten(1)),
        )

    def _looked_at(self, crop: Tensor, coarse: Tensor) -> Tensor:
        """Landmarks with the second stage's corrections at eyes and lips."""
        seen = coarse.detach()
        left, right = (seen[:, eye.corners, :] for eye in EYES)
        unit = (left.mean(dim=1) - right.mean(dim=1)).norm(dim=1)
        mouth = seen[:, MOUTH_CORNERS, :]
        corrections = [
            _looked(self.eye, EYE_PATCH, crop, _window(left.mean(dim=1), left, EYE_REACH * unit)),
            _looked(self.eye, EYE_PATCH, crop, _window(right.mean(dim=1), right, EYE_REACH * unit, mirrored=True)),
            _looked(self.mouth, LIPS_PATCH, crop, _window(seen[:, LIPS].mean(dim=1), mouth, LIPS_REACH * unit)),
        ]
        # Adding up by a product with zeros and ones: a scatter is slower and less widely supported in ONNX.
        return coarse + self.places @ torch.cat(corrections, dim=1)


def _window(middle: Tensor, corners: Tensor, side: Tensor, mirrored: bool = False) -> Placement:
    """A square in a crop, both in crop sides from the crop's middle, along a line between two points (n, 2, 3)."""
    along = corners[:, 1, :2] - corners[:, 0, :2]
    across = along / (along.norm(dim=1, keepdim=True) + 1e-6)
    down = torch.stack([-across[:, 1], across[:, 0]], dim=1)
    axes = torch.stack([-across if mirrored else across, down], dim=2)
    return Placement(axes * side[:, None, None], middle[:, :2])


def _looked(network: nn.Module, size: int, crop: Tensor, window: Placement) -> Tensor:
    """What a network says of a window of a crop: offsets of points in crop sides."""
    offsets = network(sampled(crop, window.out(grid(size, crop.device)), size))
    side = window.axes[:, :, 1].norm(dim=1)
    return torch.cat([offsets[..., :2] @ window.axes.transpose(1, 2), offsets[..., 2:] * side[:, None, None]], dim=2)


class DetectorNet(nn.Module):
    """All faces of a picture, as points of a map (Zhou et al. 2019, "Objects as points").

    Pictures (n, 3, h, w), 0 to 1, sides multiples of 32 -> logits (n, 1, h/8, w/8) of there being the middle
    of a face, and shapes (n, 11, h/8, w/8): logarithm of the side of its crop in pixels, then its five
    points from the cell's middle in such sides.
    """

    def __init__(self, widths: tuple[int, int, int, int, int] = (16, 24, 48, 64, 64)) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.fine = nn.Sequential(_conv(3, a, 2), _conv(a, b, 2), _conv(b, c, 2), _Residual(c))
        self.middle = nn.Sequential(_conv(c, d, 2), _Residual(d))
        self.wide = nn.Sequential(_conv(d, e, 2), _Residual(e), _Residual(e))
        self.down = nn.Conv2d(e, d, 1)
        self.merge = _conv(d, d)
        self.last = nn.Conv2d(d, c, 1)
        self.head = nn.Sequential(_conv(c, c), _conv(c, c))
        self.heat = nn.Conv2d(c, 1, 1)
        self.shape = nn.Conv2d(c, 11, 1)
        # A face is rare: begin with a chance of a hundredth, so that the many empty cells do not drown it.
        assert self.heat.bias is not None
        nn.init.constant_(self.heat.bias, -4.6)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        fine = self.fine(picture * 2 - 1)
        middle = self.middle(fine)
        wide = self.down(self.wide(middle))
        middle = self.merge(middle + functional.interpolate(wide, scale_factor=2.0, mode="nearest"))
        seen = self.head(fine + functional.interpolate(self.last(middle), scale_factor=2.0, mode="nearest"))
        return self.heat(seen).float(), self.shape(seen).float()
