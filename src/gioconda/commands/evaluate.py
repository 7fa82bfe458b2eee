"""`gioconda evaluate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gioconda.commands.options import Verbs, add_tracker, verb
from gioconda.errors import UsageError
from gioconda.progress import bar
from gioconda.rendering.renderer import DEFAULT_RENDERER


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "evaluate", _run, "measure how real the clips are, and write a report")
    added.add_argument(
        "data", nargs="?", type=Path, metavar="DATA", help="a dataset folder or a folder of videos (self)"
    )
    added.add_argument("--out", type=Path, required=True, help="folder for the report; with --study the page")
    added.add_argument("--models", type=Path, metavar="DIR", help="folder of the measuring networks")
    added.add_argument(
        "--track",
        choices=("self", "cross"),
        default="self",
        help="self: remake true frames; cross: anyone drives anyone (default: self)",
    )
    added.add_argument(
        "--views", type=int, nargs="+", default=[1], metavar="K", help="pictures of each person (default: 1)"
    )
    added.add_argument(
        "--renderer",
        nargs="+",
        default=[DEFAULT_RENDERER],
        metavar="NAME",
        help=f"measured beside 'still' (default: {DEFAULT_RENDERER})",
    )
    added.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="the network of each renderer that has one, in their order (default: the package's own)",
    )
    added.add_argument("--lpips", type=Path, metavar="FILE", help="measure LPIPS with this network (extra 'learn')")
    added.add_argument("--fid", type=Path, metavar="FILE", help="measure FID with this network (extra 'learn')")
    added.add_argument("--portraits", type=Path, metavar="DIR", help="folder of pictures (cross)")
    added.add_argument("--drivers", type=Path, metavar="DIR", help="folder of videos (cross)")
    added.add_argument(
        "--labels", type=Path, metavar="FILE", help="what the portraits are (default: portraits.jsonl beside them)"
    )
    add_tracker(added)
    size = added.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", dest="size", action="store_const", const="quick", default="default", help="under 2 minutes"
    )
    size.add_argument("--full", dest="size", action="store_const", const="full", help="everything, however long")
    added.add_argument("--seed", type=int, default=0, help="of the intervals and of the study (default: 0)")
    added.add_argument("--jobs", type=int, default=2, metavar="N", help="clips at a time (default: 2)")
    added.add_argument(
        "--study", type=Path, metavar="REPORT", help="make a page that asks people, from a folder of results"
    )


def _run(options: argparse.Namespace) -> None:
    from gioconda.evaluation import command, results, study

    if options.study is not None:
        count = study.write(options.study, options.out, options.seed)
        print(f"{options.out}: {count} triplets; open it in a browser")
        return
    if options.models is None:
        raise UsageError("--models is missing: the folder of the measuring networks")
    run = command.evaluate(
        options.out,
        options.models,
        track=options.track,
        data=options.data,
        portraits=options.portraits,
        drivers=options.drivers,
        labels=options.labels,
        tracker=options.tracker,
        renderer_names=options.renderer,
        weights=options.weights,
        lpips=options.lpips,
        fid=options.fid,
        views=options.views,
        size=options.size,
        seed=options.seed,
        jobs=options.jobs,
        command=results.command_line(),
        progress=bar,
    )
    print(command.summary(options.out, options.track))
    for failure in run.failed:
        print(f"not measured: {failure.clip}: {failure.reason}")
    for warning in run.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{options.out}: report.html, results.json, results.md")
