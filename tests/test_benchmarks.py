"""Benchmarks that no other test runs, at their smallest: they work, and what they say can be believed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def said_by(script, *arguments):
    command = [sys.executable, f"benchmarks/{script}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_drift(picture, driver, tmp_path):
    out = tmp_path / "drift.json"
    sizes = ("--seconds", 9, "--window", 4.5, "--side", 96, "--fps", 10)
    said_by("drift.py", picture, "--driver", driver, "--out", out, *sizes)
    found = json.loads(out.read_text())
    assert 9 / 0.25 < found["driver_frames"] < 9 / 0.04
    # So small a face is seen to half a frame or so.
    for window in ("start", "end"):
        assert abs(found[window]["sound_late_ms"]) < 40
        assert abs(found[window]["picture_late_ms"]) < 80
    assert found["drift_ms"] == pytest.approx(
        found["end"]["picture_after_sound_ms"] - found["start"]["picture_after_sound_ms"], abs=0.2
    )


def test_first_frame(picture):
    said = said_by("first_frame.py", "--picture", picture, "--driver", "orator", "--runs", 1, "--large", 1100)
    first, small, whole = said.splitlines()
    assert 0.1 < float(re.fullmatch(r"first frame of a picture of 512 pixels: ([\d.]+) s \(.*\)", first)[1]) < 60
    megabytes = [
        int(re.fullmatch(rf"1100 x 1100 pixels {size}: (\d+) MB, \d+ s", line)[1])
        for size, line in (("--size 768", small), ("", whole))
    ]
    assert 50 < megabytes[0] < megabytes[1] < 2000
