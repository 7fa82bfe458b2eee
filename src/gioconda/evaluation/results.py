"""``results.json``: what a run found, one row for each figure. Versioned; the schema stands in ``docs/evaluate.md``.

A folder holds one run of each track; a new run of a track takes the place of the old one.
"""

from __future__ import annotations

import itertools
import json
import math
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gioconda import __version__
from gioconda.errors import UsageError
from gioconda.evaluation import bootstrap, movement
from gioconda.evaluation.bootstrap import FEW, Estimate
from gioconda.evaluation.catalogue import BY_NAME, NOT_MEASURED, Measure, measures
from gioconda.evaluation.foreign import is_whole
from gioconda.evaluation.frechet import frechet
from gioconda.evaluation.identity import frechet_identity
from gioconda.evaluation.judges import Array
from gioconda.evaluation.protocol import Run, Size, kept_views
from gioconda.evaluation.renderers import FINE_TUNED, STILL, mode
from gioconda.evaluation.store import ClipFolder, Kept, plain, write_text
from gioconda.untrusted import parse_json

FORMAT = "gioconda-evaluation"
VERSION = 1
NAME = "results.json"
_LISTS = ("rows", "pairs")
ALL, LONG, TUNED = "all", "long", "tuned"
"""Groups: every clip that serves the number of views; only shots that serve every number asked for, so that the
numbers of views are compared on the same shots; of these only those that a fine-tuned renderer was measured on, where
it was not measured on all."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        track: self or cross.
        renderer: who made the clips; "still" is the baseline.
        mode: how: baseline, closed form, feed-forward, fine-tuned.
        views: number of pictures of the person.
        group: "all", "long", "tuned", or a condition such as "painting".
        measure: name, as in the catalogue.
        value: the figure; None where it is undefined or was not measured.
        low, high: 95 % bootstrap interval over clips.
        n: clips it stands on.
        events: blinks it stands on; None for measures of other things.
        reason: why there is no value.
        weights: sha256 of the given networks that the figure stands on, by name: the renderer's, the measure's.
    """

    track: str
    renderer: str
    mode: str
    views: int
    group: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    events: int | None = None
    reason: str | None = None
    weights: Mapping[str, str] = field(default_factory=dict)


def rows(run: Run, views: Sequence[int], seed: int) -> list[Row]:
    """All figures of a run."""
    names = list(dict.fromkeys(kept.renderer for kept in run.kept))
    makers = [(name, n) for name in names for n in sorted({k.views for k in run.kept if k.renderer == name})]
    groups: dict[str, Callable[[Kept], bool]] = {ALL: lambda kept: True}
    if len(set(views)) > 1:
        groups[LONG] = lambda kept: kept.facts["most_views"] >= max(views)
    tuned = {kept.clip for kept in run.kept if kept.renderer in FINE_TUNED}
    if tuned and tuned != {kept.clip for kept in run.kept}:
        groups[TUNED] = lambda kept: kept.clip in tuned and kept.facts["most_views"] >= max(views)
    for condition in sorted({word for kept in run.kept for word in kept.facts["conditions"]}):
        groups[condition] = lambda kept, condition=condition: condition in kept.facts["conditions"]  # type: ignore[misc]
    found = []
    for group, member in groups.items():
        for renderer, number in makers:
            clips = [k for k in run.kept if (k.renderer, k.views) == (renderer, number) and member(k)]
            for measure in measures(run.track) if clips else []:
                estimate, reason = _estimate(run, clips, measure, group, seed)
                row = Row(
                    track=run.track,
                    renderer=renderer,
                    mode=mode(renderer),
                    views=number,
                    group=group,
                    measure=measure.name,
                    value=_known(estimate.value),
                    low=_known(estimate.low),
                    high=_known(estimate.high),
                    n=estimate.n,
                    events=_events(clips, measure),
                    reason=reason,
                    weights=_given(run, renderer) | _given(run, measure.name),
                )
                found.append(row)
    return found


def _events(clips: Sequence[Kept], measure: Measure) -> int | None:
    """The blinks of all clips: each clip's figure weighs as many as it stands on."""
    if not measure.name.startswith("blink_"):
        return None
    return round(sum(clip.values[measure.name][1] for clip in clips if measure.name in clip.values))


def _given(run: Run, what: str) -> dict[str, str]:
    """The networks given for a renderer or a measure, and their sha256."""
    return {name: digest for name, digest in run.weights.items() if name.split()[0] == what}


@dataclass(frozen=True)
class Pair:
    """Two makers compared on the same clips.

    Attributes:
        track, group, measure: as in `Row`.
        a, b: renderer and number of views of either, as "flow-8".
        difference: b less a, the mean (or median) over clips; None where it is undefined.
        low, high: its 95 % bootstrap interval over clips: they differ where it leaves 0 out.
        n: clips that both have.
    """

    track: str
    group: str
    measure: str
    a: str
    b: str
    difference: float | None
    low: float | None
    high: float | None
    n: int


def pairs(run: Run, views: Sequence[int], seed: int) -> list[Pair]:
    """Every two makers of a run compared, clip by clip."""
    group = LONG if len(set(views)) > 1 else ALL
    clips: dict[tuple[str, int], dict[str, Kept]] = {}
    for kept in run.kept:
        # The baseline is the same picture for every number of views.
        if kept.facts["most_views"] >= max(views) and (kept.renderer != STILL or kept.views == min(views)):
            clips.setdefault((kept.renderer, kept.views), {})[kept.clip] = kept
    names = list(dict.fromkeys(name for name, _ in clips))
    makers = sorted(clips, key=lambda maker: (names.index(maker[0]), maker[1]))
    found = []
    for first, second in itertools.combinations(makers, 2):
        common = [clip for clip in clips[first] if clip in clips[second]]
        for measure in measures(run.track):
            if measure.pooled or measure.name == "personality" or _not_measured(run, measure):
                continue
            a, b = ([clips[maker][clip].figure(measure.name) for clip in common] for maker in (first, second))
            estimate = bootstrap.paired(a, b, measure.pool, seed)
            pair = Pair(
                track=run.track,
                group=group,
                measure=measure.name,
                a=f"{first[0]}-{first[1]}",
                b=f"{second[0]}-{second[1]}",
                difference=_known(estimate.value),
                low=_known(estimate.low),
                high=_known(estimate.high),
                n=estimate.n,
            )
            found.append(pair)
    return found


def _not_measured(run: Run, measure: Measure) -> bool:
    return measure.name in NOT_MEASURED and not _given(run, measure.name)


def _estimate(run: Run, clips: Sequence[Kept], measure: Measure, group: str, seed: int) -> tuple[Estimate, str | None]:
    """One figure over clips, and why it is undefined if it is."""
    nothing = Estimate(math.nan, math.nan, math.nan, 0)
    if _not_measured(run, measure):
        return nothing, NOT_MEASURED[measure.name]
    if measure.name in ("frechet_identity", "fid"):
        if group not in (ALL, LONG, TUNED):
            return nothing, "not measured: over all clips only, small sets make it too large"
        estimate = _fid(run, clips) if measure.name == "fid" else _frechet(run, clips, seed)
    elif measure.name == "personality":
        estimate = _personality(run, clips, seed)
    else:
        pairs = [clip.values.get(measure.name, (math.nan, 0.0)) for clip in clips]
        estimate = bootstrap.pooled([v for v, _ in pairs], [w for _, w in pairs], measure.pool, seed)
    if estimate.n:
        return estimate, None
    return estimate, "undefined: " + _UNDEFINED.get(measure.name.split("_")[0], "no clip has it")


_UNDEFINED = {
    "correlation": "no driver moves enough here",
    "amplitude": "no driver moves enough here",
    "blink": "no blinks",
    "jitter": "test frames are not consecutive (use --full)",
    "swim": "no background shows",
    "seam": "the painted region reaches the picture's edges",
    "personality": "needs two drivers",
    "csim": "the judge sees no face",
}


def _frechet(run: Run, clips: Sequence[Kept], seed: int) -> Estimate:
    """Identity features of all made frames against those of the true frames (self) or the portraits (cross)."""
    made, real = [], []
    for clip in clips:
        folder = ClipFolder(run.root, clip.clip)
        made.append(folder.watched(clip.renderer, kept_views(clip.renderer, clip.views)).vectors)
        if run.track == "self":
            real.append(folder.watched("truth", 0).vectors)
        else:
            real.append(ClipFolder(run.root / "portraits", clip.facts["portrait"]).watched("truth", 0).vectors)

    def distance(chosen: npt.NDArray[np.intp]) -> float:
        rows: list[Array] = [np.concatenate([side[i] for i in chosen]) for side in (made, real)]
        return frechet_identity(*rows)

    return bootstrap.over_sets(distance, len(clips), seed)


def _fid(run: Run, clips: Sequence[Kept]) -> Estimate:
    """Features of all made frames against those of the true frames; no interval: each draw would take seconds."""
    watched = [
        (folder.watched(clip.renderer, kept_views(clip.renderer, clip.views)), folder.watched("truth", 0))
        for clip in clips
        for folder in [ClipFolder(run.root, clip.clip)]
    ]
    made, real = (np.concatenate([side.features for side in sides]) for sides in zip(*watched, strict=True))
    return Estimate(frechet(made, real), math.nan, math.nan, len(clips))


def _personality(run: Run, clips: Sequence[Kept], seed: int) -> Estimate:
    """The mean over portraits of the share of their clips that are told to be their own driver's."""
    by_portrait: dict[str, list[Kept]] = {}
    for clip in clips:
        by_portrait.setdefault(clip.facts["portrait"], []).append(clip)
    shares = []
    for group in by_portrait.values():
        ours = [ClipFolder(run.root, clip.clip).watched(clip.renderer, 1).signals for clip in group]
        theirs = [ClipFolder(run.root / "drivers", clip.facts["driver"]).watched("truth", 0).signals for clip in group]
        shares.append(movement.personality(ours, theirs))
    return bootstrap.pooled(shares, [1.0] * len(shares), "mean", seed)


def info(
    run: Run,
    *,
    size: Size,
    seed: int,
    command: str,
    data: Mapping[str, str],
    renderers: Sequence[str],
    views: Sequence[int],
    seconds: float,
) -> dict[str, Any]:
    """Everything that somebody needs to do a run again, or to doubt it."""
    clips = {kept.clip: kept.facts["conditions"] for kept in run.kept}
    return {
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "data": dict(data),
        "size": asdict(size),
        "seed": seed,
        "renderers": list(renderers),
        "views": list(views),
        "fingerprint": run.fingerprint,
        "weights": run.weights,
        "versions": versions(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": _cores()},
        "clips": [{"clip": clip, "conditions": conditions} for clip, conditions in clips.items()],
        "showcase": run.showcase,
        "failed": [asdict(failure) for failure in run.failed],
        "warnings": run.warnings,
    }


def versions() -> dict[str, str]:
    """Versions of everything that could change a figure."""
    found = {"gioconda": __version__, "python": platform.python_version()}
    for name in ("numpy", "opencv-python-headless", "mediapipe", "onnxruntime", "av", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def warn(run: Run) -> None:
    """Add what a reader must know about the number of clips."""
    clips = {kept.clip for kept in run.kept}
    parts: dict[str, set[str]] = {}
    for kept in run.kept:
        for name in (f"{kept.renderer} {kept.views}", *kept.facts["conditions"]):
            parts.setdefault(name, set()).add(kept.clip)
    few = [f"{name} ({len(there)})" for name, there in sorted(parts.items()) if len(there) < FEW]
    if len(clips) < FEW:
        run.warnings.append(f"only {len(clips)} clips: fewer than {FEW} say little, read the intervals")
    elif few:
        run.warnings.append(f"fewer than {FEW} clips say little, read the intervals: {', '.join(few)}")
    if run.failed:
        run.warnings.append(f"{len(run.failed)} could not be measured; the reasons stand under 'failed'")


def merge(
    out: Path, track: str, about: dict[str, Any], found: Iterable[Row], compared: Iterable[Pair] = ()
) -> dict[str, Any]:
    """Write results.json with this run in the place of the same track's former one; give back the whole.

    Raises:
        UsageError: a file of that name is there that is something else.
        OutputError: it cannot be written.
    """
    before = read(out) if (out / NAME).exists() else {"runs": {}, "rows": [], "pairs": []}
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "runs": before["runs"] | {track: about},
        "rows": [row for row in before["rows"] if row["track"] != track] + [asdict(row) for row in found],
        "pairs": [pair for pair in before["pairs"] if pair["track"] != track] + [asdict(pair) for pair in compared],
    }
    write_text(out / NAME, dumps(whole))
    return whole


def dumps(whole: Mapping[str, Any]) -> str:
    """As JSON, one row a line."""
    head = json.dumps(plain({k: v for k, v in whole.items() if k not in _LISTS}), indent=1, allow_nan=False)[:-2]
    for name in _LISTS:
        lines = ",\n".join("  " + json.dumps(plain(row), allow_nan=False) for row in whole[name])
        head += f',\n "{name}": [\n{lines}\n ]'
    return head + "\n}\n"


def read(out: Path) -> dict[str, Any]:
    """The results of a folder.

    Raises:
        UsageError: there are none, or of another version.
    """
    path = out / NAME
    try:
        whole = parse_json(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; run 'gioconda evaluate' into {out} first") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise UsageError(f"{path} is not a result of 'gioconda evaluate'; choose another folder")
    if whole.get("version") != VERSION:
        raise UsageError(
            f"{path} is of version {whole.get('version')}, this program reads {VERSION}; choose another folder"
        )
    if not is_whole(whole, *([f.name for f in fields(kind)] for kind in (Row, Pair))):
        raise UsageError(f"{path} is incomplete; choose another folder, or delete it")
    return whole


def pick(whole: Mapping[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """The rows in which all of these hold."""
    return [row for row in whole["rows"] if all(row[key] == value for key, value in wanted.items())]


def shown(row: Mapping[str, Any], interval: bool = True) -> str:
    """A figure for people: `0.812 (0.79 to 0.83)`."""
    if row["value"] is None:
        return "not measured" if row["measure"] in NOT_MEASURED else "–"
    digits = BY_NAME[row["measure"]].digits
    text = f"{row['value']:.{digits}f}"
    if interval and row["low"] is not None:
        text += f" ({row['low']:.{digits}f} to {row['high']:.{digits}f})"
    return text


def markdown(whole: Mapping[str, Any]) -> str:
    """The figures as Markdown tables."""
    lines = ["# Results of `gioconda evaluate`", ""]
    for track, about in whole["runs"].items():
        lines += [
            f"## Track `{track}`",
            "",
            f"    {about['command']}",
            "",
            f"{len(about['clips'])} clips, size `{about['size']['name']}`, seed {about['seed']}, "
            f"Gioconda {about['versions']['gioconda']}, {about['created'][:10]}. In brackets: 95 % bootstrap interval "
            "over clips. CSIM: MobileFaceNet, trained on MS-Celeb-1M.",
            "",
        ]
        lines += [f"> {warning}" for warning in about["warnings"]] + [""] * bool(about["warnings"])
        groups = list(dict.fromkeys(row["group"] for row in pick(whole, track=track)))
        for group in groups:
            lines += _markdown_table(whole, track, group)
        if about["failed"]:
            lines += ["Not measured:", ""]
            lines += [f"* {failure['clip']}: {failure['reason']}" for failure in about["failed"]]
            lines += [""]
    return "\n".join(lines)


def _markdown_table(whole: Mapping[str, Any], track: str, group: str) -> list[str]:
    found = pick(whole, track=track, group=group)
    makers = list(dict.fromkeys((row["renderer"], row["views"]) for row in found))
    table = {(row["measure"], row["renderer"], row["views"]): row for row in found}
    heads = " | ".join(f"{renderer}, {views} view{'s' * (views > 1)}" for renderer, views in makers)
    lines = [
        f"### {GROUP_TITLES.get(group, group.capitalize())}",
        "",
        f"| measure | {heads} | clips |",
        "|---|" + "---|" * len(makers) + "---|",
    ]
    for measure in measures(track):
        cells = [table.get((measure.name, *maker)) for maker in makers]
        unit = f", {measure.unit}" if measure.unit else ""
        counts = sorted({row["n"] for row in cells if row})
        n = "–".join(map(str, counts[:1] + counts[-1:] if len(counts) > 1 else counts))
        figures = " | ".join(shown(row) if row else "" for row in cells)
        lines.append(f"| {measure.title}{unit} | {figures} | {n} |")
    return [*lines, ""]


GROUP_TITLES = {
    ALL: "All clips",
    LONG: "Shots that serve every number of views",
    TUNED: "Clips on which fine-tuned renderers are measured",
    "grey": "Grey pictures",
    "large pose": "Large poses (more than 25 degrees)",
    "soft": "Soft pictures",
}


def _known(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _cores() -> int:
    from os import cpu_count

    return cpu_count() or 1


def command_line() -> str:
    """The command that is running, as somebody would type it."""
    import shlex

    return shlex.join(["gioconda", *sys.argv[1:]])
