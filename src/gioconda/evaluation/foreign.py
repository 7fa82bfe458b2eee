"""Results and kept figures that somebody may have changed: whether they have all that a report takes from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any

from gioconda.evaluation.catalogue import BY_NAME

MOST = 10**9
"""Of any number: farther than any measure or count goes."""
_KINDS: dict[str, type | UnionType] = {
    **dict.fromkeys(("track", "renderer", "mode", "group", "measure", "a", "b", "command", "created"), str),
    **dict.fromkeys(("fingerprint", "clip"), str),
    **dict.fromkeys(("views", "n", "seed"), int),
    **dict.fromkeys(("value", "low", "high", "difference"), int | float | None),
    **dict.fromkeys(("size", "weights", "versions", "machine"), dict),
    **dict.fromkeys(("renderers", "clips", "showcase", "failed", "warnings"), list),
    "seconds": int | float,
    "reason": str | None,
    "events": int | None,
}
_NEWER = ("events",)
"""Fields that older results lack."""
_ABOUT = (
    *("command", "created", "seconds", "size", "seed", "renderers", "fingerprint", "weights", "versions", "machine"),
    *("clips", "showcase", "failed", "warnings"),
)


def is_name(value: object) -> bool:
    """Whether something names a clip, a portrait, a driver or a renderer: a file or folder right below another."""
    return isinstance(value, str) and value not in ("", "..") and "\0" not in value and value == Path(value).name


def is_whole(whole: Mapping[str, Any], row: Sequence[str], pair: Sequence[str]) -> bool:
    """Whether `results.json` is; the names of the fields of its rows and pairs."""
    runs, rows, pairs = (whole.get(name) for name in ("runs", "rows", "pairs"))
    if not isinstance(runs, dict) or not isinstance(rows, list) or not isinstance(pairs, list):
        return False
    return (
        all(track in ("self", "cross") and _is_about(about) for track, about in runs.items())
        and all(_is_figure(entry, row) and is_name(entry["renderer"]) for entry in rows)
        and all(_is_figure(entry, pair) for entry in pairs)
    )


def checked_facts(facts: Any, frames: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """What is known of a clip, and kept; its measures frame by frame.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: something else is kept there.
    """
    worst = facts.get("worst", {})
    numbers = [facts["most_views"], *facts["places"], *worst.values()]
    if not (
        all(type(number) is int and 0 <= number < MOST for number in numbers)
        and all(0 < facts.get(name, 1) < MOST for name in ("fps", "step"))
        and all(index < len(frames[name]) for name, index in worst.items())
        and all(isinstance(word, str) for word in facts["conditions"])
        and all(is_name(facts[who]) for who in ("portrait", "driver") if who in facts)
        and isinstance(facts["shown"], bool)
    ):
        raise ValueError("facts of another kind")
    return dict(facts)


def _is_about(about: Any) -> bool:
    """Whether something says how a run was made."""
    if not _has(about, _ABOUT) or not isinstance(about.get("views"), list):
        return False
    texts = [*about["renderers"], *about["warnings"], *about["weights"].values()]
    texts += [about["size"].get("name"), about["versions"].get("gioconda")]
    clips = [entry.get("clip") if isinstance(entry, dict) else None for entry in about["clips"]]
    return (
        re.fullmatch("[0-9a-f]{12}", about["fingerprint"]) is not None
        and all(isinstance(text, str) for text in texts)
        and all(map(is_name, [*about["renderers"], *about["showcase"], *clips]))
        and all(type(number) is int for number in about["views"])
        and all(_has(failure, ("clip", "reason")) and failure["reason"] is not None for failure in about["failed"])
    )


def _is_figure(entry: Any, names: Sequence[str]) -> bool:
    """Whether something has the fields of a row or a pair, and an interval only beside a figure."""
    if not _has(entry, names) or entry["measure"] not in BY_NAME:
        return False
    figure = entry.get("value", entry.get("difference"))
    return (entry["low"] is None) == (entry["high"] is None) and (entry["low"] is None or figure is not None)


def _has(entry: Any, names: Sequence[str]) -> bool:
    """Whether something is an object with some fields, each of its kind, and no number beyond measure."""
    if not isinstance(entry, dict) or not all(n in entry or n in _NEWER for n in names):
        return False
    values = {n: entry.get(n) for n in names}
    return all(
        isinstance(value, _KINDS[n]) and (not isinstance(value, int | float) or -MOST < value < MOST)
        for n, value in values.items()
    )
