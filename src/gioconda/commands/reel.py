"""`gioconda reel`."""

from __future__ import annotations

import argparse

from gioconda.commands.options import (
    Verbs,
    add_disclosure,
    add_face,
    add_movement,
    add_pictures,
    disclosure,
    drawing,
    portrait_of,
    read_portrait,
    recording,
    report_left_out,
    verb,
)
from gioconda.errors import UsageError
from gioconda.progress import bar


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "reel", _run, "the picture beside its living portraits, one per driver")
    add_pictures(added)
    add_face(added)
    added.add_argument(
        "--drivers", nargs="+", required=True, metavar="DRIVER", help="as --driver of animate, one or more"
    )
    added.add_argument("--out", required=True, help="the clip, as for animate")
    add_movement(added)
    added.add_argument("--height", type=int, default=480, metavar="PIXELS", help="height of the reel (default: 480)")
    added.add_argument(
        "--sound", type=int, metavar="N", help="hear the voice of driver N, counted from 0 (default: silent)"
    )
    add_disclosure(added)


def _run(options: argparse.Namespace) -> None:
    from gioconda.drivers import open_driver
    from gioconda.media.clip import check_output
    from gioconda.pipeline import Reel
    from gioconda.tracking import tracker_named

    check_output(options.out)
    if options.sound is not None and not 0 <= options.sound < len(options.drivers):
        raise UsageError(f"--sound {options.sound}: the drivers are numbered 0 to {len(options.drivers) - 1}")
    told = disclosure(options)
    tracker = tracker_named(options.tracker)
    subject = read_portrait(options, options.face, tracker)
    how = recording(options, tracker)
    performances = [open_driver(driver, how, progress=bar) for driver in options.drivers]
    reel = Reel.of(
        portrait_of(subject),
        performances,
        height=options.height,
        **drawing(options, subject),
    )
    reel.save(options.out, sound=options.sound, disclosure=told, progress=bar)
    print(f"{options.out}: {len(reel)} frames, {len(performances)} performances")
    report_left_out(options.out, len(reel), reel.fps)
