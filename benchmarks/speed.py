"""How fast, where the time goes, and how much memory: one JSON file and one table.

    python benchmarks/speed.py --driver talk.mp4 --out speed.json [--picture p.jpg] [--pairs 5]
    python benchmarks/speed.py --driver talk.mp4 --out speed.json --renderer flow

End to end means the real command in a process of its own, from the start of Python to the finished
file: decoding, tracking, rendering, encoding. Stages are timed alone, one after the other, in this
process; the memory of a stage (on Linux) is what the process held beyond what it held before, at most.
On a shared machine compare ratios within one run, not times between runs. What mark and
credentials cost is found by the same command with and without them, in turns.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from gioconda import Gains, Performance, Portrait
from gioconda.demo import demo_portrait
from gioconda.media.clip import ClipWriter
from gioconda.media.video import VideoReader, probe_video
from gioconda.rendering import composite, make_renderer
from gioconda.rendering.renderer import DEFAULT_RENDERER
from gioconda.retarget import Sitter, retarget
from gioconda.tracking import default_tracker

SIZES = (256, 512, 1080, 2160)
VIEWS = (1, 8, 32)
VIEWS_SIZE = 512
"""Longer side of the clip for which stages are timed by the number of views."""
STAGE_FRAMES = 60
COMMAND = ("-m", "gioconda.cli")
BARE = (
    "-c",
    "import sys; from gioconda import cli, pipeline; pipeline.marked = lambda frames, label: frames; "
    "pipeline.Seal = lambda *told: None; pipeline.signing_identity = lambda: None; sys.exit(cli.main(sys.argv[1:]))",
)
"""Arguments of Python that run the command, and the same without mark and credentials."""


@dataclass(frozen=True)
class Painter:
    """A renderer by name, and the file of its network where it has one."""

    name: str
    weights: Path | None = None

    @property
    def options(self) -> list[str]:
        """For the command line."""
        return ["--renderer", self.name, *(["--weights", str(self.weights)] if self.weights else [])]


_LAUNCHER = """
import json, os, sys, time
cores, command = json.loads(sys.argv[1])
os.sched_setaffinity(0, cores)
began = time.perf_counter()
process = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(process, 0)
print(json.dumps([status, time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""
"""Starts a command and tells what it took. In a small process of its own, for Linux counts the peak memory of who
starts a command as the command's."""


def measured(command: list[str], cores: int) -> dict[str, Any]:
    """Time, processor time and peak memory of a command on some of the machine's cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    launched = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, json.dumps([allowed, command])], stdout=subprocess.PIPE, check=True
    )
    status, took, cpu, peak = json.loads(launched.stdout)
    if status:
        raise SystemExit("the command failed: " + " ".join(command))
    return {
        "cores": len(allowed),
        "seconds": round(took, 2),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": round(peak / 1024),
    }


def per_frame(run: dict[str, Any], frames: int) -> dict[str, Any]:
    """What of that falls to each frame."""
    return {
        "frames": frames,
        "frames_per_second": round(frames / run["seconds"], 1),
        "cpu_seconds_per_frame": round(run["cpu_seconds"] / frames, 4),
        **run,
    }


def end_to_end(
    picture: Path, driver: Path, size: int, cores: int, seconds: float, painter: Painter, start: Sequence[str] = COMMAND
) -> dict[str, Any]:
    """Frames per second and peak memory of the real command on some of the machine's cores."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *start, "animate", str(picture), "--driver", str(driver)]
        command += ["--end", str(seconds), "--size", str(size), *painter.options, "--out", f"{folder}/clip.mp4"]
        run = measured(command, cores)
        return {"size": size, **per_frame(run, probe_video(Path(folder) / "clip.mp4").frame_count_estimate)}


def compared(picture: Path, driver: Path, pairs: int, seconds: float, painter: Painter) -> dict[str, Any]:
    """Frames per second with mark and credentials and without, in turns: medians, least and most."""
    found: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(pairs):
        for name, start in (("with", COMMAND), ("without", BARE)):
            run = end_to_end(picture, driver, 512, 2, seconds, painter, start)
            found[name].append(run["frames_per_second"])
    return {name: {"median": float(np.median(v)), "least": min(v), "most": max(v)} for name, v in found.items()}


@contextmanager
def more_memory() -> Iterator[list[int]]:
    """MB that this process holds at most beyond what it held before: told at the end, on Linux."""
    told: list[int] = []
    forget, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not forget.exists():
        yield told
        return

    def held(which: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(which))
        return int(line.split()[1])

    ctypes.CDLL(None).malloc_trim(0)
    forget.write_text("5")  # the peak begins anew
    before = held("VmRSS")
    yield told
    told.append(round((held("VmHWM") - before) / 1024))


def timed(work: Callable[[], object], times: int = STAGE_FRAMES) -> float:
    """Median milliseconds of a call, after a few to warm up."""
    for _ in range(3):
        work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return round(1000 * float(np.median(taken)), 2)


def stages(portrait: Portrait, driver: Path, size: int, painter: Painter) -> dict[str, dict[str, float]]:
    """Median milliseconds a frame of each stage at one size, and MB of memory more than before, at most."""
    framed = portrait.framed(size=size)
    canvas = framed.views[0]
    performance = Performance.from_video(driver, end=2.0)
    took: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(name: str) -> Iterator[Callable[..., None]]:
        """What is done within belongs to a stage; what it is given is timed."""

        def clock(work: Callable[[], object], times: int = STAGE_FRAMES) -> None:
            took[name] = {"ms": timed(work, times)}

        with more_memory() as more:
            yield clock
        if more:
            took[name]["mb"] = more[0]

    with stage("decode") as clock, VideoReader(driver, max_side=960) as video:
        frames = iter(video)
        first = next(frames).rgb
        clock(lambda: next(frames), 40)
    with stage("track") as clock:
        follow = default_tracker().follow()
        clock(lambda: follow(first))
        follow.close()
    sitter = Sitter.of(canvas.points, canvas.rgb.shape[1], canvas.rgb.shape[0])
    motions = list(performance.resampled(performance.fps))
    number = iter(range(10**9))
    with stage("retarget") as clock:
        clock(lambda: retarget(sitter, motions[next(number) % len(motions)], Gains()))
    targets = [retarget(sitter, motion, Gains()) for motion in motions]
    with stage("render") as clock:
        render = make_renderer(painter.name, framed.views, painter.weights)
        clock(lambda: render(targets[next(number) % len(targets)]))
    patch = render(targets[0])
    with stage("composite") as clock:
        clock(lambda: composite(canvas, patch))
    pictures = [composite(canvas, render(t))[0] for t in targets[:20]]
    size_of_clip = canvas.rgb.shape[1::-1]
    with (
        stage("encode") as clock,
        tempfile.TemporaryDirectory() as folder,
        ClipWriter(f"{folder}/x.mp4", *size_of_clip, 30) as writer,
    ):
        clock(lambda: writer.write(pictures[next(number) % 20]))
    return took


def seen_often(driver: Path, views: int, seconds: float) -> Portrait:
    """A portrait of the driver: so many frames of the video's first seconds, evenly spread."""
    with VideoReader(driver, max_side=VIEWS_SIZE) as video, tempfile.TemporaryDirectory() as folder:
        frames = [frame.rgb for frame in itertools.takewhile(lambda frame: frame.time < seconds, video)]
        paths = [Path(folder) / f"{number:02d}.png" for number in range(views)]
        for path, index in zip(paths, np.linspace(0, len(frames) - 1, views).round().astype(int), strict=True):
            Image.fromarray(frames[index]).save(path)
        return Portrait.from_pictures(paths)


def machine() -> dict[str, Any]:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "peak_mb_of_this_process": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", type=Path, required=True)
    parser.add_argument("--picture", type=Path, help="default: the demo's portrait")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0, help="of the driver (default: 10)")
    parser.add_argument("--renderer", default=DEFAULT_RENDERER)
    parser.add_argument("--weights", type=Path, help="the renderer's network, where it has one")
    parser.add_argument("--pairs", type=int, default=5, help="of runs with and without mark and credentials")
    options = parser.parse_args()
    painter = Painter(options.renderer, options.weights)
    portrait = Portrait.from_pictures([options.picture]) if options.picture else demo_portrait()
    with tempfile.TemporaryDirectory() as folder:
        picture = options.picture
        if picture is None:
            picture = Path(folder) / "portrait.png"
            Image.fromarray(portrait.views[0].rgb).save(picture)
        runs = [
            end_to_end(picture, options.driver, size, cores, options.seconds, painter)
            for size in SIZES
            for cores in (1, 2)
            if cores <= len(os.sched_getaffinity(0))
        ]
        provenance = compared(picture, options.driver, options.pairs, options.seconds, painter)
    by_stage = {size: stages(portrait, options.driver, size, painter) for size in SIZES}
    by_views = {
        number: stages(seen_often(options.driver, number, options.seconds), options.driver, VIEWS_SIZE, painter)
        for number in VIEWS
    }
    results = {
        "machine": machine(),
        "renderer": options.renderer,
        "end_to_end": runs,
        "mark_and_credentials_at_512": provenance,
        "stages": by_stage,
        f"stages_by_views_at_{VIEWS_SIZE}": by_views,
    }
    options.out.write_text(json.dumps(results, indent=2) + "\n")

    print("\n| longer side | cores | frames per second | CPU seconds a frame | peak memory |\n|---|---|---|---|---|")
    for run in runs:
        print(
            f"| {run['size']} | {run['cores']} | {run['frames_per_second']} | {run['cpu_seconds_per_frame']} "
            f"| {run['peak_mb']} MB |"
        )
    for name, rate in provenance.items():
        print(
            f"512, 2 cores, {name} mark and credentials: {rate['median']} ({rate['least']} to {rate['most']}) a second"
        )
    names = list(next(iter(by_stage.values())))
    for title, table in (("longer side", by_stage), (f"views, at {VIEWS_SIZE}", by_views)):
        print(f"\n| {title} | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
        for number, parts in table.items():
            cells = [f"{parts[n]['ms']:.1f} ms" + (f", {parts[n]['mb']} MB" if "mb" in parts[n] else "") for n in names]
            print(f"| {number} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
