"""Advice about the pictures of a portrait."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gioconda import View
from gioconda.cli import main
from gioconda.errors import UsageError
from gioconda.face import MOUTH_OUTLINE
from gioconda.marks import FIRST, MarkedFace, marks_of, write_marks
from gioconda.media.pictures import write_png
from gioconda.portrait_check import BLURRED, FACE_PIXELS, blur, check, face_print, measure
from gioconda.rendering import composite, make_renderer
from gioconda.retarget import Gains, Sitter, retarget
from makers import faceless_drawing, jaw, movement

SKIN = (227, 176, 174)
"""About the colour of the photograph's lower lip."""


@pytest.fixture(scope="module")
def shelf(portrait, tmp_path_factory):
    """Pictures of one person: as it is, blurred, shut eyes, turned, small; of somebody else, of nobody; damaged."""
    folder = tmp_path_factory.mktemp("shelf")
    view = portrait.views[0]
    sitter, render = Sitter.of(view.points, 256, 256), make_renderer("flow", (view,), None)

    def moved(**parts):
        return composite(view, render(retarget(sitter, movement(**({"lids": (1, 1)} | parts)), Gains())))[0]

    mouth = np.rint(view.points[list(MOUTH_OUTLINE), :2]).astype(np.int32)
    left = moved(angles=(-32, 0, 0))
    for name, rgb in {
        "plain": view.rgb,
        "closed": cv2.fillPoly(view.rgb.copy(), [mouth], SKIN),
        "toothless": cv2.fillPoly(view.rgb.copy(), [mouth], (25, 16, 16)),
        "soft": cv2.GaussianBlur(view.rgb, (0, 0), 1),
        "mirrored": view.rgb[:, ::-1],
        "blurred": cv2.GaussianBlur(view.rgb, (0, 0), 3),
        "shut": moved(lids=(0, 0)),
        "left": left,
        "left-mirrored": left[:, ::-1],
        "stranger": cv2.resize(view.rgb, (256, 384)),
        "right": moved(angles=(32, 0, 0)),
        "open": moved(offsets=jaw(0.4)),
        "dark": (view.rgb * 0.15).astype(np.uint8),
        "nobody": faceless_drawing()[0],
    }.items():
        write_png(folder / f"{name}.png", np.ascontiguousarray(rgb))
    small = np.full((200, 200, 3), view.rgb[0, 0], np.uint8)
    small[50:150, 50:150] = view.resized(100).rgb
    write_png(folder / "small.png", small)
    Image.fromarray(view.rgb).save(folder / "again.jpg", quality=85)
    (folder / "text.jpg").write_text("This is not a picture.\n")
    return folder


@pytest.fixture(scope="module")
def report(shelf):
    names = ("plain.png", "blurred.png", "shut.png", "left.png", "right.png", "small.png", "again.jpg")
    return check([shelf / name for name in names])


def by_name(report):
    return {found.path.stem: found for found in report.pictures}


def test_each_fault_is_found_where_it_is(report):
    found = by_name(report)
    assert [found.path.stem for found in report.pictures][:2] == ["plain", "blurred"]
    for fault, names in {
        "blurred": {"blurred"},
        "eyes shut": {"shut"},
        "small": {"small"},
        "shows the same as another": {"again"},
        "somebody else?": set(),
    }.items():
        assert {name for name, picture in found.items() if fault in picture.faults} & set(found) >= names, fault
    assert "blurred" not in found["plain"].faults
    assert "eyes shut" not in found["plain"].faults
    assert found["again"].same_as == 0
    assert found["shut"].same_as is None
    assert found["left"].yaw < -15 < found["plain"].yaw < 15 < found["right"].yaw
    assert {name for name, picture in found.items() if not picture.usable} == {"blurred", "small"}


def test_advice_is_about_what_is_missing(shelf, report):
    def said(*names):
        return " | ".join(check([shelf / name for name in names]).advice)

    alone = said("shut.png")
    assert "shut.png, the first picture, is the one that moves: eyes shut" in alone
    assert "no view from the left" in alone
    assert "no view from the right" in alone
    assert "no shut eyes seen" not in alone
    assert "put plain.png first" in said("blurred.png", "plain.png")
    turned = " | ".join(report.advice)
    assert "no view from" not in turned
    assert "blurred.png is of no use (blurred)" in turned
    assert "again.jpg shows the same as plain.png" in turned


TEETH = "no teeth seen: add a picture with an open smile"
LEFT = "no view from the left: add a picture with the face turned to the picture's right"
RIGHT = "no view from the right: add a picture with the face turned to the picture's left"
FRONT = "no view from the front: add one that looks into the camera"
SHUT = "no shut eyes seen: add a picture with lowered lids"
FIRST_ONE = "{}.png, the first picture, is the one that moves"
OPEN = f"{FIRST_ONE}, with an open mouth: a relaxed face moves best"


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        # Teeth
        ("closed", [TEETH, LEFT, RIGHT, SHUT]),
        ("toothless", [OPEN.format("toothless"), TEETH, LEFT, RIGHT, SHUT]),
        ("plain", [OPEN.format("plain"), LEFT, RIGHT, SHUT]),
        ("closed open", [LEFT, RIGHT, SHUT]),
        # Sides
        ("closed left", [LEFT, SHUT]),
        ("closed left-mirrored", [RIGHT, SHUT]),
        ("closed right", [RIGHT, SHUT]),
        ("closed mirrored", [LEFT, RIGHT, SHUT]),
        ("closed left left-mirrored", [SHUT]),
        ("left", [OPEN.format("left"), LEFT, FRONT, SHUT]),
        # Blur
        ("soft", [OPEN.format("soft"), LEFT, RIGHT, SHUT]),
        ("blurred", [f"{FIRST_ONE.format('blurred')}: blurred"]),
        (
            "closed blurred",
            [TEETH, "blurred.png is of no use (blurred): leave it out, or give a better one", LEFT, RIGHT, SHUT],
        ),
        (
            "blurred closed",
            [f"{FIRST_ONE.format('blurred')}: blurred", "put closed.png first", TEETH, LEFT, RIGHT, SHUT],
        ),
        # Lids
        ("closed left shut", [LEFT]),
        ("plain shut", [OPEN.format("plain"), LEFT, RIGHT]),
        # Another person
        (
            "closed stranger",
            ["two different people? closed.png (0.#), stranger.png (0.#): not alike to the other pictures; look again"],
        ),
        (
            "closed left shut stranger",
            ["two different people? stranger.png (0.#): not alike to the other pictures; look again", LEFT],
        ),
        (
            "closed stranger left shut",
            ["two different people? stranger.png (0.#): not alike to the other pictures; look again", LEFT],
        ),
        ("closed left left-mirrored shut", []),
    ],
)
def test_every_sentence_is_said_where_it_is_true_and_nowhere_else(shelf, names, advice):
    """What the tracker and the measures make of pictures of a real face, its mirror image and its own renders."""
    said = check([shelf / f"{name}.png" for name in names.split()]).advice
    assert [re.sub(r"\(-?0\.\d\d\)", "(0.#)", text) for text in said] == advice


def test_pictures_of_no_use_are_reported_not_raised(shelf):
    report = check([shelf / "plain.png", shelf / "nobody.png", shelf / "text.jpg", shelf / "missing.png"])
    assert [found.usable for found in report.pictures] == [True, False, False, False]
    assert [found.faceless for found in report.pictures] == [False, True, False, False]
    assert "gioconda mark" in report.pictures[1].problem
    assert "not a picture" in report.pictures[2].problem
    assert sum("of no use" in text for text in report.advice) == 3


def test_a_marked_drawing_can_be_checked(shelf, tmp_path):
    marks = faceless_drawing()[1]
    write_marks(tmp_path / "marks.json", MarkedFace(marks, None, "nobody.png"))
    (found,) = check([shelf / "nobody.png"], landmarks=[tmp_path / "marks.json"]).pictures
    assert found.usable
    assert not found.shows_teeth
    assert found.face_height > 150


def test_teeth_need_an_open_mouth_and_something_bright_in_it(portrait):
    view = portrait.views[0]
    shut = View(view.rgb, MarkedFace({n: marks_of(view.points)[n] for n in FIRST}).points(256, 256))
    assert not measure(Path("a.png"), shut).shows_teeth
    found = measure(Path("a.png"), view)
    assert found.shows_teeth == (found.mouth_open and found.teeth > 0.01)
    black = view.rgb.copy()
    cv2.fillPoly(black, [np.rint(view.points[list(MOUTH_OUTLINE), :2]).astype(np.int32)], (20, 16, 16))
    assert found.teeth > 0.01
    assert measure(Path("a.png"), View(black, view.points)).teeth < 0.2 * found.teeth


def test_blur_grows_with_blur_and_not_with_size(portrait):
    view = portrait.views[0]
    sigma = view.box.height / FACE_PIXELS
    values = [blur(view)] + [
        blur(View(cv2.GaussianBlur(view.rgb, (0, 0), s * sigma), view.points)) for s in (1.0, 2.0, 3.0)
    ]
    assert values == sorted(values)
    assert values[0] < BLURRED < values[2]
    assert blur(view.resized(512)) == pytest.approx(blur(view), abs=0.1)


def test_a_stranger_is_named(shelf, tmp_path, portrait):
    points = portrait.views[0].points
    tall = points * np.array([1, 1.5, 1], np.float32)
    rgb = cv2.resize(portrait.views[0].rgb, (256, 384))
    write_png(tmp_path / "tall.png", rgb)
    write_marks(tmp_path / "tall.json", MarkedFace(mesh=tall, picture="tall.png"))
    pictures = [shelf / "plain.png", shelf / "again.jpg", shelf / "shut.png", tmp_path / "tall.png"]
    report = check(pictures, landmarks=[tmp_path / "tall.json"])
    assert [found.path.stem for found in report.pictures if "somebody else?" in found.faults] == ["tall"]
    assert any(text.startswith("two different people? tall.png (") for text in report.advice)


def test_the_same_face_correlates_with_itself_wherever_it_is(portrait):
    view = portrait.views[0]
    own = face_print(view)
    assert own @ own == pytest.approx(1)
    assert own @ face_print(view.resized(140)) > 0.97
    assert own @ face_print(view.cropped_to_head()) > 0.99
    assert own @ face_print(View(view.rgb[:, ::-1], view.points)) < 0.9


def test_too_many_pictures(shelf):
    with pytest.raises(UsageError, match="1 to 32"):
        check([shelf / "plain.png"] * 33)


def test_the_command(shelf, capsys):
    assert main(["portrait", "check", f"{shelf}/plain.png", f"{shelf}/blurred.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{shelf}/plain.png: of use: face ")
    assert lines[1].startswith(f"{shelf}/blurred.png: no use: ")
    assert all(line.startswith("advice: ") for line in lines[2:])
    assert main(["portrait", "check", f"{shelf}/plain.png", f"{shelf}/text.jpg", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [picture["usable"] for picture in said["pictures"]] == [True, False]
    assert said["pictures"][0]["face_height"] > 64
    assert any("leave" in text for text in said["advice"])
