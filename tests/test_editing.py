from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda import Motion, Performance
from gioconda.cli import main
from gioconda.drivers import builtin
from gioconda.editing import EASE_IN, HOLD, eased_into, faster, looped, mirrored, mixed
from gioconda.errors import UsageError
from gioconda.expression import controls, lower_face
from gioconda.face import face_model
from gioconda.retarget import Gains, retarget
from makers import acting, jaw, motions, movement, posed, still

NAMES = tuple(vars(Motion.neutral()))
LOWER = lower_face()[list(controls())]


def of(*motions, fps=25.0):
    """A performance of some instants."""
    stacked = Motion(*(np.stack([getattr(m, name) for m in motions]) for name in NAMES))
    return Performance(np.arange(len(motions)) / fps, stacked, np.ones(len(motions), bool), fps)


def wandering(count=75, fps=25.0):
    """Smooth movement that ends elsewhere than it began, in every attribute."""
    random = np.random.default_rng(3)
    clock = np.arange(count) / fps
    parts = {}
    for name in NAMES:
        shape = np.shape(getattr(Motion.neutral(), name))
        drift, wave, phase = random.normal(0, 0.3, (3, *shape))
        turn = np.sin(2 * clock.reshape(-1, *[1] * len(shape)) + 9 * phase)
        parts[name] = (clock.reshape(-1, *[1] * len(shape)) * drift + wave * turn).astype(np.float32)
    return Performance(clock, Motion(**parts), np.ones(count, bool), fps)


# Mirror


@given(motions())
def test_mirrored_twice_is_the_same(motion):
    twice = mirrored(mirrored(of(motion)))
    for name in NAMES:
        assert np.array_equal(getattr(twice.motion, name)[0], getattr(motion, name)), name


@given(motions(wild=0.4))
def test_a_mirrored_performance_is_the_performance_in_a_mirror(motion):
    # The canonical face is symmetric: what it does mirrored is the mirror image of what it does.
    sitter = posed(face_model().shape, size=1.0, at=(0, 0))
    shown = retarget(sitter, of(motion).at(0), Gains())
    other = retarget(sitter, mirrored(of(motion)).at(0), Gains())
    reflected = (shown * (-1, 1, 1))[face_model().mirror]
    apart = np.linalg.norm(reflected - other, axis=1)
    assert np.median(apart) < 1e-3
    assert np.percentile(apart, 90) < 0.05


# Loop


def velocities(performance, around):
    """Frame-to-frame differences, one after the other; with `around`, the one from the last to the first, too."""
    stacked = np.concatenate([getattr(performance.motion, n).reshape(len(performance), -1) for n in NAMES], axis=1)
    if around:
        stacked = np.concatenate([stacked, stacked[:2]])
    return np.diff(stacked.astype(float), axis=0)


@pytest.mark.parametrize("overlap", [0.2, 0.5, 1.0])
def test_a_loop_goes_on_in_place_and_speed(overlap):
    whole = wandering()
    loop = looped(whole, overlap)
    assert len(loop) == len(whole) - round(overlap * 25)
    inside = velocities(loop, around=False)
    round_about = velocities(loop, around=True)
    own, cut = velocities(whole, around=False), velocities(whole, around=True)
    # As it was, it jumps; looped, the seam is no quicker than the rest, and so is its change of speed.
    assert np.abs(cut[-2]).max() > 5 * np.abs(own).max()
    assert np.abs(round_about[-2:]).max() <= np.abs(inside).max() * 1.01
    change = np.abs(np.diff(round_about, axis=0))
    assert change[-2:].max() <= change[:-2].max() * 1.1


def test_a_loop_leaves_the_middle_as_it_is():
    whole = wandering()
    loop = looped(whole, 0.4)
    for name in NAMES:
        assert np.allclose(getattr(loop.motion, name)[10:], getattr(whole.motion, name)[10:65], atol=1e-5)
        assert np.allclose(getattr(loop.motion, name)[0], getattr(whole.motion, name)[65], atol=1e-5)


@pytest.mark.parametrize("overlap", [0.0, 0.8, 5.0])
def test_a_loop_needs_room(overlap):
    with pytest.raises(UsageError, match="at most half"):
        looped(acting(1.5), overlap)


# Speed


@given(st.floats(0.1, 10))
def test_speed(speed):
    quick = faster(acting(), speed)
    assert quick.duration == pytest.approx(1.5 / speed)
    assert quick.at(0.6 / speed).angles == pytest.approx(acting().at(0.6).angles, abs=1e-3)
    assert quick.source is None


@pytest.mark.parametrize("speed", [0, -1, 0.05, 11, float("nan")])
def test_speed_out_of_range(speed):
    with pytest.raises(UsageError, match=r"use 0\.1 to 10"):
        faster(acting(), speed)


def test_the_fastest_can_still_be_kept(tmp_path):
    faster(still(9, 240.0), 10).save(tmp_path / "a.motion")
    assert len(Performance.load(tmp_path / "a.motion")) == 9


# Mix


def test_the_mouth_of_one_and_the_head_of_another():
    one, other = wandering(), replace(acting(), source=Path("other.mp4"), cuts=2)
    mix = mixed(one, mouth=other)
    for time in (0.0, 0.4, 1.24):
        shown, from_one, from_other = mix.at(time), one.at(time), other.at(time)
        for name in ("angles", "rest", "shift", "lids", "gaze"):
            assert getattr(shown, name) == pytest.approx(getattr(from_one, name), abs=1e-3), name
        lips, brow = LOWER == 1, LOWER == 0
        assert shown.offsets[lips] == pytest.approx(from_other.offsets[lips], abs=2e-3)
        assert shown.offsets[brow] == pytest.approx(from_one.offsets[brow], abs=2e-3)
    assert (mix.source, mix.cuts, mix.fps) == (Path("other.mp4"), 2, 25)
    # The longer one decides, and the other holds its last pose.
    assert mix.duration == pytest.approx(3.0, abs=0.05)
    assert mix.at(2.9).offsets[lips] == pytest.approx(other.at(9).offsets[lips], abs=2e-3)


def test_every_part_can_be_taken():
    parts = {"head": movement(angles=(9, 0, 0)), "mouth": movement(offsets=jaw(0.3))}
    parts |= {"eyes": movement(lids=(0, 0)), "brows": movement(offsets=np.full((128, 3), 0.1))}
    mix = mixed(still(3), **{name: of(motion) for name, motion in parts.items()}).at(0)
    assert mix.angles[0] == 9
    assert mix.lids == pytest.approx([0, 0])
    assert mix.offsets[LOWER == 1] == pytest.approx(jaw(0.3)[LOWER == 1], abs=1e-3)
    assert mix.offsets[LOWER == 0] == pytest.approx(0.1, abs=1e-3)


def test_a_mix_with_itself_is_itself():
    performance = acting()
    assert mixed(performance).motion.offsets == pytest.approx(performance.motion.offsets.astype(float), abs=1e-3)
    assert len(mixed(performance, head=performance)) == len(performance)


def test_a_mix_is_seen_where_all_of_it_is():
    hidden = replace(acting(), seen=acting().times > 0.5)
    mix = mixed(acting(), eyes=hidden)
    assert mix.seen.tolist() == hidden.seen.tolist()


# One frame


def test_a_single_frame_is_moved_into_and_held():
    target = movement(angles=(20, 0, 5), rest=(0, -3, 0), lids=(0, 1), offsets=jaw(0.3))
    moved = eased_into(of(target))
    assert moved.duration == pytest.approx(EASE_IN + HOLD, abs=0.03)
    assert moved.at(0).angles == pytest.approx(np.zeros(3))
    assert moved.at(0).lids == pytest.approx(np.ones(2))
    for time in (EASE_IN, EASE_IN + HOLD):
        assert moved.at(time).offsets == pytest.approx(target.offsets, abs=1e-3)
    yaw = moved.motion.angles[:, 0]
    assert (np.diff(yaw) >= 0).all()
    assert np.abs(np.diff(yaw)).max() < 3


# The command


def run(*arguments):
    return main([str(a) for a in arguments])


def test_edit(motion_file, tmp_path, capsys):
    out = tmp_path / "a.motion"
    arguments = ("performance", "edit", motion_file, "--out", out, "--start", 0.1, "--end", 1.4)
    assert run(*arguments, "--mirror", "--speed", 0.5, "--loop") == 0
    assert "a.motion: 21 frames, 2.1" in capsys.readouterr().out
    edited, meant = Performance.load(out), Performance.load(motion_file).trimmed(0.1, 1.4)
    assert edited.times[0] == 0
    middle = edited.times[len(edited) // 2]
    assert edited.at(middle).angles[0] == pytest.approx(-meant.at(0.1 + middle / 2).angles[0], abs=0.2)


def test_mix_command(motion_file, tmp_path):
    out = tmp_path / "a.motion"
    assert run("performance", "mix", "orator", "--mouth", motion_file, "--out", out) == 0
    mix, orator, mouth = Performance.load(out), builtin("orator"), Performance.load(motion_file)
    assert mix.duration == pytest.approx(7.0, abs=0.05)
    assert mix.at(0.5).angles == pytest.approx(orator.at(0.5).angles, abs=0.2)
    assert np.abs(orator.at(0.5).offsets - mouth.at(0.5).offsets)[LOWER == 1].max() > 0.04
    assert mix.at(0.5).offsets[LOWER == 1] == pytest.approx(mouth.at(0.5).offsets[LOWER == 1], abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("edit", "orator", "--speed", "20", "--out", "a.motion"), "use 0.1 to 10"),
        (("edit", "orator", "--end", "0.2", "--loop", "--out", "a.motion"), "at most half"),
        (("edit", "orator", "--out", "a.mp4"), "ending in .motion"),
        (("mix", "orator", "--head", "nobody", "--out", "a.motion"), "no built-in performance"),
        (("mix", "orator", "--head", "dramatic", "--out", "nowhere/a.motion"), "does not exist"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("performance", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
