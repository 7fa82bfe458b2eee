"""The real command on small real input."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from conftest import BEEP
from gioconda import Performance, __version__
from gioconda.cli import main
from gioconda.credentials.signing import BESIDE
from gioconda.drivers import builtin, builtin_names
from gioconda.media.clip import OUTPUT_SUFFIXES
from gioconda.media.pictures import read_picture, write_png
from gioconda.media.video import VideoReader, probe_video
from makers import noise

SHORT = ("--end", "0.3")
"""Six frames of the driver."""


def command(*arguments, cwd=None):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gioconda.cli", *map(str, arguments)], capture_output=True, text=True, cwd=cwd
    )


def run(*arguments):
    """The same in this process, which is quicker."""
    return main([str(a) for a in arguments])


def loudness(path, step=0.02):
    """Loudest sample of each step of a file's sound, from the time of its first picture."""
    with av.open(str(path)) as container:
        origin = probe_video(path).origin
        rate = container.streams.audio[0].rate
        pieces = []
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray().astype(float)
            pieces.append((frame.time - origin, np.abs(samples).max(axis=0)[: frame.samples]))
    line = np.zeros(round((pieces[-1][0] + 1) * rate))
    for begins, samples in pieces:
        first = max(round(begins * rate), 0)
        line[first : first + len(samples)] = samples
    return line[: len(line) // round(step * rate) * round(step * rate)].reshape(-1, round(step * rate)).max(axis=1)


def beep_begins(path):
    loud = loudness(path)
    return 0.02 * int(np.argmax(loud > 0.3 * loud.max()))


# What a user does


def test_animate_in_a_process_of_its_own(picture, driver, tmp_path):
    done = command("animate", picture, "--driver", driver, "--out", "clip.mp4", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "clip.mp4: 30 frames, 256 x 256, 20 per second\n"
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
    facts = probe_video(tmp_path / "clip.mp4")
    assert (facts.width, facts.height, facts.fps, facts.has_sound) == (256, 256, 20, True)
    assert facts.duration == pytest.approx(1.5, abs=0.08)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    with VideoReader(tmp_path / "clip.mp4") as video:
        frames = [frame.rgb.astype(float) for frame in video]
    still = read_picture(picture).rgb
    assert len(frames) == 30
    # It begins as the picture and moves; the edge of the picture does not.
    assert np.abs(frames[0] - still).mean() < 6
    assert np.abs(frames[7] - still).mean() > 1.5 * np.abs(frames[0] - still).mean()
    assert max(np.abs(frame[:2] - frames[0][:2]).mean() for frame in frames) < 2


@pytest.mark.parametrize("suffix", [s for s in OUTPUT_SUFFIXES if s != ".mp4"])
def test_animate_to_any_ending(picture, motion_file, tmp_path, suffix):
    out = tmp_path / f"clip{suffix}"
    assert run("animate", picture, "--driver", motion_file, "--out", out, "--size", 96, *SHORT) == 0
    beside = [f"{out.name}.c2pa"] if suffix in BESIDE else []
    assert sorted(p.name for p in tmp_path.iterdir()) == [out.name, *beside]
    with VideoReader(out) as video:
        assert (video.width, video.height) == (96, 96)
        assert len(list(video)) == 6


@pytest.mark.parametrize(
    "words",
    [
        "capture {} --out x.motion --start nan",
        "animate {} --driver orator --out x.mp4 --fps inf",
        "animate {} --driver orator --out x.mp4 --box 1,2,nan,4",
        "dataset export {} --out x --shard-size 1e308",
        "train warp --data {} --out x --minutes=-inf",
    ],
)
def test_numbers_that_cannot_be_reckoned_with(picture, capsys, words):
    with pytest.raises(SystemExit) as ended:
        run(*words.format(picture).split())
    assert ended.value.code == 2
    assert "is not" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("animat", "argument COMMAND: invalid choice: 'animat'"),
        ("animate a.jpg", "the following arguments are required: --out; see 'gioconda animate --help'"),
        ("animate a.jpg --out b.mp4 --box 1,2,3", "argument --box: '1,2,3' is not x,y,width,height in pixels; see"),
        ("animate a.jpg --out b.mp4 --driver", "argument --driver: expected one argument; see"),
        ("animate a.jpg --out b.mp4 --no-such-thing", "unrecognized arguments: --no-such-thing; see"),
        ("portrait check", "the following arguments are required: PICTURE; see 'gioconda portrait check --help'"),
        ("doctor \x1b[2J\n", "unrecognized arguments: "),
    ],
)
def test_options_that_cannot_be_read_are_usage_errors(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        run(*words.split(" "))
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"gioconda: error [usage]: {said}")
    assert "\x1b" not in err


def test_without_a_command_there_is_help(capsys):
    assert run() == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: gioconda")
    assert "animate" in out
    assert not err


def test_a_gif_says_when_it_cannot_be_so_fast(picture, motion_file, tmp_path, capsys):
    to = ("--driver", motion_file, "--size", 64, "--end", 0.2, "--out")
    assert run("animate", picture, *to, tmp_path / "clip.gif", "--fps", 50) == 0
    assert "kept" not in capsys.readouterr().out
    assert run("animate", picture, *to, tmp_path / "clip.gif", "--fps", 60) == 0
    said = capsys.readouterr().out
    with VideoReader(tmp_path / "clip.gif") as video:
        shown = len(list(video))
    assert f"clip.gif: {shown} of them are kept, since a .gif is not so fast" in said
    assert shown < 12
    assert run("animate", picture, *to, tmp_path / "clip.webp", "--fps", 60) == 0
    assert "kept" not in capsys.readouterr().out


def test_animate_to_a_folder(picture, motion_file, tmp_path):
    assert run("animate", picture, "--driver", motion_file, "--out", f"{tmp_path}/frames/", *SHORT) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["frames"]
    pictures = sorted((tmp_path / "frames").iterdir())
    assert [p.name for p in pictures] == [f"{i:06d}.png" for i in range(6)]
    assert read_picture(pictures[0]).rgb.shape == (256, 256, 3)


def test_the_sound_stays_in_sync(picture, driver, tmp_path):
    whole, part, mute = (tmp_path / f"{name}.mp4" for name in ("whole", "part", "mute"))
    small = ("--size", "64")
    assert run("animate", picture, "--driver", driver, "--out", whole, *small) == 0
    assert run("animate", picture, "--driver", driver, "--out", part, "--start", 0.25, *small) == 0
    assert run("animate", picture, "--driver", driver, "--out", mute, "--mute", *small, *SHORT) == 0
    assert beep_begins(driver) == pytest.approx(BEEP, abs=0.05)
    assert beep_begins(whole) == pytest.approx(BEEP, abs=0.05)
    assert beep_begins(part) == pytest.approx(BEEP - 0.25, abs=0.05)
    assert not probe_video(mute).has_sound


def test_a_performance_has_no_sound_but_can_be_given_one(picture, motion_file, driver, tmp_path):
    silent, voiced = tmp_path / "silent.mp4", tmp_path / "voiced.mp4"
    arguments = ("animate", picture, "--driver", motion_file, "--size", 64)
    assert run(*arguments, "--out", silent, *SHORT) == 0
    assert run(*arguments, "--out", voiced, "--sound", driver) == 0
    assert not probe_video(silent).has_sound
    assert beep_begins(voiced) == pytest.approx(BEEP, abs=0.05)


def test_size_crop_fps_and_gains(picture, motion_file, tmp_path, capsys):
    clip = tmp_path / "clip.mp4"
    arguments = ("animate", picture, "--driver", motion_file, "--out", clip, "--end", 0.5)
    assert run(*arguments, "--size", 128, "--fps", 30) == 0
    assert "15 frames, 128 x 128, 30 per second" in capsys.readouterr().out
    assert run(*arguments, "--crop") == 0
    assert 64 < probe_video(clip).width < 256
    still_picture = ("--head", 0, "--mouth", 0, "--eyes", 0, "--brows", 0)
    assert run(*arguments[:-4], "--out", f"{tmp_path}/frames/", *SHORT, *still_picture) == 0
    for frame in (tmp_path / "frames").iterdir():
        # As much as the invisible mark changes.
        assert np.abs(read_picture(frame).rgb.astype(int) - read_picture(picture).rgb).mean() < 1.5


def test_absolute_turns_the_head_elsewhere(picture, motion_file, tmp_path):
    arguments = ("animate", picture, "--driver", motion_file, *SHORT)
    assert run(*arguments, "--out", f"{tmp_path}/relative/") == 0
    assert run(*arguments, "--out", f"{tmp_path}/absolute/", "--absolute") == 0
    relative, absolute = (read_picture(tmp_path / n / "000000.png").rgb.astype(int) for n in ("relative", "absolute"))
    assert relative.shape == absolute.shape
    assert np.abs(relative - absolute).mean() > 0.5


@pytest.mark.parametrize(("name", "size"), [("clip.mp4", (256, 242)), ("clip.gif", (255, 241)), ("a/", (255, 241))])
def test_an_odd_picture_gains_at_most_a_pixel_and_that_is_said(portrait, motion_file, tmp_path, capsys, name, size):
    write_png(tmp_path / "odd.png", portrait.views[0].rgb[:241, :255])
    out = f"{tmp_path}/{name}"
    assert run("animate", tmp_path / "odd.png", "--driver", motion_file, "--out", out, *SHORT) == 0
    frame = read_picture(Path(out) / "000000.png").rgb if name == "a/" else next(iter(VideoReader(out))).rgb
    assert frame.shape == (size[1], size[0], 3)
    assert capsys.readouterr().out == f"{out}: 6 frames, {size[0]} x {size[1]}, 20 per second\n"


def test_several_pictures_of_one_person(picture, portrait, motion_file, tmp_path):
    write_png(tmp_path / "second.png", portrait.views[0].resized(200).rgb)
    out = tmp_path / "clip.gif"
    assert run("animate", picture, tmp_path / "second.png", "--driver", motion_file, "--out", out, *SHORT) == 0
    with VideoReader(out) as video:
        assert (video.width, video.height) == (256, 256)


def test_transparency_reaches_the_clip(portrait, motion_file, tmp_path):
    alpha = np.full((256, 256), 255, np.uint8)
    alpha[:30] = 0
    write_png(tmp_path / "clear.png", portrait.views[0].rgb, alpha)
    arguments = ("animate", tmp_path / "clear.png", "--driver", motion_file, "--out", f"{tmp_path}/frames/")
    assert run(*arguments, *SHORT) == 0
    frame = read_picture(tmp_path / "frames" / "000003.png")
    assert frame.alpha is not None
    assert not frame.alpha[0].any()
    assert (frame.alpha[128:] == 255).all()


def test_capture_once_use_often(driver, tmp_path, capsys):
    out = tmp_path / "talk.motion"
    assert run("capture", driver, "--out", out) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: 30 frames, 1.50 s, {out.stat().st_size} bytes")
    assert [p.name for p in tmp_path.iterdir()] == ["talk.motion"]
    performance = Performance.load(out)
    assert len(performance) == 30
    assert performance.seen.all()


def test_reel(picture, motion_file, driver, tmp_path):
    out = tmp_path / "reel.mp4"
    arguments = ("reel", picture, "--drivers", motion_file, driver, "--out", out, "--height", 64)
    assert run(*arguments, "--sound", 1) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["reel.mp4"]
    facts = probe_video(out)
    assert (facts.width, facts.height) == (192, 64)
    assert beep_begins(out) == pytest.approx(BEEP, abs=0.05)
    with VideoReader(out) as video:
        frames = np.stack([frame.rgb for frame in video]).astype(float)
    assert len(frames) == 30
    changes = [np.abs(np.diff(frames[:, :, x : x + 64], axis=0)).mean() for x in (0, 64, 128)]
    assert changes[0] < 0.3 * min(changes[1:])
    assert run(*arguments, *SHORT) == 0
    assert not probe_video(out).has_sound


@pytest.fixture(scope="module")
def couple(portrait, tmp_path_factory):
    """Two faces beside each other, the larger one on the right."""
    view = portrait.views[0]
    rgb = np.full((256, 456, 3), 90, np.uint8)
    rgb[:200, :200] = view.resized(200).rgb
    rgb[:, 200:] = view.rgb
    path = tmp_path_factory.mktemp("couple") / "couple.png"
    write_png(path, rgb)
    return path


def test_faces_are_numbered_by_size(couple, tmp_path, capsys):
    assert run("faces", couple, "--out", tmp_path / "shown.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in lines[:2]] == ["0: --box ", "1: --box "]
    boxes = [tuple(map(int, line[9:].split(","))) for line in lines[:2]]
    assert boxes[0][0] > 200 > boxes[1][0]
    assert boxes[0][2] > boxes[1][2]
    drawn, plain = (read_picture(p).rgb for p in (tmp_path / "shown.png", couple))
    assert drawn.shape == plain.shape
    assert (drawn != plain).any(axis=2)[:, :200].any()
    assert (drawn != plain).any(axis=2)[:, 200:].any()


def test_the_face_asked_for_moves(couple, motion_file, tmp_path):
    plain = read_picture(couple).rgb.astype(int)
    box = ("--box", "60,40,90,110")
    for name, choice in (("largest", ()), ("second", ("--face", 1)), ("boxed", box)):
        out = f"{tmp_path}/{name}/"
        assert run("animate", couple, "--driver", motion_file, "--out", out, "--fps", 5, "--end", 0.6, *choice) == 0
        off = np.abs(read_picture(Path(out) / "000001.png").rgb.astype(int) - plain).mean(axis=(0, 2))
        left, right = off[:170].mean(), off[230:].mean()
        assert (right > left) == (name == "largest"), name


def test_performances_lists_what_is_built_in(capsys):
    assert run("performances") == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == builtin_names()


@pytest.mark.skipif(not builtin_names(), reason="no performances are built in")
def test_built_in_performances_are_lively_and_seconds_long():
    assert len(builtin_names()) >= 3
    for name in builtin_names():
        performance = builtin(name)
        assert 5 <= performance.duration <= 8
        assert performance.seen.mean() > 0.95
        assert np.ptp(performance.motion.angles[:, 0]) > 3
        assert performance.motion.offsets[..., 1].max() > 0.05


@pytest.mark.skipif(not builtin_names(), reason="no performances are built in")
def test_animate_with_a_built_in_performance(picture, tmp_path):
    out = tmp_path / "clip.mp4"
    name = builtin_names()[0]
    assert run("animate", picture, "--driver", name, "--out", out, "--size", 64, *SHORT) == 0
    assert out.exists()


def test_doctor_and_version():
    doctor, version = command("doctor"), command("--version")
    assert (doctor.returncode, doctor.stderr) == (0, "")
    states = {line.split()[0] for line in doctor.stdout.splitlines()}
    assert states <= {"ok", "missing"}
    assert "face tracker" in doctor.stdout
    assert (version.returncode, version.stdout) == (0, f"gioconda {__version__}\n")


def test_the_command_is_installed():
    script = Path(sys.executable).with_name("gioconda")
    if not script.exists():
        pytest.skip("the package is not installed with its script")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    for verb in ("animate", "capture", "reel", "faces", "performances", "demo", "doctor"):
        assert verb in done.stdout


def test_work_is_silent_where_there_is_no_terminal(picture, driver, tmp_path, capfd):
    assert run("animate", picture, "--driver", driver, "--out", tmp_path / "a.gif", "--size", 64, *SHORT) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    assert shown.out.count("\n") == 1


# What a user gets wrong


@pytest.fixture(scope="module")
def bad(tmp_path_factory, picture):
    """A folder of files that are of no use."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.jpg").write_text("This is not a picture.\n" * 20)
    (folder / "truncated.png").write_bytes(picture.read_bytes()[:2000])
    (folder / "empty.png").touch()
    (folder / "empty.mp4").touch()
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    (folder / "garbage.motion").write_bytes(bytes(range(256)))
    (folder / "text.mp4").write_text("This is not a video.\n" * 40)
    write_png(folder / "noise.png", next(noise(1)))
    return folder


def complaint(capfd, *arguments):
    """The one line that a failing command prints."""
    assert run(*arguments) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert shown.err.count("\n") == 1, shown.err
    assert shown.err.startswith("gioconda: error ["), shown.err
    return shown.err.removeprefix("gioconda: error ")


PICTURES = {
    "text.jpg": ("bad-picture", "not a picture"),
    "truncated.png": ("bad-picture", "damaged or cut short"),
    "empty.png": ("bad-picture", "is empty"),
    "missing.png": ("bad-picture", "does not exist"),
    "dot.png": ("bad-picture", "1 x 1"),
    "noise.png": ("no-face", "--box"),
    ".": ("bad-picture", "folder"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_bad_picture(bad, motion_file, tmp_path, capfd, name):
    kind, hint = PICTURES[name]
    said = complaint(capfd, "animate", bad / name, "--driver", motion_file, "--out", tmp_path / "clip.mp4")
    assert said.startswith(f"[{kind}]: ")
    assert hint in said
    assert str(bad / name) in said
    assert not list(tmp_path.iterdir())


DRIVERS = {
    "text.mp4": ("bad-video", "not a video"),
    "empty.mp4": ("bad-video", "is empty"),
    "missing.mp4": ("bad-video", "does not exist"),
    "garbage.motion": ("bad-motion", "gioconda capture"),
    "missing.motion": ("bad-motion", "no such file"),
}


@pytest.mark.parametrize("name", DRIVERS)
def test_a_bad_driver(bad, picture, tmp_path, capfd, name):
    kind, hint = DRIVERS[name]
    said = complaint(capfd, "animate", picture, "--driver", bad / name, "--out", tmp_path / "clip.mp4")
    assert said.startswith(f"[{kind}]: ")
    assert hint in said
    assert str(bad / name) in said
    assert not list(tmp_path.iterdir())


def test_a_driver_without_a_face(picture, faceless_video, tmp_path, capfd):
    said = complaint(capfd, "animate", picture, "--driver", faceless_video, "--out", tmp_path / "clip.mp4")
    assert said.startswith("[no-face]: ")
    said = complaint(capfd, "capture", faceless_video, "--out", tmp_path / "a.motion")
    assert said.startswith("[no-face]: ")
    assert not list(tmp_path.iterdir())


def test_a_truncated_driver(picture, driver, tmp_path, capfd):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(driver.read_bytes()[:3000])
    said = complaint(capfd, "animate", picture, "--driver", cut, "--out", tmp_path / "clip.mp4")
    assert said.startswith("[bad-video]: ")
    assert [p.name for p in tmp_path.iterdir()] == ["cut.mp4"]


def test_a_driver_that_is_no_file_and_not_built_in(picture, tmp_path, capfd):
    said = complaint(capfd, "animate", picture, "--driver", "nobody", "--out", tmp_path / "clip.mp4")
    assert said.startswith("[bad-video]: nobody: no such file")


OUTPUTS = {
    "clip.xyz": ".mp4",
    "clip": ".mp4",
    "nowhere/clip.mp4": "does not exist",
    "nowhere/frames/": "does not exist",
    "file/clip.mp4": "does not exist",
    "full/": "files in it",
}


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("verb", ["animate", "reel"])
def test_a_bad_output(picture, motion_file, tmp_path, capfd, name, verb):
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    driver = "--driver" if verb == "animate" else "--drivers"
    said = complaint(capfd, verb, picture, driver, motion_file, "--out", f"{tmp_path}/{name}")
    assert said.startswith("[bad-output]: ")
    assert OUTPUTS[name] in said
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "full", "mine.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_an_unwritable_folder(picture, motion_file, tmp_path, capfd):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    said = complaint(capfd, "animate", picture, "--driver", motion_file, "--out", locked / "clip.mp4")
    assert said.startswith("[bad-output]: ")
    assert not list(locked.iterdir())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write to")
def test_a_folder_that_nobody_can_write_to(picture, motion_file, capfd):
    said = complaint(capfd, "animate", picture, "--driver", motion_file, "--out", "/proc/clip.mp4", *SHORT)
    assert said.startswith("[bad-output]: ")


BAD_OPTIONS = {
    "--face 7": ("no-face", "no face number 7: one face was found"),
    "--face -1": ("no-face", "no face number -1"),
    "--box 500,500,40,40": ("usage", "256 x 256"),
    "--box 10,10,3,3": ("usage", "x,y,width,height"),
    "--head 9": ("usage", "gain of head"),
    "--mouth -1": ("usage", "gain of mouth"),
    "--size 7": ("usage", "64 to 8192"),
    "--fps 0.1": ("usage", "1 to 120"),
    "--start 40": ("usage", "nothing between 40 s"),
    "--renderer oil": ("usage", "'oil'"),
    "--max-pixels 100": ("bad-picture", "max"),
}


@pytest.mark.parametrize("options", BAD_OPTIONS)
def test_a_bad_option(picture, motion_file, tmp_path, capfd, options):
    kind, hint = BAD_OPTIONS[options]
    out = tmp_path / "clip.mp4"
    said = complaint(capfd, "animate", picture, "--driver", motion_file, "--out", out, *options.split())
    assert said.startswith(f"[{kind}]: ")
    assert hint in said
    assert not list(tmp_path.iterdir())


def test_more_pictures_than_a_portrait_has(picture, motion_file, tmp_path, capfd):
    many = [picture] * 33
    assert "1 to 32" in complaint(capfd, "animate", *many, "--driver", motion_file, "--out", tmp_path / "a.mp4")


def test_other_verbs_complain_alike(bad, picture, motion_file, driver, tmp_path, capfd):
    reel = ("reel", picture, "--drivers", motion_file, "--out", tmp_path / "reel.mp4")
    for arguments, kind in (
        (("capture", driver, "--out", tmp_path / "a.npz"), "bad-output"),
        (("capture", driver, "--out", tmp_path / "nowhere" / "a.motion"), "bad-output"),
        (("capture", bad / "text.mp4", "--out", tmp_path / "a.motion"), "bad-video"),
        (("capture", driver, "--start", "9", "--out", tmp_path / "a.motion"), "usage"),
        (("faces", bad / "text.jpg"), "bad-picture"),
        (("faces", bad / "noise.png"), "no-face"),
        (("faces", picture, "--out", tmp_path / "a.jpg"), "bad-output"),
        ((*reel, "--sound", "1"), "usage"),
        ((*reel, "--height", "5"), "usage"),
        ((*reel[:-1], tmp_path / "reel.doc"), "bad-output"),
    ):
        assert complaint(capfd, *arguments).startswith(f"[{kind}]: "), arguments
    assert not list(tmp_path.iterdir())


def test_bad_input_in_a_process_of_its_own(bad, motion_file, tmp_path):
    for name in ("text.jpg", "noise.png"):
        done = command("animate", bad / name, "--driver", motion_file, "--out", "clip.mp4", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("gioconda: error [")
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_debug_shows_where_it_came_from(bad, motion_file, tmp_path, capfd):
    arguments = ("animate", bad / "text.jpg", "--driver", motion_file, "--out", tmp_path / "a.mp4", "--debug")
    assert run(*arguments) == 2
    shown = capfd.readouterr().err
    assert "Traceback" in shown
    assert "gioconda: error [bad-picture]" in shown


def test_a_file_that_was_there_survives_a_failure(bad, picture, tmp_path, capfd):
    clip = tmp_path / "clip.mp4"
    clip.write_text("precious")
    complaint(capfd, "animate", picture, "--driver", bad / "text.mp4", "--out", clip)
    assert clip.read_text() == "precious"
