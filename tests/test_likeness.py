"""Whether two pictures show one person."""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gioconda import View
from gioconda.cli import main
from gioconda.likeness import EYES_APART, EYES_AT, ONE_PERSON, SIDE, levelled, likenesses, signature
from gioconda.media.pictures import write_png
from gioconda.rendering import composite, make_renderer
from gioconda.retarget import Gains, Sitter, retarget
from makers import jaw, movement


@pytest.fixture(scope="module")
def another(portrait):
    """A face half as long again, which is somebody else's."""
    view = portrait.views[0]
    return View(cv2.resize(view.rgb, (256, 384)), view.points * np.array([1, 1.5, 1], np.float32))


def placed(view, scale, degrees, shift):
    """The picture, and its landmarks, somewhere else on a canvas."""
    onto = cv2.getRotationMatrix2D((128, 128), degrees, scale)
    onto[:, 2] += shift
    points = view.points.copy()
    points[:, :2] = points[:, :2] @ onto[:, :2].T + onto[:, 2]
    points[:, 2] *= scale
    return View(cv2.warpAffine(view.rgb, onto, (512, 512), borderMode=cv2.BORDER_REFLECT), points)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.8, 1.6), st.floats(-30, 30), st.tuples(*[st.floats(60, 160)] * 2))
def test_a_face_is_itself_wherever_it_lies(portrait, scale, degrees, shift):
    view = portrait.views[0]
    own, other = signature(view), signature(placed(view, scale, degrees, shift))
    assert np.linalg.norm(own) == pytest.approx(1)
    assert own @ other > 0.9


def test_eyes_lie_where_they_should(portrait):
    marked = portrait.views[0].rgb.copy()
    middle = np.array(EYES_AT) * SIDE
    view = View(marked, portrait.views[0].points)
    for eye, side in zip(((33, 133), (362, 263)), (-1, 1), strict=True):
        at = view.points[list(eye), :2].mean(axis=0)
        marked[:] = 0
        cv2.circle(marked, np.rint(at).astype(int).tolist(), 4, (255, 255, 255), -1)
        bright = np.argwhere(levelled(view, SIDE, EYES_APART, EYES_AT)[..., 0] > 100).mean(axis=0)[::-1]
        assert bright == pytest.approx(middle + np.array([side * EYES_APART * SIDE / 2, 0]), abs=1.5)


def test_one_person_is_alike_in_other_light_and_with_another_face(portrait):
    view = portrait.views[0]
    render, sitter = make_renderer("flow", (view,), None), Sitter.of(view.points, 256, 256)

    def moved(**parts):
        target = retarget(sitter, movement(**({"lids": (1, 1)} | parts)), Gains())
        return View(composite(view, render(target))[0], target.astype(np.float32))

    lamp = np.linspace(0.5, 1.5, 256)[None, :, None]
    others = [
        moved(angles=(15, 0, 0)),
        moved(offsets=jaw(0.3)),
        moved(lids=(0.2, 0.2)),
        View(np.clip(view.rgb * lamp, 0, 255).astype(np.uint8), view.points),
        View(cv2.GaussianBlur(view.rgb, (0, 0), 1), view.points),
    ]
    assert min(signature(view) @ signature(other) for other in others) > 2 * ONE_PERSON


def test_a_picture_is_compared_with_the_others(portrait, another):
    own = portrait.views[0]
    assert likenesses([]) == []
    assert likenesses([own]) == [1.0]
    first, second, stranger = likenesses([own, View(own.rgb // 2, own.points), another])
    assert min(first, second) > ONE_PERSON > stranger
    one, other = likenesses([own, another])
    assert one == pytest.approx(other)
    assert one < ONE_PERSON


def test_two_people_are_asked_about(picture, another, tmp_path, capsys, motion_file):
    write_png(tmp_path / "other.png", another.rgb)
    for pictures, names in (([picture, tmp_path / "other.png"], 2), ([picture, picture], 0), ([picture], 0)):
        out = tmp_path / f"{len(pictures)}{names}.png"
        command = ["animate", *pictures, "--driver", motion_file, "--end", "0.1", "--out", out, "--renderer", "flow"]
        assert main([str(word) for word in command]) == 0
        said = capsys.readouterr().err
        assert said.count("may show somebody else: its likeness to the other pictures is") == names


@pytest.fixture(scope="module")
def tool():
    path = Path(__file__).parents[1] / "tools/fit_likeness.py"
    spec = importlib.util.spec_from_file_location("fit_likeness", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_direction_in_which_people_differ_is_found(tool):
    """People differ along the second axis; one person moves along the first, and much farther."""
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 6)
    values = random.normal(0, 0.05, (240, 4))
    values[:, 0] += random.normal(0, 5, 240)
    values[:, 1] += random.normal(0, 1, 40)[people]
    mean, axes = tool._discriminant(values, people, 4, 1)
    direction = axes[:, 0] / np.linalg.norm(axes[:, 0])
    assert abs(direction[1]) > 0.99
    assert mean == pytest.approx(values.mean(axis=0), abs=1e-5)
