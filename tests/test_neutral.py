import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda import Gains
from gioconda.capture import take_out_shape
from gioconda.face import face_model
from gioconda.neutral import estimate_neutral, eye_trust, lid_gaps, mouth_gap
from gioconda.retarget import retarget
from makers import acting, jaw, movement, performed, posed, stretched


def frames(sitter, *motions):
    return np.stack([retarget(sitter, motion, Gains()).astype(float) for motion in motions])


def talking(opened_first, count=80):
    """A driver who turns a little and whose mouth is open two thirds of the time, from the first frame on."""
    share = np.arange(count) / count
    for t in share:
        opening = opened_first * (1 if t < 0.3 else max(np.sin(30 * t), 0))
        yield movement(angles=(4 * np.sin(9 * t), 0, 0), offsets=jaw(opening))


def test_the_first_frame_need_not_be_neutral():
    driver = posed(stretched(1.05, 1.1, 1))
    seen = frames(driver, *talking(0.35))
    neutral = estimate_neutral(seen)
    own = mouth_gap(driver.shape)
    assert mouth_gap(neutral.shape) < own + 0.05
    assert mouth_gap(seen[0]) / neutral.size > own + 0.25
    first = take_out_shape(seen[:1], neutral)
    assert first.offsets[0, :, 1].max() > 0.25


def test_frames_may_come_in_any_order():
    seen = frames(posed(face_model().shape), *talking(0.3))
    neutral, backwards = estimate_neutral(seen), estimate_neutral(seen[::-1])
    assert neutral.shape == pytest.approx(backwards.shape, abs=1e-4)
    assert neutral.angles == pytest.approx(backwards.angles, abs=1e-3)


@given(
    st.tuples(st.floats(-20, 20), st.floats(-15, 15), st.floats(-25, 25)),
    st.floats(20, 400),
    st.tuples(st.floats(50, 1000), st.floats(50, 1000)),
)
def test_the_resting_pose_is_found(turn, size, place):
    neutral = estimate_neutral(performed(posed(face_model().shape, turn, size, place), acting(1.0, 12)))
    assert neutral.angles == pytest.approx(turn, abs=1.5)
    assert neutral.size == pytest.approx(size, rel=0.03)
    assert neutral.position == pytest.approx(place, abs=0.05 * size)


@pytest.mark.parametrize("shape", [(1.0, 1.0, 1.0), (1.1, 1.15, 0.95), (0.93, 0.9, 1.1)])
def test_the_relaxed_shape_is_the_drivers_own(shape):
    driver = posed(stretched(*shape))
    neutral = estimate_neutral(performed(driver, acting()))
    size = neutral.size / float(driver.pose.scale)
    off = np.linalg.norm(neutral.shape * size - driver.shape, axis=1)
    assert np.median(off) < 0.02
    assert np.percentile(off, 95) < 0.06


def test_blinks_are_calibrated():
    # A tracker that reports a gap of a fifth for shut eyes.
    least = 0.2
    driver = posed(face_model().shape)
    openings = [least if i % 20 < 2 else 1.0 for i in range(100)]
    seen = frames(driver, *(movement(lids=(o, o)) for o in openings))
    neutral = estimate_neutral(seen)
    assert neutral.lids_open == pytest.approx(lid_gaps(driver.shape), rel=0.02)
    assert neutral.lids_closed == pytest.approx(least * neutral.lids_open, rel=0.1)
    lids = take_out_shape(seen, neutral).lids
    assert lids[np.array(openings) == least] == pytest.approx(0, abs=0.02)
    assert lids[np.array(openings) == 1] == pytest.approx(1, abs=0.02)


def test_without_a_blink_open_eyes_are_not_taken_for_shut():
    random = np.random.default_rng(3)
    driver = posed(face_model().shape)
    openings = random.uniform(0.92, 1.08, 60)
    seen = frames(driver, *(movement(lids=(o, o)) for o in openings))
    lids = take_out_shape(seen, estimate_neutral(seen)).lids
    assert lids.min() > 0.8
    assert lids.max() < 1.2


def test_drowsy_eyes_are_their_own_relaxed_opening():
    driver = posed(face_model().shape)
    seen = frames(driver, *(movement(lids=(0.6, 0.6), angles=(i % 3, 0, 0)) for i in range(30)))
    assert take_out_shape(seen, estimate_neutral(seen)).lids == pytest.approx(1, abs=0.02)


def test_one_frame_is_enough():
    driver = posed(face_model().shape, (5, 3, -2))
    seen = frames(driver, movement())
    motion = take_out_shape(seen, estimate_neutral(seen))
    assert motion.angles == pytest.approx(np.zeros((1, 3)), abs=0.01)
    assert motion.offsets == pytest.approx(np.zeros((1, 128, 3)), abs=0.01)
    assert motion.lids == pytest.approx(1, abs=0.01)


def test_the_far_eye_of_a_turned_head_is_not_trusted():
    assert eye_trust(np.array([0.0, 15, -15])) == pytest.approx(1)
    left, right = eye_trust(np.array(-45.0))
    assert left < 0.1
    assert right == 1
    left, right = eye_trust(np.array(45.0))
    assert right < 0.1
    assert left == 1
