"""`gioconda animate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, add_movement, add_pictures, drawing, read_portrait, report_gaps, verb
from gioconda.errors import VideoError
from gioconda.progress import bar


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "animate", _run, "a picture and a driver in, a living portrait out")
    add_pictures(added)
    added.add_argument("--driver", required=True, help="a video, a .motion file, or the name of a built-in performance")
    added.add_argument(
        "--out", required=True, help="the clip: .mp4 .mov .webm .webp .gif .apng, or a new folder/ of PNGs"
    )
    add_movement(added)
    added.add_argument(
        "--size", type=int, metavar="PIXELS", help="longer side of the clip (default: the picture's own)"
    )
    added.add_argument("--sound", type=Path, metavar="FILE", help="take the sound from this file, not from the driver")
    added.add_argument("--mute", action="store_true", help="no sound")


def _run(options: argparse.Namespace) -> None:
    from gioconda.drivers import open_driver
    from gioconda.media.clip import check_output
    from gioconda.pipeline import animate

    check_output(options.out)
    if options.sound and not options.sound.is_file():
        raise VideoError(f"{options.sound}: no such file to take the sound from")
    subject = read_portrait(options)
    performance = open_driver(options.driver, start=options.start, end=options.end, progress=bar)
    animation = animate(
        performance=performance,
        size=options.size,
        **drawing(options, subject),
    )
    animation.save(options.out, sound=options.sound or not options.mute, progress=bar)
    width, height = animation.size
    print(f"{options.out}: {len(animation)} frames, {width} x {height}, {animation.fps:g} per second")
    report_gaps(performance)
