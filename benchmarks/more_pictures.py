"""More pictures, more like them? What `sketch` paints of people from 1, 8 and 32 pictures, and of paintings from one.

    gioconda evaluate DATA --renderer sketch-ff sketch-ft --views 1 8 32 --models MODELS --out REPORT
    python benchmarks/more_pictures.py REPORT PICTURE... --out sheet.png [--driver dramatic] [--people 4]

REPORT is of the first command; both take other networks than the package's with --weights. A row is a person whom it
was fine-tuned to: the same frame, feed-forward from 1, 8 and 32 pictures, then fine-tuned to as many. Below come the
pictures given, three a row, each feed-forward and fine-tuned, at the driver's most open mouth. All that is on the
sheet was painted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from closeups import at, moments
from gioconda import Gains, Motion, Portrait
from gioconda.datasets.square import Square
from gioconda.drivers import open_driver
from gioconda.evaluation.renderers import Contender, drawer
from gioconda.evaluation.store import SHOWN, ClipFolder
from gioconda.media.pictures import read_picture, write_png
from gioconda.rendering.renderer import OWN_BASE
from gioconda.retarget import Sitter, retarget

RENDERERS, VIEWS = ("sketch-ff", "sketch-ft"), (1, 8, 32)


def people(report: Path, most: int) -> list[np.ndarray]:
    """A row of tiles for each of some people of a report."""
    root = report / "runs" / json.loads((report / "results.json").read_text())["runs"]["self"]["fingerprint"]
    rows = []
    for folder in (ClipFolder(root, path.name) for path in sorted(root.iterdir()) if path.is_dir()):
        kept = [folder.load(renderer, number) for renderer in RENDERERS for number in VIEWS]
        if not all(kept):
            continue
        # Far from the picture it is known from.
        frame = kept[0].facts["places"][-2]
        names = [f"{renderer}-{number}" for renderer in RENDERERS for number in VIEWS]
        rows.append(np.hstack([_tile(read_picture(folder.frame(name, frame)).rgb) for name in names]))
    return rows[:: max(1, len(rows) // max(1, most))][:most]


def _tile(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA))


def painting(picture: Path, motion: Motion, weights: Path) -> list[np.ndarray]:
    """What it becomes, feed-forward and fine-tuned."""
    portrait = Portrait.from_pictures([picture])
    view = portrait.views[0]
    target = retarget(Sitter.of(view.points, *view.rgb.shape[1::-1]), motion, Gains())
    square = Square.around(view.points[None])
    draws = (drawer(Contender(name, weights), portrait.views) for name in RENDERERS)
    return [square.cut(draw(target), SHOWN) for draw in draws]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--weights", type=Path, default=OWN_BASE)
    parser.add_argument("--driver", default="dramatic", help="a video, a .motion file, or a built-in performance")
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    performance = open_driver(options.driver)
    wide_open = at(performance, moments(performance)["mouths"][3])
    tiles = [tile for picture in options.pictures for tile in painting(picture, wide_open, options.weights)]
    across = len(RENDERERS) * len(VIEWS)
    tiles += [np.full((SHOWN, SHOWN, 3), 255, np.uint8)] * (-len(tiles) % across)
    rows = [np.hstack(tiles[first : first + across]) for first in range(0, len(tiles), across)]
    rows = [*people(options.report, options.people), *rows]
    if not rows:
        raise SystemExit(f"{options.report} has nobody painted from 1, 8 and 32 pictures, and no picture is given")
    write_png(options.out, np.vstack(rows))


if __name__ == "__main__":
    main()
