"""`gioconda portrait`: about the pictures of a portrait."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gioconda.commands.options import Verbs, add_landmarks, add_max_pixels, add_tracker, verb


def add(verbs: Verbs) -> None:
    """Register the command."""
    text = "about the pictures of a portrait"
    parts = verbs.add_parser("portrait", help=text, description=text).add_subparsers(required=True, metavar="WHAT")
    added = verb(parts, "check", _check, "which pictures are of use, and which picture to add next")
    added.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="1 to 32 pictures of one person")
    add_landmarks(added)
    added.add_argument("--json", action="store_true", help="print all that was measured as JSON")
    add_max_pixels(added)
    add_tracker(added)


def _check(options: argparse.Namespace) -> None:
    from gioconda.portrait_check import check
    from gioconda.tracking import tracker_named

    tracker = tracker_named(options.tracker)
    report = check(options.pictures, landmarks=options.landmarks, max_pixels=options.max_pixels, tracker=tracker)
    if options.json:
        print(json.dumps(report.as_json(), indent=1))
        return
    for found in report.pictures:
        if found.problem:
            print(f"{found.path}: no use: {found.problem}")
            continue
        turned = "left" if found.yaw < 0 else "right"
        nods = "down" if found.pitch < 0 else "up"
        shows = [
            f"face {found.face_height:.0f} px high",
            f"blur {found.blur:.2f}",
            f"turned {abs(found.yaw):.0f} degrees {turned}, {abs(found.pitch):.0f} {nods}",
            "teeth seen" if found.shows_teeth else "mouth open" if found.mouth_open else "mouth shut",
            *found.faults,
        ]
        print(f"{found.path}: {'of use' if found.usable else 'no use'}: {'; '.join(shows)}")
    for advice in report.advice:
        print(f"advice: {advice}")
