"""`gioconda train`: a network each."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from gioconda.commands.options import Verbs, number, verb
from gioconda.errors import MissingExtraError
from gioconda.progress import bar

MOST = 2**31 - 1
"""The largest number that an option takes."""


def add(verbs: Verbs) -> None:
    """Register the command."""
    text = "teach a network from footage (needs the extra 'learn')"
    networks = verbs.add_parser("train", help=text, description=text).add_subparsers(required=True, metavar="NETWORK")
    warp = verb(networks, "warp", _train_warp, "how faces change when they move: light, shade and small corrections")
    _add_run(warp)
    warp.add_argument("--samples", type=_count, default=6000, help="pairs to learn from (default: 6000)")
    warp.add_argument("--batch", type=_count, default=8, help="pairs a step (default: 8)")
    warp.add_argument(
        "--steps", type=_count, default=16000, help="after which the learning rate is at its lowest (default: 16000)"
    )
    warp.add_argument("--begin", type=Path, metavar="FILE.onnx", help="a trained network that a new run begins with")

    sketch = verb(networks, "sketch", _train_sketch, "the talking heads of 2019: embedder, generator, discriminator")
    _add_run(sketch)
    sketch.add_argument(
        "--preset",
        choices=("narrow", "medium", "paper"),
        default="narrow",
        help="narrow: 128 pixels, for a processor (default); medium: 256 pixels, for a GPU; paper: as published",
    )
    sketch.add_argument(
        "--steps", type=_count, help="after which the run ends even if there is time left (default: time alone counts)"
    )
    sketch.add_argument(
        "--feed-forward", action="store_true", help="without the match loss: for use without fine-tuning"
    )
    sketch.add_argument(
        "--people", type=number, default=1.0, metavar="SHARE", help="learn from this share of the people (default: 1)"
    )
    sketch.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="learn in so many processes, each of as many people a step (needs the extra 'cluster')",
    )
    sketch.add_argument(
        "--cluster", metavar="ADDRESS", help="of a Ray cluster for the workers (default: this machine alone)"
    )
    sketch.add_argument(
        "--vgg19", type=Path, metavar="FILE", help="weights of a content loss (.safetensors; docs/training.md)"
    )
    sketch.add_argument("--vggface", type=Path, metavar="FILE", help="weights of the other content loss")
    _add_tracker(networks)


def _add_tracker(networks: Verbs) -> None:
    tracker = verb(networks, "tracker", _train_tracker, "a face detector and 478 landmarks, learned from a teacher")
    _add_run(tracker)
    tracker.add_argument(
        "--teacher", type=Path, required=True, metavar="FILE.task", help="MediaPipe Face Landmarker with blendshapes"
    )
    tracker.add_argument(
        "--only", choices=("landmarks", "detector"), help="one network; both share the time 3 to 1 by default"
    )
    tracker.add_argument("--steps", type=_count, default=20000, help="of each network's schedule (default: 20000)")
    tracker.add_argument("--frames", type=_count, default=12000, help="video frames to learn from (default: 12000)")
    tracker.add_argument("--batch", type=_count, default=12, help="faces or canvases a step (default: 12)")


def _count(text: str) -> int:
    """A whole number that all libraries can count to."""
    if not 0 <= (value := int(text)) <= MOST:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {MOST}")
    return value


def _add_run(network: argparse.ArgumentParser) -> None:
    network.add_argument(
        "--data", type=Path, required=True, help="a dataset folder: clips.jsonl, clips/, stills.jsonl, stills/"
    )
    network.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the run; an unfinished one goes on")
    network.add_argument(
        "--minutes", type=number, default=60.0, help="how long to learn, the reading of data apart (default: 60)"
    )
    network.add_argument("--seed", type=_count, default=0)


def _train_warp(options: argparse.Namespace) -> None:
    try:
        from gioconda.learning.export import export_warp
        from gioconda.learning.train_warp import WarpTraining, train_warp
    except ImportError as error:
        raise MissingExtraError("training needs the extra 'learn': pip install 'gioconda[learn]'") from error
    settings = WarpTraining(options.samples, options.batch, options.steps, seed=options.seed)
    train_warp(options.data, options.out, settings, options.minutes, begin=options.begin, progress=bar)
    export_warp(options.out, options.out / "warp.onnx", {"name": "warp", "data": str(options.data.name)})
    print(f"{options.out / 'warp.onnx'} written; curves in {options.out / 'log.jsonl'}")


def _train_sketch(options: argparse.Namespace) -> None:
    try:
        from gioconda.learning.base import export_base
        from gioconda.learning.dataset import trained_on
        from gioconda.learning.meta import PRESETS, ContentWeights, train_sketch
    except ImportError as error:
        raise MissingExtraError("training needs the extra 'learn': pip install 'gioconda[learn]'") from error
    settings = replace(PRESETS[options.preset], share_of_people=options.people, seed=options.seed)
    if options.feed_forward:
        settings = replace(settings, match=0.0)
    content = ContentWeights(options.vgg19, options.vggface)
    if not (options.vgg19 and options.vggface):
        print("no weights for both content losses: pixels and the tracker's features take their place")
    if options.workers is not None or options.cluster:
        from gioconda.learning.cluster import train_sketch_together

        steps = train_sketch_together(
            options.data,
            options.out,
            settings,
            options.minutes,
            workers=1 if options.workers is None else options.workers,
            steps=options.steps,
            address=options.cluster,
            content=content,
        )
    else:
        steps = train_sketch(
            options.data,
            options.out,
            settings,
            options.minutes,
            steps=options.steps,
            content=content,
            progress=bar,
            say=print,
        )
    weights = options.out / "sketch.safetensors"
    card = {"name": "sketch", "data": options.data.name, "trained_on": trained_on(options.data)}
    export_base(options.out, weights, card)
    print(f"{weights} written after {steps} steps; curves in log.jsonl and tensorboard/, pictures in sheets/")


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
