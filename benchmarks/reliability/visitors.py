"""Many visitors at the studio's door at once: does everybody get a clip, in turn, and nobody somebody else's?

    python benchmarks/reliability/visitors.py --visitors 50 --out visitors.json

The real `gioconda studio` in a process of its own; every visitor is a thread with a cookie of its own, as a browser has
one. All come at the same moment, hand in a picture of their own, in a frame of their own colour, and ask for a clip.
Whoever is told that the queue is full comes again after a pause, as people do. In the end everybody tries to get
everybody else's files; then all leave. After them some tabs with large pictures are opened and closed, one by one.
"""

from __future__ import annotations

import argparse
import colorsys
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from gioconda import animate
from gioconda.demo import demo_portrait
from gioconda.media.pictures import read_picture, write_png
from gioconda.media.video import VideoReader
from makers import acting, film
from served import Memory, Served, Visitor, resident

SIDE, FRAME = 96, 8
"""Pixels of a picture, and of its coloured frame."""
PAUSE = (1.0, 3.0)
"""Seconds after which somebody comes again: at least, at most."""
PATIENCE = 600.0
"""Seconds for everything together."""


@dataclass(frozen=True)
class Ask:
    """Being let into the queue, or not: when it was asked for, and when answered, in seconds of one clock."""

    asked: float
    answered: float
    let_in: bool


@dataclass
class Visit:
    """What happened to one visitor.

    Attributes:
        asks: every time that a clip was asked for; only the last may have been let in.
        served: when the clip was ready, in seconds of the same clock; None where it never was.
        ended: `complete`, or what there was in place of a clip.
        paths: of the picture and of the clip, on the server.
        nearest: number of the visitor whose picture the clip's first frame resembles most.
        refused, obtained: how many attempts at others' files failed, and succeeded.
    """

    asks: list[Ask] = field(default_factory=list)
    served: float | None = None
    ended: str = "never let in"
    paths: tuple[str, ...] = ()
    nearest: int | None = None
    refused: int = 0
    obtained: list[str] = field(default_factory=list)

    @property
    def waited(self) -> float | None:
        """Seconds from the first ask to the clip."""
        return None if self.served is None else self.served - self.asks[0].asked


def pictures(folder: Path, count: int) -> list[Path]:
    """The demonstration's portrait in frames of as many colours."""
    face = demo_portrait().framed(size=SIDE).views[0].rgb
    paths = []
    for number in range(count):
        framed = np.full_like(face, np.multiply(colorsys.hsv_to_rgb(number / count, 0.9, 0.9), 255))
        framed[FRAME:-FRAME, FRAME:-FRAME] = face[FRAME:-FRAME, FRAME:-FRAME]
        paths.append(folder / f"visitor {number}.png")
        write_png(paths[-1], framed)
    return paths


def driver(path: Path) -> Path:
    """Half a second of somebody moving: whose clip is made in a second."""
    return film(path, [frame.rgb for frame in animate(demo_portrait(), acting(0.5, 10), size=160)], 10)


def frame_colour(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean colour of the outer pixels, without those next to the picture."""
    within = np.zeros(rgb.shape[:2], bool)
    within[FRAME // 2 : -FRAME // 2, FRAME // 2 : -FRAME // 2] = True
    return np.asarray(rgb[~within].mean(axis=0), np.float64)


def visit(
    served: Served,
    number: int,
    files: tuple[Path, Path],
    visits: Sequence[Visit],
    together: threading.Barrier,
    random: Random,
    later: float = 0.0,
) -> bytes:
    """All that one visitor does, asking some seconds later; the clip. What happened is noted among the visits."""
    happened, clip = visits[number], b""
    visitor = Visitor(served, str(number))
    together.wait(PATIENCE)
    picture, video = visitor.upload(*files)
    happened.paths = (picture["path"],)
    time.sleep(later)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        asked = time.monotonic()
        status, said = visitor.call("animate", pictures=[picture], video=video, size="the picture's own")
        happened.asks.append(Ask(asked, time.monotonic(), status == 200))
        if status == 200:
            happened.ended, made = visitor.result("animate", said, PATIENCE)
            happened.served = time.monotonic()
            if happened.ended == "complete":
                happened.paths += (made[0]["path"],)
                status, clip = visitor.fetch(made[0]["path"])
                assert status == 200, f"visitor {number}'s own clip: {status}"
            break
        if status != 503 or "Queue is full" not in said:
            happened.ended = f"{status} {said[:200]}"
            break
        time.sleep(random.uniform(*PAUSE))
    together.wait(PATIENCE)
    for other in visits:
        for path in other.paths if other is not happened else ():
            try_to_get(visitor, path, happened)
    together.wait(PATIENCE)
    visitor.leave()
    return clip


def try_to_get(visitor: Visitor, path: str, happened: Visit) -> None:
    """Somebody else's file, by its address and by its name in a request."""
    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
    for status in (visitor.fetch(path)[0], visitor.call("check", file=named)[0]):
        if status in (403, 404):
            happened.refused += 1
        else:
            happened.obtained.append(f"{status} {path}")


def overtakings(visits: Sequence[Visit]) -> list[int]:
    """For each who was served: how many were served before, though they were let in surely later.

    Let in surely later is whoever asked after the other had already been answered.
    """
    served = [(visit.asks[-1], visit.served) for visit in visits if visit.served is not None]
    return [sum(other.asked > mine.answered and at < when for other, at in served) for mine, when in served]


def passed_over(visits: Sequence[Visit]) -> list[int]:
    """For each who was sent away and let in later: how many were let in surely before, though they came surely later.

    Come surely later is whoever asked for the first time after the other had been sent away for the first time.
    """
    let_in = [(visit.asks[0], visit.asks[-1]) for visit in visits if visit.asks and visit.asks[-1].let_in]
    return [
        sum(others.asked > first.answered and last_of_theirs.answered < last.asked for others, last_of_theirs in let_in)
        for first, last in let_in
        if not first.let_in
    ]


def crowd(served: Served, folder: Path, count: int, seed: int = 0, over: float = 0.0) -> dict[str, Any]:
    """Let so many visitors come to a studio and leave; what happened to them, in numbers.

    `folder` is for files; over so many seconds they come, one after the other.
    """
    given, moved = pictures(folder, count), driver(folder / "driver.mp4")
    visits, together = [Visit() for _ in range(count)], threading.Barrier(count)
    began = time.monotonic()

    def come(number: int) -> bytes:
        try:
            random = Random(f"{seed} {number}")
            return visit(served, number, (given[number], moved), visits, together, random, over * number / count)
        except BaseException:
            together.abort()  # or the others would wait for this one
            raise

    with Memory(served.process.pid) as memory, ThreadPoolExecutor(count) as people:
        clips = list(people.map(come, range(count)))
    seconds = time.monotonic() - began
    _compare(folder, given, clips, visits)
    waits = [visit.waited for visit in visits if visit.waited is not None]
    refusals = [sum(not ask.let_in for ask in visit.asks) for visit in visits]
    overtaken, passed = overtakings(visits), passed_over(visits)
    return {
        "visitors": count,
        "got_a_clip": sum(bool(clip) for clip in clips),
        "of_their_own_picture": sum(visit.nearest == number for number, visit in enumerate(visits)),
        "without_an_answer": [f"{n}: {visit.ended}" for n, visit in enumerate(visits) if visit.ended != "complete"],
        "told_that_the_queue_is_full": {
            "visitors": sum(map(bool, refusals)),
            "times": sum(refusals),
            "most_of_one": max(refusals),
        },
        "waited_s": {"median": round(statistics.median(waits), 1), "most": round(max(waits), 1)} if waits else {},
        "overtaken_in_the_queue": {"visitors": sum(map(bool, overtaken)), "most": max(overtaken, default=0)},
        "passed_over_after_being_sent_away": {"visitors": sum(map(bool, passed)), "most": max(passed, default=0)},
        "memory_mb": {"before": round(memory.first / 1e6), "most": round(memory.most / 1e6)},
        "others_files": {
            "refused": sum(visit.refused for visit in visits),
            "obtained": [path for visit in visits for path in visit.obtained],
        },
        "files_after_all_left": _gone(served),
        "seconds": round(seconds, 1),
    }


def tabs(served: Served, folder: Path, count: int) -> list[int]:
    """Megabytes that the studio holds after each of some tabs has shown a picture of 12 megapixels and was closed."""
    path = folder / "large.png"
    write_png(path, cv2.resize(demo_portrait().views[0].rgb, (3000, 4000)))
    held = []
    for number in range(count):
        visitor = Visitor(served, f"large{number}")
        visitor.run("arrive")
        visitor.run("opened", visitor.upload(path))
        visitor.leave()
        _gone(served)
        held.append(round(resident(served.process.pid) / 1e6))
    return held


def measured(count: int, waiting: int, seed: int, large: int, over: float) -> dict[str, Any]:
    """A studio of its own, a crowd, and then some tabs with large pictures; and what is left."""
    with tempfile.TemporaryDirectory(prefix="gioconda-visitors-") as place:
        folder = Path(place)
        with Served(folder / "studio", "--max-waiting", str(waiting)) as served:
            report = {"most_waiting": waiting, "come_over_s": over, **crowd(served, folder, count, seed, over)}
            report["memory_after_each_large_tab_mb"] = tabs(served, folder, large)
        log = served.log.read_text()
        return {
            **report,
            "exit_code": served.process.returncode,
            "left_after_the_end": [path.name for path in served.left()],
            "traceback": "Traceback" in log,
            "reached_out": "REACHED OUT" in log,
        }


def _gone(served: Served, seconds: float = 20.0) -> int:
    """How many files there are after all have left and some time to clear up."""
    end = time.monotonic() + seconds
    while served.files() and time.monotonic() < end:
        time.sleep(0.1)
    return len(served.files())


def _compare(folder: Path, given: Sequence[Path], clips: Sequence[bytes], visits: Sequence[Visit]) -> None:
    """Find out whose picture each clip shows."""
    colours = np.array([frame_colour(read_picture(path).rgb) for path in given])
    for clip, happened in zip(clips, visits, strict=True):
        if clip:
            path = folder / "clip.mp4"
            path.write_bytes(clip)
            happened.nearest = int(np.abs(colours - frame_colour(_first_frame(path))).sum(axis=1).argmin())


def _first_frame(path: Path) -> NDArray[np.uint8]:
    with VideoReader(path) as video:
        return next(iter(video)).rgb


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--max-waiting", type=int, default=8, help="the studio's option (default: 8, as the studio's)")
    parser.add_argument("--over", type=float, default=0.0, metavar="SECONDS", help="in which all come (default: 0)")
    parser.add_argument("--tabs", type=int, default=14, help="tabs with large pictures, opened and closed in the end")
    parser.add_argument("--seed", type=int, default=0, help="for how long people pause")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    report = measured(options.visitors, options.max_waiting, options.seed, options.tabs, options.over)
    print(json.dumps(report, indent=1))
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
