"""Make src/gioconda/data/likeness/likeness.safetensors and its card: the directions in which people's faces differ.

    python tools/fit_likeness.py DATA [--folds 5]

DATA is a dataset folder, of which the split `train` counts, as far as its licences allow. Of each shot a few frames are
taken, of each still the face; each also twice in other light. Nobody says whom stills show: each counts as a person of
its own. With --folds, it is tried before: learned without some of the filmed people, and asked about those.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import save

from gioconda.datasets.layout import write_bytes
from gioconda.learning.dataset import EXCLUDED_LICENCES, EXCLUDED_SOURCES, trained_on, usable_shots, usable_stills
from gioconda.likeness import EYES_APART, EYES_AT, SIDE, Discriminant, edges_of, levelled, shape, signature_of
from gioconda.media.files import sha256_of
from gioconda.portrait import View
from gioconda.retarget import Sitter
from gioconda.tracking import default_tracker

OUT = Path(__file__).parents[1] / "src/gioconda/data/likeness/likeness.safetensors"
FRAMES = 10
"""Frames taken of each shot, evenly spread."""
MOST_TURNED = 25.0
"""Degrees of yaw and pitch beyond which half of a face is not seen."""
COPIES = 2
"""How often each face is learned from in other light."""
EDGES, SHAPES = (300, 100), (100, 40)
"""Principal components, and directions kept, of edges and shape."""
SHRUNK = 0.1
"""How far what one person does is taken to be alike in all directions: there are few people."""


@dataclass(frozen=True)
class Looks:
    """Faces, one a row: levelled, uint8 (n, 96, 96, 3); shapes (n, 1434); who, in which shot; whether filmed."""

    faces: np.ndarray
    shapes: np.ndarray
    people: np.ndarray
    shots: np.ndarray
    filmed: np.ndarray

    def only(self, chosen: np.ndarray) -> Looks:
        """Some of them."""
        return Looks(*(values[chosen] for values in vars(self).values()))


def looks(data: Path, split: str) -> Looks:
    """The faces of a split that look into the camera, as the product's own tracker sees them."""
    tracker = default_tracker()
    rows = []
    for rgb, person, shot, filmed in _pictures(data, split):
        found = tracker.find(rgb).faces
        if not found:
            continue
        view = View(rgb, found[0].points)
        turn, nod, _ = Sitter.of(view.points, *rgb.shape[1::-1]).angles
        if max(abs(turn), abs(nod)) < MOST_TURNED:
            rows.append((levelled(view, SIDE, EYES_APART, EYES_AT), shape(view), person, shot, filmed))
    return Looks(*(np.array(column) for column in zip(*rows, strict=True)))


def _pictures(data: Path, split: str) -> Iterator[tuple[np.ndarray, str, str, bool]]:
    for shot in usable_shots(data, split):
        numbers = np.unique(np.linspace(0, len(shot.points) - 1, FRAMES).round().astype(int))
        for rgb in shot.frames(numbers):
            yield rgb, shot.person, shot.id, True
    for number, (rgb, _) in enumerate(usable_stills(data, split=split)):
        yield rgb, f"still {number}", f"still {number}", False


def otherwise_lit(face: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The same face under another lamp, a little out of place and focus, perhaps mirrored; uint8 (96, 96, 3)."""
    rgb = (face if random.random() < 0.5 else face[:, ::-1]).astype(np.float32) / 255
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / (SIDE / 2) - 1
    side = random.uniform(0, 2 * np.pi)
    lamp = np.exp(random.uniform(0, 1.2) * (x * np.cos(side) + y * np.sin(side)) + random.normal(0, 0.3))
    rgb = np.clip(rgb * lamp[..., None], 0, 1.2) ** np.exp(random.normal(0, 0.3))
    onto = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), random.normal(0, 2), np.exp(random.normal(0, 0.03)))
    onto[:, 2] += random.normal(0, 1.2, 2)
    rgb = cv2.warpAffine(rgb, onto, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    rgb = cv2.GaussianBlur(rgb, (0, 0), random.uniform(0.1, 1.5)) + random.normal(0, 0.02, rgb.shape)
    return (np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def fit(seen: Looks, random: np.random.Generator) -> Discriminant:
    """Fisher's linear discriminant of edges and of shapes."""
    lit = [otherwise_lit(face, random) for _ in range(COPIES) for face in seen.faces]
    edges = np.array([edges_of(face) for face in (*seen.faces, *lit)])
    edges_fit = _discriminant(edges, np.tile(seen.people, COPIES + 1), *EDGES)
    return Discriminant(*edges_fit, *_discriminant(seen.shapes, seen.people, *SHAPES))


def _discriminant(values: np.ndarray, people: np.ndarray, components: int, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean, float32 (n,), and axes, float32 (n, kept).

    Mean and principal components are of the pictures; what people differ in and what one does, of the people, each
    counting alike however many pictures there are.
    """
    mean = values.mean(axis=0)
    _, principal = np.linalg.eigh(np.cov((values - mean).T))
    principal = principal[:, ::-1][:, :components]
    inside = (values - mean) @ principal
    _, who, count = np.unique(people, return_inverse=True, return_counts=True)
    middles = np.zeros((len(count), components))
    np.add.at(middles, who, inside)
    middles /= count[:, None]
    off = inside - middles[who]
    share = np.where(count > 1, 1 / np.maximum(count - 1, 1), 0)[who] / (count > 1).sum()
    within = (off * share[:, None]).T @ off
    within += SHRUNK * np.trace(within) / components * np.eye(components)
    # Where one person varies by 1 in all directions, people differ most along the first principal components.
    spread, own = np.linalg.eigh(within)
    white = own / np.sqrt(spread)
    _, best = np.linalg.eigh(white.T @ np.cov(middles.T) @ white)
    axes = principal @ white @ best[:, ::-1][:, :kept]
    return mean.astype(np.float32), axes.astype(np.float32)


def tried(seen: Looks, folds: int, random: np.random.Generator) -> None:
    """Print how pairs of pictures of people not learned from come out: of one person in two files, and of two."""
    names = np.unique(seen.people)
    fold = dict(zip(names, random.integers(0, folds, len(names)), strict=True))
    of = np.array([fold[name] for name in seen.people])
    same, whose, other = [], [], []
    for number in range(folds):
        by = fit(seen.only(of != number), random)
        asked = seen.only((of == number) & seen.filmed)
        signatures = np.array(
            [signature_of(edges_of(face), points, by) for face, points in zip(asked.faces, asked.shapes, strict=True)]
        )
        files = np.array([shot.partition("_")[0] for shot in asked.shots])
        a, b = np.triu_indices(len(signatures), 1)
        alike = (signatures[a] * signatures[b]).sum(axis=1)
        one = asked.people[a] == asked.people[b]
        apart = one & (files[a] != files[b])
        same.append(alike[apart])
        whose.append(asked.people[a][apart])
        other.append(alike[~one])
    one, people, two = map(np.concatenate, (same, whose, other))
    _, who, count = np.unique(people, return_inverse=True, return_counts=True)
    share = 1 / count[who] / len(count)
    print(
        f"{len(one)} pairs of {len(count)} people, each in two files; {len(two)} pairs of two people; none learned from"
    )
    print("| alike by less than | of one person (each person counts alike) | of two people |")
    for least in np.arange(0, 0.45, 0.05):
        print(f"| {least:.2f} | {share[one < least].sum():.3f} | {np.mean(two < least):.3f} |")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=int, default=0, help="2 or more: try it before, learned without one of so many")
    options = parser.parse_args()
    if options.folds == 1:
        parser.error("--folds 1 would learn from nobody; give 2 or more")
    seen = looks(options.data, "train")
    if options.folds:
        tried(seen, options.folds, np.random.default_rng(0))
    made = fit(seen, np.random.default_rng(0))
    OUT.parent.mkdir(exist_ok=True)
    write_bytes(OUT, save({name: np.ascontiguousarray(values, np.float16) for name, values in vars(made).items()}))
    card = {
        "name": "likeness",
        "what": "directions in which people's faces differ most for what pictures of one do; no network",
        "licence": "Apache-2.0; learned from research footage whose people gave no release; left out: footage under "
        + ", ".join((*EXCLUDED_LICENCES, f"stills of {', '.join(EXCLUDED_SOURCES)}")),
        "faces": len(seen.faces),
        "sha256": sha256_of(OUT),
        "trained_on": trained_on(options.data),
    }
    write_bytes(OUT.with_suffix(".json"), json.dumps(card, indent=1).encode() + b"\n")
    filmed, stills = len(np.unique(seen.people[seen.filmed])), (~seen.filmed).sum()
    print(f"{OUT.name}: {OUT.stat().st_size} bytes; {len(seen.faces)} faces, {filmed} people filmed, {stills} stills")


if __name__ == "__main__":
    main()
