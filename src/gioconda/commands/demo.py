"""`gioconda demo`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, identity, verb
from gioconda.progress import bar


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "demo", _run, "a built-in portrait under three built-in performances")
    added.add_argument("--out", type=Path, default=Path("demo"), metavar="FOLDER", help="default: demo/")


def _run(options: argparse.Namespace) -> None:
    from gioconda.demo import make_demo

    identity()
    for path in make_demo(options.out, progress=bar):
        print(path)
