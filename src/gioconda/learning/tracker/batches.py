"""Batches for the landmark network: each face twice, cropped and treated differently, and crops without a face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from gioconda.face import face_model
from gioconda.learning.tracker.faces import Faces
from gioconda.learning.tracker.placement import Placement, turned
from gioconda.learning.tracker.textures import faceless, scattered
from gioconda.learning.tracker.treatments import heavily, lightly, uniform
from gioconda.tracking.crops import CROP, squares
from gioconda.tracking.landmarker import EXPRESSIONS

Array = NDArray[Any]

STRANGERS = 4
"""One crop without a face comes with so many pairs of faces."""


@dataclass(frozen=True)
class Batch:
    """Crops and what is true of them: 2 n of n faces, the lightly treated ones first, then m without a face.

    Attributes:
        crops: (2 n + m, 3, 192, 192), 0 to 1.
        points: (2 n, 478, 3), the teacher's landmarks in crop sides.
        expression: (2 n, 52), the teacher's coefficients, NaN where unknown.
        placement: of the 2 n crops with a face.
    """

    crops: Tensor
    points: Tensor
    expression: Tensor
    placement: Placement


class FaceBatches:
    """The pool on a device, and random batches of it."""

    def __init__(self, faces: Faces, device: str) -> None:
        def kept(values: Array) -> Tensor:
            return torch.from_numpy(np.asarray(values)).to(device)

        self.device = device
        self.frames, self.points, self.expression = kept(faces.frames), kept(faces.points), kept(faces.expression)
        self.squares = kept(squares(np.asarray(faces.points)).astype(np.float32))
        self._mirror = torch.from_numpy(face_model().mirror.astype(np.int64)).to(device)
        self._mirrored_expression = torch.tensor([EXPRESSIONS.index(_other_side(n)) for n in EXPRESSIONS]).to(device)

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, pairs: int, random: Generator) -> Batch:
        """A batch of so many faces, each twice."""
        strangers = -(-pairs // STRANGERS)
        picked = torch.randint(len(self), (pairs + strangers,), generator=random, device=self.device)
        frames = self.frames[picked].permute(0, 3, 1, 2).float() / 255
        squared = self.squares[picked]
        flip = torch.rand(pairs, generator=random, device=self.device) < 0.5
        placements = [placed(squared[:pairs], flip, random) for _ in range(2)]
        both = Placement(torch.cat([p.axes for p in placements]), torch.cat([p.middle for p in placements]))
        points = self._cropped(picked[:pairs].repeat(2), both, flip.repeat(2))
        expression = self.expression[picked[:pairs]]
        expression = torch.where(flip[:, None], expression[:, self._mirrored_expression], expression).repeat(2, 1)
        crops = torch.cat(
            [
                lightly(placements[0].cut(frames[:pairs], CROP), random),
                heavily(placements[1].cut(frames[:pairs], CROP), random),
                lightly(_strange(frames[pairs:], squared[pairs:], random), random),
            ]
        )
        return Batch(crops, points, expression, both)

    def cropped_points(self, count: int, random: Generator) -> Tensor:
        """Landmarks, (count, 478, 3), in random crops of random faces."""
        picked = torch.randint(len(self), (count,), generator=random, device=self.device)
        flip = torch.rand(count, generator=random, device=self.device) < 0.5
        return self._cropped(picked, placed(self.squares[picked], flip, random), flip)

    def _cropped(self, picked: Tensor, placement: Placement, flip: Tensor) -> Tensor:
        points = self.points[picked]
        points = torch.where(flip[:, None, None], points[:, self._mirror], points)
        return torch.cat([placement.into(points[..., :2]), points[..., 2:] / placement.side[:, None, None]], dim=2)


def placed(squared: Tensor, flip: Tensor, random: Generator) -> Placement:
    """Crops around faces, `squares` (n, 4), as far off as following and detecting may be; mirrored where `flip`."""
    n = len(squared)

    def draw(low: float, high: float) -> Tensor:
        return uniform(n, low, high, random)[:, 0, 0, 0]

    def bell(spread: float) -> Tensor:
        return spread * torch.randn(n, generator=random, device=random.device).clamp(-2.5, 2.5)

    far = draw(0, 1) < 0.25
    side = squared[:, 2] * torch.where(far, draw(-0.3, 0.3), bell(0.07)).exp()
    lean = squared[:, 3] + torch.where(far, draw(-0.6, 0.6), bell(0.1))
    stretch = bell(0.05).exp()
    right = torch.where(flip, -1.0, 1.0) * side * stretch
    axes = turned(lean) * torch.stack([right, side / stretch], dim=1)[:, None]
    off = torch.stack([torch.where(far, draw(-0.14, 0.14), bell(0.03)) for _ in range(2)], dim=1)
    return Placement(axes, squared[:, :2] + off * side[:, None])


def _strange(frames: Tensor, squared: Tensor, random: Generator) -> Tensor:
    """Crops without a face: beside it, of its scattered pieces, or textures that a detector may mistake for one."""
    n = len(frames)
    angle, away = uniform(n, 0, 2 * torch.pi, random)[:, 0, 0, 0], uniform(n, 0.65, 1.0, random)[:, 0, 0, 0]
    side = squared[:, 2] * uniform(n, 0.3, 0.9, random)[:, 0, 0, 0]
    middle = squared[:, :2] + (away * squared[:, 2])[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    beside = Placement(torch.eye(2, device=frames.device) * side[:, None, None], middle).cut(frames, CROP)
    whole = Placement(torch.eye(2, device=frames.device) * squared[:, 2, None, None], squared[:, :2]).cut(frames, CROP)
    kind = uniform(n, 0, 1, random)
    strange = torch.where(kind < 0.3, beside, scattered(whole, 4, random))
    return torch.where(kind > 0.55, faceless(frames, CROP, random), strange)


def _other_side(name: str) -> str:
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name
