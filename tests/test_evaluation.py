"""The measures against cases whose answer is known, the protocols on tiny made data, the report in a browser."""

from __future__ import annotations

import json
import lzma
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from browser import CHROMIUM, Browser
from gioconda import Portrait, View
from gioconda.cli import main
from gioconda.errors import OutputError, UsageError
from gioconda.evaluation import (
    bootstrap,
    cards,
    command,
    grading,
    identity,
    movement,
    pixels,
    renderers,
    results,
    scoring,
    shots,
    stability,
    study,
)
from gioconda.evaluation.catalogue import BY_NAME, MEASURES, NOT_MEASURED
from gioconda.evaluation.charts import Point, Series, curve, scatter, strips, ticks
from gioconda.evaluation.grading import Watched, _graded_self
from gioconda.evaluation.judges import HeadPose, JudgedEyes, JudgedFace, Judges, Signals
from gioconda.evaluation.protocol import Run, conditions_of, head_square, is_grey, kind_of, sketch
from gioconda.evaluation.renderers import Contender, drawer
from gioconda.evaluation.store import ClipFolder, Kept, fingerprint
from gioconda.face import EYES, face_model
from gioconda.media.files import sha256_of
from gioconda.rendering import make_renderer
from gioconda.rendering.renderer import OWN_NETWORK
from makers import acting, film, noise, performed, sitter_of

MODELS = Path(__file__).resolve().parents[1].parent / "shared" / "models"
FLOW = Contender("flow")
pictures = arrays(np.uint8, (24, 20, 3))


def flat(level: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def textured(height: int = 128, width: int = 128, seed: int = 0) -> np.ndarray:
    """Soft blobs: texture that can be shifted by parts of a pixel."""
    rough = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(rough, (0, 0), 2)
    return np.clip((soft - soft.mean()) * 6 + 128, 0, 255).astype(np.uint8)


def face_points(frames: int = 1, x: float = 60, y: float = 60, size: float = 30) -> np.ndarray:
    """66 judged points (frames, 66, 2) of a face that is roughly one."""
    face = np.random.default_rng(3).uniform(-0.8, 0.8, (66, 2))
    face[17:27] = np.column_stack([np.linspace(-0.8, 0.8, 10), np.full(10, -0.7)])
    angle = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    ring = np.column_stack([-np.cos(angle), -np.sin(angle) / 2]) * 0.2
    face[36:42], face[42:48] = np.add(ring, (-0.5, -0.3)), np.add(ring, (0.5, -0.3))
    face[[36, 39, 42, 45]] = [(-0.7, -0.3), (-0.3, -0.3), (0.3, -0.3), (0.7, -0.3)]
    face[8] = (0, 1)
    return np.repeat((face * size + (x, y))[None], frames, axis=0)


def signals(frames: int = 50, fps: float = 25.0, **given: np.ndarray) -> Signals:
    still = {name: np.zeros(frames) for name in ("yaw", "pitch", "roll", "mouth", "gaze_x", "gaze_y")}
    lids = given.pop("lids", np.full(frames, 0.3))
    points = given.pop("points", face_points(frames))
    return Signals(
        times=np.arange(frames) / fps,
        valid=np.ones(frames, bool),
        eye_left=lids,
        eye_right=lids,
        points=points,
        **(still | given),
    )


# pixels


def test_one_grey_against_another():
    made, true = flat(110), flat(100)
    assert pixels.l1(made, true) == 10
    assert pixels.psnr(made, true) == pytest.approx(10 * math.log10(255**2 / 100))
    # Without variance only the first factor of SSIM is left.
    c1 = (0.01 * 255) ** 2
    assert pixels.ssim(made, true) == pytest.approx((2 * 110 * 100 + c1) / (110**2 + 100**2 + c1), abs=1e-9)


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    made, true = textured(seed=1), textured(seed=2)
    theirs = metrics.structural_similarity(
        pixels.luma(made),
        pixels.luma(true),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )[1]
    assert pixels.ssim(made, true) == pytest.approx(theirs[5:-5, 5:-5].mean(), abs=1e-6)


def test_a_region_counts_alone():
    made, true = flat(100), flat(100)
    made[:8] = 140
    top = np.zeros((32, 32), bool)
    top[:8] = True
    assert pixels.l1(made, true, top) == 40
    assert pixels.l1(made, true, ~top) == 0
    assert pixels.psnr(made, true, ~top) == pixels.HIGHEST_PSNR
    assert math.isnan(pixels.l1(made, true, np.zeros((32, 32), bool)))


@given(pictures)
def test_a_picture_is_like_itself(picture: np.ndarray):
    assert pixels.l1(picture, picture) == 0
    assert pixels.psnr(picture, picture) == pixels.HIGHEST_PSNR
    assert pixels.ssim(picture, picture) == pytest.approx(1)


@given(pictures, pictures)
def test_neither_picture_is_favoured(made: np.ndarray, true: np.ndarray):
    assert pixels.l1(made, true) == pytest.approx(pixels.l1(true, made))
    assert pixels.psnr(made, true) == pytest.approx(pixels.psnr(true, made))
    assert pixels.ssim(made, true) == pytest.approx(pixels.ssim(true, made))
    assert 0 <= pixels.l1(made, true) <= 255
    assert 0 <= pixels.psnr(made, true) <= 100
    assert -1 - 1e-9 <= pixels.ssim(made, true) <= 1 + 1e-9


@given(st.floats(0, 40), st.floats(0, 40))
def test_more_noise_is_never_better(a: float, b: float):
    noise = np.random.default_rng(0).normal(0, 1, (32, 32, 3))
    less, more = (np.clip(128 + s * noise, 0, 255).round().astype(np.uint8) for s in sorted((a, b)))
    assert pixels.psnr(more, flat(128)) <= pixels.psnr(less, flat(128))
    assert pixels.l1(more, flat(128)) >= pixels.l1(less, flat(128))


def test_regions_lie_where_they_should():
    points = face_model().shape * 60 + (128, 110, 0)
    regions = pixels.regions(points, 256, 256)
    assert tuple(regions) == pixels.REGIONS
    assert regions["frame"].all()
    for eye in EYES:
        x, y = points[eye.iris[0], :2].round().astype(int)
        assert regions["eyes"][y, x]
        assert not regions["mouth"][y, x]
        assert regions["face"][y, x]
    x, y = points[13, :2].round().astype(int)
    assert regions["mouth"][y, x]
    assert not regions["eyes"][y, x]
    assert regions["mouth"].sum() < regions["face"].sum() < regions["frame"].sum()


def test_a_face_beyond_the_frame_has_small_regions_and_no_error():
    points = face_model().shape * 60 + (-300, 110, 0)
    regions = pixels.regions(points, 64, 64)
    assert not regions["mouth"].any()
    assert math.isnan(pixels.compare(flat(1, 64, 64), flat(2, 64, 64), regions)["l1_mouth"])


def test_akd_of_a_face_moved_by_an_iris_distance():
    points = face_model().shape * 60
    distance = pixels.iris_distance(points)
    judged = face_points()[0]
    assert pixels.akd(np.add(judged, (distance, 0)), judged, distance) == pytest.approx(1)
    # Turned into profile the irises are as far apart as before.
    turned = points[:, [2, 1, 0]]
    assert pixels.iris_distance(turned) == pytest.approx(distance)


# identity


def test_csim_of_known_vectors():
    a, b = np.array([[1.0, 0], [3.0, 4], [np.nan, np.nan]]), np.array([1.0, 0])
    assert identity.csim(a, b)[:2] == pytest.approx([1, 0.6])
    assert math.isnan(identity.csim(a, b)[2])
    assert identity.csim(a[:2], a[:2]) == pytest.approx([1, 1])


def test_drift_is_the_slope_per_second():
    times = np.arange(50) / 25
    likeness = 0.9 - 0.1 * times
    likeness[7] = np.nan
    assert identity.drift(likeness, times) == pytest.approx(-0.1)
    assert identity.drift(np.full(50, 0.9), times) == pytest.approx(0)
    assert math.isnan(identity.drift(likeness[:2], times[:2]))


def test_frechet_of_known_gaussians():
    rng = np.random.default_rng(0)
    same = rng.normal(0, 1, (200, 4))
    assert identity.frechet_identity(same, same) == pytest.approx(0, abs=1e-9)
    # Moved by 2 along one axis: the covariances are equal, the means 2 apart.
    assert identity.frechet_identity(np.add(same, (2, 0, 0, 0)), same) == pytest.approx(4)
    # Three times as wide: the sum over axes of (3 s - s)^2.
    spread = np.trace(np.cov(same, rowvar=False))
    centred = same - same.mean(axis=0)
    assert identity.frechet_identity(3 * centred, centred) == pytest.approx(4 * spread)
    assert math.isnan(identity.frechet_identity(same[:1], same))


@given(arrays(float, (12, 3), elements=st.floats(-2, 2)), arrays(float, (9, 3), elements=st.floats(-2, 2)))
def test_frechet_is_a_distance(a: np.ndarray, b: np.ndarray):
    there, back = identity.frechet_identity(a, b), identity.frechet_identity(b, a)
    assert there >= 0
    assert there == pytest.approx(back, abs=1e-6)


# movement


def test_expression_is_blind_to_where_the_face_is():
    base = face_points(5)
    turned = np.array([[0.9, -0.2], [0.2, 0.9]])
    moved = base @ turned.T * 1.7 + (30, -10)
    assert movement.aed(moved, base, relative=False) == pytest.approx(0, abs=1e-9)
    assert movement.aed(moved, base, relative=True) == pytest.approx(0, abs=1e-9)


def test_aed_of_a_lip_moved_by_a_known_way():
    base = face_points(5)
    eyes = np.linalg.norm(base[0, 36:42].mean(axis=0) - base[0, 42:48].mean(axis=0))
    other = base.copy()
    other[:, 50, 1] += 0.28 * eyes
    assert movement.aed(other, base, relative=False) == pytest.approx(0.28 / 28)
    # Always so: it is that face's own relaxed shape.
    assert movement.aed(other, base, relative=True) == pytest.approx(0, abs=1e-9)
    assert math.isnan(movement.aed(np.full_like(base, np.nan), base, relative=True))


def test_apd_of_known_angles():
    driver = signals(yaw=np.full(50, 10.0))
    output = signals(yaw=np.full(50, 13.0), pitch=np.full(50, -3.0))
    assert movement.apd(output, driver, relative=False) == pytest.approx(2)
    assert movement.apd(output, driver, relative=True) == pytest.approx(0)


def test_a_still_clip_follows_nothing_and_is_not_excused():
    driver = signals(yaw=10 * np.sin(np.arange(50) / 5))
    found = movement.following(driver, signals())
    assert found["correlation_yaw"] == (0, 1)
    assert found["amplitude_yaw"] == (0, 1)
    assert found["correlation_pitch"][1] == 0
    own = movement.following(driver, driver)
    assert own["correlation_yaw"] == pytest.approx((1, 1))
    assert own["amplitude_yaw"] == pytest.approx((1, 1))


def test_blinks_of_each_eye_are_weighed_by_their_number():
    lids = np.full(50, 0.3)
    lids[[10, 11, 30]] = 0.02
    driver = signals(lids=lids)
    once = lids.copy()
    once[30] = 0.3
    found = movement.following(driver, signals(lids=once))
    assert found["blink_recall"] == (0.5, 2)
    assert found["blink_precision"] == (1, 1)
    assert found["correlation_eye_left"][1] == 1
    clips = [Kept(name, "flow", 1, found, {}, {}) for name in "ab"]
    counted = [results._events(clips, BY_NAME[name]) for name in ("blink_recall", "blink_precision", "aed")]
    assert counted == [4, 2, None]


@pytest.mark.parametrize(("step", "kept"), [(1.0, 1.0), (2.4, 0.0)])
def test_a_blink_at_the_next_test_frame_is_the_same_only_where_frames_are_consecutive(step: float, kept: float):
    def blinking(frame: int) -> Watched:
        lids = np.full(50, 0.3)
        lids[frame] = 0.02
        return Watched(signals(lids=lids), np.ones((50, 128)), np.empty((50, 0)))

    points = np.repeat(face_model().shape[None] * 60, 50, axis=0)
    graded = _graded_self(blinking(21), {}, blinking(20), points, step)
    assert graded.values["blink_recall"] == (kept, 1)


def performers(count: int) -> list[Signals]:
    rng = np.random.default_rng(1)

    def one() -> np.ndarray:
        return cv2.GaussianBlur(rng.normal(0, 1, 100), (1, 0), 0, sigmaY=4).ravel() * 40

    return [signals(100, yaw=one(), mouth=one() / 100, pitch=one()) for _ in range(count)]


def test_personality_is_one_when_right_and_chance_when_still():
    drivers = performers(4)
    half = [replace(d, yaw=d.yaw / 2, pitch=d.pitch / 2, mouth=d.mouth / 2) for d in drivers]
    late = [replace(d, yaw=np.roll(d.yaw, 2), pitch=np.roll(d.pitch, 2)) for d in half]
    assert movement.personality(drivers, drivers) == 1
    assert movement.personality(half, drivers) == 1
    assert movement.personality(late, drivers) == 1
    assert movement.personality([signals(100)] * 4, drivers) == pytest.approx(0.25)
    assert movement.personality(half[1:] + half[:1], drivers) == 0
    assert math.isnan(movement.personality(half[:1], drivers[:1]))


def test_personality_of_shuffled_clips_is_chance_on_average():
    drivers = performers(4)
    rng = np.random.default_rng(0)
    shares = [movement.personality([drivers[k] for k in rng.permutation(4)], drivers) for _ in range(60)]
    assert np.mean(shares) == pytest.approx(0.25, abs=0.1)


def test_a_length_does_not_tell_a_driver():
    drivers = [signals(60), signals(90), signals(120)]
    assert movement.personality([signals(60), signals(90), signals(120)], drivers) == pytest.approx(1 / 3)


# stability


def test_smooth_movement_does_not_tremble_and_noise_does():
    straight = face_points(30) + np.arange(30)[:, None, None] * (1.5, 0.5)
    assert stability.jitter(straight) == pytest.approx(0, abs=1e-9)
    shaken = straight.copy()
    shaken[::2, :, 0] += 1.0
    height = np.linalg.norm(straight[0, 17:27].mean(axis=0) - straight[0, 8])
    assert stability.jitter(shaken) == pytest.approx(1000 / height)
    half = straight.copy()
    half[::2, :, 0] += 0.5
    assert stability.jitter_ratio(half, shaken) == pytest.approx(0.5)
    assert math.isnan(stability.jitter_ratio(shaken, straight * 0 + face_points()[0]))
    assert math.isnan(stability.jitter(np.full((5, 66, 2), np.nan)))


def test_flicker_is_the_distance_from_the_neighbours():
    light = np.full(20, 100.0)
    assert stability.flicker(light) == 0
    assert stability.flicker(light + np.arange(20)) == pytest.approx(0)
    assert stability.flicker(light + 4 * (np.arange(20) % 2)) == 4
    assert math.isnan(stability.flicker(light[:2]))
    assert stability.brightness(flat(77), (4, 4, 20, 20)) == pytest.approx(77)
    assert math.isnan(stability.brightness(flat(77), (50, 50, 60, 60)))


def test_swim_is_found_on_every_side_and_in_its_size():
    portrait, head = textured(128, 128), (48.0, 50.0, 80.0, 90.0)
    assert set(stability.strips(128, 128, head)) == set(stability.SIDES)
    watch = stability.Background(portrait, head)
    assert watch(portrait) == (0, 0)
    shift = np.float32([[1, 0, 2], [0, 1, 1]])
    shifted = cv2.warpAffine(portrait, shift, (128, 128), borderMode=cv2.BORDER_REFLECT)
    for side, place in stability.strips(128, 128, head).items():
        moved = portrait.copy()
        moved[place] = shifted[place]
        change, way = watch(moved)
        assert change > 5, side
        assert way == pytest.approx(100 * math.hypot(2, 1) / 40, rel=0.1), side


def test_no_swim_where_there_is_no_background():
    assert stability.strips(128, 128, (5, 5, 123, 123)) == {}
    change, way = stability.Background(textured(), (5, 5, 123, 123))(textured(seed=4))
    assert math.isnan(change)
    assert math.isnan(way)
    # A plain wall: it can change, but a displacement would not be seen.
    change, way = stability.Background(flat(90, 128, 128), (48, 50, 80, 90))(flat(93, 128, 128))
    assert change == pytest.approx(3)
    assert math.isnan(way)


def test_a_seam_shows_by_its_step():
    portrait = flat(100, 64, 64)
    painted = portrait.copy()
    painted[16:48, 16:48] = 106
    assert stability.seam(painted, portrait, (16, 16, 48, 48)) == pytest.approx(6)
    assert stability.seam(portrait, portrait, (16, 16, 48, 48)) == 0
    assert math.isnan(stability.seam(portrait, portrait, (0, 0, 64, 64)))
    one_side = portrait.copy()
    one_side[:32] = 104
    assert stability.seam(one_side, portrait, (0, 0, 64, 32)) == pytest.approx(4)


# from clips to figures


def test_pooling_of_known_figures():
    mean = bootstrap.pooled([1, 3, math.nan, 9], [1, 3, 1, 0], "mean", 0)
    assert (mean.value, mean.n) == (2.5, 2)
    median = bootstrap.pooled([1, 2, 100], [1, 5, 1], "median", 0)
    assert median.value == 2
    assert bootstrap.pooled([math.nan], [1], "mean", 0).n == 0
    six = [1.0, 2, 4, 8, 16, 32]
    assert bootstrap.pooled(six, [1] * 6, "mean", 7) == bootstrap.pooled(six, [1] * 6, "mean", 7)


def test_a_handful_of_clips_has_no_interval():
    found = bootstrap.pooled([1, 2, 3], [1] * 3, "mean", 0)
    assert (found.value, found.n) == (2, 3)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@given(st.lists(st.floats(-10, 10), min_size=5, max_size=30))
def test_an_interval_holds_its_figure(values: list[float]):
    found = bootstrap.pooled(values, [1.0] * len(values), "mean", 0)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_the_interval_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = bootstrap.pooled(list(values), [1.0] * 400, "mean", 0)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)


def test_a_small_difference_on_every_clip_is_found_among_large_ones():
    clips = np.random.default_rng(0).normal(0, 50, 30)
    found = bootstrap.paired(list(clips), list(clips + 0.5), "mean", 0)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert bootstrap.paired([1, math.nan], [2, 3], "mean", 0).n == 1


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        (10, []),
        (12, ["fewer than 10 clips say little, read the intervals: beard (3), sketch-ft 1 (9)"]),
        (9, ["only 9"]),
    ],
)
def test_fewer_than_ten_clips_are_warned_of(clips: int, said: list[str], tmp_path: Path):
    def kept(renderer: str, number: int) -> Kept:
        beard = ["beard"] * (clips == 12 and number < 3)
        return Kept(str(number), renderer, 1, {}, {}, {"conditions": beard})

    run = Run("cross", tmp_path, {}, "")
    run.kept += [kept("flow", number) for number in range(clips)]
    run.kept += [kept("sketch-ft", number) for number in range(9 if clips == 12 else clips)]
    results.warn(run)
    assert [text[: len(start)] for text, start in zip(run.warnings, said, strict=True)] == said


# shots


@given(st.integers(1, 900), st.floats(5, 60), st.sampled_from([8, 48, None]))
def test_test_frames_are_later_than_all_views_by_a_second(frames: int, fps: float, most: int | None):
    plan = shots.plan(frames, fps, most)
    assert len(set(plan.views)) == len(plan.views)
    assert plan.views[0] == 0
    assert plan.serves(32) == (frames >= 64)
    assert list(plan.tests) == sorted(set(plan.tests))
    assert all((test - max(plan.views)) / fps >= 1 - 1e-6 for test in plan.tests)
    assert all(0 <= i < frames for i in (*plan.views, *plan.tests))
    if most:
        assert len(plan.tests) <= most


def test_views_are_spread_evenly_whatever_their_number():
    plan = shots.plan(300, 25)
    assert plan.views[:2] == (0, 75)
    assert np.ptp(np.diff(sorted(plan.views[:8]))) <= 1
    assert len(plan.tests) == 48


def test_landmarks_are_read_as_they_were_written(tmp_path: Path):
    points = np.random.default_rng(0).integers(-400, 1000, (9, 478, 3)) / 4
    write_landmarks(tmp_path / "a.npy.xz", points)
    assert (shots.read_landmarks(tmp_path / "a.npy.xz") == points).all()
    (tmp_path / "b.npy.xz").write_bytes(b"no")
    with pytest.raises(Exception, match="cannot be read"):
        shots.read_landmarks(tmp_path / "b.npy.xz")


def test_a_leak_is_refused(tmp_path: Path):
    rows = [{"id": "a", "person": "p1", "split": "train"}, {"id": "b", "person": "p1", "split": "eval"}]
    (tmp_path / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UsageError, match="p1"):
        shots.find_sources(tmp_path)
    rows[0]["person"] = "p2"
    (tmp_path / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [source.id for source in shots.find_sources(tmp_path)] == ["b"]
    del rows[0]["person"]
    (tmp_path / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UsageError, match="line 1"):
        shots.find_sources(tmp_path)


def test_a_shot_with_another_label_is_another(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"a video")
    plain, labelled = (shots.Source("a", tmp_path / "a.mp4", labels=labels) for labels in ({}, {"glasses": True}))
    assert plain.fingerprint == shots.Source("b", tmp_path / "a.mp4").fingerprint
    assert plain.fingerprint != labelled.fingerprint


@pytest.mark.parametrize("name", ["../a", "", "a/b"])
def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path: Path, name: str):
    (tmp_path / "clips.jsonl").write_text(json.dumps({"id": name, "person": "p", "split": "eval"}))
    with pytest.raises(UsageError):
        shots.find_sources(tmp_path)


# small things


def test_names_that_say_what_a_picture_is():
    assert kind_of("photo_woman") == "photo"
    assert kind_of("cartoon_boy") == "drawing"
    assert kind_of("mona_lisa") is None


def test_grey_is_told_from_colour():
    assert is_grey(flat(90))
    assert not is_grey(np.dstack([flat(90)[..., 0], flat(120)[..., 0], flat(60)[..., 0]]))


def test_a_label_has_the_last_word_over_what_a_picture_shows():
    grey, turned = flat(90), np.array([3.0, -40.0, np.nan])
    assert conditions_of({}, grey, turned) == ["grey", "large pose"]
    assert conditions_of({"grey": False, "large_pose": False, "beard": True}, grey, turned) == ["beard"]
    sepia = np.dstack([flat(120)[..., 0], flat(90)[..., 0], flat(60)[..., 0]])
    labels = {"kind": "photo", "grey": True, "glasses": False, "skin_tone": 4, "upscale": 2.0}
    assert conditions_of(labels, sepia, np.array([np.nan])) == ["grey", "photo", "skin tone 4", "soft"]


def test_the_labels_of_the_portraits_can_be_read():
    rows = shots.read_lines(Path(__file__).parents[1] / "benchmarks" / "portraits.jsonl")
    assert len({row["file"] for row in rows}) == len(rows) == 15
    wanted = {"file": str, "kind": str, "grey": bool, "glasses": bool, "beard": bool, "large_pose": bool}
    assert all({name: type(value) for name, value in row.items()} == wanted for row in rows)


def test_the_drawn_landmarks_show_a_face():
    drawn = sketch(face_model().shape * 60 + (128, 110, 0), 256, 256)
    assert drawn.shape == (256, 256, 3)
    assert drawn.max() > 200


def test_the_head_is_shown_and_nothing_fails_without_one():
    part = head_square(face_points()[0], flat(0, 400, 300))
    assert flat(0, 400, 300)[part].shape[0] < 200
    assert flat(0, 400, 300)[head_square(np.full((66, 2), np.nan), flat(0))].shape == (400, 300, 3)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_ticks_span_the_data(a: float, b: float):
    low, high = sorted((a, b))
    marks = ticks(low, high)
    assert marks[0] <= low + 1e-6
    assert marks[-1] >= high - 1e-6
    assert 2 <= len(marks) <= 9


def test_charts_are_empty_without_figures():
    assert curve([], "views", [1], "a") == scatter([], "a", "b", "c") == strips([], "a") == ""
    chart = scatter([Series("x<y", 1, [Point(1, 2, label="<b>: 1")])], "a", "b", "c")
    assert "<b>" not in chart


def test_names_of_distributions_stand_whole():
    rows = [(name, 0, [0.0, 1.0]) for name in ("still", "sketch-ff 32")]
    ends = re.findall(r'<text[^>]* x="([\d.]+)"[^>]*text-anchor="end"[^>]*>([^<]+)<', strips(rows, "a"))
    assert {name for _, name in ends} == {"still", "sketch-ff 32"}
    assert all(float(x) > 6.5 * len(name) for x, name in ends)


def test_a_fingerprint_changes_with_the_settings():
    assert fingerprint({"a": 1}, {}) == fingerprint({"a": 1}, {})
    assert fingerprint({"a": 1}, {}) != fingerprint({"a": 2}, {})
    assert fingerprint({"a": 1}, {}) != fingerprint({"a": 1}, {"w": "0"})


def test_every_measure_stands_in_the_docs():
    text = (Path(__file__).parents[1] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    missing = [m.name for m in MEASURES if f"`{m.name}`" not in text and f"`{m.name.split('_')[0]}_" not in text]
    assert missing == []


def test_the_baseline_shows_the_first_view_and_flow_moves_it(portrait: Portrait):
    view = portrait.views[0]
    target = np.add(view.points, (4, 0, 0))
    assert (drawer(Contender("still"), [view])(target) == view.rgb).all()
    patch = make_renderer("flow", [view])(target)
    assert not (drawer(FLOW, [view])(target) == view.rgb).all()
    assert drawer(FLOW, [view])(target).shape == view.rgb.shape
    assert patch.rgb.size


# whole runs, with judges made for the test: they need no network


class PlainFace:
    """Finds a face in any picture that is not black, sideways where most of the green is."""

    def __call__(self, rgb: np.ndarray, previous: JudgedFace | None = None) -> JudgedFace | None:
        if rgb.max() == 0:
            return None
        height, width = rgb.shape[:2]
        weight = rgb[..., 1].astype(float) - rgb[..., 1].min()
        x = (weight.sum(axis=0) @ np.arange(width)) / max(weight.sum(), 1)
        points = face_points(1, x, height / 2, height / 5)[0]
        return JudgedFace(points, 0.9, (*points.min(axis=0), *points.max(axis=0)))


def plain_judges(*_: object) -> Judges:
    """Judges that say something definite of any picture."""

    def pose(rgb: np.ndarray, face: JudgedFace) -> HeadPose:
        return HeadPose(float(rgb[..., 0].mean()), float(rgb[..., 1].mean()), float(face.points[0, 0]))

    def eyes(rgb: np.ndarray, face: JudgedFace) -> JudgedEyes:
        return JudgedEyes(np.zeros((2, 2)), np.ones((2, 16)))

    def embed(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
        small = cv2.resize(rgb, (8, 16), interpolation=cv2.INTER_AREA)[..., 0].ravel().astype(float) + 1
        return small / np.linalg.norm(small)

    identity_judge: Any = SimpleNamespace(embed=embed)
    return Judges(PlainFace(), pose, eyes, identity_judge)  # type: ignore[arg-type]


def write_landmarks(path: Path, points: np.ndarray) -> None:
    whole = np.rint(points * 4).astype(np.int16).transpose(2, 0, 1)
    delta = np.concatenate([whole[:, :1], np.diff(whole, axis=1)], axis=1).astype(np.int16)
    with lzma.open(path, "wb", preset=0) as file:
        np.save(file, delta)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory, portrait: Portrait) -> Path:
    """A dataset: a long shot, a short one, one too short, one broken, and somebody for training."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, portrait, {"long": 70, "short": 30, "tiny": 8, "broken": 30})
    (folder / "clips" / "broken.mp4").write_bytes(b"no video")
    return folder


def write_dataset(folder: Path, portrait: Portrait, shots: dict[str, int]) -> Path:
    """A dataset of shots, each of so many frames and another person, and somebody for training."""
    (folder / "clips").mkdir()
    view = portrait.views[0].resized(128)
    view = View(view.rgb, view.points)
    draw = drawer(FLOW, [view])
    sitter = sitter_of(view.points)
    rows = []
    for name, count in shots.items():
        points = performed(sitter, acting(count / 15, 15))
        film(folder / "clips" / f"{name}.mp4", [draw(face) for face in points], 15)
        write_landmarks(folder / "clips" / f"{name}.npy.xz", points)
        rows.append({"id": name, "person": name, "split": "eval", "frames": count, "fps": 15.0, "glasses": True})
    rows.append({"id": "x", "person": "x", "split": "train"})
    (folder / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, dataset: Path, driver: Path, picture: Path) -> Path:
    """A folder with a quick run of both tracks."""
    out = tmp_path_factory.mktemp("report")
    folders = {}
    for name, files in (("portraits", [picture, picture]), ("drivers", [driver, driver])):
        folders[name] = tmp_path_factory.mktemp(name)
        for number, file in enumerate(files):
            shutil.copy(file, folders[name] / f"photo_{number}{file.suffix}")
    (folders["portraits"] / "text.png").write_text("no picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judges, "load", plain_judges)
        command.evaluate(out, MODELS, data=dataset, views=[8, 1], size="quick", command="gioconda evaluate")
        command.evaluate(out, MODELS, track="cross", **folders, size="quick", command="gioconda evaluate")
    return out


def test_results_are_complete(report: Path):
    whole = json.loads((report / "results.json").read_text())
    assert (whole["format"], whole["version"]) == ("gioconda-evaluation", 1)
    assert set(whole["runs"]) == {"self", "cross"}
    about = whole["runs"]["self"]
    needed = ("command", "seed", "size", "versions", "weights", "clips", "failed", "warnings", "fingerprint")
    assert all(key in about for key in needed)
    keys = {"track", "renderer", "mode", "views", "group", "measure", "value", "low", "high", "n", "events"}
    keys |= {"reason", "weights"}
    for row in whole["rows"]:
        assert set(row) == keys
        assert row["track"] in BY_NAME[row["measure"]].tracks
        assert (row["value"] is None) == (row["n"] == 0)
        assert row["value"] is not None or row["reason"]
    moved = [p for p in whole["pairs"] if (p["measure"], p["a"], p["b"]) == ("l1_mouth", "still-1", "warp-1")]
    assert len(moved) == 1
    assert moved[0]["difference"] < 0
    names = {row["measure"] for row in results.pick(whole, track="self", group="all")}
    assert names == {m.name for m in MEASURES if "self" in m.tracks}
    for row in results.pick(whole, measure="lpips"):
        assert row["value"] is None
        assert row["reason"] == NOT_MEASURED["lpips"]


def test_bad_clips_are_listed_and_lose_nothing(report: Path):
    runs = json.loads((report / "results.json").read_text())["runs"]
    failed = {entry["clip"]: entry["reason"] for entry in runs["self"]["failed"]}
    assert set(failed) == {"tiny", "broken"}
    assert "8 frames" in failed["tiny"]
    assert [entry["clip"] for entry in runs["cross"]["failed"]] == ["text.png"]
    assert any("fewer than 10" in warning for warning in runs["self"]["warnings"])
    assert len(runs["cross"]["clips"]) == 4


def test_a_short_shot_serves_one_view_only(report: Path):
    whole = results.read(report)

    def n(views: int, group: str) -> int:
        rows = results.pick(whole, track="self", renderer="warp", views=views, group=group, measure="l1_face")
        return int(rows[0]["n"])

    assert (n(1, "all"), n(8, "all"), n(1, "long"), n(8, "long"), n(1, "glasses")) == (2, 1, 1, 1, 2)
    one, eight = (
        results.pick(whole, track="self", renderer="still", views=v, group="long", measure="l1_face")[0]["value"]
        for v in (1, 8)
    )
    # The baseline shows the first view only, so the same frames must have been compared.
    assert one == eight


def test_what_moves_comes_closer_than_what_does_not(report: Path):
    whole = results.read(report)
    figures = {
        row["renderer"]: row["value"]
        for row in results.pick(whole, track="self", views=1, group="all", measure="l1_mouth")
    }
    assert figures["warp"] < 0.6 * figures["still"]


def test_a_photograph_counts_among_the_photographs(report: Path):
    rows = results.pick(results.read(report), track="cross", group="photo", measure="csim_portrait", renderer="still")
    assert rows[0]["n"] == 4
    assert rows[0]["value"] == pytest.approx(1)


def test_a_run_resumes(report: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Judges, "load", plain_judges)
    before = (report / "results.json").read_text()
    loaded = []
    honest = shots.load_shot
    monkeypatch.setattr(shots, "load_shot", lambda source, *rest: loaded.append(source.id) or honest(source, *rest))
    command.evaluate(report, MODELS, data=dataset, views=[1, 8], size="quick", command="gioconda evaluate")
    assert set(loaded) <= {"broken", "tiny"}
    again = json.loads((report / "results.json").read_text())
    assert [r for r in again["rows"] if r["track"] == "self"] == results.pick(json.loads(before), track="self")
    assert results.pick(again, track="cross") == results.pick(json.loads(before), track="cross")


def test_a_plain_folder_of_videos_will_do(
    tmp_path: Path, portrait: Portrait, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(Judges, "load", plain_judges)
    draw = drawer(FLOW, portrait.views)
    target = performed(sitter_of(portrait.views[0].points), acting(2.0, 15))
    film(tmp_path / "me.mp4", [draw(face) for face in target], 15)
    film(tmp_path / "noise.mp4", noise(20))
    run = command.evaluate(tmp_path / "out", MODELS, data=tmp_path, size="quick")
    assert {kept.clip for kept in run.kept} == {"me"}
    assert [failure.clip for failure in run.failed] == ["noise"]
    assert "no face" in run.failed[0].reason
    assert any("trained" in warning for warning in run.warnings)
    figures = {kept.renderer: kept.values["l1_face"][0] for kept in run.kept}
    assert figures["warp"] < figures["still"]


def test_the_markdown_has_every_track(report: Path):
    text = (report / "results.md").read_text()
    assert "Track `self`" in text
    assert "Track `cross`" in text
    assert "not measured" in text


class Page(HTMLParser):
    """Collects what a page refers to, and checks that its elements are closed in order."""

    void = ("meta", "img", "br", "link", "input", "hr", "line", "circle", "polyline", "polygon", "progress")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def test_the_report_is_whole_and_needs_nothing_from_outside(report: Path):
    page = parsed(report / "report.html")
    assert page.addresses
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert any(address.startswith("data:image/webp") for address in page.addresses)
    assert any(address.startswith("data:image/jpeg") for address in page.addresses)
    text = " ".join(page.text)
    for words in ("Look first", "Liveliness against fidelity", "What more pictures bring", "Worst frames", "tiny"):
        assert words in text


def browse(page: Path, shot: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium here to open the page with")
    given = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,1600", f"--screenshot={shot}"]
    subprocess.run([CHROMIUM, *given, page.as_uri()], check=True, capture_output=True, timeout=60)


def test_the_report_opens_in_a_browser(report: Path, tmp_path: Path):
    browse(report / "report.html", tmp_path / "page.png")
    picture = cv2.imread(str(tmp_path / "page.png"))
    assert picture.std() > 5


# the study


def test_triplets_have_one_odd_frame(report: Path):
    found = {(f"clip{k}", "flow-1"): [0, 3, 6, 9] for k in range(40)}
    triplets = study.choose(found, seed=1)
    assert len(triplets) == study.TRIPLETS
    assert triplets == study.choose(found, seed=1)
    assert triplets != study.choose(found, seed=2)
    for triplet in triplets:
        assert len(set(triplet.frames)) == 3
        assert triplet.kinds.count(triplet.kinds[triplet.odd]) == 1
    made = sum(triplet.kinds[triplet.odd] == "made" for triplet in triplets)
    assert made == study.TRIPLETS / 2
    assert study.choose({("a", "b"): [1, 2]}, seed=0) == []


def test_the_study_is_a_page(report: Path, tmp_path: Path):
    assert main(["evaluate", "--study", str(report), "--out", str(tmp_path / "study.html")]) == 0
    text = (tmp_path / "study.html").read_text()
    assert "{{DATA}}" not in text
    assert text.count("data:image/jpeg") >= 3
    browse(tmp_path / "study.html", tmp_path / "study.png")
    with pytest.raises(OutputError):
        study.write(report, tmp_path / "study.txt")
    with pytest.raises(UsageError, match="does not exist"):
        study.write(tmp_path, tmp_path / "study.html")


def test_the_study_counts_what_is_found_out(report: Path, tmp_path: Path):
    if CHROMIUM is None:
        pytest.skip("no Chromium here to open the page with")
    assert study.write(report, tmp_path / "study.html", most=3) == 3
    browser = Browser(tmp_path / "profile", 1000, 900)
    try:
        browser.open((tmp_path / "study.html").as_uri(), "document.readyState === 'complete'")
        browser.ask("document.querySelector('#begin').click()")
        # The first two are found out, by mouse and by key; the third is not.
        browser.ask("document.querySelectorAll('#three button')[study.triplets[0].odd].click()")
        browser.key(str(browser.ask("study.triplets[1].odd + 1")))
        browser.ask("document.querySelectorAll('#three button')[(study.triplets[2].odd + 1) % 3].click()")
        assert browser.ask("document.querySelector('#share').textContent") == "0.67"
        assert browser.ask("document.querySelector('#words').textContent").startswith("2 of 3 found out")
        assert browser.ask("answers.map((answer) => answer.found)") == [True, True, False]
    finally:
        browser.close()


# one clip


def test_likeness_to_the_portrait_frame_by_frame():
    """The made identity vector turns by as many degrees as the picture's first pixel says."""

    def embed(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
        turned = math.radians(float(rgb[0, 0, 0]))
        return np.array([math.cos(turned), math.sin(turned), *[0.0] * 126])

    def picture(degrees: int) -> np.ndarray:
        rgb = textured()
        rgb[0, 0] = degrees
        return rgb

    judges = replace(plain_judges(), identity=SimpleNamespace(embed=embed))
    black = np.zeros((128, 128, 3), np.uint8)
    driver = grading.watch([(k / 25, picture(0)) for k in range(5)], judges)
    person = grading.watch([(0.0, picture(0))], judges)
    clip = [(k / 25, rgb) for k, rgb in enumerate([*map(picture, (60, 0, 30, 30)), black])]
    values = grading.grade_cross(clip, picture(0), person, driver, judges).values
    assert values["csim_portrait"] == pytest.approx((math.cos(math.radians(30)), 1))
    assert values["csim_worst"] == pytest.approx((0.5, 1))
    assert values["faces_found"] == pytest.approx((0.8, 1))


def test_a_portrait_is_brought_to_the_size_of_its_clip():
    portrait = textured(101, 75)
    padded, head = scoring.fit(portrait, flat(0, 102, 76))
    assert head is None
    assert padded.shape == (102, 76, 3)
    assert (padded[:101, :75] == portrait).all()
    smaller, head = scoring.fit(portrait, flat(0, 51, 38))
    assert head is None
    assert smaller.shape == (51, 38, 3)
    other, head = scoring.fit(portrait, flat(0, 60, 60))
    assert head == (0, 0, 60, 60)
    assert other is portrait


def test_a_clip_is_graded(
    picture: Path, driver: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(Judges, "load", plain_judges)
    given = ["--portrait", str(picture), "--driver", str(driver), "--models", str(MODELS)]
    assert main(["score", str(driver), *given, "--out", str(tmp_path / "grades.json")]) == 0
    assert "not measured" in capsys.readouterr().out
    grades = json.loads((tmp_path / "grades.json").read_text())
    # The driver itself, graded against itself.
    assert grades["measures"]["aed"]["value"] == pytest.approx(0, abs=1e-6)
    assert grades["measures"]["correlation_yaw"]["value"] in (None, pytest.approx(1))
    assert grades["measures"]["jitter"]["value"] == pytest.approx(1)
    black = film(tmp_path / "black.mp4", [np.zeros((64, 64, 3), np.uint8)] * 5)
    assert main(["score", str(driver), "--portrait", str(picture), "--driver", str(black), "--models", "."]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--track", "cross"], "--portraits"),
        (["x", "--tracker", "mediapipe"], "--track cross"),
        (["x", "--views", "40"], "1 to 32"),
        (["x", "--renderer", "magic"], "no renderer"),
        ([], "needs DATA"),
        (["missing"], "not a folder"),
    ],
)
def test_wrong_options_are_explained(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(Judges, "load", plain_judges)
    assert main(["evaluate", *arguments, "--models", str(MODELS), "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"format": "gioconda-evaluation", "version": 9}'])
def test_damaged_results_are_explained(tmp_path: Path, text: str):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UsageError, match=r"results\.json"):
        results.read(tmp_path)


def test_incomplete_results_are_explained(tmp_path: Path):
    (tmp_path / "results.json").write_text('{"format": "gioconda-evaluation", "version": 1}')
    with pytest.raises(UsageError, match="incomplete"):
        results.read(tmp_path)


def test_a_foreign_results_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Path):
    monkeypatch.setattr(Judges, "load", plain_judges)
    (tmp_path / "results.json").write_text('{"mine": 1}')
    with pytest.raises(UsageError, match="not a result"):
        command.evaluate(tmp_path, MODELS, data=dataset, size="quick")
    assert (tmp_path / "results.json").read_text() == '{"mine": 1}'


# learned renderers, and networks that a user gives


def card_of(weights: Path, folder: Path, **about: object) -> Path:
    """A copy of the network with a card of its own."""
    copy = folder / weights.name
    shutil.copy(weights, copy)
    card = {"sha256": sha256_of(copy)} | about
    copy.with_suffix(".json").write_text(json.dumps(card))
    return copy


def evaluated(out: Path, data: Path, *arguments: object) -> int:
    given = ["--models", MODELS, "--out", out, "--quick", *arguments]
    return main(["evaluate", *map(str, [data, *given])])


@pytest.mark.parametrize("listed", [{"people": ["long", "a"], "shots": ["b"]}, {"people": ["a"], "shots": ["long"]}])
def test_a_network_trained_on_whom_it_is_measured_on_is_refused(
    listed: dict[str, list[str]],
    weights: Path,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(Judges, "load", plain_judges)
    trained = card_of(weights, tmp_path, trained_on=listed)
    assert evaluated(tmp_path / "out", dataset, "--renderer", "warp", "--weights", trained) == 2
    said = capsys.readouterr().err
    assert "trained on 1 of the people and shots" in said
    assert "(long, by warp.json)" in said
    assert not (tmp_path / "out" / "results.json").exists()


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"trained_on": {"people": ["a"], "shots": ["b"]}}, ""),
        ({}, "does not list the people"),
        ({"trained_on": {"people": [], "shots": []}}, "does not list the people"),
        ({"trained_on": {"people": ["long"], "shots": ["b"]}, "sha256": "0"}, "another file"),
    ],
)
def test_a_card_that_says_too_little_is_warned_of(about: dict[str, Any], words: str, weights: Path, tmp_path: Path):
    source = shots.Source("long", tmp_path / "long.mp4", person="long")
    found = cards.check(card_of(weights, tmp_path, **about), [source])
    assert [words in text for text in found] == [True] * bool(words)


def test_names_alone_do_not_speak_against_the_packages_own_network(tmp_path: Path):
    listed = json.loads(OWN_NETWORK.with_suffix(".json").read_text())["trained_on"]
    person, shot = listed["people"][0], listed["shots"][0]
    (warning,) = cards.check(OWN_NETWORK, [shots.Source("a", tmp_path / "a.mp4", person=person)])
    assert person in warning
    with pytest.raises(UsageError, match="was trained on"):
        cards.check(OWN_NETWORK, [shots.Source(shot, tmp_path / "a.mp4", person=person)])
    assert cards.check(OWN_NETWORK, [shots.Source("a", tmp_path / "a.mp4", person="nobody else")]) == []


@pytest.mark.parametrize(
    ("names", "given", "own"),
    [
        (["warp"], 0, [True]),
        (["warp", "flow"], 0, [True, None]),
        (["warp"], 1, [False]),
        (["flow", "warp"], 1, [None, False]),
    ],
)
def test_whose_network_is_measured(names: list[str], given: int, own: list[bool | None], weights: Path):
    found = renderers.check(names, [1], [weights] * given)[1:]
    files = {True: OWN_NETWORK, False: weights, None: None}
    assert [contender.weights for contender in found] == [files[which] for which in own]


def test_videos_of_nobody_knows_whom_are_not_taken_for_those_of_the_same_name(weights: Path, tmp_path: Path):
    trained = card_of(weights, tmp_path, trained_on={"people": ["long"], "shots": ["long"]})
    assert cards.check(trained, [shots.Source("long", tmp_path / "long.mp4")]) == []
    trained.with_suffix(".json").write_text("[]")
    assert "has no card" in cards.check(trained, [])[0]


def test_warp_is_measured_beside_the_others(
    weights: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Judges, "load", plain_judges)
    out = tmp_path / "out"
    assert evaluated(out, dataset, "--renderer", "warp", "flow", "--weights", weights) == 0
    whole = results.read(out)
    about = whole["runs"]["self"]
    digest = sha256_of(weights)
    assert about["weights"]["warp"] == digest
    assert any("does not list the people" in text for text in about["warnings"])
    assert "does not list the people" in " ".join(parsed(out / "report.html").text)
    rows = {row["renderer"]: row for row in results.pick(whole, group="all", measure="l1_mouth")}
    assert (rows["warp"]["mode"], rows["warp"]["weights"]) == ("feed-forward", {"warp": digest})
    assert rows["flow"]["weights"] == {}
    # It has learned nothing, and paints over mouths: were `flow` measured under its name, both were equal.
    assert rows["warp"]["value"] > rows["flow"]["value"] + 0.5
    judged = {"a judge": "0"}
    assert fingerprint({}, judged | {"warp": digest}) != fingerprint({}, judged | {"warp": "1"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--renderer", "sketch-ff", "warp", "--weights", "text"], "1 given for sketch-ff, warp"),
        (["--renderer", "flow", "--weights", "text"], "1 given for none"),
        (["--renderer", "warp", "--weights", "text"], "not a network"),
        (["--renderer", "warp", "--weights", "missing"], "not a network"),
        (["--lpips", "text"], "safetensors"),
        (["--fid", "missing"], "safetensors"),
        (["--track", "cross", "--lpips", "text"], "--track self"),
    ],
)
def test_networks_of_no_use_are_explained(
    arguments: list[str],
    words: str,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    if "--lpips" in arguments or "--fid" in arguments:
        pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
    monkeypatch.setattr(Judges, "load", plain_judges)
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("no network")
    assert evaluated(tmp_path / "out", dataset, *arguments) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_lpips_and_fid_are_measured_where_their_networks_are_given(
    portrait: Portrait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
    from test_perceptual import write_inception, write_lpips

    monkeypatch.setattr(Judges, "load", plain_judges)
    data = write_dataset(tmp_path, portrait, {"brief": 19})
    files = {"lpips": write_lpips(tmp_path / "l.safetensors"), "fid": write_inception(tmp_path / "f.safetensors")}
    out = tmp_path / "out"
    assert evaluated(out, data, "--lpips", files["lpips"], "--fid", files["fid"]) == 0
    assert "not measured" not in capsys.readouterr().out
    whole = results.read(out)
    for measure, name in (("lpips", "lpips alex"), ("fid", "fid inception")):
        rows = {row["renderer"]: row for row in results.pick(whole, group="all", measure=measure)}
        digest = sha256_of(files[measure])
        assert whole["runs"]["self"]["weights"][name] == digest
        assert rows["warp"]["weights"][name] == digest
        assert 0 < rows["warp"]["value"] < rows["still"]["value"]
    assert all(set(row["weights"]) <= {"warp"} for row in results.pick(whole, measure="l1_face"))
    assert [pair["n"] for pair in whole["pairs"] if pair["measure"] == "lpips"] == [1]


# with the real judges


def test_real_judges_prefer_what_moves(dataset: Path, tmp_path: Path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: the measuring networks cannot run")
    if not MODELS.is_dir():
        pytest.skip(f"{MODELS} is not there: the measuring networks are not part of the package")
    run = command.evaluate(tmp_path, MODELS, data=dataset, size="quick")
    figures = {(kept.renderer, kept.clip): kept.values for kept in run.kept}
    still, warp = figures["still", "long"], figures["warp", "long"]
    assert warp["akd"][0] < still["akd"][0]
    assert warp["aed"][0] < still["aed"][0]
    assert warp["csim_truth"][0] > 0.7
    assert len(run.weights) == 7
    folder = ClipFolder(run.root, "long")
    assert folder.watched("warp", 1).vectors.shape[1] == 128
