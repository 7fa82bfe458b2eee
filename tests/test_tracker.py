"""The tracker of two small networks: crops, the detector's decoding, finding and following."""

import hashlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gioconda
from gioconda.errors import MissingExtraError, UsageError
from gioconda.face import EYES, LANDMARKS, eye_distance, face_model
from gioconda.geometry import rotation
from gioconda.tracking import Box, Face, default_tracker, tracker_named
from gioconda.tracking.crops import CROP, Crop, five_points, five_squares, squares
from gioconda.tracking.detector import Detection, distinct, peaks
from gioconda.tracking.distilled import BOX_LEANS, NETWORKS, DistilledTracker
from gioconda.tracking.landmarker import EXPRESSIONS, IRIS_SHARE, Reading, with_whole_gaze

crops = st.builds(
    Crop,
    st.floats(-500, 5000),
    st.floats(-500, 5000),
    st.floats(8, 4000),
    st.floats(-np.pi, np.pi),
)


def posed(yaw=0.0, pitch=0.0, roll=0.0, size=60.0, x=100.0, y=90.0):
    """The canonical face, turned and then rolled in the picture, with eyes `size` pixels apart."""
    turned = rotation(0, 0, roll) @ rotation(yaw, pitch, 0)
    return face_model().shape @ turned.T * size + (x, y, 0)


def picture_of_places(size=256):
    """A picture in which each pixel says where it is: red across, green down."""
    ramp = np.arange(size, dtype=np.uint8)
    return np.dstack([np.tile(ramp, (size, 1)), np.tile(ramp[:, None], (1, size)), np.zeros((size, size), np.uint8)])


# Crops


@given(crops, st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.8, 1.2), st.floats(-1, 1))
def test_a_crop_beside_another(crop, across, down, side, lean):
    other = crop.beside(across, down, side, lean)
    assert (other.x - crop.x, other.y - crop.y) == pytest.approx((across * crop.side, down * crop.side), abs=1e-6)
    assert (other.side, other.lean) == pytest.approx((side * crop.side, crop.lean + lean))


@given(crops)
def test_to_picture_and_back(crop):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    assert np.allclose(crop.to_crop(crop.to_picture(points)), points, atol=1e-7)


@given(crops)
def test_the_matrix_says_the_same(crop):
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (20, 3))
    matrix = crop.matrix()
    pixels = crop.to_picture(points)[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    # The middle of the first pixel is half a pixel from the crop's edge.
    assert np.allclose(pixels, (points[:, :2] + 0.5) * CROP - 0.5, atol=1e-6)


@pytest.mark.parametrize("crop", [Crop(128, 120, 100, 0.0), Crop(120, 128, 90, 0.5), Crop(127.5, 127.5, 60, -1.2)])
def test_a_crop_shows_what_lies_there(crop):
    cut = crop.cut(picture_of_places()).astype(float)
    for row, column in ((10, 20), (96, 96), (150, 30), (180, 181)):
        at = crop.to_picture(np.array([[(column + 0.5) / CROP - 0.5, (row + 0.5) / CROP - 0.5]]))[0]
        assert cut[row, column, :2] == pytest.approx(at, abs=1)


def test_a_crop_of_a_large_face_is_averaged_and_in_place():
    rgb = np.zeros((2000, 2000, 3), np.uint8)
    rgb[::2] = 200
    rgb[:, 1000:] //= 2
    cut = Crop(1000, 1000, 1600, 0.0).cut(rgb)
    # Lines of 0 and 200 that a warp alone would let through.
    assert cut[20:-20, 20:80].std() < 12
    assert cut[20:-20, 20:90].mean() == pytest.approx(100, abs=4)
    assert cut[20:-20, 102:180].mean() == pytest.approx(50, abs=4)


@given(st.floats(-40, 40), st.floats(-25, 25), st.floats(-60, 60), st.floats(5, 500))
def test_the_crop_follows_the_face(yaw, pitch, roll, size):
    crop = Crop.around(posed(yaw, pitch, roll, size))
    upright = Crop.around(posed(yaw, pitch, 0, size))
    assert crop.lean - upright.lean == pytest.approx(np.radians(roll), abs=1e-5)
    assert crop.side == pytest.approx(upright.side, rel=1e-5)
    placed = crop.to_crop(posed(yaw, pitch, roll, size))[:, :2]
    assert np.abs(placed).max() < 0.5
    assert np.abs(placed).max() > 0.3


@pytest.mark.parametrize("yaw", [-45, -20, 0, 20, 45])
def test_five_points_give_nearly_the_crop_of_all(yaw):
    points = posed(yaw, 5, 20)
    whole, five = Crop.around(points), Crop.around_five(five_points(points))
    assert five.side == pytest.approx(whole.side, rel=0.1)
    assert np.hypot(five.x - whole.x, five.y - whole.y) < 0.06 * whole.side
    assert five.lean == pytest.approx(whole.lean, abs=0.12)


def test_many_crops_are_each_of_one():
    faces = np.stack([posed(roll=10), posed(yaw=20, size=90, x=10)])
    assert np.allclose(squares(faces)[1], tuple(vars(Crop.around(faces[1])).values()))
    assert np.allclose(
        five_squares(five_points(faces))[0], tuple(vars(Crop.around_five(five_points(faces[0]))).values())
    )


# The detector's decoding


def drawn_map(faces, rows=20, columns=30):
    """Heat and shapes of faces given as (row, column, score, size, five points in sizes)."""
    heat, shapes = np.full((rows, columns), 0.01, np.float32), np.zeros((11, rows, columns), np.float32)
    for row, column, score, size, five in faces:
        heat[row, column] = score
        shapes[0, row, column] = np.log(size)
        shapes[1:, row, column] = np.ravel(five)
    return heat, shapes


FIVE = np.array([[-0.1, -0.1], [0.1, -0.1], [0.0, 0.02], [-0.08, 0.12], [0.08, 0.12]])


def test_a_peak_by_hand():
    ((five, score),) = peaks(*drawn_map([(3, 7, 0.9, 50, FIVE)]), 0.5)
    # Cell (3, 7) is pixels 24 to 31 down and 56 to 63 across.
    assert five == pytest.approx(np.array([59.5, 27.5]) + 50 * FIVE)
    assert score == pytest.approx(0.9)


def test_only_local_maxima_above_the_threshold():
    heat, shapes = drawn_map([(3, 7, 0.9, 50, FIVE), (3, 8, 0.8, 50, FIVE), (12, 20, 0.6, 30, FIVE)])
    heat[15, 2] = 0.4
    assert sorted(score for _, score in peaks(heat, shapes, 0.5)) == pytest.approx([0.6, 0.9])
    assert len(peaks(heat, shapes, 0.3)) == 3
    assert peaks(heat, shapes, 0.95) == []


def test_one_face_found_at_two_sizes_is_one():
    def at(x, size, score):
        return Detection(FIVE * size + (x, 100), score)

    kept = distinct([at(100, 80, 0.7), at(105, 84, 0.9), at(300, 80, 0.6)])
    assert [d.score for d in kept] == [0.9, 0.6]


# Finding and following, with networks that were never taught: the code runs, whatever they say


@pytest.fixture(scope="module")
def untaught(tmp_path_factory):
    """A folder with two networks of random weights, sure of everything."""
    for name in ("torch", "onnx"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the extra 'learn' ({name}) is not installed")
    import torch

    from gioconda.learning.tracker.export import export_network
    from gioconda.learning.tracker.learner import Learner, Schedule
    from gioconda.learning.tracker.networks import DetectorNet, LandmarkNet

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tracker")
    landmarks, detector = LandmarkNet(), DetectorNet()
    placed = Crop.around(posed()).to_crop(posed())
    with torch.no_grad():
        landmarks.spread.weight.zero_()
        landmarks.spread.bias.copy_(torch.from_numpy(placed).flatten())
        landmarks.presence.bias.fill_(20.0)
        detector.heat.bias.fill_(0.5)
        detector.shape.weight.zero_()
        detector.shape.bias.copy_(torch.tensor([np.log(600), *FIVE.ravel()]))
    for network, kind in ((detector, DetectorNet), (landmarks, LandmarkNet)):
        name = "detector" if kind is DetectorNet else "landmarks"
        learner = Learner(network, kind(), Schedule(1), "cpu")
        learner.save(folder / f"{name}.safetensors")
        export_network(folder / f"{name}.safetensors", folder / f"{name}.onnx")
    return folder


class Seeing(DistilledTracker):
    """Sees faces where they are, from whichever crop it looks."""

    def __init__(self, *faces):
        self.faces = [face.astype(np.float32) for face in faces]

    def candidates(self, rgb, sizes=()):
        return [Detection(five_points(face), 0.9) for face in self.faces]

    def read(self, rgb, crop):
        away = [np.hypot(*(face[:, :2].mean(axis=0) - (crop.x, crop.y))) for face in self.faces]
        near = int(np.argmin(away))
        seen = float(away[near] < crop.side / 2)
        return Reading(self.faces[near], np.ones(LANDMARKS), seen, np.zeros(len(EXPRESSIONS)))


BLANK = np.zeros((240, 300, 3), np.uint8)


def test_find_gives_each_face_once_the_largest_first():
    small, large = posed(size=30, x=60, y=60), posed(size=50, x=200, y=120)
    found = Seeing(small, large, small + 1).find(BLANK).faces
    assert len(found) == 2
    for face, truth in zip(found, (large, small), strict=True):
        assert face.points == pytest.approx(truth, abs=1.1)  # either of two that are one


def test_what_reads_differently_from_crop_to_crop_is_no_face(untaught):
    rgb = np.random.default_rng(0).integers(0, 256, (240, 300, 3)).astype(np.uint8)
    tracker = DistilledTracker(untaught)
    (found, *_) = tracker.candidates(rgb)
    # The untaught network is sure of itself, and says the same of every crop.
    assert tracker.read(rgb, found.crop).presence > 0.99
    assert tracker.find(rgb).faces == []
    assert tracker.find_in(rgb, Box(60, 40, 80, 100)).faces == []


class Wavering(Seeing):
    """Sees its face a little further to the right where it looks closer; found with some score."""

    def __init__(self, face, score):
        super().__init__(face)
        self.score = score

    def candidates(self, rgb, sizes=()):
        return [Detection(five_points(self.faces[0]), self.score)]

    def read(self, rgb, crop):
        own = Crop.around(self.faces[0])
        seen = super().read(rgb, crop)
        return replace(seen, points=seen.points + np.float32([0.2 * (own.side - crop.side), 0, 0]))


def test_the_less_sure_the_detector_the_better_looks_must_agree():
    # The closest look shrinks the crop by 13 %: 2.6 % of a side apart.
    face = posed(x=150, y=120)
    assert len(Wavering(face, 0.5).find(BLANK).faces) == 1
    assert Wavering(face, 0.2).find(BLANK).faces == []


def test_find_in_stays_in_the_box():
    tracker = Seeing(posed(size=30, x=60, y=60), posed(size=50, x=200, y=120))
    box = Box(150, 60, 100, 120)
    search = tracker.find_in(BLANK, box)
    assert search.faces[0].box.overlap(box) > 0.3
    assert search.tried == ["the box, leaning by 0 degrees"]
    assert len(tracker.find_in(BLANK, Box(0, 200, 30, 30)).tried) == len(BOX_LEANS)


def test_following_reads_where_the_face_was(untaught):
    tracker = DistilledTracker(untaught)
    frame = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    face = Face(posed(size=40))
    expected = tracker.read(frame, Crop.around(face.points))
    follower = tracker.follow(face)
    assert (follower(frame).points == expected.points).all()
    assert (follower(frame).points == tracker.read(frame, Crop.around(expected.points)).points).all()
    follower.close()


class Counting(Seeing):
    """Counts its readings."""

    readings = 0

    def read(self, rgb, crop):
        self.readings += 1
        return super().read(rgb, crop)


@pytest.mark.parametrize(("far", "readings"), [(2, 1), (40, 2)])
def test_a_face_that_moves_fast_is_read_again_where_it_is(far, readings):
    face = posed(size=40)
    there = face + np.array([far, 0, 0])
    tracker = Counting(there)
    follower = tracker.follow(Face(face))
    assert follower(BLANK).points == pytest.approx(there, abs=1e-3)
    assert tracker.readings == readings


class Chasing(Seeing):
    """Sees a face always a little to the right of where it looks, and none in the whole picture."""

    def candidates(self, rgb, sizes=()):
        return []

    def read(self, rgb, crop):
        beside = self.faces[0] + (crop.x - self.faces[0][:, 0].mean() + 0.1 * crop.side, 0, 0)
        return Reading(beside.astype(np.float32), np.ones(LANDMARKS), 1.0, np.zeros(len(EXPRESSIONS)))


def test_a_face_that_is_nowhere_where_it_is_looked_for_is_lost():
    tracker = Chasing(posed())
    assert tracker.follow(Face(posed()))(BLANK) is None


def test_a_reading_is_whole(untaught):
    reading = DistilledTracker(untaught).read(np.zeros((100, 100, 3), np.uint8), Crop(50, 50, 80, 0.3))
    assert reading.points.shape == (LANDMARKS, 3)
    assert reading.uncertainty.shape == (LANDMARKS,)
    assert (reading.uncertainty > 0).all()
    assert reading.expression.shape == (len(EXPRESSIONS),) == (52,)
    assert ((reading.expression >= 0) & (reading.expression <= 1)).all()
    assert reading.presence > 0.99


class Blind(DistilledTracker):
    """Counts searches and sees nothing."""

    def __init__(self):
        self.searches = 0

    def find(self, rgb):
        from gioconda.tracking import Search

        self.searches += 1
        return Search([], ["nothing"])


def test_those_who_cannot_wait_glance_at_every_frame():
    face = posed(size=50, x=150, y=120)
    tracker = Seeing(face)
    sizes = []
    tracker.candidates = lambda rgb, at: sizes.append(at) or []
    follower = tracker.follow(quick=True)
    assert [follower(BLANK) for _ in range(3)] == [None] * 3
    assert sizes == [(320,)] * 3


def test_a_lost_face_is_not_searched_for_in_every_frame():
    tracker = Blind()
    follower = tracker.follow()
    assert [follower(np.zeros((9, 9, 3), np.uint8)) for _ in range(13)] == [None] * 13
    assert tracker.searches == 3


def test_a_folder_without_networks(tmp_path):
    with pytest.raises(UsageError, match=NETWORKS[0]):
        DistilledTracker(tmp_path)


def test_expressions_are_named_once():
    assert len(set(EXPRESSIONS)) == 52
    assert {"jawOpen", "eyeBlinkLeft", "mouthSmileRight"} < set(EXPRESSIONS)


# The networks that come with the package


def test_the_networks_are_those_of_the_card():
    folder = Path(gioconda.__file__).parent / "data/tracker"
    card = json.loads((folder / "tracker.json").read_text())
    page = (Path(__file__).parents[1] / "docs/tracker.md").read_text()
    assert sorted(card["networks"]) == sorted(NETWORKS)
    for name, told in card["networks"].items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert told["sha256"] == digest
        assert digest in page
    assert sum(told["bytes"] for told in card["networks"].values()) < 5e6


@pytest.mark.parametrize(("zoom", "lean"), [(1.0, 0), (0.25, 0), (3.0, 0), (1.0, 40), (1.0, -40)])
def test_a_person_is_found_at_any_size_and_lean(portrait, zoom, lean):
    rgb = portrait.views[0].rgb
    (known,) = default_tracker().find(rgb).faces
    turn = cv2.getRotationMatrix2D((128, 128), lean, zoom)
    turn[:, 2] += 128 * zoom - 128
    size = round(256 * zoom)
    shown = cv2.warpAffine(rgb, turn, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    (found,) = default_tracker().find(shown).faces
    expected = known.points[:, :2] @ turn[:, :2].T + turn[:, 2]
    off = np.linalg.norm(found.points[:, :2] - expected, axis=1).mean()
    assert off < 0.06 * zoom * eye_distance(known.points)


def test_nobody_is_found_where_nobody_is(portrait):
    rgb = portrait.views[0].rgb
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    noise = np.random.default_rng(0).integers(0, 256, rgb.shape).astype(np.uint8)
    pieces = rgb.reshape(16, 16, 16, 16, 3)[::-1, :, ::-1]
    scattered = np.ascontiguousarray(pieces.transpose(2, 1, 0, 3, 4).reshape(rgb.shape))
    waves = np.dstack([np.uint8(127 + 120 * np.sin(x / 9) * np.cos(y / 7))] * 3)
    for picture in (noise, scattered, waves, np.full_like(rgb, 128)):
        assert default_tracker().find(picture).faces == []


def test_a_jump_is_followed(portrait):
    rgb = portrait.views[0].rgb
    follower = default_tracker().follow()
    before = follower(rgb)
    after = follower(np.ascontiguousarray(np.roll(rgb, 30, axis=1)))
    assert after.points[:, 0] - before.points[:, 0] == pytest.approx(30, abs=3)


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is not None, reason="the extra 'mediapipe' is installed")
def test_a_tracker_that_is_not_installed():
    with pytest.raises(MissingExtraError, match=r"pip install 'gioconda\[mediapipe\]'"):
        tracker_named("mediapipe")


@pytest.mark.parametrize("lean", [0.0, 0.5])
def test_irises_go_the_whole_way_along_their_eyes(lean):
    """They are moved along the eye alone, rings and all, and nothing else is."""
    shape = face_model().shape * 100
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    points = np.column_stack([shape[:, :2] @ turn.T, shape[:, 2]])
    along = turn @ [1, 0]
    for eye in EYES:
        left, right = points[list(eye.corners), :2]
        middle = (left + right) / 2
        points[list(eye.iris), :2] += middle - points[eye.iris[0], :2] + IRIS_SHARE * 10 * (right - left) / 100
    whole = with_whole_gaze(points)
    irises = [i for eye in EYES for i in eye.iris]
    assert np.array_equal(np.delete(whole, irises, axis=0), np.delete(points, irises, axis=0))
    for eye in EYES:
        left, right = points[list(eye.corners), :2]
        assert whole[eye.iris[0], :2] == pytest.approx((left + right) / 2 + 0.1 * (right - left))
        moved = whole[list(eye.iris)] - points[list(eye.iris)]
        assert moved == pytest.approx(np.broadcast_to(moved[0], moved.shape))
        assert moved[0, :2] @ along > 0
