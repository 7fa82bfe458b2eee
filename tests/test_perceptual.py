"""LPIPS and FID by hand, on networks whose weights are known; and the files they are read from."""
# ruff: noqa: E402 (imports come after the check that torch is there)

from __future__ import annotations

import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")

from safetensors.torch import load_file, save_file

from gioconda.errors import UsageError
from gioconda.evaluation.frechet import frechet
from gioconda.evaluation.inception import Inception, network
from gioconda.evaluation.lpips import SCALE, SHIFT, TAKEN, Lpips, distance, features

torch.set_num_threads(1)

TOOL = Path(__file__).parents[1] / "tools" / "to_safetensors.py"


def noise(seed: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def lpips_tensors(kind: str = "alex", value: float | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a network for LPIPS: random ones, or all of one value."""
    torch.manual_seed(0)
    found = {name: t.clone() for name, t in features(kind).state_dict().items()}
    for depth, number in enumerate(TAKEN[kind]):
        found[f"lin{depth}.model.1.weight"] = torch.rand(1, len(found[f"features.{number - 1}.bias"]), 1, 1)
    return found if value is None else {name: torch.full_like(t, value) for name, t in found.items()}


def write_lpips(path: Path, kind: str = "alex") -> Path:
    save_file(lpips_tensors(kind), path)
    return path


def write_inception(path: Path) -> Path:
    torch.manual_seed(0)
    tensors = network().state_dict()
    for name, tensor in tensors.items():
        if name.endswith("conv.weight"):
            torch.nn.init.kaiming_normal_(tensor)  # so that what goes in is still there after 94 layers
    save_file(tensors, path)
    return path


# LPIPS


@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_equal_pictures_are_no_distance_apart_and_others_are(kind: str, tmp_path: Path):
    lpips = Lpips(write_lpips(tmp_path / "a.safetensors", kind))
    assert lpips.kind == kind
    assert lpips(noise(1), noise(1)) == 0
    assert lpips(noise(1), noise(2)) > 0
    assert lpips(noise(1), noise(2)) == pytest.approx(lpips(noise(2), noise(1)))
    near = np.clip(noise(1).astype(int) + 3, 0, 255).astype(np.uint8)
    assert lpips(near, noise(1)) < lpips(noise(2), noise(1))


def test_the_distance_of_known_features():
    # (3, 4) and (0, 5) of length 1 are (0.6, 0.8) and (0, 1): squared differences 0.36 and 0.04.
    one, other = torch.tensor([[[3.0]], [[4.0]]]), torch.tensor([[[0.0]], [[5.0]]])
    weights = torch.tensor([1.0, 10.0])
    assert float(distance(torch.stack([one, other]), weights)) == pytest.approx(0.36 + 0.4)
    # The mean over places: a second one at which both are the same.
    both = torch.stack([torch.cat([x, one], 2) for x in (one, other)])
    assert float(distance(both, weights)) == pytest.approx(0.76 / 2)
    # Where nothing is rectified to more than 0, there is no direction: no distance, no division by 0.
    assert float(distance(torch.zeros(2, 2, 1, 1), weights)) == 0


def test_lpips_of_one_layer_by_hand(tmp_path: Path):
    """Everything is 0 but the first layer's middle tap of red and of green, in a channel each."""
    tensors = lpips_tensors(value=0.0)
    for channel in (0, 1):
        tensors["features.0.weight"][channel, channel, 5, 5] = 1.0
    tensors["lin0.model.1.weight"][0, :2, 0, 0] = torch.tensor([2.0, 3.0])
    save_file(tensors, tmp_path / "one.safetensors")
    made, true = (np.full((64, 64, 3), colour, np.uint8) for colour in ((255, 204, 9), (204, 255, 77)))
    red, green = (((np.array([255, 204]) / 127.5 - 1) - SHIFT[i]) / SCALE[i] for i in (0, 1))
    a, b = (np.array([red[0], green[1]]), np.array([red[1], green[0]]))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    expected = float((a - b) ** 2 @ [2, 3])
    assert Lpips(tmp_path / "one.safetensors")(made, true) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("kind", "count"), [("alex", 2_469_696), ("vgg", 14_714_688)])
def test_the_feature_networks_are_as_large_as_the_published_ones(kind: str, count: int):
    assert sum(p.numel() for p in features(kind).parameters()) == count
    kinds = [type(layer).__name__ for layer in features(kind)["features"]]
    assert all(kinds[number] == "ReLU" for number in TAKEN[kind])
    assert len(kinds) == TAKEN[kind][-1] + 1


# FID


def test_the_inception_network_is_as_large_as_the_published_one():
    # torchvision counts 27,161,264 with a second exit (3,326,696) and the last layer (2,049,000).
    layers = network()
    assert sum(p.numel() for p in layers.parameters()) == 27_161_264 - 3_326_696 - 2_049_000
    names = layers.state_dict()
    for name, shape in (
        ("Conv2d_1a_3x3.bn.running_var", (32,)),
        ("Mixed_5b.branch5x5_2.conv.weight", (64, 48, 5, 5)),
        ("Mixed_6b.branch7x7dbl_2.conv.weight", (128, 128, 7, 1)),
        ("Mixed_6b.branch7x7_2.conv.weight", (128, 128, 1, 7)),
        ("Mixed_7a.branch7x7x3_4.conv.weight", (192, 192, 3, 3)),
        ("Mixed_7c.branch3x3dbl_3b.conv.weight", (384, 384, 3, 1)),
    ):
        assert tuple(names[name].shape) == shape


def test_features_of_pictures_of_any_shape(tmp_path: Path):
    inception = Inception(write_inception(tmp_path / "i.safetensors"))
    found = inception(noise(0, 80)[:50])
    assert found.shape == (2048,)
    assert (found >= 0).all()
    assert (found == inception(noise(0, 80)[:50])).all()
    assert not np.allclose(found, inception(noise(1, 80)[:50]))


def test_blocks_pool_as_the_training_of_2015_did():
    """Averages leave the border out: a constant stays one; the last block takes the largest value."""
    layers = network().eval()
    with torch.inference_mode():
        seen: dict[str, torch.Tensor] = {}
        for name, inside in (("Mixed_5b", 192), ("Mixed_7b", 1280), ("Mixed_7c", 2048)):
            block = layers.get_submodule(name)
            block.get_submodule("branch_pool").register_forward_pre_hook(
                lambda _, given, name=name: seen.update({name: given[0]})
            )
            ramp = torch.ones(1, inside, 5, 5)
            ramp[..., 2, 2] = 10
            block(ramp)
    for name in ("Mixed_5b", "Mixed_7b"):
        assert torch.allclose(seen[name][0, 0, 0], torch.ones(5))
        assert float(seen[name][0, 0, 1, 1]) == pytest.approx(18 / 9)
    assert float(seen["Mixed_7c"][0, 0, 1, 1]) == 10


def gaussian(mean: np.ndarray, covariance: np.ndarray, count: int) -> np.ndarray:
    """A cloud (count, D) whose mean and covariance are exactly these."""
    rough = np.random.default_rng(0).normal(size=(count, len(mean)))
    rough -= rough.mean(axis=0)
    whitened = rough @ np.linalg.inv(np.linalg.cholesky(np.cov(rough, rowvar=False))).T
    return whitened @ np.linalg.cholesky(covariance).T + mean


def test_frechet_of_known_gaussians_is_the_closed_form():
    """Two covariances that do not commute, in two dimensions: tr (AB)^(1/2) is (tr AB + 2 (det AB)^(1/2))^(1/2)."""
    a, b = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    means = np.array([1.0, -2.0]), np.array([0.0, 1.0])
    shared = math.sqrt(np.trace(a @ b) + 2 * math.sqrt(np.linalg.det(a @ b)))
    expected = 1 + 9 + np.trace(a) + np.trace(b) - 2 * shared
    assert frechet(gaussian(means[0], a, 50), gaussian(means[1], b, 70)) == pytest.approx(expected)


def test_frechet_of_fewer_samples_than_features():
    """A few points in a plane of many dimensions: the same as in the plane."""
    flat = [np.random.default_rng(seed).normal(size=(9, 2)) * (1, 3) + seed for seed in (0, 1)]
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(300, 2)))[0].T
    assert frechet(*(rows @ turn for rows in flat)) == pytest.approx(frechet(*flat), rel=1e-9)
    assert math.isnan(frechet(flat[0][:1], flat[1]))


# Files


def test_a_file_without_its_tensors_is_explained(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    for change, words in (
        ({"features.3.weight": None}, r"no tensor 'features\.3\.weight'"),
        ({"lin2.model.1.weight": None}, r"no tensor 'lin2\.model\.1\.weight'"),
        ({"features.0.bias": torch.zeros(7)}, r"shape \(7,\), not \(64,\)"),
        ({"lin0.model.1.weight": torch.full((1, 64, 1, 1), -1.0)}, "0 or more"),
    ):
        tensors = {name: t for name, t in (lpips_tensors() | change).items() if t is not None}
        save_file(tensors, path)
        with pytest.raises(UsageError, match=words):
            Lpips(path)
    with pytest.raises(UsageError, match="no Inception network"):
        Inception(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(UsageError, match="must be a safetensors file"):
        Inception(path)


def test_public_checkpoints_become_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = lpips_tensors()
    parts = {"alexnet.pth": "features", "lin.pth": "lin"}
    for name, begins in parts.items():
        torch.save({k: v for k, v in whole.items() if k.startswith(begins)}, tmp_path / name)
    out = tmp_path / "lpips.safetensors"
    monkeypatch.setattr(sys, "argv", ["to_safetensors.py", str(out), *(str(tmp_path / name) for name in parts)])
    runpy.run_path(str(TOOL), run_name="__main__")
    read = load_file(out)
    assert all((read[name] == tensor).all() for name, tensor in whole.items())
    assert Lpips(out).kind == "alex"


def test_what_is_no_dictionary_of_tensors_is_not_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch.save(["no tensors"], tmp_path / "x.pth")
    monkeypatch.setattr(sys, "argv", ["to_safetensors.py", str(tmp_path / "x.safetensors"), str(tmp_path / "x.pth")])
    with pytest.raises(SystemExit, match="tensors by name"):
        runpy.run_path(str(TOOL), run_name="__main__")
    assert not (tmp_path / "x.safetensors").exists()
