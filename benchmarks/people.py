"""Do more people teach more? `sketch` learned from shares of the people, equally long, and tried on others.

    python benchmarks/people.py DATA --models MODELS --out FOLDER [--shares 0.1 0.3 1] [--steps 6000]

DATA is a dataset folder, MODELS holds the measuring networks of `gioconda evaluate`. For each share: `gioconda train
sketch --preset narrow --people SHARE --steps STEPS`, then `gioconda evaluate --renderer sketch-ff` on the split `eval`,
one view, no fine-tuning. Writes people.json, a table, and people.png: a picture of some people of that split, what each
painted of a later frame of theirs, and that. Runs and reports stay in FOLDER; the same command goes on with them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gioconda.learning.base import load_base
from gioconda.learning.dataset import usable_shots
from gioconda.learning.footage import cut
from gioconda.learning.raster import draw_sketch
from gioconda.media.pictures import write_png

MEASURES = ("ssim_face", "l1_face", "akd", "csim_truth", "frechet_identity")
SHOWN = 8
"""People on the sheet."""


def figures(data: Path, models: Path, folder: Path, share: float, steps: int) -> dict[str, Any]:
    """What networks that learned from a share of the people say of others."""
    gioconda = [sys.executable, "-m", "gioconda.cli"]
    run, report = folder / "run", folder / "report"
    train = ["train", "sketch", "--data", data, "--out", run, "--preset", "narrow", "--minutes", "10000"]
    weights = run / "sketch.safetensors"
    measure = ["evaluate", data, "--renderer", "sketch-ff", "--weights", weights, "--models", models, "--out", report]
    for command in ([*train, "--people", str(share), "--steps", str(steps)], measure):
        subprocess.run([*gioconda, *map(str, command)], check=True)
    rows = json.loads((report / "results.json").read_text())["rows"]
    found = {row["measure"]: row for row in rows if row["renderer"] == "sketch-ff" and row["group"] == "all"}
    return {measure: {key: found[measure][key] for key in ("value", "low", "high", "n")} for measure in MEASURES}


def painted(data: Path, bases: list[Path]) -> np.ndarray:
    """A row a person of the split `eval`: their picture, then what each network paints of a later frame, then that."""
    networks = [load_base(path, "cpu") for path in bases]
    size = networks[0].shape.size
    people = {shot.person: shot for shot in usable_shots(data, "eval")}
    rows = []
    for shot in list(people.values())[:: max(1, len(people) // SHOWN)][:SHOWN]:
        numbers = np.array([0, len(shot.points) * 2 // 3])
        frames, points = (torch.from_numpy(each) for each in cut(shot.frames(numbers), shot.points[numbers], size))
        pictures, sketches = frames.float() / 255, draw_sketch(points, size)
        tiles = [pictures[0]]
        for network in networks:
            with torch.no_grad():
                embedding = network.embedder(pictures[None, :1], sketches[None, :1])
                tiles.append(network.generator(sketches[1:], network.generator.personal(embedding))[0])
        rows.append(torch.cat([*tiles, pictures[1]], dim=2))
    sheet = (255 * torch.cat(rows, dim=1).clamp(0, 1)).round().byte()
    return np.ascontiguousarray(sheet.permute(1, 2, 0).numpy())


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    parser.add_argument("--steps", type=int, default=6000)
    options = parser.parse_args()
    folders = {share: options.out / f"{share:g}" for share in options.shares}
    said = {
        str(share): figures(options.data, options.models, folder, share, options.steps)
        for share, folder in folders.items()
    }
    (options.out / "people.json").write_text(json.dumps({"steps": options.steps, "shares": said}, indent=1) + "\n")
    print("| share of the people |", " | ".join(MEASURES), "|")
    for share, found in said.items():
        print(f"| {share} |", " | ".join(f"{found[measure]['value']:.3f}" for measure in MEASURES), "|")
    bases = [folder / "run" / "sketch.safetensors" for folder in folders.values()]
    write_png(options.out / "people.png", painted(options.data, bases))


if __name__ == "__main__":
    main()
