"""`gioconda personalize`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, add_pictures, number, portrait_of, read_portrait, verb
from gioconda.errors import MissingExtraError
from gioconda.progress import bar
from gioconda.rendering.renderer import DEFAULT_RENDERER


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "personalize", _run, "fine-tune a renderer to one person (needs the extra 'learn')")
    add_pictures(added)
    added.add_argument("--out", type=Path, required=True, metavar="FILE.avatar", help="where to keep the avatar")
    added.add_argument(
        "--renderer", choices=("warp", "sketch"), default=DEFAULT_RENDERER, help="what is fine-tuned (default: warp)"
    )
    added.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="the network to begin with: a run's warp.onnx or sketch.safetensors (default: the package's own)",
    )
    added.add_argument(
        "--fidelity",
        type=number,
        default=1.0,
        metavar="F",
        help="0: no fine-tuning, liveliest; 1: as much as helps (default); up to 3: closer to the pictures",
    )
    added.add_argument("--consent", default="", metavar="NOTE", help="whose pictures these are and what they agreed to")


def _run(options: argparse.Namespace) -> None:
    from gioconda.avatar import check_avatar_path
    from gioconda.tracking import tracker_named

    check_avatar_path(options.out)
    try:
        from gioconda.learning.personalize import personalize
    except ImportError as error:
        raise MissingExtraError("personalising needs the extra 'learn': pip install 'gioconda[learn]'") from error
    portrait = portrait_of(read_portrait(options, None, tracker_named(options.tracker)))
    avatar = personalize(
        portrait,
        options.weights,
        renderer=options.renderer,
        fidelity=options.fidelity,
        consent=options.consent,
        progress=bar,
    )
    avatar.save(options.out)
    print(f"{options.out}: {len(avatar.portrait.views)} pictures, {avatar.about.steps} steps of fine-tuning")
    if options.fidelity and not avatar.about.steps:
        print("nothing was learned from them: the network knew all they show, or, of warp, they are fewer than three")
