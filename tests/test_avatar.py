"""`.avatar` files: what is kept comes back exactly, and what is no whole avatar is refused in a line."""

import hashlib
import json
import re
import struct
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gioconda import Portrait, View
from gioconda.avatar import About, Avatar, picture_hash
from gioconda.cli import main
from gioconda.errors import AvatarError, OutputError, UsageError
from gioconda.face import face_model
from gioconda.media.files import sha256_of

PAGE = Path(__file__).parents[1] / "docs/avatar.md"


def view(seed=0, alpha=False, height=70, width=66):
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (height, width, 3), np.uint8)
    points = (face_model().shape * 15 + np.array([33, 30, 0])).astype(np.float32)
    return View(rgb, points, random.integers(0, 256, (height, width), np.uint8) if alpha else None)


def avatar(*views):
    views = views or (view(0), view(1, alpha=True))
    about = About(
        renderer="sketch",
        shape={"size": 32, "narrowest": 4, "widest": 8, "residuals": 1, "attention": 0},
        base="ab" * 32,
        steps=7,
        consent="my own pictures; d'accord, 同意",
        pictures=tuple(map(picture_hash, views)),
    )
    random = np.random.default_rng(2)
    network = {"personal": random.normal(size=(1, 9)), "generator.leave.bias": random.normal(size=3)}
    return Avatar(Portrait(views), about, {name: values.astype(np.float16) for name, values in network.items()})


@pytest.fixture
def file(tmp_path):
    return avatar().save(tmp_path / "me.avatar")


def header_of(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + size])
    return json.loads(entries.pop("__metadata__")["gioconda"]), entries


def rewrite(path, tensors=None, **changes):
    """The file with other header fields (None takes one away) and other tensors."""
    header = {name: value for name, value in {**header_of(path)[0], **changes}.items() if value is not None}
    save_file({**load_file(path), **(tensors or {})}, path, {"gioconda": json.dumps(header)})


def test_an_avatar_comes_back_exactly(file):
    wanted, found = avatar(), Avatar.load(file)
    assert found.about == wanted.about
    assert len(found.portrait.views) == 2
    for theirs, mine in zip(found.portrait.views, wanted.portrait.views, strict=True):
        assert np.array_equal(theirs.rgb, mine.rgb)
        assert np.array_equal(theirs.points, mine.points)
    assert found.portrait.views[0].alpha is None
    assert np.array_equal(found.portrait.views[1].alpha, wanted.portrait.views[1].alpha)
    assert found.portrait.views[0].sha256 == sha256_of(file)  # what a clip of it says of its portrait
    assert found.network.keys() == wanted.network.keys()
    for name, values in wanted.network.items():
        assert found.network[name].dtype == np.float16
        assert np.array_equal(found.network[name], values)


def test_pictures_are_told_by_their_pixels():
    one = view()
    assert picture_hash(one) == picture_hash(replace(one, points=one.points + 1))
    other = one.rgb.copy()
    other[3, 4, 1] ^= 1
    assert picture_hash(one) != picture_hash(replace(one, rgb=other))
    assert picture_hash(one) != picture_hash(replace(one, rgb=one.rgb.reshape(66, 70, 3)))


def test_the_page_describes_the_file(file):
    page = PAGE.read_text(encoding="utf-8")
    header, entries = header_of(file)
    fields, tensors = (set(re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE)) for part in page.split("Tensors:"))
    assert fields == set(header)
    assert header["format"] == "gioconda.avatar"
    assert f"| `version` | {header['version']};" in page
    shape = re.search(r"^\| `shape` \|(.*)\|$", page, re.MULTILINE).group(1)
    assert set(re.findall(r"`([^`]+)`", shape)) == set(header["shape"])
    for name, entry in entries.items():
        row = re.sub(r"^view\.\d+", "view.N", name) if name.startswith("view") else name
        row = "network.generator.*" if row.startswith("network.generator.") else row
        assert row in tensors
        assert f"| `{row}` | {entry['dtype']} |" in page
    assert entries["view.0.points"]["shape"] == [478, 3]


# What is refused


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_file(file, share):
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(AvatarError, match=r"me\.avatar: not a"):
        Avatar.load(file)


def test_other_files_and_none(file, tmp_path):
    with pytest.raises(AvatarError, match=r"no such file.*gioconda personalize"):
        Avatar.load(tmp_path / "nobody.avatar")
    with pytest.raises(AvatarError, match="no such file"):
        Avatar.load(tmp_path)
    file.write_text("a text" * 100)
    with pytest.raises(AvatarError, match="not a whole avatar"):
        Avatar.load(file)
    save_file({"a": np.zeros(3)}, file)
    with pytest.raises(AvatarError, match="not an avatar"):
        Avatar.load(file)


@pytest.mark.parametrize(
    "header", ["5", "[]", "null", "{", '{"format": "gioconda.motion"}', '{"format": "gioconda.avatar"}']
)
def test_headers_that_are_none(file, header):
    save_file(load_file(file), file, {"gioconda": header})
    with pytest.raises(AvatarError, match=r"not a"):
        Avatar.load(file)


@pytest.mark.parametrize("option", ["--face 0", "--box 1,2,30,40", "--landmarks points.json"])
def test_an_avatar_knows_its_face(file, option, capfd):
    arguments = ["animate", str(file), "--driver", "orator", "--out", str(file.with_name("clip.mp4"))]
    assert main([*arguments, *option.split()]) == 2
    said = capfd.readouterr().err
    assert said == "gioconda: error [usage]: an avatar knows its face: leave out --face, --box and --landmarks\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_newer_version(file):
    rewrite(file, version=2)
    with pytest.raises(AvatarError, match="version 2, this program reads up to 1; upgrade"):
        Avatar.load(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"views": 0}, {"views": 3}, {"views": 33}, {"views": "two"}, {"views": None}, {"base": None}, {"steps": "many"},
        {"more": 1}, {"shape": None}, {"shape": {"size": "large"}}, {"shape": [1]}, {"renderer": 3}, {"pictures": 4},
        {"version": "one"}, {"consent": None},
    ],
)  # fmt: skip
def test_header_fields_amiss(file, changes):
    rewrite(file, **changes)
    with pytest.raises(AvatarError, match="not a whole avatar"):
        Avatar.load(file)


@pytest.mark.parametrize(
    "tensors",
    [
        {"view.0.points": np.zeros((477, 3), np.float32)},
        {"view.0.points": np.full((478, 3), np.nan, np.float32)},
        {"view.0.png": np.zeros(100, np.uint8)},
        {"view.1.png": np.zeros(0, np.uint8)},
        {"network.personal": np.array([[1.0, np.inf]], np.float16)},
        {"network.personal": np.array([[1.0, np.nan]], np.float16)},
    ],
)
def test_tensors_amiss(file, tensors):
    rewrite(file, tensors)
    with pytest.raises(AvatarError, match="not a whole avatar"):
        Avatar.load(file)


@pytest.mark.parametrize("points", [np.full((478, 3), 9.0), np.eye(478, 3) * 1e38, np.full((478, 3), np.nan)])
def test_landmarks_that_are_no_face(file, points):
    rewrite(file, {"view.0.points": points.astype(np.float32)})
    with pytest.raises(AvatarError, match="no face"):
        Avatar.load(file)


def test_a_damaged_picture(file):
    png = load_file(file)["view.0.png"].copy()
    for place in range(40, len(png), 97):
        broken = png.copy()
        broken[place] ^= 0xFF
        rewrite(file, {"view.0.png": broken})
        try:
            Avatar.load(file)
        except AvatarError:
            return
    pytest.fail("no damage was noticed")


def test_pictures_that_are_too_large(file):
    with pytest.raises(AvatarError, match="66 x 70"):
        Avatar.load(file, max_pixels=66 * 70 - 1)
    assert len(Avatar.load(file, max_pixels=66 * 70).portrait.views) == 2


def test_the_limit_is_the_callers_not_pillows(file, monkeypatch, recwarn):
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 1000)
    assert len(Avatar.load(file).portrait.views) == 2
    assert not recwarn.list


# Where it is kept


@pytest.mark.parametrize("name", ["me.safetensors", "me", "nowhere/me.avatar"])
def test_names_no_avatar_can_have(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.avatar"):
        avatar().save(tmp_path / name)


def test_nothing_half_written(tmp_path, monkeypatch):
    path = avatar().save(tmp_path / "me.avatar")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="no space is left"):
        avatar(view(5)).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["me.avatar"]


def test_a_portrait_has_up_to_32_pictures(tmp_path, capsys):
    assert len(Avatar.load(avatar(*[view(height=8, width=8)] * 32).save(tmp_path / "a.avatar")).portrait.views) == 32
    with pytest.raises(UsageError, match="33 pictures given; a portrait has 1 to 32"):
        Portrait((view(),) * 33)
    pictures = [f"{number}.jpg" for number in range(33)]
    command = ["personalize", *pictures, "--out", str(tmp_path / "b.avatar")]
    status = main(command)
    said = capsys.readouterr().err
    if "missing-extra" in said:
        pytest.skip("the extra 'learn' is not installed")
    assert status == 2
    assert "error [usage]: 33 pictures given; a portrait has 1 to 32" in said


# Weights


def test_the_weights_an_avatar_was_made_from(file, tmp_path):
    weights = tmp_path / "sketch.safetensors"
    weights.write_bytes(b"some weights")
    base = hashlib.sha256(b"some weights").hexdigest()
    made = avatar()
    replace(made, about=replace(made.about, base=base)).check_base(weights)
    with pytest.raises(AvatarError, match=r"fine-tuned from weights abababababab.*sketch\.safetensors"):
        made.check_base(weights)
    with pytest.raises(AvatarError, match="cannot be read"):
        made.check_base(tmp_path / "none")


@pytest.mark.parametrize(("verb", "option"), [("animate", "--driver"), ("reel", "--drivers")])
def test_other_weights_and_further_pictures_are_refused(file, tmp_path, capsys, verb, option):
    (tmp_path / "w").write_bytes(b"others")
    driver = [option, "dramatic"]
    out = tmp_path / "clip.mp4"
    assert main([verb, str(file), *driver, "--out", str(out), "--weights", str(tmp_path / "w")]) == 2
    assert "error [bad-avatar]: the avatar was fine-tuned from weights abab" in capsys.readouterr().err
    assert main([verb, str(file), str(file), *driver, "--out", str(out)]) == 2
    assert "an avatar holds its own pictures" in capsys.readouterr().err
    assert not out.exists()


def test_about_is_all_there_is_in_the_header(file):
    header, _ = header_of(file)
    assert header == {
        "format": "gioconda.avatar",
        "version": 1,
        "views": 2,
        **json.loads(json.dumps(asdict(avatar().about))),
    }
