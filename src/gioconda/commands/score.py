"""`gioconda score`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, number, verb


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "score", _run, "grade one clip")
    added.add_argument("clip", type=Path)
    added.add_argument("--portrait", type=Path, required=True, help="the picture it was made from")
    added.add_argument("--driver", type=Path, required=True, help="the video that drove it")
    added.add_argument("--models", type=Path, required=True, metavar="DIR", help="folder of the measuring networks")
    added.add_argument(
        "--start", type=number, default=0.0, metavar="SECONDS", help="second of the driver at which the clip begins"
    )
    added.add_argument("--out", type=Path, metavar="FILE.json", help="write the grades there too")


def _run(options: argparse.Namespace) -> None:
    from gioconda.evaluation import scoring

    grades = scoring.score(options.clip, options.portrait, options.driver, options.models, options.start)
    print(scoring.table(grades))
    if options.out:
        given = {name: str(getattr(options, name)) for name in ("clip", "portrait", "driver")}
        scoring.write(options.out, grades, options.models, given)
        print(options.out)
