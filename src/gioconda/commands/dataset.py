"""`gioconda dataset`: build one, pack it, unpack it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from gioconda.commands.options import Verbs, add_cluster, add_tracker, number, verb
from gioconda.progress import bar


def add(verbs: Verbs) -> None:
    """Register the command."""
    text = "footage to learn from and to measure with"
    actions = verbs.add_parser("dataset", help=text, description=text).add_subparsers(required=True, metavar="ACTION")
    _add_build(actions)
    pack = verb(actions, "export", _export, "write a dataset as tar shards, in the layout of WebDataset")
    pack.add_argument("data", type=Path, metavar="DATA", help="a dataset folder")
    pack.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new folder for the shards")
    pack.add_argument(
        "--shard-size",
        type=number,
        default=256,
        metavar="MB",
        help="a shard is closed when it has so many (default: 256)",
    )
    back = verb(actions, "unpack", _unpack, "make a dataset folder of such shards")
    back.add_argument("shards", type=Path, metavar="SHARDS", help="the folder that export wrote")
    back.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new folder for the dataset")


def _add_build(actions: Verbs) -> None:
    added = verb(actions, "build", _build, "make a dataset of a folder of videos and pictures")
    added.add_argument("videos", type=Path, metavar="VIDEOS_DIR", help="videos and pictures, in any folders below")
    added.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="the dataset; an unfinished one goes on"
    )
    added.add_argument("--size", type=int, default=256, metavar="PIXELS", help="of shots and stills (default: 256)")
    added.add_argument(
        "--faces", type=int, default=3, metavar="N", help="followed at a time, the largest first (default: 3)"
    )
    added.add_argument(
        "--max-upscale",
        type=number,
        default=2.0,
        metavar="X",
        help="leave out faces that would have to grow more than so many times (default: 2)",
    )
    added.add_argument("--least-frames", type=int, default=16, metavar="N", help="of the shortest shot (default: 16)")
    added.add_argument(
        "--longest", type=number, default=20.0, metavar="SECONDS", help="part longer shots (default: 20)"
    )
    add_tracker(added)
    added.add_argument(
        "--people",
        choices=("folders", "videos"),
        default="folders",
        help="where no list says who it is, one person for each folder in VIDEOS_DIR (default), or for each video",
    )
    added.add_argument(
        "--labels",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="lists of file, person, licence, kind (.csv, .json), beside people.csv and licences.csv in VIDEOS_DIR",
    )
    added.add_argument("--identity-model", type=Path, metavar="FILE.onnx", help="tell people apart with this network")
    added.add_argument(
        "--same-person", type=number, default=0.5, metavar="COSINE", help="from here on it is one person (default: 0.5)"
    )
    added.add_argument("--licence", metavar="TEXT", help="of everything for which no list states one")
    added.add_argument("--only-licence", nargs="+", default=[], metavar="TEXT", help="take what begins like this only")
    added.add_argument(
        "--without-licence", nargs="+", default=[], metavar="TEXT", help="leave out what begins like this"
    )
    added.add_argument(
        "--eval-share", type=number, default=0.1, metavar="SHARE", help="of the people, for evaluation (default: 0.1)"
    )
    added.add_argument("--seed", type=int, default=0, help="of who that is (default: 0)")
    added.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="files at a time (default: one a core)"
    )
    add_cluster(added)


def _build(options: argparse.Namespace) -> None:
    from gioconda.datasets.build import SHEET, Choice, build
    from gioconda.datasets.work import Settings

    summary = build(
        options.videos,
        options.out,
        Settings(
            options.size,
            options.faces,
            options.max_upscale,
            options.least_frames,
            options.longest,
            options.tracker,
        ),
        Choice(
            people=options.people,
            labels=options.labels,
            licence=options.licence,
            only=options.only_licence,
            without=options.without_licence,
            same_person=options.same_person,
            eval_share=options.eval_share,
            seed=options.seed,
        ),
        identity=options.identity_model,
        jobs=options.jobs,
        cluster=options.cluster,
        progress=bar,
    )
    print("\n".join(summary.lines()))
    print(f"{options.out}: look at {options.out / SHEET}")


def _export(options: argparse.Namespace) -> None:
    from gioconda.datasets.shards import export

    names = export(options.data, options.out, round(options.shard_size * 1e6), bar)
    print(f"{options.out}: {len(names)} shards")


def _unpack(options: argparse.Namespace) -> None:
    from gioconda.datasets.shards import unpack

    clips, stills = unpack(options.shards, options.out, bar)
    print(f"{options.out}: {clips} shots, {stills} stills")
