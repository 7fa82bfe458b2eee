import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda.expression import CONTROL_COUNT, controls, looseness, lower_face, proportions, spread
from gioconda.face import (
    BROWS,
    CHIN,
    EYES,
    FOREHEAD,
    LANDMARKS,
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH_OUTLINE,
    NOSE_BASE,
    face_model,
)


def offsets_of(numbers, move):
    """Offsets of the controls: some of them moved."""
    offsets = np.zeros((CONTROL_COUNT, 3), np.float32)
    offsets[np.isin(controls(), list(numbers))] = move
    return offsets


def test_controls_hold_lips_and_brows_but_no_lids_or_irises():
    chosen = set(controls())
    assert len(controls()) == len(chosen) == CONTROL_COUNT
    assert list(controls()) == sorted(chosen)
    assert chosen >= {*LIPS, *BROWS[0], *BROWS[1]}
    assert not chosen & {i for eye in EYES for i in (*eye.outline, *eye.iris)}


def test_skin_before_the_ears_lies_on_bone():
    loose = looseness()
    assert loose[[234, 454, 127, 356]] == pytest.approx(0)
    assert loose[list(LIPS)] == pytest.approx(1)
    assert loose[[CHIN, FOREHEAD, NOSE_BASE]] == pytest.approx(1)
    assert loose[face_model().mirror] == pytest.approx(loose, abs=1e-5)


def test_controls_reach_every_part_of_the_skin():
    shape = face_model().shape
    lids = {i for eye in EYES for i in eye.outline}
    skin = [i for i in range(468) if i not in lids]
    nearest = np.linalg.norm(shape[skin, None] - shape[None, list(controls())], axis=-1).min(axis=1)
    assert nearest.max() < 0.25


@given(st.tuples(*[st.floats(-1, 1, width=32)] * 3))
def test_moving_all_controls_moves_the_whole_face(move):
    assert spread(np.tile(np.float32(move), (CONTROL_COUNT, 1))) == pytest.approx(
        np.tile(move, (LANDMARKS, 1)), abs=1e-5
    )


@given(st.integers(0, 2**32 - 1))
def test_spread_is_exact_on_controls_linear_and_never_exaggerates(seed):
    first, second = np.random.default_rng(seed).normal(size=(2, CONTROL_COUNT, 3)).astype(np.float32)
    whole = spread(first)
    assert (whole[list(controls())] == first).all()
    assert spread(first - 2 * second) == pytest.approx(whole - 2 * spread(second), abs=1e-4)
    assert (whole <= first.max(axis=0) + 1e-5).all()
    assert (whole >= first.min(axis=0) - 1e-5).all()


def test_the_lower_lip_does_not_drag_the_upper_one():
    lower = (LIPS_INNER_LOWER[1:-1], LIPS_OUTER_LOWER[1:-1])
    moved = spread(offsets_of(sum(lower, ()), (0, 0.3, 0)))
    assert moved[list(sum(lower, ())), 1] == pytest.approx(0.3)
    assert not moved[list(LIPS_INNER_UPPER)].any()
    assert not moved[list(LIPS_OUTER_UPPER)].any()


def test_a_brow_moves_its_own_side_only():
    moved = spread(offsets_of(BROWS[0], (0, -0.1, 0)))
    assert np.abs(moved[list(BROWS[1])]).max() == 0
    assert np.abs(moved[[CHIN, *MOUTH_OUTLINE]]).max() < 1e-6


def test_lower_face_is_the_mouth_and_the_chin():
    share = lower_face()
    assert (share[list(LIPS)] > 0.95).all()
    assert share[CHIN] == 1
    assert not share[[FOREHEAD, *BROWS[0], *BROWS[1], *EYES[0].outline, *EYES[1].outline]].any()
    assert share.min() == 0


def test_proportions_of_the_canonical_face_are_one():
    assert proportions(face_model().shape) == pytest.approx(np.ones((LANDMARKS, 3)))


def test_a_longer_lower_face_gives_the_mouth_more_room_and_the_brows_none():
    longer = face_model().shape * np.where(lower_face()[:, None] > 0, (1, 1.2, 1), 1)
    room = proportions(longer)
    assert room[CHIN, 1] > 1.1
    assert room[BROWS[0][0]] == pytest.approx(np.ones(3))


def test_proportions_are_bounded_where_a_tracker_erred():
    room = proportions(face_model().shape * (5, 5, 5))
    assert room.max() <= 1.4 + 1e-6
    assert proportions(face_model().shape * 0.1).min() >= 0.7 - 1e-6
