"""Marks: a few points that a person shows become a whole face, and a drawing that no tracker understands moves."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda import Portrait, View
from gioconda.cli import main
from gioconda.errors import LandmarksError, OutputError
from gioconda.face import EYES, LIPS_INNER_LOWER, LIPS_INNER_UPPER, eye_distance, face_model
from gioconda.geometry import angles, rotation
from gioconda.marks import FIRST, NAMES, MarkedFace, fit_marks, marks_of, read_marks, write_marks
from gioconda.media.pictures import read_picture, write_png
from gioconda.rendering import composite, make_renderer
from gioconda.retarget import Gains, Sitter, retarget
from makers import faceless_drawing, jaw, luma, movement, posed

FOUR = {"left_eye": (80, 80), "right_eye": (160, 80), "nose": (120, 120), "mouth": (120, 150)}
GOOD = {**FOUR, "chin": (120, 190)}


def face(yaw=0.0, pitch=0.0, roll=0.0, size=100.0):
    """The canonical face somewhere, (478, 3) in pixels."""
    sitter = posed(face_model().shape, (yaw, pitch, roll), size, (300, 300))
    return sitter.pose.apply(sitter.shape)


def chosen(points, names):
    marks = marks_of(points)
    return {name: marks[name] for name in names}


def error(fitted, points):
    """Mean distance of the landmarks in eye distances."""
    return np.linalg.norm((fitted - points)[:, :2], axis=1).mean() / float(eye_distance(points))


POSES = (st.floats(-30, 30), st.floats(-20, 10), st.floats(-40, 40), st.floats(20, 900))


# The fit


@given(*POSES)
def test_a_known_face_is_recovered_from_five_exact_marks(yaw, pitch, roll, size):
    points = face(yaw, pitch, roll, size)
    fitted = fit_marks(chosen(points, FIRST))
    assert fitted.shape == (478, 3)
    assert error(fitted, points) < 0.025
    assert angles(Sitter.of(fitted, 999, 999).pose.rotation)[0] == pytest.approx(yaw, abs=5)


@given(*POSES)
def test_more_marks_recover_it_better(yaw, pitch, roll, size):
    points = face(yaw, pitch, roll, size)
    assert error(fit_marks(chosen(points, NAMES)), points) < 0.005


@given(st.sets(st.sampled_from([name for name in NAMES if name not in FIRST])))
def test_any_further_marks_may_be_given(more):
    points = face(12, -5, 7)
    assert error(fit_marks(chosen(points, [*FIRST, *more])), points) < 0.015


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.06))
def test_noise_degrades_the_fit_gracefully(seed, noise):
    points = face(10, -8, 5)
    random = np.random.default_rng(seed)
    marks = {n: np.add(p, random.normal(0, noise * 100, 2)) for n, p in chosen(points, FIRST).items()}
    assert error(fit_marks(marks), points) < 0.02 + 3 * noise


@given(st.floats(-40, 40), st.floats(0.3, 30), st.floats(-500, 500))
def test_the_fit_goes_with_its_marks(roll, scale, shift):
    turn = scale * rotation(0, 0, roll)[:2, :2]
    moved = {name: turn @ place + shift for name, place in GOOD.items()}
    expected = fit_marks(GOOD)[:, :2] @ turn.T + shift
    assert np.allclose(fit_marks(moved)[:, :2], expected, atol=0.02 * scale * 80)


@pytest.mark.parametrize("names", [("left_eye", (-20, 6)), ("mouth", (8, 30)), ("chin", (0, 70)), ("nose", (10, -10))])
def test_the_face_passes_through_marks_that_no_face_has(names):
    marks = chosen(face(), FIRST)
    marks[names[0]] = np.add(marks[names[0]], names[1])
    found = marks_of(fit_marks(marks))
    for name, place in marks.items():
        assert np.linalg.norm(np.subtract(found[name], place)) < 3, name


def test_lips_are_closed_unless_marked_open():
    marks = chosen(face(), FIRST)
    x, y = marks["mouth"]
    smile = {**marks, "mouth_left": (x - 60, y - 25), "mouth_right": (x + 60, y - 25)}
    upper, lower = list(LIPS_INNER_UPPER), list(LIPS_INNER_LOWER)
    closed = fit_marks(smile)
    assert np.allclose(closed[upper], closed[lower], atol=1e-3)
    opened = fit_marks({**smile, "mouth_top": (x, y - 12), "mouth_bottom": (x, y + 12)})
    assert (opened[lower, 1] - opened[upper, 1]).max() == pytest.approx(24, abs=3)


def test_a_large_round_eye_gets_round_lids():
    points = face()
    marks = chosen(points, NAMES)
    for side, eye in zip(("left", "right"), EYES, strict=True):
        (x0, y), (x1, _) = points[list(eye.corners), :2]
        marks[f"{side}_lid_top"], marks[f"{side}_lid_bottom"] = ((x0 + x1) / 2, y - 25), ((x0 + x1) / 2, y + 25)
    fitted = fit_marks(marks)
    eye = EYES[0]
    middle = fitted[list(eye.corners), :2].mean(axis=0)
    half = np.linalg.norm(fitted[eye.corners[1], :2] - fitted[eye.corners[0], :2]) / 2
    radius = np.linalg.norm((fitted[list(eye.outline), :2] - middle) / (half, 25), axis=1)
    assert np.all((radius > 0.85) & (radius < 1.15))
    # Lid, fold, hollow and brow stay above each other.
    rows = [fitted[list(row), 1] for row in (eye.upper[1:-1], eye.crease, eye.hollow)]
    assert np.all(rows[0] > rows[1])
    assert np.all(rows[1] > rows[2])


def swapped(*names):
    first, second = names
    return {**GOOD, first: GOOD[second], second: GOOD[first]}


WRONG = {
    "both eyes": (swapped("left_eye", "right_eye"), "left and right are swapped"),
    "a mirrored face": ({name: (300 - x, y) for name, (x, y) in GOOD.items()}, "left and right are swapped"),
    "corners": (
        {**GOOD, "mouth_left": (140, 150), "mouth_right": (100, 150)},
        "mouth_left and mouth_right are swapped",
    ),
    "mouth and chin": (swapped("mouth", "chin"), "chin is marked above mouth"),
    "nose and mouth": (swapped("nose", "mouth"), "mouth is marked above nose"),
    "four": (FOUR, "4 points are marked, at least 5"),
    "an unknown name": ({**GOOD, "moustache": (120, 140)}, "'moustache'"),
    "no place": ({**GOOD, "chin": ("low", 3)}, "two numbers"),
    "three numbers": ({**GOOD, "chin": (120, 190, 3)}, "two numbers"),
    "far away": ({**GOOD, "chin": (120, 1e300)}, "two numbers"),
    "no points": ({}, "0 points are marked"),
    "nowhere": ({**GOOD, "chin": (120, float("nan"))}, "two numbers"),
    "one spot": ({name: (100 + x / 100, 100 + y / 100) for name, (x, y) in GOOD.items()}, "on one spot"),
    "one line": (
        {name: marks_of(face())[name] for name in ("nose", "mouth", "chin", "forehead", "lips_top")},
        "do not spread",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_marks_that_are_no_face_are_refused(case):
    marks, said = WRONG[case]
    with pytest.raises(LandmarksError, match=said):
        MarkedFace(marks).points(300, 300)


# The file


def test_a_file_of_marks_comes_back(tmp_path):
    file = tmp_path / "points.json"
    write_marks(file, MarkedFace(GOOD, None, "drawing.png", (320, 240)))
    again = read_marks(file)
    assert (again.picture, again.size) == ("drawing.png", (320, 240))
    assert {name: tuple(place) for name, place in again.marks.items()} == GOOD
    mesh = face().astype(np.float32)
    write_marks(file, MarkedFace(mesh=mesh))
    assert np.allclose(read_marks(file).mesh, mesh, atol=0.01)
    with pytest.raises(OutputError, match="no such folder"):
        write_marks(tmp_path / "nowhere" / "points.json", MarkedFace(GOOD))


HEAD = {"format": "gioconda-landmarks", "version": 1}
BAD_FILES = {
    "not json": ("{", "not JSON"),
    "binary": (b"\xff\xfe\x00", "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "a list": ([], "not a file of landmarks"),
    "another format": ({"format": "ply", "version": 1}, "not a file of landmarks"),
    "newer": ({**HEAD, "version": 2, "points": GOOD}, "version 2"),
    "neither": (HEAD, "either"),
    "both": ({**HEAD, "points": GOOD, "landmarks": []}, "either"),
    "points in a list": ({**HEAD, "points": [[1, 2]]}, "must name each point"),
    "half a mesh": ({**HEAD, "landmarks": [[1, 2, 3]] * 400}, "478"),
    "a ragged mesh": ({**HEAD, "landmarks": [[1, 2]] * 477 + [[1]]}, "478"),
    "a word for a size": ({**HEAD, "points": GOOD, "size": "large"}, "width and height"),
    "an endless size": (
        '{"format": "gioconda-landmarks", "version": 1, "points": {}, "size": [1e999, 5]}',
        "width and",
    ),
    "no size": ({**HEAD, "points": GOOD, "size": [0, 10]}, "width and height"),
    "a number for a picture": ({**HEAD, "points": GOOD, "picture": 7}, "file name"),
    "huge": (" " * (1 << 20) + "{}", "too large"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused(tmp_path, case):
    content, said = BAD_FILES[case]
    file = tmp_path / "points.json"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(LandmarksError, match=said) as raised:
        read_marks(file)
    assert str(file) in str(raised.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(LandmarksError, match="no such file"):
        read_marks(tmp_path / "points.json")


def test_marks_go_with_the_size_of_the_picture():
    marked = MarkedFace(GOOD, size=(240, 240))
    assert np.allclose(marked.points(480, 480), 2 * fit_marks(GOOD), atol=1e-3)
    with pytest.raises(LandmarksError, match="cropped or turned"):
        marked.points(480, 400)
    with pytest.raises(LandmarksError, match="outside the picture"):
        MarkedFace(GOOD).points(64, 64)


# Portraits


@pytest.fixture
def drawing(tmp_path):
    """A drawing that no tracker understands, and the file of its marks."""
    rgb, marks = faceless_drawing()
    write_png(tmp_path / "drawing.png", rgb)
    write_marks(tmp_path / "drawing.json", MarkedFace(marks, None, "drawing.png", (320, 320)))
    return tmp_path


def test_every_drawing_can_be_animated(drawing, motion_file, capfd):
    arguments = [
        "animate",
        f"{drawing}/drawing.png",
        "--driver",
        str(motion_file),
        "--out",
        f"{drawing}/frames/",
        "--end",
        "0.4",
    ]
    assert main(arguments) == 2
    assert "[no-face]" in (said := capfd.readouterr().err)
    assert "gioconda mark" in said
    assert main([*arguments, "--landmarks", f"{drawing}/drawing.json", "--head", "0"]) == 0
    still = read_picture(drawing / "drawing.png").rgb.astype(int)
    frames = np.stack([read_picture(f).rgb.astype(int) for f in sorted((drawing / "frames").iterdir())])
    off = np.abs(frames - still).mean(axis=(0, 3))
    assert off[220:260, 120:200].mean() > 5  # the mouth
    assert off[115:145, 95:125].mean() > 4  # an eye
    assert off[:60].mean() < 1


def test_dots_blink_and_a_line_opens():
    rgb, marks = faceless_drawing()
    view = View(rgb, fit_marks(marks))
    sitter, render = Sitter.of(view.points, 320, 320), make_renderer("flow", (view,), None)

    def frame(**parts):
        return luma(composite(view, render(retarget(sitter, movement(**parts), Gains())))[0])

    still, shut, opened = frame(lids=(1, 1)), frame(lids=(0, 0)), frame(lids=(1, 1), offsets=jaw(0.3))
    assert np.abs(still - luma(rgb)).mean() < 0.5
    for x in (110, 210):
        dot = np.s_[120:141, x - 10 : x + 11]
        assert (still[dot] > 150).mean() > 0.5
        assert (shut[dot] > 150).mean() < 0.2
    assert np.abs(opened - still)[233:260, 130:190].mean() > 20
    assert np.abs(opened - still)[100:150].mean() < 3


def test_marks_override_what_is_found(picture, portrait, tmp_path):
    found = portrait.views[0].points
    marks = {name: np.add(place, (12, -7)) for name, place in chosen(found, FIRST).items()}
    file = tmp_path / "points.json"
    write_marks(file, MarkedFace(marks))
    (view,) = Portrait.from_pictures([picture], landmarks=[file]).views
    placed = marks_of(view.points)
    assert all(np.linalg.norm(np.subtract(placed[name], marks[name])) < 1.5 for name in FIRST)
    assert error(view.points - (12, -7, 0), found) < 0.1


def test_each_file_finds_its_picture(picture, portrait, tmp_path):
    write_png(tmp_path / "second.png", portrait.views[0].rgb)
    file = tmp_path / "points.json"
    write_marks(file, MarkedFace(mesh=face(size=40) - (172, 172, 0), picture="second.png"))
    views = Portrait.from_pictures([picture, tmp_path / "second.png"], landmarks=[file]).views
    assert np.allclose(views[1].points, face(size=40) - (172, 172, 0), atol=0.01)
    assert not np.allclose(views[0].points, views[1].points, atol=5)
    with pytest.raises(LandmarksError, match="not among the pictures"):
        Portrait.from_pictures([picture], landmarks=[file])
    with pytest.raises(LandmarksError, match="already"):
        Portrait.from_pictures([picture, tmp_path / "second.png"], landmarks=[file, file])


def test_a_complaint_about_marks_is_one_line(picture, motion_file, tmp_path, capfd):
    (tmp_path / "points.json").write_text(json.dumps({**HEAD, "points": swapped("left_eye", "right_eye")}))
    arguments = ["animate", str(picture), "--driver", str(motion_file), "--out", f"{tmp_path}/clip.mp4"]
    assert main([*arguments, "--landmarks", f"{tmp_path}/points.json"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("gioconda: error [bad-landmarks]: ")
    assert said.count("\n") == 1
    assert str(picture) in said
    assert main([*arguments, "--landmarks", f"{tmp_path}/points.json", "--box", "60,40,90,110"]) == 2
    assert "leave out the box" in capfd.readouterr().err


@pytest.mark.parametrize(("verb", "number"), [("animate", 0), ("animate", 1), ("reel", 0), ("live", 1)])
def test_a_face_is_shown_or_numbered_not_both(picture, motion_file, tmp_path, verb, number):
    marks, clip = tmp_path / "points.json", tmp_path / "clip.mp4"
    write_marks(marks, MarkedFace(GOOD, picture=picture.name))
    rest = {
        "animate": ["--driver", motion_file, "--out", clip],
        "reel": ["--drivers", motion_file, "--out", clip],
        "live": ["--source", motion_file],
    }
    arguments = [verb, picture, "--landmarks", marks, "--face", number, *rest[verb]]
    command = [sys.executable, "-m", "gioconda.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("gioconda: error [usage]: ")
    assert done.stderr.count("\n") == 1
    assert f"--face {number} names one by number; leave out --face" in done.stderr
    assert list(tmp_path.iterdir()) == [marks]


def test_a_number_for_the_first_picture_and_marks_for_the_second(picture, portrait, tmp_path):
    marks, second = tmp_path / "points.json", tmp_path / "second.png"
    write_png(second, portrait.views[0].rgb)
    write_marks(marks, MarkedFace(GOOD, picture=second.name))
    views = Portrait.from_pictures([picture, second], face=0, landmarks=[marks]).views
    assert error(views[0].points, portrait.views[0].points) < 0.05
    assert np.allclose(marks_of(views[1].points)["chin"], GOOD["chin"], atol=0.5)
