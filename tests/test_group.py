"""Several people of one picture: each moves alone, and nobody is dragged along."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from gioconda import Gains, Group, Portrait, animate
from gioconda.cli import main
from gioconda.errors import UsageError
from gioconda.face import bounds, face_model
from gioconda.marks import MarkedFace, write_marks
from gioconda.media.pictures import read_picture
from gioconda.media.video import VideoReader, probe_video
from gioconda.rendering.field import Field, territory
from gioconda.rendering.head import Head
from gioconda.retarget import Sitter, retarget
from gioconda.tracking import Box
from makers import acting, movement, performed, posed, still

WILD = {"left": (-1, 0, 0), "right": (1, 0, 0), "down": (0, 1, 0), "nearer": (0, 0, 1)}


@pytest.fixture(scope="module")
def people(couple):
    return Portrait.from_group(couple, (0, 1))


def inside(points, shape):
    """The pixels of a face."""
    mask = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(points[:468, :2].astype(np.float32))
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1)
    return mask > 0


def test_people_are_numbered_by_size_and_know_each_other(people):
    large, small = (person.views[0] for person in people)
    assert large.box.width > small.box.width
    assert large.box.x > small.box.x
    assert large.rgb is small.rgb
    assert len(large.neighbours) == len(small.neighbours) == 1
    assert (large.neighbours[0] == small.points).all()
    half = large.resized(220)
    assert half.neighbours[0] == pytest.approx(small.points / 2, abs=1e-3)


def test_a_face_asked_for_alone_knows_its_neighbours(couple, people):
    alone = Portrait.from_pictures([couple], face=1).views[0]
    assert (alone.points == people[1].views[0].points).all()
    assert (alone.neighbours[0] == people[0].views[0].points).all()


def test_a_face_shown_by_hand_knows_its_neighbours(couple, people, tmp_path):
    large, small = (person.views[0].points for person in people)
    write_marks(tmp_path / "small.json", MarkedFace(mesh=small))
    shown = Portrait.from_pictures([couple], landmarks=[tmp_path / "small.json"]).views[0]
    assert shown.points == pytest.approx(small, abs=0.01)
    assert len(shown.neighbours) == 1
    assert (shown.neighbours[0] == large).all()
    x, y, width, height = bounds(small)
    boxed = Portrait.from_pictures([couple], box=Box(x, y, width, height)).views[0]
    assert len(boxed.neighbours) == 1
    assert (boxed.neighbours[0] == large).all()


@pytest.mark.parametrize("who", [0, 1])
def test_the_other_face_keeps_still_to_the_last_bit(people, who):
    one, other = people[who].views[0], people[1 - who].views[0]
    face, own = inside(other.points, one.rgb.shape[:2]), inside(one.points, one.rgb.shape[:2])
    for frame in animate(people[who], acting(1.0, 10)).frames(1):
        changed = (frame.rgb != one.rgb).any(axis=2)
        assert not changed[face].any()
    assert changed[own].mean() > 0.2


def test_together_each_moves_as_alone(people):
    first, second = acting(0.5, 10), acting(1.0, 10).trimmed(0.4)
    group = Group.of(people, [first, second])
    views = [person.views[0] for person in people]
    owns = [territory(v.points, v.neighbours, *group.size) > 0 for v in views]
    assert not (owns[0] & owns[1]).any()
    together = next(group.frames(2)).rgb
    for person, performance, own in zip(people, (first, second), owns, strict=True):
        alone = next(animate(person, performance, fps=10).frames(2)).rgb
        assert (together[own] == alone[own]).all()
    nobody = ~(owns[0] | owns[1])
    assert (together[nobody] == views[0].rgb[nobody]).all()


def test_who_has_finished_eases_to_rest(people):
    frozen = acting(0.5, 10)
    frozen.motion.angles[:] = 10
    group = Group.of(people, [frozen, still(30, 10)])
    assert len(group) == 30
    face = inside(people[0].views[0].points, people[0].views[0].rgb.shape[:2])
    plain = people[0].views[0].rgb[face].astype(int)
    shown = [next(group.frames(index)).rgb[face] for index in (4, 7, 12, 29)]
    off = [np.abs(frame - plain).mean() for frame in shown]
    assert off[0] == off[1] > off[2] > off[3] == 0


def test_frames_depend_on_their_number_alone(people):
    group = Group.of(people, [acting(0.6, 10), acting(0.4, 10)])
    frames = [frame.rgb for frame in group]
    assert len(frames) == len(group) == 6
    assert all((a == b.rgb).all() for a, b in zip(frames[3:], group.frames(3), strict=True))


@pytest.mark.parametrize("way", WILD)
@pytest.mark.parametrize("apart", [2.3, 3.0, 4.0])
def test_what_lies_between_two_heads_is_stretched_not_folded(way, apart):
    width, height = 600, 400
    faces = [
        performed(posed(face_model().shape, size=60, at=(300 + side * 30 * apart, 180)), still(1))[0].astype(np.float32)
        for side in (-1, 1)
    ]
    sitter = Sitter.of(faces[0], width, height, faces[1:])
    roll = (0, 0, 15) if way in ("left", "right") else (0, 0, 0)
    moved = retarget(sitter, movement(shift=WILD[way], angles=roll), Gains())
    field = Field(faces[0], Head(faces[0]), width, height, faces[1:])(moved.astype(np.float32)).back
    outside = ~(inside(moved, (height, width)) | inside(faces[0], (height, width)))
    stretch = 1 + np.diff(field[..., 0], axis=1)
    assert stretch[outside[:, 1:] & outside[:, :-1]].min() > 0
    assert not field[inside(faces[1], (height, width))].any()


def test_neighbours_leave_less_room():
    faces = [performed(posed(face_model().shape, size=60, at=(x, 200)), still(1))[0] for x in (200, 340, 900)]
    alone, near, far = (Sitter.of(faces[0], 10**6, 10**6, others).room for others in ((), faces[1:], faces[2:]))
    assert near < 1
    assert far == alone


def test_a_face_within_a_face_is_no_neighbour():
    from gioconda.portrait import _neighbours
    from gioconda.tracking import Face

    points = performed(posed(face_model().shape, size=60), still(1))[0]
    outer, inner, beside = (
        Face(points),
        Face(points * 0.5 + points.mean(axis=0) * 0.5),
        Face(points + np.array([200, 0, 0])),
    )
    neighbours = _neighbours(outer, [outer, inner, beside])
    assert len(neighbours) == 1
    assert neighbours[0] is beside.points


def test_what_a_group_refuses(people):
    with pytest.raises(UsageError, match="one for each"):
        Group.of(people, [acting()])
    with pytest.raises(UsageError, match="one for each"):
        Group.of([], [])
    with pytest.raises(UsageError, match="crop"):
        Group.of(people, [acting(), acting()], crop=True)


def test_whose_sound(people, driver):
    silent, voiced = acting(), replace(acting(), source=driver)
    group = Group.of(people, [silent, voiced])
    assert group.sound().path == driver
    assert group.sound(voice=1).path == driver
    assert group.sound(voice=0) is None
    assert group.sound(False) is None
    assert Group.of(people, [silent, silent]).sound() is None
    with pytest.raises(UsageError, match="number 2"):
        group.sound(voice=2)


# The command


def test_the_command_moves_a_group(couple, driver, motion_file, tmp_path, capsys):
    out = tmp_path / "clip.mp4"
    arguments = ["animate", couple, "--face", f"0={motion_file}", "--face", f"1={driver}", "--out", out, "--end", 0.4]
    assert main([str(a) for a in arguments]) == 0
    assert capsys.readouterr().out == f"{out}: 8 frames, 440 x 240, 20 per second\n"
    assert probe_video(out).has_sound
    with VideoReader(out) as video:
        frames = [frame.rgb.astype(int) for frame in video]
    plain = read_picture(couple).rgb
    off = np.abs(frames[-1] - plain).mean(axis=(0, 2))
    assert off[60:140].mean() > 1
    assert off[270:370].mean() > 1
    assert main([str(a) for a in (*arguments, "--voice", 0)]) == 0
    assert not probe_video(out).has_sound


WRONG = {
    "--face 0=orator --driver orator": "--driver and --face",
    "--face 0=orator --face 1": "--face N=DRIVER for everybody",
    "--face 0 --face 1 --driver orator": "--face N=DRIVER for everybody",
    "--face 0=orator --face 0=playful": "the same face twice",
    "--face 1": "--face N=DRIVER for everybody",
    "": "--driver is missing",
    "--face 0=orator --box 1,2,30,40": "--box",
    "--face 0=orator --landmarks points.json": "--landmarks",
    "--face 0=orator --voice 1": "--voice 1",
    "--driver orator --voice 0": "--voice",
    "--face 0=orator --crop": "--crop",
    "--face 0=orator --face 7=playful": "no face number 7",
}


@pytest.mark.parametrize("options", WRONG)
def test_what_the_command_refuses(couple, tmp_path, capfd, options):
    assert main(["animate", str(couple), "--out", str(tmp_path / "clip.mp4"), *options.split()]) == 2
    said = capfd.readouterr().err
    assert WRONG[options] in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("face", ["x=orator", "0=", "=orator", "1.5"])
def test_faces_that_cannot_be_read(couple, tmp_path, face):
    with pytest.raises(SystemExit) as ended:
        main(["animate", str(couple), "--face", face, "--out", str(tmp_path / "clip.mp4")])
    assert ended.value.code == 2
