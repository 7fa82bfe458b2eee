import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda import Motion
from gioconda.smoothing import (
    AHEAD,
    EASE_IN,
    EASE_OUT,
    HOLD,
    STRETCH,
    Continuity,
    OneEuroFilter,
    Tracked,
    ease,
    steadied,
)
from makers import jaw, motions, movement

FPS = 25
LEFT = movement(angles=(-15, 0, 0), lids=(0.5, 0.5), offsets=jaw(0.3))
RIGHT = movement(angles=(20, 0, 0))


def smoothed(*motion):
    smooth = OneEuroFilter()
    return [smooth(i / FPS, m) for i, m in enumerate(motion)]


def shown(*frames):
    """What is shown of frames (motion or None, cut)."""
    continuity = Continuity()
    return [continuity(frame) for frame in tracked(*frames)]


def tracked(*frames):
    return [Tracked(i / FPS, motion, cut) for i, (motion, cut) in enumerate(frames)]


def recorded(*motion):
    """As a recording is smoothed."""
    return [frame.motion for frame in steadied(tracked(*((m, False) for m in motion)))]


def seen(motion, seconds):
    return [(motion, False)] * round(seconds * FPS)


def lost(seconds):
    return [(None, False)] * round(seconds * FPS)


def yaws(motions):
    return np.array([m.angles[0] for m in motions])


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def close(one, other, share):
    return all(np.allclose(getattr(one, name), getattr(other, name), atol=share) for name in vars(one))


# One Euro


@given(motions())
def test_what_stands_still_is_left_alone(motion):
    assert all(close(m, motion, 1e-4) for m in smoothed(*[motion] * 5))
    assert same(smoothed(motion)[0], motion)


def test_trembling_is_reduced():
    random = np.random.default_rng(0)
    trembling = [
        movement(angles=random.normal(0, 0.3, 3), offsets=random.normal(0, 0.003, (128, 3))) for _ in range(200)
    ]
    calm = smoothed(*trembling)
    for name in ("angles", "offsets"):
        before, after = (np.std([getattr(m, name) for m in run[20:]]) for run in (trembling, calm))
        assert after < 0.6 * before


@pytest.mark.parametrize(
    ("name", "value"),
    [("angles", (20, 10, 15)), ("shift", (0.4, 0.2, 0.1)), ("lids", (0, 0)), ("offsets", jaw(0.3))],
)
def test_a_step_passes_quickly_and_without_overshoot(name, value):
    before, after = Motion.neutral(), movement(**{name: value})
    run = [getattr(m, name) for m in smoothed(*[before] * 10, *[after] * 10)]
    start, end = getattr(before, name), getattr(after, name)
    whole = np.abs(end - start).max()
    left = np.array([np.abs(end - m).max() / whole for m in run])
    assert left[9] == pytest.approx(1)
    assert left[12] < 0.35
    assert left[-1] < 0.1
    for m in run:
        assert (m >= np.minimum(start, end) - 1e-5).all()
        assert (m <= np.maximum(start, end) + 1e-5).all()


@given(st.floats(0.005, 0.2))
def test_any_frame_rate_will_do(step):
    smooth = OneEuroFilter()
    first, then = smooth(0.0, movement()), smooth(step, RIGHT)
    assert 0 == first.angles[0] < then.angles[0] <= RIGHT.angles[0]


# Both ways


def swinging(count, seconds=2.0):
    phase = 2 * np.pi * np.arange(count) / FPS / seconds
    return [movement(angles=(10 * np.sin(p), 0, 0), offsets=jaw(0.15 + 0.15 * np.sin(p))) for p in phase]


def test_a_recording_does_not_lag_behind():
    swing = swinging(6 * FPS)
    true = yaws(swing)

    def behind(run):
        turn = yaws(run)
        shifts = np.arange(-3, 3, 0.01)
        errors = [
            np.square(np.interp(np.arange(len(true)) + by, np.arange(len(true)), turn) - true)[10:-10].mean()
            for by in shifts
        ]
        return shifts[np.argmin(errors)] / FPS

    assert behind(smoothed(*swing)) > 0.01  # one way, it is behind by a hundredth of a second
    assert abs(behind(recorded(*swing))) < 0.002


def test_a_recording_is_calm_too():
    random = np.random.default_rng(1)
    trembling = [movement(angles=random.normal(0, 0.3, 3)) for _ in range(12 * FPS)]
    before, one_way, both_ways = (
        np.diff(yaws(run), 2).std() for run in (trembling, smoothed(*trembling), recorded(*trembling))
    )
    assert both_ways < 1.2 * one_way
    assert both_ways < 0.45 * before


def test_a_long_recording_is_smoothed_piece_by_piece_as_if_at_once(monkeypatch):
    random = np.random.default_rng(2)
    motion = [movement(angles=random.normal(0, 1, 3)) for _ in range(round(3.3 * (STRETCH + AHEAD) * FPS))]
    pieces = recorded(*motion)
    monkeypatch.setattr("gioconda.smoothing.STRETCH", 1e6)
    assert np.allclose(yaws(pieces), yaws(recorded(*motion)), atol=1e-4)


def test_what_comes_after_a_cut_or_a_gap_has_no_say_in_what_came_before():
    calm = [(LEFT, False)] * 10
    for then in ([(RIGHT, True)], [(None, False), (RIGHT, False)]):
        run = list(steadied(tracked(*calm, *then, *[(RIGHT, False)] * 10)))
        assert [frame.time for frame in run] == [i / FPS for i in range(len(run))]
        assert all(close(frame.motion, LEFT, 1e-6) for frame in run[:10])
        assert all(close(frame.motion, RIGHT, 1e-6) for frame in run[-11:])
        assert run[10].motion is None or run[10].cut


@given(st.lists(st.tuples(st.one_of(st.none(), motions()), st.booleans()), max_size=40))
def test_a_steadied_recording_has_the_same_frames(frames):
    before = tracked(*frames)
    after = list(steadied(before))
    assert [(f.time, f.cut, f.motion is None) for f in after] == [(f.time, f.cut, f.motion is None) for f in before]


# Cuts and gaps


@given(st.floats(-2, 3), st.floats(-2, 3))
def test_ease_rises_from_nought_to_one(one, other):
    low, high = sorted((one, other))
    assert 0 <= ease(low) <= ease(high) <= 1
    assert ease(0) == 0
    assert ease(1) == 1
    assert ease(0.5) == 0.5


def test_a_cut_is_eased_over():
    run = shown(*seen(LEFT, 1), (RIGHT, True), *seen(RIGHT, 1))
    turn = yaws(run)
    assert turn[:FPS] == pytest.approx(-15, abs=1e-3)
    assert np.abs(np.diff(turn)).max() < 0.25 * 35
    assert (np.diff(turn) >= -1e-4).all()
    assert turn[FPS + int((EASE_IN + 0.05) * FPS) :] == pytest.approx(20, abs=0.01)


def test_without_a_cut_nothing_is_eased():
    turn = yaws(shown(*seen(LEFT, 1), *seen(RIGHT, 1)))
    assert np.abs(np.diff(turn)).max() > 0.3 * 35


def test_a_lost_face_is_held_then_eased_to_neutral():
    run = shown(*seen(LEFT, 1), *lost(HOLD + EASE_OUT + 0.3))
    held = run[FPS : FPS + int(HOLD * FPS)]
    assert all(same(m, run[FPS - 1]) for m in held)
    assert np.abs(np.diff(yaws(run))).max() < 0.15 * 15
    assert (np.diff(yaws(run))[FPS:] >= -1e-6).all()
    assert same(run[-1], Motion.neutral())


def test_a_face_that_comes_back_is_eased_in():
    run = shown(*seen(LEFT, 1), *lost(2), *seen(RIGHT, 1))
    turn = yaws(run)
    back = 3 * FPS
    assert turn[back - 1] == 0
    assert abs(turn[back]) < 0.1 * 20
    assert np.abs(np.diff(turn)).max() < 0.25 * 20
    assert turn[-1] == pytest.approx(20, abs=0.01)


def test_a_face_lost_for_one_frame_goes_on_from_where_it_was():
    run = shown(*seen(LEFT, 1), (None, False), *seen(LEFT, 1))
    assert yaws(run) == pytest.approx(-15, abs=1e-3)


def test_a_cut_while_another_is_eased_over_does_not_jump():
    run = shown(*seen(LEFT, 1), (RIGHT, True), *seen(RIGHT, 0.08), (LEFT, True), *seen(LEFT, 1))
    assert np.abs(np.diff(yaws(run))).max() < 0.25 * 35
    assert run[-1].angles[0] == pytest.approx(-15, abs=0.01)


def test_no_face_at_the_beginning_is_neutral():
    run = shown(*lost(0.4), *seen(RIGHT, 1))
    assert all(same(m, Motion.neutral()) for m in run[: int(0.4 * FPS)])
    assert np.abs(np.diff(yaws(run))).max() < 0.25 * 20


@given(st.lists(st.tuples(st.one_of(st.none(), motions()), st.booleans()), min_size=2, max_size=60))
def test_nothing_ever_leaves_the_range_of_what_was_tracked(frames):
    tracked = [m for m, _ in frames if m is not None] + [Motion.neutral()]
    for motion in shown(*frames):
        for name in ("angles", "shift", "lids", "gaze", "offsets"):
            values = np.array([getattr(m, name) for m in tracked])
            assert (getattr(motion, name) >= values.min(axis=0) - 1e-3).all()
            assert (getattr(motion, name) <= values.max(axis=0) + 1e-3).all()
