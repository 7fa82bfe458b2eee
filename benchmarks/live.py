"""How late the mirror is: frames are fed to `gioconda live` at the clock's pace, and read back from what it shows.

    python benchmarks/live.py --out live.json [--driver talk.mp4] [--picture p.jpg] [--size 256 512] [--cores 2]

Three processes: one writes frames to the mirror's standard input, 30 a second, each with its number drawn above the
picture in black and white; the mirror is the real command; this one asks for its pictures over HTTP, as the page does,
with the driver's small picture in the corner. The number is read there. Latency is the time from just before the frame
was written to when its picture was here and decoded. Whether the portrait moves as late as that says its movement: the
turning of its head, tracked, is laid over that of the driver, frame number by frame number.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from gioconda.demo import demo_portrait
from gioconda.drivers import builtin
from gioconda.face import face_model
from gioconda.geometry import angles
from gioconda.live.server import INFO, INSET, MARGIN
from gioconda.media.pictures import write_png
from gioconda.media.video import VideoReader
from gioconda.neutral import head_pose
from gioconda.pipeline import animate
from gioconda.tracking import default_tracker
from speed import machine

Array = np.ndarray
FPS = 30.0
SIDE = 480
"""Pixels of a square frame that is fed, without the code above it."""
COLUMNS, ROWS, BITS = 8, 2, 12
"""Of the code: 12 bits of the number and 4 that check them, in two rows of eight."""
STRIP = 96
"""Height of the code in pixels."""
SETTLED = 2.5
"""Seconds after the first picture that are left out: neutral is being learned, caches are cold."""


# The code


def code_of(number: int) -> Array:
    """Bits of a frame's number, bool (2, 8)."""
    low = number % 2**BITS
    word = low << 4 | sum(low >> shift & 15 for shift in (0, 4, 8)) % 16
    return np.array([word >> bit & 1 for bit in range(COLUMNS * ROWS)], bool).reshape(ROWS, COLUMNS)


def number_in(rgb: Array) -> int | None:
    """The number in the driver's small picture, in the lower right corner of a picture; None if it is not whole."""
    height, width = rgb.shape[:2]
    across, margin = round(INSET * width), round(MARGIN * width)
    down = round(across * (SIDE + STRIP) / SIDE)
    strip = rgb[height - margin - down :, width - margin - across : width - margin].mean(axis=2)
    places = np.meshgrid(
        (np.arange(COLUMNS) + 0.5) / COLUMNS * across,
        (np.arange(ROWS) + 0.5) / ROWS * STRIP / SIDE * across,
    )
    seen = strip[places[1].astype(int), places[0].astype(int)] > 127
    word = sum(int(bit) << place for place, bit in enumerate(seen.ravel()))
    return word >> 4 if (code_of(word >> 4) == seen).all() else None


# The feeder


def feed(frames: Path, log: Path) -> None:
    """Write frames, uint8 (n, 480, 480, 3) in a file, as Y4M for ever; the time of each goes into a log."""
    planes = [_planes(rgb) for rgb in np.load(frames, mmap_mode="r")]
    there_and_back = itertools.cycle([*planes, *planes[-2:0:-1]])
    out = sys.stdout.buffer
    out.write(f"YUV4MPEG2 W{SIDE} H{SIDE + STRIP} F{FPS:g}:1 Ip A1:1 C420jpeg\n".encode())
    began = time.monotonic()
    with log.open("wb", buffering=0) as times:
        for number, (luma, chroma) in enumerate(there_and_back):
            code = np.kron(code_of(number) * np.uint8(255), np.ones((STRIP // ROWS, SIDE // COLUMNS), np.uint8))
            data = b"FRAME\n" + code.tobytes() + luma + chroma
            time.sleep(max(0.0, began + number / FPS - time.monotonic()))
            times.write(np.float64(time.monotonic()).tobytes())
            try:
                out.write(data)
                out.flush()
            except BrokenPipeError:
                os._exit(0)


def _planes(rgb: Array) -> tuple[bytes, bytes]:
    """Brightness of a frame, and the colours of the frame with a grey strip above it."""
    grey = np.full((STRIP, SIDE, 3), 128, np.uint8)
    data = cv2.cvtColor(np.vstack([grey, rgb]), cv2.COLOR_RGB2YUV_I420)
    return data[STRIP : SIDE + STRIP].tobytes(), data[SIDE + STRIP :].tobytes()


# The watcher


@dataclass(frozen=True)
class Seen:
    """A picture of the mirror.

    Attributes:
        number: of the frame that it shows; None if it could not be read.
        at: when it was here, decoded.
        rgb: it.
        info: what the mirror says of it.
        cpu: processor seconds that the mirror had used by then.
    """

    number: int | None
    at: float
    rgb: Array
    info: dict[str, Any]
    cpu: float


@dataclass(frozen=True)
class Running:
    """A mirror at work: its process, and the address of its page."""

    pid: int
    address: str

    @property
    def cpu(self) -> float:
        """Processor seconds that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(running: Running, seconds: float) -> Iterator[Seen]:
    """The pictures of a mirror for some seconds, as its page asks for them."""
    address = running.address
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=20)
    after, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        connection.request("GET", f"{parts.path}frame?after={after}&driver=1")
        answer = connection.getresponse()
        data = answer.read()
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        at = time.monotonic()
        info = json.loads(answer.headers[INFO])
        after = info["number"]
        yield Seen(number_in(rgb), at, rgb, info, running.cpu)


@contextmanager
def mirror(picture: Path, frames: Path, log: Path, size: int, cores: int) -> Iterator[Running]:
    """The real command, fed by another process, on some of the machine's cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    feeder = subprocess.Popen(
        [sys.executable, __file__, "--feed", str(frames), "--out", str(log)], stdout=subprocess.PIPE
    )
    command = [sys.executable, "-m", "gioconda.cli", "live", str(picture), "--source", "-"]
    command += ["--size", str(size), "--no-browser"]
    live = subprocess.Popen(
        command,
        stdin=feeder.stdout,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    assert feeder.stdout is not None
    assert live.stdout is not None
    feeder.stdout.close()
    try:
        yield Running(live.pid, live.stdout.readline().split()[-1])
    finally:
        for process in (live, feeder):
            process.terminate()
            process.wait()
        live.stdout.close()


def following(settled: list[Seen]) -> list[Seen]:
    """Those that show a frame: a code was read, and the portrait follows the driver, not waits for it or rests."""
    return [seen for seen in settled if seen.number is not None and seen.info["state"] == "following"]


def measured(shown: list[Seen], fed: Array) -> dict[str, Any]:
    """What the pictures say, given when each frame was fed."""
    settled = [seen for seen in shown if seen.at > shown[0].at + SETTLED]
    read = following(settled)
    late = 1000 * np.array([seen.at - fed[seen.number] for seen in read])
    numbers = np.array([seen.number for seen in read])
    seconds = settled[-1].at - settled[0].at
    return {
        "seconds": round(seconds, 1),
        "pictures": len(settled),
        "codes_unread": len([seen for seen in settled if seen.number is None]),
        "pictures_per_second": round((len(settled) - 1) / seconds, 1),
        "frames_per_second_fed": round((numbers[-1] - numbers[0]) / float(fed[numbers[-1]] - fed[numbers[0]]), 1),
        "latency_ms": {
            name: round(float(np.percentile(late, share)), 1)
            for name, share in (("median", 50), ("p90", 90), ("p99", 99))
        },
        "drawn_ms_median": round(float(np.median([seen.info["drawn_ms"] for seen in read])), 1),
        "cpu_ms_per_picture": round(1000 * (settled[-1].cpu - settled[0].cpu) / (len(settled) - 1), 1),
        "longer_sides": sorted({max(seen.info["size"]) for seen in settled}),
    }


# Movement


def yaws(frames: Iterable[Array]) -> Array:
    """Turning of the head in degrees, frame by frame; NaN where there is no face."""
    follow = default_tracker().follow(quick=True)
    faces = [follow(np.ascontiguousarray(rgb)) for rgb in frames]
    follow.close()
    return np.array(
        [np.nan if face is None else angles(head_pose(face_model().shape, face.points).rotation)[0] for face in faces]
    )


def movement(shown: list[Seen], frames: Array) -> dict[str, float]:
    """How far the portrait's head is behind the driver's, frame number by frame number: what smoothing costs."""
    read = following([seen for seen in shown if seen.at > shown[0].at + SETTLED])
    height, width = read[0].rgb.shape[:2]
    # The driver's small picture has a face, too.
    covered = np.s_[round(height - (INSET * 1.2 + MARGIN) * width) :, round(width - (INSET + MARGIN) * width) :]
    bare = [seen.rgb.copy() for seen in read]
    for rgb in bare:
        rgb[covered] = 0
    portrait = yaws(bare)
    once = yaws(frames)
    driver = np.concatenate([once, once[-2:0:-1]])
    numbers = np.array([seen.number for seen in read])
    fine = np.arange(-2, 10, 0.05)
    matches = []
    for shift in fine:
        meant = np.interp((numbers - shift) % len(driver), np.arange(len(driver) + 1), [*driver, driver[0]])
        both = ~np.isnan(portrait) & ~np.isnan(meant)
        matches.append(np.corrcoef(portrait[both], meant[both])[0, 1])
    best = int(np.argmax(matches))
    return {"behind_ms": round(float(fine[best]) / FPS * 1000, 1), "correlation": round(float(matches[best]), 3)}


def driver_frames(video: Path | None, seconds: float) -> Array:
    """Square frames, uint8 (n, 480, 480, 3), of a video at 30 per second, or of the demo's portrait performing."""
    if video is None:
        performance = builtin("playful").trimmed(0, seconds)
        return np.stack([frame.rgb for frame in animate(demo_portrait(), performance, size=SIDE, fps=FPS)])
    frames = []
    with VideoReader(video) as reader:
        for frame in reader:
            if frame.time > seconds:
                break
            side = min(frame.rgb.shape[:2])
            top, left = ((length - side) // 2 for length in frame.rgb.shape[:2])
            square = frame.rgb[top : top + side, left : left + side]
            frames.append(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(frames)


def run(picture: Path | None, frames: Array, size: int, cores: int, seconds: float) -> dict[str, Any]:
    """Feed, watch, measure, at one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "frames.npy", frames)
        if picture is None:
            picture = folder / "portrait.png"
            write_png(picture, demo_portrait().views[0].rgb)
        load = os.getloadavg()[0]
        with mirror(picture, folder / "frames.npy", folder / "times", size, cores) as running:
            shown = list(watch(running, seconds + SETTLED))
            fed = np.fromfile(folder / "times", np.float64)
    return {
        "size": size,
        "cores": cores,
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        **measured(shown, fed),
        "movement": movement(shown, frames),
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--driver", type=Path, help="default: the demo's portrait under a built-in performance")
    parser.add_argument("--driver-seconds", type=float, default=5.0, help="of it, there and back (default: 5)")
    parser.add_argument("--picture", type=Path, help="default: the demo's portrait")
    parser.add_argument("--size", type=int, nargs="+", default=[256])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--feed", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.feed:
        return feed(options.feed, options.out)
    frames = driver_frames(options.driver, options.driver_seconds)
    runs = [run(options.picture, frames, size, options.cores, options.seconds) for size in options.size]
    options.out.write_text(json.dumps({"machine": machine(), "runs": runs}, indent=2) + "\n")
    print(
        "| size wanted | drawn | pictures a second | latency: median | 90 % | 99 % | processor time a picture | load |"
    )
    print("|" + "---|" * 8)
    for one in runs:
        late, sides = one["latency_ms"], one["longer_sides"]
        drawn = str(sides[0]) if len(sides) == 1 else f"{sides[0]} to {sides[-1]}"
        print(
            f"| {one['size']} | {drawn} | {one['pictures_per_second']} | {late['median']} ms | {late['p90']} ms "
            f"| {late['p99']} ms | {one['cpu_ms_per_picture']} ms | {one['load_before']} to {one['load_after']} |"
        )


if __name__ == "__main__":
    main()
