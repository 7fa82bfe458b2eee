"""The judges and the comparison of signals: hand-known cases, properties, and real faces if there are any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gioconda.errors import UsageError
from gioconda.evaluation.following import (
    FOLLOWED,
    aligned,
    amplitude,
    blinks,
    correlation,
    follow,
    follow_blinks,
    has_signal,
    matched,
)
from gioconda.evaluation.judges import (
    Judges,
    Picture,
    Signals,
    csim,
    five_points,
    judge_frames,
    lid_gaps,
    mouth_opening,
    similarity,
)

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
PORTRAITS = SHARED / "media" / "portraits"
DRIVERS = SHARED / "media" / "drivers"
PORTRAIT_NAMES = (
    "cartoon_boy.jpg",
    "dostoevsky_perov.jpg",
    "einstein.jpg",
    "girl_bouguereau.jpg",
    "julia_jackson.png",
    "lady_with_ermine.jpg",
    "mona_lisa.jpg",
    "mona_lisa_head.jpg",
    "pearl_earring.jpg",
    "photo_einstein_old.jpg",
    "photo_woman.jpg",
    "sargent_like_lady.jpg",
    "seated_lady.jpg",
    "terracotta_warrior.jpg",
    "van_gogh.jpg",
)


def wave(frames: int = 100, size: float = 1.0) -> np.ndarray:
    return size * np.sin(np.arange(frames) / 5)


def blinking(frames: int, *shut: int) -> np.ndarray:
    gap = np.full(frames, 0.3)
    gap[list(shut)] = 0.03
    return gap


def signals(frames: int = 100, fps: float = 25.0, **given: np.ndarray) -> Signals:
    still = {name: np.zeros(frames) for name in ("yaw", "pitch", "roll", "mouth", "gaze_x", "gaze_y")}
    lids = given.pop("lids", np.full(frames, 0.3))
    return Signals(
        times=np.arange(frames) / fps,
        valid=np.ones(frames, bool),
        eye_left=lids,
        eye_right=lids,
        points=np.zeros((frames, 66, 2)),
        **(still | given),
    )


# following, hand-known


def test_half_the_amplitude_of_the_same_sine():
    assert correlation(wave(size=0.5), wave()) == pytest.approx(1)
    assert amplitude(wave(size=0.5), wave()) == pytest.approx(0.5)


def test_a_mirrored_signal_correlates_negatively():
    assert correlation(-wave(), wave()) == pytest.approx(-1)
    assert amplitude(-wave(), wave()) == pytest.approx(1)


def test_a_shuffled_signal_does_not_correlate():
    shuffled = np.random.default_rng(0).permutation(wave(5000))
    assert abs(correlation(shuffled, wave(5000))) < 0.05


def test_a_constant_signal_neither_correlates_nor_counts():
    assert np.isnan(correlation(np.ones(50), wave(50)))
    assert np.isnan(amplitude(wave(50), np.ones(50)))
    assert amplitude(np.ones(50), wave(50)) == 0
    assert not any(has_signal(signals()).values())


def test_frames_without_a_judgement_are_left_out():
    broken = wave(size=0.5)
    broken[10:20] = np.nan
    assert correlation(broken, wave()) == pytest.approx(1)
    assert np.isnan(correlation(np.full(100, np.nan), wave()))


def test_a_single_misjudged_frame_hardly_changes_the_amplitude():
    outlier = wave(300)
    outlier[7] = 100
    assert amplitude(outlier, wave(300)) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("yaw", 3.0, True),
        ("yaw", 1.0, False),
        ("mouth", 0.04, True),
        ("mouth", 0.02, False),
        ("gaze_x", 0.1, True),
        ("gaze_x", 0.05, False),
        ("gaze_y", 0.05, True),
        ("gaze_y", 0.03, False),
    ],
)
def test_what_counts_as_a_signal(name, size, expected):
    assert has_signal(signals(**{name: wave(size=size)}))[name] is expected


def test_blinks_are_counted():
    assert blinks(blinking(50, 10, 11, 12, 30)).tolist() == [[10, 12], [30, 30]]
    assert blinks(blinking(50, 0, 49)).tolist() == [[0, 0], [49, 49]]
    assert blinks(np.full(50, 0.3)).shape == (0, 2)
    assert blinks(np.full(50, np.nan)).shape == (0, 2)


def test_a_flicker_within_a_blink_does_not_split_it():
    gap = blinking(50, 10, 11, 13)
    gap[12] = 0.12
    assert blinks(gap).tolist() == [[10, 13]]


def test_a_half_shut_eye_is_no_blink():
    gap = blinking(50)
    gap[20:25] = 0.1
    assert len(blinks(gap)) == 0


def test_two_blinks_count_and_one_does_not():
    assert has_signal(signals(lids=blinking(100, 20, 60)))["lids"]
    assert not has_signal(signals(lids=blinking(100, 20)))["lids"]


def test_blinks_match_within_two_frames():
    driver = signals(lids=blinking(100, 20, 40, 60))
    output = signals(lids=blinking(100, 22, 43, 60, 80))
    found = follow_blinks(driver, output)
    assert (found.in_driver, found.in_output, found.matched) == (3, 4, 2)
    assert found.recall == pytest.approx(2 / 3)
    assert found.precision == pytest.approx(1 / 2)


def test_without_blinks_recall_and_precision_are_undefined():
    found = follow_blinks(signals(), signals())
    assert np.isnan(found.recall)
    assert np.isnan(found.precision)


def test_follow_brings_other_frame_rates_together():
    fast, slow = np.arange(100) / 50, np.arange(50) / 25
    driver = signals(100, 50.0, yaw=10 * np.sin(3 * fast), mouth=0.1 * np.cos(3 * fast))
    output = signals(50, 25.0, yaw=5 * np.sin(3 * slow))
    found = follow(driver, output)
    assert tuple(found) == FOLLOWED
    assert found["yaw"].correlation == pytest.approx(1, abs=1e-3)
    assert found["yaw"].amplitude == pytest.approx(0.5, abs=1e-2)
    assert found["yaw"].counted
    assert found["mouth"].counted
    assert np.isnan(found["mouth"].correlation)
    assert found["mouth"].amplitude == 0
    assert not found["roll"].counted


def test_alignment_interpolates_and_knows_its_ends():
    driver = signals(4, 1.0, yaw=np.array([0.0, 1, np.nan, 3]))
    driver = replace(driver, valid=np.isfinite(driver.yaw))
    moved = aligned(driver, np.array([-1.0, 0, 0.5, 1, 1.5, 3, 3.4, 4]))
    np.testing.assert_allclose(moved.yaw, [np.nan, 0, 0.5, 1, np.nan, 3, 3, np.nan])
    assert moved.valid.tolist() == [False, True, True, True, False, True, True, False]
    assert moved.points.shape == (8, 66, 2)


# following, properties

finite = st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda x: round(x, 6))
signal = arrays(np.float64, 40, elements=finite)


@given(signal, signal)
def test_correlation_is_symmetric_and_bounded(a, b):
    value = correlation(a, b)
    assert np.isnan(value) or -1 <= value <= 1
    np.testing.assert_allclose(value, correlation(b, a), atol=1e-9)


@given(st.floats(0.1, 10), finite)
def test_scale_and_shift_change_only_the_amplitude(scale, shift):
    assert correlation(scale * wave() + shift, wave()) == pytest.approx(1, abs=1e-6)
    assert amplitude(scale * wave() + shift, wave()) == pytest.approx(scale, rel=1e-6)


@given(arrays(np.float64, 60, elements=st.floats(0, 1)))
def test_blinks_are_ordered_shut_and_apart(gap):
    found = blinks(gap)
    assert (found[:, 0] <= found[:, 1]).all()
    assert (found[1:, 0] > found[:-1, 1] + 1).all()
    assert (gap[found.ravel()] < 0.25 * np.median(gap)).all()
    assert matched(found, found) == len(found)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.lists(st.booleans(), min_size=1, max_size=60))
def test_no_more_matches_than_blinks(a, b):
    x, y = (blinks(np.where([*flags, *[False] * 70], 0.01, 0.3)) for flags in (a, b))
    assert matched(x, y) <= min(len(x), len(y))
    assert matched(x, y) == matched(y, x)


# judges without networks


@given(st.floats(0.1, 10), st.floats(-3, 3), finite, finite)
def test_similarity_recovers_what_made_the_points(scale, angle, x, y):
    points = np.array([[0.0, 0], [4, 0], [2, 2], [0.5, 4], [3.5, 4]])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity(points, points @ turn.T + (x, y))
    np.testing.assert_allclose(found, np.column_stack([turn, (x, y)]), atol=1e-6)


def test_lid_gaps_count_the_rows_that_show_an_eye():
    contrast = np.ones((11, 2, 16)) * 0.1
    contrast[:, :, 4:12] = 5.0
    contrast[3, 0] = 0.1
    contrast[7] = np.nan
    gaps = lid_gaps(contrast)
    assert gaps[0].tolist() == [8 / 32, 8 / 32]
    assert gaps[3].tolist() == [0, 8 / 32]
    assert np.isnan(gaps[7]).all()


def test_identity_vectors_compare_by_angle():
    a, b = np.eye(128)[:2]
    assert csim(a, a) == pytest.approx(1)
    assert csim(a, 3 * b) == pytest.approx(0)


def test_a_missing_network_is_named(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(UsageError, match=r"mnv3_detection_opt\.onnx"):
        Judges.load(tmp_path)


# judges on real faces


@pytest.fixture(scope="module")
def judges() -> Judges:
    pytest.importorskip("onnxruntime", reason="the measuring networks need onnxruntime")
    if not (SHARED / "models" / "mobilefacenet.onnx").is_file():
        pytest.skip("no measuring networks beside the repository (../shared/models)")
    return Judges.load(SHARED / "models")


def read(path: Path) -> Picture:
    """Read a picture, at most 1024 px; skip the test where there is none."""
    bgr = cv2.imread(str(path))
    if bgr is None:
        pytest.skip(f"no {path.name} beside the repository (../shared)")
    scale = min(1.0, 1024 / max(bgr.shape))
    return cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[..., ::-1].copy()


def pose_of(judges: Judges, rgb: Picture) -> Any:
    face = judges.face(rgb)
    assert face is not None
    return judges.pose(rgb, face)


def person_of(judges: Judges, rgb: Picture) -> np.ndarray:
    face = judges.face(rgb)
    assert face is not None
    vector = judges.identity.embed(rgb, five_points(face.points))
    assert np.linalg.norm(vector) == pytest.approx(1)
    return vector


@pytest.mark.parametrize("name", PORTRAIT_NAMES)
def test_a_portrait_has_a_face_and_stays_itself_when_blurred(judges, name):
    rgb = read(PORTRAITS / name)
    face = judges.face(rgb)
    assert face is not None
    assert face.points.shape == (66, 2)
    x0, y0, x1, y1 = face.box
    assert 0.1 < (y1 - y0) / rgb.shape[0] < 0.9
    eyes = face.points[36:48].mean(axis=0)
    assert x0 < eyes[0] < x1
    assert eyes[1] < face.points[8, 1]
    blurred = cv2.GaussianBlur(rgb, (0, 0), (x1 - x0) / 112)
    assert csim(person_of(judges, rgb), person_of(judges, blurred)) > 0.9


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("photo_woman.jpg", "einstein.jpg"),
        ("mona_lisa.jpg", "van_gogh.jpg"),
        ("julia_jackson.png", "photo_einstein_old.jpg"),
    ],
)
def test_two_people_are_not_one(judges, one, other):
    assert csim(*(person_of(judges, read(PORTRAITS / name)) for name in (one, other))) < 0.4


def test_a_larger_picture_gives_the_same_face(judges):
    rgb = read(PORTRAITS / "photo_woman.jpg")
    large = cv2.resize(rgb, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    face, same = judges.face(rgb), judges.face(large)
    # Centres of pixels: 5 (x + 1/2) - 1/2.
    offset = same.points - (5 * face.points + 2)
    assert np.abs(offset).max() / 5 < 0.02 * (face.box[3] - face.box[1])


@pytest.mark.parametrize("name", PORTRAIT_NAMES)
def test_mirroring_mirrors_yaw_and_roll(judges, name):
    rgb = read(PORTRAITS / name)
    pose, mirrored = pose_of(judges, rgb), pose_of(judges, np.ascontiguousarray(rgb[:, ::-1]))
    assert mirrored.yaw == pytest.approx(-pose.yaw, abs=6)
    assert mirrored.pitch == pytest.approx(pose.pitch, abs=6)
    assert mirrored.roll == pytest.approx(-pose.roll, abs=4)


@pytest.mark.parametrize(
    ("name", "side"), [("lady_with_ermine.jpg", 1), ("mona_lisa.jpg", -1), ("pearl_earring.jpg", -1)]
)
def test_yaw_points_where_the_face_does(judges, name, side):
    assert side * pose_of(judges, read(PORTRAITS / name)).yaw > 8


@pytest.mark.parametrize("name", ["photo_woman.jpg", "mona_lisa.jpg", "einstein.jpg"])
def test_turning_the_picture_clockwise_adds_roll(judges, name):
    rgb = read(PORTRAITS / name)
    height, width = rgb.shape[:2]
    # OpenCV counts counter-clockwise.
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -15, 1)
    turned = cv2.warpAffine(rgb, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    assert pose_of(judges, turned).roll - pose_of(judges, rgb).roll == pytest.approx(15, abs=5)


def test_a_picture_without_a_face_has_none(judges):
    assert judges.face(np.full((256, 256, 3), 128, np.uint8)) is None
    found = judge_frames([(0.0, np.zeros((64, 64, 3), np.uint8))] * 2, judges)
    assert not found.valid.any()
    assert np.isnan(found.lids).all()
    assert judge_frames([], judges).points.shape == (0, 66, 2)


def test_an_open_mouth_measures_more_than_a_closed_one(judges):
    listing = SHARED / "data" / "stills.jsonl"
    if not listing.is_file():
        pytest.skip("no stills beside the repository (../shared/data)")
    stills = [json.loads(line) for line in listing.read_text(encoding="utf-8").splitlines()]
    photographs = [still for still in stills if still["kind"] == "photo-mixed" and still["split"] == "eval"]

    def openings(wanted: list[dict[str, Any]]) -> Iterator[float]:
        for still in wanted[:8]:
            face = judges.face(read(SHARED / "data" / "stills" / f"{still['id']}.jpg"))
            if face is not None:
                yield mouth_opening(face.points)

    wide = list(openings([still for still in photographs if still["mouth_open"] > 0.25]))
    shut = list(openings([still for still in photographs if still["mouth_open"] < 0.01]))
    assert len(wide) >= 3
    assert len(shut) >= 3
    assert np.median(wide) > np.median(shut) + 0.05
    assert min(wide) > np.median(shut)


def test_blinks_and_glances_of_a_real_driver(judges):
    av = pytest.importorskip("av")
    video = DRIVERS / "woman_talking.mp4"
    if not video.is_file():
        pytest.skip("no drivers beside the repository (../shared/media/drivers)")
    with av.open(str(video)) as container:
        frames = (
            (frame.time, frame.to_ndarray(format="rgb24"))
            for frame, _ in zip(container.decode(video=0), range(108), strict=False)
        )
        found = judge_frames(frames, judges)
    assert found.valid.all()
    # Seen by eye: shut at 16-19, 51-52, 66, 94; a glance to the picture's left from 53, to its right from 80.
    # At 79, as the glance changes sides, the lids are all but shut: a blink or not.
    seen = np.array([[16, 19], [51, 52], [66, 66], [94, 94]])
    assert matched(seen, blinks(found.lids), tolerance=1) == 4
    assert len(blinks(found.lids)) <= 5
    assert np.isnan(found.gaze_x[17])
    assert np.median(found.gaze_x[56:64]) < np.median(found.gaze_x[:10]) - 0.08
    assert np.median(found.gaze_x[82:92]) > np.median(found.gaze_x[:10]) + 0.08
