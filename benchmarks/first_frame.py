"""How long until the first frame is encoded, and how much memory a picture of 100 megapixels takes.

    python benchmarks/first_frame.py --picture portrait.jpg --driver orator [--skip-large]

The picture is resized to 512 pixels for the one and enlarged to 10000 x 10000 for the other. Each
measurement is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--driver", default="orator", help="as for animate (default: orator)")
    parser.add_argument("--skip-large", action="store_true", help="the first frame only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        picture = Image.open(options.picture).convert("RGB")
        small, large = Path(folder) / "small.png", Path(folder) / "large.jpg"
        picture.resize((512, 512), Image.Resampling.LANCZOS).save(small)
        taken = sorted(first_frame(small, options.driver) for _ in range(5))
        print(f"first frame of a picture of 512 pixels: {taken[2]:.2f} s ({taken[0]:.2f} to {taken[-1]:.2f})")
        if options.skip_large:
            return
        picture.resize((10_000, 10_000), Image.Resampling.BICUBIC).save(large, quality=90)
        for size in (("--size", "768"), ()):
            megabytes, seconds = peak(large, options.driver, *size)
            print(f"10000 x 10000 pixels {' '.join(size)}: {megabytes} MB, {seconds:.0f} s")


if __name__ == "__main__":
    main()
