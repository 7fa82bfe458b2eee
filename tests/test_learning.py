"""Losses, networks, samples, training and export, on a dataset small enough for a test."""
# ruff: noqa: E402 (imports come after the check that torch is there)

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
onnx = pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")

import onnxruntime
from safetensors.torch import load_file

import gioconda
from gioconda import View
from gioconda.cli import main
from gioconda.errors import UsageError
from gioconda.face import BROWS, EYES, FOREHEAD, LIPS_INNER_LOWER, LIPS_INNER_UPPER, NOSE_TIP, eye_distance, face_model
from gioconda.learning.checkpoint import NAME, checkpoint_header
from gioconda.learning.dataset import EXCLUDED_SOURCES, usable_shots, usable_stills
from gioconda.learning.export import TRAINED_ON, export_warp, read_weights
from gioconda.learning.losses import edge_loss, feature_matching, pixel_loss, structure_loss
from gioconda.learning.pairs import SHAPES, make_samples, with_mouth
from gioconda.learning.retoucher import Retoucher, retouched
from gioconda.learning.retouching import Batch, _mirrored, _recoloured, _roughened, augmented, batch_of, looked_at
from gioconda.learning.train_warp import WarpTraining, _Learner, train_warp
from gioconda.neutral import mouth_gap
from gioconda.rendering import FlowRenderer, composite
from gioconda.rendering.clues import (
    CELLS,
    CHANNELS,
    FACE,
    FRAME,
    FULL,
    LIPS,
    MIRRORED,
    OPENINGS,
    SHAPE,
    ShapeDrawer,
    in_cells,
    warp_frame,
)
from gioconda.rendering.warp import BLACK, CHANGES, FARTHEST, STRONGEST
from gioconda.retarget import Gains, Sitter, retarget
from makers import GOOD, STILL, acting, changed, film, jaw, movement, performed, sitter_of, write_landmarks

torch.set_num_threads(1)


TINY = WarpTraining(samples=2, batch=2, rate=0.02)
DETECTOR = Path(gioconda.__file__).parent / "data" / "tracker" / "detector.onnx"
GREEN = np.array([0.1, 1.0, 0.1])
"""Tint of the dataset's only usable still: its samples are told from those of shots by it."""


def picture(*rows):
    """A picture, (1, 3, h, w), with the same three channels."""
    return torch.tensor(rows, dtype=torch.float32)[None, None].repeat(1, 3, 1, 1)


def mask(*rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def clues_of(count=1, seed=0, cells=CELLS):
    return torch.rand(count, CHANNELS, cells, cells, generator=torch.Generator().manual_seed(seed))


def wild_retoucher(seed=0):
    """One that says something, unlike a fresh one."""
    torch.manual_seed(seed)
    retoucher = Retoucher()
    torch.nn.init.normal_(retoucher.leave.weight, std=0.3)
    return retoucher


def batches(count, size=2, cells=16):
    """Noise, as large as it need be."""
    generator = torch.Generator().manual_seed(3)

    def noise(channels, side):
        return torch.rand(size, channels, side, side, generator=generator)

    return [Batch(noise(3, 2 * cells), noise(3, 2 * cells), noise(SHAPE, cells), noise(1, cells)) for _ in range(count)]


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


def test_structure_loss_by_hand():
    """Every other column of 7 x 7 pixels, and its negative: the same but for the sign of what varies."""
    columns = torch.tensor([1.0, 0, 1, 0, 1, 0, 1])
    one = columns.expand(1, 3, 7, 7)
    everywhere = torch.ones(1, 1, 7, 7)
    assert float(structure_loss(one, one, everywhere)) == pytest.approx(0, abs=1e-5)
    mean, other = 4 / 7, 3 / 7
    spread = mean * other  # the variance of both; what they have in common is that with a minus
    light = (2 * mean * other + 1e-4) / (mean**2 + other**2 + 1e-4)
    same = light * (-2 * spread + 9e-4) / (2 * spread + 9e-4)
    assert float(structure_loss(one, 1 - one, everywhere)) == pytest.approx(1 - same, abs=1e-4)


def test_structure_loss_looks_where_the_weight_is():
    torch.manual_seed(0)
    made, truth = torch.rand(2, 1, 3, 12, 24)
    truth[..., 12:] = made[..., 12:]
    right, left = torch.zeros(1, 1, 12, 24), torch.zeros(1, 1, 12, 24)
    right[..., 16:], left[..., :8] = 1, 1
    assert float(structure_loss(made, truth, right)) == pytest.approx(0, abs=1e-5)
    assert float(structure_loss(made, truth, left)) > 0.5


def test_feature_matching_by_hand_teaches_only_the_retoucher():
    real = [torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([0.0], requires_grad=True)]
    made = [torch.tensor([2.0, 1.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)]
    loss = feature_matching(real, made)
    assert float(loss.detach()) == pytest.approx((1 + 3) / 2)
    loss.backward()
    assert all(a.grad is None for a in real)
    assert made[0].grad.tolist() == pytest.approx([0.25, -0.25])
    assert made[1].grad.tolist() == pytest.approx([0.5])


# Networks


def test_retouched_by_hand():
    picture = torch.full((1, 3, 8, 8), 0.2)
    change = torch.zeros(1, CHANGES, 4, 4)
    change[:, 2:] = torch.log(torch.tensor([2.0, 1.0, 0.5]))[None, :, None, None]
    black = BLACK / 255
    for gate, gains in ((0.0, (1, 1, 1)), (1.0, (2, 1, 0.5)), (0.5, (2**0.5, 1, 0.5**0.5))):
        result = retouched(picture, change, torch.full((1, 1, 4, 4), gate))
        wanted = [max(0, (0.2 + black) * gain - black) for gain in gains]
        assert result[0, :, 4, 4].tolist() == pytest.approx(wanted, abs=1e-5)


def test_what_is_learned_is_what_is_rendered():
    """`retouched` and `rendering.warp.apply` do the same, up to how they interpolate."""
    generator = np.random.default_rng(2)
    rgb = cv2.GaussianBlur(generator.integers(0, 256, (FRAME, FRAME, 3), np.uint8), (0, 0), 4)
    rough = generator.normal(size=(CELLS, CELLS, CHANGES)).astype(np.float32)
    change = cv2.GaussianBlur(rough, (0, 0), 6) * np.float32([20, 20, 4, 4, 4])
    made = changed(rgb, change, np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    tensor = [torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None] for x in (rgb / 255, change)]
    learned = 255 * retouched(*tensor, torch.ones(1, 1, CELLS, CELLS))[0].permute(1, 2, 0).numpy()
    apart = np.abs(made - learned)[4:-4, 4:-4]
    assert np.abs(made.astype(float) - rgb).mean() > 3
    assert apart.mean() < 0.4
    assert apart.max() < 4


def test_a_shut_gate_keeps_the_picture_exactly():
    picture, change = torch.rand(1, 3, 32, 32), wild_retoucher()(clues_of(cells=16)).detach()
    assert torch.allclose(retouched(picture, change, torch.zeros(1, 1, 16, 16)), picture, atol=1e-6)
    assert (retouched(picture, change, torch.ones(1, 1, 16, 16)) - picture).abs().max() > 0.1


def test_the_retoucher_keeps_shape_and_range():
    with torch.no_grad():
        said = wild_retoucher()(100 * clues_of(2))
    assert said.shape == (2, CHANGES, CELLS, CELLS)
    assert FARTHEST / 2 < said[:, :2].abs().max() <= FARTHEST
    assert STRONGEST / 2 < said[:, 2:].abs().max() <= STRONGEST


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fresh_retoucher_changes_nothing(seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        assert not Retoucher()(clues_of()).any()


def test_learning_reaches_every_part_of_the_retoucher():
    torch.manual_seed(0)
    retoucher = Retoucher()
    steps = torch.optim.SGD(retoucher.parameters(), 0.1)
    (batch,) = batches(1)
    clues = torch.cat([torch.nn.functional.pixel_unshuffle(batch.warped, 2), batch.shape], dim=1)
    everywhere = torch.ones(2, 1, 32, 32)

    def learn():
        steps.zero_grad()
        pixel_loss(retouched(batch.warped, retoucher(clues), batch.gate), batch.truth, everywhere).backward()
        return {name for name, p in retoucher.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}

    # The last layer begins at nought: nothing before it can learn yet.
    first = learn()
    assert {"leave.weight", "leave.bias"} <= first
    assert "enter.weight" not in first
    steps.step()
    assert learn() == {name for name, _ in retoucher.named_parameters()}


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
    (shot,) = usable_shots(data)
    assert (shot.id, shot.person) == ("good", "p1")
    assert shot.points.dtype == np.float32
    assert (shot.points == np.load(data / "good.npy")).all()
    assert len(shot.points) == 20


def test_frames_of_a_shot_fit_its_landmarks(data, view):
    (shot,) = usable_shots(data)
    numbers = np.array([0, 5, 19])
    frames = shot.frames(numbers)
    assert frames.shape == (3, 256, 256, 3)
    render = FlowRenderer([view])
    drawn = [composite(view, render(points))[0].astype(int) for points in shot.points[numbers]]
    unlike = np.array([[np.abs(rgb - other).mean() for other in drawn] for rgb in frames])
    assert (unlike.argmin(axis=1) == np.arange(3)).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_be_learned_from_is_refused(data, tmp_path, name):
    assert name not in [shot.id for shot in usable_shots(data)]
    (tmp_path / "clips.jsonl").write_text(json.dumps({"id": name, **GOOD, **REFUSED[name]}) + "\n")
    with pytest.raises(UsageError, match="no shot of the split train"):
        usable_shots(tmp_path)


def test_the_limits_themselves_are_accepted(data, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "edge.npy.xz").write_bytes((data / "clips" / "good.npy.xz").read_bytes())
    row = {"id": "edge", **GOOD, "upscale": 1.6, "frames": 16, "repo_licence": "none"}
    (tmp_path / "clips.jsonl").write_text(json.dumps(row) + "\n")
    assert [shot.id for shot in usable_shots(tmp_path)] == ["edge"]


def test_a_licence_must_be_stated(tmp_path):
    row = {name: value for name, value in GOOD.items() if name != "repo_licence"}
    (tmp_path / "clips.jsonl").write_text(json.dumps({"id": "good", **row}) + "\n")
    with pytest.raises(UsageError, match="a line lacks licence"):
        usable_shots(tmp_path)


def test_stills_come_back_exactly(data):
    ((rgb, points),) = usable_stills(data, 0.12)
    assert rgb.shape == (256, 256, 3)
    assert (points == np.load(data / "stills.npz")["landmarks"][0] / 8).all()
    assert len(list(usable_stills(data, 0.1))) == 2


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(UsageError, match=r"not a dataset folder.*clips\.jsonl"):
        usable_shots(tmp_path)


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
        red, green, _ = sample.truth[64:128, 64:128].reshape(-1, 3).mean(axis=0)
        found.setdefault("still" if green > 3 * red else "shot", sample)
        if len(found) == 2:
            return found
    pytest.fail(f"60 samples came from {list(found)} alone")


@pytest.mark.parametrize("origin", ["shot", "still"])
def test_samples_have_their_shapes(samples, origin):
    for name, shape in SHAPES.items():
        array = getattr(samples[origin], name)
        assert array.shape == shape
        assert array.dtype == (np.int8 if name == "shape" else np.uint8)
    # Masks say where mouth and eyes are: neither nowhere nor everywhere.
    for channel in (FACE, LIPS, OPENINGS):
        assert 0.002 < (samples[origin].shape[..., channel] > FULL / 2).mean() < 0.7


@pytest.mark.parametrize("origin", ["shot", "still"])
def test_the_truth_lies_where_the_warp_puts_the_face(samples, origin):
    sample = samples[origin]
    warped, truth = sample.warped.astype(int), sample.truth.astype(int)
    skin = cv2.resize((sample.shape[..., FACE] == FULL).astype(np.uint8), (FRAME, FRAME)) > 0
    assert skin.mean() > 0.1
    apart = np.abs(warped - truth).mean(axis=2)[skin].mean()
    aside = np.abs(warped - np.roll(truth, 4, axis=1)).mean(axis=2)[skin].mean()
    assert apart < 8
    assert apart < 0.7 * aside


def test_samples_are_the_same_for_the_same_seed(data):
    first, again, other = (list(islice(make_samples(data, seed), 2)) for seed in (5, 5, 6))
    for name in SHAPES:
        assert all((getattr(a, name) == getattr(b, name)).all() for a, b in zip(first, again, strict=True))
        assert any((getattr(a, name) != getattr(b, name)).any() for a, b in zip(first, other, strict=True))


# Training


def same_batch(size=8, cells=24):
    """Where the truth is what the warp made."""
    (batch,) = batches(1, size, cells)
    return replace(batch, truth=batch.warped)


@pytest.mark.parametrize("augment", [_recoloured, _roughened])
def test_both_pictures_of_a_pair_are_changed_alike(augment):
    batch = same_batch(cells=CELLS)
    after = augment(batch, np.random.default_rng(0))
    assert (after.warped == after.truth).all()
    assert (after.warped != batch.warped).any()
    assert 0 <= float(after.warped.min()) <= float(after.warped.max()) <= 1
    assert (after.shape == batch.shape).all()
    assert (after.gate == batch.gate).all()


def test_about_half_of_a_batch_is_roughened():
    batch = same_batch(32, CELLS)
    after = _roughened(replace(batch, warped=torch.full_like(batch.warped, 0.5)), np.random.default_rng(0))
    rough = after.warped.flatten(1).std(dim=1)
    assert 8 <= int((rough == 0).sum()) <= 24
    assert 0.005 < float(rough[rough > 0].max()) < 0.1


def test_a_mirror_turns_everything_round():
    batch = same_batch(32)
    after = _mirrored(batch, np.random.default_rng(0))
    turned = (after.warped == batch.warped.flip(3)).flatten(1).all(dim=1)
    assert 8 <= int(turned.sum()) <= 24
    for name in ("warped", "truth", "gate"):
        old, new = getattr(batch, name), getattr(after, name)
        assert (new[turned] == old[turned].flip(3)).all()
        assert (new[~turned] == old[~turned]).all()
    signs = torch.tensor([-1.0 if channel in MIRRORED else 1.0 for channel in range(SHAPE)])[:, None, None]
    assert (after.shape[turned] == batch.shape[turned].flip(3) * signs).all()
    assert (after.shape[~turned] == batch.shape[~turned]).all()


def test_a_mirrored_face_is_a_face_mirrored(opened):
    """The signs that change are those of what points sideways: as if the picture had been mirrored first."""
    frame = warp_frame(opened)
    source = frame.points(opened)
    target = source + np.float32([3, 1, 0]) * (np.arange(478) < 468)[:, None] * (source[:, 1:2] > 100)
    mirror = face_model().mirror

    def turned(points):
        return ((points * np.float32([-1, 1, 1])) + np.float32([FRAME - 1, 0, 0]))[mirror]

    here = ShapeDrawer(source)(target).channels.astype(int)
    there = ShapeDrawer(turned(source))(turned(target)).channels.astype(int)
    signs = np.array([-1 if channel in MIRRORED else 1 for channel in range(SHAPE)])
    assert (np.abs(here[:, ::-1] * signs - there) <= 12).mean() > 0.98


def test_samples_become_a_batch(samples):
    sample = samples["shot"]
    samples = {name: getattr(sample, name)[None] for name in SHAPES}
    batch = augmented(batch_of(samples), np.random.default_rng(1))
    assert batch.warped.shape == batch.truth.shape == (1, 3, FRAME, FRAME)
    assert batch.shape.shape == (1, SHAPE, CELLS, CELLS)
    assert batch.gate.shape == (1, 1, CELLS, CELLS)
    assert 0 <= float(batch.gate.min()) <= float(batch.gate.max()) <= 1


def test_the_network_sees_the_same_in_training_as_when_it_draws(samples):
    sample = samples["shot"]
    picture = torch.from_numpy(sample.warped / np.float32(255)).permute(2, 0, 1)[None]
    cells = torch.nn.functional.pixel_unshuffle(picture, 2)[0].numpy()
    assert np.abs(cells - in_cells(sample.warped, sample.shape[..., :SHAPE])[: len(cells)]).max() < 1e-6


def test_the_losses_look_at_the_face_and_most_at_mouth_and_eyes():
    shape = torch.zeros(1, SHAPE, 24, 24)
    shape[:, FACE, 4:20, 4:20] = 1
    shape[:, LIPS, 14:16, 10:14] = 1
    shape[:, OPENINGS, 8, 8] = 1
    weight = looked_at(shape, 2.0)
    assert weight.shape == (1, 1, 48, 48)
    assert not weight[..., :6, :].any()
    assert weight[0, 0, 30, 24] == weight[0, 0, 17, 17] == pytest.approx(3)
    assert weight[0, 0, 12, 36] == pytest.approx(1)


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
    assert {name.split(".")[0] for name in one} == {"retoucher", "mean", "steps"}
    for name in one:
        assert torch.allclose(one[name].float(), two[name].float(), rtol=1e-4, atol=1e-6), name
    assert checkpoint_header(split / NAME)[0] == 6
    start = _Learner(TINY, "cpu").retoucher.state_dict()
    assert max(float((one[f"retoucher.{k}"] - v).abs().max()) for k, v in start.items()) > 1e-4


def test_losses_are_told(halves):
    for losses in halves[2]:
        assert set(losses) == {"pixels", "untouched", "edges", "structure"}
        assert all(np.isfinite(value) for value in losses.values())


def test_a_checkpoint_comes_back_as_it_was(tmp_path, halves):
    learner = _Learner(replace(TINY, seed=4), "cpu")
    learner.resume(halves[0])
    learner.save(tmp_path)
    one, two = (load_file(run / "checkpoint.safetensors") for run in (halves[0], tmp_path))
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.safetensors"]


def test_the_running_mean_moves_with_the_weights():
    learner = _Learner(replace(TINY, average=0.75), "cpu")
    for share in (1 - 2 / 11, 1 - 3 / 12):  # the mean is young: it follows quicker than it will
        before = [p.detach().clone() for p in learner.mean.parameters()]
        learner.learn(batches(1)[0])
        moved = 0.0
        for old, new, kept in zip(before, learner.retoucher.parameters(), learner.mean.parameters(), strict=True):
            assert torch.allclose(kept, old + share * (new - old), atol=1e-7)
            moved = max(moved, float((kept - old).abs().max().detach()))
        assert moved > 1e-5
    learner.step = 1000
    before = [p.detach().clone() for p in learner.mean.parameters()]
    learner.learn(batches(1)[0])
    for old, new, kept in zip(before, learner.retoucher.parameters(), learner.mean.parameters(), strict=True):
        assert torch.allclose(kept, old + 0.25 * (new - old), atol=1e-7)


def test_the_retoucher_learns():
    """Pictures that are too dark, all alike."""
    learner = _Learner(replace(TINY, rate=3e-3), "cpu")
    learner.step = 1000  # warm
    shape = torch.zeros(2, SHAPE, 16, 16)
    shape[:, FACE] = 1
    warped = 0.2 + 0.2 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    batch = Batch(warped, 1.4 * warped, shape, torch.ones(2, 1, 16, 16))
    losses = [learner.learn(batch) for _ in range(25)]
    assert losses[-1]["pixels"] < 0.7 * losses[0]["pixels"]
    assert losses[0]["pixels"] == pytest.approx(losses[0]["untouched"])
    assert losses[-1]["untouched"] == pytest.approx(losses[0]["untouched"])


def test_the_rate_depends_on_the_step_alone():
    learner = _Learner(replace(TINY, rate=1e-3, steps=1000), "cpu")
    (batch,) = batches(1)
    for step, rate in ((0, 1e-3 / 200), (99, 0.5e-3), (500, 1e-3), (750, 0.5e-3), (1000, 0.5e-4), (5000, 0.5e-4)):
        learner.step = step
        learner.learn(batch)
        assert learner.retoucher_steps.param_groups[0]["lr"] == pytest.approx(rate)


def test_a_run_goes_on_where_it_stopped(tmp_path, data):
    learner = _Learner(TINY, "cpu")
    learner.learn(batches(1)[0])
    learner.save(tmp_path)
    before = load_file(tmp_path / "checkpoint.safetensors")
    train_warp(data, tmp_path, TINY, 0.0)
    after = load_file(tmp_path / "checkpoint.safetensors")
    assert all((before[name] == after[name]).all() for name in before)
    assert checkpoint_header(tmp_path / NAME)[0] == 1
    expected = list(islice(make_samples(data, TINY.seed), 2))
    for name, shape in SHAPES.items():
        pool = np.load(tmp_path / f"pool-{name}.npy", mmap_mode="r")
        assert pool.shape == (2, *shape)
        assert (pool == np.stack([getattr(sample, name) for sample in expected])).all()
    assert not list(tmp_path.glob("*.part"))


# Export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run whose mean differs from its painter, exported: the mean, and the file."""
    run = tmp_path_factory.mktemp("run")
    learner = _Learner(TINY, "cpu")
    learner.mean.load_state_dict(wild_retoucher(1).state_dict())
    learner.step = 7
    learner.save(run)
    export_warp(run, run / "warp.onnx", {"name": "warp", "data": "made up"})
    return learner.mean, run / "warp.onnx"


def test_the_exported_network_is_the_mean_of_the_weights(exported):
    mean, path = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    clues = clues_of(seed=2)
    (said,) = session.run(["change"], {"clues": clues.numpy()})
    with torch.no_grad():
        expected = mean(clues).numpy()
    assert said.shape == (1, CHANGES, CELLS, CELLS)
    assert np.abs(said - expected).max() < 1e-4
    assert np.abs(said).max() > 0.1


def test_the_mean_of_two_networks(tmp_path):
    """The card lists everybody whom one of the two learned from."""
    learners, files = [], []
    for number, people in enumerate((["p001", "p002"], ["p002", "p003"])):
        run = tmp_path / str(number)
        run.mkdir()
        learner = _Learner(TINY, "cpu")
        learner.mean.load_state_dict(wild_retoucher(number).state_dict())
        learner.save(run)
        (run / TRAINED_ON).write_text(json.dumps({"people": people, "shots": [f"{person}_1" for person in people]}))
        export_warp(run, run / "warp.onnx", {"name": "warp"})
        learners.append(learner.mean.state_dict())
        files.append(run / "warp.onnx")
    out, tool = tmp_path / "mean.onnx", Path(__file__).parents[1] / "tools/mean_network.py"
    subprocess.run([sys.executable, tool, out, *files], check=True)
    for name, value in read_weights(out).items():
        assert torch.allclose(value, (learners[0][name] + learners[1][name]) / 2, atol=1e-7)
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["trained_on"] == {"people": ["p001", "p002", "p003"], "shots": ["p001_1", "p002_1", "p003_1"]}
    assert len(card["mean_of"]) == 2
    # Whom a network learned from must be known.
    files[1].with_suffix(".json").unlink()
    refused = subprocess.run([sys.executable, tool, out, *files], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "no card" in refused.stderr


def test_a_run_begins_with_an_exported_network(exported, data, tmp_path):
    mean, path = exported
    weights = read_weights(path)
    assert weights.keys() == mean.state_dict().keys()
    assert all((weights[name] == value).all() for name, value in mean.state_dict().items())
    learner = _Learner(TINY, "cpu")
    learner.begin(path)
    for network in (learner.retoucher, learner.mean):
        assert all((value == weights[name]).all() for name, value in network.state_dict().items())
    assert learner.step == 0


def test_a_run_does_not_begin_with_something_else(data, exported, tmp_path):
    (tmp_path / "text.onnx").write_text("text")
    broken = onnx.load(exported[1])
    nan = np.full((16, CHANNELS, 3, 3), np.nan, np.float32)
    broken.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(nan))
    onnx.save(broken, tmp_path / "nan.onnx")
    afar = onnx.load(exported[1])
    onnx.save(afar, tmp_path / "afar.onnx", save_as_external_data=True, size_threshold=0)
    for file in ("text.onnx", "missing.onnx", "nan.onnx", "afar.onnx", DETECTOR):
        with pytest.raises(UsageError, match=rf"{Path(file).name}.*(not a network|another network)"):
            train_warp(data, tmp_path / "run", TINY, 0.0, begin=tmp_path / file)
    assert not (tmp_path / "run").exists()


def begun(data, run, file, **card):
    """A run begun from a network with such a card: whom it says it has seen, None where it does not."""
    file.with_suffix(".json").write_text(json.dumps(card))
    train_warp(data, run, TINY, 0.0, begin=file)
    return json.loads((run / TRAINED_ON).read_text()) if (run / TRAINED_ON).exists() else None


def test_whom_the_first_network_has_seen_is_not_forgotten(data, exported, tmp_path):
    file = tmp_path / "first.onnx"
    file.write_bytes(exported[1].read_bytes())
    digest, seen = hashlib.sha256(file.read_bytes()).hexdigest(), {"people": ["x"], "shots": ["y"]}
    whom = begun(data, tmp_path / "a", file, sha256=digest, trained_on=seen)
    assert whom == {"people": ["p1", "x"], "shots": ["good", "y"]}
    assert begun(data, tmp_path / "b", file, sha256=digest) is None
    assert begun(data, tmp_path / "c", file, sha256="0", trained_on=seen) is None
    with pytest.raises(UsageError, match="was begun with"):
        train_warp(data, tmp_path / "a", TINY, 0.0)


def test_the_card_lists_whom_the_run_learned_from(tmp_path, data):
    train_warp(data, tmp_path, TINY, 0.0)
    learner = _Learner(TINY, "cpu")
    learner.save(tmp_path)
    export_warp(tmp_path, tmp_path / "warp.onnx", {"name": "warp"})
    listed = json.loads((tmp_path / "warp.json").read_text())["trained_on"]
    shots = usable_shots(data)
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
