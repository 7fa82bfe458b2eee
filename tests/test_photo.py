import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gioconda import Performance, animate
from gioconda.cli import main
from gioconda.errors import NoFaceError, PictureError
from gioconda.face import face_model
from gioconda.media.files import sha256_of
from gioconda.media.pictures import is_still, read_picture, write_png
from gioconda.media.video import VideoReader, probe_video
from gioconda.neutral import mouth_gap
from gioconda.photo import REST, capture_photo, motion_of_one
from gioconda.retarget import Gains, retarget
from gioconda.tracking import Box, Face, Search
from makers import acting, jaw, movement, posed, stretched

ROOT = Path(__file__).parents[1]


def seen_in_one(shape, size=60.0, angles=tuple(REST), **parts):
    """The movement believed of a face of some shape, seen once, while it makes a movement."""
    sitter = posed(shape, angles, size)
    return motion_of_one(retarget(sitter, movement(**parts), Gains()))


# One face, and nothing known of it


@pytest.mark.parametrize(
    "shape", [face_model().shape, stretched(1.1, 1.1, 1), stretched(0.92, 0.95, 1)], ids=["mean", "large", "small"]
)
@pytest.mark.parametrize("size", [20, 150])
def test_a_relaxed_face_hardly_moves_anything(shape, size):
    motion = seen_in_one(shape, size)
    assert motion.angles == pytest.approx(np.zeros(3), abs=1.5)
    assert motion.rest == pytest.approx(REST)
    assert motion.lids == pytest.approx(np.ones(2))
    assert motion.gaze == pytest.approx(np.zeros(2), abs=0.03)
    assert (motion.shift == 0).all()
    assert np.abs(motion.offsets).max() < 0.12


def test_the_head_counts_against_the_camera():
    motion = seen_in_one(face_model().shape, angles=(20, 7, -10))
    assert motion.rest + motion.angles == pytest.approx([20, 7, -10], abs=0.5)
    assert motion.angles == pytest.approx(np.array([20, 7, -10]) - REST, abs=0.5)


@pytest.mark.parametrize(("opening", "expected"), [(0, 0), (0.8, 1), (1, 1), (1.15, 1)])
def test_lids_within_what_relaxed_eyes_have_are_relaxed(opening, expected):
    motion = seen_in_one(face_model().shape, lids=(opening, opening))
    assert motion.lids == pytest.approx([expected, expected], abs=0.02)


def test_a_wink_and_a_wide_eye():
    motion = seen_in_one(face_model().shape, lids=(0, 1.5))
    assert motion.lids[0] == pytest.approx(0, abs=0.02)
    assert motion.lids[1] > 1.2


def test_gaze_goes_where_it_looks():
    motion = seen_in_one(face_model().shape, gaze=(0.2, -0.1))
    assert 0.1 < motion.gaze[0] < 0.2
    assert -0.1 < motion.gaze[1] < -0.02


def test_an_open_mouth_opens_the_portraits():
    portrait = posed(stretched(1.05, 0.95, 1), size=1.0, at=(0, 0))
    gaps = []
    for opening in (0.0, 0.2, 0.4):
        motion = seen_in_one(stretched(0.95, 1.05, 1), offsets=jaw(opening))
        gaps.append(mouth_gap(retarget(portrait, motion, Gains())))
    assert gaps[0] < 0.05
    assert gaps[1] > gaps[0] + 0.08
    assert gaps[2] > gaps[1] + 0.08


# Files


class Finder:
    """A tracker that finds the faces it was given."""

    def __init__(self, *faces):
        self._faces = [Face(points) for points in faces]

    def find(self, rgb):
        return Search(self._faces, ["looking"])

    def find_in(self, rgb, box: Box):
        return self.find(rgb)


def test_a_picture_is_one_frame(picture):
    points = retarget(posed(face_model().shape), movement(lids=(0, 0)), Gains())
    performance = capture_photo(picture, tracker=Finder(points))
    assert (len(performance), performance.source, performance.cuts) == (1, None, 0)
    assert performance.sha256 == sha256_of(picture)
    assert performance.at(0).lids == pytest.approx(np.zeros(2), abs=0.02)


def test_pictures_of_no_use(faceless_picture, tmp_path):
    with pytest.raises(NoFaceError, match=r"noise\.png: no face found in this picture"):
        Performance.from_picture(faceless_picture)
    with pytest.raises(PictureError, match="does not exist"):
        Performance.from_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("verb", ["capture", "animate", "performance edit"])
def test_large_photographs_are_read_if_that_is_wanted(picture, motion_file, tmp_path, capsys, verb):
    words = [*verb.split(), str(picture), "--out", str(tmp_path / "a.motion")]
    if verb == "animate":
        words = ["animate", str(picture), "--driver", str(picture), "--size", "64", "--out", str(tmp_path / "a.png")]
    assert main([*words, "--max-pixels", "100"]) == 2
    assert "--max-pixels" in capsys.readouterr().err
    assert main([*words, "--max-pixels", "65536"]) == 0


def test_what_is_a_still_picture(tmp_path, driver, text_video):
    frames = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (0, 120, 240)]
    for name in ("a.jpg", "a.png", "a.webp", "a.gif", "a.tiff", "a.bmp"):
        frames[0].save(tmp_path / name)
        assert is_still(tmp_path / name), name
    for name in ("b.png", "b.webp", "b.gif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert not is_still(tmp_path / name), name
    frames[0].save(tmp_path / "b.tiff", save_all=True, append_images=frames[1:])
    assert is_still(tmp_path / "b.tiff")  # pages are no animation
    assert not is_still(driver)
    assert not is_still(text_video)
    assert not is_still(tmp_path / "missing.jpg")


@pytest.fixture(scope="module")
def face(portrait, tmp_path_factory):
    """A picture of the person with the mouth open and the head turned."""
    folder = tmp_path_factory.mktemp("face")
    for number, frame in enumerate(animate(portrait, acting())):
        if number == 6:
            write_png(folder / "face.png", frame.rgb)
    return folder / "face.png"


def run(*arguments):
    return main([str(a) for a in arguments])


def test_a_photo_drives_a_clip_and_a_still(picture, face, tmp_path, capsys):
    arguments = ("animate", picture, "--driver", face, "--size", 128)
    outs = [tmp_path / name for name in ("clip.mp4", "still.png", "still.jpg")]
    for out in outs:
        assert run(*arguments, "--out", out) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("clip.mp4: 38 frames, 128 x 128, 25 per second")
    assert said[1].endswith("still.png: 128 x 128")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "still.jpg", "still.png"]
    with VideoReader(outs[0]) as video:
        frames = [frame.rgb.astype(float) for frame in video]
    plain = np.asarray(Image.open(picture).resize((128, 128), Image.Resampling.BOX)).astype(float)
    png, jpg = (read_picture(out).rgb.astype(float) for out in outs[1:])
    # It begins as the picture, ends as the still, and the still is not the picture.
    assert np.abs(frames[0] - plain).mean() < 5
    assert np.abs(frames[-1] - png).mean() < 4
    assert np.abs(jpg - png).mean() < 2
    assert np.abs(png - plain).mean() > 2 * np.abs(frames[0] - plain).mean()
    assert not probe_video(outs[0]).has_sound


def test_a_still_is_where_a_movement_ends(picture, motion_file, tmp_path):
    arguments = ("animate", picture, "--driver", motion_file, "--size", 96, "--end", 0.5)
    assert run(*arguments, "--out", tmp_path / "still.png") == 0
    assert run(*arguments, "--out", f"{tmp_path}/frames/") == 0
    last = sorted((tmp_path / "frames").iterdir())[-1]
    # The mark of either is laid out on its own first frame.
    apart = read_picture(tmp_path / "still.png").rgb.astype(int) - read_picture(last).rgb
    assert np.abs(apart).mean() < 0.5


def test_a_still_of_a_picture_with_transparency(portrait, motion_file, tmp_path):
    alpha = np.full(portrait.views[0].rgb.shape[:2], 255, np.uint8)
    alpha[:30] = 0
    write_png(tmp_path / "clear.png", portrait.views[0].rgb, alpha)
    for name in ("still.png", "still.jpg"):
        assert run("animate", tmp_path / "clear.png", "--driver", motion_file, "--out", tmp_path / name) == 0
    assert (read_picture(tmp_path / "still.png").alpha[:26] == 0).all()
    assert (read_picture(tmp_path / "still.jpg").rgb[:24] > 240).all()


def test_a_reel_can_end_as_a_still(picture, face, tmp_path):
    out = tmp_path / "reel.png"
    assert run("reel", picture, "--drivers", face, "--height", 96, "--out", out) == 0
    assert read_picture(out).rgb.shape == (96, 192, 3)


def test_a_photo_can_be_recorded(face, tmp_path):
    out = tmp_path / "face.motion"
    assert run("capture", face, "--out", out) == 0
    kept, direct = Performance.load(out), Performance.from_picture(face)
    assert len(kept) == 1
    assert kept.at(0).offsets == pytest.approx(direct.at(0).offsets, abs=1e-3)


def test_what_a_photo_tells_can_be_measured(driver, faceless_video, tmp_path):
    for video in (driver, faceless_video):
        (tmp_path / video.name).symlink_to(video)
    command = [sys.executable, "benchmarks/photo_drivers.py", str(tmp_path), "--each", "8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("left out: ")
    assert said[1].startswith("8 frames of 1 videos, ")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in said[5:]]
    rows = {name: list(map(float, figures)) for name, *figures in cells}
    assert min(rows["lips"] + rows["brows"]) > 0
    still, everything, believed = rows["strength: lips"]
    assert still == 0
    assert everything > believed > 0.2


def test_a_still_that_cannot_be_written(picture, motion_file, tmp_path, capsys):
    assert run("animate", picture, "--driver", motion_file, "--out", tmp_path / "nowhere" / "a.png") == 2
    assert "create it first" in capsys.readouterr().err
