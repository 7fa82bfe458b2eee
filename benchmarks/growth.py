"""Does memory grow with the driver's length, and time with the number of views? One JSON file and two tables.

    python benchmarks/growth.py --driver talk.mp4 --out growth.json [--lengths 10 60 1200] [--views 1 8 32]

The real command runs in a process of its own, on one core unless told otherwise. A driver of the wanted length is made
by playing the given one forwards and backwards over and over, so that there are no cuts in it; a low frame rate makes
a long one bearable. The views of the portrait are frames of the driver itself. Compare ratios within one run, not times
between runs. The renderers measured so far run on the CPU; a GPU is noted, not used.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gioconda.media.clip import ClipWriter
from gioconda.media.pictures import write_png
from gioconda.media.video import VideoReader
from gioconda.rendering.renderer import DEFAULT_RENDERER
from speed import Painter, machine, measured, per_frame

SIDE = 640
"""Longest side, in pixels, of the driver that is played over and over."""
TAKE = 10.0
"""Seconds of it that are played."""


def frames_of(driver: Path, rate: float) -> tuple[list[np.ndarray], float]:
    """The driver's start thinned to about a rate, and its frames per second."""
    with VideoReader(driver, max_side=SIDE) as video:
        step = max(1, round(video.fps / rate))
        start = itertools.takewhile(lambda frame: frame.time < TAKE, video)
        return [frame.rgb for frame in itertools.islice(start, None, None, step)], video.fps / step


def forth_and_back(frames: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """The frames without end."""
    return itertools.cycle([*frames, *frames[-2:0:-1]])


def lengthened(frames: Sequence[np.ndarray], fps: float, seconds: float, path: Path) -> Path:
    """A video of a length."""
    height, width = frames[0].shape[:2]
    with ClipWriter(path, width, height, fps) as writer:
        for rgb in itertools.islice(forth_and_back(frames), max(1, round(seconds * fps))):
            writer.write(rgb)
    return path


def animated(
    pictures: Sequence[Path], driver: Path, frames: int, size: int, painter: Painter, cores: int
) -> dict[str, Any]:
    """Time and peak memory of the real command."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gioconda.cli", "animate", *map(str, pictures), "--driver", str(driver)]
        command += ["--size", str(size), *painter.options, "--mute", "--out", f"{folder}/clip.mp4"]
        return per_frame(measured(command, cores), frames)


def accelerator() -> str:
    """What GPU there is, in words."""
    if shutil.which("nvidia-smi") is None:
        return "none"
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip() or "none"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lengths", type=float, nargs="+", default=[10, 60, 1200], metavar="SECONDS")
    parser.add_argument("--views", type=int, nargs="+", default=[1, 8, 32], metavar="K")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument(
        "--fps", type=float, default=60.0, help="the driver is thinned to about this (default: its own)"
    )
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--renderer", default=DEFAULT_RENDERER)
    parser.add_argument("--weights", type=Path, help="the renderer's network, where it has one")
    options = parser.parse_args()
    frames, fps = frames_of(options.driver, options.fps)
    how = (options.size, Painter(options.renderer, options.weights), options.cores)
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for number, index in enumerate(np.linspace(0, len(frames) - 1, max(options.views)).round().astype(int)):
            pictures.append(Path(folder) / f"view{number:02d}.png")
            write_png(pictures[-1], frames[index])
        by_length = []
        for seconds in options.lengths:
            video = lengthened(frames, fps, seconds, Path(folder) / "driver.mp4")
            row = animated(pictures[:1], video, round(seconds * fps), *how)
            by_length.append({"driver_seconds": seconds, **row})
        video = lengthened(frames, fps, options.lengths[0], Path(folder) / "driver.mp4")
        by_views = []
        for views in options.views:
            row = animated(pictures[:views], video, round(options.lengths[0] * fps), *how)
            by_views.append({"views": views, **row})
    about = {"machine": machine() | {"gpu": accelerator()}, "driver_fps": round(fps, 3)}
    about |= {"size": options.size, "renderer": options.renderer, "cores": options.cores}
    options.out.write_text(json.dumps(about | {"by_length": by_length, "by_views": by_views}, indent=2) + "\n")
    for title, key, rows in (("driver, s", "driver_seconds", by_length), ("views", "views", by_views)):
        print(f"\n| {title} | frames per second | CPU seconds a frame | peak memory |\n|---|---|---|---|")
        for row in rows:
            figures = f"{row['frames_per_second']} | {row['cpu_seconds_per_frame']} | {row['peak_mb']} MB"
            print(f"| {row[key]:g} | {figures} |")


if __name__ == "__main__":
    main()
