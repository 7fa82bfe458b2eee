"""Samples for the `warp` network: what the warp makes of one frame, and what another frame really shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.face import CHIN, FOREHEAD, LIPS_INNER_LOWER, LIPS_INNER_UPPER, Points, eye_distance
from gioconda.learning.dataset import Shot, training_shots, training_stills
from gioconda.neutral import lid_gaps, mouth_gap
from gioconda.portrait import View
from gioconda.rendering.clues import WINDOWS, draw_clues, draw_gates, warp_frame, window_corner
from gioconda.rendering.composite import composite
from gioconda.rendering.flow import FlowRenderer
from gioconda.rendering.head import Head
from gioconda.rendering.warp import moved_with_head

Array = NDArray[Any]

TARGETS_A_SOURCE = 6
"""Frames rendered from one source frame: making a renderer costs as much as a few frames."""


@dataclass(frozen=True)
class Sample:
    """Windows of one pair, by kind ('mouth', 'eyes'): uint8 (h, w, 14): clues (10), gate (1), truth (3)."""

    windows: dict[str, Array]


def make_samples(folder: Path, seed: int) -> Iterator[Sample]:
    """Endless samples from a dataset folder: every person equally often, one in four from a still.

    Half of the sources are frames with a rather closed mouth, as portraits are; half of the targets
    are frames that show much of a mouth's inside, or shut eyes.
    """
    random = np.random.default_rng(seed)
    people: dict[str, list[Shot]] = {}
    for shot in training_shots(folder):
        people.setdefault(shot.person, []).append(shot)
    names = sorted(people)
    stills = list(training_stills(folder, 0.12))
    while True:
        if stills and random.random() < 0.25:
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
    targets = [
        int(random.choice(busy[: max(1, len(busy) // 3)]) if random.random() < 0.5 else random.integers(len(points)))
        for _ in range(TARGETS_A_SOURCE)
    ]
    numbers = np.unique([source, *targets])
    frames = dict(zip(numbers.tolist(), shot.frames(numbers), strict=False))
    if source not in frames:
        return
    view = View(np.ascontiguousarray(frames[source]), points[source])
    renderer = FlowRenderer([view])
    for target in targets:
        if target in frames and target != source:
            yield _sample(view, renderer, points[target], frames[target])


def _still_samples(rgb: Array, points: Points, random: np.random.Generator) -> Iterator[Sample]:
    """A still with its mouth shut by the warp, opened again: the still itself is the truth."""
    still = View(rgb, points)
    for share in random.uniform(0.0, 0.5, 2):
        shut = with_mouth(points, float(share))
        view = View(composite(still, FlowRenderer([still])(shut))[0], shut)
        yield _sample(view, FlowRenderer([view]), points, rgb)


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


def _sample(view: View, renderer: FlowRenderer, target: Points, truth: Array) -> Sample:
    frame = warp_frame(view.points)
    warped = composite(view, renderer(target))[0]
    source, placed = frame.points(view.points), frame.points(target)
    depth = float(source[list(LIPS_INNER_UPPER), 2].mean())
    moved = moved_with_head(frame.picture(view.rgb), Head(source), placed, depth)
    clues = draw_clues(frame.picture(warped), moved, placed)
    shown = frame.picture(truth)
    windows = {}
    for kind, gate in draw_gates(source, placed).items():
        left, top = window_corner(kind, placed)
        width, height = WINDOWS[kind]
        whole = np.dstack([clues, np.rint(255 * gate).astype(np.uint8), shown])
        windows[kind] = whole[top : top + height, left : left + width].copy()
    return Sample(windows)
