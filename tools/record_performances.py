"""Record the built-in performances from videos of three people.

    python tools/record_performances.py FOLDER

FOLDER holds the videos named below. Only the movement is kept: no picture and no sound of anybody.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from gioconda import Performance
from gioconda.progress import bar

OUT = Path(__file__).parents[1] / "src/gioconda/data/performances"
PARTS = {
    # name: video, from second, to second
    "dramatic": ("woman_expressive.mp4", 2.0, 9.0),
    "orator": ("speech_50s.mp4", 13.0, 20.0),
    "playful": ("woman_talking.mp4", 0.0, 7.0),
}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, (video, start, end) in PARTS.items():
        # Recorded whole, so that the relaxed face is known from all of it, then cut.
        whole = Performance.from_video(folder / video, progress=bar)
        part = whole.trimmed(start, end)
        part = replace(part, times=part.times - part.times[0], source=None)
        part.save(OUT / f"{name}.motion")
        print(f"{name}: {len(part)} frames, {(OUT / f'{name}.motion').stat().st_size} bytes")


if __name__ == "__main__":
    main()
