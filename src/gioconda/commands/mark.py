"""`gioconda mark`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from gioconda.commands.options import Verbs, add_max_pixels, add_tracker, verb

if TYPE_CHECKING:
    from gioconda.marks import Marks
    from gioconda.media.pictures import Picture

OPEN = 0.04
"""Lip gap over eye distance of a found face from which its lips are not taken to be closed."""


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "mark", _run, "show by a few clicks where a face is, when it is not found or found wrongly")
    added.add_argument("picture", type=Path, metavar="PICTURE")
    added.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="the marks, for --landmarks")
    added.add_argument("--landmarks", type=Path, metavar="FILE.json", help="marks to begin with")
    added.add_argument("--no-browser", action="store_true", help="print the page's address only")
    add_max_pixels(added)
    add_tracker(added)


def _run(options: argparse.Namespace) -> None:
    import webbrowser

    from gioconda.errors import OutputError
    from gioconda.marking.server import MarkingServer
    from gioconda.marks import MarkedFace, write_marks
    from gioconda.media.pictures import read_picture

    if options.out.suffix != ".json":
        raise OutputError(f"{options.out}: marks are kept in JSON; let the name end in .json")
    if not options.out.parent.is_dir():
        raise OutputError(f"{options.out}: there is no folder {options.out.parent}; create it first")
    picture = read_picture(options.picture, options.max_pixels)
    height, width = picture.rgb.shape[:2]
    marks, found = _begin(options, picture)
    files = [str(options.picture), "--landmarks", str(options.out)]
    line = shlex.join(["gioconda", "animate", *files, "--driver", "orator", "--out", "clip.mp4"])

    def save(marks: Marks) -> str:
        write_marks(options.out, MarkedFace(marks, None, options.picture.name, (width, height)))
        return line

    with MarkingServer(picture, options.picture.name, save, marks, found) as server:
        print(f"mark the face at {server.address}", flush=True)
        if not options.no_browser:
            webbrowser.open(server.address)
        server.serve_forever(poll_interval=0.1)
    print(f"{options.out} written; animate it with\n  {line}")


def _begin(options: argparse.Namespace, picture: Picture) -> tuple[Marks, str]:
    """Marks to begin with, and a word about where they come from."""
    from gioconda.face import eye_distance
    from gioconda.lids import fit_lids
    from gioconda.marks import FIRST, marks_of, read_marks
    from gioconda.neutral import mouth_gap
    from gioconda.tracking import tracker_named

    height, width = picture.rgb.shape[:2]
    if options.landmarks:
        face = read_marks(options.landmarks)
        everywhere = marks_of(face.points_in(options.picture, width, height))
        return {name: everywhere[name] for name in face.marks or FIRST}, f"From {options.landmarks.name}."
    faces = tracker_named(options.tracker).find(picture.rgb).faces
    if not faces:
        return {}, ""
    points = fit_lids(picture.rgb, faces[0].points)
    names = [*FIRST, "mouth_left", "mouth_right"]
    if mouth_gap(points) > OPEN * eye_distance(points):
        names += ["mouth_top", "mouth_bottom"]
    everywhere = marks_of(points)
    return {name: everywhere[name] for name in names}, "A face was found. Drag what is wrong, or clear and begin anew."
