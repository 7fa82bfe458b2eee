"""Do sound and picture stay together over a long driver whose frames come at uneven times? One JSON file.

    python benchmarks/drift.py PORTRAIT --driver talk.mp4 --out drift.json [--seconds 600] [--window 60]
        [--sound aac|libopus]

A driver is made of the given one's first second: its picture swings from side to side once in four seconds, frames
follow each other after 40 to 250 milliseconds, at random, and there is a click whenever the swing passes the middle to
the right. The real command animates the portrait. In a window at the clip's beginning and at its end, of a minute
unless `--window` says otherwise, the portrait's swing is measured with the tracker, and the clicks in the sound. AAC
sound is copied into an MP4, Opus is encoded anew.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from gioconda.face import eye_middles
from gioconda.media.video import VideoReader, probe_video
from gioconda.tracking import default_tracker
from growth import forth_and_back
from speed import machine

PERIOD = 4.0
"""Seconds of one swing, and between clicks."""
SWING = 0.03
"""Of the picture's side, from the middle to either side."""
GAPS = 0.04, 0.25
"""Seconds between frames, least and most."""
RATE = 48_000


def swung(rgb: np.ndarray, now: float) -> np.ndarray:
    """A frame moved sideways as the swing is at a time."""
    across = SWING * rgb.shape[1] * np.sin(2 * np.pi * now / PERIOD)
    return cv2.warpAffine(rgb, np.array([[1, 0, across], [0, 1, 0]]), rgb.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def make_driver(source: Path, path: Path, seconds: float, side: int, codec: str) -> int:
    """Write the driver; gives back how many frames it has."""
    with VideoReader(source, max_side=side) as video:
        takes = [f.rgb[: f.rgb.shape[0] & ~1, : f.rgb.shape[1] & ~1] for f in itertools.takewhile(one_second, video)]
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(*GAPS, int(seconds / GAPS[0])))
    times = np.concatenate([[0.0], times[times < seconds]])
    with av.open(str(path), "w") as output:
        picture = output.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "18"})
        picture.height, picture.width = takes[0].shape[:2]
        picture.pix_fmt = "yuv420p"
        picture.codec_context.time_base = Fraction(1, 1000)
        sound = output.add_stream(codec, rate=RATE)
        sound.codec_context.layout = "mono"
        written = 0
        for rgb, now in zip(forth_and_back(takes), times, strict=False):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(swung(rgb, now)), "rgb24")
            frame.pts, frame.time_base = round(now * 1000), Fraction(1, 1000)
            output.mux(picture.encode(frame))
            while written < (now + 1) * RATE:
                output.mux(sound.encode(clicks(written, 960)))
                written += 960
        output.mux(picture.encode())
        output.mux(sound.encode())
    return len(times)


def one_second(frame: object) -> bool:
    """Whether a frame is of the first second."""
    return frame.time < 1.0  # type: ignore[attr-defined]


def clicks(first: int, count: int) -> av.AudioFrame:
    """Sound from a sample on: 5 milliseconds of a tone at the start of each period."""
    now = (first + np.arange(count)) / RATE
    samples = 0.8 * np.sin(2 * np.pi * 2000 * now) * ((now % PERIOD) < 0.005)
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), first
    return frame


def swing_lag(clip: Path, start: float, end: float) -> float:
    """Seconds by which the picture swings late, in a window of a clip."""
    times, across = [], []
    follow = default_tracker().follow()
    with VideoReader(clip) as video:
        for frame in video:
            face = follow(frame.rgb) if start <= frame.time < end else None
            if face:
                times.append(frame.time)
                across.append(np.mean(eye_middles(face.points), axis=0)[0])
    follow.close()
    phase = 2 * np.pi * np.array(times) / PERIOD
    waves = np.column_stack([np.sin(phase), np.cos(phase), np.ones_like(phase)])
    sine, cosine, _ = np.linalg.lstsq(waves, np.array(across), rcond=None)[0]
    return float(np.arctan2(-cosine, sine) / (2 * np.pi) * PERIOD)


def click_lag(clip: Path, start: float, end: float) -> float:
    """Median seconds by which the clicks are late, in a window of a clip."""
    origin, late, last = probe_video(clip).origin, [], -1.0
    with av.open(str(clip)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0].astype(float)) > 0.3)
            now = frame.time - origin + (loud[0] / frame.sample_rate if len(loud) else 0)
            if len(loud) and now - last > 1 and start <= now < end:
                late.append((now + PERIOD / 2) % PERIOD - PERIOD / 2)
                last = now
    return float(np.median(late))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portrait", type=Path)
    parser.add_argument("--driver", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--window", type=float, default=60.0, help="seconds, at least one swing of 4 (default: 60)")
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--fps", type=float, default=12.0)
    parser.add_argument("--sound", choices=("aac", "libopus"), default="aac")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        driver, clip = Path(folder) / "driver.mkv", Path(folder) / "clip.mp4"
        frames = make_driver(options.driver, driver, options.seconds, options.side, options.sound)
        command = [sys.executable, "-m", "gioconda.cli", "animate", str(options.portrait), "--driver", str(driver)]
        command += ["--size", str(options.side), "--fps", str(options.fps), "--crop", "--out", str(clip)]
        began = time.perf_counter()
        subprocess.run(command, check=True)
        took = time.perf_counter() - began
        found = {}
        for name, start in (("start", 0.0), ("end", options.seconds - options.window)):
            window = start, start + options.window
            picture, sound = swing_lag(clip, *window), click_lag(clip, *window)
            figures = {"picture_late_ms": picture, "sound_late_ms": sound, "picture_after_sound_ms": picture - sound}
            found[name] = {key: round(1000 * value, 1) for key, value in figures.items()}
    drift = found["end"]["picture_after_sound_ms"] - found["start"]["picture_after_sound_ms"]
    row = {"seconds": options.seconds, "driver_frames": frames, "sound": options.sound, "command_seconds": round(took)}
    result = row | found | {"drift_ms": round(drift, 1), "machine": machine()}
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(row | found | {"drift_ms": round(drift, 1)}, indent=2))


if __name__ == "__main__":
    main()
