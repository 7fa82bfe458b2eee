"""What the network of the `warp` renderer sees and may change, the renderer itself, and teeth from other views."""

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings

from gioconda import Gains, Motion, View
from gioconda.errors import UsageError
from gioconda.face import (
    CHIN,
    EYES,
    FOREHEAD,
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    MOUTH_OUTLINE,
    NOSE_TIP,
    bounds,
    eye_distance,
    face_model,
)
from gioconda.rendering import FlowRenderer, composite, make_renderer
from gioconda.rendering.clues import CHANNELS, FRAME, WINDOWS, draw_clues, draw_gates, warp_frame, window_corner
from gioconda.rendering.head import Head
from gioconda.rendering.warp import moved_with_head
from gioconda.retarget import Sitter, retarget
from makers import jaw, motions, movement, posed

FEW = settings(max_examples=15)
FACE = posed(face_model().shape, size=52, at=(127.5, 110))
"""A face in the network's frame."""
REST = FACE.pose.apply(FACE.shape).astype(np.float32)


def draw_gate(source, target):
    """Both gates in one."""
    return np.maximum(*draw_gates(source, target).values())


def placed(motion, sitter=FACE):
    return retarget(sitter, motion, Gains())


def near(points, group, shape):
    """Where the hull of some landmarks is, bool (h, w)."""
    drawn = np.zeros(shape[:2], np.uint8)
    hull = cv2.convexHull(points[list(group), :2].astype(np.float32))
    cv2.fillPoly(drawn, [np.rint(hull).astype(np.int32)], 1)
    return drawn > 0


def near_mouth_and_eyes(points, shape, margin):
    """Where it is no further than a margin, in pixels, to the mouth or to an eye with its upper fold."""
    # They may lie beyond the edge.
    pad = int(np.ceil(margin)) + 1
    groups = LIPS, *((*eye.upper, *eye.lower, *eye.crease) for eye in EYES)
    shifted, padded = points + np.float32([pad, pad, 0]), (shape[0] + 2 * pad, shape[1] + 2 * pad)
    inside = np.any([near(shifted, group, padded) for group in groups], axis=0)
    return (cv2.distanceTransform(1 - inside.astype(np.uint8), cv2.DIST_L2, 5) <= margin)[pad:-pad, pad:-pad]


# The gate


def test_the_gate_is_shut_where_nothing_moved():
    gate = draw_gate(REST, REST)
    assert gate.shape == (FRAME, FRAME)
    assert gate.dtype == np.float32
    assert not gate.any()


def test_the_gate_stays_shut_when_the_head_is_only_elsewhere():
    assert draw_gate(REST, REST + np.float32([8, -6, 0])).max() < 1e-4


@FEW
@given(motions())
def test_the_gate_is_shut_away_from_mouth_and_eyes(motion):
    target = placed(motion)
    gate = draw_gate(REST, target)
    assert 0 <= gate.min() <= gate.max() <= 1
    assert not gate[~near_mouth_and_eyes(target, gate.shape, 0.25 * eye_distance(REST) + 2)].any()


def test_the_gate_at_the_mouth_opens_with_the_mouth():
    share = []
    for opening in (0, 0.01, 0.02, 0.04, 0.1, 0.3):
        target = placed(movement(offsets=jaw(opening)))
        gate = draw_gate(REST, target)
        share.append(gate[near(target, MOUTH_OUTLINE, gate.shape)].mean())
        eyes = near(target, [i for eye in EYES for i in eye.outline], gate.shape)
        assert gate[: FRAME // 2][eyes[: FRAME // 2]].max() < 1e-3
    assert share[0] < 1e-3
    assert share[0] < share[1] < share[2] < share[3]
    assert share[4] > 0.95
    assert share[5] > 0.95


def test_the_gate_at_the_mouth_opens_when_an_open_mouth_shuts():
    opened = placed(movement(offsets=jaw(0.3)))
    gate = draw_gate(opened, REST)
    assert gate[near(REST, LIPS, gate.shape)].mean() > 0.9


@pytest.mark.parametrize("side", [0, 1])
def test_the_gate_at_an_eye_opens_with_its_lids(side):
    share = []
    for lid in (1, 0.95, 0.9, 0.8, 0.5, 0):
        lids = np.ones(2)
        lids[side] = lid
        target = placed(movement(lids=lids))
        gate = draw_gate(REST, target)
        winking, other = (near(target, eye.outline, gate.shape) for eye in (EYES[side], EYES[1 - side]))
        share.append(gate[winking].mean())
        assert gate[other].max() < 1e-3
        assert not gate[near(target, LIPS, gate.shape)].any()
    assert share[0] < 1e-3
    assert share[0] < share[1] < share[2] < share[3]
    assert min(share[4:]) > 0.95


def test_the_gate_at_the_eyes_opens_with_the_gaze():
    share = []
    for gaze in (0, 0.05, 0.1, 0.3):
        target = placed(movement(gaze=(gaze, 0)))
        gate = draw_gate(REST, target)
        share.append([gate[near(target, eye.outline, gate.shape)].mean() for eye in EYES])
    share = np.array(share)
    assert share[0].max() < 1e-3
    assert (np.diff(share, axis=0) > 0).all()


# The clues


@pytest.fixture(scope="module")
def clues():
    random = np.random.default_rng(0)
    warped, moved = random.integers(0, 256, (2, FRAME, FRAME, 3), np.uint8)
    target = placed(movement(offsets=jaw(0.3), gaze=(0.15, 0)))
    return warped, moved, target, draw_clues(warped, moved, target)


MOUTH, AROUND, OPENINGS, IRISES = range(6, CHANNELS)
"""Channels of the masks."""


def test_clues_begin_with_both_pictures(clues):
    warped, moved, _, drawn = clues
    assert drawn.shape == (FRAME, FRAME, CHANNELS)
    assert drawn.dtype == np.uint8
    assert (drawn[..., 0:3] == warped).all()
    assert (drawn[..., 3:6] == moved).all()


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ((13, 14), {MOUTH, AROUND}),
        ((0, 13), {AROUND}),
        ((17, 14), {AROUND}),
        ((468,), {OPENINGS, IRISES}),
        ((473,), {OPENINGS, IRISES}),
        ((33, 133), None),
        ((NOSE_TIP,), set()),
        ((FOREHEAD,), set()),
        ((CHIN,), set()),
        ((50,), set()),
        ((280,), set()),
    ],
)
def test_clues_say_what_is_where(clues, place, shown):
    _, _, target, drawn = clues
    x, y = np.rint(target[list(place), :2].mean(axis=0)).astype(int)
    here = {channel for channel in range(6, CHANNELS) if drawn[y, x, channel] > 127}
    # Between an eye's corners the iris may be or not: the eye's opening is there in any case.
    assert here - {IRISES} == {OPENINGS} if shown is None else here == shown


@pytest.mark.parametrize(
    ("channel", "outlines"),
    [
        (MOUTH, [MOUTH_OUTLINE]),
        (OPENINGS, [eye.outline for eye in EYES]),
        (IRISES, [eye.iris[1:] for eye in EYES]),
    ],
)
def test_clues_are_as_large_as_what_they_show(clues, channel, outlines):
    _, _, target, drawn = clues
    area = 0.0
    for outline in outlines:
        x, y = target[list(outline), :2].astype(float).T
        edge = np.hypot(x - np.roll(x, 1), y - np.roll(y, 1)).sum()
        # OpenCV fills a polygon with its edge: somewhat more than half a pixel all around.
        area += abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2 + 0.6 * edge
    assert drawn[..., channel].sum() / 255 == pytest.approx(area, rel=0.1)


def test_clues_follow_the_face(clues):
    warped, moved, target, drawn = clues
    aside = draw_clues(warped, moved, target + np.float32([5, 3, 0]))
    assert (aside[3:, 5:, 6:] == drawn[:-3, :-5, 6:]).mean() > 0.999


# The frame


def face_in(side):
    """A face in a square picture, half as wide as it."""
    return (face_model().shape * (side / 4) + np.array([side / 2 + 3.3, side / 2.4, 0])).astype(np.float32)


def dot(side, at, spread):
    """A soft white dot on black."""
    x, y = (np.exp(-(((np.arange(side) - c) / spread) ** 2) / 2) for c in at[:2])
    return np.repeat(np.rint(255 * np.outer(y, x)).astype(np.uint8)[..., None], 3, axis=2)


def dot_in(rgb):
    weight = rgb[..., 0].astype(float)
    return np.array([weight.sum(axis=0) @ np.arange(FRAME), weight.sum(axis=1) @ np.arange(FRAME)]) / weight.sum()


@pytest.mark.parametrize("side", [40, 100, 256, 431, 1200])
@pytest.mark.parametrize("landmark", [NOSE_TIP, CHIN, 33, 291])
def test_points_and_pictures_go_to_the_same_place(side, landmark):
    points = face_in(side)
    frame = warp_frame(points)
    mapped = frame.picture(dot(side, points[landmark], side / 50))
    assert mapped.shape == (FRAME, FRAME, 3)
    off = dot_in(mapped) - frame.points(points)[landmark, :2]
    assert np.hypot(*off) < 0.3


@pytest.mark.parametrize("side", [60, 300, 1200])
def test_a_picture_moved_beforehand_goes_to_the_same_place(side):
    points = face_in(side)
    frame = warp_frame(points)
    first = cv2.getRotationMatrix2D((side / 2, side / 2), 20, 1.1) + np.array([[0, 0, 2.5], [0, 0, -1.5]])
    back = cv2.invertAffineTransform(first) @ np.append(points[NOSE_TIP, :2], 1)
    off = dot_in(frame.picture(dot(side, back, side / 50), first)) - frame.points(points)[NOSE_TIP, :2]
    assert np.hypot(*off) < 0.3


@pytest.mark.parametrize("side", [40, 256, 1200])
def test_the_face_is_half_the_frame_and_in_its_middle(side):
    mapped = warp_frame(face_in(side)).points(face_in(side))
    x, y, width, height = bounds(mapped)
    assert max(width, height) == pytest.approx(FRAME / 2, abs=0.01)
    assert (x + width / 2, y + height / 2) == pytest.approx(((FRAME - 1) / 2,) * 2, abs=0.01)
    depth = np.ptp(mapped[:, 2]) / np.ptp(face_in(side)[:, 2])
    assert depth == pytest.approx(width / bounds(face_in(side))[2], rel=1e-3)


# The windows


@FEW
@given(motions(wild=3.0))
def test_windows_lie_in_the_frame(motion):
    target = placed(motion)
    for away in ((0, 0), (-300, 40), (90, 500)):
        for kind, (width, height) in WINDOWS.items():
            left, top = window_corner(kind, target + np.float32([*away, 0]))
            assert isinstance(left, int)
            assert 0 <= left <= FRAME - width
            assert 0 <= top <= FRAME - height


def test_windows_are_about_mouth_and_eyes():
    for kind, group in (("mouth", LIPS), ("eyes", [i for eye in EYES for i in eye.outline])):
        left, top = window_corner(kind, REST)
        width, height = WINDOWS[kind]
        x, y = REST[list(group), :2].T
        assert left + 4 < x.min() < x.max() < left + width - 4
        assert top + 4 < y.min() < y.max() < top + height - 4
        assert left + width / 2 == pytest.approx((x.min() + x.max()) / 2, abs=2)


# The renderer

SPEAKING = movement(offsets=jaw(0.25), lids=(0.2, 0.2), gaze=(0.15, 0))
TURNED = movement(angles=(12, 6, 10), offsets=jaw(0.25), lids=(0, 0))


class Both:
    """One picture and both renderers of it."""

    def __init__(self, view, weights):
        self.view = view
        height, width = view.rgb.shape[:2]
        self.sitter = Sitter.of(view.points, width, height)
        self.flow, self.warp = make_renderer("flow", (view,)), make_renderer("warp", (view,), weights)

    def patches(self, motion):
        target = placed(motion, self.sitter)
        return self.flow(target), self.warp(target), target

    def check(self, motion):
        """The network changes something, and that near mouth and eyes alone; gives back how much, (h, w)."""
        flow, warp, target = self.patches(motion)
        assert (warp.left, warp.top, warp.rgb.shape, warp.rgb.dtype) == (flow.left, flow.top, flow.rgb.shape, np.uint8)
        off = np.abs(warp.rgb.astype(int) - flow.rgb).max(axis=2)
        here = target - np.float32([flow.left, flow.top, 0])
        # The gate's margin, and the frame's pixels, which are enlarged.
        margin = 0.25 * float(eye_distance(self.view.points)) + 4 / warp_frame(self.view.points).matrix[0, 0]
        assert not off[~near_mouth_and_eyes(here, off.shape, margin)].any()
        assert off.max() > 2
        return off


@pytest.fixture(scope="module")
def both(portrait, weights):
    return Both(portrait.views[0], weights)


def test_warp_at_rest_is_flow_and_the_picture(both):
    flow, warp = both.flow(both.view.points), both.warp(both.view.points)
    assert (warp.rgb == flow.rgb).all()
    assert (warp.left, warp.top) == (flow.left, flow.top)
    off = np.abs(composite(both.view, warp)[0].astype(int) - both.view.rgb)
    assert off.mean() <= 0.1
    assert off.max() <= 8


@pytest.mark.parametrize("motion", [SPEAKING, TURNED])
def test_warp_changes_mouth_and_eyes_alone(both, motion):
    both.check(motion)


def test_warp_leaves_the_mouth_where_only_the_eyes_move(both):
    off = both.check(movement(lids=(0, 0)))
    flow, _, target = both.patches(movement(lids=(0, 0)))
    assert not off[near(target - np.float32([flow.left, flow.top, 0]), LIPS, off.shape)].any()


@FEW
@given(motions())
def test_warp_changes_mouth_and_eyes_alone_however_it_moves(both, motion):
    flow, warp, target = both.patches(motion)
    off = np.abs(warp.rgb.astype(int) - flow.rgb).max(axis=2)
    margin = 0.3 * float(eye_distance(both.view.points)) + 4
    assert not off[~near_mouth_and_eyes(target - np.float32([flow.left, flow.top, 0]), off.shape, margin)].any()


@pytest.mark.parametrize("motion", [movement(lids=(0, 0)), movement(gaze=(0.25, 0))])
def test_what_the_network_paints_is_added_once(both, weights, motion):
    """The windows of mouth and eyes overlap below the lids: neither may add what the other has added."""
    flow, warp, target = both.patches(motion)
    view, frame = both.view, warp_frame(both.view.points)
    source, there = frame.points(view.points), frame.points(target)
    corner = np.array([[1, 0, flow.left], [0, 1, flow.top]], float)
    depth = float(source[list(LIPS_INNER_UPPER), 2].mean())
    before = frame.picture(flow.rgb, corner)
    clues = draw_clues(before, moved_with_head(frame.picture(view.rgb), Head(source), there, depth), there)
    gate = draw_gate(source, there)[..., None]
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    wanted = np.zeros((FRAME, FRAME), np.float32)
    seen = np.zeros((FRAME, FRAME), int)
    for kind, (width, height) in WINDOWS.items():
        left, top = window_corner(kind, there)
        part = np.s_[top : top + height, left : left + width]
        (output,) = session.run(None, {"clues": clues[part].transpose(2, 0, 1)[None].astype(np.float32) / 255})
        colour, share = np.split(output[0].transpose(1, 2, 0), [3], axis=2)
        change = np.abs(share * gate[part] * (255 * colour - before[part])).max(axis=2)
        wanted[part] = np.maximum(wanted[part], change)
        seen[part] += 1
    made = np.abs(frame.picture(warp.rgb, corner).astype(int) - before).max(axis=2)
    twice = (seen == 2) & (wanted > 3)
    assert twice.any()
    # What is painted is smoothed over 3 pixels and enlarged, so it may come from next door, but not be more.
    most = cv2.dilate(wanted, np.ones((5, 5), np.uint8))
    assert (made[twice] <= 1.2 * most[twice] + 3).all()


@pytest.mark.parametrize(("shape", "words"), [([7], "the network fails"), ([-1], "says something else")])
def test_a_network_that_does_not_fit_when_it_is_run(portrait, tmp_path, shape, words):
    """Its inputs and outputs are right; what is between is not."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    seen = helper.make_tensor_value_info("clues", kinds.FLOAT, [1, CHANNELS, "h", "w"])
    painted = helper.make_tensor_value_info("painted", kinds.FLOAT, None)
    other = helper.make_tensor("other", kinds.INT64, [1], shape)
    reshape = helper.make_node("Reshape", ["clues", "other"], ["painted"])
    graph = helper.make_graph([reshape], "odd", [seen], [painted], [other])
    path = tmp_path / "warp.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    render = make_renderer("warp", portrait.views, path)
    view = portrait.views[0]
    target = retarget(Sitter.of(view.points, *view.rgb.shape[1::-1]), movement(offsets=jaw(0.3)), Gains())
    with pytest.raises(UsageError, match=words):
        render(target)


def test_warp_keeps_transparency(portrait, weights):
    view = portrait.views[0]
    alpha = np.full(view.rgb.shape[:2], 255, np.uint8)
    alpha[:, :100] = 40
    both = Both(View(view.rgb, view.points, alpha), weights)
    for motion in (Motion.neutral(), TURNED):
        flow, warp, _ = both.patches(motion)
        assert (warp.alpha == flow.alpha).all()
    assert (warp.alpha.min(), warp.alpha.max()) == (40, 255)


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
@pytest.mark.parametrize("beyond", [0, 25])
def test_warp_where_the_face_touches_the_edge(portrait, weights, side, beyond):
    """At the edge, or cut off by it."""
    view = portrait.views[0]
    x, y, width, height = vars(view.box).values()
    left = int(x) + beyond if side == "left" else 0
    top = int(y) + beyond if side == "top" else 0
    right = int(x + width) - beyond if side == "right" else 256
    bottom = int(y + height) - beyond if side == "bottom" else 256
    shift = np.array([left, top, 0], np.float32)
    both = Both(View(np.ascontiguousarray(view.rgb[top:bottom, left:right]), view.points - shift), weights)
    flow, warp, _ = both.patches(Motion.neutral())
    assert np.abs(warp.rgb.astype(int) - flow.rgb).max() <= 1
    both.check(SPEAKING)


def test_warp_where_the_mouth_is_beyond_the_edge(portrait, weights):
    view = portrait.views[0]
    bottom = int(view.points[NOSE_TIP, 1])
    both = Both(View(np.ascontiguousarray(view.rgb[:bottom]), view.points), weights)
    both.check(SPEAKING)


@pytest.mark.parametrize("side", [64, 2000])
def test_warp_on_small_and_large_pictures(portrait, weights, side):
    both = Both(portrait.views[0].resized(side), weights)
    off = both.check(SPEAKING)
    assert off.shape[0] <= side
    flow, warp = both.flow(both.view.points), both.warp(both.view.points)
    assert (warp.rgb == flow.rgb).all()


# Teeth from another view


CYAN = np.array([90, 245, 245], np.uint8)
"""Teeth of a colour that is nowhere else in the picture: the proportion of its parts outlasts every shade."""


def as_cyan(rgb, points):
    """How many pixels inside the mouth are of that colour and bright."""
    mouth = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(mouth, [np.rint(points[list(MOUTH_OUTLINE), :2]).astype(np.int32)], 1)
    red, green, blue = rgb[mouth > 0].astype(int).T
    return int(((green > 130) & (blue > 130) & (red < 0.6 * green)).sum())


@pytest.fixture(scope="module")
def shut(portrait):
    """The person with a shut mouth."""
    view = portrait.views[0]
    points = view.points.astype(np.float32).copy()
    upper, lower = list(LIPS_INNER_UPPER), list(LIPS_INNER_LOWER)
    points[upper] = points[lower] = (points[upper] + points[lower]) / 2
    return View(composite(view, FlowRenderer([view])(points))[0], points)


@pytest.fixture(scope="module")
def toothy(portrait):
    """The person with an open mouth full of cyan teeth."""
    view = portrait.views[0]
    points = placed(movement(offsets=jaw(0.3)), Sitter.of(view.points, 256, 256))
    rgb = composite(view, FlowRenderer([view])(points))[0]
    cv2.fillPoly(rgb, [np.rint(points[list(MOUTH_OUTLINE), :2]).astype(np.int32)], CYAN.tolist())
    return View(rgb, points)


@pytest.fixture(scope="module")
def opened(shut):
    return placed(movement(offsets=jaw(0.3)), Sitter.of(shut.points, 256, 256))


def test_teeth_are_lent_by_another_view(shut, toothy, opened):
    alone, lent = (composite(shut, FlowRenderer(views)(opened))[0] for views in ([shut], [shut, toothy]))
    mouth = np.zeros(lent.shape[:2], np.uint8)
    cv2.fillPoly(mouth, [np.rint(opened[list(MOUTH_OUTLINE), :2]).astype(np.int32)], 1)
    assert as_cyan(alone, opened) == 0
    assert as_cyan(lent, opened) > 0.15 * mouth.sum()


def test_the_view_that_shows_most_teeth_lends_them(shut, toothy, opened):
    lent = composite(shut, FlowRenderer([shut, shut, toothy, shut])(opened))[0]
    assert (lent == composite(shut, FlowRenderer([shut, toothy])(opened))[0]).all()


def test_teeth_of_another_size_of_picture_fit(shut, toothy, opened):
    lent, larger = (composite(shut, FlowRenderer([shut, view])(opened))[0] for view in (toothy, toothy.resized(400)))
    assert as_cyan(larger, opened) == pytest.approx(as_cyan(lent, opened), rel=0.15)


def test_a_shut_mouth_shows_no_lent_teeth(shut, toothy):
    alone, lent = (composite(shut, FlowRenderer(views)(shut.points))[0] for views in ([shut], [shut, toothy]))
    assert as_cyan(lent, shut.points) == 0
    assert (alone == lent).all()


def test_who_shows_teeth_keeps_them(shut, toothy):
    """A canvas with more teeth than the other view takes none from it."""
    target = placed(movement(offsets=jaw(0.1)), Sitter.of(toothy.points, 256, 256))
    alone, offered = (FlowRenderer(views)(target).rgb for views in ([toothy], [toothy, shut]))
    assert (alone == offered).all()


# Bad weights


def test_warp_wants_weights_and_flow_does_not(portrait, tmp_path):
    views = portrait.views
    with pytest.raises(UsageError, match="--weights"):
        make_renderer("warp", views)
    with pytest.raises(UsageError, match="no network"):
        make_renderer("flow", views, tmp_path / "warp.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    for name in ("missing.onnx", "broken.onnx"):
        with pytest.raises(UsageError, match=name):
            make_renderer("warp", views, tmp_path / name)
