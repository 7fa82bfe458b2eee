"""`gioconda capture`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, add_max_pixels, add_span, add_tracker, recording, report_gaps, verb
from gioconda.progress import bar


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "capture", _run, "record a performance once, use it many times")
    added.add_argument("driver", help="a video or a photograph of somebody's face, or camera:0")
    added.add_argument("--out", type=Path, required=True, help="where to keep it; ends in .motion")
    add_span(added)
    add_max_pixels(added)
    add_tracker(added)


def _run(options: argparse.Namespace) -> None:
    from gioconda.drivers import record_driver
    from gioconda.motion_file import check_motion_path
    from gioconda.tracking import tracker_named

    check_motion_path(options.out)
    how = recording(options, tracker_named(options.tracker))
    performance = record_driver(options.driver, how, progress=bar)
    performance.save(options.out)
    print(f"{options.out}: {len(performance)} frames, {performance.duration:.2f} s, {options.out.stat().st_size} bytes")
    report_gaps(performance)
