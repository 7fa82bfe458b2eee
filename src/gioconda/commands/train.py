"""`gioconda train`: a network each."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, verb
from gioconda.errors import MissingExtraError
from gioconda.progress import bar


def add(verbs: Verbs) -> None:
    """Register the command."""
    text = "teach a network from footage (needs the extra 'learn')"
    networks = verbs.add_parser("train", help=text, description=text).add_subparsers(required=True, metavar="NETWORK")
    warp = verb(networks, "warp", _train_warp, "the painter of mouths and eyes")
    warp.add_argument(
        "--data", type=Path, required=True, help="a dataset folder: clips.jsonl, clips/, stills.jsonl, stills/"
    )
    warp.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the run; an unfinished one goes on")
    warp.add_argument(
        "--minutes", type=float, default=60.0, help="how long to learn, the making of pairs apart (default: 60)"
    )
    warp.add_argument("--samples", type=int, default=6000, help="pairs to learn from (default: 6000)")
    warp.add_argument("--batch", type=int, default=16, help="windows a step (default: 16)")
    warp.add_argument("--seed", type=int, default=0)


def _train_warp(options: argparse.Namespace) -> None:
    try:
        from gioconda.learning.export import export_warp
        from gioconda.learning.train_warp import WarpTraining, train_warp
    except ImportError as error:
        raise MissingExtraError("training needs the extra 'learn': pip install 'gioconda[learn]'") from error
    settings = WarpTraining(samples=options.samples, batch=options.batch, seed=options.seed)
    train_warp(options.data, options.out, settings, options.minutes, progress=bar)
    export_warp(options.out, options.out / "warp.onnx", {"name": "warp", "data": str(options.data.name)})
    print(f"{options.out / 'warp.onnx'} written; curves in {options.out / 'log.jsonl'}")
