"""How true is the inside of a mouth that a renderer opened? Against the person's own, in frames of the same shot.

    python benchmarks/inside.py DATA --out inside.json [--shots 240] [--renderer warp]

DATA is a dataset folder (its split `train`, so that renderers may be tuned by it). The portrait is the frame with the
lips shut, the truths are up to five with the mouth well open. Inside the lips alone: the mean absolute difference, and
how much too bright each quarter is from the upper lip to the lower, all in 8-bit levels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gioconda.evaluation.bootstrap import pooled
from gioconda.face import MOUTH_OUTLINE, Points, eye_distance
from gioconda.learning.dataset import usable_shots
from gioconda.neutral import mouth_gap
from gioconda.portrait import View
from gioconda.rendering import composite, make_renderer
from gioconda.rendering.renderer import DEFAULT_RENDERER

SHUT, OPEN = 0.06, 0.14
"""Gaps between the lips, in eye distances: at most of a portrait, at least of a truth."""
EACH = 5
LEAST_PIXELS = 20


def inside(points: Points, height: int, width: int) -> np.ndarray:
    """Where the inner lips are apart, bool (height, width), without their edge."""
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(points[list(MOUTH_OUTLINE), :2]).astype(np.int32)], (1,))
    return np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8))) > 0


def quarters(mask: np.ndarray) -> np.ndarray:
    """0 under the upper lip to 3 above the lower one, for each pixel of a mask, in its order."""
    y, x = np.nonzero(mask)
    top = np.argmax(mask, axis=0)[x]
    below = mask.shape[0] - 1 - np.argmax(mask[::-1], axis=0)[x]
    return np.minimum(4 * (y - top) // np.maximum(below - top, 1), 3)


def measure(frames: np.ndarray, points: Points, renderer: str) -> list[list[float]]:
    """For each truth of a shot its error, then the excess of brightness in the four quarters."""
    gaps = mouth_gap(points) / eye_distance(points)
    rest = int(np.argmin(gaps))
    wide = np.flatnonzero(gaps > max(OPEN, float(np.percentile(gaps, 85))))
    if gaps[rest] > SHUT or len(wide) < 3:
        return []
    view = View(frames[rest], points[rest])
    render, rows = make_renderer(renderer, (view,)), []
    for index in np.unique(wide[np.linspace(0, len(wide) - 1, EACH).astype(int)]):
        mask = inside(points[index], *frames.shape[1:3])
        if mask.sum() >= LEAST_PIXELS:
            off = composite(view, render(points[index]))[0][mask].astype(float) - frames[index][mask]
            part = quarters(mask)
            rows.append([float(np.abs(off).mean()), *(float(off[part == q].mean()) for q in range(4))])
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--shots", type=int, default=240)
    parser.add_argument("--renderer", default=DEFAULT_RENDERER)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    shots = [shot for shot in usable_shots(options.data) if len(shot.points) >= 40]
    rows = []
    for shot in shots[:: max(1, len(shots) // options.shots)]:
        every = shot.frames(np.arange(len(shot.points)))
        if found := measure(every, shot.points, options.renderer):
            rows.append(np.nanmean(found, axis=0))
    names = ["error", *(f"too bright, quarter {q + 1}" for q in range(4))]
    figures = {
        name: pooled(list(values), [1.0] * len(rows), "mean", 0)
        for name, values in zip(names, np.transpose(rows), strict=True)
    }
    options.out.write_text(json.dumps({name: vars(figure) for name, figure in figures.items()}, indent=1))
    for name, figure in figures.items():
        print(f"{name}: {figure.value:.1f} [{figure.low:.1f}, {figure.high:.1f}], {len(rows)} shots")


if __name__ == "__main__":
    main()
