"""Do teeth come back? Stills with open mouths, shut by `flow`, and opened again by each renderer.

    python benchmarks/opened_again.py DATA --models MODELS --out FOLDER [--renderer flow warp]

DATA is a dataset folder; its stills of the split `eval` with open mouths are the truth. Around the mouth: the mean
absolute difference in 8-bit levels, with its difference between the first renderer and each other, still by still;
and the Frechet distance of MobileFaceNet's features of the whole face. Writes opened_again.json and a sheet,
opened_again.png: shut, opened again by each, the still itself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gioconda.datasets.identity import five_points
from gioconda.evaluation.bootstrap import paired, pooled
from gioconda.evaluation.identity import frechet_identity
from gioconda.evaluation.judges import IdentityJudge
from gioconda.evaluation.pixels import l1, regions
from gioconda.learning.dataset import usable_stills
from gioconda.learning.pairs import OPEN, with_mouth
from gioconda.media.pictures import write_png
from gioconda.portrait import View
from gioconda.rendering import FlowRenderer, composite, make_renderer


def opened(view: View, renderers: Sequence[str]) -> list[np.ndarray]:
    """Shut, opened again by each renderer, and as it was: uint8 (h, w, 3) each."""
    closed = with_mouth(view.points, 0.0)
    shut = View(composite(view, FlowRenderer([view])(closed))[0], closed)
    again = (composite(shut, make_renderer(name, [shut])(view.points))[0] for name in renderers)
    return [shut.rgb, *again, view.rgb]


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="the folder of measuring networks")
    parser.add_argument("--renderer", nargs="+", default=["flow", "warp"])
    parser.add_argument("--split", default="eval")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    judge = IdentityJudge(options.models)
    errors, features, rows = [], [], []
    for rgb, points in usable_stills(options.data, OPEN, options.split):
        pictures = opened(View(rgb, points), options.renderer)
        mouth = regions(points, *rgb.shape[:2])["mouth"]
        errors.append([l1(made, rgb, mouth) for made in pictures[1:-1]])
        features.append([judge.embed(each, five_points(points)) for each in pictures])
        rows.append(np.hstack(pictures))
    off, vectors = np.array(errors), np.array(features)
    said = {}
    for number, name in enumerate(options.renderer):
        ones = [1.0] * len(off)
        said[name] = {
            "l1_mouth": vars(pooled(list(off[:, number]), ones, "mean", 0)),
            "against_first": vars(paired(list(off[:, 0]), list(off[:, number]), "mean", 0)),
            "frechet": frechet_identity(vectors[:, number + 1], vectors[:, -1]),
        }
        print(f"{name}: L1 mouth {off[:, number].mean():.2f}, Frechet {said[name]['frechet']:.4f}, {len(off)} stills")
    (options.out / "opened_again.json").write_text(json.dumps(said, indent=1) + "\n")
    write_png(options.out / "opened_again.png", np.vstack(rows))


if __name__ == "__main__":
    main()
