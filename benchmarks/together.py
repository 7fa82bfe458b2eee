"""Do two workers learn what one learns? The curves of `sketch`, learned alone and in two of Ray's workers.

    python benchmarks/together.py DATA --out FOLDER [--steps 600] [--seed 0]

Both take 4 people a step: one process all of them, each of two workers 2. They see other pictures, so the curves are
not the same; a second run of one process with another seed says how far curves then lie apart. Writes together.svg
and prints the means of the last half. The same command goes on where it was stopped. Needs the extra `cluster`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from gioconda.evaluation.charts import Point, Series, curve, side_by_side
from gioconda.learning.cluster import train_sketch_together
from gioconda.learning.meta import PRESETS, train_sketch

PEOPLE, WORKERS, LOG_EVERY = 4, 2, 100
MEASURES = ("pixels", "tracker", "matching", "match")


def learned(data: Path, out: Path, steps: int, seed: int) -> dict[str, list[dict[str, float]]]:
    """The log of each run."""
    alone = replace(PRESETS["narrow"], people=PEOPLE, seed=seed)
    shared = replace(alone, people=PEOPLE // WORKERS)
    endless = 10_000.0
    for name, settings in (("one", alone), ("another", replace(alone, seed=seed + 1))):
        train_sketch(data, out / name, settings, endless, steps=steps, log_every=LOG_EVERY)
    train_sketch_together(data, out / "two", shared, endless, workers=WORKERS, steps=steps, log_every=LOG_EVERY)
    names = {"one": "one process", "another": "one process, other pictures", "two": "two workers"}
    return {
        title: [json.loads(line) for line in (out / name / "log.jsonl").read_text().splitlines()]
        for name, title in names.items()
    }


def drawn(logs: dict[str, list[dict[str, float]]]) -> str:
    """The curve of each loss over the steps, as one SVG file."""
    steps = sorted({int(line["step"]) for lines in logs.values() for line in lines})
    charts = {}
    for measure in MEASURES:
        series = [
            Series(name, colour, [Point(line["step"], line[measure]) for line in lines])
            for colour, (name, lines) in enumerate(logs.items(), start=1)
        ]
        charts[measure] = curve(series, "steps", steps, measure)
    return side_by_side(charts)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logs = learned(options.data, options.out, options.steps, options.seed)
    (options.out / "together.svg").write_text(drawn(logs))
    print("| |", " | ".join(MEASURES), "|")
    for name, lines in logs.items():
        late = lines[len(lines) // 2 :]
        print(
            f"| {name} |", " | ".join(f"{np.mean([line[measure] for line in late]):.3f}" for measure in MEASURES), "|"
        )


if __name__ == "__main__":
    main()
