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
    _add_tracker(networks)


def _add_tracker(networks: Verbs) -> None:
    tracker = verb(networks, "tracker", _train_tracker, "a face detector and 478 landmarks, learned from a teacher")
    tracker.add_argument("--data", type=Path, required=True, help="a dataset folder, as for warp")
    tracker.add_argument(
        "--teacher", type=Path, required=True, metavar="FILE.task", help="MediaPipe Face Landmarker with blendshapes"
    )
    tracker.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the run; an unfinished one goes on")
    tracker.add_argument(
        "--minutes", type=float, default=60.0, help="how long to learn, the reading of faces apart (default: 60)"
    )
    tracker.add_argument(
        "--only", choices=("landmarks", "detector"), help="one network; both share the time 3 to 1 by default"
    )
    tracker.add_argument("--steps", type=int, default=20000, help="of each network's schedule (default: 20000)")
    tracker.add_argument("--frames", type=int, default=12000, help="video frames to learn from (default: 12000)")
    tracker.add_argument("--batch", type=int, default=12, help="faces or canvases a step (default: 12)")
    tracker.add_argument("--seed", type=int, default=0)


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


def _train_tracker(options: argparse.Namespace) -> None:
    try:
        from gioconda.learning.tracker.export import export_tracker
        from gioconda.learning.tracker.train import TrackerTraining, train_tracker
    except ImportError as error:
        raise MissingExtraError("training needs the extra 'learn': pip install 'gioconda[learn]'") from error
    settings = TrackerTraining(steps=options.steps, frames=options.frames, batch=options.batch, seed=options.seed)
    parts = (options.only,) if options.only else ("landmarks", "detector")
    faces = train_tracker(options.data, options.teacher, options.out, settings, options.minutes, parts, progress=bar)
    export_tracker(options.out, faces)
    print(f"networks, curves, sample sheets and the card tracker.json are in {options.out}")
