"""Losses, networks, samples, training and export, on a dataset small enough for a test."""
# ruff: noqa: E402 (imports come after the check that torch is there)

import hashlib
import json
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")

import onnxruntime
from safetensors.torch import load_file

from gioconda import View
from gioconda.cli import main
from gioconda.errors import UsageError
from gioconda.face import BROWS, EYES, FOREHEAD, LIPS_INNER_LOWER, LIPS_INNER_UPPER, NOSE_TIP, eye_distance
from gioconda.learning.checkpoint import NAME, checkpoint_header
from gioconda.learning.dataset import EXCLUDED_SOURCES, training_shots, training_stills
from gioconda.learning.export import export_warp
from gioconda.learning.losses import edge_loss, feature_matching, hinge_discriminator, mean_score, pixel_loss
from gioconda.learning.painter import Discriminator, Painter, painted
from gioconda.learning.pairs import make_samples, with_mouth
from gioconda.learning.train_warp import WarpTraining, _Learner, _recoloured, _stretched, train_warp
from gioconda.neutral import mouth_gap
from gioconda.rendering import FlowRenderer, composite
from gioconda.rendering.clues import CHANNELS, WINDOWS
from gioconda.retarget import Gains, Sitter, retarget
from makers import GOOD, STILL, acting, film, jaw, movement, performed, sitter_of, write_landmarks

torch.set_num_threads(1)


SIZES = sorted(WINDOWS.items())
TINY = WarpTraining(samples=2, batch=2, adversarial_from=2)
GREEN = np.array([0.1, 1.0, 0.1])
"""Tint of the dataset's only usable still: its samples are told from those of shots by it."""


def picture(*rows):
    """A picture, (1, 3, h, w), with the same three channels."""
    return torch.tensor(rows, dtype=torch.float32)[None, None].repeat(1, 3, 1, 1)


def mask(*rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def clues_of(kind, count=1, seed=0):
    width, height = WINDOWS[kind]
    return torch.rand(count, CHANNELS, height, width, generator=torch.Generator().manual_seed(seed))


def wild_painter(seed=0):
    """A painter that paints something, unlike a fresh one."""
    torch.manual_seed(seed)
    painter = Painter()
    torch.nn.init.normal_(painter.leave.weight, std=0.3)
    return painter


def batches(count, size=2):
    """What `_recoloured, _stretched` gives, in a window of 32 pixels, of noise."""
    generator = torch.Generator().manual_seed(3)
    return [torch.rand(size, CHANNELS + 4, 32, 32, generator=generator) for _ in range(count)]


# Losses


def test_pixel_loss_by_hand():
    made, truth = picture([0.1, 1.0]), picture([0.3, 0.0])
    assert float(pixel_loss(made, truth, mask([1, 1]))) == pytest.approx((0.2 + 1.0) / 2, abs=1e-5)
    assert float(pixel_loss(made, truth, mask([1, 0]))) == pytest.approx(0.2, abs=1e-5)
    assert float(pixel_loss(made, truth, mask([1, 3]))) == pytest.approx((0.2 + 3 * 1.0) / 4, abs=1e-5)
    one_channel = truth.clone()
    one_channel[:, 0] = made[:, 0]
    assert float(pixel_loss(made, one_channel, mask([1, 1]))) == pytest.approx(0.4, abs=1e-5)


def test_pixel_loss_of_no_weight_is_nought():
    assert float(pixel_loss(picture([1.0, 1.0]), picture([0.0, 0.0]), mask([0, 0]))) == 0


def test_edge_loss_by_hand():
    flat, column = picture([0, 0], [0, 0]), picture([0, 1], [0, 1])
    everywhere = mask([1, 1], [1, 1])
    assert float(edge_loss(column, flat, everywhere)) == pytest.approx(1, abs=1e-5)
    # A row of 1 below a row of 0, and half an edge from left to right above.
    both = picture([0, 0.5], [1, 1])
    down, across = (1 + 0.5) / 2, (0.5 + 0) / 2
    assert float(edge_loss(both, flat, everywhere)) == pytest.approx(down + across, abs=1e-5)
    # The weight is that of a pair's later pixel.
    down, across = (1 * 2 + 0.5 * 0) / 2, (0.5 * 3 + 0 * 0) / 3
    assert float(edge_loss(both, flat, mask([7, 3], [2, 0]))) == pytest.approx(down + across, abs=1e-5)


def test_edge_loss_does_not_mind_another_brightness():
    torch.manual_seed(0)
    made = torch.rand(1, 3, 5, 6) / 2
    assert float(edge_loss(made, made + 0.3, torch.ones(1, 1, 5, 6))) == pytest.approx(0, abs=1e-5)


def test_scores_count_where_something_was_painted():
    scores = mask([4.0, 1.0])
    assert float(mean_score(scores, mask([1, 1]))) == pytest.approx(2.5, abs=1e-5)
    assert float(mean_score(scores, mask([1, 0.5]))) == pytest.approx((4 + 0.5) / 1.5, abs=1e-5)
    # A finer weight is averaged over each score's place.
    fine = mask([0, 0, 1, 1], [0, 0, 0, 0])
    assert float(mean_score(scores, fine)) == pytest.approx(1, abs=1e-5)
    assert float(mean_score(scores, mask([0, 0]))) == 0


def test_hinge_loss_by_hand():
    real, made = mask([2.0, 0.0]), mask([-2.0, 0.5])
    assert float(hinge_discriminator(real, made, mask([1, 1]))) == pytest.approx((0 + 1) / 2 + (0 + 1.5) / 2, abs=1e-5)
    assert float(hinge_discriminator(real, made, mask([1, 0]))) == 0
    assert float(hinge_discriminator(real, made, mask([1, 3]))) == pytest.approx(3 / 4 + 3 * 1.5 / 4, abs=1e-5)


def test_feature_matching_by_hand_teaches_only_the_painter():
    real = [torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([0.0], requires_grad=True)]
    made = [torch.tensor([2.0, 1.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)]
    loss = feature_matching(real, made)
    assert float(loss.detach()) == pytest.approx((1 + 3) / 2)
    loss.backward()
    assert all(a.grad is None for a in real)
    assert made[0].grad.tolist() == pytest.approx([0.25, -0.25])
    assert made[1].grad.tolist() == pytest.approx([0.5])


# Networks


def test_painted_by_hand():
    clues = torch.full((1, CHANNELS, 1, 3), 0.2)
    output = torch.tensor([0.9, 0.8, 0.7, 1.0])[None, :, None, None].repeat(1, 1, 1, 3)
    result = painted(clues, mask([0, 1, 0.5]), output)
    assert result[0, :, 0, 0].tolist() == pytest.approx([0.2] * 3)
    assert result[0, :, 0, 1].tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert result[0, :, 0, 2].tolist() == pytest.approx([0.55, 0.5, 0.45])


def test_a_shut_gate_keeps_the_picture_exactly():
    clues = clues_of("mouth")
    output = wild_painter()(clues)
    assert (painted(clues, torch.zeros(1, 1, 96, 96), output) == clues[:, :3]).all()
    assert (painted(clues, torch.ones(1, 1, 96, 96), output) - clues[:, :3]).abs().max() > 0.1


@pytest.mark.parametrize(("kind", "size"), SIZES)
def test_the_painter_keeps_shape_and_range(kind, size):
    with torch.no_grad():
        output = wild_painter()(clues_of(kind, 2))
    assert output.shape == (2, 4, size[1], size[0])
    assert output.min() >= 0
    assert output.max() <= 1
    assert output[:, 3].std() > 0.01


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fresh_painter_changes_nothing(seed):
    torch.manual_seed(seed)
    clues = clues_of("eyes")
    with torch.no_grad():
        colour = Painter()(clues)[:, :3]
    # Half a level of 255.
    assert (colour - clues[:, :3]).abs().max() < 0.5 / 255


def test_learning_reaches_every_part_of_the_painter():
    torch.manual_seed(0)
    painter = Painter()
    steps = torch.optim.SGD(painter.parameters(), 0.1)
    clues = 0.3 + 0.4 * clues_of("eyes")
    truth, gate = torch.rand(1, 3, 64, 128), torch.ones(1, 1, 64, 128)

    def learn():
        steps.zero_grad()
        pixel_loss(painted(clues, gate, painter(clues)), truth, gate).backward()
        return {name for name, p in painter.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}

    # The last layer begins at nought: nothing before it can learn yet.
    first = learn()
    assert {"leave.weight", "leave.bias"} <= first
    assert "enter.weight" not in first
    steps.step()
    assert learn() == {name for name, _ in painter.named_parameters()}


@pytest.mark.parametrize(("kind", "size"), SIZES)
def test_the_discriminator_judges_place_by_place(kind, size):
    torch.manual_seed(0)
    judge = Discriminator()
    clues = clues_of(kind, 2)
    scores, features = judge(clues[:, :3], clues[:, 6:])
    assert scores.shape == (2, 1, size[1] // 16, size[0] // 16)
    assert [f.shape[2:] for f in features] == [(size[1] // n, size[0] // n) for n in (2, 4, 8, 16)]
    hinge_discriminator(scores, torch.full_like(scores, -2), torch.ones(2, 1, size[1], size[0])).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in judge.parameters())


# The dataset


REFUSED = {
    "agpl": {"repo_licence": "AGPL-3.0", "source": "x/agpl"},
    "nc": {"repo_licence": "CC-BY-NC"},
    "ncsa": {"repo_licence": "CC-BY-NC-SA"},
    "noncommercial": {"repo_licence": "non-commercial"},
    "eval": {"split": "eval"},
    "soft": {"upscale": 1.61},
    "brief": {"frames": 15},
}


@pytest.fixture(scope="module")
def view(portrait):
    return View(portrait.views[0].rgb, portrait.views[0].points)


@pytest.fixture(scope="module")
def data(tmp_path_factory, view):
    """A dataset folder with one usable shot, one usable still, and one of each kind that must not be used."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "clips").mkdir()
    (folder / "stills").mkdir()
    points = performed(sitter_of(view.points), acting(20 / 15, 15))
    render = FlowRenderer([view])
    film(folder / "clips" / "good.mp4", (composite(view, render(face))[0] for face in points), 15)
    shots = {"good": {}, **REFUSED}
    for name in shots:
        np.save(folder / f"{name}.npy", write_landmarks(folder / "clips" / f"{name}.npy.xz", points))
    rows = [{"id": name, **GOOD, **special} for name, special in shots.items()]
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    opened = retarget(Sitter.of(view.points, 256, 256), movement(offsets=jaw(0.25)), Gains())
    rgb = np.rint(composite(view, render(opened))[0] * GREEN).astype(np.uint8)
    stills = {"open": {}, "shut": {"mouth_open": 0.11}, "held": {"split": "eval"}, "soft": {"upscale": 1.7}}
    # Sources whose footage or whose own licence says that what is learned from them must not ship.
    stills |= {"agpl": {"source": "x/agpl"}, "sold": {"source": EXCLUDED_SOURCES[0]}}
    for name in stills:
        cv2.imwrite(str(folder / "stills" / f"{name}.jpg"), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 97])
    rows = [{"id": name, **STILL, **special} for name, special in stills.items()]
    (folder / "stills.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    faces = np.stack([np.rint(opened * 8).astype(np.int16) + number for number in range(len(stills))])
    np.savez(folder / "stills.npz", ids=np.array(list(stills)), landmarks=faces)
    return folder


def test_shots_come_back_exactly(data):
    (shot,) = training_shots(data)
    assert (shot.id, shot.person) == ("good", "p1")
    assert shot.points.dtype == np.float32
    assert (shot.points == np.load(data / "good.npy")).all()
    assert len(shot.points) == 20


def test_frames_of_a_shot_fit_its_landmarks(data, view):
    (shot,) = training_shots(data)
    numbers = np.array([0, 5, 19])
    frames = shot.frames(numbers)
    assert frames.shape == (3, 256, 256, 3)
    render = FlowRenderer([view])
    drawn = [composite(view, render(points))[0].astype(int) for points in shot.points[numbers]]
    unlike = np.array([[np.abs(rgb - other).mean() for other in drawn] for rgb in frames])
    assert (unlike.argmin(axis=1) == np.arange(3)).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_be_learned_from_is_refused(data, tmp_path, name):
    assert name not in [shot.id for shot in training_shots(data)]
    (tmp_path / "clips.jsonl").write_text(json.dumps({"id": name, **GOOD, **REFUSED[name]}) + "\n")
    with pytest.raises(UsageError, match="no training shot"):
        training_shots(tmp_path)


def test_the_limits_themselves_are_accepted(data, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "edge.npy.xz").write_bytes((data / "clips" / "good.npy.xz").read_bytes())
    row = {"id": "edge", **GOOD, "upscale": 1.6, "frames": 16, "repo_licence": "none"}
    (tmp_path / "clips.jsonl").write_text(json.dumps(row) + "\n")
    assert [shot.id for shot in training_shots(tmp_path)] == ["edge"]


def test_a_licence_must_be_stated(tmp_path):
    row = {name: value for name, value in GOOD.items() if name != "repo_licence"}
    (tmp_path / "clips.jsonl").write_text(json.dumps({"id": "good", **row}) + "\n")
    with pytest.raises(UsageError, match="a line lacks licence"):
        training_shots(tmp_path)


def test_stills_come_back_exactly(data):
    ((rgb, points),) = training_stills(data, 0.12)
    assert rgb.shape == (256, 256, 3)
    assert (points == np.load(data / "stills.npz")["landmarks"][0] / 8).all()
    assert len(list(training_stills(data, 0.1))) == 2


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(UsageError, match=r"not a dataset folder.*clips\.jsonl"):
        training_shots(tmp_path)


# Samples


@pytest.fixture(scope="module")
def opened(view):
    return retarget(Sitter.of(view.points, 256, 256), movement(offsets=jaw(0.25)), Gains())


def lip_gaps(points):
    """How far each inner landmark of the lower lip is below its counterpart."""
    return points[list(LIPS_INNER_LOWER), 1] - points[list(LIPS_INNER_UPPER), 1]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_with_mouth_leaves_that_share_of_the_opening(opened, share):
    moved = with_mouth(opened, share)
    assert moved.dtype == np.float32
    assert mouth_gap(moved) / mouth_gap(opened) == pytest.approx(share, abs=0.15)


def test_with_mouth_does_not_cross_the_lips(opened):
    assert lip_gaps(opened).min() >= 0
    assert lip_gaps(with_mouth(opened, 0.0)).min() > -0.01 * eye_distance(opened)


def test_with_mouth_leaves_the_upper_face_still(opened):
    moved = with_mouth(opened, 0.0)
    eyes = [i for eye in EYES for i in (*eye.upper, *eye.lower, *eye.crease, *eye.iris)]
    above = [*eyes, *BROWS[0], *BROWS[1], FOREHEAD, NOSE_TIP]
    assert np.abs(moved[above] - opened[above]).max() < 1e-3
    assert moved[152, 1] < opened[152, 1] - 1


def test_with_the_whole_mouth_nothing_moves(opened):
    assert np.abs(with_mouth(opened, 1.0) - opened).max() < 1e-3


@pytest.fixture(scope="module")
def samples(data):
    """By the hue of what they show: one from a still, one from a shot."""
    found = {}
    for sample in islice(make_samples(data, 0), 60):
        red, green, _ = sample.windows["mouth"][..., 11:].reshape(-1, 3).mean(axis=0)
        found.setdefault("still" if green > 3 * red else "shot", sample)
        if len(found) == 2:
            return found
    pytest.fail(f"60 samples came from {list(found)} alone")


@pytest.mark.parametrize("origin", ["shot", "still"])
@pytest.mark.parametrize(("kind", "size"), SIZES)
def test_samples_have_the_shape_of_their_windows(samples, origin, kind, size):
    window = samples[origin].windows[kind]
    assert set(samples[origin].windows) == set(WINDOWS)
    assert window.dtype == np.uint8
    assert window.shape == (size[1], size[0], CHANNELS + 4)
    # Masks say where mouth and eyes are: neither nowhere nor everywhere.
    for channel in (7,) if kind == "mouth" else (8, 9):
        assert 0.005 < (window[..., channel] > 127).mean() < 0.5


@pytest.mark.parametrize("origin", ["shot", "still"])
@pytest.mark.parametrize("kind", WINDOWS)
def test_the_truth_lies_where_the_warp_puts_the_face(samples, origin, kind):
    window = samples[origin].windows[kind].astype(int)
    warped, gate, truth = window[..., :3], window[..., 10], window[..., 11:]
    skin = (gate == 0) & (window[..., 6:10].max(axis=2) == 0)
    assert skin.mean() > 0.1
    apart = np.abs(warped - truth).mean(axis=2)[skin].mean()
    aside = np.abs(warped - np.roll(truth, 4, axis=1)).mean(axis=2)[skin].mean()
    assert apart < 6
    assert apart < 0.7 * aside


def test_samples_are_the_same_for_the_same_seed(data):
    first, again, other = (list(islice(make_samples(data, seed), 2)) for seed in (5, 5, 6))
    for kind in WINDOWS:
        assert all((a.windows[kind] == b.windows[kind]).all() for a, b in zip(first, again, strict=True))
        assert any((a.windows[kind] != b.windows[kind]).any() for a, b in zip(first, other, strict=True))


# Training


def test_recolouring_treats_all_pictures_of_a_window_alike():
    random = np.random.default_rng(0)
    shown = random.random((8, 3, 16, 24), np.float32)
    masks = random.random((8, 5, 16, 24), np.float32)
    x = torch.from_numpy(np.concatenate([shown, shown, masks, shown], axis=1))
    y = _recoloured(x, random)
    assert y.shape == (8, CHANNELS + 4, 16, 24)
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    assert (y[:, :3] == y[:, 3:6]).all()
    assert (y[:, :3] == y[:, 11:]).all()
    assert (y[:, :3] != x[:, :3]).any()
    assert (y[:, 6:11] == x[:, 6:11]).all()


def test_stretching_moves_a_whole_window():
    ramp = torch.linspace(-1, 1, 24)[None, None, None].expand(16, 3, 16, 24)
    y = _stretched(ramp, np.random.default_rng(0))
    assert (y[:, :1] == y).all()
    mirrored = (y[:, 0, 8, 12] < y[:, 0, 8, 11]).tolist()
    assert 4 <= sum(mirrored) <= 12
    down = torch.linspace(-1, 1, 16)[None, None, :, None].expand(16, 1, 16, 24)
    slopes = [float(z[0, 10, 12] - z[0, 6, 12]) / (4 * 2 / 15) for z in _stretched(down, np.random.default_rng(0))]
    assert 1 / 1.65 < min(slopes) < 0.8 < 1 < max(slopes) < 1.25


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Six steps at once, and the same in two halves with a checkpoint between: folders of both runs."""
    given = batches(6)
    whole, split = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("split")
    learner = _Learner(TINY, "cpu")
    losses = [learner.learn(batch) for batch in given]
    learner.save(whole)
    learner = _Learner(TINY, "cpu")
    for batch in given[:3]:
        learner.learn(batch)
    learner.save(split)
    learner = _Learner(replace(TINY, seed=9), "cpu")
    learner.resume(split)
    assert learner.step == 3
    for batch in given[3:]:
        learner.learn(batch)
    learner.save(split)
    return whole, split, losses


def test_learning_in_two_halves_is_learning_at_once(halves):
    whole, split, _ = halves
    one, two = (load_file(run / "checkpoint.safetensors") for run in (whole, split))
    assert one.keys() == two.keys()
    assert {name.split(".")[0] for name in one} == {"painter", "mean", "discriminator", "steps"}
    for name in one:
        assert torch.allclose(one[name].float(), two[name].float(), rtol=1e-4, atol=1e-6), name
    assert checkpoint_header(split / NAME)[0] == 6
    start = _Learner(TINY, "cpu").painter.state_dict()
    assert max(float((one[f"painter.{k}"] - v).abs().max()) for k, v in start.items()) > 1e-4


def test_the_discriminator_joins_when_it_should(halves):
    losses = halves[2]
    assert ["judged" in step for step in losses] == [False, False, True, True, True, True]
    assert all(np.isfinite(value) for step in losses for value in step.values())


def test_a_checkpoint_comes_back_as_it_was(tmp_path, halves):
    learner = _Learner(replace(TINY, seed=4), "cpu")
    learner.resume(halves[0])
    learner.save(tmp_path)
    one, two = (load_file(run / "checkpoint.safetensors") for run in (halves[0], tmp_path))
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.safetensors"]


def test_the_running_mean_moves_with_the_weights():
    learner = _Learner(replace(TINY, average=0.75, adversarial_from=99), "cpu")
    for share in (0.9, 1 - 2 / 11):  # the mean is young: it follows quicker than it will
        before = [p.detach().clone() for p in learner.mean.parameters()]
        learner.learn(batches(1)[0])
        moved = 0.0
        for old, new, kept in zip(before, learner.painter.parameters(), learner.mean.parameters(), strict=True):
            assert torch.allclose(kept, old + share * (new - old), atol=1e-7)
            moved = max(moved, float((kept - old).abs().max().detach()))
        assert moved > 1e-5
    learner.step = 1000
    before = [p.detach().clone() for p in learner.mean.parameters()]
    learner.learn(batches(1)[0])
    for old, new, kept in zip(before, learner.painter.parameters(), learner.mean.parameters(), strict=True):
        assert torch.allclose(kept, old + 0.25 * (new - old), atol=1e-7)


def test_the_painter_learns():
    learner = _Learner(replace(TINY, rate=3e-3, adversarial_from=99), "cpu")
    clues = 0.2 + 0.2 * torch.rand(1, CHANNELS, 32, 32, generator=torch.Generator().manual_seed(1))
    batch = torch.cat([clues, torch.ones(1, 1, 32, 32), torch.full((1, 3, 32, 32), 0.7)], dim=1)
    losses = [learner.learn(batch) for _ in range(12)]
    assert losses[-1]["pixels"] < 0.9 * losses[0]["pixels"]
    assert losses[-1]["untouched"] == pytest.approx(losses[0]["untouched"])
    assert losses[0]["untouched"] == pytest.approx(0.4, abs=0.02)


def test_a_run_goes_on_where_it_stopped(tmp_path, data):
    learner = _Learner(TINY, "cpu")
    learner.learn(batches(1)[0])
    learner.save(tmp_path)
    before = load_file(tmp_path / "checkpoint.safetensors")
    train_warp(data, tmp_path, TINY, 0.0)
    after = load_file(tmp_path / "checkpoint.safetensors")
    assert all((before[name] == after[name]).all() for name in before)
    assert checkpoint_header(tmp_path / NAME)[0] == 1
    pools = {kind: np.load(tmp_path / f"pool-{kind}.npy", mmap_mode="r") for kind in WINDOWS}
    for kind, (width, height) in WINDOWS.items():
        assert pools[kind].shape == (2, height, width, CHANNELS + 4)
        expected = [sample.windows[kind] for sample in islice(make_samples(data, TINY.seed), 2)]
        assert (pools[kind] == np.stack(expected)).all()
    assert not list(tmp_path.glob("*.part"))


# Export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run whose mean differs from its painter, exported: the mean, and the file."""
    run = tmp_path_factory.mktemp("run")
    learner = _Learner(TINY, "cpu")
    learner.mean.load_state_dict(wild_painter(1).state_dict())
    learner.step = 7
    learner.save(run)
    export_warp(run, run / "warp.onnx", {"name": "warp", "data": "made up"})
    return learner.mean, run / "warp.onnx"


@pytest.mark.parametrize(("kind", "size"), SIZES)
def test_the_exported_network_is_the_mean_of_the_weights(exported, kind, size):
    mean, path = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    clues = clues_of(kind, seed=2)
    (output,) = session.run(["painted"], {"clues": clues.numpy()})
    with torch.no_grad():
        expected = mean(clues).numpy()
    assert output.shape == (1, 4, size[1], size[0])
    assert np.abs(output - expected).max() < 1e-4
    assert np.abs(output[:, :3] - clues[:, :3].numpy()).max() > 0.1


def test_the_card_lists_whom_the_run_learned_from(tmp_path, data):
    train_warp(data, tmp_path, TINY, 0.0)
    learner = _Learner(TINY, "cpu")
    learner.save(tmp_path)
    export_warp(tmp_path, tmp_path / "warp.onnx", {"name": "warp"})
    listed = json.loads((tmp_path / "warp.json").read_text())["trained_on"]
    shots = training_shots(data)
    assert listed == {
        "people": sorted({shot.person for shot in shots}),
        "shots": sorted(shot.id for shot in shots),
    }
    rows = [json.loads(line) for line in (data / "clips.jsonl").read_text().splitlines()]
    assert 0 < len(listed["shots"]) < len(rows)
    assert not {row["id"] for row in rows if row["split"] == "eval"} & set(listed["shots"])


def test_the_card_names_the_file(exported):
    path = exported[1]
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (card["name"], card["data"], card["steps"]) == ("warp", "made up", 7)


# The command


def train(*arguments):
    return main(["train", "warp", *map(str, arguments)])


def test_the_command_trains_and_exports(tmp_path, data, capsys):
    out = tmp_path / "run"
    assert train("--data", data, "--out", out, "--minutes", 0.005, "--samples", 2, "--batch", 1, "--seed", 1) == 0
    assert str(out / "warp.onnx") in capsys.readouterr().out
    card = json.loads((out / "warp.json").read_text())
    assert card["sha256"] == hashlib.sha256((out / "warp.onnx").read_bytes()).hexdigest()
    assert card["steps"] == checkpoint_header(out / NAME)[0] > 0
    assert card["data"] == data.name


def test_the_command_refuses_what_is_no_dataset(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert train("--data", tmp_path / "empty", "--out", tmp_path / "run", "--minutes", 0.001, "--samples", 2) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "not a dataset folder" in said.err
    assert str(tmp_path / "empty") in said.err
    assert not (tmp_path / "run" / "warp.onnx").exists()
