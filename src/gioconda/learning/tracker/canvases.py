"""Pictures for the detector: faces of all sizes pasted on textures in which there is none."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gioconda.learning.tracker.batches import FaceBatches
from gioconda.learning.tracker.placement import Placement, grid, in_sides, sampled, turned
from gioconda.learning.tracker.textures import faceless
from gioconda.learning.tracker.treatments import covered, heavily, lightly, some, uniform
from gioconda.tracking.crops import five_points
from gioconda.tracking.detector import STRIDE

CANVAS = 256
"""Pixels a side."""
LAYOUTS = (1, 2, 4, 8)
"""Cells a side into which faces are pasted: the smallest faces are as wide as a third of an eighth of the canvas."""
ITEMS = 3
"""Faces, or pieces of some, a canvas at most."""
PIECES = 0.25
"""Share of what is pasted that is no face but its scattered pieces."""
PIECE = 0.19
"""Side of such a piece, in sides of the face's crop."""


@dataclass(frozen=True)
class Canvases:
    """Pictures and what the detector should say of them.

    Attributes:
        pictures: (n, 3, 256, 256), 0 to 1.
        heat: (n, 1, 32, 32), 1 at the cells that hold a face's middle, falling off around them.
        shapes: (n, 11, 32, 32), as the network's, of the face that is nearest.
        weight: (n, 1, 32, 32), how much the shapes count.
        five: (n, items, 5, 2), pixels; NaN where there is no face.
    """

    pictures: Tensor
    heat: Tensor
    shapes: Tensor
    weight: Tensor
    five: Tensor


class CanvasBatches:
    """The pool on a device, and random canvases of it."""

    def __init__(self, pool: FaceBatches) -> None:
        self.pool, self.device = pool, pool.device
        self.five = torch.from_numpy(five_points(pool.points.cpu().numpy())).to(pool.device)

    def batch(self, count: int, random: Generator) -> Canvases:
        """So many canvases."""
        device, pool = self.device, self.pool
        picked = torch.randint(len(pool), (count,), generator=random, device=device)
        pictures = faceless(pool.frames[picked].permute(0, 3, 1, 2).float() / 255, CANVAS, random)
        layout = torch.tensor(LAYOUTS, device=device)[
            torch.randint(len(LAYOUTS), (count,), generator=random, device=device)
        ]
        cells = torch.rand(count, LAYOUTS[-1] ** 2, generator=random, device=device)
        cells[torch.arange(LAYOUTS[-1] ** 2, device=device)[None] >= layout[:, None] ** 2] = -1
        order = cells.argsort(dim=1, descending=True)
        how_many = torch.randint(0, ITEMS + 1, (count,), generator=random, device=device).clamp(max=layout**2)
        targets = []
        for item in range(ITEMS):
            picked = torch.randint(len(pool), (count,), generator=random, device=device)
            cell = CANVAS / layout
            corner = torch.stack([order[:, item] % layout, order[:, item] // layout], dim=1) * cell[:, None]
            side = cell * uniform(count, 0.5, 1.15, random)[:, 0, 0, 0]
            jitter = uniform(count, 0.35, 0.65, random, 2)[:, :, 0, 0]
            middle = corner + jitter * cell[:, None]
            lean = uniform(count, -0.9, 0.9, random)[:, 0, 0, 0] + pool.squares[picked, 3]
            present = how_many > item
            whole = uniform(count, 0, 1, random)[:, 0, 0, 0] >= PIECES
            if len(rows := present.nonzero()[:, 0]):
                placed = Placement(turned(lean[rows]) * side[rows, None, None], middle[rows])
                pasted = self._pasted(pictures[rows], picked[rows], placed, whole[rows], random)
                pictures = pictures.index_copy(0, rows, pasted)
            targets.append(self._target(picked, middle, side, lean, present & whole))
        small = layout >= 4
        pictures = torch.where(small[:, None, None, None], lightly(pictures, random), heavily(pictures, random))
        pictures = some(pictures, 0.15, covered, random)
        middle, side, five = (torch.stack(parts, dim=1) for parts in zip(*targets, strict=True))
        return Canvases(pictures, *target_maps(middle, side, five, CANVAS // STRIDE), five)

    def _pasted(self, pictures: Tensor, picked: Tensor, placed: Placement, whole: Tensor, random: Generator) -> Tensor:
        """The pictures with a turned face, or its pieces, at a place: with its own background, or cut out softly."""
        n = len(picked)
        frames = self.pool.frames[picked].permute(0, 3, 1, 2).float() / 255
        pixels = (grid(CANVAS, self.device) + 0.5) * CANVAS - 0.5
        local = placed.into(pixels)
        reach, sharp = uniform(n, 0.42, 0.75, random)[..., 0], uniform(n, 3, 30, random)[..., 0]
        power = torch.where(uniform(n, 0, 1, random)[..., 0] < 0.5, 2.0, 8.0)
        edge = (local.abs() / reach).pow(power).sum(dim=2)
        mask = ((1 - edge) * sharp[..., 0]).clamp(0, 1).reshape(-1, 1, CANVAS, CANVAS)
        # Pieces: small squares, each upright, change places as in a quarter turn.
        square = (local / PIECE).floor() * PIECE + PIECE / 2
        pieces = torch.stack([-square[..., 1], square[..., 0]], dim=2) + local - square
        local = torch.where(whole[:, None, None], local, pieces)
        source = Placement.upright(self.pool.squares[picked])
        places = in_sides(source.out(local), frames)
        # Where a face is small its frame has more pixels than the canvas: average them first.
        shrink = (source.side / placed.side).clamp(min=1)
        face = torch.stack(
            [
                sampled(_shrunk(f, float(k)), p[None], CANVAS, "reflection")[0]
                for f, p, k in zip(frames, places, shrink, strict=True)
            ]
        )
        return pictures + mask * (face - pictures)

    def _target(
        self, picked: Tensor, middle: Tensor, side: Tensor, lean: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        source = Placement.upright(self.pool.squares[picked])
        five = Placement(turned(lean) * side[:, None, None], middle).out(source.into(self.five[picked]))
        return middle, side, torch.where(present[:, None, None], five, torch.nan)


def target_maps(middle: Tensor, side: Tensor, five: Tensor, cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Heat, shapes and their weight as in `Canvases`, from faces: (n, k, 2), (n, k) and (n, k, 5, 2); NaN is none."""
    places = ((grid(cells, middle.device) + 0.5) * cells * STRIDE - 0.5).reshape(cells, cells, 2)
    away = (places - middle[:, :, None, None]).square().sum(dim=4)
    there = ~five.isnan().flatten(2).any(dim=2)
    spread = (0.07 * side).clamp(min=0.7 * STRIDE)[:, :, None, None]
    heat = (-away / (2 * spread.square())).exp() * there[:, :, None, None]
    nearest = heat.argmax(dim=1, keepdim=True)
    home = away.flatten(2).argmin(dim=2)
    peak = functional.one_hot(home, cells * cells).reshape(*home.shape, cells, cells) * there[:, :, None, None]
    heat = torch.maximum(heat.clamp(max=0.99), peak.float())
    offsets = (five.nan_to_num()[:, :, None, None] - places[..., None, :]) / side[:, :, None, None, None, None]
    shapes = torch.cat([side.log()[:, :, None, None, None].expand(*heat.shape, 1), offsets.flatten(4)], dim=4)
    shapes = shapes.gather(1, nearest[..., None].expand(-1, -1, -1, -1, 11))[:, 0].permute(0, 3, 1, 2)
    heat = heat.amax(dim=1, keepdim=True)
    return heat, shapes, heat * (heat > 0.3)


def _shrunk(frame: Tensor, times: float) -> Tensor:
    size = max(8, round(frame.shape[1] / times))
    if size >= frame.shape[1]:
        return frame[None]
    return functional.interpolate(frame[None], (size, size), mode="bilinear", antialias=True, align_corners=False)
