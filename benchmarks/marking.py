"""How well does a face that was fitted to marks agree with the tracker's?

    python benchmarks/marking.py DATA

DATA is a dataset folder with stills.jsonl and stills.npz. The marks are taken from the tracker's landmarks of the
evaluation split, exactly or with noise; the error is the mean distance of the 478 landmarks over that of the pupils.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from gioconda.face import EYES
from gioconda.marks import FIRST, NAMES, fit_marks

SETS = {
    "the five": FIRST,
    "the five, corners of the mouth": tuple(NAMES)[:7],
    "and cheeks": tuple(NAMES)[:9],
    "and corners of the eyes": tuple(NAMES)[:13],
    "and lids": tuple(NAMES)[:17],
    "and lips": tuple(NAMES)[:21],
    "all": tuple(NAMES),
}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    rows = {r["id"]: r for r in map(json.loads, (data / "stills.jsonl").read_text().splitlines())}
    archive = np.load(data / "stills.npz", allow_pickle=False)
    ids = [str(i) for i in archive["ids"]]
    faces = [
        (rows[i]["kind"], p / 8.0) for i, p in zip(ids, archive["landmarks"], strict=True) if rows[i]["split"] == "eval"
    ]
    print(f"{len(faces)} faces\n{'marks':34} {'noise':>5}  paintings  photographs    all   90 %")
    for title, names in SETS.items():
        for noise in (0.0, 0.04) if title in ("the five", "all") else (0.0,):
            random = np.random.default_rng(0)
            errors, kinds = [], np.array([kind for kind, _ in faces])
            for _, points in faces:
                apart = np.linalg.norm(points[EYES[0].iris[0], :2] - points[EYES[1].iris[0], :2])
                marks = {
                    n: points[list(NAMES[n].landmarks), :2].mean(axis=0) + random.normal(0, noise, 2) * apart
                    for n in names
                }
                errors.append(np.linalg.norm((fit_marks(marks) - points)[:, :2], axis=1).mean() / apart)
            error = np.array(errors)
            painted, photographed = (np.median(error[kinds == kind]) for kind in ("painting", "photo-mixed"))
            most = np.percentile(error, 90)
            print(f"{title:34} {noise:5.2f}  {painted:9.4f}  {photographed:11.4f}  {np.median(error):.4f}  {most:.4f}")


if __name__ == "__main__":
    main()
