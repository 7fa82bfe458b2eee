from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from gioconda import Gains, Motion, Portrait, View, animate
from gioconda.errors import UsageError
from gioconda.face import EYES, LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER, MOUTH_OUTLINE, face_model
from gioconda.geometry import rotation
from gioconda.rendering import FlowRenderer, Patch, composite, make_renderer
from gioconda.rendering.field import Field
from gioconda.rendering.head import Head
from gioconda.rendering.mouth_plate import MouthPlate, _palette
from gioconda.rendering.pixels import Pixels
from gioconda.rendering.rim import Rim
from gioconda.retarget import Sitter, retarget
from gioconda.tracking import default_tracker
from makers import jaw, luma, motions, movement, noise, still

FEW = settings(max_examples=12)
FULL_TURN = movement(angles=(35, 20, 25), shift=(0.4, -0.3, 0.1), offsets=jaw(0.3))


class Studio:
    """One picture and its renderer."""

    def __init__(self, view):
        self.view = view
        height, width = view.rgb.shape[:2]
        self.sitter = Sitter.of(view.points, width, height)
        self.render = make_renderer("flow", (view,))

    def target(self, motion):
        return retarget(self.sitter, motion, Gains())

    def patch(self, motion):
        return self.render(self.target(motion))

    def shown(self, motion):
        return composite(self.view, self.patch(motion))[0]


@pytest.fixture(scope="module")
def studio(portrait):
    return Studio(portrait.views[0])


@pytest.fixture(scope="module")
def large(portrait):
    return Studio(portrait.views[0].resized(512))


def test_the_edge_of_a_turned_nose_has_no_steps(portrait, monkeypatch):
    studio = Studio(portrait.views[0].resized(900))
    turned, still = (studio.render._field(studio.target(movement(angles=(yaw, 0, 0)))) for yaw in (33, 0))
    assert not still.edges.any()
    assert 0 < (turned.edges > 0).mean() < 0.02
    assert turned.step > 1
    edges = turned.edges > 0.9

    def rough():
        grey = cv2.cvtColor(studio.patch(movement(angles=(33, 0, 0))).rgb, cv2.COLOR_RGB2GRAY)
        return np.abs(cv2.Laplacian(grey, cv2.CV_32F))[edges].mean()

    smooth = rough()
    monkeypatch.setattr("gioconda.rendering.flow._soften", lambda *_: None)
    assert smooth < 0.5 * rough()


@pytest.fixture(scope="module")
def wide(portrait):
    """The same picture inside a larger one."""
    view, side = portrait.views[0].resized(160), 600
    rgb = next(noise(1, side, side))
    height, width = view.rgb.shape[:2]
    x, y = (side - width) // 2 + 40, (side - height) // 2 - 30
    rgb[y : y + height, x : x + width] = view.rgb
    return Studio(View(rgb, view.points + np.array([x, y, 0], np.float32)))


def frame_of(rgb):
    return np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])


def inside(outline, points, shape):
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(points[list(outline), :2]).astype(np.int32)], 1)
    return mask > 0


def disc(eye, points, shape, share=0.6):
    """Where the iris is."""
    iris = points[list(eye.iris), :2]
    radius = share * np.linalg.norm(iris[1:] - iris[0], axis=1).mean()
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(x - iris[0, 0], y - iris[0, 1]) <= radius


# Nothing moves


def test_no_movement_is_the_picture(studio):
    off = np.abs(studio.shown(Motion.neutral()).astype(int) - studio.view.rgb)
    assert off.mean() <= 0.1
    assert off.max() <= 8


@pytest.mark.parametrize("side", [64, 133, 640])
def test_no_movement_is_the_picture_at_any_size(portrait, side):
    small = Studio(portrait.views[0].resized(side))
    assert np.abs(small.shown(Motion.neutral()).astype(int) - small.view.rgb).mean() <= 0.2


def test_jaw_opened_and_closed_again_is_the_picture(studio):
    pictures = [studio.shown(movement(offsets=jaw(opening))).astype(int) for opening in (0, 0.15, 0.3, 0.15, 0)]
    moved = [np.abs(p - studio.view.rgb).mean() for p in pictures]
    assert moved[2] > moved[1] > 1
    assert moved[4] <= 0.1
    assert (pictures[1] == pictures[3]).all()


def test_a_little_movement_is_a_little_change(studio):
    before = studio.view.rgb.astype(int)
    changes = [np.abs(studio.shown(movement(angles=(yaw, 0, 0))) - before).mean() for yaw in (0.1, 1, 10)]
    assert changes[0] < 1
    assert changes[0] < changes[1] < changes[2]


# The surroundings


@FEW
@given(motions())
def test_the_edge_of_the_picture_never_moves(studio, motion):
    assert (frame_of(studio.shown(motion)) == frame_of(studio.view.rgb)).all()


@FEW
@given(motions())
def test_the_edge_of_the_region_never_moves(wide, motion):
    view = wide.view
    patch = wide.patch(motion)
    height, width = patch.rgb.shape[:2]
    assert height < 600
    assert width < 600
    own = view.rgb[patch.top : patch.top + height, patch.left : patch.left + width]
    assert (frame_of(patch.rgb) == frame_of(own)).all()
    outside = np.ones(view.rgb.shape[:2], bool)
    outside[patch.top : patch.top + height, patch.left : patch.left + width] = False
    assert (wide.shown(motion)[outside] == view.rgb[outside]).all()


@FEW
@given(motions())
def test_the_field_is_nought_at_the_border_and_finite(studio, motion):
    points = studio.view.points
    field = Field(points, Head(points), 256, 256)(studio.target(motion)).back
    assert field.shape == (256, 256, 2)
    assert np.isfinite(field).all()
    assert np.abs(frame_of(field)).max() < 1e-3


def test_the_background_does_not_swim_when_only_the_face_moves(studio):
    motion = movement(lids=(0, 0), gaze=(0.2, 0))
    off = np.abs(studio.shown(motion).astype(int) - studio.view.rgb)
    about = studio.view.points[:468, :2]
    low, high = about.min(axis=0).astype(int), np.ceil(about.max(axis=0)).astype(int)
    off[low[1] : high[1], low[0] : high[0]] = 0
    assert off.max() <= 2


def test_the_hair_goes_with_the_head(studio):
    # Between forehead and the top of the picture: it moves to the right when the head tilts to the right.
    points = studio.view.points
    field = Field(points, Head(points), 256, 256)(studio.target(movement(angles=(0, 0, 12)))).back
    top = points[10, :2].astype(int)
    assert field[top[1] - 8, top[0], 0] < -3
    above = field[: top[1], top[0], 0]
    # No tear: what lies next to each other stays next to each other.
    assert np.abs(np.diff(above)).max() < 1


# Turned heads


@pytest.mark.parametrize("yaw", [-35, 35])
def test_skin_goes_on_without_a_leap_where_the_face_ends(large, yaw):
    """What lies above the forehead comes from above the forehead, wherever that has gone."""
    points = large.view.points
    target = large.target(movement(angles=(yaw, 0, 0)))
    back = Field(points, Head(points), 512, 512)(target).back
    for landmark in (10, 109, 338):
        x, y = target[landmark, :2].astype(int)
        line = back[y - 12 : y + 13, x, 0]
        assert np.abs(line[0] - line[-1]) < 8
        assert np.abs(np.diff(line)).max() < 1


def test_what_lies_beside_the_face_is_not_drawn_out_over_it(large, monkeypatch):
    """Green behind the head: the cheek that turns into view must not become green."""
    view = large.view
    outline = cv2.convexHull(view.points[:468, :2].astype(np.float32))
    face = np.zeros(view.rgb.shape[:2], np.uint8)
    cv2.fillConvexPoly(face, np.rint(outline).astype(np.int32), 1)
    narrow = cv2.erode(face, np.ones((7, 7), np.uint8))[..., None] > 0
    green = Studio(replace(view, rgb=np.where(narrow, view.rgb, np.uint8([0, 255, 0]))))

    def share(motion):
        """Of the face that is green."""
        target = green.target(motion)
        inside = np.zeros(view.rgb.shape[:2], np.uint8)
        hull = cv2.convexHull(target[:468, :2].astype(np.float32))
        cv2.fillConvexPoly(inside, np.rint(hull).astype(np.int32), 1)
        red, leaf, _ = cv2.split(green.shown(motion).astype(int))
        return ((leaf > red + 60) & (inside > 0)).sum() / inside.sum()

    turns = [movement(angles=(yaw, 0, 0)) for yaw in (-30, 30)]
    kept = [share(turn) for turn in turns]
    monkeypatch.setattr(Rim, "draw", lambda *given: None)
    drawn_out = [share(turn) for turn in turns]
    assert share(movement()) > 0.02
    assert (np.array(kept) < 0.6 * np.array(drawn_out)).all()


def test_a_cut_out_face_has_no_holes_where_it_turns_into_view(large):
    view = large.view
    outline = cv2.convexHull(view.points[:468, :2].astype(np.float32))
    face = np.zeros(view.rgb.shape[:2], np.uint8)
    cv2.fillConvexPoly(face, np.rint(outline).astype(np.int32), 255)
    cut_out = Studio(replace(view, alpha=cv2.erode(face, np.ones((7, 7), np.uint8))))

    def share(motion):
        """Of the face that is transparent."""
        target, patch = cut_out.target(motion), cut_out.patch(motion)
        inside = np.zeros(patch.alpha.shape, np.uint8)
        hull = cv2.convexHull((target[:468, :2] - (patch.left, patch.top)).astype(np.float32))
        cv2.fillConvexPoly(inside, np.rint(hull).astype(np.int32), 1)
        return (255 - patch.alpha.astype(float))[inside > 0].mean() / 255

    assert all(share(movement(angles=(yaw, 0, 0))) < share(movement()) for yaw in (-30, 30))


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [("flow.BAND_PIXELS", 10_000, 0.0), ("flow.FIELD_PIXELS", 256, 2.5), ("field.MESH_PIXELS", 96, 2.5)],
)
def test_large_pictures_are_moved_as_small_ones(large, monkeypatch, name, value, most):
    """By bands, and by a movement computed at less than their size: the limits that large ones reach, made small."""
    motion = movement(angles=(25, 5, 10), offsets=jaw(0.2))
    whole = large.shown(motion).astype(int)
    monkeypatch.setattr(f"gioconda.rendering.{name}", value)
    off = np.abs(Studio(large.view).shown(motion) - whole).mean()
    assert off <= most
    assert (off > 0) == (most > 0)


# Eyes and mouth


@pytest.mark.parametrize("eye", EYES)
def test_shut_eyes_hide_the_iris(large, eye):
    before, after = large.view.rgb, large.shown(movement(lids=(0, 0)))
    points = large.view.points
    upper_half = np.arange(512)[:, None] < points[eye.iris[0], 1]
    iris = disc(eye, points, before.shape, 0.8) & upper_half
    cheeks = np.rint(points[[50, 280], :2]).astype(int)
    skin = luma(before)[cheeks[:, 1], cheeks[:, 0]].mean()
    dark = [(luma(rgb) < 0.5 * skin) & iris for rgb in (before, after)]
    assert dark[0].sum() > 0.7 * iris.sum()
    # The line of the lashes lies lower.
    assert dark[1].sum() < 0.25 * dark[0].sum()


@pytest.mark.parametrize("eye", EYES)
def test_lashes_of_a_shut_eye_have_not_the_colour_of_the_iris(large, eye):
    view = large.view
    violet = view.rgb.copy()
    violet[disc(eye, view.points, violet.shape, 1.1) & inside(eye.outline, view.points, violet.shape)] = (70, 0, 140)
    shut = movement(lids=(0, 0))
    after, points = Studio(replace(view, rgb=violet)).shown(shut).astype(int), large.target(shut)
    lashes = inside(eye.upper + eye.lower[::-1], points, after.shape)
    bluer = (after[..., 2] - after[..., 0])[cv2.dilate(lashes.astype(np.uint8), np.ones((5, 5))) > 0]
    assert bluer.max() < 20


def test_one_eye_winks(studio):
    off = np.abs(studio.shown(movement(lids=(0, 1))).astype(int) - studio.view.rgb).max(axis=2)
    left, right = (off[disc(eye, studio.view.points, off.shape, 1.0)] for eye in EYES)
    assert left.mean() > 20
    assert right.max() <= 2


@pytest.mark.parametrize("eye", EYES)
def test_a_shut_lid_is_smooth_skin(large, eye):
    shut = movement(lids=(0, 0))
    after, points = large.shown(shut), large.view.points
    # Above the line of the lashes, where the eye was.
    lashes = np.interp(np.arange(512), *large.target(shut)[list(eye.upper), :2].T) - 4
    lid = luma(after)[disc(eye, points, after.shape, 0.8) & (np.arange(512)[:, None] < lashes)]
    assert lid.size > 30
    cheek = luma(after)[inside((118, 117, 123, 50, 101), points, after.shape)]
    assert lid.std() < 10
    assert 0.7 < lid.mean() / cheek.mean() < 1.15


@pytest.mark.parametrize("eye", EYES)
def test_a_widened_eye_shows_no_shadow_of_the_old_lid(large, eye):
    wide = movement(lids=(1.5, 1.5))
    after, before, points = large.shown(wide), large.target(Motion.neutral()), large.target(wide)
    painted = inside(eye.outline, before, after.shape)
    white = painted & ~disc(eye, before, after.shape, 1.3)
    new = inside(eye.outline, points, after.shape) & ~painted & ~disc(eye, points, after.shape, 1.3)
    assert np.median(luma(after)[new]) > 0.8 * np.median(luma(large.view.rgb)[white])


@pytest.mark.parametrize("opening", [0.2, 0.4])
def test_an_open_mouth_is_darker_than_the_lips(studio, opening):
    motion = movement(offsets=jaw(opening))
    after, points = studio.shown(motion), studio.target(motion)
    lips = np.rint(points[list(LIPS), :2]).astype(int)
    mouth = luma(after)[inside(MOUTH_OUTLINE, points, after.shape)]
    assert np.percentile(mouth, 15) < 0.5 * np.median(luma(after)[lips[:, 1], lips[:, 0]])


def test_a_grey_picture_stays_grey(portrait):
    """Teeth are ivory and the depth of a mouth is red, but not in a photograph without colours."""
    view = portrait.views[0]
    grey = Studio(replace(view, rgb=cv2.cvtColor(cv2.cvtColor(view.rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)))
    shown = grey.shown(movement(angles=(12, 0, 0), offsets=jaw(0.4), lids=(0.3, 1), gaze=(0.2, 0))).astype(int)
    assert np.ptp(shown, axis=2).max() <= 2


def test_teeth_are_under_the_picture_s_varnish(portrait):
    def teeth(rgb):
        render = FlowRenderer([replace(portrait.views[0], rgb=rgb)])
        white = np.mean([plate.white for plate in render._plates[:2]], axis=0)
        return _palette(rgb, portrait.views[0].points, np.zeros((0, 3)), white).teeth

    rgb = portrait.views[0].rgb
    plain, varnished = teeth(rgb), teeth((rgb * (1.0, 0.85, 0.4)).astype(np.uint8))
    # Of the blue that the varnish takes from green, most is missing from teeth too.
    lost = np.log(plain[2] / plain[1]) - np.log(varnished[2] / varnished[1])
    assert 0.6 < lost / np.log(0.85 / 0.4) <= 1
    assert plain[0] > plain[1] > plain[2] > 0.7 * plain[1]


def test_canvas_goes_on_over_teeth(studio):
    rgb, points = studio.view.rgb, studio.view.points
    target = studio.target(movement(offsets=jaw(0.8))).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 8, rgb.shape[:2])[..., None]

    def mouth(skin):
        drawn = np.zeros_like(rgb)
        rim = Rim(np.clip(skin, 0, 255).astype(np.uint8), points)
        plate = MouthPlate(rgb, points, (), np.array([200.0, 195.0, 190.0]), rim)
        plate.draw(drawn, target, Head(points).pose(target))
        return luma(drawn)

    plain, rough = (mouth(rgb + level * noise) for level in (0, 1))
    inner = cv2.erode(inside(MOUTH_OUTLINE, target, rgb.shape).astype(np.uint8), np.ones((5, 5))) > 0
    teeth = inner & (plain >= np.percentile(plain[inner], 75))
    assert (rough - plain)[teeth].std() > 0.5


@pytest.mark.parametrize("quarters", [0, 1, 2])
@pytest.mark.parametrize("shift", [(0, -4), (0, 4), (5, 0)])
def test_no_skin_shows_between_lips_that_move_as_one(studio, quarters, shift):
    points = studio.view.points
    # A mouth that is black, in a face that is green, in a picture turned by some right angles.
    mouth = cv2.dilate(inside(MOUTH_OUTLINE, points, studio.view.rgb.shape).astype(np.uint8), np.ones((5, 5))) > 0
    rgb = np.where(mouth[..., None], 0, (0, 200, 0)).astype(np.uint8)
    moved = points.copy()
    moved[sorted(set(MOUTH_OUTLINE)), :2] += shift
    for _ in range(quarters):
        rgb = np.ascontiguousarray(np.rot90(rgb))
        points, moved = (
            np.column_stack([each[:, 1], rgb.shape[0] - 1 - each[:, 0], each[:, 2]]) for each in (points, moved)
        )
    drawn = np.zeros_like(rgb)
    plate = MouthPlate(rgb, points, (), np.array([200.0, 195.0, 190.0]), Rim(rgb, points))
    plate.draw(drawn, moved, Head(points).pose(points))
    shown = inside(MOUTH_OUTLINE, moved, rgb.shape)
    assert (drawn[shown].max(axis=1) > 60).mean() < 0.02


@pytest.mark.parametrize("opening", [0.3, 0.5])
def test_a_tongue_is_no_brighter_than_the_lips(studio, opening):
    motion = movement(offsets=jaw(opening))
    after, points = studio.shown(motion), studio.target(motion)
    lower = points[list(LIPS_INNER_LOWER[4:7]), :2].mean(axis=0)
    upper = points[list(LIPS_INNER_UPPER[4:7]), :2].mean(axis=0)
    x, y = np.rint(lower + 0.35 * (upper - lower)).astype(int)
    lips = np.rint(points[list(LIPS), :2]).astype(int)
    assert luma(after)[y - 2 : y + 3, x - 6 : x + 7].mean() < 1.05 * np.median(luma(after)[lips[:, 1], lips[:, 0]])


def test_what_the_picture_shows_of_the_teeth_stays(studio):
    # The sitter smiles: her own teeth must not be painted over when the mouth opens.
    motion = movement(offsets=jaw(0.2))
    teeth = inside(MOUTH_OUTLINE, studio.view.points, studio.view.rgb.shape)
    before, after = (luma(rgb)[teeth] for rgb in (studio.view.rgb, studio.shown(motion)))
    assert np.percentile(after, 90) > 0.75 * np.percentile(before, 90)


@pytest.mark.parametrize("gaze", [(0.2, 0), (-0.2, 0)])
@pytest.mark.parametrize("eye", EYES)
def test_irises_go_where_the_driver_looks(studio, gaze, eye):
    def centre(rgb):
        where = inside(eye.outline, studio.view.points, rgb.shape)
        dark = np.where(where, np.maximum(130 - luma(rgb), 0), 0)
        return np.array([(dark.sum(axis=0) @ np.arange(256)), (dark.sum(axis=1) @ np.arange(256))]) / dark.sum()

    moved = centre(studio.shown(movement(gaze=gaze))) - centre(studio.view.rgb)
    assert moved[0] * gaze[0] > 0
    assert abs(moved[0]) > 0.5


@pytest.mark.parametrize("angles", [(15, 0, 0), (-15, 0, 0), (0, 12, 0), (0, -12, 0), (0, 0, 15), (0, 0, -15)])
def test_the_tracker_sees_the_head_turned(studio, angles):
    shown = studio.shown(movement(angles=angles))
    face = default_tracker().find_in(shown, studio.view.box).faces[0]
    turned = Sitter.of(face.points, 256, 256).angles - studio.sitter.angles
    axis = int(np.argmax(np.abs(angles)))
    assert 0.4 < turned[axis] / angles[axis] < 1.5


# Unusual pictures


def test_transparency_is_kept_and_moves_along(portrait):
    view = portrait.views[0]
    alpha = np.full(view.rgb.shape[:2], 255, np.uint8)
    alpha[:, :100] = 40
    see_through = View(view.rgb, view.points, alpha)
    at_rest, turned = (
        composite(see_through, make_renderer("flow", (see_through,))(Studio(view).target(motion)))[1]
        for motion in (Motion.neutral(), movement(angles=(0, 0, 15)))
    )
    assert (at_rest == alpha).all()
    assert turned.dtype == np.uint8
    assert (frame_of(turned) == frame_of(alpha)).all()
    assert (turned != alpha).any()
    assert (turned.min(), turned.max()) == (40, 255)
    frames = list(animate(Portrait((see_through,)), still(1)))
    assert frames[0].alpha is not None


def test_an_opaque_picture_has_no_alpha(studio):
    assert studio.patch(FULL_TURN).alpha is None
    assert composite(studio.view, studio.patch(FULL_TURN))[1] is None


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
@pytest.mark.parametrize("beyond", [-4, 20])
def test_a_face_at_the_edge_of_the_picture(portrait, side, beyond):
    """Cut off by the edge, or only just inside."""
    view = portrait.views[0]
    x, y, width, height = vars(view.box).values()
    left = int(x) + beyond if side == "left" else 0
    top = int(y) + beyond if side == "top" else 0
    right = int(x + width) - beyond if side == "right" else 256
    bottom = int(y + height) - beyond if side == "bottom" else 256
    cut = View(
        np.ascontiguousarray(view.rgb[top:bottom, left:right]),
        view.points - np.array([left, top, 0], np.float32),
    )
    studio = Studio(cut)
    assert np.abs(studio.shown(Motion.neutral()).astype(int) - cut.rgb).mean() <= 0.2
    turned = studio.shown(FULL_TURN)
    assert turned.shape == cut.rgb.shape
    assert np.abs(turned.astype(int) - cut.rgb).mean() > 2


@pytest.mark.parametrize("motion", [FULL_TURN, movement(lids=(0, 0)), movement(offsets=jaw(0.4))])
def test_a_tiny_picture(portrait, motion):
    tiny = Studio(portrait.views[0].resized(24))
    assert tiny.shown(motion).shape == (24, 24, 3)


def test_pictures_with_more_than_one_view(portrait):
    view = portrait.views[0]
    one, two = (make_renderer("flow", views) for views in ((view,), (view, view.resized(100))))
    target = Studio(view).target(FULL_TURN)
    assert one(target).rgb.shape == two(target).rgb.shape


def test_a_renderer_nobody_made(portrait):
    with pytest.raises(UsageError, match=r"'oil'.*flow"):
        make_renderer("oil", portrait.views)


# Composite


def test_a_mask_mixes_patch_and_canvas(portrait):
    view = portrait.views[0]
    before = view.rgb.copy()
    mask = np.tile(np.linspace(0, 1, 50, dtype=np.float32), (40, 1))
    patch = Patch(30, 20, np.full((40, 50, 3), 200, np.uint8), mask)
    rgb, alpha = composite(view, patch)
    part = rgb[20:60, 30:80].astype(float)
    expected = before[20:60, 30:80] * (1 - mask[..., None]) + 200 * mask[..., None]
    assert np.abs(part - expected).max() <= 0.51
    assert (part[:, 0] == before[20:60, 30]).all()
    assert (part[:, -1] == 200).all()
    rgb[20:60, 30:80] = before[20:60, 30:80]
    assert (rgb == before).all()
    assert (view.rgb == before).all()
    assert alpha is None


def test_without_a_mask_the_patch_replaces_the_canvas(portrait):
    rgb, _ = composite(portrait.views[0], Patch(0, 0, np.zeros((9, 9, 3), np.uint8)))
    assert not rgb[:9, :9].any()
    assert (rgb[9:] == portrait.views[0].rgb[9:]).all()


@pytest.mark.parametrize(("shaded_by", "lent"), [(0.9, True), (0.72, False), (0.5, False)])
def test_a_far_cheek_that_turns_to_the_camera_is_lent_the_near_one(shaded_by, lent):
    """Of a face that is freckled and in shade but for the far cheek: turned, that has freckles, and its own light.

    In deep shade the near cheek is not believed to be like it, nor where the shade is lighter but all over it.
    """
    points = (face_model().shape @ rotation(-32, 0, 0).T * 150 + (250, 260, 0)).astype(np.float32)
    far, near = 50, 280
    rgb = np.full((520, 500, 3), (200, 160, 140), np.uint8)
    shaded = np.s_[:, round(float(points[far, 0])) + 30 :]
    rgb[shaded] = (shaded_by * rgb * (1 - 0.25 * (next(noise(1, 520, 500))[..., :1] > 200)))[shaded]
    three_quarters = Studio(View(rgb, points))
    assert three_quarters.sitter.angles[0] == pytest.approx(-32, abs=1)

    def cheek(landmark, motion):
        x, y = np.rint(three_quarters.target(motion)[landmark, :2]).astype(int)
        part = luma(three_quarters.shown(motion))[y - 8 : y + 9, x - 8 : x + 9]
        return part.std(), part.mean()

    (plain, light), (freckled, shade) = cheek(far, movement()), cheek(near, movement())
    assert plain < 1
    assert freckled > 4
    assert shade < 1.1 * shaded_by * light
    turned, still_light = cheek(far, movement(angles=(30, 0, 0)))
    assert (turned > 0.7 * freckled) == lent  # what turns into view has some of its grain in any case
    assert still_light == pytest.approx(light, rel=0.1)


def test_the_grain_of_a_cheek_that_turns_into_view_is_not_drawn_out():
    """Fine freckles everywhere: turned away by far, the cheek has them as fine across as down."""
    points = (face_model().shape * 150 + (250, 260, 0)).astype(np.float32)
    freckles = 1 - 0.25 * (cv2.GaussianBlur(next(noise(1, 520, 500))[..., 0].astype(np.float32), (0, 0), 1.2) > 140)
    freckled = Studio(View(((200, 160, 140) * freckles[..., None]).astype(np.uint8), points))

    def across_and_down(motion):
        x, y = np.rint(freckled.target(motion)[[227, 137, 177], :2].mean(axis=0)).astype(int)
        cheek = luma(freckled.shown(motion))[y - 25 : y + 26, x - 8 : x + 9].astype(float)
        return (np.abs(np.diff(cheek, axis=axis)).mean() for axis in (1, 0))

    across, down = across_and_down(movement(angles=(34, 0, 0)))
    assert down > 2
    assert across > 0.7 * down


def test_pixels_are_exact_and_between_them_nearly_as_by_cubic_curves():
    rng = np.random.default_rng(3)
    rgb = cv2.GaussianBlur(rng.integers(0, 255, (80, 90, 3), np.uint8), (0, 0), 1)
    places = np.dstack(np.meshgrid(np.arange(90.0), np.arange(80.0))).astype(np.float32)
    np.testing.assert_array_equal(Pixels(rgb).at(places), rgb)
    moved = places + np.float32(0.3)
    cubic = cv2.remap(rgb, moved, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    linear = cv2.remap(rgb, moved, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = np.s_[5:-5, 5:-5]

    def off(other):
        return np.abs(cubic[inside].astype(float) - other[inside]).mean()

    assert off(Pixels(rgb).at(moved)) < off(linear) / 2


def test_large_pictures_are_not_enlarged_for_it():
    rgb = np.random.default_rng(0).integers(0, 255, (2500, 2100, 3), np.uint8)
    places = np.array([[[700.5, 1200.25]]], np.float32)
    cubic = cv2.remap(rgb, places, None, cv2.INTER_CUBIC)
    np.testing.assert_array_equal(Pixels(rgb).at(places), cubic)
