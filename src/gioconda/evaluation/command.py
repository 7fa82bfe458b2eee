"""What `gioconda evaluate` does, from options to files."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gioconda.errors import MissingExtraError, OutputError, UsageError
from gioconda.evaluation import protocol, renderers, report, results
from gioconda.evaluation.judges import Judges
from gioconda.evaluation.protocol import SIZES, Run
from gioconda.evaluation.store import write_text
from gioconda.progress import Progress, quiet
from gioconda.rendering.renderer import DEFAULT_RENDERER
from gioconda.tracking.tracker import TRACKERS, TrackerName, tracker_named

TRACKS = ("self", "cross")


def evaluate(
    out: Path,
    models: Path,
    *,
    track: str = "self",
    data: Path | None = None,
    portraits: Path | None = None,
    drivers: Path | None = None,
    labels: Path | None = None,
    tracker: TrackerName = TRACKERS[0],
    renderer_names: Sequence[str] = (DEFAULT_RENDERER,),
    weights: Sequence[Path] = (),
    lpips: Path | None = None,
    fid: Path | None = None,
    views: Sequence[int] = (1,),
    size: str = "default",
    seed: int = 0,
    jobs: int = 2,
    command: str = "",
    progress: Progress = quiet,
) -> Run:
    """Measure, and write results.json, results.md and report.html into a folder.

    Args:
        out: the folder; figures of an interrupted run that lie there are used.
        models: folder of the measuring networks.
        track: self or cross.
        data: dataset folder or folder of videos (self).
        portraits: folder of pictures (cross).
        drivers: folder of videos (cross).
        labels: what is known of the portraits (cross); None for portraits.jsonl beside them.
        tracker: finds the faces of portraits and drivers (cross); a dataset has its landmarks.
        renderer_names: what is measured; the baseline runs beside it.
        weights: the networks of those that have one, in their order.
        lpips: the network of LPIPS (self), a safetensors file; None: not measured.
        fid: the network of FID (self), likewise.
        views: numbers of pictures of the person (self).
        size: quick, default or full.
        seed: of the bootstrap.
        jobs: how many clips at a time.
        command: as it was typed, to be noted.
        progress: told about every clip.

    Raises:
        UsageError: options that do not go together, data of no use, a leak.
        MissingExtraError: the measuring networks cannot be run; LPIPS or FID without the extra `learn`.
        OutputError: the folder cannot be written.
    """
    contenders = renderers.check(renderer_names, views, weights)
    if track not in TRACKS:
        raise UsageError(f"--track {track}: use self or cross")
    if track == "cross" and (lpips or fid):
        raise UsageError("--lpips and --fid compare with true frames: they need --track self")
    if track == "self" and tracker != TRACKERS[0]:
        raise UsageError("--tracker is for --track cross: the landmarks of --track self are the dataset's")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; give a folder")
    if (out / results.NAME).exists():
        results.read(out)  # refuses a foreign file before any work is done
    began = time.monotonic()
    judges, given = _with_given(Judges.load(models), lpips, fid)
    given |= {one.name: one.weights for one in contenders if one.weights is not None}
    run = protocol.start(track, models, out, SIZES[size], given, tracker)
    numbers = sorted(set(views))
    if track == "self":
        if data is None or portraits or drivers:
            raise UsageError("--track self needs DATA, a dataset folder or a folder of videos, and nothing else")
        protocol.run_self(data, contenders, numbers, judges, run, SIZES[size], jobs, progress)
        used = {"data": str(data)}
    else:
        if portraits is None or drivers is None:
            raise UsageError("--track cross needs --portraits and --drivers")
        if numbers != [1]:
            raise UsageError("--track cross has one picture of each portrait: leave --views away")
        protocol.run_cross(
            portraits, drivers, contenders, judges, run, SIZES[size], labels, tracker_named(tracker), jobs, progress
        )
        used = {"portraits": str(portraits), "drivers": str(drivers)}
    if not run.kept:
        reasons = "; ".join(f"{failure.clip}: {failure.reason}" for failure in run.failed[:3])
        raise UsageError(f"not one clip could be measured ({reasons})")
    results.warn(run)
    found = results.rows(run, numbers, seed)
    about = results.info(
        run,
        size=SIZES[size],
        seed=seed,
        command=command,
        data=used,
        renderers=[one.name for one in contenders],
        views=numbers,
        seconds=time.monotonic() - began,
    )
    whole = results.merge(out, track, about, found, results.pairs(run, numbers, seed))
    write_text(out / "results.md", results.markdown(whole))
    report.write(out)
    prune(out / "runs", [one["fingerprint"] for one in whole["runs"].values()])
    return run


def _with_given(judges: Judges, lpips: Path | None, fid: Path | None) -> tuple[Judges, dict[str, Path]]:
    """The judges with those networks that only a user can give, and the files of these by name."""
    files: dict[str, Path] = {}
    if lpips is None and fid is None:
        return judges, files
    try:
        from gioconda.evaluation.inception import Inception
        from gioconda.evaluation.lpips import Lpips
    except ImportError as error:
        raise MissingExtraError("LPIPS and FID need the extra 'learn': pip install 'gioconda[learn]'") from error
    if lpips is not None:
        distance = Lpips(lpips)
        files[f"lpips {distance.kind}"] = lpips
        judges = replace(judges, lpips=distance)
    if fid is not None:
        files["fid inception"] = fid
        judges = replace(judges, inception=Inception(fid))
    return judges, files


def prune(folder: Path, used: Sequence[str]) -> None:
    """Remove the figures kept of runs that no results stand on any more; nothing else in the folder is touched."""
    for path in folder.iterdir():
        if re.fullmatch("[0-9a-f]{12}", path.name) and path.name not in used and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def summary(out: Path, track: str) -> str:
    """The most telling figures, for the terminal."""
    whole = results.read(out)
    telling = {
        "self": (
            "l1_face",
            "l1_mouth",
            "ssim_face",
            "akd",
            "csim_truth",
            "aed",
            "apd",
            "correlation_mouth",
            "lpips",
            "fid",
        ),
        "cross": ("csim_portrait", "csim_worst", "aed", "apd", "correlation_mouth", "amplitude_mouth", "personality"),
    }[track]
    found = results.pick(whole, track=track, group=report.main_group(whole, track))
    makers = list(dict.fromkeys((row["renderer"], row["views"]) for row in found))
    lines = [f"{'':20}" + "".join(f"{f'{name} {views}':>14}" for name, views in makers)]
    for measure in telling:
        cells = {(row["renderer"], row["views"]): row for row in found if row["measure"] == measure}
        figures = (results.shown(cells[maker], interval=False) for maker in makers)
        lines.append(f"{measure:20}" + "".join(f"{figure:>14}" for figure in figures))
    return "\n".join(lines)
