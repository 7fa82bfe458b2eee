"""Fine-tuning the network of `warp` to a person, and what comes of it."""
# ruff: noqa: E402 (imports come after the check that torch is there)

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")

from gioconda import Gains, Portrait, View
from gioconda.avatar import Avatar, picture_hash
from gioconda.cli import main
from gioconda.errors import AvatarError, UsageError
from gioconda.evaluation.renderers import check, drawer, mode
from gioconda.learning.fine_tuning import Pace
from gioconda.learning.pairs import Sampler
from gioconda.learning.personal_warp import (
    WarpTuning,
    _in_one_light,
    _paired,
    _placed,
    personalize_warp,
)
from gioconda.learning.personalize import personalize
from gioconda.media.files import sha256_of
from gioconda.rendering import FlowRenderer, composite, make_renderer
from gioconda.rendering.renderer import OWN_NETWORK
from gioconda.rendering.warp import ONNX, WarpNetwork
from gioconda.retarget import Sitter, retarget
from makers import jaw, movement, still

torch.set_num_threads(1)

QUICK = WarpTuning(rate=1e-3, batch=4, average=0.5, pace=Pace(check_every=8, patience=2, most=24))


@pytest.fixture(scope="module")
def small(portrait):
    """The portrait with a face as large as the network sees it."""
    return portrait.framed(crop=True, size=256).views[0]


@pytest.fixture(scope="module")
def opened(small):
    """Landmarks with the mouth open by so much."""
    sitter = Sitter.of(small.points, *small.rgb.shape[1::-1])
    return lambda much: retarget(sitter, movement(offsets=jaw(much)), Gains())


@pytest.fixture(scope="module")
def shaded(small, opened):
    """Five pictures of a person whose chin is the darker the further the mouth is open, which no network could know."""
    render, chin = FlowRenderer([small]), small.points[152, :2]
    y, x = np.mgrid[: small.rgb.shape[0], : small.rgb.shape[1]]
    near = np.exp(-((x - chin[0]) ** 2 + (y - chin[1] + 20) ** 2) / (2 * 25.0**2))[..., None]
    views = []
    for much in (0.0, 0.3, 0.15, 0.25, 0.08):
        target = opened(much)
        rgb = composite(small, render(target))[0] * (1 - 1.5 * much * near)
        views.append(View(rgb.astype(np.uint8), target))
    return Portrait(tuple(views))


@pytest.fixture(scope="module")
def tuned(shaded):
    looks = []
    return personalize_warp(shaded, settings=QUICK, consent="mine", watch=looks.append), looks


def test_held_out_pictures_get_nearer(tuned, shaded):
    avatar, looks = tuned
    assert avatar.about.renderer == "warp"
    assert avatar.about.base == sha256_of(OWN_NETWORK)
    assert avatar.about.consent == "mine"
    assert avatar.about.pictures == tuple(map(picture_hash, shaded.views))
    assert 0 < avatar.about.steps <= 24
    assert [look.step for look in looks] == [*range(0, looks[-1].step + 1, 8)]
    assert min(look.error for look in looks) < 0.9 * looks[0].error
    assert {look.sample.shape for look in looks} == {(192, 384, 3)}


def test_the_avatar_shades_as_its_person_does(tuned, shaded, opened):
    """On an expression that no picture shows."""
    avatar, _ = tuned
    canvas, target = shaded.views[0], opened(0.2)
    by_anybody, by_it = (make_renderer("warp", [canvas], weights)(target) for weights in (None, avatar))
    x, y = np.rint(target[152, :2] - (by_it.left, by_it.top + 20)).astype(int)
    chin = np.s_[y - 8 : y + 8, x - 12 : x + 12]
    assert by_it.rgb[chin].mean() < by_anybody.rgb[chin].mean() - 4
    # At rest it is the picture, whatever was learned.
    assert np.array_equal(composite(canvas, make_renderer("warp", [canvas], avatar)(canvas.points))[0], canvas.rgb)


def test_it_is_that_of_its_seed(shaded):
    soon = replace(QUICK, pace=Pace(check_every=1, patience=1, most=2))
    first, again = (personalize_warp(shaded, settings=soon) for _ in range(2))
    assert np.array_equal(first.network[ONNX], again.network[ONNX])


def test_without_fidelity_it_draws_as_anybody(portrait, small, opened):
    avatar = personalize(Portrait((small,)), fidelity=0)
    assert avatar.about.steps == 0
    own, base = (make_renderer("warp", [small], weights)(opened(0.3)).rgb for weights in (avatar, None))
    assert np.abs(own.astype(int) - base).max() <= 1


def test_an_avatar_is_drawn_without_torch(tuned, motion_file, tmp_path):
    tuned[0].save(tmp_path / "me.avatar")
    again = Avatar.load(tmp_path / "me.avatar")
    assert again.about == tuned[0].about
    assert np.array_equal(again.network[ONNX], tuned[0].network[ONNX])
    program = (
        "import sys; from gioconda.cli import main; "
        f"status = main(['animate', 'me.avatar', '--driver', {str(motion_file)!r}, '--out', 'clip.png']); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "clip.png").stat().st_size > 1000


def test_two_pictures_teach_nothing(shaded, opened):
    looks = []
    avatar = personalize_warp(Portrait(shaded.views[:2]), watch=looks.append)
    assert avatar.about.steps == 0
    assert looks == []
    canvas = shaded.views[0]
    own, base = (make_renderer("warp", [canvas], weights)(opened(0.3)).rgb for weights in (avatar, None))
    assert np.abs(own.astype(int) - base).max() <= 1


def test_held_out_pictures_teach_nothing(shaded):
    known, unseen = _paired(shaded.views)
    # Of five pictures one is held out: four learn from each other, and three of them are tried on it.
    assert (len(known), len(unseen)) == (12, 3)
    held = _in_one_light(Sampler(shaded.views[0]).sample(shaded.views[2].points, shaded.views[2].rgb))
    assert np.array_equal(unseen[0].truth, held.truth)
    assert not any(np.array_equal(sample.truth, each.truth) for sample in known for each in unseen)


def test_pictures_from_elsewhere_are_brought_into_place(small):
    matrix = np.array([[1.7, 0, -30], [0, 1.7, -55]])
    other = View(
        cv2.warpAffine(small.rgb, matrix, (400, 380), borderMode=cv2.BORDER_REPLICATE),
        (small.points * 1.7 + (*(matrix[:, 2] + matrix[:, :2] @ (0, 0)), 0)).astype(np.float32),
    )
    placed = _placed(other, small)
    assert np.abs(placed.points - small.points).max() < 0.01
    x, y = np.rint(small.points[1, :2]).astype(int)
    middle = np.s_[y - 30 : y + 30, x - 30 : x + 30]
    assert np.abs(placed.rgb[middle].astype(float) - small.rgb[middle]).mean() < 3


def test_two_pictures_have_one_light(small, opened):
    sample = Sampler(small).sample(opened(0.2), small.rgb)
    darker = replace(sample, truth=(sample.truth * np.array([0.5, 0.6, 0.7])).astype(np.uint8))
    assert np.abs(_in_one_light(darker).truth.astype(float) - _in_one_light(sample).truth).mean() < 2


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({}, AvatarError, "make it again"),
        ({ONNX: np.zeros(9, np.float32)}, AvatarError, "make it again"),
        ({ONNX: np.zeros(9, np.uint8)}, UsageError, "the avatar's network: not a network that can be read"),
    ],
)
def test_avatars_without_their_network(tuned, change, error, words):
    with pytest.raises(error, match=words):
        WarpNetwork.of(replace(tuned[0], network=change))


def test_what_cannot_be_fine_tuned(portrait, tmp_path):
    with pytest.raises(UsageError, match="warp and sketch can"):
        personalize(portrait, renderer="flow")
    with pytest.raises(UsageError, match="use 0 to 3"):
        personalize(portrait, fidelity=4)
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="not a network that can be read"):
        personalize(portrait, tmp_path / "no.onnx")


def test_the_command_needs_no_weights(picture, tmp_path, capsys):
    out = tmp_path / "me.avatar"
    assert main(["personalize", str(picture), "--out", str(out), "--fidelity", "0", "--consent", "mine"]) == 0
    assert "1 pictures, 0 steps" in capsys.readouterr().out
    avatar = Avatar.load(out)
    assert (avatar.about.renderer, avatar.about.consent) == ("warp", "mine")
    still(2).save(tmp_path / "x.motion")
    animate = ["animate", str(out), "--driver", str(tmp_path / "x.motion"), "--out", str(tmp_path / "x.apng")]
    assert main(animate) == 0
    assert main([*animate, "--weights", str(OWN_NETWORK)]) == 0
    other = tmp_path / "warp.onnx"
    other.write_bytes(b"others")
    assert main([*animate, "--weights", str(other)]) == 2
    assert "the avatar was fine-tuned from weights" in capsys.readouterr().err


def test_it_is_measured_beside_the_others(shaded):
    _, plain, fine_tuned = check(["warp", "warp-ft"], [1])
    assert (mode(plain.name), mode(fine_tuned.name)) == ("feed-forward", "fine-tuned")
    assert drawer(fine_tuned, shaded.views[:1])(shaded.views[0].points).shape == shaded.views[0].rgb.shape
