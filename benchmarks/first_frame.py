"""How long until the first frame is encoded, and how much memory a picture of 100 megapixels takes.

    python benchmarks/first_frame.py --picture portrait.jpg --driver orator [--runs 5] [--large 10000] [--skip-large]

The picture is resized to 512 pixels for the one and enlarged to 10000 x 10000, or what `--large` says, for the
other. Each measurement is a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image

FIRST = """
import sys, time
from gioconda import Portrait, animate
from gioconda.drivers import open_driver
from gioconda.media.clip import ClipWriter

picture, driver, out, began = sys.argv[1:]
animation = animate(Portrait.from_pictures([picture]), open_driver(driver))
with ClipWriter(out, *animation.size, animation.fps) as clip:
    frame = next(animation.frames())
    clip.write(frame.rgb, frame.alpha)
    print(time.time() - float(began))
"""


def first_frame(picture: Path, driver: str) -> float:
    """Seconds from the start of Python until the encoder has the first frame."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", FIRST, str(picture), driver, f"{folder}/clip.mp4", str(time.time())]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def peak(picture: Path, driver: str, *options: str) -> tuple[int, float]:
    """Megabytes at most, and seconds, of `gioconda animate` with a fifth of a second of a driver."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gioconda.cli", "animate", str(picture), "--driver", driver]
        command += ["--start", "2", "--end", "2.2", "--out", f"{folder}/clip.mp4", *options]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit("the command failed: " + " ".join(command))
        return usage.ru_maxrss // 1024, time.perf_counter() - began


def resize(picture: Path, path: Path, side: int) -> None:
    """Write a picture as a square of some pixels a side."""
    square = Image.open(picture).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    square.save(path, quality=90)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--driver", default="orator", help="as for animate (default: orator)")
    parser.add_argument("--runs", type=int, default=5, help="of the first frame (default: 5)")
    parser.add_argument("--large", type=int, default=10_000, help="pixels a side of the large one (default: 10000)")
    parser.add_argument("--skip-large", action="store_true", help="the first frame only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.png", Path(folder) / "large.jpg"
        resize(options.picture, small, 512)
        taken = sorted(first_frame(small, options.driver) for _ in range(options.runs))
        print(f"first frame of a picture of 512 pixels: {median(taken):.2f} s ({taken[0]:.2f} to {taken[-1]:.2f})")
        if options.skip_large:
            return
        side = options.large
        # Not here: a process's own peak is the least that the system says of those it starts.
        maker = multiprocessing.Process(target=resize, args=(options.picture, large, side))
        maker.start()
        maker.join()
        for size in (("--size", "768"), ()):
            megabytes, seconds = peak(large, options.driver, *size)
            print(f"{side} x {side} pixels {' '.join(size)}: {megabytes} MB, {seconds:.0f} s")


if __name__ == "__main__":
    main()
