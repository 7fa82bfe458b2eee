"""`gioconda faces`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, add_max_pixels, add_tracker, verb


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "faces", _run, "show the faces of a picture, numbered")
    added.add_argument("picture", type=Path)
    added.add_argument("--out", type=Path, metavar="FILE.png", help="draw them on a copy of the picture")
    add_max_pixels(added)
    add_tracker(added)


def _run(options: argparse.Namespace) -> None:
    from gioconda.errors import NoFaceError, OutputError
    from gioconda.faces import draw_faces
    from gioconda.media.pictures import read_picture, write_png
    from gioconda.tracking import tracker_named

    if options.out and options.out.suffix != ".png":
        raise OutputError(f"{options.out}: the faces are drawn on a PNG picture; let the name end in .png")
    picture = read_picture(options.picture, options.max_pixels)
    search = tracker_named(options.tracker).find(picture.rgb)
    if not search.faces:
        raise NoFaceError(
            f"{options.picture}: no face found (tried {'; '.join(search.tried)}); "
            "to animate it all the same, give the face's place with --box x,y,width,height, "
            f"or show it with 'gioconda mark {options.picture}'"
        )
    for number, face in enumerate(search.faces):
        x, y, width, height = (round(v) for v in vars(face.box).values())
        print(f"{number}: --box {x},{y},{width},{height}")
    if options.out:
        write_png(options.out, draw_faces(picture.rgb, search.faces))
        print(f"drawn on {options.out}")
