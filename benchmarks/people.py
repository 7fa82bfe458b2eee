"""Do more people teach more? `sketch` learned from shares of the people, equally long, and tried on others.

    python benchmarks/people.py DATA --models MODELS --out FOLDER [--shares 0.1 0.3 1] [--steps 6000] [--seed 0]

DATA is a dataset folder, MODELS holds the measuring networks of `gioconda evaluate`. For each share: `gioconda train
sketch --preset narrow --people SHARE --steps STEPS`, then `gioconda evaluate --renderer sketch-ff` on the split `eval`,
one view, no fine-tuning. Writes people.json; a table; people.svg, the figures over the shares; and people.png: a
picture of some people of that split, what each painted of a later frame of theirs, and that. The largest share is
compared with each of the others shot by shot. Runs and reports stay in FOLDER; the same command goes on with them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gioconda.evaluation.bootstrap import paired
from gioconda.evaluation.catalogue import BY_NAME
from gioconda.evaluation.charts import Point, Series, curve, side_by_side
from gioconda.evaluation.store import ClipFolder
from gioconda.learning.base import load_base
from gioconda.learning.dataset import usable_shots
from gioconda.learning.footage import cut
from gioconda.learning.raster import draw_sketch
from gioconda.media.pictures import write_png

SHOT_BY_SHOT = ("ssim_face", "l1_face", "akd", "csim_truth")
MEASURES = (*SHOT_BY_SHOT, "frechet_identity")
SHOWN = 8
"""People on the sheet."""


def learn_and_measure(data: Path, models: Path, folder: Path, share: float, steps: int, seed: int) -> None:
    """Fill `folder/run` and `folder/report`."""
    gioconda = [sys.executable, "-m", "gioconda.cli"]
    run, report = folder / "run", folder / "report"
    train = ["train", "sketch", "--data", data, "--out", run, "--preset", "narrow", "--minutes", "10000"]
    weights = run / "sketch.safetensors"
    measure = ["evaluate", data, "--renderer", "sketch-ff", "--weights", weights, "--models", models, "--out", report]
    for command in ([*train, "--people", str(share), "--steps", str(steps), "--seed", str(seed)], measure):
        subprocess.run([*gioconda, *map(str, command)], check=True)


def figures(report: Path) -> dict[str, Any]:
    """What networks say of people they have not met: each measure with its interval."""
    rows = json.loads((report / "results.json").read_text())["rows"]
    found = {row["measure"]: row for row in rows if row["renderer"] == "sketch-ff" and row["group"] == "all"}
    return {measure: {key: found[measure][key] for key in ("value", "low", "high", "n")} for measure in MEASURES}


def shot_by_shot(report: Path) -> dict[str, dict[str, float]]:
    """The measures of each shot."""
    print_of_run = json.loads((report / "results.json").read_text())["runs"]["self"]["fingerprint"]
    folders = sorted(path for path in (report / "runs" / print_of_run).iterdir() if path.is_dir())
    kept = {path.name: ClipFolder(path.parent, path.name).load("sketch-ff", 1) for path in folders}
    return {name: {measure: each.figure(measure) for measure in SHOT_BY_SHOT} for name, each in kept.items() if each}


def compared(fewer: Path, more: Path) -> dict[str, Any]:
    """By how much the measures of one report exceed those of another, over the same shots, with the interval."""
    before, after = shot_by_shot(fewer), shot_by_shot(more)
    both = sorted(before.keys() & after.keys())

    def figures_of(shots: dict[str, dict[str, float]], measure: str) -> list[float]:
        return [shots[shot][measure] for shot in both]

    pairs = {measure: (figures_of(before, measure), figures_of(after, measure)) for measure in SHOT_BY_SHOT}
    return {measure: asdict(paired(*pair, BY_NAME[measure].pool, seed=0)) for measure, pair in pairs.items()}


def drawn(said: dict[float, dict[str, Any]]) -> str:
    """A chart of each measure over the shares, as one SVG file."""
    charts = {}
    for measure in MEASURES:
        found = {round(100 * share): each[measure] for share, each in said.items()}
        points = [Point(share, each["value"], each["low"], each["high"]) for share, each in found.items()]
        line = Series(measure, 1, points)
        charts[BY_NAME[measure].title] = curve([line], "% of the people", list(found), measure)
    return side_by_side(charts)


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
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folders = {share: options.out / f"{share:g}" for share in sorted(options.shares)}
    for share, folder in folders.items():
        learn_and_measure(options.data, options.models, folder, share, options.steps, options.seed)
    reports = {share: folder / "report" for share, folder in folders.items()}
    said = {share: figures(report) for share, report in reports.items()}
    *fewer, most = reports
    gains = {share: compared(reports[share], reports[most]) for share in fewer}
    whole = {"steps": options.steps, "seed": options.seed, "shares": said, "gains": gains}
    (options.out / "people.json").write_text(json.dumps(whole, indent=1) + "\n")
    (options.out / "people.svg").write_text(drawn(said))
    print("| share of the people |", " | ".join(MEASURES), "|")
    for share, found in said.items():
        print(f"| {share:g} |", " | ".join(f"{found[measure]['value']:.3f}" for measure in MEASURES), "|")
    for share, gain in gains.items():
        told = (f"{each['value']:+.3f} [{each['low']:.3f}, {each['high']:.3f}]" for each in gain.values())
        print(f"| {most:g} instead of {share:g} |", " | ".join(told), "| |")
    bases = [folder / "run" / "sketch.safetensors" for folder in folders.values()]
    write_png(options.out / "people.png", painted(options.data, bases))


if __name__ == "__main__":
    main()
