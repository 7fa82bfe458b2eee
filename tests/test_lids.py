import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gioconda import Portrait
from gioconda.face import EYES, eye_distance, face_model
from gioconda.geometry import rotation
from gioconda.lids import FARTHEST, fit_lids
from gioconda.tracking import default_tracker

SIDE = 400
SKIN, WHITE, DARK = (205, 160, 130), (235, 230, 225), (60, 40, 30)


def face(size=110.0, yaw=0.0, roll=0.0):
    """Landmarks, (478, 3), of the mean face in a square picture."""
    return (face_model().shape @ rotation(yaw, 0, roll).T * size + (SIDE / 2, SIDE / 2, 0)).astype(np.float32)


def width_of(points, eye):
    return float(np.linalg.norm(np.subtract(*points[list(eye.corners), :2])))


def drawn(points, below=0.0, out=0.0):
    """A picture of skin with eyes whose lower lids hang lower and whose outer corners lie further out than the
    landmarks say, in widths of the eye; and those eyes' outlines."""
    rgb = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    outlines = []
    for side, eye in enumerate(EYES):
        lids, width = points[[*eye.upper, *eye.lower], :2].astype(np.float64), width_of(points, eye)
        share = (lids[:, 0] - lids[0, 0]) / (lids[8, 0] - lids[0, 0])
        lids[9:, 1] += below * width * 4 * (share * (1 - share))[9:]
        lids[:, 0] += (share - 1 if side == 0 else share) * out * width
        outline = np.concatenate([lids[:9], lids[16:9:-1]])
        outlines.append(outline)
        shape = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(shape, [np.rint(outline * 8).astype(np.int32)], 1, shift=3)
        iris = np.zeros_like(shape)
        cv2.circle(iris, tuple(np.rint(points[eye.iris[0], :2]).astype(int).tolist()), round(0.2 * width), 1, -1)
        rgb[shape > 0] = WHITE
        rgb[(shape > 0) & (iris > 0)] = DARK
    noise = np.random.default_rng(0).normal(0, 4, rgb.shape)
    return np.clip(cv2.GaussianBlur(rgb, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8), outlines


def overlap(outline, points, eye):
    """Of two outlines of an eye, the shared area over that of both."""
    masks = []
    for polygon in (outline, points[list(eye.outline), :2]):
        mask = np.zeros((8 * SIDE, 8 * SIDE), np.uint8)
        cv2.fillPoly(mask, [np.rint(polygon * 8).astype(np.int32)], 1)
        masks.append(mask > 0)
    return (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()


@pytest.mark.parametrize(("below", "out"), [(0.08, 0.0), (-0.06, 0.0), (0.0, 0.08), (0.06, 0.06)])
@pytest.mark.parametrize("size", [80.0, 130.0])
def test_lids_go_where_the_picture_shows_them(size, below, out):
    points = face(size)
    rgb, outlines = drawn(points, below, out)
    fitted = fit_lids(rgb, points)
    for outline, eye in zip(outlines, EYES, strict=True):
        before, after = overlap(outline, points, eye), overlap(outline, fitted, eye)
        assert after > max(before + 0.02, 0.85)


def test_lids_that_are_right_stay():
    points = face()
    fitted = fit_lids(drawn(points)[0], points)
    assert np.abs(fitted - points).max() < 0.03 * width_of(points, EYES[0])


def test_a_photographs_lids_hardly_move(portrait):
    view = portrait.views[0]
    fitted = fit_lids(view.rgb, view.points)
    assert np.linalg.norm(fitted - view.points, axis=1).max() < 0.04 * eye_distance(view.points)


def test_lids_of_a_few_pixels_stay():
    points = face(40)
    rgb, _ = drawn(points, 0.08)
    assert np.array_equal(fit_lids(rgb, points), points)


def test_a_picture_of_nothing_moves_nothing():
    points = face()
    assert np.array_equal(fit_lids(np.full((SIDE, SIDE, 3), 120, np.uint8), points), points)


def test_portraits_have_fitted_lids(tmp_path, portrait):
    view = portrait.views[0]
    cv2.imwrite(str(tmp_path / "a.png"), view.rgb[..., ::-1])
    (found,) = default_tracker().find(view.rgb).faces[:1]
    (own,) = Portrait.from_pictures([tmp_path / "a.png"]).views
    assert np.array_equal(own.points, fit_lids(view.rgb, found.points))


@settings(max_examples=40, deadline=None)
@given(
    yaw=st.floats(-60, 60),
    roll=st.floats(-180, 180),
    size=st.floats(0.01, 300),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    seed=st.integers(0, 99),
)
def test_only_skin_around_the_eyes_moves_and_not_far(yaw, roll, size, shift, seed):
    points = face(size, yaw, roll) + np.array([*shift, 0], np.float32)
    rgb = cv2.resize(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8), (SIDE, SIDE))
    fitted = fit_lids(rgb, points)
    assert fitted.dtype == points.dtype
    assert np.array_equal(fitted, fit_lids(rgb, points))
    moved = np.linalg.norm(fitted - points, axis=1)
    # A corner goes that far both ways, and the lower lid once more.
    assert moved.max() <= 2.3 * FARTHEST * max(width_of(points, eye) for eye in EYES) + 1e-3
    irises = [number for eye in EYES for number in eye.iris]
    assert not moved[irises].any()
    assert np.array_equal(fitted[:, 2], points[:, 2])
