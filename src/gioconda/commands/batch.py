"""`gioconda batch`."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gioconda.commands.options import (
    Verbs,
    add_cluster,
    add_disclosure,
    add_max_pixels,
    add_movement,
    add_size,
    add_tracker,
    disclosure,
    drawing,
    verb,
)
from gioconda.progress import bar, say

if TYPE_CHECKING:
    from gioconda.batch import Outcome

SOME_FAILED = 3
"""Exit code when clips are missing in the end."""


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "batch", _run, "every portrait under every driver")
    added.add_argument("portraits", type=Path, metavar="PORTRAITS", help="a folder of pictures")
    added.add_argument(
        "drivers",
        nargs="+",
        metavar="DRIVERS",
        help="folders of videos, photographs and .motion files, single ones, or built-in performances",
    )
    added.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the clips; what is there is kept")
    added.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at a time (default: 1)")
    add_cluster(added)
    added.add_argument("--format", default=".mp4", metavar="ENDING", help="of the clips (default: .mp4)")
    add_movement(added)
    add_size(added)
    add_max_pixels(added)
    add_tracker(added)
    added.add_argument("--mute", action="store_true", help="no sound")
    add_disclosure(added)


def _run(options: argparse.Namespace) -> int:
    from gioconda.batch import Drawing, drivers_in, plan, portraits_in, run_batch
    from gioconda.tracking import tracker_named

    # What is wrong with all clips is said once, not of each.
    tracker_named(options.tracker)
    told = disclosure(options)
    shown = Drawing(
        **drawing(options),
        size=options.size,
        start=options.start,
        end=options.end,
        mute=options.mute,
        max_pixels=options.max_pixels,
        tracker=options.tracker,
        label=told.label,
        consent=told.consent,
        certificate=options.certificate,
        key=options.key,
    )
    works = plan(portraits_in(options.portraits), drivers_in(options.drivers), options.out, shown, options.format)
    outcomes = run_batch(
        works,
        jobs=options.jobs,
        cluster=options.cluster,
        progress=partial(bar, unit="clips"),
        told=lambda o: say(_line(o)),
    )
    count = {state: sum(o.state == state for o in outcomes) for state in ("done", "kept", "failed")}
    print(f"{options.out}: {count['done']} done, {count['kept']} kept, {count['failed']} failed; see summary.json")
    return SOME_FAILED if count["failed"] else 0


def _line(outcome: Outcome) -> str:
    if outcome.state == "failed":
        return f"failed  {outcome.clip}  [{outcome.error}]: {outcome.reason}"
    return f"{outcome.state:6}  {outcome.clip}  {outcome.frames} frames, {outcome.seconds:g} s"
