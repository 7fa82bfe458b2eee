"""Whom a network was trained on, by its card: the JSON file beside it that `gioconda train` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gioconda.errors import UsageError
from gioconda.evaluation.shots import Source
from gioconda.media.files import sha256_of
from gioconda.rendering.renderer import OWN_BASE, OWN_NETWORK


def check(weights: Path, sources: Iterable[Source]) -> list[str]:
    """Return what a reader must know, where the card does not say enough to rule out a leak.

    Sources of which nobody says who is in them are passed over: names alone prove nothing.

    Raises:
        UsageError: the network was trained on a person or a shot that it would be measured on.
    """
    card = weights.with_suffix(".json")
    so = f"so nobody can rule out that {weights.name} was trained on the people it is measured on"
    about = _read(card)
    if about is None:
        return [f"{weights.name} has no card {card.name} beside it, {so}"]
    if about.get("sha256") != sha256_of(weights):
        return [f"{card.name} is the card of another file than the {weights.name} beside it, {so}"]
    trained_on = about.get("trained_on")
    people, shots = (_names(trained_on, key) for key in ("people", "shots"))
    if people is None or shots is None:
        return [f"{card.name} does not list the people and shots of the training, {so}"]
    known = [source for source in sources if source.person is not None]
    leaked = sorted({s.person or "" for s in known if s.person in people} | {s.id for s in known if s.id in shots})
    if leaked and weights in (OWN_NETWORK, OWN_BASE) and not any(source.id in shots for source in known):
        # It was taught on nobody's dataset but ours, and people of all datasets are called alike.
        return [f"{len(leaked)} people have names that the card of {weights.name} lists ({', '.join(leaked[:5])})"]
    if leaked:
        raise UsageError(
            f"{weights} was trained on {len(leaked)} of the people and shots that it would be measured on "
            f"({', '.join(leaked[:5])}, by {card.name}); figures on people seen in training mean nothing, so nothing "
            "was measured. If they are others of the same name, give them other names in clips.jsonl"
        )
    return []


def _read(card: Path) -> dict[str, Any] | None:
    try:
        about = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) else None


def _names(trained_on: object, key: str) -> set[str] | None:
    listed = trained_on.get(key) if isinstance(trained_on, dict) else None
    return set(map(str, listed)) if isinstance(listed, list) and listed else None
