"""Teaching the tracker: losses, batches, networks, checkpoints, export, the command."""
# ruff: noqa: E402 (imports come after the check that torch is there)

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")

import onnxruntime
from PIL import Image

from gioconda.cli import main
from gioconda.errors import UsageError
from gioconda.face import EYES, LANDMARKS, LIPS, face_model
from gioconda.geometry import angles, rotation
from gioconda.learning.tracker import losses, treatments
from gioconda.learning.tracker.batches import FaceBatches
from gioconda.learning.tracker.canvases import CANVAS, CanvasBatches, target_maps
from gioconda.learning.tracker.export import export_network, halve
from gioconda.learning.tracker.faces import Faces, face_pool, telling_frames
from gioconda.learning.tracker.learner import Learner, Schedule, stepped, work_done
from gioconda.learning.tracker.networks import EYE_REGION, LIPS_REGION, DetectorNet, LandmarkNet
from gioconda.learning.tracker.placement import Placement
from gioconda.learning.tracker.profiles import LEAST, TURNED_TO, rendered, turned, turned_copies
from gioconda.learning.tracker.quantised import quantise_detector
from gioconda.learning.tracker.textures import faceless, scattered
from gioconda.learning.tracker.train_landmarks import clean_crops, errors, landmark_losses, linear_model
from gioconda.neutral import head_pose
from gioconda.rendering import FlowRenderer, composite
from gioconda.retarget import Gains, Sitter, retarget
from gioconda.tracking.crops import CROP
from gioconda.tracking.detector import STRIDE, peaks
from gioconda.tracking.landmarker import EXPRESSIONS
from makers import GOOD, STILL, acting, film, jaw, movement, performed, sitter_of, write_landmarks

torch.set_num_threads(1)

TEACHER = Path(__file__).resolve().parents[1].parent / "shared/models/face_landmarker_v2_with_blendshapes.task"


def random_points(count, seed=0):
    return torch.rand(count, LANDMARKS, 3, generator=torch.Generator().manual_seed(seed)) - 0.5


def made_faces(count=4):
    """Faces whose frames say where each pixel is: red across, green down."""
    ramp = np.arange(256, dtype=np.uint8)
    frame = np.dstack([np.tile(ramp, (256, 1)), np.tile(ramp[:, None], (1, 256)), np.full((256, 256), 90, np.uint8)])
    shape = face_model().shape * 45 + (128, 110, 0)
    points = np.stack([shape + np.array([3 * i, 0, 0]) for i in range(count)]).astype(np.float32)
    expression = np.zeros((count, len(EXPRESSIONS)), np.float32)
    expression[:, EXPRESSIONS.index("eyeBlinkLeft")] = 0.9
    return Faces(np.stack([frame] * count), points, expression, np.arange(count, dtype=np.int32))


@pytest.fixture(scope="module")
def pool():
    return FaceBatches(made_faces(), "cpu")


# Losses


def test_point_loss_by_hand():
    truth = random_points(2)
    assert float(losses.point_loss(truth, truth)) == pytest.approx(0, abs=1e-4)
    # Importance has a mean of 1: a shift of all points counts as it is.
    assert float(losses.point_loss(truth + torch.tensor([0.3, 0.4, 0.0]), truth)) == pytest.approx(0.5, abs=1e-4)
    assert float(losses.point_loss(truth + torch.tensor([0, 0, 0.4]), truth)) == pytest.approx(0.1, abs=1e-4)
    moved = truth.clone()
    moved[0, EYES[0].iris[0], 0] += 1
    weight = 4 / (LANDMARKS + 3 * len({i for e in EYES for i in (*e.outline, *e.iris)}) + 2 * len(LIPS))
    assert float(losses.point_loss(moved, truth)) == pytest.approx(weight / 2, abs=2e-5)


def test_gap_loss_minds_only_distances():
    truth = random_points(1)
    assert float(losses.gap_loss(truth + torch.tensor([0.3, -0.2, 0.9]), truth)) == pytest.approx(0, abs=1e-6)
    opened = truth.clone()
    opened[:, EYES[0].iris[0], 0] += 0.1
    # Three times each corner, and the middles of both lids.
    assert float(losses.gap_loss(opened, truth)) == pytest.approx(0.1 * 8 / len(losses.gaps()[0]), rel=1e-3)


def test_doubt_is_least_at_the_true_error():
    truth = torch.zeros(1, LANDMARKS, 3)
    points = truth + torch.tensor([0.06, 0.08, 0.0])

    def at(scale):
        return float(losses.doubt_loss(torch.full((1, LANDMARKS), math.log(scale)), points, truth))

    # A two-dimensional Laplace distribution of scale b has a mean distance of 2 b.
    assert at(0.05) < min(at(0.045), at(0.055))
    assert at(0.05) == pytest.approx(2 + 2 * math.log(0.05) + math.log(2 * math.pi), abs=1e-5)


def test_doubt_teaches_the_scale_alone():
    scale, points = torch.zeros(1, LANDMARKS, requires_grad=True), random_points(1).requires_grad_()
    losses.doubt_loss(scale, points, torch.zeros(1, LANDMARKS, 3)).backward()
    assert points.grad is None
    assert scale.grad.abs().max() > 0


def test_agreement_is_of_places_in_the_frame(pool):
    batch = pool.batch(3, stepped(0, 0, "cpu"))
    assert float(losses.agreement_loss(batch.points, batch.placement)) < 1e-4
    moved = batch.points.clone()
    moved[:3, :, 0] += 0.1
    size = torch.linalg.norm(batch.placement.axes[:3, :, 0], dim=1) / batch.placement.side[:3]
    assert float(losses.agreement_loss(moved, batch.placement)) == pytest.approx(0.1 * float(size.mean()), rel=0.01)


def test_unknown_expressions_are_not_learned():
    truth = torch.tensor([[0.5, torch.nan], [torch.nan, 1.0]])
    logits = torch.zeros(2, 2, requires_grad=True)
    loss = losses.expression_loss(logits, truth)
    assert float(loss.detach()) == pytest.approx(0.25)
    loss.backward()
    assert logits.grad[0, 1] == logits.grad[1, 0] == 0
    assert logits.grad[1, 1] < 0


def test_presence_loss_by_hand():
    logits = torch.tensor([2.0, -1.0, -3.0])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 3
    assert float(losses.presence_loss(logits, 1)) == pytest.approx(expected, rel=1e-5)


def test_heat_loss_by_hand():
    truth = torch.tensor([[[[1.0, 0.5, 0.0]]]])
    logits = torch.logit(torch.tensor([[[[0.8, 0.4, 0.1]]]]))
    missed = 0.2**2 * math.log(0.8)
    false = 0.5**4 * 0.4**2 * math.log(0.6) + 0.1**2 * math.log(0.9)
    assert float(losses.heat_loss(logits, truth)) == pytest.approx(-(missed + false), rel=1e-4)
    empty = losses.heat_loss(logits, torch.zeros(1, 1, 1, 3))
    assert float(empty) == pytest.approx(-sum(p**2 * math.log(1 - p) for p in (0.8, 0.4, 0.1)), rel=1e-4)


def test_shape_loss_counts_where_a_face_is():
    truth, shapes = torch.zeros(1, 11, 1, 2), torch.zeros(1, 11, 1, 2)
    shapes[..., 0], shapes[..., 1] = 0.5, 100.0
    assert float(losses.shape_loss(shapes, truth, torch.tensor([[[[1.0, 0.0]]]]))) == pytest.approx(0.5, rel=1e-4)


# Batches


def test_placements_go_there_and_back():
    axes = torch.tensor([[[50.0, -9.0], [4.0, 60.0]]])
    placement = Placement(axes, torch.tensor([[100.0, 90.0]]))
    points = torch.tensor([[[0.1, 0.2], [-0.5, 0.5]]])
    assert torch.allclose(placement.into(placement.out(points)), points, atol=1e-6)
    assert placement.out(points)[0, 0].tolist() == pytest.approx([100 + 5 - 1.8, 90 + 0.4 + 12])
    assert float(placement.side) == pytest.approx(math.sqrt(50 * 60 + 36))


def test_crops_show_what_the_landmarks_say(pool):
    batch = clean_crops(pool, 4)
    for crop, points, truth in zip(batch.crops, batch.points, pool.points, strict=True):
        for index in (1, 33, 263, 152):
            x, y = ((points[index, :2] + 0.5) * CROP - 0.5).round().int().tolist()
            assert (255 * crop[:2, y, x]).tolist() == pytest.approx(truth[index, :2].tolist(), abs=1.5)


def test_mirrored_faces_keep_the_picture_left_eye_left(pool):
    batch = pool.batch(8, stepped(0, 3, "cpu"))
    flipped = torch.linalg.det(batch.placement.axes) < 0
    assert 0 < flipped.sum() < 16
    left, right = (batch.points[:, e.iris[0], 0] for e in EYES)
    assert (left < right).all()
    blink = batch.expression[:, [EXPRESSIONS.index(f"eyeBlink{side}") for side in ("Left", "Right")]]
    assert torch.allclose(blink[~flipped], torch.tensor([0.9, 0.0]))
    assert torch.allclose(blink[flipped], torch.tensor([0.0, 0.9]))


def test_batches_are_pairs_and_strangers(pool):
    batch = pool.batch(9, stepped(0, 4, "cpu"))
    assert batch.crops.shape == (9 * 2 + 3, 3, CROP, CROP)
    assert batch.crops.min() >= 0
    assert batch.crops.max() <= 1
    assert batch.points.shape == (18, LANDMARKS, 3)
    again = pool.batch(9, stepped(0, 4, "cpu"))
    assert (batch.crops == again.crops).all()
    assert not (batch.crops == pool.batch(9, stepped(0, 5, "cpu")).crops).all()


def yaw_of(points):
    return float(angles(head_pose(face_model().shape, points).rotation)[0])


def test_faces_turned_a_little_have_a_copy_turned_far():
    shape = face_model().shape.astype(np.float64)
    faces = np.stack([100 * shape @ rotation(yaw, 0, 0).T for yaw in (0, 15, -30, 40, -60)])
    copies = dict(turned_copies(faces))
    assert list(copies) == [1, 2, 3]  # neither who looks ahead nor who is in profile already
    for row, target in copies.items():
        before, after = yaw_of(faces[row]), yaw_of(target)
        assert math.copysign(1, before) == math.copysign(1, after)
        assert abs(after) - abs(before) >= LEAST - 0.1
        assert TURNED_TO[0] - 0.1 <= abs(after) <= TURNED_TO[1] + 0.1


@pytest.mark.parametrize("yaw", [-25, 10])
def test_turning_a_face_keeps_its_shape_and_its_middle(yaw):
    face = 100 * face_model().shape.astype(np.float64) + (130, 120, 0)
    moved = turned(face, yaw)
    assert yaw_of(moved) == pytest.approx(yaw, abs=0.1)
    apart = np.linalg.norm(face[1:] - face[:-1], axis=1)
    assert np.linalg.norm(moved[1:] - moved[:-1], axis=1) == pytest.approx(apart, abs=1e-3)
    assert moved[:, 1] == pytest.approx(face[:, 1], abs=1e-3)


def test_a_rendered_copy_shows_what_its_landmarks_say(portrait):
    view = portrait.views[0]
    marked, spot = view.rgb.copy(), view.points[4]  # a green spot on the nose
    x, y = spot[:2].round().astype(int)
    marked[y - 3 : y + 4, x - 3 : x + 4] = (0, 255, 0)
    target = turned(view.points, 25)
    made = rendered(marked, view.points, target).astype(int)
    green = made[..., 1] - made[..., [0, 2]].max(axis=2)
    rows, columns = np.nonzero(green > 100)
    assert (columns.mean(), rows.mean()) == pytest.approx(target[4, :2].tolist(), abs=2)
    assert abs(target[4, 0] - x) > 10
    assert (made[0] == view.rgb[0]).all()


def test_textures_are_made_of_the_frames_corners_and_pieces():
    frames = torch.zeros(64, 3, 96, 96)
    frames[:, 1] = 0.5
    frames[:, 0, 40:56, 40:56] = 1  # what a face's middle would be
    made = faceless(frames, 48, torch.Generator().manual_seed(1))
    assert made.shape == (64, 3, 48, 48)
    assert made.min() >= 0
    assert made.max() <= 1
    # Corners hold nothing of the middle, pieces all of it, somewhere.
    red = (made[:, 0] > 0.6).float().mean(dim=(1, 2))
    assert 0.2 < (red > 0.015).float().mean() < 0.7


def test_scattered_pieces_are_all_there():
    picture = torch.rand(2, 3, 8, 8)
    pieces = scattered(picture, 4, torch.Generator().manual_seed(0))
    assert not (pieces == picture).all()
    assert (pieces.flatten(1).sort().values == picture.flatten(1).sort().values).all()


@pytest.mark.parametrize(
    "treatment",
    [
        *treatments.STYLES,
        *(getattr(treatments, name) for name in ("covered", "recoloured", "dim", "noisy", "coarse", "streaked")),
        *(treatments.compressed, treatments.lightly, treatments.heavily),
    ],
)
def test_treatments_keep_size_and_range(treatment):
    picture = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    treated = treatment(picture, torch.Generator().manual_seed(1))
    assert treated.shape == picture.shape
    assert treated.isfinite().all()
    assert treated.min() >= -1e-6
    assert treated.max() <= 1 + 1e-6
    assert (treated - picture).abs().max() > 0.02


def test_telling_frames_hold_the_extremes():
    points = np.repeat(face_model().shape[None], 40, axis=0) * 50.0
    points[17, list(EYES[0].upper[1:-1]), 1] = points[17, list(EYES[0].lower[1:-1]), 1]
    points[23, :, :][list(LIPS), 1] += np.linspace(0, 30, len(LIPS))
    numbers = telling_frames(points, 12)
    assert len(numbers) <= 12
    assert (np.diff(numbers) > 0).all()
    assert 17 in numbers


# The detector's canvases


def test_targets_say_what_decoding_reads():
    five = torch.tensor([[90.0, 60], [110, 60], [100, 70], [92, 82], [108, 82]])[None, None]
    heat, shapes, weight = target_maps(torch.tensor([[[100.0, 70]]]), torch.tensor([[48.0]]), five, CANVAS // STRIDE)
    ((found, score),) = peaks(heat[0, 0].numpy(), shapes[0].numpy(), 0.995)
    assert found == pytest.approx(five[0, 0].numpy(), abs=1e-3)
    assert score == 1
    assert weight[heat < 0.3].max() == 0
    assert weight[heat >= 1].min() == 1


def test_no_face_no_target():
    heat, _, weight = target_maps(
        torch.tensor([[[100.0, 70]]]), torch.tensor([[48.0]]), torch.full((1, 1, 5, 2), torch.nan), 32
    )
    assert heat.max() == 0
    assert weight.max() == 0


def test_pasted_faces_lie_where_they_are_said_to_be(pool):
    canvases = CanvasBatches(pool)
    grid = pool.squares[:1]
    lean, middle, side = grid[:, 3] + 0.4, torch.tensor([[90.0, 140.0]]), torch.tensor([170.0])
    turn = torch.tensor([[[math.cos(0.4), -math.sin(0.4)], [math.sin(0.4), math.cos(0.4)]]])
    _, _, five = canvases._target(torch.tensor([0]), middle, side, lean, torch.tensor([True]))
    placed = Placement(turn * side[:, None, None], middle)
    blank = torch.zeros(1, 3, CANVAS, CANVAS)
    shown = canvases._pasted(blank, torch.tensor([0]), placed, torch.tensor([True]), stepped(0, 0, "cpu"))
    for at, truth in zip(five[0], canvases.five[0], strict=True):
        x, y = at.round().int().tolist()
        assert (255 * shown[0, :2, y, x]).tolist() == pytest.approx(truth.tolist(), abs=2.5)


# Networks


def test_regions_hold_what_they_are_for():
    assert set(EYES[0].outline) | set(EYES[0].iris) <= set(EYE_REGION)
    assert not set(EYES[1].outline) & set(EYE_REGION)
    assert set(LIPS) <= set(LIPS_REGION)


def test_learning_reaches_every_part_of_the_landmark_network(pool):
    torch.manual_seed(0)
    network = LandmarkNet()
    batch = pool.batch(4, stepped(0, 1, "cpu"))
    torch.stack(list(landmark_losses(network(batch.crops), batch).values())).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


def test_learning_reaches_every_part_of_the_detector(pool):
    torch.manual_seed(0)
    network, batch = DetectorNet(), CanvasBatches(pool).batch(4, stepped(0, 1, "cpu"))
    heat, shapes = network(batch.pictures)
    assert heat.shape == batch.heat.shape
    assert shapes.shape == batch.shapes.shape
    (losses.heat_loss(heat, batch.heat) + losses.shape_loss(shapes, batch.shapes, batch.weight)).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


def test_the_second_stage_looks_where_the_first_saw_eyes_and_lips():
    """A shift of the first stage's points shifts what the second sees: corrections move with it, turned as the eye."""
    torch.manual_seed(0)
    network = LandmarkNet().eval()
    batch = clean_crops(FaceBatches(made_faces(1), "cpu"), 1)
    with torch.no_grad():
        network.eye.leave.weight.zero_()
        network.eye.leave.bias.copy_(torch.tensor([0.1, 0.0, 0.0]).repeat(len(EYE_REGION)))
        network.mouth.leave.weight.zero_()
        moved = network._looked_at(batch.crops, batch.points) - batch.points
    left, right = (moved[0, eye.iris[0], :2] for eye in EYES)
    # Both windows are 0.85 eye distances wide; the right one is mirrored.
    unit = torch.linalg.norm(
        batch.points[0, list(EYES[0].corners)].mean(0) - batch.points[0, list(EYES[1].corners)].mean(0)
    )
    assert left[0] == pytest.approx(0.085 * float(unit), rel=0.05)
    assert right[0] == pytest.approx(-0.085 * float(unit), rel=0.05)
    assert moved[0, list(LIPS)].abs().max() == 0


def test_the_linear_model_spans_the_faces(pool):
    mean, components = linear_model(pool, 96, 0)
    points = pool.cropped_points(50, stepped(0, 7, "cpu")).flatten(1)
    basis = torch.linalg.qr(components.flatten(1).T).Q
    rest = points - mean.flatten()
    rest = rest - rest @ basis @ basis.T
    assert rest.abs().max() < 0.005
    network = LandmarkNet().eval()
    network.set_basis(mean, components)
    assert torch.allclose(network.spread.bias, mean.flatten())


def test_errors_are_over_the_distance_of_the_irises(pool):
    network, batch = LandmarkNet().eval(), clean_crops(pool, 1)
    unit = torch.linalg.norm(batch.points[0, EYES[0].iris[0], :2] - batch.points[0, EYES[1].iris[0], :2])
    with torch.no_grad():
        for part in (network.spread, network.eye.leave, network.mouth.leave):
            part.weight.zero_()
            part.bias.zero_()
        network.spread.bias.copy_((batch.points[0] + unit * torch.tensor([0.06, 0.08, 5.0])).flatten())
    found = errors(network, batch)
    assert found["held_back"] == pytest.approx(0.1, abs=1e-4)
    assert found["held_back_irises"] == pytest.approx(0.1, abs=1e-4)
    assert 0 <= found["held_back_expression"] <= 1


# Learning


def test_the_rate_rises_and_falls():
    schedule = Schedule(1000, rate=1.0, warm=10, fall=0.5)
    assert [schedule.at(step) for step in (0, 4, 9, 400, 750, 1000)] == pytest.approx([0.1, 0.5, 1, 1, 0.5, 0])


def lessons(learner, pool, numbers):
    for number in numbers:
        batch = pool.batch(2, stepped(5, number, "cpu"))
        learner.network.train()
        heat, shapes = learner.network(batch.pictures)
        learner.learn(losses.heat_loss(heat, batch.heat) + losses.shape_loss(shapes, batch.shapes, batch.weight))


def fresh(seed=0):
    torch.manual_seed(seed)
    return Learner(DetectorNet(), DetectorNet(), Schedule(10, warm=2), "cpu")


def test_stopped_and_resumed_it_learns_the_same(pool, tmp_path):
    canvases = CanvasBatches(pool)
    straight, stopped = fresh(), fresh()
    lessons(straight, canvases, range(4))
    lessons(stopped, canvases, range(2))
    stopped.seconds = 3.0
    stopped.save(tmp_path / "detector.safetensors")
    resumed = fresh(seed=9)
    resumed.resume(tmp_path / "detector.safetensors")
    assert (resumed.step, resumed.seconds) == (2, 3.0)
    lessons(resumed, canvases, range(2, 4))
    for name in ("network", "mean"):
        expected, found = (getattr(learner, name).state_dict() for learner in (straight, resumed))
        assert all(torch.equal(expected[key], found[key]) for key in expected)
    moved = [
        not torch.equal(a, b) for a, b in zip(straight.network.parameters(), fresh().network.parameters(), strict=True)
    ]
    assert all(moved)


def test_damaged_runs_are_refused(tmp_path):
    learner = fresh()
    path = tmp_path / "detector.safetensors"
    learner.save(path)
    whole = path.read_bytes()
    for wrong in (b"", b"rubbish", whole[: len(whole) // 2], whole.replace(b'"seconds"', b'"secondz"')):
        path.write_bytes(wrong)
        with pytest.raises(UsageError, match="not a checkpoint"):
            learner.resume(path)
    spoiled = fresh()
    spoiled.mean.state_dict()[next(iter(spoiled.mean.state_dict()))].fill_(float("nan"))
    spoiled.save(path)
    with pytest.raises(UsageError, match=r"not a checkpoint.*mean.* numbers that are none"):
        learner.resume(path)
    for text in ("", "{", "[" * 100_000):
        (tmp_path / "faces.json").write_text(text)
        with pytest.raises(UsageError, match="cannot be read"):
            face_pool(tmp_path, tmp_path / "a.task", tmp_path, 4)
    (tmp_path / "faces.json").write_text('"\\n\\u001b[2J"')
    with pytest.raises(UsageError, match="was begun with") as said:
        face_pool(tmp_path, tmp_path / "a.task", tmp_path, 4)
    assert str(said.value).isprintable()


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    fresh().save(tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match="not a checkpoint of this network"):
        Learner(LandmarkNet(), LandmarkNet(), Schedule(1), "cpu").resume(tmp_path / "x.safetensors")


# Export


def saved(network, kind, path):
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    learner = Learner(network, kind(), Schedule(1), "cpu")
    learner.save(path)
    export_network(path, path.with_suffix(".onnx"))
    halve(path.with_suffix(".onnx"))
    return learner.mean, onnxruntime.InferenceSession(path.with_suffix(".onnx"), providers=["CPUExecutionProvider"])


def test_exported_landmarks_are_the_means(tmp_path, pool):
    torch.manual_seed(3)
    network = LandmarkNet()
    network.set_basis(*linear_model(pool, 96, 0))
    mean, session = saved(network, LandmarkNet, tmp_path / "landmarks.safetensors")
    crops = (clean_crops(pool, 2).crops * 255).round()
    with torch.no_grad():
        reading = mean(crops / 255)
    said = session.run(None, {"crop": crops.permute(0, 2, 3, 1).to(torch.uint8).numpy()})
    # Half precision keeps three digits: less than a tenth of a pixel of the crop.
    assert np.abs(said[0] - reading.points.numpy()).max() < 0.1 / CROP
    assert np.abs(said[1] - 2 * reading.log_scale.exp().numpy()).max() < 1e-3
    assert np.abs(said[2] - torch.sigmoid(reading.presence).numpy()).max() < 1e-2
    assert np.abs(said[3] - torch.sigmoid(reading.expression).numpy()).max() < 1e-2
    assert (tmp_path / "landmarks.onnx").stat().st_size < 4_000_000


def test_the_exported_detector_takes_pictures_of_any_size(tmp_path):
    torch.manual_seed(3)
    mean, session = saved(DetectorNet(), DetectorNet, tmp_path / "detector.safetensors")
    for height, width in ((64, 96), (128, 32)):
        picture = torch.randint(0, 256, (1, 3, height, width), generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            heat, shapes = mean(picture / 255)
        said = session.run(None, {"picture": picture.permute(0, 2, 3, 1).to(torch.uint8).numpy()})
        assert said[0].shape == (1, 1, height // 8, width // 8)
        assert np.abs(said[0] - torch.sigmoid(heat).numpy()).max() < 5e-3
        assert np.abs(said[1] - shapes.numpy()).max() < 2e-2 * float(shapes.abs().max())
    assert (tmp_path / "detector.onnx").stat().st_size < 1_000_000


def test_the_detector_says_the_same_in_eight_bits(tmp_path, pool, monkeypatch):
    monkeypatch.setattr("gioconda.learning.tracker.quantised.CANVASES", 16)
    torch.manual_seed(3)
    _, session = saved(DetectorNet(), DetectorNet, tmp_path / "detector.safetensors")
    path = tmp_path / "detector.onnx"
    before = path.stat().st_size
    quantise_detector(path, made_faces())
    halve(path)
    assert path.stat().st_size < 0.6 * before
    quantised = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pictures = CanvasBatches(pool).batch(4, torch.Generator().manual_seed(9)).pictures
    for picture in (255 * pictures).byte().permute(0, 2, 3, 1).numpy():
        for one, other in zip(*(s.run(None, {"picture": picture[None]}) for s in (session, quantised)), strict=True):
            assert 0 < np.abs(one - other).max() < 0.1 * np.abs(one).max()


# The command


@pytest.fixture(scope="module")
def data(tmp_path_factory, portrait):
    """A dataset folder with one shot, and one still turned aside."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "clips").mkdir()
    (folder / "stills").mkdir()
    view = portrait.views[0]
    render = FlowRenderer([view])
    points = performed(sitter_of(view.points), acting(20 / 15, 15))
    film(folder / "clips" / "good.mp4", (composite(view, render(face))[0] for face in points), 15)
    write_landmarks(folder / "clips" / "good.npy.xz", points)
    (folder / "clips.jsonl").write_text(json.dumps({"id": "good", **GOOD}) + "\n")
    opened = retarget(Sitter.of(view.points, 256, 256), movement(angles=(20, 0, 0), offsets=jaw(0.25)), Gains())
    Image.fromarray(composite(view, render(opened))[0]).save(folder / "stills" / "open.jpg", quality=95)
    (folder / "stills.jsonl").write_text(json.dumps({"id": "open", **STILL}) + "\n")
    np.savez(folder / "stills.npz", ids=np.array(["open"]), landmarks=np.rint(opened * 8).astype(np.int16)[None])
    return folder


def train(*arguments):
    return main(["train", "tracker", *map(str, arguments)])


def test_the_command_trains_and_exports(tmp_path, data, capsys):
    pytest.importorskip("mediapipe", reason="the extra 'mediapipe' (the teacher) is not installed")
    if not TEACHER.is_file():
        pytest.skip("no teacher beside the repository (../shared/models)")
    run = tmp_path / "run"
    settings = ("--data", data, "--teacher", TEACHER, "--out", run, "--frames", 8, "--steps", 2, "--batch", 2)
    assert train(*settings) == 0, capsys.readouterr().err
    card = json.loads((run / "tracker.json").read_text())
    for name in ("landmarks", "detector"):
        entry = card["networks"][f"{name}.onnx"]
        assert entry["sha256"] == hashlib.sha256((run / f"{name}.onnx").read_bytes()).hexdigest()
        assert entry["steps"] == work_done(run / f"{name}.safetensors")[0] == 2
        assert (run / f"{name}.png").stat().st_size > 0
        assert json.loads((run / f"{name}.jsonl").read_text().splitlines()[-1])["step"] == 2
    expression, points = (np.load(run / f"faces-{name}.npy") for name in ("expression", "points"))
    assert expression.shape == (len(points), 52)
    assert np.nanmax(expression) > 0.2
    # The still's copy comes last, with the still's expression.
    assert TURNED_TO[0] - 0.1 <= abs(yaw_of(points[-1])) <= TURNED_TO[1] + 0.1
    assert sum(np.array_equal(told, expression[-1], equal_nan=True) for told in expression) == 2
    # The same again has nothing left to do; another pool is refused.
    assert train(*settings) == 0
    assert train(*settings, "--frames", 9) == 2
    assert "was begun with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--teacher", "nothing.task"), "nothing.task does not exist"),
        (("--steps", 0), "at least one step"),
        (("--data", "nowhere"), "not a dataset folder"),
    ],
)
def test_the_command_refuses(tmp_path, data, capsys, change, said):
    pytest.importorskip("mediapipe", reason="the extra 'mediapipe' (the teacher) is not installed")
    assert train("--data", data, "--teacher", TEACHER, "--out", tmp_path / "run", "--frames", 4, *change) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert said in error
