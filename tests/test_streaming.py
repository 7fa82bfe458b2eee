"""Memory does not grow with the driver's length, and with the size of pictures and frames only as far as it must."""

import struct
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gioconda import Motion, Performance, animate
from gioconda.errors import VideoError
from gioconda.face import face_model
from gioconda.media.ahead import ahead, depth_for, side_by_side, threads_for
from gioconda.media.pictures import write_png
from gioconda.media.video import probe_video
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

READ = """
import sys
from gioconda.media.pictures import read_picture

for path in sys.argv[1:]:  # a small one first, which loads all that is needed
    before = peak()
    read_picture(path)
print(peak() - before)
"""

WRITE = """
import sys
import numpy as np
from gioconda.media.clip import ClipWriter

out, width, height = sys.argv[1], *map(int, sys.argv[2:])
rgb = np.zeros((height, width, 3), np.uint8)
rgb[::7] = 90
for part in (rgb[:64, :64], rgb):
    before = peak()
    with ClipWriter(out, *part.shape[1::-1], 25) as clip:
        for _ in range(4):
            clip.write(part)
print(peak() - before)
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")


def peak_of(script, *arguments):
    """Peak memory of a script in a process of its own, in kilobytes."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + script, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def bytes_per_pixel(kilobytes, width, height):
    return 1024 * kilobytes / (width * height)


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


@pytest.mark.parametrize(("name", "decoded"), [("large.jpg", 4), ("large.png", 2)])
def test_a_large_picture_is_in_memory_as_decoded_and_as_result_and_no_third_time(tmp_path, name, decoded):
    width, height = 5000, 4000
    grey = np.broadcast_to(np.linspace(0, 65535, width).astype(np.uint16), (height, width))
    small, large = tmp_path / f"small-{name}", tmp_path / name
    for path, part in ((small, grey[:64, :64]), (large, grey)):
        if path.suffix == ".png":  # 16 bits a sample
            Image.fromarray(np.ascontiguousarray(part)).save(path, compress_level=1)
        else:
            Image.fromarray((part >> 8).astype(np.uint8)).convert("RGB").save(path)
    taken = peak_of(READ, small, large)
    # Beside both, the strip of 4 of 20 megapixels that is being converted, in some forms.
    assert bytes_per_pixel(taken, width, height) < decoded + 3 + 4


def test_frames_of_vast_size_are_encoded_without_collecting_them(tmp_path):
    width, height = 4608, 3504
    taken = peak_of(WRITE, tmp_path / "clip.mp4", width, height)
    # An encoder that looks ahead collects these four: over 30 bytes a pixel, and with each further frame some more.
    assert bytes_per_pixel(taken, width, height) < 25


@pytest.mark.parametrize(
    ("size", "frames"),
    [((256, 256), 4), ((4608, 4608), 4), ((5000, 5000), 3), ((10_000, 10_000), 1), ((16_383,) * 2, 1)],
)
def test_the_larger_frames_are_the_fewer_are_made_ahead(size, frames):
    assert depth_for(size) == frames
    made = []
    with closing(ahead((made.append(number) or number for number in range(100)), frames)) as numbers:
        for number in range(10):
            assert next(numbers) == number
            time.sleep(0.01)
            # One is with the consumer, and one is held until there is room for it.
            assert len(made) <= number + 1 + frames + 1
    assert len(made) < 20


def test_items_are_worked_on_side_by_side_and_keep_their_order():
    both = threading.Barrier(2, timeout=10)

    def doubled(number):
        both.wait()  # passed only where two are at work at once
        time.sleep(0.01 * (number % 2))
        return 2 * number

    assert list(side_by_side(doubled, range(10), 2)) == list(range(0, 20, 2))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_in_its_turn_and_nothing_is_begun_after_it(threads):
    begun = []

    def inverse(number):
        begun.append(number)
        return 1 / (5 - number)

    made = side_by_side(inverse, range(1000), threads)
    assert [next(made) for _ in range(5)] == [1 / 5, 1 / 4, 1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert len(begun) <= 5 + 1 + threads
    begun.clear()
    with closing(side_by_side(inverse, range(6, 1000), threads)) as made:
        assert next(made) == -1
    assert len(begun) <= 1 + threads


@pytest.mark.parametrize(
    ("size", "most"), [((512, 512), 4), ((1920, 1080), 3), ((2160, 2160), 1), ((10_000, 10_000), 1)]
)
def test_the_larger_frames_are_the_fewer_are_drawn_at_once(size, most):
    cores = cv2.getNumThreads()
    try:
        for allowed in (1, 2, 8):
            cv2.setNumThreads(allowed)
            assert threads_for(size) == min(most, allowed)
    finally:
        cv2.setNumThreads(cores)


def test_frames_are_the_same_however_many_are_drawn_at_once(portrait, captured):
    cores = cv2.getNumThreads()
    try:
        clips = []
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            clips.append([frame.rgb for frame in animate(portrait, captured, size=160, fps=5)])
    finally:
        cv2.setNumThreads(cores)
    assert len(clips[0]) > 4
    assert np.ptp(np.stack(clips[0]), axis=0).max() > 0
    np.testing.assert_array_equal(*clips)


@pytest.mark.parametrize(("name", "place", "code"), [("a.gif", 6, "<HH"), ("a.png", 16, ">II")])
def test_videos_that_claim_vast_frames_are_refused_before_they_take_memory(tmp_path, name, place, code):
    still = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (0, 90)]
    still[0].save(tmp_path / name, save_all=True, append_images=still[1:])
    data = bytearray((tmp_path / name).read_bytes())
    struct.pack_into(code, data, place, 8193, 8192)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(VideoError, match="8193 x 8192 pixels, too large"):
        probe_video(tmp_path / name)
