"""Work the list off: what is there is kept, failures are noted, the summary is always up to date."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, fields, replace
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gioconda import __version__
from gioconda.batch.contact_sheet import contact_sheet
from gioconda.batch.make import Outcome, make_clip, track_driver, track_portrait
from gioconda.batch.plan import Work
from gioconda.errors import FileError, GiocondaError, OutputError, UsageError
from gioconda.media.files import sha256_of, spoken_os_error, whole_file
from gioconda.media.pictures import write_png
from gioconda.processes import WorkerDiedError
from gioconda.progress import Progress, quiet
from gioconda.rendering.renderer import own_network
from gioconda.workers import WorkOff, workers

SUMMARY, SHEET = "summary.json", "contact-sheet.png"


def run_batch(
    works: Sequence[Work],
    *,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Progress = quiet,
    told: Callable[[Outcome], object] = lambda outcome: None,
) -> list[Outcome]:
    """Make the clips that are not there yet; one that fails stops nothing. Writes a summary and a contact sheet.

    Args:
        works: from `plan`: all in one folder, which is made if need be.
        jobs: processes at a time.
        cluster: HOST:PORT of a Ray cluster, whose processes take the place of this machine's.
        progress: told about every clip.
        told: called with what became of each, as they get done.

    Returns:
        What became of each, in the order of the list.

    Raises:
        OutputError: the folder cannot be written to.
        UsageError: no process at all, or no such cluster.
        MissingExtraError: Ray is not installed.
    """
    if jobs < 1:
        raise UsageError(f"--jobs {jobs}: use at least 1")
    with workers(jobs, cluster) as work_off:
        return _worked_off(works, work_off, progress, told)


def _worked_off(
    works: Sequence[Work],
    work_off: WorkOff,
    progress: Progress,
    told: Callable[[Outcome], object],
) -> list[Outcome]:
    """As `run_batch`."""
    out = works[0].out.parent
    try:
        works[0].store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {spoken_os_error(error)}") from error
    for work in works:
        _sweep(work)
    keys = _keys(works)
    kept = _kept(works, keys)
    todo = [work for work in works if work not in kept]
    record = _Record(out, works, time.perf_counter(), kept)
    record.write()
    with progress("clips", len(works)) as tick:
        for outcome in kept.values():
            told(outcome)
            tick()

        def note(work: Work, outcome: Outcome) -> None:
            record.outcomes[work] = outcome
            record.write()
            told(outcome)
            tick()

        try:
            ready = []
            for work, failure in _tracked(todo, work_off):
                if failure is None:
                    ready.append(work)
                else:
                    note(work, _failed(work, failure))
            with closing(work_off(make_clip, ready)) as made:
                for work, result in made:
                    note(
                        work, replace(result, key=keys[work]) if isinstance(result, Outcome) else _failed(work, result)
                    )
        finally:
            for work in todo:
                _sweep(work)
    write_png(out / SHEET, _sheet(works, record.outcomes))
    return [record.outcomes[work] for work in works]


def _tracked(works: Sequence[Work], work_off: WorkOff) -> list[tuple[Work, Exception | None]]:
    """Track each portrait and each driver once; gives the works with the reason why one cannot be made."""
    portraits = {work.picture: work for work in works}
    drivers = {work.driver: work for work in works}
    with closing(work_off(track_portrait, portraits.values())) as done:
        portrait_errors = {work.picture: result for work, result in done}
    with closing(work_off(track_driver, drivers.values())) as done:
        driver_errors = {work.driver: result for work, result in done}
    return [(work, portrait_errors[work.picture] or driver_errors[work.driver]) for work in works]


@dataclass(frozen=True)
class _Record:
    """What became of the clips so far, in memory and on disk."""

    out: Path
    works: Sequence[Work]
    began: float
    outcomes: dict[Work, Outcome]

    def write(self) -> None:
        told = [self.outcomes[work] for work in self.works if work in self.outcomes]
        summary = {
            "gioconda": __version__,
            "seconds": round(time.perf_counter() - self.began, 1),
            "clips": len(self.works),
            **{state: sum(o.state == state for o in told) for state in ("done", "kept", "failed")},
            "drawing": asdict(self.works[0].drawing),
            "outcomes": [asdict(o) for o in told],
        }
        try:
            with whole_file(self.out / SUMMARY) as file:
                file.write(json.dumps(summary, indent=1, default=str).encode())
        except OSError as error:
            raise OutputError(f"cannot write {self.out / SUMMARY}: {spoken_os_error(error)}") from error


def _kept(works: Sequence[Work], keys: dict[Work, str]) -> dict[Work, Outcome]:
    """What an earlier batch in the same folder finished, as far as it would come out the same now."""
    names = {f.name for f in fields(Outcome)}
    before: dict[str, Outcome] = {}
    with suppress(OSError, ValueError, KeyError, TypeError):  # none, or of another program
        entries: list[dict[str, Any]] = json.loads((works[0].out.parent / SUMMARY).read_bytes())["outcomes"]
        before = {entry["key"]: Outcome(**{name: entry[name] for name in names}) for entry in entries}
    return {
        work: replace(before[keys[work]], state="kept")
        for work in works
        if keys[work] in before and _is_whole(work, before[keys[work]])
    }


def _is_whole(work: Work, outcome: Outcome) -> bool:
    same = outcome.clip == work.out.name and work.out.is_file() and work.out.stat().st_size == outcome.bytes
    return same and work.thumbnail.is_file()


def _keys(works: Sequence[Work]) -> dict[Work, str]:
    """What each clip is made of: it changes with the contents of the files, the settings and the program."""

    def contents(path: Path | str | None) -> str | None:
        try:
            return sha256_of(Path(path)) if path else None
        except FileError:  # no file: the name of a built-in performance, or nothing that will work
            return None

    networks = {work: work.drawing.weights or own_network(work.drawing.renderer) for work in works}
    parts = {p for w in works for p in (w.picture, w.driver, networks[w], w.drawing.certificate)}
    files = {path: contents(path) for path in parts}
    keys = {}
    for work in works:
        signed = {"certificate": files[work.drawing.certificate], "key": None}
        settings = {**asdict(work.drawing), "weights": files[networks[work]], **signed}
        made_of = [__version__, files[work.picture], files[work.driver] or work.driver, settings]
        keys[work] = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]
    return keys


def _failed(work: Work, error: Exception) -> Outcome:
    match error:
        case GiocondaError():
            kind, reason = error.id, str(error)
        case WorkerDiedError():
            kind, reason = "killed", "the process that made it was killed; was there memory enough? use fewer --jobs"
        case _:
            kind, reason = "fault", f"{type(error).__name__}: {error}"
    return Outcome(work.out.name, str(work.picture), work.driver, "failed", reason=reason, error=kind)


def _sweep(work: Work) -> None:
    """Remove what a killed process left half-written of a clip."""
    for folder in (work.out.parent, work.store):
        for litter in folder.glob(f".{escape(work.out.name)}*.part-*"):
            with suppress(OSError):
                litter.unlink()


def _sheet(works: Sequence[Work], outcomes: dict[Work, Outcome]) -> NDArray[np.uint8]:
    """A row for each portrait, a column for each driver."""
    pictures = list(dict.fromkeys(work.picture for work in works))
    drivers = list(dict.fromkeys(work.driver for work in works))
    cells: list[list[NDArray[np.uint8] | None]] = [[None] * len(drivers) for _ in pictures]
    for work in works:
        if outcomes[work].state != "failed":
            with Image.open(work.thumbnail) as thumbnail:
                cells[pictures.index(work.picture)][drivers.index(work.driver)] = np.array(thumbnail.convert("RGB"))
    return contact_sheet([p.name for p in pictures], [Path(d).name for d in drivers], cells)
