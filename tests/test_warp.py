"""What the network of the `warp` renderer sees and may change, the renderer itself, and teeth from other views."""

import json

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings

from gioconda import Gains, Motion, View
from gioconda.errors import UsageError
from gioconda.face import (
    CHIN,
    FOREHEAD,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    MOUTH_OUTLINE,
    NOSE_TIP,
    bounds,
    eye_distance,
    face_model,
)
from gioconda.geometry import rotation
from gioconda.media.files import sha256_of
from gioconda.rendering import FlowRenderer, composite, make_renderer
from gioconda.rendering.clues import CELLS, CHANNELS, FRAME, FULL, PICTURE, SHAPE, ShapeDrawer, in_cells, warp_frame
from gioconda.rendering.mouth_plate import seen_outline
from gioconda.rendering.renderer import OWN_NETWORK
from gioconda.rendering.warp import BLACK, CHANGES, FARTHEST, LIGHTEST, STRONGEST, WarpNetwork, _tones, apply
from gioconda.retarget import Sitter, retarget
from makers import changed, jaw, motions, movement, posed

FEW = settings(max_examples=15)
FACE = posed(face_model().shape, size=52, at=(95.5, 82))
"""A face in the network's frame."""
REST = FACE.pose.apply(FACE.shape).astype(np.float32)
CANONICAL, SHOWN, MOVED, STRETCH, FAR, IS_FACE, MOUTH, AROUND, OPENINGS, IRISES = (
    slice(0, 3),
    slice(3, 6),
    slice(6, 9),
    *range(9, SHAPE),
)
"""Channels of a shape."""


def placed(motion, sitter=FACE):
    return retarget(sitter, motion, Gains())


def drawn(target, source=REST):
    return ShapeDrawer(source)(target)


def cell(points, *landmarks):
    """Row and column of the cell in whose middle some landmarks have theirs."""
    x, y = np.rint(points[list(landmarks), :2].mean(axis=0) / 2 - 0.25).astype(int)
    return y, x


def within(points, group, shape, margin):
    """Where it is no further than a margin, in pixels, to the hull of some landmarks, bool (h, w)."""
    pad = int(np.ceil(margin)) + 1  # they may lie beyond the edge
    inside = np.zeros((shape[0] + 2 * pad, shape[1] + 2 * pad), np.uint8)
    hull = cv2.convexHull(points[list(group), :2].astype(np.float32)) + pad
    cv2.fillPoly(inside, [np.rint(hull).astype(np.int32)], 1)
    return (cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) <= margin)[pad:-pad, pad:-pad]


# The gate


def test_the_gate_is_shut_where_nothing_moved():
    gate = drawn(REST).gate
    assert gate.shape == (CELLS, CELLS)
    assert gate.dtype == np.float32
    assert not gate.any()


def test_the_gate_stays_shut_when_the_head_is_only_elsewhere():
    assert drawn(REST + np.float32([8, -6, 0])).gate.max() < 0.01


@FEW
@given(motions())
def test_the_gate_is_shut_beside_the_face(motion):
    target = placed(motion)
    gate = drawn(target).gate
    assert 0 <= gate.min() <= gate.max() <= 1
    assert gate[~within(target / 2, range(468), gate.shape, 3)].max() == 0


def test_the_gate_is_shut_at_the_rim_of_the_face():
    target = placed(movement(angles=(15, 0, 0)))
    gate = drawn(target).gate
    assert max(gate[cell(target, place)] for place in (FOREHEAD, CHIN)) < 0.4
    assert gate[cell(target, NOSE_TIP)] > 0.95


def test_the_gate_opens_with_the_head():
    share = [drawn(placed(movement(angles=(0, 0, angle)))).gate.mean() for angle in (0, 1, 2, 4, 8)]
    assert share[0] == 0
    assert (np.diff(share) > 0).all()


def test_the_gate_opens_where_the_skin_moves():
    target = placed(movement(offsets=jaw(0.2)))
    gate = drawn(target).gate
    assert gate[cell(target, 17)] > 0.95  # below the lower lip
    assert gate[cell(target, 10, 9)] < 0.05  # the forehead


@FEW
@given(motions())
def test_the_gate_is_shut_inside_the_mouth(motion):
    target = placed(motion)
    shape = drawn(target)
    assert shape.gate[shape.channels[..., MOUTH] == FULL].max(initial=0) < 0.01


def test_the_gate_is_shut_at_the_frames_edge():
    for aside in ((60, 0), (-60, 0), (0, 70), (0, -70)):
        gate = drawn(placed(movement(angles=(15, 0, 0))) + np.float32([*aside, 0])).gate
        assert gate.any()
        assert not np.concatenate([gate[0], gate[-1], gate[:, 0], gate[:, -1]]).any()


# The shape


def test_a_shape_says_what_is_where():
    target = placed(movement(offsets=jaw(0.3)))
    channels = drawn(target).channels
    assert channels.shape == (CELLS, CELLS, SHAPE)
    assert channels.dtype == np.int8
    masks = {MOUTH, AROUND, OPENINGS, IRISES}
    for landmarks, shown in (
        ((13, 14), {MOUTH, AROUND}),
        ((0, 11), {AROUND}),
        ((468,), {OPENINGS, IRISES}),
        ((473,), {OPENINGS, IRISES}),
        ((NOSE_TIP,), set()),
        ((50,), set()),
    ):
        here = channels[cell(target, *landmarks)]
        assert {channel for channel in masks if here[channel] > FULL / 2} == shown, landmarks
        assert here[IS_FACE] == FULL
    assert not channels[:3].any()


def test_a_head_that_turns_keeps_its_own_normals_and_shows_others():
    target = placed(movement(angles=(20, 0, 0)))
    channels = drawn(target).channels / FULL
    nose = cell(target, 9)  # between the brows
    before, after = channels[nose][CANONICAL], channels[nose][SHOWN]
    # The normal of skin that is seen flat on goes sideways as the head turns by 20 degrees, about a vertical axis.
    assert abs(before[0]) < 0.1
    assert abs(after[0]) == pytest.approx(np.sin(np.radians(20)), abs=0.1)
    assert after[1] == pytest.approx(before[1], abs=0.1)
    assert np.abs(channels[nose][MOVED]).max() < 0.02


def test_skin_that_moves_is_told_of_in_eye_distances():
    target = REST.copy()
    unit = float(eye_distance(REST))
    around = np.linalg.norm(REST[:468, :2] - REST[205, :2], axis=1) < 0.25 * unit
    target[:468][around] += np.float32([0.05 * unit, -0.03 * unit, 0])
    moved = drawn(target).channels[cell(target, 205)][MOVED] / FULL / 6
    assert moved == pytest.approx([0.05, -0.03, 0], abs=0.012)


def test_stretch_is_the_logarithm_of_the_area():
    middle = REST[NOSE_TIP, :2]
    wider = REST.copy()
    wider[:, :2] = middle + 1.2 * (REST[:, :2] - middle)
    # Larger in the picture's plane alone, not in depth: it is no head that came nearer.
    cheek = drawn(wider).channels[cell(wider, 50)]
    assert cheek[STRETCH] > 0
    nearer = (REST - REST.mean(axis=0)) * np.float32(1.2) + REST.mean(axis=0)
    assert abs(int(drawn(nearer).channels[cell(nearer, 50)][STRETCH])) <= 2


def test_shapes_follow_the_face():
    target = placed(movement(offsets=jaw(0.3), angles=(10, 5, 0)))
    here, aside = drawn(target).channels.astype(int), drawn(target + np.float32([6, 4, 0])).channels.astype(int)
    assert (np.abs(aside[2:, 3:] - here[:-2, :-3]) <= 2).mean() > 0.99


def test_cells_hold_the_pictures_pixels_in_order():
    rgb = np.random.default_rng(0).integers(0, 256, (FRAME, FRAME, 3), np.uint8)
    channels = np.full((CELLS, CELLS, SHAPE), -FULL, np.int8)
    seen = in_cells(rgb, channels)
    assert seen.shape == (CHANNELS, CELLS, CELLS)
    assert seen.dtype == np.float32
    for channel in range(PICTURE):
        colour, pixel = divmod(channel, 4)
        down, across = divmod(pixel, 2)
        assert np.abs(seen[channel] * 255 - rgb[down::2, across::2, colour]).max() < 1e-3
    assert (seen[PICTURE:] == -1).all()


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
def test_the_face_is_two_thirds_of_the_frame_and_in_its_middle(side):
    mapped = warp_frame(face_in(side)).points(face_in(side))
    x, y, width, height = bounds(mapped)
    assert max(width, height) == pytest.approx(FRAME * 2 / 3, abs=0.01)
    assert (x + width / 2, y + height / 2) == pytest.approx(((FRAME - 1) / 2,) * 2, abs=0.01)
    depth = np.ptp(mapped[:, 2]) / np.ptp(face_in(side)[:, 2])
    assert depth == pytest.approx(width / bounds(face_in(side))[2], rel=1e-3)


# What the network says, done


def nothing():
    return np.zeros((CELLS, CELLS, CHANGES), np.float32)


IN_FRAME = np.array([[1.0, 0, 0], [0, 1.0, 0]])


def noise(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def test_no_change_is_none():
    rgb = noise(FRAME, FRAME)
    assert (changed(rgb, nothing(), IN_FRAME) == rgb).all()


def test_what_does_not_change_stays_exactly():
    rgb, change = noise(FRAME, FRAME), nothing()
    change[40:50, 40:50] = (1.3, -0.7, 0.2, -0.2, 0.1)
    made = changed(rgb, change, IN_FRAME)
    assert (made[85:95, 85:95] != rgb[85:95, 85:95]).mean() > 0.9
    made[2 * 40 - 4 : 2 * 50 + 4, 2 * 40 - 4 : 2 * 50 + 4] = rgb[2 * 40 - 4 : 2 * 50 + 4, 2 * 40 - 4 : 2 * 50 + 4]
    assert (made == rgb).all()


def test_a_gain_by_hand():
    rgb, change = np.full((FRAME, FRAME, 3), 100, np.uint8), nothing()
    change[..., 2:] = np.log([1.5, 1.0, 0.5])
    made = changed(rgb, change, IN_FRAME)[50:-50, 50:-50]
    wanted = [round((100 + BLACK) * gain - BLACK) for gain in (1.5, 1.0, 0.5)]
    assert (np.abs(made.astype(int) - wanted) <= 1).all()
    dark = changed(np.zeros_like(rgb), change, IN_FRAME)[50:-50, 50:-50]
    assert (dark == [round(BLACK * 0.5), 0, 0]).all()


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_a_displacement_is_in_frame_pixels_whatever_the_pictures_size(scale):
    side = round(FRAME / scale)
    ramp = np.repeat(np.linspace(20, 220, side, dtype=np.float32)[None, :, None], side, axis=0).repeat(3, axis=2)
    rgb, change = np.rint(ramp).astype(np.uint8), nothing()
    change[..., 0] = 2.0
    to_frame = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])
    made = changed(rgb, change, to_frame).astype(float)
    middle = slice(side // 4, 3 * side // 4)
    step = 200 / (side - 1)
    assert (made - ramp)[middle, middle].mean() == pytest.approx(2.0 / scale * step, rel=0.1)


@pytest.mark.parametrize("scale", [0.15, 1.0, 2.5])
def test_changes_lie_where_the_network_says(scale):
    """A bright dot, said in the frame, at its place in a picture of another size, of which the frame is a part."""
    side, at = round(400 / scale), np.array([71.0, 120.0])
    change = nothing()
    x, y = (np.exp(-np.square((2 * np.arange(CELLS) + 0.5 - c) / 8) / 2) for c in at)
    change[..., 2:] = (0.5 * np.outer(y, x))[..., None]
    change[change < 0.02] = 0
    to_frame = np.array([[scale, 0, -90.0], [0, scale, -60.0]])
    off = changed(np.full((side, side, 3), 120, np.uint8), change, to_frame)[..., 0].astype(float) - 120
    found = np.array([off.sum(axis=0) @ np.arange(side), off.sum(axis=1) @ np.arange(side)]) / off.sum()
    assert np.abs(to_frame[:, :2] @ found + to_frame[:, 2] - at).max() < 0.35


def test_nothing_gets_lighter_than_the_lightest():
    rgb = np.full((192, 192, 3), 100, np.uint8)
    rgb[:, 96:] = 180
    change = np.zeros((CELLS, CELLS, CHANGES), np.float32)
    change[20:76, 20:76, 2:] = STRONGEST
    apply(rgb, change, np.eye(2, 3), np.array([120.0, 150.0, 140.0]))
    # What was darker is lit up to that; what was lighter stays.
    assert rgb[96, 60].tolist() == [120, round((100 + BLACK) * np.exp(STRONGEST) - BLACK), 139]
    assert rgb[96, 130].tolist() == [180, 180, 180]
    assert rgb[10, 60].tolist() == [100, 100, 100]


def test_bands_do_not_show(monkeypatch):
    rgb, change = noise(300, 300), nothing()
    change[30:70, 30:70] = (1.3, -0.7, 0.2, -0.2, 0.1)
    to_frame = IN_FRAME * 0.6
    whole = changed(rgb, change, to_frame)
    monkeypatch.setattr("gioconda.rendering.warp.BAND_PIXELS", 1000)
    assert np.abs(changed(rgb, change, to_frame).astype(int) - whole).max() <= 1


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
        """The network changes something, and that in the face alone; gives back how much, (h, w)."""
        flow, warp, target = self.patches(motion)
        assert (warp.left, warp.top, warp.rgb.shape, warp.rgb.dtype) == (flow.left, flow.top, flow.rgb.shape, np.uint8)
        off = np.abs(warp.rgb.astype(int) - flow.rgb).max(axis=2)
        # A few cells around the face, which are enlarged.
        margin = 6 / warp_frame(self.view.points).matrix[0, 0]
        here = target - np.float32([flow.left, flow.top, 0])
        assert not off[~within(here, range(468), off.shape, margin)].any()
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
def test_warp_changes_the_face_alone(both, motion):
    both.check(motion)


def test_warp_leaves_the_mouth_where_only_the_eyes_move(both):
    off = both.check(movement(lids=(0, 0)))
    flow, _, target = both.patches(movement(lids=(0, 0)))
    assert not off[within(target - np.float32([flow.left, flow.top, 0]), MOUTH_OUTLINE, off.shape, 0)].any()


@FEW
@given(motions())
def test_warp_changes_the_face_alone_however_it_moves(both, motion):
    flow, warp, target = both.patches(motion)
    off = np.abs(warp.rgb.astype(int) - flow.rgb).max(axis=2)
    here = target - np.float32([flow.left, flow.top, 0])
    margin = 6 / warp_frame(both.view.points).matrix[0, 0]
    assert not off[~within(here, range(468), off.shape, margin)].any()


def test_warp_does_what_the_network_says(both, weights):
    flow, warp, target = both.patches(TURNED)
    frame = warp_frame(both.view.points)
    corner = np.array([[1, 0, flow.left], [0, 1, flow.top]], float)
    shape = drawn(frame.points(target), frame.points(both.view.points))
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {"clues": in_cells(frame.picture(flow.rgb, corner), shape.channels)[None]})
    change = said[0].transpose(1, 2, 0) * shape.gate[..., None]
    own = frame.points(both.view.points)
    face = frame.picture(both.view.rgb)[::2, ::2][drawn(own, own).channels[..., IS_FACE] > 0]
    lightest = np.percentile(face, LIGHTEST, axis=0)
    change[..., 2:] += change[..., 2:].mean(axis=2, keepdims=True) * (_tones(face) - 1)
    wanted = changed(flow.rgb, change, frame.matrix @ np.vstack([corner, (0, 0, 1)]), lightest)
    assert np.abs(warp.rgb.astype(int) - wanted).max() <= 1
    assert (warp.rgb != flow.rgb).mean() > 0.05


def test_a_network_that_says_more_than_it_may_is_kept_within(portrait, tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    seen = helper.make_tensor_value_info("clues", kinds.FLOAT, [1, CHANNELS, CELLS, CELLS])
    said = helper.make_tensor_value_info("change", kinds.FLOAT, [1, CHANGES, CELLS, CELLS])
    much = onnx.numpy_helper.from_array(np.full((1, CHANGES, CELLS, CELLS), 1e30, np.float32))
    graph = helper.make_graph([helper.make_node("Constant", [], ["change"], value=much)], "loud", [seen], [said])
    path = tmp_path / "warp.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    most = WarpNetwork.load(path)(np.zeros((CHANNELS, CELLS, CELLS), np.float32)).max(axis=(0, 1))
    assert most.tolist() == pytest.approx([*[FARTHEST] * 2, *[STRONGEST] * 3])
    Both(portrait.views[0], path).check(TURNED)


@pytest.mark.parametrize(("shape", "words"), [([7], "the network fails"), ([-1], "says something else")])
def test_a_network_that_does_not_fit_when_it_is_run(portrait, tmp_path, shape, words):
    """Its inputs and outputs are right; what is between is not."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    seen = helper.make_tensor_value_info("clues", kinds.FLOAT, [1, CHANNELS, CELLS, CELLS])
    said = helper.make_tensor_value_info("change", kinds.FLOAT, None)
    other = helper.make_tensor("other", kinds.INT64, [1], shape)
    reshape = helper.make_node("Reshape", ["clues", "other"], ["change"])
    graph = helper.make_graph([reshape], "odd", [seen], [said], [other])
    path = tmp_path / "warp.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    # The runtime sees at once that so many numbers are not 7.
    view = portrait.views[0]
    target = retarget(Sitter.of(view.points, *view.rgb.shape[1::-1]), movement(offsets=jaw(0.3)), Gains())
    with pytest.raises(UsageError, match=words if shape == [-1] else f"{words}|not a network"):
        make_renderer("warp", portrait.views, path)(target)


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


def test_a_grey_picture_stays_grey(portrait):
    view = portrait.views[0]
    grey = np.repeat(view.rgb.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    both = Both(View(grey, view.points), OWN_NETWORK)
    flow, warp, _ = both.patches(TURNED)
    here = (flow.rgb == flow.rgb[..., :1]).all(axis=2)  # but for the tongue and gums of the open mouth
    assert np.ptp(warp.rgb[here].astype(int), axis=1).max() <= 1
    assert (warp.rgb != flow.rgb).mean() > 0.05


@pytest.mark.parametrize("falls", [(1.0, 1.0, 1.0), (0.7, 1.0, 1.3), (1.2, 1.0, 0.8)])
def test_shade_has_the_colours_that_it_has_in_the_picture(falls):
    light = np.linspace(3.5, 5.3, 4000)[:, None]
    pixels = np.clip(np.rint(np.exp(5.3 + (light - 5.3) * falls) - BLACK), 0, 255).astype(np.uint8)
    assert _tones(pixels) == pytest.approx(np.array(falls), abs=0.02)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 3), np.uint8),
        np.full((50, 3), 80, np.uint8),
        np.uint8([[80, 80, 80]] * 50 + [[200, 20, 20], [0, 0, 90]]),
    ],
)
def test_a_face_of_one_colour_has_no_coloured_shade(pixels):
    assert (_tones(pixels) == 1).all()


def test_the_shade_on_light_skin_is_warm_where_the_picture_is(portrait):
    view = portrait.views[0]
    # The darker, the redder: less blue in the shade.
    levels = view.rgb.mean(axis=2, keepdims=True) / 255
    warm = np.rint(255 * levels ** (0.7, 1.0, 1.3)).astype(np.uint8)
    darker, redder = [], []
    for angle in (-20, 20):
        flow, warp, _ = Both(View(warm, view.points), OWN_NETWORK).patches(movement(angles=(angle, 0, 0)))
        before, after = (rgb.astype(float) + BLACK for rgb in (flow.rgb, warp.rgb))
        change = np.log(after / before)
        shaded = (change.mean(axis=2) < -0.1) & (flow.rgb.min(axis=2) > 60)
        darker.append(shaded.sum())
        redder.append((change[..., 0] - change[..., 2])[shaded].mean())
    assert min(darker) > 20
    assert min(redder) > 0.05


def test_each_of_several_views_is_drawn_by_warp(shut, toothy, opened, weights):
    """Where the mouth comes from another view, that view's rendering has been through the network too."""
    flow, warp = (
        make_renderer(name, [shut, toothy], file)(opened) for name, file in (("flow", None), ("warp", weights))
    )
    alone = make_renderer("warp", [shut], weights)(opened)
    lips = within(opened - np.float32([flow.left, flow.top, 0]), [0, 17, 61, 291], flow.rgb.shape, 0)
    assert (warp.rgb != flow.rgb)[lips].mean() > 0.05
    assert (warp.rgb != alone.rgb)[lips].mean() > 0.05


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (2, 2), (3, 900), (256, 256)])
@pytest.mark.parametrize("aside", [0, 500, -500])
def test_the_frame_shows_whatever_picture_there_is(height, width, aside):
    """Of one colour, however small, and wherever the frame lies."""
    rgb = np.full((height, width, 3), (10, 120, 230), np.uint8)
    frame = warp_frame(face_in(120) + np.float32([aside, 0, 0]))
    assert (frame.picture(rgb) == (10, 120, 230)).all()


# The package's own network


def test_the_card_of_the_packages_own_network():
    card = json.loads(OWN_NETWORK.with_suffix(".json").read_text())
    assert card["sha256"] == sha256_of(OWN_NETWORK)
    assert card["steps"] > 1000
    assert len(card["trained_on"]["people"]) > 100
    assert len(card["trained_on"]["shots"]) > len(card["trained_on"]["people"])
    assert "no release" in card["licence"]
    assert OWN_NETWORK.stat().st_size < 2_000_000


def test_the_packages_own_network_is_the_default(portrait):
    view = portrait.views[0]
    target = placed(TURNED, Sitter.of(view.points, *view.rgb.shape[1::-1]))
    own, given, flow = (
        make_renderer(name, (view,), file)(target).rgb
        for name, file in (("warp", None), ("warp", OWN_NETWORK), ("flow", None))
    )
    assert (own == given).all()
    assert (own != flow).mean() > 0.05


def test_the_packages_own_network_keeps_to_the_picture(portrait):
    """It shades and nudges; it does not make another face."""
    view = portrait.views[0]
    both = Both(view, OWN_NETWORK)
    for motion in (SPEAKING, TURNED):
        off = both.check(motion)
        assert off[off > 0].mean() < 25


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


def test_weights_that_are_none(portrait, tmp_path):
    views = portrait.views
    with pytest.raises(UsageError, match="no network"):
        make_renderer("flow", views, tmp_path / "warp.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    for name in ("missing.onnx", "broken.onnx"):
        with pytest.raises(UsageError, match=name):
            make_renderer("warp", views, tmp_path / name)


@pytest.mark.parametrize("side", [-1, 1])
def test_the_far_corner_of_a_mouth_lies_behind_the_lips(side):
    """Turned by far, an open mouth ends where its lips meet as they are seen; before, it is as wide as it is."""
    shape = face_model().shape.astype(np.float64)
    shape[list(LIPS_INNER_LOWER[1:-1]), 1] += 0.2
    corners = [LIPS_INNER_LOWER[0], LIPS_INNER_LOWER[-1]]
    for turn, hidden in ((0, 0), (30, 0), (60, 1)):
        points = shape @ rotation(side * turn, 0, 0).T
        outline = seen_outline(points)
        gone = [corner for corner in corners if not (outline == points[corner, :2]).all(axis=1).any()]
        assert len(gone) == hidden
        assert all(points[corner, 2] == points[corners, 2].max() for corner in gone)
        assert cv2.contourArea(outline.astype(np.float32)) > 0.9 * cv2.contourArea(
            points[list(MOUTH_OUTLINE), :2].astype(np.float32)
        )
