import itertools
import os
import sys

import numpy as np
import pytest

from gioconda.capture import record
from gioconda.cli import main
from gioconda.errors import VideoError
from gioconda.media.camera import Camera, Device, device
from gioconda.media.video import VideoReader

# There is no camera where tests run: a file stands for the device, and all behind it is real.


@pytest.mark.parametrize(
    ("name", "platform", "expected"),
    [
        ("0", "linux", ("v4l2", "/dev/video0")),
        ("/dev/v4l/by-id/a", "linux", ("v4l2", "/dev/v4l/by-id/a")),
        ("1", "darwin", ("avfoundation", "1:none")),
        ("FaceTime HD", "darwin", ("avfoundation", "FaceTime HD:none")),
        ("Integrated Webcam", "win32", ("dshow", "video=Integrated Webcam")),
    ],
)
def test_what_a_system_calls_a_camera(name, platform, expected):
    found = device(name, platform)
    assert (found.format, found.address) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="DirectShow may know cameras")
def test_windows_says_which_cameras_there_are():
    with pytest.raises(VideoError, match="camera:3: no such camera; there are none"):
        device("3", "win32")


def test_frames_of_a_device(driver):
    camera = Camera("0", Device("mp4", str(driver)))
    frames = list(camera)
    with VideoReader(driver) as video:
        meant = list(video)
    assert [f.time for f in frames] == pytest.approx([f.time for f in meant], abs=1e-3)
    assert camera.fps == pytest.approx(20, rel=0.01)
    assert all(np.abs(a.rgb.astype(int) - b.rgb).mean() < 3 for a, b in zip(frames, meant, strict=True))


def test_a_device_is_closed_when_enough_has_come(driver):
    camera = Camera("0", Device("mp4", str(driver)))
    frames = iter(camera)
    assert len(list(itertools.islice(frames, 3))) == 3
    frames.close()
    with pytest.raises(StopIteration):
        next(frames)


def test_a_camera_is_recorded_for_as_long_as_wanted(driver, captured):
    performance = record(Camera("0", Device("mp4", str(driver))), "camera:0", end=1.0)
    assert len(performance) == 20
    assert performance.source is None
    assert performance.fps == pytest.approx(20, rel=0.02)
    yaw, meant = performance.motion.angles[:, 0], captured.motion.angles[:20, 0]
    assert np.corrcoef(yaw, meant)[0, 1] > 0.95


@pytest.mark.parametrize("source", [Device("v4l2", "/dev/video99"), Device("mp4", os.devnull)])
def test_a_camera_that_is_not_there(source):
    with pytest.raises(VideoError, match=rf"camera:9: cannot be opened \({source.address}: .*another number"):
        next(iter(Camera("9", source)))


def test_an_interface_that_is_not_built_in():
    with pytest.raises(VideoError, match="camera:0: this build of PyAV has no nonsense"):
        next(iter(Camera("0", Device("nonsense", "0"))))


def test_a_device_without_pictures(tmp_path):
    from makers import beep

    sound = beep(tmp_path / "a.wav", 0.5, 0.1)
    with pytest.raises(VideoError, match="gives no pictures"):
        next(iter(Camera("0", Device("wav", str(sound)))))


@pytest.mark.parametrize("command", [("animate", "PICTURE", "--driver"), ("capture",)])
def test_the_command_says_what_is_missing(picture, tmp_path, capsys, command):
    arguments = [str(picture) if word == "PICTURE" else word for word in command]
    out = str(tmp_path / ("a.mp4" if command[0] == "animate" else "a.motion"))
    assert main([*arguments, "camera:99", "--out", out]) == 2
    assert "error [usage]: camera:99: a camera has no end; say with --end" in capsys.readouterr().err
    if sys.platform == "linux":
        assert main([*arguments, "camera:99", "--end", "1", "--out", out]) == 2
        assert "error [bad-video]: camera:99: cannot be opened (/dev/video99: No such" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
