"""Samples for the `warp` network: what the warp makes of one frame, and what another frame really shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.face import CHIN, FOREHEAD, LIPS_INNER_LOWER, LIPS_INNER_UPPER, Points, eye_distance
from gioconda.learning.dataset import Shot, usable_shots, usable_stills
from gioconda.neutral import lid_gaps, mouth_gap
from gioconda.portrait import View
from gioconda.rendering.clues import CELLS, FRAME, FULL, SHAPE, ShapeDrawer, warp_frame
from gioconda.rendering.composite import composite
from gioconda.rendering.flow import FlowRenderer
from gioconda.rendering.head import Head

Array = NDArray[Any]

TARGETS_A_SOURCE = 7
"""Frames rendered from one source frame: making a renderer costs as much as a few frames."""
STILLS, OPEN = 0.12, 0.12
"""Share of sources that are stills, and least opening of their mouths, in eye distances."""


@dataclass(frozen=True)
class Sample:
    """A pair in the network frame.

    Attributes:
        warped: what `flow` makes of a picture, uint8 (FRAME, FRAME, 3).
        truth: what it should be, alike.
        shape: channels and gate of `clues.Shape`, int8 (CELLS, CELLS, SHAPE + 1).
    """

    warped: Array
    truth: Array
    shape: Array


SHAPES = {"warped": (FRAME, FRAME, 3), "truth": (FRAME, FRAME, 3), "shape": (CELLS, CELLS, SHAPE + 1)}
"""Of the arrays of a sample, by name."""


def make_samples(folder: Path, seed: int) -> Iterator[Sample]:
    """Endless samples from a dataset folder: every person equally often, one source in eight a still.

    Half of the sources are frames with a rather closed mouth, as portraits are; many of the targets are frames that
    show much of a mouth's inside, shut eyes, or a head turned far from how it is in the source.
    """
    random = np.random.default_rng(seed)
    people: dict[str, list[Shot]] = {}
    for shot in usable_shots(folder):
        people.setdefault(shot.person, []).append(shot)
    names = sorted(people)
    stills = list(usable_stills(folder, OPEN))
    while True:
        if stills and random.random() < STILLS:
            rgb, points = stills[random.integers(len(stills))]
            yield from _still_samples(rgb, points, random)
        else:
            shots = people[names[random.integers(len(names))]]
            yield from _shot_samples(shots[random.integers(len(shots))], random)


def _shot_samples(shot: Shot, random: np.random.Generator) -> Iterator[Sample]:
    points = shot.points
    unit = eye_distance(points)
    mouth, lids = mouth_gap(points) / unit, lid_gaps(points).mean(axis=1)
    shut = np.argsort(mouth)[: max(1, len(mouth) // 4)]
    source = int(random.choice(shut)) if random.random() < 0.5 else int(random.integers(len(points)))
    busy = np.argsort(-(mouth / max(float(np.ptp(mouth)), 0.02) + 1.5 * (lids < 0.4 * np.median(lids))))
    head = Head(points[source])
    turned = np.argsort([-abs(head.pose(each).rotation[0, 2]) for each in points])

    def pick() -> int:
        kind = random.random()
        if kind < 0.4:
            return int(random.choice(busy[: max(1, len(busy) // 3)]))
        if kind < 0.6:
            return int(random.choice(turned[: max(1, len(turned) // 5)]))
        return int(random.integers(len(points)))

    targets = [pick() for _ in range(TARGETS_A_SOURCE)]
    numbers = np.unique([source, *targets])
    frames = dict(zip(numbers.tolist(), shot.frames(numbers), strict=False))
    if source not in frames:
        return
    view = View(np.ascontiguousarray(frames[source]), points[source])
    sampler = Sampler(view)
    for target in sorted({*targets} - {source}):
        if target in frames:
            yield sampler.sample(points[target], frames[target])


def _still_samples(rgb: Array, points: Points, random: np.random.Generator) -> Iterator[Sample]:
    """A still with its mouth shut by the warp, opened again: the still itself is the truth."""
    still = View(rgb, points)
    for share in random.uniform(0.0, 0.5, 2):
        yield Sampler(mouth_shut(still, float(share))).sample(points, rgb)


def mouth_shut(still: View, share: float = 0.0) -> View:
    """What `flow` makes of a picture whose mouth goes to a share of its opening."""
    points = with_mouth(still.points, share)
    return View(composite(still, FlowRenderer([still])(points))[0], points)


def with_mouth(points: Points, share: float) -> Points:
    """Landmarks, (478, 3), with the mouth at a share of its opening: the lower lip and jaw go up."""
    upper, lower = (points[list(lip)].astype(np.float64) for lip in (LIPS_INNER_UPPER, LIPS_INNER_LOWER))
    # Each place moves as the lips above and below it must, to meet all along.
    order = np.argsort(upper[:, 0])
    gaps = (1 - share) * (upper - lower)
    way = np.stack([np.interp(points[:, 0], upper[order, 0], gap) for gap in gaps[order].T], axis=1)
    way[list(LIPS_INNER_UPPER)] = way[list(LIPS_INNER_LOWER)] = gaps
    middle = (upper + lower).mean(axis=0) / 2
    down = points[CHIN] - points[FOREHEAD]
    height = float(np.linalg.norm(down))
    below = (points - middle) @ (down / height) / height
    moved = points + np.clip(below / 0.03 + 0.5, 0, 1)[:, None] * way * 0.75
    moved -= np.clip(0.5 - below / 0.03, 0, 1)[:, None] * np.clip(1 + below / 0.1, 0, 1)[:, None] * way * 0.25
    return moved.astype(np.float32)


class Sampler:
    """Makes the samples of one source."""

    def __init__(self, view: View) -> None:
        self._view, self._renderer = view, FlowRenderer([view])
        self._frame = warp_frame(view.points)
        self._shape = ShapeDrawer(self._frame.points(view.points))

    def sample(self, target: Points, truth: Array) -> Sample:
        """For other landmarks, (478, 3), and the picture, uint8 (h, w, 3), that they are of."""
        warped = composite(self._view, self._renderer(target))[0]
        shape = self._shape(self._frame.points(target))
        gate = np.rint(shape.gate * FULL).astype(np.int8)
        return Sample(self._frame.picture(warped), self._frame.picture(truth), np.dstack([shape.channels, gate]))
