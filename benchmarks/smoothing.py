"""What smoothing costs and what it gives: how far movement lags behind, and how much less it trembles.

    python benchmarks/smoothing.py talk.mp4 still.mp4

Each video is tracked, its movement taken out, and smoothed as it is in the mirror, frame by frame, without looking
ahead, and as it is in clips, both ways. Lag: the shift in time that lays the smoothed curve best over the
unsmoothed one. Tremble: standard deviation of what the curve changes its speed by from frame to frame, over that of the
unsmoothed one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gioconda.capture import take_out_shape
from gioconda.expression import controls
from gioconda.face import CHIN, LIPS_INNER_LOWER
from gioconda.media.video import VideoReader
from gioconda.neutral import estimate_neutral
from gioconda.performance import Motion
from gioconda.smoothing import OneEuroFilter, Tracked, steadied
from gioconda.tracking import default_tracker

SECONDS = 8.0
"""Of each video."""
MOUTH = np.isin(controls(), (CHIN, *LIPS_INNER_LOWER[3:8]))
Curves = dict[str, np.ndarray]


def tracked(video: Path) -> tuple[Motion, np.ndarray]:
    """The unsmoothed movement in a video, with a leading axis of frames, and their times."""
    follow = default_tracker().follow()
    points, times = [], []
    with VideoReader(video, max_side=960) as frames:
        for frame in frames:
            if frame.time > SECONDS:
                break
            face = follow(frame.rgb)
            if face:
                points.append(face.points)
                times.append(frame.time)
    follow.close()
    return take_out_shape(np.stack(points), estimate_neutral(np.stack(points))), np.array(times)


def curves(motion: Motion) -> Curves:
    """What is looked at, a number a frame."""
    return {
        "yaw": motion.angles[:, 0],
        "sideways": motion.shift[:, 0],
        "mouth": motion.offsets[:, MOUTH, 1].mean(axis=1),
        "lids": motion.lids.mean(axis=1),
        "gaze": motion.gaze[:, 0],
    }


def lag(before: np.ndarray, after: np.ndarray) -> float:
    """Frames by which a curve is behind another."""
    frames = np.arange(len(before))
    shifts = np.arange(-1, 8, 0.05)
    errors = [np.square(np.interp(frames + by, frames, after) - before)[10:-10].mean() for by in shifts]
    return float(shifts[int(np.argmin(errors))])


def tremble(curve: np.ndarray) -> float:
    """Standard deviation of its second differences."""
    return float(np.diff(curve, 2).std())


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    print("| video | in | " + " | ".join(("yaw", "sideways", "mouth", "lids", "gaze")) + " |\n|" + "---|" * 7)
    for video in parser.parse_args().videos:
        motion, times = tracked(video)
        seen = [motion.map(lambda part, i=i: part[i]) for i in range(len(times))]
        step = 1000 * float(np.median(np.diff(times)))
        smooth = OneEuroFilter()
        shown = {
            "the mirror": [smooth(time, frame) for time, frame in zip(times, seen, strict=True)],
            "clips": [
                frame.motion
                for frame in steadied(Tracked(time, frame, cut=False) for time, frame in zip(times, seen, strict=True))
            ],
        }
        for where, frames in shown.items():
            after = curves(Motion(*(np.stack([getattr(frame, name) for frame in frames]) for name in vars(motion))))
            cells = [
                f"{lag(curve, after[name]) * step:.0f} ms, {tremble(after[name]) / tremble(curve):.2f}"
                for name, curve in curves(motion).items()
            ]
            print(f"| {video.stem} | {where} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
