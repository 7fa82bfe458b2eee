"""Do teeth return? Stills whose open mouths are shut, then opened again, held against the stills themselves.

    python benchmarks/opened.py DATA --models MODELS --out opened.json [--sheet opened.png]

DATA is a dataset folder; the stills are those of its split `eval` with an open mouth, of nobody in any training. MODELS
holds the measuring networks of `gioconda evaluate`. `flow` shuts the mouth, so what it showed is gone; each renderer
opens it as far as it was. Mean absolute difference in 8-bit levels in a box around the mouth and inside the lips, and
the Frechet distance between the faces made and the true ones. The sheet has a column a still, from the best to the
worst: shut, true, opened by `flow`, by `warp`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from closeups import tile
from gioconda.evaluation.bootstrap import paired, pooled
from gioconda.evaluation.identity import frechet_identity
from gioconda.evaluation.judges import IdentityJudge
from gioconda.evaluation.pixels import l1, regions
from gioconda.face import eye_distance
from gioconda.learning.dataset import usable_stills
from gioconda.learning.pairs import OPEN, mouth_shut
from gioconda.media.pictures import write_png
from gioconda.portrait import View
from gioconda.rendering import composite, make_renderer
from gioconda.tracking.crops import five_points
from inside import LEAST_PIXELS, inside

RENDERERS = ("flow", "warp")
PARTS = ("mouth", "inside")
SHOWN = 8
"""Columns of the sheet."""


def opened(still: View) -> dict[str, np.ndarray]:
    """A still with its mouth shut, and opened again by each renderer: uint8 (h, w, 3) each."""
    shut = mouth_shut(still)
    again = {name: composite(shut, make_renderer(name, (shut,))(still.points))[0] for name in RENDERERS}
    return {"shut": shut.rgb, **again}


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    judge = IdentityJudge(options.models)
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in ("shut", *RENDERERS)}
    faces: dict[str, list[np.ndarray]] = {name: [] for name in ("true", *errors)}
    columns = []
    for rgb, points in usable_stills(options.data, OPEN, "eval"):
        lips = inside(points, *rgb.shape[:2])
        if lips.sum() < LEAST_PIXELS:
            continue
        made = opened(View(rgb, points))
        mouth = regions(points, *rgb.shape[:2])["mouth"]
        for name, picture in made.items():
            errors[name].append((l1(picture, rgb, mouth), l1(picture, rgb, lips)))
        shown = {"shut": made["shut"], "true": rgb, **made}
        for name, picture in shown.items():
            faces[name].append(judge.embed(picture, five_points(points)))
        unit = float(eye_distance(points))
        columns.append(np.vstack([tile(picture, points, unit, "mouths") for picture in shown.values()]))

    off = {name: dict(zip(PARTS, np.transpose(found).tolist(), strict=True)) for name, found in errors.items()}
    said: dict[str, dict[str, object]] = {
        name: {
            **{part: vars(pooled(values, [1.0] * len(values), "mean", 0)) for part, values in parts.items()},
            "frechet": frechet_identity(np.array(faces[name]), np.array(faces["true"])),
        }
        for name, parts in off.items()
    }
    said["warp - flow"] = {part: vars(paired(off["flow"][part], off["warp"][part], "mean", 0)) for part in PARTS}
    options.out.write_text(json.dumps(said, indent=1))
    for name, figures in said.items():
        print(
            name,
            *(f"{key} {value if isinstance(value, float) else value['value']:.3f}" for key, value in figures.items()),
        )
    if options.sheet:
        order = np.argsort(off["warp"]["mouth"])
        chosen = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]
        write_png(options.sheet, np.hstack([columns[number] for number in chosen]))


if __name__ == "__main__":
    main()
