"""The talking heads of 2019: drawing, networks, losses, episodes, steps of learning and runs, all of them tiny."""
# ruff: noqa: E402 (imports come after the check that torch is there)

import copy
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from importlib import resources

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
pytest.importorskip("tensorboard", reason="the extra 'learn' (tensorboard) is not installed")
onnx = pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gioconda.cli import main
from gioconda.errors import OutputError, UsageError
from gioconda.face import EYES, face_model
from gioconda.learning import precision
from gioconda.learning.base import export_base, load_base
from gioconda.learning.checkpoint import NAME, checkpoint_header, load_checkpoint, save_checkpoint
from gioconda.learning.episodes import Wildness, _moved, draw_episode, vary
from gioconda.learning.footage import Footage, load_footage
from gioconda.learning.layers import GAIN, AdaptiveNorm, Attention, normed_convolution, normed_linear
from gioconda.learning.losses import attention, hinge, match_loss, pyramid_loss
from gioconda.learning.meta import PRESETS, ContentWeights, Learner, SketchTraining, _episode, train_sketch
from gioconda.learning.networks import Discriminator, Embedder, Generator, Shape, parameters
from gioconda.learning.perceptual import VGG19, VGGFACE, Perceptual, Plan
from gioconda.learning.raster import IRIS_COLOUR, NOSE, draw_sketch
from gioconda.learning.running_mean import follow
from gioconda.learning.tracker_features import TrackerFeatures
from gioconda.tracking.crops import CROP
from makers import small_dataset

torch.set_num_threads(1)

SHAPE = Shape(size=32, narrowest=4, widest=8, residuals=1, attention=False)
ATTENTIVE = Shape(size=64, narrowest=8, widest=16, residuals=1, attention=True)
TINY = SketchTraining(shape=SHAPE, views=2, people=2, rate=1e-3, critic_rate=1e-3)
TAME = Wildness(turn=0, zoom=0, shift=0, colour=0, grey=0, mirror=False)
NARROW = Plan("a plan", (2,), (1,), (100.0, 50.0, 0.0))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=seeded(seed))


def face(size=32, at=(0.0, 0.0)):
    """The canonical face in the middle of a frame, (1, 478, 2)."""
    shape = torch.from_numpy(face_model().shape[:, :2].copy())
    return (shape * 0.2 * size + size * 0.45 + torch.tensor(at))[None]


def flat(value, size=4):
    """A picture of one colour, (1, 3, size, size)."""
    return torch.tensor(value)[None, :, None, None].expand(1, 3, size, size).clone()


# The drawing


def test_landmarks_in_one_place_draw_nothing():
    assert draw_sketch(torch.full((1, 478, 2), 9.0), 32).abs().max() < 1e-4


def test_a_line_lights_the_pixels_between_its_ends_and_no_others():
    points = torch.full((1, 478, 2), 4.0)
    points[0, :, 1] = 20
    points[0, NOSE[0], 0] = 12
    sketch = draw_sketch(points, 32)[0]
    # The nose's colour is (0, 0.3, 1); a dot a pixel, lit half as strong again.
    assert sketch[0].abs().max() < 1e-4
    assert sketch[1, 20, 5:12].tolist() == pytest.approx([0.45] * 7)
    assert sketch[2, 20, 5:12].tolist() == pytest.approx([1.0] * 7)
    elsewhere = sketch.clone()
    elsewhere[:, 20, 4:13] = 0
    assert elsewhere.abs().max() < 1e-4


def test_lines_are_as_bright_when_they_are_long():
    small, large = draw_sketch(face(64), 64), draw_sketch(face(128), 128)
    assert float(small.amax()) == pytest.approx(float(large.amax()), abs=0.05)
    # Twice as long, and as wide: twice the ink.
    assert float(large.sum() / small.sum()) == pytest.approx(2, rel=0.2)


def test_the_drawing_moves_with_the_landmarks():
    still, moved = draw_sketch(face(64), 64), draw_sketch(face(64, (3, -2)), 64)
    assert torch.allclose(moved, still.roll((-2, 3), (2, 3)), atol=1e-4)
    assert still.amax() > 0.9


def test_what_lies_outside_is_left_out():
    points = face(64, (-9.3, 12.1))
    assert torch.allclose(draw_sketch(points, 32), draw_sketch(points, 64)[:, :, :32, :32], atol=1e-5)
    assert draw_sketch(face(32, (1000, 0)), 32).abs().max() == 0
    assert draw_sketch(face(32, (0, -1000)), 32).abs().max() == 0


def test_the_gaze_moves_the_iris_and_nothing_else():
    straight, aside = face(128), face(128)
    irises = [number for eye in EYES for number in eye.iris]
    aside[0, irises, 0] += 3
    before, after = draw_sketch(straight, 128)[0], draw_sketch(aside, 128)[0]
    changed = (before - after).abs().amax(0).nonzero().flip(1).float()
    places = straight[0, [eye.iris[0] for eye in EYES]]
    assert len(changed) > 0
    assert torch.cdist(changed, places).amin(1).max() < 12
    assert IRIS_COLOUR == (1.0, 1.0, 1.0)


def test_the_drawing_can_be_learned_through():
    points = face(32, (0.3, 0.2)).requires_grad_()
    (draw_sketch(points, 32) * noise(1, 3, 32, 32)).sum().backward()
    assert points.grad.isfinite().all()
    assert points.grad.abs().amax(2)[0, [NOSE[1], EYES[0].iris[1]]].min() > 0
    alone = torch.full((1, 478, 2), 9.0, requires_grad=True)
    draw_sketch(alone, 32).sum().backward()
    assert alone.grad.isfinite().all()


def test_a_batch_is_drawn_as_each_by_itself():
    points = torch.cat([face(32), face(32, (2.5, 1.5)), face(32, (-4, 0))])
    assert torch.equal(draw_sketch(points, 32), torch.cat([draw_sketch(p[None], 32) for p in points]))


# Losses


def test_hinge_by_hand():
    real, made = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, -0.5, 1.0])
    assert float(hinge(real, made)) == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 0.5 + 2) / 3)


def test_match_loss_by_hand():
    assert float(match_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 5.0]]))) == pytest.approx((1 + 3) / 2)


def test_pyramid_loss_by_hand():
    made, truth = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    made[..., 0, 0] = 1
    everywhere = torch.ones(1, 1, 4, 4)
    # One pixel of 16, then a quarter as bright in 4, then a sixteenth in 1: the same at each level.
    assert float(pyramid_loss(made, truth, everywhere)) == pytest.approx(1 / 16, abs=1e-5)
    # Two pixels that differ and are averaged away when the picture is halved.
    made[..., 0, 1] = -1
    assert float(pyramid_loss(made, truth, everywhere)) == pytest.approx(2 / 16 / 3, abs=1e-5)
    # Half of the pixels do not count: at full size 1 of 8, at half 1/4 of 2, at a quarter all of it.
    made[..., 0, 1] = 0
    half = everywhere.clone()
    half[..., 2:] = 0
    assert float(pyramid_loss(made, truth, half)) == pytest.approx((1 / 8 + 1 / 8 + 1 / 16) / 3, abs=1e-5)


def test_attention_by_hand():
    sketches = torch.zeros(1, 3, 32, 32)
    sketches[0, 1, 10, 20] = 0.5
    # 32 pixels: a reach of one pixel either way.
    wanted = torch.ones(1, 1, 32, 32)
    wanted[0, 0, 9:12, 19:22] = 1 + 4 * 0.5
    assert torch.equal(attention(sketches, 4.0), wanted)


# Content losses


@pytest.fixture
def plan_file(tmp_path):
    """Weights that pick out blue and red of what the network is fed."""
    weight = torch.zeros(2, 3, 3, 3)
    weight[0, 0, 1, 1] = 1
    weight[1, 2, 1, 1] = 1
    save_file(
        {"features.0.weight": weight, "features.0.bias": torch.tensor([0.0, 10.0])}, tmp_path / "plan.safetensors"
    )
    return tmp_path / "plan.safetensors"


def test_content_loss_by_hand(plan_file):
    network = Perceptual(NARROW, plan_file)
    made, truth = flat([1.0, 0.3, 0.5]), flat([0.2, 0.9, 1.0])
    (features,) = network.features(made)
    # Blue comes first, and has no mean here; red has a mean of 100, and a bias of 10.
    assert features[0, 0].flatten().tolist() == pytest.approx([127.5] * 16)
    assert features[0, 1].flatten().tolist() == pytest.approx([255 - 100 + 10.0] * 16)
    # The truth's red, 51 - 100 + 10, is cut at nought. Green is not looked at.
    assert float(network(made, truth)) == pytest.approx((127.5 + 165) / 2)


def test_content_loss_teaches_the_picture_alone(plan_file):
    network = Perceptual(NARROW, plan_file)
    made, truth = noise(1, 3, 8, 8).requires_grad_(), noise(1, 3, 8, 8, seed=1).requires_grad_()
    network(made, truth).backward()
    assert made.grad.abs().max() > 0
    assert truth.grad is None
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("plan", [VGG19, VGGFACE])
def test_content_losses_look_behind_activations(plan):
    kinds = [kind for width in plan.widths for kind in (["convolution", "relu"] if width else ["pooling"])]
    assert [kinds[number] for number in plan.taken] == ["relu"] * 5
    assert max(plan.taken) == len(kinds) - 1


def test_features_are_those_of_the_tracker_that_comes_with_the_package():
    """A picture of half the crop's side, its pixels doubled: the tracker's own halving gives it back."""
    file = resources.files("gioconda.data").joinpath("tracker", "landmarks.onnx").read_bytes()
    model = onnx.load_from_string(file)
    layers = [n.output[0] for n in model.graph.node if n.op_type == "Relu" and n.name.startswith("/network/trunk/")]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in layers)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pictures = (255 * noise(2, 3, CROP // 2, CROP // 2)).byte()
    crops = pictures.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3).permute(0, 2, 3, 1).numpy()
    theirs = session.run(layers, {"crop": crops})
    ours = TrackerFeatures().features(pictures / 255)
    # Each residual block has a second layer inside.
    ends = [theirs[i] for i in (0, 1, 3, 4, 6, 8, 9, 11, 13)]
    assert len(ours) == len(ends)
    for mine, its in zip(ours, ends, strict=True):
        assert its.std() > 0.1
        np.testing.assert_allclose(mine.numpy(), its, atol=1e-4)


def test_the_tracker_teaches_the_picture_alone():
    network = TrackerFeatures().train()
    made, truth = noise(1, 3, 64, 64).requires_grad_(), noise(1, 3, 64, 64, seed=1)
    assert float(network(truth, truth)) == 0
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(made, truth).backward()
    assert (made.grad.abs() > 0).float().mean() > 0.99
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    # Half way there is nearer.
    half = network((made.detach() + truth) / 2, truth)
    assert 0 < float(half) < float(network(made.detach(), truth))


def test_wrong_weights_of_a_content_loss(plan_file, tmp_path):
    with pytest.raises(UsageError, match=r"not VGG19.*features\.0\.weight.*64, 3, 3, 3"):
        Perceptual(VGG19, plan_file)
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("text.safetensors", "missing.safetensors"):
        with pytest.raises(UsageError, match="not a safetensors file"):
            Perceptual(VGG19, tmp_path / name)


# Layers


@pytest.mark.parametrize(("layer", "gain"), [(normed_convolution(3, 5), GAIN), (normed_linear(7, 4), 1.0)])
def test_the_spectral_norm_of_a_layer(layer, gain):
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(9)
        for _ in range(200):
            weight = layer.weight
    assert float(torch.linalg.svdvals(weight.flatten(1))[0]) == pytest.approx(gain, rel=1e-3)


def test_adaptive_norm_by_hand():
    x = torch.tensor([[[[1.0, 3.0]], [[-4.0, 4.0]]]])
    y = AdaptiveNorm(2)(x, torch.tensor([[0.0, 1.0, 5.0, -1.0]]))
    assert y.flatten().tolist() == pytest.approx([-1 + 5, 1 + 5, -2 - 1, 2 - 1], abs=1e-3)


def test_attention_begins_as_nothing_and_then_sees_everywhere():
    torch.manual_seed(0)
    layer, x = Attention(8).eval(), noise(1, 8, 4, 4)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.share.fill_(1)
    other = x.clone()
    other[..., 3, 3] += 1
    assert (layer(other) - layer(x))[..., 0, 0].abs().max() > 1e-6


# Networks


@pytest.mark.parametrize("shape", [SHAPE, replace(SHAPE, attention=True), ATTENTIVE])
def test_shapes_of_the_networks(shape):
    torch.manual_seed(0)
    pictures, sketches = noise(2, 3, 3, shape.size, shape.size), noise(2, 3, 3, shape.size, shape.size, seed=1)
    with torch.no_grad():
        embedding = Embedder(shape)(pictures, sketches)
        assert embedding.shape == (2, shape.widest)
        assert embedding.min() >= 0
        generator = Generator(shape)
        personal = generator.personal(embedding)
        assert personal.shape == (2, sum(generator.lengths))
        made = generator(sketches[:, 0], personal)
        assert made.shape == (2, 3, shape.size, shape.size)
        assert 0 <= made.min() < made.max() <= 1
        # One person's parameters serve a batch of sketches.
        assert generator(sketches[:, 0], personal[:1]).shape == made.shape
        scores, features = Discriminator(shape, 4)(made, sketches[:, 0], torch.zeros(1, shape.widest))
    assert scores.shape == (2,)
    assert features[-1].shape == (2, shape.widest, 4, 4)
    found = [type(layer).__name__ for layer in generator.down]
    assert found.count("Attention") == (shape.attention and shape.size > 32)


@pytest.mark.parametrize(
    "amiss",
    [
        *({"size": 48}, {"size": 16}, {"size": 2048}, {"widest": 64}, {"narrowest": 0}, {"narrowest": 9}),
        *({"residuals": -1}, {"residuals": 10**9}, {"size": 64, "attention": True}),
    ],
)
def test_shapes_that_cannot_be(amiss):
    with pytest.raises(ValueError, match="no network"):
        replace(SHAPE, **amiss)


def test_views_are_averaged():
    torch.manual_seed(0)
    embedder = Embedder(SHAPE).eval()
    pictures, sketches = noise(1, 3, 3, 32, 32), noise(1, 3, 3, 32, 32, seed=1)
    with torch.no_grad():
        each = [embedder(pictures[:, k : k + 1], sketches[:, k : k + 1]) for k in range(3)]
        assert torch.allclose(embedder(pictures, sketches), torch.stack(each).mean(0), rtol=1e-4, atol=1e-5)
        copies = embedder(pictures[:, :1].expand(1, 5, 3, 32, 32), sketches[:, :1].expand(1, 5, 3, 32, 32))
    assert torch.allclose(copies, each[0], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(each[0], each[1])


def test_projection_by_hand():
    torch.manual_seed(0)
    critic = Discriminator(SHAPE, 3).eval()
    with torch.no_grad():
        critic.bias.fill_(0.7)
        columns = critic.columns(torch.tensor([2, 0]))
        scores, features = critic(noise(2, 3, 32, 32), noise(2, 3, 32, 32, seed=1), columns)
        seen = features[-1].clamp(min=0).sum((2, 3))
        common = [critic.columns.weight[video] + critic.common for video in (2, 0)]
        wanted = [float(seen[n] @ column + 0.7) for n, column in enumerate(common)]
    assert scores.tolist() == pytest.approx(wanted, rel=1e-4)


def test_the_size_of_the_published_networks():
    shape = PRESETS["paper"].shape
    assert parameters(Embedder(shape)) == pytest.approx(14.9e6, rel=0.02)
    assert parameters(Discriminator(shape, 0)) == pytest.approx(19.9e6, rel=0.02)
    medium = PRESETS["medium"].shape
    shipped = [Embedder(medium), Generator(medium), Discriminator(medium, 0)]
    # Half precision: two bytes a number.
    assert 2 * sum(map(parameters, shipped)) < 15e6


# Footage and episodes


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three shots of one person, one of another, and two stills."""
    shots = {"a": "ann", "b": "ann", "c": "ann", "d": "ben"}
    return small_dataset(tmp_path_factory.mktemp("sketch") / "data", shots, ["s", "t"])


@pytest.fixture(scope="module")
def footage(data):
    return load_footage(data, 32)


def numbered(frames, stills=0):
    """Footage of one person whose frames have their number for a grey, and stills after it."""
    pictures = torch.arange(frames + stills, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32)
    starts = torch.tensor([0, *range(frames, frames + stills + 1)])
    return Footage(pictures, face().repeat(frames + stills, 1, 1), starts, ((0,),), tuple(range(1, stills + 1)))


def test_footage_of_a_folder(footage):
    assert footage.frames.shape == (4 * 16 + 2, 3, 32, 32)
    assert footage.points.shape == (4 * 16 + 2, 478, 2)
    assert footage.starts.tolist() == [0, 16, 32, 48, 64, 65, 66]
    assert (footage.videos, footage.people, footage.stills) == (6, ((0, 1, 2), (3,)), (4, 5))
    assert footage.left_out == ()


def test_landmarks_of_footage_lie_on_the_faces(footage):
    for number in (0, 15, 40, 63, 65):
        bright = footage.frames[number].float().amin(0)
        y, x = divmod(int(bright.argmax()), 32)
        assert torch.linalg.vector_norm(footage.points[number, 1] - torch.tensor([x, y])) < 2.5
    # One square for a shot: the face moves in it.
    moved = footage.points[15] - footage.points[0]
    assert moved[:, 0].min() > 1
    assert moved[:, 1].abs().max() < 0.3


def test_a_share_of_the_people_and_no_stills(data):
    some = load_footage(data, 32, share_of_people=0.5, stills=False, every=8)
    assert (some.people, some.stills, some.starts.tolist()) == (((0, 1, 2),), (), [0, 2, 4, 6])
    # There is always somebody.
    assert load_footage(data, 32, share_of_people=0.01, every=8).people == ((0, 1, 2),)


@pytest.mark.parametrize("amiss", [{"share_of_people": 0.0}, {"share_of_people": 1.1}, {"every": 0}])
def test_footage_options_out_of_range(data, amiss):
    with pytest.raises(UsageError, match="use 0 to 1"):
        load_footage(data, 32, **amiss)


def test_shots_that_cannot_be_used_are_left_out(data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "data")
    video = folder / "clips" / "b.mp4"
    video.write_bytes(video.read_bytes()[:200])
    (folder / "clips" / "d.mp4").unlink()
    some = load_footage(folder, 32)
    assert some.left_out == ("b", "d")
    assert (some.people, some.stills) == (((0, 1),), (2, 3))
    # Of 16 frames one in 16 is kept: that is no movement.
    with pytest.raises(UsageError, match="none of 4 shots has two frames"):
        load_footage(data, 32, every=16)


def test_people_are_equally_likely_whatever_their_shots(footage):
    videos = draw_episode(footage, 300, 1, TAME, seeded()).videos
    moving, stills = videos[videos < 4], videos[videos >= 4]
    assert len(stills) / 300 == pytest.approx(0.3, abs=0.1)
    assert float((moving == 3).float().mean()) == pytest.approx(0.5, abs=0.12)
    assert all(float((moving == video).float().mean()) == pytest.approx(1 / 6, abs=0.09) for video in (0, 1, 2))


def test_frames_of_an_episode_differ():
    episode = draw_episode(numbered(9), 4, 8, TAME, seeded())
    assert episode.pictures.shape == episode.sketches.shape == (4, 8, 3, 32, 32)
    assert episode.target.shape == episode.target_sketch.shape == (4, 3, 32, 32)
    for pictures, target in zip(episode.pictures, episode.target, strict=True):
        shown = (torch.cat([pictures, target[None]])[:, 0, 16, 16] * 255).round().int().tolist()
        assert sorted(shown) == list(range(9))
    targets = (episode.target[:, 0, 16, 16] * 255).round().int().tolist()
    assert len(set(targets)) > 1


def test_a_short_video_lends_its_frames_again():
    episode = draw_episode(numbered(3, stills=2), 12, 4, TAME, seeded())
    for video, pictures in zip(episode.videos.tolist(), episode.pictures, strict=True):
        shown = set((pictures[:, 0, 16, 16] * 255).round().int().tolist())
        assert shown == ({0, 1, 2} if video == 0 else {2 + video})


def test_sketches_fit_their_pictures():
    torch.manual_seed(0)
    points = torch.cat([face(32, (dx, 0)) for dx in (-3.0, 0.0, 3.0)])
    frames = torch.arange(3, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32)
    episode = draw_episode(Footage(frames, points, torch.tensor([0, 3]), ((0,),), ()), 2, 2, TAME, seeded(1))
    for picture, sketch in zip(episode.target, episode.target_sketch, strict=True):
        number = int((picture[0, 0, 0] * 255).round())
        assert torch.allclose(sketch, draw_sketch(points[number : number + 1], 32)[0], atol=1e-4)


def test_mirrored_pictures_have_mirrored_landmarks():
    frames = (noise(16, 2, 3, 32, 32) * 255).byte()
    points = face(32, (3.0, 1.0)).expand(16, 2, 478, 2)
    pictures, places = vary(frames, points, replace(TAME, mirror=True), seeded())
    counterpart = torch.from_numpy(face_model().mirror.astype(int))
    plain = frames.float() / 255
    mirrored = [bool(torch.allclose(pictures[n], plain[n].flip(-1), atol=1e-4)) for n in range(16)]
    assert 2 < sum(mirrored) < 14
    for n in range(16):
        wanted = points[n].clone()
        if mirrored[n]:
            wanted = wanted[:, counterpart]
            wanted[..., 0] = 31 - wanted[..., 0]
        else:
            assert torch.allclose(pictures[n], plain[n], atol=1e-4)
        assert torch.allclose(places[n], wanted, atol=1e-4)
    # The canonical face is its own mirror image.
    assert torch.allclose(face(32)[0, counterpart, 1], face(32)[0, :, 1], atol=1e-2)


def test_a_dot_at_a_landmark_moves_with_it():
    size = 64
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    points = torch.tensor([[20.0, 33.0], [40.0, 25.0]]).expand(3, 1, 2, 2)
    angle, zoom = torch.tensor([[0.0], [0.3], [-0.2]]), torch.tensor([[1.0], [1.2], [0.9]])
    shift = torch.tensor([[[0.05, -0.1]], [[0.0, 0.0]], [[-0.07, 0.04]]])
    for which in (0, 1):
        at = points[0, 0, which]
        dot = torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 8).expand(3, 1, 3, size, size)
        moved, placed = _moved(dot, points, angle, zoom, shift)
        for n in range(3):
            ink = moved[n, 0, 0]
            found = torch.stack([(ink * x).sum(), (ink * y).sum()]) / ink.sum()
            assert torch.allclose(found, placed[n, 0, which], atol=0.1)
    assert torch.allclose(placed[0, 0], points[0, 0] + size * shift[0], atol=1e-4)


def test_colours_are_one_persons_and_movement_each_frames():
    wild = Wildness(turn=0, zoom=0, shift=0, colour=0.2, grey=0, mirror=False)
    pictures, _ = vary(
        torch.full((4, 3, 3, 32, 32), 100, dtype=torch.uint8), face().expand(4, 3, 478, 2), wild, seeded()
    )
    assert torch.allclose(pictures, pictures[:, :1, :, :1, :1].expand_as(pictures), atol=1e-4)
    assert len({tuple(p[0, :, 0, 0].tolist()) for p in pictures}) == 4
    _, points = vary(torch.zeros(1, 3, 3, 32, 32, dtype=torch.uint8), face().expand(1, 3, 478, 2), Wildness(), seeded())
    assert not torch.allclose(points[0, 0], points[0, 1], atol=0.05)
    grey, _ = vary((noise(1, 1, 3, 32, 32) * 255).byte(), face()[None], replace(TAME, grey=1.0), seeded())
    assert torch.allclose(grey[0, 0, 0], grey[0, 0, 2])


def test_episodes_are_those_of_their_seed_and_step(footage):
    first, again, later, other = (
        _episode(footage, replace(TINY, seed=seed), step) for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5))
    )
    assert torch.equal(first.target, again.target)
    assert torch.equal(first.sketches, again.sketches)
    assert not torch.equal(first.target, later.target)
    assert not torch.equal(first.target, other.target)


# One step of learning


@pytest.fixture
def episode(footage):
    return _episode(footage, TINY, 0)


def learner(videos=6, **settings):
    return Learner(replace(TINY, **settings), videos, "cpu")


def numbers(network):
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def test_a_step_moves_what_must_move_and_nothing_else(episode):
    one = learner()
    before = {name: numbers(network) for name, network in one.networks.items()}
    losses = one.learn(episode)
    assert set(losses) == {"pixels", "tracker", "adversarial", "matching", "match", "critic"}
    assert all(bool(value.isfinite()) for value in losses.values())
    for name in ("embedder", "generator", "discriminator"):
        after = numbers(one.networks[name])
        # A bias before a norm changes nothing, so nothing changes it.
        idle = {key for key in after if name == "generator" and key.endswith("one.bias")}
        still = {key for key in after if torch.equal(after[key], before[name][key])}
        assert still <= idle, still
    seen = set(episode.videos.tolist())
    columns = one.discriminator.columns.weight.detach()
    moved = {n for n in range(6) if not torch.equal(columns[n], before["discriminator"]["columns.weight"][n])}
    assert moved == seen
    assert 0 < len(seen) < 6
    # The means follow, from the same start: by 9 parts in 11 after the first step.
    for name in ("embedder", "generator"):
        after, mean = numbers(one.networks[name]), numbers(one.networks[f"mean_{name}"])
        for key, start in before[name].items():
            assert torch.allclose(mean[key], start + (after[key] - start) * 9 / 11, atol=1e-6), key


def test_attention_learns_too(footage):
    shape = replace(ATTENTIVE, residuals=0)
    torch.manual_seed(0)
    one = Learner(replace(TINY, shape=shape), 6, "cpu")
    pictures, sketches = noise(1, 2, 3, 64, 64), noise(1, 2, 3, 64, 64, seed=1)
    parts = {name: value for name, value in one.embedder.named_parameters() if "share" in name}
    assert len(parts) == 1
    one.embedder(pictures, sketches).sum().backward()
    assert all(value.grad.abs() > 0 for value in parts.values())


def test_the_match_loss_is_left_out_without_its_weight(episode, monkeypatch):
    # Gradients are compared to the third digit, which half precision does not have.
    monkeypatch.setattr(precision, "halved", lambda device: False)

    def gradients(match):
        one = learner(match=match)
        losses = one.learn(episode)
        return losses["match"], {name: p.grad.clone() for name, p in one.embedder.named_parameters()}

    (none, without), (some, match) = gradients(0.0), gradients(3.0)
    assert float(none) == 0
    assert float(some) > 0
    alone = learner()
    found = alone.embedder(episode.pictures, episode.sketches)
    match_loss(found, alone.discriminator.columns(episode.videos).detach()).backward()
    for name, p in alone.embedder.named_parameters():
        assert torch.allclose(match[name] - without[name], 3 * p.grad, rtol=1e-3, atol=1e-5), name


def test_columns_and_embeddings_come_together(footage):
    one = learner(rate=0.0, critic_rate=1e-2, match=1e3, pixels=0.0, tracker=0.0, matching=0.0)
    same = _episode(footage, TINY, 0)
    losses = [float(one.learn(same)["match"]) for _ in range(8)]
    assert losses[-1] < losses[0]


def test_a_step_is_that_of_its_seed(episode):
    first, again, other = learner(), learner(), learner(seed=1)
    results = [one.learn(episode) for one in (first, again, other)]
    assert results[0] == results[1]
    assert results[0] != results[2]
    assert all(
        torch.equal(a, b) for a, b in zip(first.generator.parameters(), again.generator.parameters(), strict=True)
    )


def test_the_mean_by_hand():
    mean, new = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    with torch.no_grad():
        mean.weight.fill_(1)
        new.weight.fill_(5)
        new.running_mean.fill_(7)
    follow(mean, new, 0.75, 1000)
    assert mean.weight.tolist() == [2]
    assert mean.running_mean.tolist() == [7]


def test_the_mean_grows_slow():
    one, weights = learner(rate=0.0, average=0.5), []
    for _ in range(2):
        with torch.no_grad():
            one.generator.leave.bias.fill_(1)
            one.mean_generator.leave.bias.zero_()
        one.learn(_episode(numbered(4), TINY, one.step))
        weights.append(float(one.mean_generator.leave.bias[0].detach()))
    assert weights == pytest.approx([9 / 11, 9 / 12], abs=1e-5)
    one.step = 100
    with torch.no_grad():
        one.mean_generator.leave.bias.zero_()
    one.learn(_episode(numbered(4), TINY, one.step))
    assert float(one.mean_generator.leave.bias[0].detach()) == pytest.approx(0.5, abs=1e-5)


def test_content_losses_take_the_place_of_pixels(footage, episode, plan_file, monkeypatch):
    for name in ("VGG19", "VGGFACE"):
        monkeypatch.setattr(f"gioconda.learning.meta.{name}", replace(NARROW, name=name))
    both = Learner(TINY, 6, "cpu", ContentWeights(plan_file, plan_file)).learn(episode)
    one = Learner(TINY, 6, "cpu", ContentWeights(plan_file)).learn(episode)
    assert {"VGG19", "VGGFACE"} < set(both)
    assert not {"pixels", "tracker"} & set(both)
    assert {"VGG19", "pixels", "tracker"} < set(one)
    assert "VGGFACE" not in one
    # Weighted as published.
    assert float(both["VGG19"]) / TINY.vgg19 == pytest.approx(float(both["VGGFACE"]) / TINY.vggface, rel=1e-5)


# Checkpoints and runs


def kept(path, one):
    save_checkpoint(path, one.step, asdict(one.settings), one.networks, one.optimisers)
    return path


def everything(one):
    state = {f"{name}.{key}": v for name, net in one.networks.items() for key, v in net.state_dict().items()}
    for name, optimiser in one.optimisers.items():
        for index, values in optimiser.state_dict()["state"].items():
            state |= {f"{name}.{index}.{key}": torch.as_tensor(value) for key, value in values.items()}
    return state


def test_a_checkpoint_comes_back_exactly(tmp_path, episode):
    one = learner()
    one.learn(episode)
    path = kept(tmp_path / NAME, one)
    assert checkpoint_header(path) == (1, json.loads(json.dumps(asdict(TINY))))
    other = learner(seed=4)
    assert load_checkpoint(path, other.networks, other.optimisers, "cpu") == 1
    mine, theirs = everything(one), everything(other)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_four_steps_are_two_and_two_more(tmp_path, footage):
    whole = learner()
    for step in range(4):
        whole.learn(_episode(footage, TINY, step))
    first = learner()
    for step in range(2):
        first.learn(_episode(footage, TINY, step))
    path = kept(tmp_path / NAME, first)
    second = learner()
    second.step = load_checkpoint(path, second.networks, second.optimisers, "cpu")
    while second.step < 4:
        second.learn(_episode(footage, TINY, second.step))
    mine, theirs = everything(whole), everything(second)
    assert [key for key in mine if not torch.equal(mine[key], theirs[key])] == []


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    """A run of one step, and what it said."""
    folder, said = tmp_path_factory.mktemp("run"), []
    assert train_sketch(data, folder, TINY, 0.0, log_every=1, say=said.append) == 1
    return folder, said


def test_a_run_leaves_curves_sheets_and_a_checkpoint(run):
    folder, (said,) = run
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1]
    assert {"pixels", "adversarial", "matching", "match", "critic"} <= set(lines[0])
    assert (folder / "sheets" / "0000001.png").stat().st_size > 0
    assert list((folder / "tensorboard").iterdir())
    assert checkpoint_header(folder / NAME)[0] == 1
    assert "2 people in 4 shots, 2 stills, 66 frames" in said
    if not torch.cuda.is_available():
        assert "no GPU" in said
        assert "samples per second" not in lines[0]


def test_the_curves_are_means_over_the_steps_since_the_last_line(data, tmp_path):
    train_sketch(data, tmp_path, TINY, 60, steps=4, log_every=2)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    footage = load_footage(data, TINY.shape.size)
    one = Learner(TINY, footage.videos, "cpu")
    pixels = [float(one.learn(_episode(footage, TINY, step))["pixels"]) for step in range(4)]
    expected = [(pixels[0] + pixels[1]) / 2, (pixels[2] + pixels[3]) / 2]
    assert [line["pixels"] for line in lines] == pytest.approx(expected, rel=1e-4)


def test_a_run_ends_after_so_many_steps(data, tmp_path):
    assert [train_sketch(data, tmp_path, TINY, 60, steps=steps) for steps in (2, 2, 3)] == [2, 2, 3]
    assert checkpoint_header(tmp_path / NAME)[0] == 3
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3]
    with pytest.raises(UsageError, match="at least one"):
        train_sketch(data, tmp_path, TINY, 60, steps=0)


def test_other_settings_are_named(run, data):
    folder, _ = run
    with pytest.raises(UsageError, match="begun with another people, rate;"):
        train_sketch(data, folder, replace(TINY, people=5, rate=1.0), 0.0)


def test_a_run_is_not_gone_on_with_on_other_data(run, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    other = small_dataset(tmp_path / "data", {"a": "ann"})
    said = []
    with pytest.raises(UsageError, match="not a checkpoint of this run and its data") as raised:
        train_sketch(other, folder, TINY, 0.0, say=said.append)
    assert "\n" not in str(raised.value)
    assert "a single person" in said[0]


@pytest.mark.parametrize("length", [0, 100, 20_000])
def test_a_damaged_checkpoint(run, data, tmp_path, length):
    folder = shutil.copytree(run[0], tmp_path / "run")
    whole = (folder / NAME).read_bytes()
    assert len(whole) > 20_000
    (folder / NAME).write_bytes(whole[:length])
    with pytest.raises(UsageError, match="not a checkpoint that can be read"):
        train_sketch(data, folder, TINY, 0.0)
    with pytest.raises(UsageError, match="not a checkpoint that can be read"):
        export_base(folder, folder / "sketch.safetensors", {})


def test_a_checkpoint_with_numbers_that_are_none(run, data, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    tensors = load_file(folder / NAME)
    next(iter(tensors.values())).view(-1)[0] = float("inf")
    with safe_open(folder / NAME, framework="pt") as file:
        save_file(tensors, folder / NAME, file.metadata())
    with pytest.raises(UsageError, match=r"not a checkpoint of this run .*numbers that are none"):
        train_sketch(data, folder, TINY, 0.0)


def test_a_checkpoint_of_another_kind(run, data, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    save_file({"a": torch.zeros(1)}, folder / NAME)
    with pytest.raises(UsageError, match="not a checkpoint that can be read"):
        train_sketch(data, folder, TINY, 0.0)


def test_a_full_disk(data, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=100_000))
        with pytest.raises(OutputError, match=r"checkpoints take [\d.]+ MB, 0 MB are free"):
            train_sketch(data, tmp_path / "run", TINY, 0.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        with pytest.raises(OutputError, match="no space is left"):
            train_sketch(data, tmp_path / "run", TINY, 0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    # Nothing half-written, and the run can be begun.
    assert not list((tmp_path / "run").glob(f"*{NAME}*"))
    assert train_sketch(data, tmp_path / "run", TINY, 0.0) == 1


def test_a_killed_run_goes_on(data, tmp_path):
    script = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(1)\n"
        "from gioconda.learning.meta import *\n"
        f"settings = SketchTraining(shape=Shape(**{asdict(SHAPE)!r}), views=2, people=2, rate=1e-3, critic_rate=1e-3)\n"
        "train_sketch(Path(sys.argv[1]), Path(sys.argv[2]), settings, 60, log_every=1)\n"
    )
    folder = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", script, str(data), str(folder)], env={**os.environ})
    try:
        ends = time.monotonic() + 120
        while not (folder / "sheets" / "0000003.png").exists() and time.monotonic() < ends:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    step, _ = checkpoint_header(folder / NAME)
    assert step >= 2
    assert train_sketch(data, folder, TINY, 0.0) == step + 1


def test_the_command_says_what_is_missing(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    command = ["train", "sketch", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--minutes", "0"]
    assert main(command) == 2
    assert "not a dataset folder" in capsys.readouterr().err
    (tmp_path / "data" / "clips.jsonl").write_text("")
    assert main(command) == 2
    assert "no shot of the split train" in capsys.readouterr().err


# What a run exports


def test_the_exported_networks_are_the_means(run, tmp_path):
    folder, _ = run
    out = tmp_path / "sketch.safetensors"
    card = export_base(folder, out, {"name": "sketch"})
    assert json.loads(out.with_suffix(".json").read_text()) == card
    assert (card["steps"], card["name"]) == (1, "sketch")
    base = load_base(out)
    assert base.shape == SHAPE
    assert base.sha256 == card["sha256"]
    state = load_file(folder / NAME)
    for ours, theirs in (("embedder", "mean_embedder"), ("generator", "mean_generator"), ("discriminator",) * 2):
        for name, value in getattr(base, ours).state_dict().items():
            if name != "columns.weight":
                assert torch.allclose(value, state[f"{theirs}.{name}"], atol=1e-3), name
    assert base.discriminator.columns.weight.abs().max() == 0


def test_weights_that_are_none(run, tmp_path):
    path = tmp_path / "sketch.safetensors"
    with pytest.raises(UsageError, match="no checkpoint in it"):
        export_base(tmp_path, path, {})
    with pytest.raises(UsageError, match="not weights that can be read"):
        load_base(path)
    with pytest.raises(UsageError, match="not the networks of sketch"):
        load_base(run[0] / NAME)
    export_base(run[0], path, {})
    state = load_file(path)
    short = copy.copy(state)
    del short["generator.leave.bias"]
    save_file(short, path, {"format": "gioconda.sketch", "shape": json.dumps(asdict(SHAPE))})
    with pytest.raises(UsageError, match=r"not weights.*leave\.bias") as raised:
        load_base(path)
    assert "\n" not in str(raised.value)
    save_file(state, path, {"format": "gioconda.sketch", "shape": json.dumps({**asdict(SHAPE), "residuals": 10**9})})
    with pytest.raises(UsageError, match="no network can be"):
        load_base(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UsageError, match="not weights that can be read"):
        load_base(path)


def test_sheets_show_what_was_seen_drawn_made_and_true(footage):
    one = learner()
    episode = _episode(footage, TINY, 0)
    shown = one.show(episode)
    assert shown.shape == (2, 4, 3, 32, 32)
    wanted = (episode.pictures[:, 0], episode.target_sketch, episode.target)
    assert all(torch.equal(shown[:, column], wanted[n]) for n, column in enumerate((0, 1, 3)))
    assert np.ptp(shown[:, 2].numpy()) > 0
