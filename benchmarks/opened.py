"""Do teeth return? Stills whose open mouths are shut, then opened again, held against the stills themselves.

    python benchmarks/opened.py DATA --models MODELS --out opened.json [--sheet opened.webp]

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

import cv2
import numpy as np
from PIL import Image

from gioconda.evaluation.bootstrap import paired, pooled
from gioconda.evaluation.frechet import frechet
from gioconda.evaluation.judges import Judges
from gioconda.evaluation.pixels import l1, regions
from gioconda.face import EYES, MOUTH_CORNERS, NOSE_TIP, Points
from gioconda.learning.dataset import usable_stills
from gioconda.learning.pairs import with_mouth
from gioconda.portrait import View
from gioconda.rendering import composite, make_renderer
from inside import LEAST_PIXELS, inside

OPEN = 0.12
"""Gap between the lips of a still, in eye distances, at least."""
RENDERERS = ("flow", "warp")
SHOWN, SIDE = 8, 150
FIVE = [*(eye.iris[0] for eye in EYES), NOSE_TIP, *MOUTH_CORNERS]
"""Landmarks by which a face is laid straight to be told from others."""


def around_mouth(rgb: np.ndarray, box: np.ndarray) -> Image.Image:
    """A square of the picture, some of it around a mask of the mouth."""
    left, top, width, height = cv2.boundingRect(box.astype(np.uint8))
    half, x, y = max(width, height) * 0.6, left + width / 2, top + height / 2
    return Image.fromarray(rgb).crop(tuple(map(round, (x - half, y - half, x + half, y + half)))).resize((SIDE, SIDE))


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    judges = Judges.load(options.models)
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in ("shut", *RENDERERS)}
    faces: dict[str, list[np.ndarray]] = {name: [] for name in ("true", *errors)}
    columns = []

    def embedded(rgb: np.ndarray, points: Points) -> np.ndarray:
        return judges.identity.embed(rgb, points[FIVE, :2])

    for rgb, points in usable_stills(options.data, OPEN, "eval"):
        lips = inside(points, *rgb.shape[:2])
        if lips.sum() < LEAST_PIXELS:
            continue
        still, shut = View(rgb, points), with_mouth(points, 0.0)
        view = View(composite(still, make_renderer("flow", (still,))(shut))[0], shut)
        made = {"shut": view.rgb}
        made |= {name: composite(view, make_renderer(name, (view,))(points))[0] for name in RENDERERS}
        mouth = regions(points, *rgb.shape[:2])["mouth"]
        faces["true"].append(embedded(rgb, points))
        for name, picture in made.items():
            errors[name].append((l1(picture, rgb, mouth), l1(picture, rgb, lips)))
            faces[name].append(embedded(picture, shut if name == "shut" else points))
        columns.append(
            [around_mouth(picture, mouth) for picture in (view.rgb, rgb, *(made[name] for name in RENDERERS))]
        )

    said: dict[str, dict[str, object]] = {}
    for name, found in errors.items():
        parts = {}
        for part, values in zip(("mouth", "inside"), np.transpose(found), strict=True):
            parts[part] = vars(pooled(list(values), [1.0] * len(values), "mean", 0))
        said[name] = {**parts, "frechet": frechet(np.array(faces[name]), np.array(faces["true"]))}
    said["warp - flow"] = {
        part: vars(paired(list(flow), list(warp), "mean", 0))
        for part, flow, warp in zip(
            ("mouth", "inside"), np.transpose(errors["flow"]), np.transpose(errors["warp"]), strict=True
        )
    }
    options.out.write_text(json.dumps(said, indent=1))
    for name, figures in said.items():
        print(
            name,
            *(f"{key} {value if isinstance(value, float) else value['value']:.3f}" for key, value in figures.items()),
        )
    if options.sheet:
        order = np.argsort([mouth for mouth, _ in errors["warp"]])
        shown = [columns[i] for i in order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]]
        sheet = Image.new("RGB", (SIDE * len(shown), SIDE * len(shown[0])))
        for across, column in enumerate(shown):
            for down, picture in enumerate(column):
                sheet.paste(picture, (across * SIDE, down * SIDE))
        sheet.save(options.sheet, quality=88)


if __name__ == "__main__":
    main()
