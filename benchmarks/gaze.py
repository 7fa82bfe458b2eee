"""How far do the tracker's irises go? Measured against circles that the picture itself shows.

    python benchmarks/gaze.py VIDEO... --out gaze.json
    python benchmarks/gaze.py DATA --split eval --out gaze.json

DATA is a dataset folder. In frames with open eyes, the iris is the circle across which the picture gets whitest
(`gioconda.rendering.iris`), wherever in the eye that is; both are counted in eye widths from the eye's middle. A clip
counts if the eyes move and both agree about when. `share` is how far the tracker goes of the circle's way: the ratio
of the standard deviations. Writes each clip's figures and the median, with its 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gioconda.face import EYES, Points
from gioconda.media.video import VideoReader
from gioconda.neutral import lid_gaps
from gioconda.rendering.iris import find_irises
from gioconda.tracking import default_tracker

Array = np.ndarray[Any, Any]

EVERY = 3
"""A clip's frames of which one is looked at."""
ACROSS = 1.2
"""How far from the tracker's place a circle may be, in radii."""
OPEN = 0.2
"""Gap between the lids, in eye widths, from which an eye shows its iris."""
ENLARGED = 48.0
"""Pixels of an eye's width to which smaller ones are brought: circles are looked for in steps of pixels."""
MOVES, AGREES, LEAST = 0.03, 0.9, 15
"""Standard deviation of the tracker's irises, correlation and frames from which an eye of a clip counts."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path, help="videos, or a dataset folder")
    parser.add_argument("--split", help="of the dataset")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    videos = options.videos
    if options.split:
        (data,) = videos
        rows = [json.loads(line) for line in (data / "clips.jsonl").read_text().splitlines()]
        videos = [data / "clips" / f"{row['id']}.mp4" for row in rows if row["split"] == options.split]
    eyes = []
    for video in videos:
        for side, (tracked, found) in enumerate(places(video)):
            if len(tracked) < LEAST or tracked.std() < MOVES:
                continue
            alike = float(np.corrcoef(tracked, found)[0, 1])
            share = float(tracked.std() / max(found.std(), 1e-6))
            eyes.append({"clip": video.stem, "eye": side, "share": round(share, 3), "alike": round(alike, 3)})
    shares = np.array([eye["share"] for eye in eyes if eye["alike"] >= AGREES])
    drawn = np.random.default_rng(0).choice(shares, (2000, len(shares)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    result = {
        "clips": len(videos),
        "eyes_that_move": len(eyes),
        "eyes_that_count": len(shares),
        "share": round(float(np.median(shares)), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
    }
    options.out.write_text(json.dumps({**result, "eyes": eyes}, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def places(video: Path) -> list[tuple[Array, Array]]:
    """Of both eyes, sideways in eye widths, frame by frame: the tracker's iris and the circle's, (n,) each."""
    follow = default_tracker().follow()
    seen: list[list[tuple[float, float]]] = [[] for _ in EYES]
    with VideoReader(video) as reader:
        for number, frame in enumerate(reader):
            face = follow(frame.rgb)
            if face is None or number % EVERY or (lid_gaps(face.points[:, :2]) < OPEN).any():
                continue
            for each, place in zip(seen, _places(frame.rgb, face.points), strict=True):
                each.extend(place)
    follow.close()
    tables = [np.array(each).reshape(-1, 2) for each in seen]
    return [(table[:, 0], table[:, 1]) for table in tables]


def _places(rgb: Array, points: Points) -> list[list[tuple[float, float]]]:
    """Of each eye, the tracker's place and the circle's; none where the picture shows no circle."""
    width = min(float(np.linalg.norm(np.subtract(*points[list(eye.corners), :2]))) for eye in EYES)
    factor = max(1.0, ENLARGED / width)
    points = np.column_stack([(points[:, :2] + 0.5) * factor - 0.5, points[:, 2] * factor])
    if factor > 1:
        rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    both: list[list[tuple[float, float]]] = []
    for eye, iris in zip(EYES, find_irises(rgb, points, ACROSS), strict=True):
        left, right = points[list(eye.corners), :2]
        tracked, ring = points[eye.iris[0], :2], points[list(eye.iris[1:]), :2]
        radius = float(np.linalg.norm(ring - tracked, axis=1).mean())
        along, middle = (right - left) / np.square(right - left).sum(), (left + right) / 2
        none = np.array_equal(iris.centre, tracked) and np.isclose(iris.radius, radius)
        both.append([] if none else [(float((tracked - middle) @ along), float((iris.centre - middle) @ along))])
    return both


if __name__ == "__main__":
    main()
