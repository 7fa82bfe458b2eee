import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda import Gains, Motion
from gioconda.capture import take_out_shape
from gioconda.errors import UsageError
from gioconda.expression import SKIN, controls, looseness, lower_face
from gioconda.face import BROWS, EYES, LANDMARKS, LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER, NOSE_TIP, face_model
from gioconda.geometry import angles
from gioconda.neutral import estimate_neutral, lid_gaps, mouth_gap
from gioconda.retarget import (
    EASED,
    MOST_GAZE,
    MOST_GROWTH,
    MOST_PITCH,
    MOST_PROFILE,
    MOST_ROLL,
    MOST_YAW,
    Sitter,
    retarget,
    soft_limit,
)
from makers import acting, jaw, motions, movement, neutral_of, performed, posed, recorded_from, sitter_of, stretched

ALL = Gains()
STILL_HEAD = Gains(head=0)
TURN = st.tuples(st.floats(-35, 35), st.floats(-20, 20), st.floats(-30, 30))
UPPER, LOWER = list(LIPS_INNER_UPPER), list(LIPS_INNER_LOWER)


@pytest.fixture(scope="module")
def sitter(portrait):
    return Sitter.of(portrait.views[0].points, 256, 256)


@pytest.fixture(scope="module")
def plain():
    """The canonical face, frontal."""
    return posed(face_model().shape)


def upright(sitter, points):
    """Landmarks with the pose taken out; for movements that leave the head where it is."""
    return sitter.pose.undo(points.astype(float))


# Nothing moves


def test_no_movement_is_the_picture(portrait, sitter):
    moved = retarget(sitter, Motion.neutral(), ALL)
    assert np.abs(moved - portrait.views[0].points).max() < 1e-2


@given(TURN, st.floats(10, 2000), st.tuples(st.floats(0, 4000), st.floats(0, 4000)))
def test_no_movement_is_any_picture(turn, size, place):
    points = retarget(posed(stretched(1.1, 0.9, 1.05), turn, size, place), Motion.neutral(), ALL)
    again = retarget(sitter_of(points), Motion.neutral(), ALL)
    assert np.abs(again - points).max() < max(1e-2, 1e-5 * size)


@given(motions())
def test_no_gain_is_the_picture(sitter, motion):
    nothing = Gains(head=0, mouth=0, eyes=0, brows=0)
    still = retarget(sitter, Motion.neutral(), ALL)
    assert np.abs(retarget(sitter, motion, nothing) - still).max() < 1e-2


@pytest.mark.parametrize("opening", [0.05, 0.2, 0.4])
def test_jaw_opened_and_closed_again_is_the_picture(portrait, sitter, opening):
    before = portrait.views[0].points
    driver = posed(stretched(1.1, 1.15, 1))
    opened, shut = (
        take_out_shape(performed_once(driver, jaw(o))[None], neutral_of(driver)).map(lambda a: a[0])
        for o in (opening, 0.0)
    )
    wide = retarget(sitter, opened, ALL)
    assert mouth_gap(wide) - mouth_gap(before) > 0.5 * opening * float(sitter.pose.scale)
    assert np.abs(retarget(sitter, shut, ALL) - before).max() < 0.05


def performed_once(driver, offsets):
    return retarget(driver, movement(offsets=offsets), ALL).astype(float)


# Identity


def two_drivers():
    return posed(stretched(1.1, 1.18, 0.9), size=50), posed(stretched(0.92, 0.88, 1.1), size=95, at=(300, 200))


def test_the_same_movement_of_two_faces_is_recorded_alike():
    one, other = (recorded_from(driver, acting()) for driver in two_drivers())
    assert one.angles == pytest.approx(other.angles, abs=0.7)
    assert one.shift == pytest.approx(other.shift, abs=0.03)
    assert one.lids == pytest.approx(other.lids, abs=0.05)
    assert one.gaze == pytest.approx(other.gaze, abs=0.02)
    assert one.offsets == pytest.approx(other.offsets, abs=0.03)
    assert one.offsets[..., 1].max() > 0.2


def test_two_drivers_of_different_faces_move_the_portrait_alike(sitter):
    recorded = [recorded_from(driver, acting()) for driver in two_drivers()]
    eye_distance = float(sitter.pose.scale)
    apart, moved = [], []
    still = retarget(sitter, Motion.neutral(), ALL)
    for frame in range(len(acting())):
        one, other = (retarget(sitter, m.map(lambda a, i=frame: a[i]), ALL) for m in recorded)
        apart.append(np.abs(one - other)[:, :2].max() / eye_distance)
        moved.append(np.abs(one - still)[:, :2].max() / eye_distance)
    assert max(apart) < 0.05
    assert max(moved) > 0.2


def test_a_driver_at_rest_leaves_the_portrait_its_own_shape(portrait, sitter):
    # The neutral is the one the product estimates from what the driver does, shape unknown.
    for driver in two_drivers():
        seen = performed(driver, acting())
        at_rest = retarget(driver, Motion.neutral(), ALL).astype(float)
        motion = take_out_shape(at_rest[None], estimate_neutral(seen)).map(lambda a: a[0])
        off = np.abs(retarget(sitter, motion, Gains(head=0)) - portrait.views[0].points)[:, :2]
        assert off.max() < 0.035 * float(sitter.pose.scale)


@given(motions(), st.floats(0.3, 20), st.tuples(*[st.floats(-500, 500)] * 2))
def test_movement_is_in_the_portraits_own_size(motion, factor, place):
    points = retarget(posed(stretched(1.05, 0.95, 1), (8, -4, 10)), Motion.neutral(), ALL).astype(float)
    shift = np.array([*place, 0])
    small, large = (retarget(sitter_of(p), motion, ALL) for p in (points, points * factor + shift))
    assert large == pytest.approx(small * factor + shift, abs=0.02 + 1e-3 * factor)


# Gains


@given(motions(), st.floats(0, 1))
def test_gain_of_the_mouth_scales_the_lips(plain, motion, gain):
    # Without the vertical, in which lips may meet.
    whole, part = (
        upright(plain, retarget(plain, motion, Gains(head=0, mouth=g)))[list(LIPS)][:, [0, 2]] for g in (1.0, gain)
    )
    # The corners of the mouth owe a little to the gain of the brows.
    own = upright(plain, retarget(plain, Motion.neutral(), ALL))[list(LIPS)][:, [0, 2]]
    assert part - own == pytest.approx(gain * (whole - own), abs=0.03 * float(np.abs(motion.offsets).max()) + 1e-4)


@given(motions(), st.floats(0, 2))
def test_gain_of_the_brows_moves_brows_and_nothing_below(plain, motion, gain):
    points = {g: upright(plain, retarget(plain, motion, Gains(head=0, brows=g))) for g in (0.0, 1.0, gain)}
    brows = [*BROWS[0], *BROWS[1]]
    full, some = (points[g][brows] - points[0.0][brows] for g in (1.0, gain))
    assert some == pytest.approx(gain * full, abs=1e-4)
    below = (lower_face() == 1) & (np.arange(LANDMARKS) < SKIN)
    assert points[gain][below] == pytest.approx(points[0.0][below], abs=1e-4)


def test_gain_of_the_head_scales_the_turn(plain):
    turned = [
        sitter_of(retarget(plain, movement(angles=(10, -5, 8)), Gains(head=gain))).angles for gain in (0, 0.5, 1, 1.3)
    ]
    for gain, found in zip((0, 0.5, 1, 1.3), turned, strict=True):
        assert found - turned[0] == pytest.approx(gain * np.array((10, -5, 8)), abs=0.05)


def test_gain_of_the_eyes_scales_lids_and_gaze(plain):
    motion = movement(lids=(0.6, 0.6), gaze=(0.1, 0.02))
    open_gap = lid_gaps(plain.shape)
    for gain in (0, 0.5, 1, 2):
        shape = upright(plain, retarget(plain, motion, Gains(eyes=gain)))
        assert lid_gaps(shape) == pytest.approx(open_gap * (1 - 0.4 * gain), abs=1e-3)
        moved = shape[EYES[0].iris[0], 0] - plain.shape[EYES[0].iris[0], 0]
        assert moved == pytest.approx(0.1 * gain * eye_width(plain.shape, EYES[0]), abs=0.002)


@pytest.mark.parametrize("part", ["head", "mouth", "eyes", "brows"])
@pytest.mark.parametrize("value", [-0.1, 3.01, float("nan"), float("inf")])
def test_a_gain_out_of_range_is_refused(part, value):
    with pytest.raises(UsageError, match=part):
        Gains(**{part: value})


# Limits


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.1, 90))
def test_soft_limit(one, other, most):
    low, high = sorted((one, other))
    assert soft_limit(low, most) <= soft_limit(high, most)
    assert soft_limit(-one, most) == -soft_limit(one, most)
    assert abs(soft_limit(one, most)) <= most
    if abs(one) <= EASED * most:
        assert soft_limit(one, most) == one


def test_soft_limit_has_no_kink():
    value = np.linspace(0, 4, 4001)
    slope = np.diff(soft_limit(value, 1.0)) / np.diff(value)
    assert np.abs(np.diff(slope)).max() < 0.01
    assert soft_limit(4.0, 1.0) > 0.99


@given(motions(), TURN)
def test_the_pose_stays_within_what_a_picture_supports(motion, painted):
    sitter = posed(face_model().shape, painted)
    rigid = movement(angles=motion.angles, shift=motion.shift)
    found = sitter_of(retarget(sitter, rigid, ALL))
    assert np.abs(found.angles - painted)[0] <= MOST_YAW + 0.1
    assert np.abs(found.angles - painted)[1] <= MOST_PITCH + 0.1
    assert np.abs(found.angles - painted)[2] <= MOST_ROLL + 0.1
    growth = float(found.pose.scale) / float(sitter_of(retarget(sitter, movement(), ALL)).pose.scale)
    assert abs(np.log(growth)) <= MOST_GROWTH + 1e-3


def test_a_turn_is_eased_not_clipped(plain):
    turns = [sitter_of(retarget(plain, movement(angles=(yaw, 0, 0)), ALL)).angles[0] for yaw in (10, 20, 30, 40, 50)]
    assert turns[:2] == pytest.approx([10, 20], abs=0.05)
    assert (np.diff(turns) > 0.5).all()
    assert (np.diff(turns, 2) < 0.05).all()


def test_a_face_at_the_edge_of_its_picture_tilts_less():
    points = retarget(posed(face_model().shape, at=(500, 500)), Motion.neutral(), ALL)
    beside = points[:, :2].min(axis=0)
    tilts = []
    for gap in (0, 30, 200):
        shifted = points - np.array([beside[0] - gap, 0, 0], np.float32)
        sitter = Sitter.of(shifted, 1000, 1000)
        assert np.abs(retarget(sitter, Motion.neutral(), ALL) - shifted).max() < 1e-2
        tilts.append(sitter_of(retarget(sitter, movement(angles=(0, 0, 40)), ALL)).angles[2])
    assert 2 < tilts[0] < tilts[1] < tilts[2]


def test_a_profile_turns_on_less_than_a_frontal_face():
    turned = [
        sitter_of(retarget(posed(face_model().shape, (yaw, 0, 0)), movement(angles=(40, 0, 0)), ALL)).angles[0]
        for yaw in (0, 30)
    ]
    assert turned[1] - 30 < turned[0]
    assert turned[1] <= MOST_PROFILE + 0.1


def test_relative_moves_from_the_painted_pose_and_absolute_from_the_camera():
    sitter = posed(face_model().shape, (10, 5, -8))
    motion = movement(angles=(6, 0, 3), rest=(-4, 2, 1))
    relative, absolute = (sitter_of(retarget(sitter, motion, ALL, absolute=a)).angles for a in (False, True))
    assert relative == pytest.approx((16, 5, -5), abs=0.1)
    assert absolute == pytest.approx((2, 2, 4), abs=0.1)


def test_signs_in_the_picture(plain):
    still = retarget(plain, Motion.neutral(), ALL)

    def moved(**parts):
        return retarget(plain, movement(**parts), ALL) - still

    assert moved(angles=(10, 0, 0))[NOSE_TIP, 0] > 3
    assert moved(angles=(0, 10, 0))[NOSE_TIP, 1] < -3
    assert moved(angles=(0, 0, 10))[10, 0] > 3
    assert moved(shift=(0.2, 0, 0))[:, 0] == pytest.approx(0.2 * 60, abs=0.01)
    assert moved(shift=(0, 0.2, 0))[:, 1] == pytest.approx(0.2 * 60, abs=0.01)
    assert np.ptp((still + moved(shift=(0, 0, 0.05)))[:, 0]) > np.ptp(still[:, 0])


# Lids, lips, irises


def eye_width(shape, eye):
    return np.linalg.norm(shape[eye.corners[1]] - shape[eye.corners[0]])


@given(motions())
def test_lids_at_nought_meet(sitter, motion):
    closed = movement(offsets=motion.offsets, lids=(0, 0))
    assert lid_gaps(upright(sitter, retarget(sitter, closed, ALL))) == pytest.approx(0, abs=1e-4)


def test_what_moves_the_brows_does_not_open_the_eyes_once_more(sitter):
    numbers = np.array(controls())
    offsets = np.zeros((len(numbers), 3), np.float32)
    offsets[np.isin(numbers, sum(BROWS, ())), 1] = -0.15
    raised = upright(sitter, retarget(sitter, movement(offsets=offsets, lids=(1.3, 1.3)), ALL))
    assert lid_gaps(raised) == pytest.approx(1.3 * lid_gaps(sitter.shape), rel=0.03)


def test_lids_at_nought_meet_in_wide_painted_eyes():
    shape = face_model().shape.astype(float)
    for eye in EYES:
        shape[list(eye.upper[1:-1]), 1] -= 0.12
    sitter = posed(shape)
    assert lid_gaps(shape).min() > 1.3 * lid_gaps(face_model().shape).max()
    shut = upright(sitter, retarget(sitter, movement(lids=(0, 0)), ALL))
    assert lid_gaps(shut) == pytest.approx(0, abs=1e-4)


@given(st.floats(0, 1.5), st.floats(0, 1.5))
def test_each_lid_opens_in_proportion_and_moves_nothing_but_the_eyes(plain, left, right):
    shape = upright(plain, retarget(plain, movement(lids=(left, right)), ALL))
    assert lid_gaps(shape) == pytest.approx(lid_gaps(plain.shape) * (left, right), abs=1e-3)
    about_eyes = {i for eye in EYES for i in (*eye.outline, *eye.crease)}
    rest = [i for i in range(468) if i not in about_eyes]
    assert shape[rest] == pytest.approx(plain.shape[rest], abs=1e-4)
    for eye in EYES:
        assert shape[list(eye.corners)] == pytest.approx(plain.shape[list(eye.corners)], abs=1e-4)


def test_the_upper_lid_does_most_of_a_blink(plain):
    shape = upright(plain, retarget(plain, movement(lids=(0, 0)), ALL))
    for eye in EYES:
        upper, lower = (np.abs(shape - plain.shape)[list(lid[2:-2]), 1].mean() for lid in (eye.upper, eye.lower))
        assert upper > 2 * lower > 0


@given(motions(wild=3.0), st.floats(0, 3))
def test_lips_never_cross(sitter, motion, gain):
    shape = upright(sitter, retarget(sitter, motion, Gains(head=0, mouth=gain)))
    gaps = shape[LOWER, 1] - shape[UPPER, 1]
    own = sitter.shape[LOWER, 1] - sitter.shape[UPPER, 1]
    assert (gaps >= np.minimum(own, 0) - 1e-4).all()


def test_a_mouth_pressed_shut_stays_shut(plain):
    pressed = upright(plain, retarget(plain, movement(offsets=jaw(-0.3)), ALL))
    assert mouth_gap(pressed)[()] < 0.02
    middle = slice(3, 8)
    assert pressed[LOWER[middle], 1] == pytest.approx(pressed[UPPER[middle], 1], abs=1e-3)


@given(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), st.floats(0, 3))
def test_irises_stay_in_their_eyes(plain, gaze, gain):
    shape = upright(plain, retarget(plain, movement(gaze=gaze), Gains(eyes=gain)))
    for eye in EYES:
        moved = (shape - plain.shape)[list(eye.iris), :2] / eye_width(plain.shape, eye)
        assert np.abs(moved).max() <= MOST_GAZE + 1e-4
        assert np.ptp(moved, axis=0) == pytest.approx(0, abs=1e-4)


@given(motions())
def test_offsets_arrive_at_the_canonical_face_as_they_are_but_where_skin_lies_on_bone(plain, motion):
    opened = movement(offsets=motion.offsets * (1, 0, 1))
    shape = upright(plain, retarget(plain, opened, ALL))
    held = list(controls())
    expected = opened.offsets * looseness()[held][:, None]
    assert (shape - plain.shape)[held][:, [0, 2]] == pytest.approx(expected[:, [0, 2]], abs=1e-3)


def test_retargeting_does_not_touch_its_input(sitter):
    motion, shape = movement(angles=(5, 5, 5), offsets=jaw(0.2)), sitter.shape.copy()
    kept = motion.map(np.copy)
    first = retarget(sitter, motion, ALL)
    assert (retarget(sitter, motion, ALL) == first).all()
    assert (sitter.shape == shape).all()
    assert all((getattr(motion, n) == getattr(kept, n)).all() for n in vars(kept))
    assert angles(sitter.pose.rotation) == pytest.approx(sitter.angles)
