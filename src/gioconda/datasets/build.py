"""`gioconda dataset build`: a folder of videos and pictures becomes a dataset folder; interrupted, it goes on later.

What is measured of each file goes to `progress.jsonl`, one line as the file is finished. The lists of the dataset
are made from that and from what is known of people and licences, at the end and anew each time: so a corrected
list of people or another filter costs seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import av

from gioconda.datasets.identity import check_network
from gioconda.datasets.layout import (
    SKIPPED,
    ClipRow,
    StillRow,
    starts_with,
    write_bytes,
    write_lines,
    write_lists,
)
from gioconda.datasets.people import People, sort_out
from gioconda.datasets.sheet import write_sheet
from gioconda.datasets.sources import LABEL_FILES, Label, find_files, label, read_labels, unused
from gioconda.datasets.sources import People as PeopleRule
from gioconda.datasets.summary import Summary
from gioconda.datasets.work import Done, Job, Settings, process, still_points
from gioconda.errors import GiocondaError, OutputError, UsageError
from gioconda.media.files import sha256_of, spoken_os_error
from gioconda.media.pictures import PICTURE_SUFFIXES
from gioconda.media.video import open_media
from gioconda.processes import WorkerDiedError
from gioconda.progress import Progress, quiet
from gioconda.tracking import tracker_named
from gioconda.untrusted import parse_json
from gioconda.workers import workers

SETTINGS, PROGRESS, SHEET = "build.json", "progress.jsonl", "sheet.jpg"
SAME_PERSON = 0.5
"""Cosine from which two faces are one person's: of 163 people, filmed 220 times, the two most alike had 0.42."""
BYTES_A_MINUTE = 2_500_000
"""Of a minute of one face at 256 pixels a side, frames and landmarks: 1.9 million measured, and some more."""
BYTES_A_PICTURE = 40_000
RESERVE = 100_000_000
"""Bytes of disk that are left free."""
DIED = "the process that read it died: a decoder crashed, or memory ran out"
PROBED = 50
"""Videos, evenly spread over the folder, whose length is looked up to estimate that of all."""


@dataclass(frozen=True)
class Choice:
    """What goes into the lists, from what was found; it may differ from one run to the next.

    Attributes:
        people: whether folders name people, or every video is one.
        labels: lists of people, licences and kinds, beside those in the folder itself.
        licence: of files of which no list states one.
        only: beginnings of the licences to take; empty: any.
        without: beginnings of the licences to leave out.
        same_person: cosine from which two faces are one person's, where identity is measured.
        eval_share: share of the people for evaluation, 0 to 1, about.
        seed: of the parting into splits.
    """

    people: PeopleRule = "folders"
    labels: Sequence[Path] = ()
    licence: str | None = None
    only: Sequence[str] = ()
    without: Sequence[str] = ()
    same_person: float = SAME_PERSON
    eval_share: float = 0.1
    seed: int = 0

    def takes(self, licence: str) -> bool:
        """Whether footage under a licence is wanted."""
        return (not self.only or starts_with(licence, self.only)) and not starts_with(licence, self.without)


def build(
    videos: Path,
    out: Path,
    settings: Settings | None = None,
    choice: Choice | None = None,
    *,
    identity: Path | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Progress = quiet,
) -> Summary:
    """Make a dataset folder, or go on making it.

    Args:
        videos: videos and pictures, in any number of folders.
        out: the dataset; new, or of an earlier run with the same settings.
        settings: what the shots are like.
        choice: what goes into the lists.
        identity: a face-recognition network (`identity.py`); None: people are told apart by names only.
        jobs: files at a time, each in a process of its own.
        cluster: HOST:PORT of a Ray cluster, whose processes take the place of this machine's.
        progress: told about every file.

    Raises:
        UsageError: a number out of range, a list that is wrong, nothing in the folder, another run at work, no such
            cluster.
        MissingExtraError: the tracker is not installed, or Ray.
        OutputError: the dataset cannot be written, or the disk is too small.
    """
    settings, choice = settings or Settings(), choice or Choice()
    _check(videos, out, settings, choice, jobs)
    tracker_named(settings.tracker)  # where it is not installed, that is said once, not of every file
    if identity is not None:
        check_network(identity)
    files = find_files(videos)
    lists = [*(videos / name for name in LABEL_FILES if (videos / name).is_file()), *choice.labels]
    said = read_labels(lists)
    labels = {file: label(file, said, choice.people, choice.licence) for file in files}
    unwanted = [file for file in files if not choice.takes(labels[file].licence)]
    with _claimed(out, settings, identity) as log:
        done = log.read()
        todo = [file for file in files if file not in unwanted and not _is_done(videos / file, done.get(file))]
        _check_space(videos, todo, out, settings)
        # Workers of a cluster are at home in other folders.
        network = identity.absolute() if identity else None
        work = (Job((videos / file).absolute(), file, out.absolute(), settings, network) for file in todo)
        with (
            progress("files", len(todo)) as tick,
            workers(jobs, cluster) as work_off,
            contextlib.closing(work_off(process, work)) as results,
        ):
            for job, result in results:
                done[job.file] = _done(job, result)
                log.add(done[job.file])
                _check_room(out)
                tick()
        return _finish(out, done, labels, said, choice, measured=identity is not None)


def _done(job: Job, result: Done | Exception) -> Done:
    match result:
        case Done():
            return result
        case WorkerDiedError():
            return Done(job.file, 0, skipped=DIED)
    raise result


def _check(videos: Path, out: Path, settings: Settings, choice: Choice, jobs: int) -> None:
    for name, value, low, high in (
        ("--size", settings.size, 64, 1024),
        ("--faces", settings.faces, 1, 16),
        ("--max-upscale", settings.max_upscale, 0.1, 8),
        ("--least-frames", settings.least_frames, 2, 10_000),
        ("--longest", settings.longest, 1, 600),
        ("--same-person", choice.same_person, 0, 1),
        ("--eval-share", choice.eval_share, 0, 1),
        ("--jobs", jobs, 1, 1024),
    ):
        if not low <= value <= high:
            raise UsageError(f"{name} is {value:g}, must be {low:g} to {high:g}")
    if settings.size % 2:
        raise UsageError(f"--size is {settings.size}, must be even")
    if not videos.is_dir():
        raise UsageError(f"{videos} is not a folder; give a folder of videos")
    if out.resolve().is_relative_to(videos.resolve()):
        raise UsageError(f"--out {out} lies in the folder of videos; choose a place outside it")


def _is_done(path: Path, done: Done | None) -> bool:
    """Whether a file need not be looked at again. One under which a process died is: memory may have been short."""
    return done is not None and done.skipped != DIED and path.is_file() and path.stat().st_size == done.bytes


# What was done so far


class _Log:
    """`progress.jsonl`: a line for each finished file; of two for the same file the last counts."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self) -> dict[str, Done]:
        """What is finished. A last line that was cut short by the end of a run is removed from the file."""
        done: dict[str, Done] = {}
        self._file.seek(0)
        whole = 0
        for line in self._file:
            try:
                entry = Done.of(parse_json(line))
            except (ValueError, TypeError, KeyError):
                break
            if not line.endswith(b"\n"):
                break
            done[entry.file] = entry
            whole += len(line)
        self._file.truncate(whole)
        self._file.seek(whole)
        return done

    def add(self, done: Done) -> None:
        """Append a line, on the disk before anything else is done."""
        try:
            self._file.write(json.dumps(done.line(), ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self._file.name}: {spoken_os_error(error)}") from error


@contextlib.contextmanager
def _claimed(out: Path, settings: Settings, identity: Path | None) -> Iterator[_Log]:
    """The folder for this run alone, with what earlier runs noted in it."""
    network = sha256_of(identity) if identity else None
    wanted = {"format": "gioconda-dataset", "version": 1, "settings": asdict(settings), "identity": network}
    try:
        out.mkdir(exist_ok=True)
        if not (out / SETTINGS).exists() and any(out.iterdir()):
            raise OutputError(f"{out} is a folder with files in it that no build made; give a new or an empty folder")
        if not (out / SETTINGS).exists():
            write_bytes(out / SETTINGS, json.dumps(wanted, indent=1).encode())
        made = _dict(parse_json((out / SETTINGS).read_bytes()))
        # What a build of an earlier version could not choose was as it is now by default.
        _compare(out, {**made, "settings": {**asdict(Settings()), **_dict(made.get("settings"))}}, wanted)
        for name in ("clips", "stills"):
            (out / name).mkdir(exist_ok=True)
        file = (out / PROGRESS).open("a+b")
    except OSError as error:
        raise OutputError(f"cannot write {out}: {spoken_os_error(error)}") from error
    except ValueError as error:
        raise OutputError(f"{out / SETTINGS} is damaged ({error}); give a new folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another run is building {out}; wait for it, or give another folder") from None
        for folder in (out, out / "clips", out / "stills"):
            for part in folder.glob(".*.part-*"):
                part.unlink(missing_ok=True)
        yield _Log(file)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _compare(out: Path, made: dict[str, Any], wanted: dict[str, Any]) -> None:
    if made == wanted:
        return
    before, now = ({**_dict(about.get("settings")), "identity": about.get("identity")} for about in (made, wanted))
    other = sorted(key for key in now if before.get(key) != now[key])
    raise UsageError(
        f"{out} was begun with another {' and '.join(other) or 'version of this program'}; "
        "go on with the same, or give a new folder"
    )


# Disk


def _check_space(videos: Path, files: Sequence[str], out: Path, settings: Settings) -> None:
    """Refuse to begin what will not fit, as far as lengths tell: one face all the time."""
    pictures = [file for file in files if file.lower().endswith(PICTURE_SUFFIXES)]
    moving = [file for file in files if not file.lower().endswith(PICTURE_SUFFIXES)]
    step = max(1, math.ceil(len(moving) / PROBED))
    lengths = [_seconds(videos / file) for file in moving[::step]]
    seconds = sum(lengths) / max(len(lengths), 1) * len(moving)
    scale = (settings.size / 256) ** 2
    needed = scale * (seconds / 60 * BYTES_A_MINUTE + len(pictures) * BYTES_A_PICTURE) + RESERVE
    free = shutil.disk_usage(out).free
    if needed > free:
        raise OutputError(
            f"{out}: about {needed / 1e9:.1f} GB are needed for {seconds / 3600:.1f} hours of video, and "
            f"{free / 1e9:.1f} GB are free; free some space, choose another folder, a smaller --size, or a part of "
            "the videos"
        )


def _seconds(path: Path) -> float:
    """Length of a video, by what the file says; 0 where it cannot be read."""
    try:
        with open_media(path) as container:
            return max(0.0, (container.duration or 0) / av.time_base)
    except GiocondaError:
        return 0.0


def _check_room(out: Path) -> None:
    free = shutil.disk_usage(out).free
    if free < RESERVE / 2:
        raise OutputError(
            f"{out}: only {free / 1e6:.0f} MB are free; nothing that is finished is lost: "
            "free some space and give the same command again"
        )


# Lists


@dataclass(frozen=True)
class _Skip:
    file: str
    reason: str


def _finish(
    out: Path,
    done: Mapping[str, Done],
    labels: dict[str, Label],
    said: Mapping[str, Mapping[str, str]],
    choice: Choice,
    measured: bool,
) -> Summary:
    """Write the lists and the sheet."""
    skipped: list[_Skip] = []
    used: list[Done] = []
    seen: dict[str, str] = {}
    for file in sorted({*done, *labels}):
        # Footage that was moved away since stays in the dataset.
        labels.setdefault(file, label(file, said, choice.people, choice.licence))
        entry = done.get(file)
        if not choice.takes(labels[file].licence):
            skipped.append(_Skip(file, f"its licence ({labels[file].licence}) is not among those wanted"))
        elif entry is None:
            continue
        elif entry.skipped is not None:
            skipped.append(_Skip(file, entry.skipped))
        elif entry.sha256 in seen:
            skipped.append(_Skip(file, f"the same file as {seen[entry.sha256]}"))
        else:
            seen[entry.sha256] = file
            used.append(entry)
    people = sort_out(
        used,
        labels,
        same=choice.same_person,
        measured=measured,
        share=choice.eval_share,
        seed=choice.seed,
    )
    clips = [row for entry in used for row in _clips(entry, labels[entry.file], people)]
    stills = [row for entry in used for row in _stills(entry, labels[entry.file], people)]
    points = {facts.id: still_points(facts) for entry in used for facts in entry.stills}
    write_lists(out, map(asdict, clips), map(asdict, stills), points)
    write_lines(out / SKIPPED, map(asdict, skipped))
    if clips or stills:
        write_sheet(out, clips, stills, points, out / SHEET)
    return Summary.of(
        clips, stills, used, [(skip.file, skip.reason) for skip in skipped], people.merged, unused(said, labels)
    )


def _clips(done: Done, label: Label, people: People) -> Iterator[ClipRow]:
    for facts in done.shots:
        person = people.person[facts.id]
        yield ClipRow(
            id=facts.id,
            person=person,
            split=people.split[person],
            frames=facts.frames,
            fps=facts.fps,
            upscale=facts.upscale,
            sharpness=facts.sharpness,
            mouth_motion=facts.mouth_motion,
            head_motion=facts.head_motion,
            source=done.file,
            start=facts.start,
            licence=label.licence,
        )


def _stills(done: Done, label: Label, people: People) -> Iterator[StillRow]:
    for facts in done.stills:
        person = people.person[facts.id]
        yield StillRow(
            id=facts.id,
            person=person,
            split=people.split[person],
            kind=label.kind,
            upscale=facts.upscale,
            mouth_open=facts.mouth_open,
            sharpness=facts.sharpness,
            source=done.file,
            licence=label.licence,
        )
