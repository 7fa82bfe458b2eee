"""Which shot is of whom, and who is kept for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gioconda.datasets.identity import Vector, merge, unpack
from gioconda.datasets.sources import Label
from gioconda.datasets.work import Done


@dataclass(frozen=True)
class People:
    """Who is who.

    Attributes:
        person: of each shot and still, by its id.
        split: of each person: train or eval.
        merged: names that were found to be one person, first the one that stays.
    """

    person: dict[str, str]
    split: dict[str, str]
    merged: list[tuple[str, str]]


def sort_out(
    files: Sequence[Done], labels: Mapping[str, Label], *, same: float, measured: bool, share: float, seed: int
) -> People:
    """Say of every shot whose it is, and part the people into those to learn from and those to measure with.

    The largest face of a file is the person of its label. Another face beside it is a person of its own. Where
    identity was measured, faces are put together by it (`identity.merge`), over all files; of a file that nobody
    named the person of, every face is a case of its own until then.

    People who share a file stay in one split, whatever their names: who is in the picture of whom may be mistaken.

    Args:
        files: what was found.
        labels: of each file, by its name.
        same: cosine from which two faces are one person's.
        measured: whether there are vectors to merge by.
        share: how many of the people are for evaluation, 0 to 1, about.
        seed: of the parting.
    """
    groups: dict[str, list[str]] = {}
    named: set[str] = set()
    vectors: dict[str, list[Vector]] = {}
    for done in files:
        label = labels[done.file]
        for facts in (*done.shots, *done.stills):
            face = f"{done.sha256[:12]}-{facts.track}"
            sure = facts.main and (label.named or not measured)
            name = label.person if sure else face if measured else f"{label.person}~{face}"
            groups.setdefault(name, []).append(facts.id)
            if label.named and sure:
                named.add(name)
            if facts.identity is not None:
                vectors.setdefault(name, []).append(unpack(facts.identity))
    # Names that people gave come first: they are those that stay.
    order = sorted(groups, key=lambda name: (name not in named, name))
    leader = merge({name: vectors.get(name, []) for name in order}, same) if measured else {n: n for n in order}
    person = {id: leader[name] for name, ids in groups.items() for id in ids}
    together = ({person[facts.id] for facts in (*done.shots, *done.stills)} for done in files)
    return People(
        person=person,
        split={name: split_of(first, share, seed) for name, first in _connected(together).items()},
        merged=sorted((first, name) for name, first in leader.items() if name in named and name != first),
    )


def split_of(person: str, share: float, seed: int) -> str:
    """`eval` for about that share of all people, else `train`; the same whoever else there is."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed} {person}".encode()).digest()[:8], "big") / 2**64
    return "eval" if drawn < share else "train"


def _connected(together: Iterable[set[str]]) -> dict[str, str]:
    """For each name the first, by the alphabet, of all that sets link it with."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for names in together:
        roots = sorted(root(name) for name in names)
        for other in roots[1:]:
            parent[other] = roots[0]
    groups: dict[str, list[str]] = {}
    for name in parent:
        groups.setdefault(root(name), []).append(name)
    return {name: min(names) for names in groups.values() for name in names}
