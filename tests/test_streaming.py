"""Memory does not grow with the driver's length."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gioconda import Motion, Performance, animate
from gioconda.face import face_model
from gioconda.media.pictures import write_png
from makers import acting, film, jaw, movement, noise, performed, posed, still

PEAK = """
def peak():
    import re
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""

ANIMATE = """
import sys
import numpy as np
from gioconda import Performance, Portrait, View, animate
from gioconda.media.pictures import read_picture

picture, points, motion, out = sys.argv[1:]
portrait = Portrait((View(read_picture(picture).rgb, np.load(points)),))
animate(portrait, Performance.load(motion)).save(out)
print(peak())
"""

CAPTURE = """
import sys
sys.path.insert(0, sys.argv[1])
from itertools import cycle
import numpy as np
from pathlib import Path
from makers import Puppeteer
from gioconda.capture import capture

recorded = capture(Path(sys.argv[2]), tracker=Puppeteer(cycle(np.load(sys.argv[3]))))
print(peak())
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")


def peak_of(script, *arguments):
    """Peak memory of a script in a process of its own, in kilobytes."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + script, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def repeated(count):
    """A long performance."""
    performance, whole = acting(1.0, 25), still(count)
    for index in range(count):
        whole.motion.put(index, performance.at(performance.times[index % 25]))
    return whole


def test_animating_a_long_performance_takes_the_memory_of_a_short_one(tmp_path):
    # A small face in a large picture: frames are heavy and quickly drawn.
    rgb = np.repeat(np.repeat(next(noise(1, 60, 80)), 8, axis=0), 8, axis=1)
    write_png(tmp_path / "picture.png", rgb)
    points = performed(posed(face_model().shape, size=18, at=(320, 220)), still(1))[0].astype(np.float32)
    np.save(tmp_path / "points.npy", points)
    counts, peaks = (50, 500), []
    for count in counts:
        repeated(count).save(tmp_path / f"{count}.motion")
        arguments = (tmp_path / f"{count}.motion", tmp_path / f"{count}.mp4")
        peaks.append(peak_of(ANIMATE, tmp_path / "picture.png", tmp_path / "points.npy", *arguments))
    assert peaks[1] < 1.15 * peaks[0]
    assert (counts[1] - counts[0]) * rgb.nbytes / 1024 > 1.5 * peaks[0]


def test_recording_a_long_video_takes_the_memory_of_a_short_one(tmp_path):
    # Not shorter than the sample of frames from which the relaxed face is estimated.
    counts = 400, 1600
    rgb = np.repeat(np.repeat(next(noise(1, 15, 20)), 16, axis=0), 16, axis=1)
    frames = [movement(angles=(10 * np.sin(i / 4), 0, 0), offsets=jaw(0.1 + 0.1 * np.cos(i))) for i in range(25)]
    performance = still(25)
    for index, motion in enumerate(frames):
        performance.motion.put(index, motion)
    np.save(tmp_path / "points.npy", performed(posed(face_model().shape), performance).astype(np.float32))
    peaks = []
    for count in counts:
        video = film(tmp_path / f"{count}.mp4", (rgb for _ in range(count)), 25)
        peaks.append(peak_of(CAPTURE, Path(__file__).parent, video, tmp_path / "points.npy"))
    assert peaks[1] < 1.15 * peaks[0]
    assert (counts[1] - counts[0]) * rgb.nbytes / 1024 > 1.5 * peaks[0]


def test_an_animation_makes_frames_only_when_asked(portrait):
    endless = Performance(
        np.arange(10**6) / 25,
        Motion.neutral().map(lambda a: np.broadcast_to(a, (10**6, *np.shape(a)))),
        np.ones(10**6, bool),
        25.0,
    )
    frames = iter(animate(portrait, endless))
    assert (next(frames).rgb == next(frames).rgb).all()
