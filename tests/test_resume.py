"""An interrupted render goes on with the frames of an uninterrupted one."""

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import av
import numpy as np
import pytest

from gioconda import Gains, Group, Performance, Portrait, animate
from gioconda.cli import main
from gioconda.drivers import Recording
from gioconda.errors import OutputError, UsageError
from gioconda.media.clip import ClipWriter
from gioconda.media.files import partial_path
from gioconda.media.video import VideoReader
from gioconda.progress import quiet
from gioconda.resume import JOINED, SEGMENT, Unfinished, check_resumable, resume_folder
from gioconda.tracked import kept_performance, kept_portrait
from makers import acting

FPS = 20
SECONDS = 9.1
"""Two whole segments and a piece."""
STEP = round(SEGMENT * FPS)


@pytest.fixture(scope="module")
def animation(portrait):
    return animate(portrait, acting(SECONDS, FPS), size=64)


@pytest.fixture(scope="module")
def long_motion(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.motion"
    acting(SECONDS, FPS).save(path)
    return path


def unsigned(path):
    """A seal that does nothing."""


class Interrupted:
    """A scene that ends in Ctrl-C after some frames, counted from the first of all."""

    def __init__(self, scene, after):
        self._scene, self._after = scene, after

    def __getattr__(self, name):
        return getattr(self._scene, name)

    def __len__(self):
        return len(self._scene)

    def frames(self, first=0):
        yield from itertools.islice(self._scene.frames(first), self._after - first)
        raise KeyboardInterrupt


def shown(path):
    with VideoReader(path) as video:
        return [(frame.time, frame.rgb) for frame in video]


def same(one, other):
    first, second = shown(one), shown(other)
    return len(first) == len(second) and all(
        a[0] == b[0] and (a[1] == b[1]).all() for a, b in zip(first, second, strict=True)
    )


def sound_packets(path):
    with av.open(str(path)) as container:
        return [(p.pts, bytes(p)) for p in container.demux(audio=0) if p.size]


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_frame_depends_on_its_number_alone(animation):
    whole = [frame.rgb for frame in itertools.islice(animation, 12)]
    assert all((a == b.rgb).all() for a, b in zip(whole[7:], animation.frames(7), strict=False))
    assert len(list(animation.frames(len(animation) - 2))) == 2
    assert not list(animation.frames(len(animation)))


@pytest.mark.parametrize("suffix", JOINED)
def test_interrupted_and_resumed_is_as_uninterrupted(animation, tmp_path, suffix):
    plain, whole, resumed = (tmp_path / f"{name}{suffix}" for name in ("plain", "whole", "resumed"))
    animation.save(plain)
    animation.save(whole, resume=True)
    for after, done in ((100, STEP), (130, STEP), (170, 2 * STEP)):
        with pytest.raises(KeyboardInterrupt):
            Unfinished.of(resumed, Interrupted(animation, after), False).finish(None, unsigned, quiet)
        assert not resumed.exists()
        assert Unfinished.of(resumed, animation, False).done == done
    animation.save(resumed, resume=True)
    assert same(whole, resumed)
    assert {n.removesuffix(".c2pa") for n in names(tmp_path)} == {plain.name, whole.name, resumed.name}
    # Against a clip encoded in one go: the same times, and frames as far as encoding allows.
    for one, other in zip(shown(plain), shown(whole), strict=True):
        assert one[0] == pytest.approx(other[0], abs=0.001)
        assert np.abs(one[1].astype(int) - other[1]).mean() < 4
    with av.open(str(whole)) as container:
        keys = [p.is_keyframe for p in container.demux(video=0) if p.dts is not None]
    assert [i for i, key in enumerate(keys) if key] == [0, STEP, 2 * STEP]


@pytest.mark.parametrize("fps", [23.976, 29.97, 13.7])
def test_joined_times_do_not_drift(animation, tmp_path, fps):
    odd = replace(animation, fps=fps)
    path = odd.save(tmp_path / "clip.mp4", resume=True)
    times = [time for time, _ in shown(path)]
    assert times == pytest.approx([i / fps for i in range(len(odd))], abs=0.001)


def test_the_sound_is_that_of_the_driver(portrait, captured, tmp_path):
    plain, resumed = tmp_path / "plain.mp4", tmp_path / "resumed.mp4"
    animation = animate(portrait, captured, size=64)
    animation.save(plain)
    animation.save(resumed, resume=True)
    assert sound_packets(plain) == sound_packets(resumed) != []


def test_several_people_interrupted_and_resumed(couple, driver, captured, tmp_path):
    """One of them rests by then, and that one's voice is heard."""
    voiced = replace(captured, source=driver)
    people = Portrait.from_group(couple, (0, 1))
    group = Group.of(people, [acting(5.1, FPS), voiced], size=64)
    whole, resumed = (tmp_path / f"{name}.mp4" for name in ("whole", "resumed"))
    group.save(whole, resume=True)
    with pytest.raises(KeyboardInterrupt):
        Unfinished.of(resumed, Interrupted(group, 90), False).finish(None, unsigned, quiet)
    exchanged = Group.of(people[::-1], [acting(5.1, FPS), voiced], size=64)
    assert group.identity() != exchanged.identity()
    assert Unfinished.of(resumed, group, False).done == STEP
    group.save(resumed, resume=True)
    assert same(whole, resumed)
    assert sound_packets(whole) == sound_packets(resumed) != []


def test_a_folder_of_pictures_goes_on_after_the_last(animation, tmp_path):
    out = f"{tmp_path}/frames/"
    with pytest.raises(KeyboardInterrupt):
        Unfinished.of(out, Interrupted(animation, 7), False).finish(None, unsigned, quiet)
    assert names(tmp_path) == [".frames.resume"]
    short = replace(animation, performance=animation.performance.trimmed(0, 0.5))
    assert "frames" in Unfinished.of(out, short, False).changed
    with pytest.raises(KeyboardInterrupt):
        Unfinished.of(out, Interrupted(short, 7), False).finish(None, unsigned, quiet)
    assert 4 <= Unfinished.of(out, short, False).done <= 7
    short.save(out, resume=True)
    assert names(tmp_path) == ["frames"]
    assert names(tmp_path / "frames") == [f"{i:06d}.png" for i in range(10)]


def test_segments_of_something_else_are_replaced(animation, tmp_path):
    path = tmp_path / "clip.mp4"
    with pytest.raises(KeyboardInterrupt):
        Unfinished.of(path, Interrupted(animation, 100), False).finish(None, unsigned, quiet)
    calm = replace(animation, gains=Gains(head=0.5))
    unfinished = Unfinished.of(path, calm, False)
    assert (unfinished.changed, unfinished.done) == (("gains",), 0)
    assert json.loads((resume_folder(path) / "scene.json").read_text())["gains"]["head"] == 0.5
    other = replace(animation, performance=acting(SECONDS, FPS).trimmed(0.1))
    assert "performance" in Unfinished.of(path, other, False).changed
    turned = replace(animation.portrait.views[0], rgb=animation.portrait.views[0].rgb[::-1])
    turned = replace(animation.portrait, views=(turned,))
    assert "portrait" in Unfinished.of(path, replace(other, portrait=turned), False).changed


def test_what_was_half_written_is_swept_away(animation, tmp_path):
    path = tmp_path / "clip.mp4"
    Unfinished.of(path, animation, False)
    litter = partial_path(resume_folder(path) / "segments" / "000000.mp4")
    litter.write_bytes(b"half")
    assert Unfinished.of(path, animation, False).done == 0
    assert not litter.exists()


@pytest.mark.parametrize("name", ["clip.webp", "clip.gif", "clip.apng"])
def test_formats_encoded_as_a_whole_are_refused(animation, tmp_path, name):
    with pytest.raises(UsageError, match="folder/"):
        check_resumable(tmp_path / name)
    with pytest.raises(UsageError):
        animation.save(tmp_path / name, resume=True)
    assert not list(tmp_path.iterdir())


def test_only_encoded_video_is_appended(tmp_path):
    with pytest.raises(ValueError, match="appended"), ClipWriter(f"{tmp_path}/frames/", 64, 64, 20) as clip:
        clip.append(tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


# Real interruptions


def started(picture, motion, out, *options):
    command = [sys.executable, "-m", "gioconda.cli", "animate", picture, "--driver", motion, "--out", out, *options]
    return subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_process_that_is_killed(picture, long_motion, tmp_path, capsys, number):
    out, whole = tmp_path / "clip.mp4", tmp_path / "whole.mp4"
    arguments = ("--size", "160", "--resume")
    process = started(picture, long_motion, out, *arguments)
    first = resume_folder(out) / "segments" / "000000.mp4"
    while not first.exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert names(tmp_path) == [".clip.mp4.resume"]
    if number == signal.SIGINT:
        assert "is kept; the same command goes on" in said
        assert "Traceback" not in said
    if number != signal.SIGKILL:
        assert not list(resume_folder(out).rglob("*.part-*"))
    command = ["animate", str(picture), "--driver", str(long_motion), *arguments, "--out"]
    assert main([*command, str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] in [f"going on after frame {n * STEP} of 182" for n in (1, 2)]
    assert lines[1].startswith(f"{out}: 182 frames")
    assert main([*command, str(whole)]) == 0
    assert same(out, whole)
    assert names(tmp_path) == ["clip.mp4", "whole.mp4"]


def test_a_process_that_is_killed_while_it_moves_several_people(couple, driver, long_motion, tmp_path, capsys):
    """One driver has to be tracked; who had been tracked before the process was killed moves no otherwise after it."""
    out, whole = tmp_path / "clip.mp4", tmp_path / "whole.mp4"
    people = ("--face", f"1={driver}", "--face", f"0={long_motion}", "--end", "5.1", "--size", "96", "--resume")
    command = [sys.executable, "-m", "gioconda.cli", "animate", couple, *people, "--out", out]
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (resume_folder(out) / "segments" / "000000.mp4").exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9
    assert names(tmp_path) == [".clip.mp4.resume"]
    for path in (out, whole):
        assert main(["animate", str(couple), *people, "--out", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"going on after frame {STEP} of 102\n")
    assert same(out, whole)
    assert sound_packets(out) == sound_packets(whole) != []
    assert names(tmp_path) == ["clip.mp4", "whole.mp4"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_without_resume_nothing_is_under_the_final_name(picture, long_motion, tmp_path, number):
    out = tmp_path / "clip.mp4"
    out.write_text("precious")
    process = started(picture, long_motion, out)
    while len(names(tmp_path)) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert out.read_text() == "precious"
    if number != signal.SIGKILL:
        assert names(tmp_path) == ["clip.mp4"]


def test_a_full_disk_loses_no_segment(animation, tmp_path):
    path = tmp_path / "clip.mp4"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    quiet_before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = animation.save(tmp_path / "whole.mp4", resume=True).stat().st_size
    # Room for any segment, but not for the whole.
    resource.setrlimit(resource.RLIMIT_FSIZE, (round(0.8 * size), before[1]))
    try:
        with pytest.raises(OutputError, match="no space is left"):
            animation.save(path, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, quiet_before)
    assert names(tmp_path) == [".clip.mp4.resume", "whole.mp4"]
    assert Unfinished.of(path, animation, False).done == len(animation)
    animation.save(path, resume=True)
    assert same(path, tmp_path / "whole.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written_to(animation, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        animation.save(tmp_path / "clip.mp4", resume=True)


def test_a_line_says_that_settings_changed(picture, long_motion, tmp_path, capsys):
    out = tmp_path / "clip.mp4"
    process = started(picture, long_motion, out, "--size", "160", "--resume")
    while not (resume_folder(out) / "scene.json").exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    command = ["animate", picture, "--driver", long_motion, "--out", out, "--size", 64, "--resume", "--head", 0.5]
    assert main([str(c) for c in command]) == 0
    assert "made with another size, portrait, gains: begun anew" in capsys.readouterr().out


# What was tracked


def test_a_driver_is_tracked_once(driver, captured, tmp_path):
    first = kept_performance(tmp_path / "kept", str(driver), Recording())
    (kept,) = (tmp_path / "kept").iterdir()
    begun = kept.stat().st_mtime_ns
    again = kept_performance(tmp_path / "kept", str(driver), Recording())
    assert kept.stat().st_mtime_ns == begun
    for performance in (first, again):
        assert performance.source == driver
        assert (performance.times == captured.times).all()
        for name, values in vars(performance.motion).items():
            assert (values == getattr(captured.motion, name)).all(), name
    kept.write_bytes(b"damaged")
    assert len(kept_performance(tmp_path / "kept", str(driver), Recording())) == len(captured)
    kept_performance(tmp_path / "kept", str(driver), Recording(end=0.5))
    assert len(names(tmp_path / "kept")) == 2


def test_a_photograph_is_looked_at_once(picture, tmp_path):
    first = kept_performance(tmp_path / "kept", str(picture), Recording())
    (kept,) = (tmp_path / "kept").iterdir()
    begun = kept.stat().st_mtime_ns
    again = kept_performance(tmp_path / "kept", str(picture), Recording())
    assert kept.stat().st_mtime_ns == begun
    direct = Performance.from_picture(picture)
    for performance in (first, again):
        assert (len(performance), performance.source, performance.sha256) == (1, None, direct.sha256)
        assert performance.at(0).angles == pytest.approx(direct.at(0).angles)
        assert performance.at(0).offsets == pytest.approx(direct.at(0).offsets, abs=1e-3)
    assert all((values == getattr(again.motion, name)).all() for name, values in vars(first.motion).items())


def test_a_portrait_is_tracked_once(picture, portrait, tmp_path):
    first = kept_portrait(tmp_path / "kept", picture)
    again = kept_portrait(tmp_path / "kept", picture)
    assert len(names(tmp_path / "kept")) == 1
    for found in (first, again):
        view = found.views[0]
        assert (view.rgb == portrait.views[0].rgb).all()
        assert (view.points == first.views[0].points).all()
        assert view.neighbours == ()


def test_what_needs_no_tracking_is_not_kept(motion_file, tmp_path):
    kept_performance(tmp_path / "kept", str(motion_file), Recording())
    kept_performance(tmp_path / "kept", "orator", Recording(end=0.5))
    assert not (tmp_path / "kept").exists()
