"""Close-ups to look at: mouths and eyes of several portraits in the driver's extreme moments, and turned heads.

    python benchmarks/closeups.py PICTURE... --driver talk.mp4 --out FOLDER [--renderer warp]

A row is a portrait, at rest on the left. Mouths: a little open, half open, broadest, widest, most turned. Eyes: widest,
half shut, shut, looking to the picture's right and left. Heads: turned far and less far to either side, whatever the
driver does. No figure replaces looking at these at full size.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from gioconda import Gains, Motion, Performance, Portrait
from gioconda.drivers import open_driver
from gioconda.face import EYES, LIPS, MOUTH_OUTLINE, NOSE_TIP, Points, eye_distance, face_model
from gioconda.media.pictures import write_png
from gioconda.neutral import mouth_gap
from gioconda.rendering import composite, make_renderer
from gioconda.rendering.renderer import DEFAULT_RENDERER
from gioconda.retarget import Sitter, retarget

REACH = {"mouths": (0.75, 0.75), "eyes": (1.0, 0.5), "heads": (1.9, 1.9)}
"""Half the width and height of what a tile shows, in eye distances."""
TILE = {"mouths": 300, "eyes": 400, "heads": 400}
"""Width of a tile in pixels."""
MIDDLE = {"mouths": LIPS, "eyes": tuple(i for eye in EYES for i in eye.corners), "heads": (NOSE_TIP,)}
"""Landmarks in the middle of a tile."""
TURNS = (-40.0, -20.0, 20.0, 40.0)
"""Degrees of the heads."""
MOST = 200.0
"""Pixels between the eyes: a larger picture is made smaller, for a tile shows no more."""


def movements(performance: Performance) -> dict[str, list[Motion]]:
    """What each sheet shows."""
    still = Motion.neutral()
    heads = [replace(still, angles=np.array([turn, 0, 0], np.float32)) for turn in TURNS]
    frames = moments(performance)
    return {**{what: [at(performance, frame) for frame in numbers] for what, numbers in frames.items()}, "heads": heads}


def moments(performance: Performance) -> dict[str, list[int]]:
    """The frames of a performance that show most of mouth and eyes."""
    motion = performance.motion
    plain = Sitter.of(face_model().shape * 60 + 200, 400, 400)
    shapes = np.stack([retarget(plain, at(performance, i), Gains(head=0)) for i in range(len(performance))])
    gap = mouth_gap(shapes)
    broad = np.linalg.norm(shapes[:, MOUTH_OUTLINE[0]] - shapes[:, MOUTH_OUTLINE[10]], axis=1)
    open_enough = gap > np.percentile(gap, 40)
    lids, look, turn = motion.lids.mean(axis=1), motion.gaze[:, 0], np.abs(motion.angles[:, 0])

    def nearest(values: np.ndarray, wanted: float) -> int:
        return int(np.argmin(np.abs(values - wanted)))

    return {
        "mouths": [
            nearest(gap, float(np.percentile(gap, 70))),
            nearest(gap, float(np.percentile(gap, 90))),
            int(np.argmax(np.where(open_enough, broad, 0))),
            int(np.argmax(gap)),
            int(np.argmax(np.where(open_enough, turn, -1))),
        ],
        "eyes": [
            int(np.argmax(lids)),
            nearest(lids, 0.5),
            int(np.argmin(lids)),
            int(np.argmax(look)),
            int(np.argmin(look)),
        ],
    }


def at(performance: Performance, frame: int) -> Motion:
    """One frame's movement."""
    return performance.motion.map(lambda values: values[frame])


def row(picture: Path, shown: dict[str, list[Motion]], renderer: str) -> dict[str, np.ndarray]:
    """One portrait's tiles, side by side, for each sheet."""
    view = Portrait.from_pictures([picture]).views[0]
    longest = max(view.rgb.shape[:2])
    view = view.resized(int(longest * min(1.0, MOST / float(eye_distance(view.points)))))
    height, width = view.rgb.shape[:2]
    sitter, render = Sitter.of(view.points, width, height), make_renderer(renderer, (view,))
    unit = float(eye_distance(view.points))
    rows = {}
    for what, motions in shown.items():
        tiles = [tile(view.rgb, view.points, unit, what)]
        for motion in motions:
            target = retarget(sitter, motion, Gains())
            tiles.append(tile(composite(view, render(target))[0], target, unit, what))
        rows[what] = np.hstack(tiles)
    return rows


def tile(rgb: np.ndarray, points: Points, unit: float, what: str) -> np.ndarray:
    """What a sheet shows of a picture whose landmarks lie there; `unit`: its eye distance."""
    middle = points[list(MIDDLE[what]), :2].mean(axis=0)
    across, down = (reach * unit for reach in REACH[what])
    scale = TILE[what] / (2 * across)
    onto = scale * np.array([[1, 0, across - middle[0]], [0, 1, down - middle[1]]])
    size = TILE[what], round(TILE[what] * down / across)
    return np.asarray(cv2.warpAffine(rgb, onto, size, flags=cv2.INTER_CUBIC), np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--driver", default="dramatic", help="a video, a .motion file, or a built-in performance")
    parser.add_argument("--renderer", default=DEFAULT_RENDERER)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    shown = movements(open_driver(options.driver))
    rows = [row(picture, shown, options.renderer) for picture in options.pictures]
    for what in shown:
        write_png(options.out / f"{what}.png", np.vstack([tiles[what] for tiles in rows]))
        print(options.out / f"{what}.png")


if __name__ == "__main__":
    main()
