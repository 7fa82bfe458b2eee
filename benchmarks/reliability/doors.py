"""Every way by which something of a stranger's comes into the program, with good examples to spoil.

A door's examples are folders, since some formats are several files; of a copy of one, a single file is spoiled and the
whole is entered as the program enters it. Examples are made by the program itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Callable
from contextlib import chdir, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
from command_lines import command_line
from learning_doors import change_given, change_tracker, enter_given, enter_tracker, given_networks, tracker_runs
from measuring_doors import change_evaluation, enter_evaluation, enter_judges, evaluations, judges
from mutation import (
    Change,
    changed_bytes,
    changed_json_text,
    changed_movie,
    changed_network,
    changed_png,
    changed_request,
    changed_safetensors,
    changed_table,
)
from PIL import Image
from web_doors import enter_mark, enter_mirror, enter_stream, mark_requests, mirror_requests, streams

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

FRAMES = 40
"""Of a film that are read: a spoiled one may claim to have millions."""


@dataclass(frozen=True)
class Door:
    """A way in.

    Attributes:
        name: of it, in reports.
        make: writes examples into a folder, each a folder of its own, or a file.
        change: spoils the bytes of a file.
        enter: does with a spoiled example what the program does; the file that was spoiled, the folder it lies
            below, and a `Random` for what else is drawn.
        share: of all cases, roughly by how cheap one is.
        spoiled: names of the files of an example that are spoiled, as a pattern.
        needs: a module without which the door is shut.
    """

    name: str
    make: Callable[[Path], None]
    change: Change
    enter: Callable[[Path, Path, Random], object]
    share: float = 1.0
    spoiled: str = "*"
    needs: str = "gioconda"


def case(door: Door, examples: Path, number: int) -> Callable[[Path], object]:
    """A case by its number: always the same."""

    def enter(folder: Path) -> object:
        random = Random(f"{door.name} {number}")
        sets = sorted(examples.iterdir())
        chosen = random.choice(sets)
        if chosen.is_dir():
            shutil.copytree(chosen, folder / chosen.name)
            files = sorted(path for path in (folder / chosen.name).rglob(door.spoiled) if path.is_file())
            file = random.choice(files)
            others = [path.read_bytes() for path in files if path.suffix == file.suffix]
        else:
            file = Path(shutil.copy(chosen, folder))
            others = [path.read_bytes() for path in sets if path.suffix == file.suffix]
        file.write_bytes(door.change(file.read_bytes(), random, others))
        return door.enter(file, folder, random)

    return enter


# Pictures


@cache
def _scene(side: int = 96) -> np.ndarray[Any, Any]:
    """A picture with soft and sharp places, uint8 (side, side, 3)."""
    y, x = np.mgrid[:side, :side]
    rgb = np.stack([x * 255 // side, y * 255 // side, (x * y) % 256], axis=-1)
    rgb[side // 4 : side // 2, side // 4 : side // 2] = (250, 20, 90)
    return rgb.astype(np.uint8)


def _pictures(folder: Path) -> None:
    image = Image.fromarray(_scene())
    profile = _profile()
    for name, options in {
        "a.jpg": {"quality": 90, "icc_profile": profile, "exif": _exif()},
        "b.jpg": {"progressive": True},
        "a.png": {"icc_profile": profile},
        "a.webp": {"lossless": True, "exif": _exif()},
        "b.webp": {"quality": 70},
        "a.avif": {"quality": 60},
        "a.tif": {},
        "b.tif": {"compression": "tiff_lzw"},
        "c.tif": {"compression": "jpeg"},
        "d.tif": {"compression": "tiff_deflate", "tiffinfo": {317: 2}},
        "a.gif": {},
        "a.bmp": {},
        "a.ppm": {},
        "a.jp2": {},
    }.items():
        image.save(folder / name, **options)
    image.convert("CMYK").save(folder / "c.jpg")
    image.convert("P").save(folder / "b.png", transparency=3)
    Image.fromarray(_scene()[..., 0].astype(np.uint16) * 257).save(folder / "c.png")
    image.save(folder / "b.gif", save_all=True, append_images=[image.rotate(90)])
    image.save(folder / "d.png", save_all=True, append_images=[image.rotate(90)])
    image.convert("F").save(folder / "e.tif")
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
        image.save(folder / "a.heic", quality=60)


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _change_picture(data: bytes, random: Random, others: Any) -> bytes:
    return changed_png(data, random, others)


def _enter_picture(file: Path, folder: Path, random: Random) -> None:
    from gioconda.media.pictures import is_still, read_picture

    is_still(file)
    read_picture(file)


# Films


def _films(folder: Path) -> None:
    _filmed(folder, [np.roll(_scene(), 7 * number, axis=1) for number in range(8)])


def _films_of_a_face(folder: Path) -> None:
    from gioconda.demo import demo_portrait

    face = demo_portrait().framed(crop=True, size=160).views[0].rgb
    _filmed(folder, [np.ascontiguousarray(np.roll(face, 2 * number, axis=1)) for number in range(8)])


def _filmed(folder: Path, frames: list[Any]) -> None:
    """Films of some square frames, in all formats."""
    side = len(frames[0])
    for name, codec, pixels in (
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mov", "mpeg4", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.ts", "mpeg2video", "yuv420p"),
        ("a.flv", "flv1", "yuv420p"),
        ("b.mov", "prores_ks", "yuv422p10le"),
    ):
        with av.open(str(folder / name), "w") as container:
            stream: Any = container.add_stream(codec, rate=20)
            stream.width, stream.height, stream.pix_fmt = side, side, pixels
            sound: Any = (
                container.add_stream("libopus" if name == "a.webm" else "aac", rate=48000) if name in _HEARD else None
            )
            for rgb in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb)))
            container.mux(stream.encode())
            if sound is not None:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.float32), "flt", "mono")
                silence.sample_rate = 48000
                container.mux(sound.encode(silence))
                container.mux(sound.encode())
    images = [Image.fromarray(rgb) for rgb in frames]
    for name in ("a.gif", "a.webp", "a.png"):
        images[0].save(folder / name, save_all=True, append_images=images[1:], duration=50)


_HEARD = ("a.mp4", "a.mkv", "a.webm")


def _change_film(data: bytes, random: Random, others: Any) -> bytes:
    return changed_png(data, random, others) if data[:4] == b"\x89PNG" else changed_movie(data, random, others)


def _enter_film(file: Path, folder: Path, random: Random) -> None:
    from gioconda.errors import VideoError
    from gioconda.media.video import VideoReader

    with suppress(VideoError):
        _listen(file)
    with VideoReader(file, max_side=960) as video:
        for frame in islice(video, FRAMES):
            assert frame.rgb.ndim == 3


def _listen(file: Path) -> None:
    """As the sound of a driver is taken into a clip."""
    from gioconda.media.clip import ClipWriter, Sound

    with ClipWriter(file.with_name("heard.mp4"), 64, 64, 20, Sound(file)) as clip:
        for _ in range(6):
            clip.write(np.zeros((64, 64, 3), np.uint8))


def _enter_film_as_driver(file: Path, folder: Path, random: Random) -> None:
    from gioconda.drivers import Recording, open_driver

    open_driver(str(file), Recording(end=2.0))


# Performances, and what is edited of them


@cache
def _acting() -> Any:
    from makers import acting

    return acting(0.6, 10)


def _motions(folder: Path) -> None:
    from makers import still

    _acting().save(folder / "acting.motion")
    still(2).save(folder / "still.motion")


def _enter_motion(file: Path, folder: Path, random: Random) -> object:
    from gioconda import Performance, animate

    performance = Performance.load(file)
    animation = animate(_portrait(), performance, size=64)
    moved = 0
    for frame in islice(animation, 3):
        moved += int(frame.rgb[0, 0, 0])
    return len(animation) if len(animation) > 10**6 else None


@cache
def _portrait() -> Any:
    from gioconda import Portrait
    from gioconda.face import face_model
    from gioconda.portrait import View
    from makers import performed, posed, still

    points = performed(posed(face_model().shape, size=20, at=(48, 40)), still(1))[0]
    return Portrait((View(_scene(), points.astype(np.float32)),))


def _curves(folder: Path) -> None:
    from gioconda.curve_file import write_curves

    write_curves(_acting(), folder / "curves.csv")


def _enter_curves(file: Path, folder: Path, random: Random) -> None:
    from gioconda.curve_file import apply_curves

    apply_curves(_acting(), file)


# Landmarks shown by hand


def _marks(folder: Path) -> None:
    from gioconda.marks import MarkedFace, write_marks
    from makers import faceless_drawing

    named = faceless_drawing()[1]
    write_marks(folder / "points.json", MarkedFace(named, None, "a.png", (320, 320)))
    write_marks(folder / "mesh.json", MarkedFace(None, _portrait().views[0].points, None, (96, 96)))


def _enter_marks(file: Path, folder: Path, random: Random) -> None:
    from gioconda.marks import read_marks
    from gioconda.portrait import View
    from gioconda.retarget import Sitter

    points = read_marks(file).points(320, 320)
    Sitter.of(points, 320, 320)
    View(np.zeros((320, 320, 3), np.uint8), points)


# Networks, avatars, checkpoints


@cache
def _tiny() -> Any:
    from gioconda.learning.meta import SketchTraining
    from gioconda.learning.networks import Shape

    shape = Shape(size=32, narrowest=4, widest=8, residuals=1, attention=False)
    return SketchTraining(shape=shape, views=2, people=2)


def _bases(folder: Path) -> None:
    from dataclasses import asdict

    from gioconda.learning.base import export_base
    from gioconda.learning.checkpoint import NAME, save_checkpoint
    from gioconda.learning.meta import Learner

    learner = Learner(_tiny(), 2, "cpu")
    run = folder.parent / "run"
    run.mkdir(exist_ok=True)
    save_checkpoint(run / NAME, 3, asdict(_tiny()), learner.networks, learner.optimisers)
    export_base(run, folder / "sketch.safetensors", {})
    (folder / "sketch.json").unlink()


def _enter_base(file: Path, folder: Path, random: Random) -> None:
    from gioconda.learning.base import load_base

    load_base(file)


def _checkpoints(folder: Path) -> None:
    _bases(folder)
    shutil.copy(folder.parent / "run" / "checkpoint.safetensors", folder)
    (folder / "sketch.safetensors").unlink()


def _enter_checkpoint(file: Path, folder: Path, random: Random) -> None:
    from gioconda.learning.checkpoint import checkpoint_header, load_checkpoint

    checkpoint_header(file)
    learner = _learner()
    load_checkpoint(file, learner.networks, learner.optimisers, "cpu")


@cache
def _learner() -> Any:
    from gioconda.learning.meta import Learner

    return Learner(_tiny(), 2, "cpu")


def _avatars(folder: Path) -> None:
    from gioconda.learning.personalize import personalize

    _bases(folder)
    personalize(_portrait(), folder / "sketch.safetensors", renderer="sketch", fidelity=0).save(folder / "me.avatar")
    (folder / "sketch.safetensors").unlink()


def _enter_avatar(file: Path, folder: Path, random: Random) -> None:
    from gioconda import animate
    from gioconda.avatar import Avatar

    avatar = Avatar.load(file)
    next(iter(animate(avatar.portrait, _acting(), renderer=avatar.about.renderer, weights=avatar, size=64)))


def _painters(folder: Path) -> None:
    import torch

    from gioconda.learning.export import export_warp
    from gioconda.learning.train_warp import WarpTraining, _Learner

    run = folder.parent / "warp"
    run.mkdir(exist_ok=True)
    learner = _Learner(WarpTraining(seed=5), "cpu")
    for part in learner.mean.leave.parameters():
        torch.nn.init.normal_(part, std=0.3)
    learner.save(run)
    export_warp(run, folder / "warp.onnx", {"name": "warp"})
    (folder / "warp.json").unlink()


def _enter_painter(file: Path, folder: Path, random: Random) -> None:
    from gioconda import animate

    for _ in islice(animate(_portrait(), _acting(), renderer="warp", weights=file, size=64), 2):
        pass


def _runs(folder: Path) -> None:
    """A run of `train warp`: pool and checkpoint."""
    from gioconda.learning.train_warp import WarpTraining, _Learner, train_warp
    from makers import small_dataset

    settings = WarpTraining(samples=2, batch=2)
    data = small_dataset(folder / "warp" / "data", {"a": "p1", "b": "p2"}, side=96)
    train_warp(data, folder / "warp" / "run", settings, 0)
    _Learner(settings, "cpu").save(folder / "warp" / "run")


def _enter_run(file: Path, folder: Path, random: Random) -> None:
    from gioconda.learning.export import export_warp
    from gioconda.learning.train_warp import WarpTraining, train_warp

    here = folder / "warp"
    train_warp(here / "data", here / "run", WarpTraining(samples=2, batch=2), 0)
    export_warp(here / "run", here / "run" / "warp.onnx", {})


# Datasets


def _datasets(folder: Path) -> None:
    from makers import small_dataset

    small_dataset(folder / "data", {"a": "p1", "b": "p2"}, stills=("s", "t"), side=64)


def _change_dataset(data: bytes, random: Random, others: Any) -> bytes:
    for start, change in ((b"{", changed_json_text), (b"\x00\x00\x00", changed_movie)):
        if data.startswith(start):
            return change(data, random, others)
    return changed_bytes(data, random, others)


def _enter_dataset(file: Path, folder: Path, random: Random) -> None:
    from gioconda.datasets.shards import export
    from gioconda.learning.dataset import trained_on, usable_shots, usable_stills
    from gioconda.learning.footage import load_footage

    data = folder / "data"
    trained_on(data)
    for shot in usable_shots(data):
        assert shot.points.ndim == 3
    list(usable_stills(data))
    load_footage(data, 32, every=4, share_of_people=1.0)
    export(data, folder / "shards")


def _shards(folder: Path) -> None:
    from gioconda.datasets.shards import export

    _datasets(folder)
    export(folder / "data", folder / "shards")
    shutil.rmtree(folder / "data")


def _enter_shards(file: Path, folder: Path, random: Random) -> None:
    """The list of shards is made to fit what was spoiled: whoever makes a bad archive makes its checksum, too."""
    from gioconda.datasets.shards import INDEX, unpack

    if file.name != INDEX:
        index = json.loads((file.parent / INDEX).read_text())
        for entry in index["shards"]:
            if entry["name"] == file.name:
                entry["bytes"] = file.stat().st_size
                entry["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        (file.parent / INDEX).write_text(json.dumps(index))
    unpack(file.parent, folder / "data")
    inside = {"clips", "stills", "clips.jsonl", "stills.jsonl", "stills.npz"}
    found = {path.name for path in (folder / "data").iterdir()}
    assert found <= inside
    assert {path.name for path in folder.iterdir()} == {"shards", "data"}


def _change_tar(data: bytes, random: Random, others: Any) -> bytes:
    """A tar archive with a header changed and its checksum made right, or its bytes; a list of JSON as such."""
    if data.startswith(b"{"):
        return changed_json_text(data, random, others)
    if random.random() < 0.3:
        return changed_bytes(data, random, others)
    out = bytearray(data)
    headers = [at for at in range(0, len(out) - 512, 512) if out[at + 257 : at + 262] == b"ustar"]
    at = random.choice(headers)
    start, length = random.choice(((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (345, 155)))
    texts = (
        b"../../out.mp4",
        b"/tmp/out.mp4",
        b"a/../b.mp4",
        b"s.jpg/x",
        b"\xff" * 20,
        b"PaxHeaders/x",
        b"1 GNU.sparse.size=9",
    )
    octal = (b"77777777777", b"-1", b"\x80" + b"\xff" * 7, b"\xff" * 8, b"00000000000", b"00000001000", b"9")
    content = random.choice(
        (*octal, random.randbytes(length)) if length in (8, 12) else (*texts, random.randbytes(length))
    )
    if length == 1:
        content = random.choice((b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"S", b"L", b"K", b"x", b"g", b"\x00", b"Z"))
    out[at + start : at + start + length] = content[:length].ljust(length, b"\x00")
    out[at + 148 : at + 156] = b" " * 8
    out[at + 148 : at + 156] = b"%06o\x00 " % sum(out[at : at + 512])
    return bytes(out)


def _labels(folder: Path) -> None:
    (folder / "people.csv").write_text("file,person,licence\na.mp4,anna,own\nb,bert,CC0\n")
    (folder / "people.json").write_text(json.dumps({"a.mp4": "anna", "b": {"person": "bert", "licence": "CC0"}}))
    (folder / "licences.json").write_text(json.dumps({"a.mp4": "own", "b": "CC0"}))


def _enter_labels(file: Path, folder: Path, random: Random) -> None:
    from gioconda.datasets.sources import read_labels

    read_labels([file])


def _change_text(data: bytes, random: Random, others: Any) -> bytes:
    change = changed_json_text if data.lstrip().startswith((b"{", b"[")) else changed_table
    return change(data, random, others)


def _builds(folder: Path) -> None:
    """A dataset folder that a build made, with its diary."""
    from gioconda.datasets.build import build
    from gioconda.media.pictures import write_png

    (folder / "build" / "videos").mkdir(parents=True)
    write_png(folder / "build" / "videos" / "a.png", _astronaut(256))
    build(folder / "build" / "videos", folder / "build" / "data")


@cache
def _astronaut(side: int) -> Any:
    from gioconda.demo import demo_portrait

    return demo_portrait().framed(size=side).views[0].rgb


def _enter_build(file: Path, folder: Path, random: Random) -> None:
    from gioconda.datasets.build import build

    build(folder / "build" / "videos", folder / "build" / "data")


# What is kept between two runs


def _kept(folder: Path) -> None:
    from gioconda.media.pictures import write_png
    from gioconda.tracked import kept_portrait

    (folder / "kept").mkdir()
    write_png(folder / "kept" / "a.png", _astronaut(128))
    kept_portrait(folder / "kept", folder / "kept" / "a.png")


def _enter_kept(file: Path, folder: Path, random: Random) -> None:
    from gioconda.retarget import Sitter
    from gioconda.tracked import kept_portrait

    view = kept_portrait(file.parent, file.parent / "a.png").views[0]
    Sitter.of(view.points, 128, 128, view.neighbours)


def _unfinished(folder: Path) -> None:
    from gioconda import animate
    from gioconda.resume import Unfinished, resume_folder

    (folder / "unfinished").mkdir()
    out = folder / "unfinished" / "clip.mp4"
    animation = animate(_portrait(), _acting(), size=64)
    Unfinished.of(out, animation, False)
    animation.save(resume_folder(out) / "segments" / "000000.mp4")


def _enter_unfinished(file: Path, folder: Path, random: Random) -> None:
    from gioconda import animate

    os.environ["XDG_CONFIG_HOME"] = str(folder)  # for the certificate
    animate(_portrait(), _acting(), size=64).save(folder / "unfinished" / "clip.mp4", resume=True)


# Credentials


def _clips(folder: Path) -> None:
    from gioconda import animate

    for name in ("a.mp4", "a.png", "a.gif", "a.webp", "a.jpg", "a.webm"):
        (folder / name[2:]).mkdir()
        animate(_portrait(), _acting(), size=64).save(folder / name[2:] / name)


def _change_clip(data: bytes, random: Random, others: Any) -> bytes:
    """Mostly where the credentials are."""
    at = max(data.find(b"jumb"), data.find(b"c2pa"))
    if at > 0 and random.random() < 0.7:
        stop = min(len(data), at + 12_000)
        return data[:at] + changed_bytes(data[at:stop], random) + data[stop:]
    return _change_film(data, random, others)


def _enter_clip(file: Path, folder: Path, random: Random) -> None:
    from gioconda.commands.verify import as_json
    from gioconda.credentials.verification import verify

    clip = file.with_suffix("") if file.suffix == ".c2pa" else file
    json.dumps(as_json(verify(clip)))


def _pairs(folder: Path) -> None:
    from gioconda.credentials.identity import _new_pem

    (folder / "pair").mkdir()
    pem = _new_pem()
    start = pem.index(b"-----BEGIN CERTIFICATE-----")
    (folder / "pair" / "key.pem").write_bytes(pem[:start])
    (folder / "pair" / "certificate.pem").write_bytes(pem[start:])


def _enter_pair(file: Path, folder: Path, random: Random) -> None:
    from gioconda.credentials.identity import signing_identity

    signing_identity(folder / "pair" / "certificate.pem", folder / "pair" / "key.pem")


# The command line, with good files and spoiled ones


def _shelf(folder: Path) -> None:
    from gioconda.curve_file import write_curves
    from gioconda.marks import MarkedFace, write_marks
    from gioconda.media.pictures import write_png
    from makers import faceless_drawing, film

    shelf = folder / "shelf"
    shelf.mkdir()
    write_png(shelf / "a.png", _astronaut(128))
    Image.fromarray(_astronaut(160)).save(shelf / "b.jpg")
    film(shelf / "talk.mp4", [_astronaut(128)] * 4)
    _acting().save(shelf / "talk.motion")
    write_curves(_acting(), shelf / "talk.csv")
    drawing, marks = faceless_drawing()
    write_png(shelf / "drawing.png", drawing)
    write_marks(shelf / "points.json", MarkedFace(marks, None, "drawing.png", (320, 320)))
    (shelf / "folder").mkdir()
    shutil.copy(shelf / "a.png", shelf / "folder")
    shutil.copy(shelf / "talk.motion", shelf / "folder")


def _change_any(data: bytes, random: Random, others: Any) -> bytes:
    if random.random() < 0.5:  # the words are wrong enough
        return data
    for start, change in ((b"\x89PNG", changed_png), (b"{", changed_json_text), (b"time,", changed_table)):
        if data.startswith(start):
            return change(data, random, others)
    if data[8:9] == b"{" and len(data) > 8 + struct.unpack_from("<Q", data)[0]:
        return changed_safetensors(data, random, others)
    return changed_movie(data, random, others)


def _enter_command(file: Path, folder: Path, random: Random) -> object:
    from gioconda import cli

    os.environ["XDG_CONFIG_HOME"] = str(folder)
    words = command_line(random, folder / "shelf", folder)
    (folder / "in" / "it").mkdir(parents=True)
    with chdir(folder / "in" / "it"):  # some words are names of files to write, here or in the folder above
        try:
            code = cli.main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    assert code in (0, 2, 3, 4, 5), (code, words)
    return f"{words[0]} {code}"


DOORS = (
    Door("pictures", _pictures, _change_picture, _enter_picture, 30),
    Door("films", _films, _change_film, _enter_film, 15),
    Door("drivers", _films_of_a_face, _change_film, _enter_film_as_driver, 1.5),
    Door("performances", _motions, changed_safetensors, _enter_motion, 12),
    Door("curves", _curves, changed_table, _enter_curves, 6),
    Door("landmarks", _marks, changed_json_text, _enter_marks, 6),
    Door("avatars", _avatars, changed_safetensors, _enter_avatar, 3, needs="torch"),
    Door("weights", _bases, changed_safetensors, _enter_base, 2, needs="torch"),
    Door("checkpoints", _checkpoints, changed_safetensors, _enter_checkpoint, 2, needs="torch"),
    Door("networks", _painters, changed_network, _enter_painter, 1.5, needs="torch"),
    Door("runs", _runs, _change_any, _enter_run, 0.8, spoiled="run/*", needs="torch"),
    Door("datasets", _datasets, _change_dataset, _enter_dataset, 3, needs="torch"),
    Door("shards", _shards, _change_tar, _enter_shards, 8),
    Door("labels", _labels, _change_text, _enter_labels, 6),
    Door("builds", _builds, changed_json_text, _enter_build, 1, spoiled="*.json*"),
    Door("kept", _kept, changed_safetensors, _enter_kept, 1.5, spoiled="*.safetensors"),
    Door("unfinished", _unfinished, _change_any, _enter_unfinished, 1.5),
    Door("credentials", _clips, _change_clip, _enter_clip, 3),
    Door("certificates", _pairs, changed_bytes, _enter_pair, 6),
    Door("requests", mark_requests, changed_request, enter_mark, 12),
    Door("mirror", mirror_requests, changed_request, enter_mirror, 4),
    Door("streams", streams, changed_movie, enter_stream, 4),
    Door("judges", judges, changed_network, enter_judges, 2.5, spoiled="*.onnx", needs="onnx"),
    Door("evaluations", evaluations, change_evaluation, enter_evaluation, 2.5, needs="onnx"),
    Door("given", given_networks, change_given, enter_given, 2.5, spoiled="*.safetensors", needs="torch"),
    Door("trackers", tracker_runs, change_tracker, enter_tracker, 2.5, spoiled="[!.]*", needs="torch"),
    Door("commands", _shelf, _change_any, _enter_command, 3),
)
"""All of them."""
