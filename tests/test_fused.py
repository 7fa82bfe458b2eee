"""Several pictures of a person draw one face."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gioconda import Portrait, View, animate
from gioconda.face import EYES, LIPS, MOUTH_OUTLINE, eye_distance
from gioconda.neutral import lid_gaps
from gioconda.rendering.composite import composite
from gioconda.rendering.flow import FlowRenderer
from gioconda.rendering.fused import SOFT, FusedRenderer, nearest, renderer_of
from gioconda.rendering.mouth_plate import LEAST_LOAN, teeth_shown
from gioconda.retarget import Gains, Sitter, retarget
from makers import jaw, movement, still


def made(view, motion):
    """Another picture of the person, by the renderer with one view."""
    points = retarget(Sitter.of(view.points, 256, 256), motion, Gains())
    return View(composite(view, FlowRenderer([view])(points))[0], points)


@pytest.fixture(scope="module")
def awake(portrait):
    """The person with eyes open; a mark on each iris tells this picture's eyes from any other's."""
    view = portrait.views[0]
    rgb = view.rgb.copy()
    for eye in EYES:
        centre = np.rint(view.points[eye.iris[0], :2]).astype(int).tolist()
        cv2.circle(rgb, centre, 2, (0, 255, 0), -1)
    return View(rgb, view.points)


@pytest.fixture(scope="module")
def asleep(portrait):
    """The person with eyes shut."""
    return made(portrait.views[0], movement(lids=(0.0, 0.0)))


def around(points, landmarks, margin):
    """The pixels around some landmarks, as an index."""
    low, high = (f(points[list(landmarks), :2], axis=0) for f in (np.min, np.max))
    reach = margin * float(eye_distance(points))
    left, top, right, bottom = np.rint([*(low - reach), *(high + reach)]).astype(int)
    return np.s_[top:bottom, left:right]


def off(one, other, part):
    return np.abs(one[part].astype(float) - other[part]).mean()


EYE_POINTS = [i for eye in EYES for i in eye.outline]


def green(rgb, points):
    part = rgb[around(points, EYE_POINTS, 0.1)].astype(int)
    return int(((part[..., 1] > 120) & (part[..., 0] < 0.7 * part[..., 1])).sum())


def test_one_view_needs_no_others(awake):
    assert isinstance(renderer_of([awake]), FlowRenderer)
    assert isinstance(renderer_of([awake, awake]), FusedRenderer)


def test_open_eyes_come_from_the_view_that_has_them(asleep, awake):
    alone, fused = (composite(asleep, renderer_of(views)(awake.points))[0] for views in ([asleep], [asleep, awake]))
    part = around(awake.points, EYE_POINTS, 0.05)
    assert off(fused, awake.rgb, part) < 0.5 * off(alone, awake.rgb, part)
    assert green(alone, awake.points) == 0
    assert green(fused, awake.points) > 0.6 * green(awake.rgb, awake.points)


def test_a_view_of_another_size_and_light_fits(asleep, awake):
    """The light is the canvas's."""
    other = awake.resized(400)
    other = View(np.clip(0.75 * other.rgb.astype(float) + 20, 0, 255).astype(np.uint8), other.points)
    fused = composite(asleep, renderer_of([asleep, other])(awake.points))[0]
    part = around(awake.points, EYE_POINTS, 0.05)
    assert abs(float(fused[part].mean()) - float(awake.rgb[part].mean())) < 6
    assert green(fused, awake.points) > 0


def test_a_mouth_comes_from_the_view_that_has_it(portrait):
    shut = portrait.views[0]
    open_ = made(shut, movement(offsets=jaw(0.3)))
    cv2.fillPoly(open_.rgb, [np.rint(open_.points[list(MOUTH_OUTLINE), :2]).astype(np.int32)], (40, 40, 200))
    alone, fused = (composite(shut, renderer_of(views)(open_.points))[0] for views in ([shut], [shut, open_]))
    part = around(open_.points, LIPS, 0.05)
    assert off(fused, open_.rgb, part) < 0.35 * off(alone, open_.rgb, part)


def test_the_canvas_is_itself_at_its_own_landmarks(asleep, awake):
    """Whatever else there is: even the same face in another light."""
    darker = View((0.5 * awake.rgb).astype(np.uint8), awake.points + np.float32(0.4))
    whole = composite(awake, renderer_of([awake, darker, asleep])(awake.points))[0]
    assert (whole == composite(awake, FlowRenderer([awake])(awake.points))[0]).all()


def test_nothing_changes_far_from_the_face(asleep, awake):
    one, other = (renderer_of(views)(awake.points).rgb for views in ([asleep], [asleep, awake]))
    changed = np.argwhere((one != other).any(axis=2))
    low, high = awake.points[:, :2].min(axis=0), awake.points[:, :2].max(axis=0)
    patch = renderer_of([asleep])(awake.points)
    places = changed[:, ::-1] + (patch.left, patch.top)
    assert (places > low - 3).all()
    assert (places < high + 3).all()


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=32), st.integers(0, 31), st.floats(-1e-6, 1e-6))
def test_shares_add_up_and_change_smoothly(costs, which, step):
    costs = np.array(costs)
    shares = nearest(costs)
    assert 1 <= len(shares) <= 2
    assert sum(shares.values()) == pytest.approx(1)
    assert costs[max(shares, key=lambda k: shares[k])] == costs.min()
    assert all(costs[index] <= costs.min() + SOFT for index in shares)
    # Where three views are equally near any two will do, and which must be allowed to jump.
    order = np.sort(costs)
    if len(order) > 2 and order[2] - order[0] < 1e-3:
        return
    moved = costs.copy()
    moved[which % len(costs)] += step
    other = nearest(moved)
    for index in shares.keys() | other.keys():
        assert shares.get(index, 0) == pytest.approx(other.get(index, 0), abs=5e-3)


def test_a_portrait_that_was_caught_with_its_eyes_shut_wakes(asleep, awake):
    sitter = Sitter.of(asleep.points, 256, 256, (), [awake.points, awake.points])
    assert lid_gaps(sitter.shape).mean() == pytest.approx(lid_gaps(awake.points).mean(), rel=0.05)
    alone = Sitter.of(asleep.points, 256, 256)
    assert lid_gaps(alone.shape).mean() < 0.4 * lid_gaps(awake.points).mean()
    frame = next(iter(animate(Portrait((asleep, awake)), still(2))))
    assert green(frame.rgb, awake.points) > 0


def test_who_is_awake_stays_as_painted(asleep, awake):
    alone = Sitter.of(awake.points, 256, 256)
    assert (Sitter.of(awake.points, 256, 256, (), [asleep.points] * 3).shape == alone.shape).all()


def test_a_tongue_is_no_row_of_teeth(portrait):
    view = made(portrait.views[0], movement(offsets=jaw(0.3)))
    mouth = [np.rint(view.points[list(MOUTH_OUTLINE), :2]).astype(np.int32)]
    shown = {}
    for name, colour in {"teeth": (225, 215, 195), "tongue": (225, 140, 140)}.items():
        rgb = view.rgb.copy()
        cv2.fillPoly(rgb, mouth, colour)
        shown[name] = teeth_shown(rgb, view.points)
        grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        shown[name, "grey"] = teeth_shown(grey, view.points)
    assert shown["tongue"] < LEAST_LOAN / 3
    assert shown["teeth"] > 0.05
    assert shown["teeth", "grey"] == pytest.approx(shown["teeth"], rel=0.1)


def test_a_turned_head_is_drawn_from_the_view_that_is_turned(portrait):
    """A mark on the cheek of the turned view shows, when the head is turned that far."""
    view = portrait.views[0]
    turned = made(view, movement(angles=(25, 0, 0)))
    centre = np.rint(turned.points[205, :2]).astype(int).tolist()
    cv2.circle(turned.rgb, centre, 4, (0, 255, 0), -1)
    renderer = renderer_of([view, turned])
    frontal, aside = renderer(view.points), renderer(turned.points)
    place = np.s_[centre[1] - aside.top, centre[0] - aside.left]
    assert aside.rgb[place][1] > aside.rgb[place][0] + 30
    assert (
        not ((frontal.rgb[..., 1].astype(int) - frontal.rgb[..., 0]) > 30).sum()
        > ((view.rgb[..., 1].astype(int) - view.rgb[..., 0]) > 30).sum()
    )
