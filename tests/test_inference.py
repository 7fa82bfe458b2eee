"""What networks are computed on."""

import numpy as np
import pytest

from gioconda import inference
from gioconda.cli import main
from gioconda.errors import UsageError
from gioconda.inference import AUTO, CPU, PROVIDERS, devices, fastest_network, start_network
from gioconda.rendering import make_renderer
from gioconda.rendering.clues import CELLS, CHANNELS
from gioconda.rendering.renderer import OWN_NETWORK
from makers import still

NETWORK = OWN_NETWORK.read_bytes()
ABSENT = [name for name in PROVIDERS if name not in devices()]
SEEN = np.random.default_rng(1).random((1, CHANNELS, CELLS, CELLS), np.float32)


def answer(session):
    return session.run(None, {"clues": SEEN})[0]


def test_the_cpu_is_always_there():
    assert devices()[0] == CPU


@pytest.mark.parametrize("device", devices())
def test_every_device_says_what_the_cpu_says(device):
    session = start_network(NETWORK, "it", device=device)
    assert session.get_providers()[0] == PROVIDERS[device]
    assert np.allclose(answer(session), answer(start_network(NETWORK, "it")), atol=inference.ALIKE)


def test_the_fastest_is_one_of_those_that_agree(monkeypatch):
    # A second name for the CPU: there are two devices, and they agree.
    monkeypatch.setattr(inference, "PROVIDERS", {CPU: PROVIDERS[CPU], "other": PROVIDERS[CPU]})
    assert inference.devices() == (CPU, "other")
    wanted = answer(start_network(NETWORK, "it"))
    assert np.array_equal(answer(fastest_network(NETWORK, "it", SEEN, threads=1)), wanted)
    # One that agrees with nobody, and one that does not start, leave the CPU.
    monkeypatch.setattr(inference, "ALIKE", -1.0)
    assert np.array_equal(answer(fastest_network(NETWORK, "it", SEEN)), wanted)
    monkeypatch.setattr(inference, "PROVIDERS", {CPU: PROVIDERS[CPU], "broken": "AzureExecutionProvider"})
    assert np.array_equal(answer(fastest_network(NETWORK, "it", SEEN)), wanted)


@pytest.mark.skipif(not ABSENT, reason="the installed ONNX Runtime computes on everything")
def test_a_device_that_is_not_there(portrait, picture, tmp_path, capsys):
    device = ABSENT[0]
    with pytest.raises(UsageError, match=f"device {device}: the installed ONNX Runtime computes on cpu"):
        start_network(NETWORK, "it", device=device)
    still(2).save(tmp_path / "x.motion")
    command = ["animate", str(picture), "--driver", str(tmp_path / "x.motion"), "--out", str(tmp_path / "x.mp4")]
    assert main([*command, "--device", device]) == 2
    assert f"error [usage]: device {device}: the installed ONNX Runtime" in capsys.readouterr().err
    assert not (tmp_path / "x.mp4").exists()


def test_a_device_by_name_draws_as_the_one_that_is_chosen(portrait):
    target = portrait.views[0].points + np.float32([3, 2, 0])
    own, chosen = (make_renderer("warp", portrait.views, device=device)(target).rgb for device in (CPU, AUTO))
    assert np.abs(own.astype(int) - chosen).max() <= 2


def test_flow_has_nothing_to_compute_elsewhere(portrait):
    make_renderer("flow", portrait.views, device=CPU)
    with pytest.raises(UsageError, match="flow has no network to compute on cuda"):
        make_renderer("flow", portrait.views, device="cuda")
