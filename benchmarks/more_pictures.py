"""More pictures, more like them? What `sketch` paints of people from 1, 8 and 32 pictures, and of paintings from one.

    gioconda evaluate DATA --renderer sketch-ff sketch-ft --views 1 8 32 --models MODELS --out REPORT
    python benchmarks/more_pictures.py REPORT PICTURE... --out FOLDER [--driver dramatic] [--people 4]

REPORT is of the first command; both take other networks than the package's with --weights. people.png: a row is a
person whom it was fine-tuned to, the same frame, feed-forward from 1, 8 and 32 pictures, then fine-tuned to as many.
mouths.png: their mouths, and on the right the true ones; by these nobody is known. pictures.png: the pictures given,
each as it is, feed-forward and fine-tuned at the driver's most open mouth, two a row.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from closeups import at, moments, tile
from gioconda import Gains, Motion, Portrait
from gioconda.datasets.square import Square
from gioconda.drivers import open_driver
from gioconda.evaluation.renderers import Contender, drawer
from gioconda.evaluation.store import SHOWN, ClipFolder
from gioconda.face import eye_distance
from gioconda.media.pictures import read_picture, write_png
from gioconda.rendering.renderer import OWN_BASE
from gioconda.retarget import Sitter, retarget
from gioconda.tracking import default_tracker

RENDERERS, VIEWS = ("sketch-ff", "sketch-ft"), (1, 8, 32)


def people(report: Path, most: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each of some people of a report a row of faces, and one of mouths."""
    root = report / "runs" / json.loads((report / "results.json").read_text())["runs"]["self"]["fingerprint"]
    names = [f"{renderer}-{number}" for renderer in RENDERERS for number in VIEWS]
    rows = []
    for folder in (ClipFolder(root, path.name) for path in sorted(root.iterdir()) if path.is_dir()):
        kept = [folder.load(renderer, number) for renderer in RENDERERS for number in VIEWS]
        if not all(kept):
            continue
        # Far from the picture it is known from.
        frame = kept[0].facts["places"][-2]
        *made, true = (read_picture(folder.frame(name, frame)).rgb for name in [*names, "truth"])
        points = default_tracker().find(true).faces[0].points
        mouths = [tile(rgb, points, float(eye_distance(points)), "mouths") for rgb in [*made, true]]
        rows.append((np.hstack([_tile(rgb) for rgb in made]), np.hstack(mouths)))
    return rows[:: max(1, len(rows) // max(1, most))][:most]


def _tile(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA))


def painting(picture: Path, motion: Motion, weights: Path) -> list[np.ndarray]:
    """It, and what it becomes, feed-forward and fine-tuned."""
    portrait = Portrait.from_pictures([picture])
    view = portrait.views[0]
    target = retarget(Sitter.of(view.points, *view.rgb.shape[1::-1]), motion, Gains())
    square = Square.around(view.points[None])
    draws = (drawer(Contender(name, weights), portrait.views) for name in RENDERERS)
    return [square.cut(rgb, SHOWN) for rgb in (view.rgb, *(draw(target) for draw in draws))]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--weights", type=Path, default=OWN_BASE)
    parser.add_argument("--driver", default="dramatic", help="a video, a .motion file, or a built-in performance")
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = people(options.report, options.people)
    if not rows and options.people:
        raise SystemExit(f"{options.report} has nobody painted from 1, 8 and 32 pictures")
    for name, sheet in zip(("people", "mouths"), zip(*rows, strict=True), strict=False):
        write_png(options.out / f"{name}.png", np.vstack(sheet))
    if not options.pictures:
        return
    performance = open_driver(options.driver)
    wide_open = at(performance, moments(performance)["mouths"][3])
    triples = [np.hstack(painting(picture, wide_open, options.weights)) for picture in options.pictures]
    triples += [np.full_like(triples[0], 255)] * (len(triples) % 2)
    pairs = zip(triples[::2], triples[1::2], strict=True)
    write_png(options.out / "pictures.png", np.vstack([np.hstack(pair) for pair in pairs]))


if __name__ == "__main__":
    main()
