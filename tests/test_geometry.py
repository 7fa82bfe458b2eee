import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda.face import NOSE_TIP, STEADY, face_model
from gioconda.geometry import align, angles, rotation

TURNS = st.tuples(st.floats(-179, 179), st.floats(-85, 85), st.floats(-179, 179))
UP, NOSE = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, -1.0])
RIGHT = np.array([1.0, 0.0, 0.0])


@given(TURNS)
def test_angles_undo_rotation(turn):
    assert angles(rotation(*turn)) == pytest.approx(turn, abs=1e-6)


@given(TURNS)
def test_a_rotation_is_rigid_and_does_not_mirror(turn):
    matrix = rotation(*turn)
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_yaw_is_positive_to_the_right():
    assert rotation(20, 0, 0) @ NOSE @ RIGHT == pytest.approx(np.sin(np.radians(20)))
    assert rotation(20, 0, 0) @ UP == pytest.approx(UP)


def test_pitch_is_positive_upwards():
    assert rotation(0, 20, 0) @ NOSE @ UP == pytest.approx(np.sin(np.radians(20)))
    assert rotation(0, 20, 0) @ RIGHT == pytest.approx(RIGHT)


def test_roll_is_positive_clockwise():
    assert rotation(0, 0, 20) @ UP @ RIGHT == pytest.approx(np.sin(np.radians(20)))
    assert rotation(0, 0, 20) @ NOSE == pytest.approx(NOSE)


def test_the_canonical_face_obeys_the_same_signs():
    shape = face_model().shape
    assert (shape @ rotation(15, 0, 0).T)[NOSE_TIP, 0] > shape[NOSE_TIP, 0] + 0.05
    assert (shape @ rotation(0, 15, 0).T)[NOSE_TIP, 1] < shape[NOSE_TIP, 1] - 0.05


@given(
    TURNS,
    st.floats(0.01, 1000),
    st.tuples(*[st.floats(-1e4, 1e4)] * 3),
    st.integers(0, 2**32 - 1),
    st.integers(4, 40),
)
def test_align_recovers_a_similarity(turn, scale, place, seed, count):
    source = np.random.default_rng(seed).normal(size=(count, 3))
    target = scale * source @ rotation(*turn).T + place
    found = align(source, target)
    assert float(found.scale) == pytest.approx(scale, rel=1e-6)
    assert found.rotation == pytest.approx(rotation(*turn), abs=1e-6)
    assert found.apply(source) == pytest.approx(target, abs=1e-6 * (scale + 1e4))
    assert found.undo(target) == pytest.approx(source, abs=1e-6 * (1 + 1e4 / scale))


def test_align_takes_many_frames_at_once():
    source = face_model().shape[list(STEADY)].astype(float)
    turns = [(10, -5, 3), (-30, 12, 40), (0, 0, 0)]
    target = np.stack([50 * source @ rotation(*turn).T + (7, 8, 9) for turn in turns])
    found = align(source, target)
    assert angles(found.rotation) == pytest.approx(np.array(turns), abs=1e-6)
    assert found.scale == pytest.approx([50, 50, 50])
    assert found.apply(source) == pytest.approx(target)


def test_align_never_mirrors():
    source = np.random.default_rng(1).normal(size=(20, 3))
    found = align(source, source * (-1, 1, 1))
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_align_finds_the_best_compromise():
    random = np.random.default_rng(2)
    source = face_model().shape[list(STEADY)].astype(float)
    target = 80 * source @ rotation(12, 4, -7).T + (100, 90, 0) + random.normal(0, 0.5, source.shape)
    found = align(source, target)
    best = np.square(found.apply(source) - target).sum()
    assert angles(found.rotation) == pytest.approx((12, 4, -7), abs=1)
    for turn in np.eye(3):
        other = found.scale * source @ (rotation(*turn) @ found.rotation).T + found.translation
        assert np.square(other - target).sum() > best
