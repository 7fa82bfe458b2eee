"""Killed at random moments (SIGKILL): is nothing half-written under a final name, and does the next run work?

    python benchmarks/reliability/kills.py --times 50 --out kills.json [--work animate --work sketch]

Each kind of work is done once undisturbed, which gives its length and its result. Then it is begun, killed after a
random part of that length, looked at, and begun again in the same place; after every few kills it may finish, and what
comes out must be what came out undisturbed: frames pixel by pixel, losses of training digit by digit.

Processes are forked from one that has loaded everything but done nothing, so that most kills hit the work, not the
loading. One thread each: the processor's arithmetic is then the same every time.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

# Before NumPy is loaded, which would begin its threads.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from gioconda import cli

SIZE = 64
FRAMES, RATE = 50, 10
"""Of the clip, and of its second: a segment of four seconds and a piece."""
LESSONS = 0.04
"""Minutes of each piece of training."""
TRACKER_LESSONS = 0.12
"""Alike, for both of the tracker's networks together: they are larger."""
KILLS_A_ROUND = 5
LOADED = (
    *("gioconda.learning.export", "gioconda.learning.meta", "gioconda.learning.personalize", "gioconda.datasets.build"),
    *("gioconda.demo", "skimage.data", "gioconda.tracking.distilled", "c2pa", "cryptography.x509"),
    *("gioconda.credentials.verification", "gioconda.learning.tracker.export", "learning_doors", "makers"),
)
"""What is loaded before anything is forked; nothing of it begins a thread."""


@dataclass(frozen=True)
class Work:
    """Something that can be interrupted.

    Attributes:
        name: of it.
        prepare: makes what it needs, in a folder.
        do: does it, in a folder where `prepare` was.
        check: what is wrong with what lies under final names now; nothing, hopefully.
        result: what came out, to be compared; of training, the losses of steps by number.
    """

    name: str
    prepare: Callable[[Path], object]
    do: Callable[[Path], object]
    check: Callable[[Path], list[str]]
    result: Callable[[Path], Any]


# Clips


def _prepare_clip(folder: Path) -> None:
    from gioconda.demo import demo_portrait
    from gioconda.media.pictures import write_png
    from makers import acting

    write_png(folder / "a.png", demo_portrait().framed(size=128).views[0].rgb)
    acting(FRAMES / RATE, RATE).save(folder / "long.motion")


def _animate(folder: Path, *more: str) -> None:
    words = ["animate", f"{folder}/a.png", "--driver", f"{folder}/long.motion", "--size", str(SIZE)]
    _must(cli.main([*words, "--out", f"{folder}/clip.mp4", *more]))


def _must(code: int) -> None:
    if code:
        raise SystemExit(code)


def _frames(path: Path) -> list[bytes]:
    from gioconda.media.video import VideoReader

    with VideoReader(path) as video:
        return [frame.rgb.tobytes() for frame in video]


def _check_clip(folder: Path) -> list[str]:
    from gioconda.credentials.reading import read_credentials

    clip = folder / "clip.mp4"
    if not clip.exists():
        return []
    told = read_credentials(clip)
    whole = len(_frames(clip)) == FRAMES and told is not None and told.intact
    return [] if whole else [f"{clip.name} is there and not whole"]


# Avatars and training


def _tiny() -> Any:
    from gioconda.learning.meta import SketchTraining
    from gioconda.learning.networks import Shape

    shape = Shape(size=32, narrowest=4, widest=8, residuals=1, attention=False)
    return SketchTraining(shape=shape, views=2, people=2)


def _prepare_sketch(folder: Path) -> None:
    from makers import small_dataset

    small_dataset(folder / "data", {"a": "p1", "b": "p2"}, side=64)


def _sketch(folder: Path) -> None:
    from gioconda.learning.base import export_base
    from gioconda.learning.meta import train_sketch

    train_sketch(folder / "data", folder / "run", _tiny(), LESSONS, log_every=3)
    export_base(folder / "run", folder / "run" / "sketch.safetensors", {})


def _check_sketch(folder: Path) -> list[str]:
    from safetensors import safe_open

    wrong = []
    for name in ("checkpoint", "sketch"):
        path = folder / "run" / f"{name}.safetensors"
        if path.exists():
            try:
                with safe_open(path, framework="numpy") as file:
                    assert file.metadata()
            except Exception as error:
                wrong.append(f"{path.name}: {error}")
    return wrong + _check_log(folder / "run" / "log.jsonl")


def _check_log(path: Path) -> list[str]:
    try:
        _losses(path)
    except ValueError as error:
        return [f"log.jsonl: {error}"]
    return []


def _losses(path: Path) -> dict[int, list[dict[str, Any]]]:
    """What each step's lines say; a step may have been done twice, before and after a kill."""
    found: dict[int, list[dict[str, Any]]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        entry = json.loads(line)
        found.setdefault(entry.pop("step"), []).append(entry)
    return found


def _prepare_avatar(folder: Path) -> None:
    from dataclasses import asdict

    from gioconda.learning.base import export_base
    from gioconda.learning.checkpoint import NAME, save_checkpoint
    from gioconda.learning.meta import Learner

    _prepare_clip(folder)
    learner = Learner(_tiny(), 2, "cpu")
    save_checkpoint(folder / NAME, 3, asdict(_tiny()), learner.networks, learner.optimisers)
    export_base(folder, folder / "sketch.safetensors", {})


def _personalize(folder: Path) -> None:
    from gioconda import Portrait
    from gioconda.learning.fine_tuning import Pace
    from gioconda.learning.personal_sketch import SketchTuning, personalize_sketch

    soon = SketchTuning(batch=2, pace=Pace(check_every=2, patience=2))
    portrait = Portrait.from_pictures([folder / "a.png"])
    personalize_sketch(portrait, folder / "sketch.safetensors", settings=soon).save(folder / "me.avatar")


def _check_avatar(folder: Path) -> list[str]:
    from gioconda.avatar import Avatar
    from gioconda.errors import AvatarError

    path = folder / "me.avatar"
    try:
        if path.exists():
            Avatar.load(path)
    except AvatarError as error:
        return [str(error)]
    return []


def _warp(folder: Path) -> None:
    from gioconda.learning.export import export_warp
    from gioconda.learning.train_warp import WarpTraining, train_warp

    train_warp(folder / "data", folder / "run", WarpTraining(samples=12, batch=2), LESSONS, log=3)
    export_warp(folder / "run", folder / "run" / "warp.onnx", {"name": "warp"})


def _check_warp(folder: Path) -> list[str]:
    import onnx

    wrong = _check_sketch(folder)
    for path in (folder / "run").glob("pool-*.npy"):
        if len(np.load(path, mmap_mode="r", allow_pickle=False)) != 12:
            wrong.append(f"{path.name} is not whole")
    network = folder / "run" / "warp.onnx"
    if network.exists():
        onnx.checker.check_model(onnx.load(network))
    return wrong


def _prepare_tracker(folder: Path) -> None:
    from learning_doors import expression_of

    from gioconda.tracking.landmarker import EXPRESSIONS
    from makers import small_dataset

    small_dataset(folder / "data", {"a": "p1", "b": "p2", "c": "p3"}, stills=("s", "t"))
    (folder / "run").mkdir()
    expression_of(folder / "data", folder / "run", len(EXPRESSIONS))


def _tracker(folder: Path) -> None:
    from gioconda.learning.tracker.export import export_tracker
    from gioconda.learning.tracker.train import TrackerTraining, train_tracker

    settings = TrackerTraining(frames=12, batch=2)
    faces = train_tracker(folder / "data", folder / "a.task", folder / "run", settings, TRACKER_LESSONS, log=2)
    export_tracker(folder / "run", faces)


def _check_tracker(folder: Path) -> list[str]:
    import onnx
    from safetensors import safe_open

    run, wrong = folder / "run", []
    for path in run.glob("faces-*.npy"):
        if not len(np.load(path, mmap_mode="r", allow_pickle=False)):
            wrong.append(f"{path.name} is not whole")
    for part in ("landmarks", "detector"):
        if (run / f"{part}.safetensors").exists():
            with safe_open(run / f"{part}.safetensors", framework="numpy") as file:
                assert file.metadata()
        if (run / f"{part}.onnx").exists():
            onnx.checker.check_model(onnx.load(run / f"{part}.onnx"))
        wrong += _check_log(run / f"{part}.jsonl")
    if (run / "tracker.json").exists():
        assert json.loads((run / "tracker.json").read_text())["networks"]
    return wrong


def _tracker_losses(folder: Path) -> dict[int, list[dict[str, Any]]]:
    """Of both networks; the steps of the second are counted on from a million."""
    found = {}
    for part, offset in (("landmarks", 0), ("detector", 1_000_000)):
        for step, lines in _losses(folder / "run" / f"{part}.jsonl").items():
            found[offset + step] = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return found


# Datasets


def _prepare_footage(folder: Path) -> None:
    from gioconda.demo import demo_portrait
    from gioconda.media.pictures import write_png
    from makers import film

    face = demo_portrait().framed(size=256).views[0].rgb
    (folder / "videos").mkdir()
    for name in "ab":
        film(folder / "videos" / f"{name}.mp4", [np.roll(face, number, axis=1) for number in range(24)], 15)
    write_png(folder / "videos" / "c.png", face)


def _build(folder: Path) -> None:
    _must(cli.main(["dataset", "build", f"{folder}/videos", "--out", f"{folder}/data", "--size", "64"]))


def _check_build(folder: Path) -> list[str]:
    from gioconda.datasets.layout import read_landmarks, read_lines

    data = folder / "data"
    wrong = [f"{path.name} is not whole" for path in data.glob("clips/[!.]*.mp4") if not _frames(path)]
    for path in data.glob("clips/[!.]*.npy.xz"):
        read_landmarks(path)
    for name in ("clips", "stills"):
        if (data / f"{name}.jsonl").exists():
            rows = read_lines(data / f"{name}.jsonl")
            lost = [row["id"] for row in rows if not list((data / name).glob(f"{row['id']}.*"))]
            wrong += [f"{name}.jsonl names {id}, which is not there" for id in lost]
    return wrong


def _built(folder: Path) -> Any:
    kept = {}
    for path in sorted((folder / "data").rglob("*")):
        if path.suffix in (".mp4", ".xz", ".jpg", ".jsonl", ".npz") and path.name != "progress.jsonl":
            kept[str(path.relative_to(folder))] = _frames(path) if path.suffix == ".mp4" else path.read_bytes()
    return kept


WORKS = (
    Work("animate", _prepare_clip, _animate, _check_clip, lambda folder: _frames(folder / "clip.mp4")),
    Work(
        "animate --resume",
        _prepare_clip,
        lambda folder: _animate(folder, "--resume"),
        _check_clip,
        lambda folder: _frames(folder / "clip.mp4"),
    ),
    Work(
        "personalize",
        _prepare_avatar,
        _personalize,
        _check_avatar,
        lambda folder: (folder / "me.avatar").read_bytes(),
    ),
    Work("train sketch", _prepare_sketch, _sketch, _check_sketch, lambda folder: _losses(folder / "run" / "log.jsonl")),
    Work("train warp", _prepare_sketch, _warp, _check_warp, lambda folder: _losses(folder / "run" / "log.jsonl")),
    Work("train tracker", _prepare_tracker, _tracker, _check_tracker, _tracker_losses),
    Work("dataset build", _prepare_footage, _build, _check_build, _built),
)
"""All of them."""


def forked(task: Callable[[], object], errors: Path) -> int:
    """A process that does something in one thread; its number. What it prints goes to a file."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        cv2.setNumThreads(1)
        with suppress(ImportError):
            import torch

            torch.set_num_threads(1)
        task()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def done(task: Callable[[], object], errors: Path) -> float:
    """Seconds that a task took in a process of its own. Raises RuntimeError where it fails."""
    began = time.monotonic()
    _, status = os.waitpid(forked(task, errors), 0)
    if status:
        raise RuntimeError(f"it failed: {errors.read_text()[-2000:]}")
    return time.monotonic() - began


def differences(result: Any, reference: Any) -> list[str]:
    """In what differs what came out from what should; of training, at steps that both have logged."""
    if not isinstance(result, dict) or not all(isinstance(key, int) for key in result):
        return [] if result == reference else ["not what came out undisturbed"]
    common = sorted(set(result) & set(reference))
    if len(common) < 2:
        return [f"too few steps to compare: {sorted(result)} and {sorted(reference)}"]
    return [
        f"step {step}: {line}, not {reference[step][0]}"
        for step in common
        for line in result[step]
        if line != reference[step][0]
    ]


def killed(work: Work, times: int, place: Path, random: Random) -> Iterator[dict[str, Any]]:
    """Kill some work many times; what was seen so far, after each time that it may finish."""
    errors, undisturbed = place / "errors.txt", place / "undisturbed"
    _prepared(work, undisturbed, errors)
    length = done(lambda: work.do(undisturbed), errors)
    if work.name.startswith("train"):  # kills and new beginnings may add up to more steps than one piece of work has
        done(lambda: work.do(undisturbed), errors)
    kills, too_late, finished, wrong = 0, 0, 0, list[str]()
    began = time.monotonic()
    while kills < times:
        folder = _prepared(work, place / f"disturbed{finished}", errors)
        do = partial(work.do, folder)
        for _ in range(min(KILLS_A_ROUND, times - kills)):
            pid = forked(do, errors)
            time.sleep(random.uniform(0, length))
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            kills += os.WIFSIGNALED(status)
            too_late += not os.WIFSIGNALED(status)
            wrong += [f"after kill {kills}: {what}" for what in _seen(partial(work.check, folder), errors)]
        done(do, errors)
        finished += 1
        wrong += [f"after kill {kills}: {what}" for what in _seen(partial(_same, work, folder, undisturbed), errors)]
        shutil.rmtree(folder)
        yield {
            "work": work.name,
            "kills": kills,
            "ended_before_the_kill": too_late,
            "finished_after_kills": finished,
            "wrong": wrong,
            "seconds_undisturbed": round(length, 1),
            "seconds": round(time.monotonic() - began),
        }


def _prepared(work: Work, folder: Path, errors: Path) -> Path:
    folder.mkdir()
    done(partial(work.prepare, folder), errors)
    return folder


def _same(work: Work, folder: Path, undisturbed: Path) -> list[str]:
    return differences(work.result(folder), work.result(undisturbed))


def _seen(look: Callable[[], list[str]], errors: Path) -> list[str]:
    """What is seen of some files, by a process of its own: whoever forks must not have begun threads."""
    said = errors.with_name("seen.json")
    done(lambda: said.write_text(json.dumps(look())), errors)
    return list(json.loads(said.read_text()))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", choices=[work.name for work in WORKS], action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in LOADED:
        importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "whoever forks must not have begun threads"
    rows: list[dict[str, Any]] = []
    for work in WORKS:
        if options.work and work.name not in options.work:
            continue
        with tempfile.TemporaryDirectory(prefix="gioconda-kills-") as place:
            for row in killed(work, options.times, Path(place), Random(f"{options.seed} {work.name}")):
                print({**row, "wrong": row["wrong"][:5]}, flush=True)
                if options.out:
                    options.out.write_text(json.dumps([*rows, row], indent=1) + "\n")
            rows.append(row)


if __name__ == "__main__":
    main()
