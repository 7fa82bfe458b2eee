"""Spoiled files and hostile ones at every door: the small `benchmarks/reliability/fuzz.py`, and what it found."""

import ast
import gc
import importlib.util
import io
import json
import lzma
import os
import pickle
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from contextlib import chdir, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event
from types import SimpleNamespace
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import gioconda
from gioconda import GiocondaError, Performance
from gioconda.cli import main
from gioconda.credentials.identity import _new_pem, signing_identity
from gioconda.datasets.shards import unpack
from gioconda.errors import (
    CredentialsError,
    DatasetError,
    FileError,
    MotionFileError,
    UsageError,
    VideoError,
)
from gioconda.evaluation import command, report, study
from gioconda.evaluation.grading import watch
from gioconda.evaluation.judges import Judges
from gioconda.evaluation.store import ClipFolder
from gioconda.inference import open_network
from gioconda.media.files import sha256_of
from gioconda.media.stream import read_stream
from gioconda.media.video import VideoReader, _Clock, open_media
from gioconda.studio.turns import KEPT, Turns
from gioconda.studio.visitors import Visitors
from gioconda.tracked import kept_portrait
from gioconda.tracking import default_tracker
from gioconda.untrusted import parse_json, printable, read_array, read_arrays, unpack_xz
from makers import acting, film, noise
from served import JSON, Memory, Served, Visitor

PACKAGE = Path(gioconda.__file__).parent
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "reliability"))

from command_lines import command_line  # noqa: E402
from doors import DOORS, case  # noqa: E402
from guard import Outcome, outcomes, tried, watched  # noqa: E402
from long import open_in  # noqa: E402
from measuring_doors import write_judges  # noqa: E402
from requests_fuzz import OPTIONS, Guest, Watch, settled  # noqa: E402
from requests_fuzz import tried as requests_tried  # noqa: E402
from visitors import crowd, pictures  # noqa: E402
from visitors import driver as film_of_a_driver  # noqa: E402
from web_doors import asked, mirror, streams  # noqa: E402

CASES = 12
"""Of each door; the benchmark does hundreds."""
SLOW = {"builds", "commands", "drivers", "evaluations", "given", "runs", "trackers"}
"""Doors of which a case takes long: a few."""


@pytest.fixture(scope="module")
def shelves(tmp_path_factory):
    """The examples of each door, made when first asked for."""
    made = {}

    def examples(door):
        if importlib.util.find_spec(door.needs) is None:
            pytest.skip(f"{door.needs} is not installed")
        if door.name not in made:
            made[door.name] = tmp_path_factory.mktemp(door.name) / "examples"
            made[door.name].mkdir()
            door.make(made[door.name])
        return made[door.name]

    return examples


def entered(door, shelf, number, folder):
    folder.mkdir(parents=True)
    with suppress(GiocondaError):
        case(door, shelf, number)(folder)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_spoiled_files_end_in_a_result_or_one_clear_error(door, shelves, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for number in range(3 if door.name in SLOW else CASES):
        entered(door, shelves(door), number, tmp_path / str(number))
    shown = "".join(capfd.readouterr())
    assert "Traceback" not in shown
    assert "[fault]" not in shown


@pytest.mark.parametrize("door", [door for door in DOORS if door.name not in SLOW], ids=lambda door: door.name)
def test_no_loader_runs_what_a_file_says(door, shelves, tmp_path, monkeypatch):
    """A pickle, an archive with a pickle in it as torch writes them, and arrays of objects, under each name."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    payload = pickle.dumps(_Touch(str(run)))
    pickle.loads(payload)  # so it would work
    run.unlink()
    # A case spoils one file of several, by its number.
    for number, hostile in enumerate(4 * _wrapped(payload)):
        folder = tmp_path / str(number)
        folder.mkdir()
        spoiling = replace(door, change=lambda *_, hostile=hostile: hostile)
        with suppress(GiocondaError):
            case(spoiling, shelves(door), number)(folder)
        assert not run.exists()


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def _wrapped(payload):
    archive, array, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", payload)
    array.write(b"\x93NUMPY\x01\x00")
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    array.write(struct.pack("<H", len(header)) + header + payload)
    with zipfile.ZipFile(packed, "w") as file:
        for name in ("ids", "landmarks"):
            file.writestr(f"{name}.npy", array.getvalue())
    return payload, archive.getvalue(), array.getvalue(), packed.getvalue(), lzma.compress(array.getvalue())


def test_nothing_in_the_program_loads_pickles_or_runs_text():
    banned = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                found += [f"{path.name}: imports {n}" for n in names if n.split(".")[0] in banned]
                alone = "onnxruntime" in names and path.name != "inference.py"
                found += [f"{path.name}: opens networks by itself"] * (alone and not _for_types_only(path, node))
            if isinstance(node, ast.Call):
                called, words = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
                if called in ("torch.load", "eval", "exec", "os.system") or words.get("shell") == "True":
                    found.append(f"{path.name}: {called}")
                if called == "np.load" and words.get("allow_pickle") != "False":
                    found.append(f"{path.name}: {called} without allow_pickle=False")
                if called.endswith((".extractall", ".extract")):
                    found.append(f"{path.name}: {called}, which trusts paths in an archive")
    assert found == []


def _for_types_only(path, node):
    return "TYPE_CHECKING" in path.read_text() and node.col_offset > 0


# Command lines


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_any_words_are_understood_or_refused(shelves, tmp_path_factory, random):
    shelf = next(shelves(DOORS[-1]).iterdir())
    out = tmp_path_factory.mktemp("out")
    words = command_line(random, shelf, out)
    if words[:1] in (["batch"], ["dataset"], ["score"]):
        return  # processes of their own: the benchmark does them
    with chdir(out):  # some words are names of files to write
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
    assert code in (0, 2, 3, 4, 5), words


def test_a_name_that_is_no_text_can_be_printed(picture, motion_file, tmp_path, capfd):
    out = f"{tmp_path}/b\udcff.mp4"
    command = [sys.executable, "-m", "gioconda.cli", "animate", picture, "--driver", motion_file, "--end", "0.1"]
    done = subprocess.run([*map(str, command), "--out", out, "--size", "64"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"b\\udcff.mp4: 2 frames" in done.stdout
    assert Path(out).is_file()


def test_errors_do_not_steer_the_terminal(tmp_path, capsys):
    assert main(["verify", str(tmp_path / ("x" * 300))]) == 2
    assert main(["faces", f"{tmp_path}/\x1b[2J\n.png", "--out", f"{tmp_path}/f.png"]) == 2
    shown = capsys.readouterr()
    told = shown.err
    assert shown.out.startswith("/")
    assert told.count("\n") == 1
    assert "\x1b" not in told
    assert printable("a\x1b[1m\r\nb") == "a [1m  b"


def test_a_full_standard_output_is_an_error_not_a_fault():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "gioconda.cli", "performances"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("gioconda: error [bad-file]: ")
    assert done.stderr.count("\n") == 1


def test_an_input_that_vanished_is_said(tmp_path):
    with pytest.raises(FileError, match="can no longer be read"):
        sha256_of(tmp_path / "gone.mp4")


def test_a_driver_that_vanishes_while_it_is_recorded_is_said(driver, tmp_path):
    film = Path(shutil.copy(driver, tmp_path / "talk.mp4"))

    @contextmanager
    def vanishing(stage, total):
        yield lambda: film.unlink(missing_ok=True)

    with pytest.raises(FileError, match="can no longer be read"):
        Performance.from_video(film, progress=vanishing)
    assert list(tmp_path.iterdir()) == []


def test_capture_of_a_driver_that_vanishes_leaves_nothing(driver, tmp_path):
    film, out = Path(shutil.copy(driver, tmp_path / "talk.mp4")), tmp_path / "talk.motion"
    command = [sys.executable, "-m", "gioconda.cli", "capture", film, "--out", out]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as process:
        while not open_in(process, film) and process.poll() is None:
            pass
        film.unlink()
        told = process.stderr.read()
    assert process.returncode == 2
    assert "Traceback" not in told
    assert "error [bad-" in told.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_is_of_no_use_is_said(driver, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(FileError, match="TMPDIR"):
        Performance.from_video(driver)


def test_killed_work_goes_on_to_the_same_result(tmp_path):
    """The small version of `kills.py`; other kills are tried in the tests of clips, datasets and `sketch`."""
    pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
    script = Path(__file__).parents[1] / "benchmarks" / "reliability" / "kills.py"
    words = ["--times", "2", "--work", "train warp", "--work", "personalize", "--out", tmp_path / "kills.json"]
    subprocess.run([sys.executable, script, *map(str, words)], check=True, capture_output=True)
    for told in json.loads((tmp_path / "kills.json").read_text()):
        # On a machine that is very busy, seconds of training may be too few steps to compare.
        assert [what for what in told["wrong"] if "too few steps" not in what] == []
        assert told["kills"] >= 2


# Formats


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"a":' * 100_000, b"\xff", "{", "nul"])
def test_texts_that_are_no_json(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@pytest.mark.parametrize("half", [r"\ud800", r"\uDFFF x", r"\ude00\ud83d"])
def test_half_a_character_is_no_text(half):
    """It could be read, but nothing that says the same could be written."""
    for text in (f'{{"id": "{half}"}}', f'["{half}"]'.encode()):
        with pytest.raises(ValueError, match="half a character"):
            parse_json(text)
    assert parse_json(r'"\ud83d\ude00 \\ud"') == "\U0001f600 \\ud"


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (",
        "(" * 500,
        "__import__('os').abort()",
    ],
)
def test_arrays_that_are_none(header, tmp_path):
    text = header.encode().ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(8)
    with pytest.raises(ValueError, match="not a whole array"):
        read_array(io.BytesIO(data))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("ids.npy", data)
    with pytest.raises(ValueError, match="not a whole archive"):
        read_arrays(tmp_path / "a.npz", "ids")


def test_arrays_come_back(tmp_path):
    values = {"ids": np.array(["a", "b"]), "landmarks": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
    np.savez_compressed(tmp_path / "a.npz", **values)
    for found, value in zip(read_arrays(tmp_path / "a.npz", *values), values.values(), strict=True):
        assert (found == value).all()
        assert found.dtype == value.dtype


def test_what_is_packed_does_not_unpack_to_any_size():
    bomb = lzma.compress(bytes(50_000_000))
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unpack_xz(bomb, 1000)
    with pytest.raises(ValueError, match="cut short"):
        unpack_xz(bomb[:-20])
    assert unpack_xz(lzma.compress(b"small"), 1000) == b"small"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t | {"times": np.float64(1.0)},
        lambda t: t | {"times": t["times"] * 1e6},
        lambda t: t | {"times": t["times"].reshape(2, -1)},
        lambda t: t | {"angles": np.full_like(t["angles"], 1e30)},
        lambda t: t | {"offsets": (t["offsets"] * 1000).astype(np.int16)},
    ],
)
def test_movements_that_nobody_makes(tmp_path, change):
    path = tmp_path / "a.motion"
    acting(0.6, 10).save(path)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack_from("<Q", data)[0]])["__metadata__"]
    save_file({name: np.asarray(value) for name, value in change(load_file(path)).items()}, path, header)
    with pytest.raises(MotionFileError, match="fit together"):
        Performance.load(path)


def test_a_damaged_time_stamp_does_not_make_a_clip_of_years():
    clock = _Clock(0.04)
    assert [clock.read(stamp) for stamp in (0.0, 0.04, 1e9, 1e9 + 0.04)] == pytest.approx([0, 0.04, 0.08, 0.12])
    slow = _Clock(0.04)
    assert [slow.read(stamp) for stamp in (0.0, 50.0)] == [0, 50]


def test_a_key_of_a_strange_kind_is_refused(tmp_path):
    import base64

    pem = _new_pem()
    start = pem.index(b"-----BEGIN CERT")
    body = base64.b64decode(b"".join(pem[:start].splitlines()[1:-1]))
    strange = base64.encodebytes(body.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177")))
    (tmp_path / "key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\n" + strange + b"-----END PRIVATE KEY-----\n")
    (tmp_path / "certificate.pem").write_bytes(pem[start:])
    with pytest.raises(CredentialsError):
        signing_identity(tmp_path / "certificate.pem", tmp_path / "key.pem")


def test_kept_landmarks_of_another_make_are_tracked_anew(picture, tmp_path):
    first = kept_portrait(tmp_path / "kept", picture).views[0]
    (kept,) = (tmp_path / "kept").iterdir()
    for points in (np.zeros((0, 3), np.float32), np.full((478, 3), np.nan, np.float32), np.zeros((478, 3), np.float32)):
        save_file({"faces": points[None]}, kept)
        assert (kept_portrait(tmp_path / "kept", picture).views[0].points == first.points).all()


# Archives


def shard(folder, add):
    """A folder of one shard that somebody made by hand, with a list that fits it."""
    folder.mkdir()
    path = folder / "clips-train-000000.tar"
    with tarfile.open(path, "w") as tar:
        add(tar)
    entry = {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path), "samples": 1}
    (folder / "shards.json").write_text(json.dumps({"shards": [entry]}))
    return folder


def test_an_archive_that_claims_to_hold_a_terabyte(tmp_path):
    def add(tar):
        entry = tarfile.TarInfo("a.mp4")
        entry.size = 2**40
        tar.addfile(entry)
        tar.offset = 1024  # where an end would be, of an empty one

    with pytest.raises(DatasetError):
        unpack(shard(tmp_path / "shards", add), tmp_path / "out")
    (tmp_path / "shards" / "shards.json").write_text("[" * 100_000)
    with pytest.raises(DatasetError, match="damaged"):
        unpack(tmp_path / "shards", tmp_path / "new")


# Films that would open others


def references(folder, secret):
    """Playlists and scripts that name another file, under the names of films."""
    clip = folder / "clip.mp4"
    shutil.copy(secret, clip)
    address = f"file://{secret}"
    texts = {
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\n{address}\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile '{secret}'\n",
        "session.mp4": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\na={address}\n",
        "dash.mp4": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
            f'<Representation id="0" bandwidth="1"><BaseURL>{address}</BaseURL></Representation>'
            "</AdaptationSet></Period></MPD>"
        ),
        "smooth.mp4": f'<?xml version="1.0"?><SmoothStreamingMedia><a href="{address}"/></SmoothStreamingMedia>',
        "rtsp.mp4": f"[Reference]\nRef1={address}\n",
        "image%03d.mp4": "",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        yield folder / name
    yield with_data_elsewhere(clip, secret)


def with_data_elsewhere(clip, secret):
    """A film whose track says that its data lie in another file, by the alias record of QuickTime."""
    data = bytearray(clip.read_bytes())
    name, path = secret.name.encode()[:63], str(secret).encode()
    record = bytearray(150)
    record[10 : 10 + 1] = bytes([0])
    record[50 : 51 + len(name)] = bytes([len(name)]) + name
    record[130:134] = struct.pack(">HH", 1, 1)
    extra = struct.pack(">HH", 2, len(path)) + path + b"\0" * (len(path) % 2)
    extra += struct.pack(">HH", 18, len(path)) + path + b"\0" * (len(path) % 2) + struct.pack(">H", 0xFFFF)
    alias = b"alis" + bytes(4) + bytes(record) + extra
    at = data.index(b"url \0\0\0\1") - 4
    data[at : at + 12] = struct.pack(">I", len(alias) + 4) + alias
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = data.index(box) - 4
        struct.pack_into(">I", data, start, struct.unpack_from(">I", data, start)[0] + len(alias) + 4 - 12)
    out = clip.with_name("alias.mov")
    out.write_bytes(data)
    return out


def test_a_film_reads_no_other_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").mkdir()
    secret = tmp_path / "secret" / "secret.mp4"
    with av.open(str(secret), "w") as container:  # its index last, so that it can be changed without moving the rest
        stream = container.add_stream("mpeg4", rate=20)
        stream.width = stream.height = 64
        for rgb in noise(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb)))
        container.mux(stream.encode())
    assert len(list(VideoReader(secret))) == 4
    for path in references(tmp_path, secret):
        os.utime(secret, (1, 1000))
        with pytest.raises(VideoError):
            list(VideoReader(path))
        with pytest.raises(VideoError):
            open_media(path, sound_only=True).close() if path.suffix != ".mov" else list(VideoReader(path))
        assert secret.stat().st_atime == 1, path.name
    for address in (f"concat:{secret}|{secret}", f"subfile,,start,0,end,9,,:{secret}", f"crypto:{secret}", "data:x,y"):
        with pytest.raises(VideoError):
            VideoReader(address)
    assert secret.stat().st_atime == 1
    secret.read_bytes()
    if secret.stat().st_atime == 1:
        pytest.skip("this file system does not note when a file was read")


# Networks


def test_networks_keep_no_identifier_and_tell_nobody(weights, tmp_path):
    """ONNX Runtime reports to its maker and notes an identifier of the machine, unless it is told not to."""
    script = (
        f"from pathlib import Path; from gioconda.inference import open_network; open_network(Path({str(weights)!r}))"
    )
    quiet = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    subprocess.run([sys.executable, "-c", script, weights], env=quiet | {"HOME": str(tmp_path)}, check=True)
    assert not list(tmp_path.rglob("*"))


def test_a_network_reads_no_other_file(tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")
    monkeypatch.chdir(tmp_path)
    np.arange(4, dtype=np.float32).tofile(tmp_path / "secret.bin")
    weights = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    out = onnx.helper.make_tensor_value_info("y", 1, [4])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["w"], ["y"])], "g", [], [out], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UsageError, match="not a network that can be read"):
        open_network(tmp_path / "a.onnx")


def pieces(model):
    """The tensors of an ONNX network by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


@pytest.mark.parametrize("name", ["mnv3_detection_opt", "lm_model0_opt", "fsanet-1x1-iter-688590", "mobilefacenet"])
@pytest.mark.parametrize("fault", ["other numbers", "no number", "another picture"])
def test_a_measuring_network_of_another_kind_is_refused_when_it_is_asked(name, fault, tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")
    path = write_judges(tmp_path / "models") / f"{name}.onnx"
    model = onnx.load(path)
    held = pieces(model)["held0"]
    values = onnx.numpy_helper.to_array(held).copy()
    if fault == "other numbers":
        values = values[..., :1]
    elif fault == "no number":
        values.flat[0] = np.nan
    else:
        model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 17
    held.CopyFrom(onnx.numpy_helper.from_array(values, held.name))
    for out in model.graph.output:
        out.type.tensor_type.ClearField("shape")
    path.write_bytes(model.SerializeToString())
    judges = Judges.load(tmp_path / "models")
    with pytest.raises(UsageError, match=f"{name}.onnx: a network of another kind"):
        watch([(0.0, next(noise(1, 96, 96)))], judges)


def test_a_face_without_extent_is_none(tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")
    path = write_judges(tmp_path / "models") / "lm_model0_opt.onnx"
    judges = Judges.load(tmp_path / "models")
    rgb = next(noise(1, 96, 96))
    assert judges.face(rgb) is not None
    model = onnx.load(path)
    held = pieces(model)["held0"]
    maps = np.full((1, 198, 28, 28), 0.5, np.float32)
    maps[0, :66, 14, 14] = 0.9  # all landmarks in one place
    held.CopyFrom(onnx.numpy_helper.from_array(maps, held.name))
    path.write_bytes(model.SerializeToString())
    assert Judges.load(tmp_path / "models").face(rgb) is None


def test_given_networks_with_numbers_that_are_none_are_refused(tmp_path):
    torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
    from gioconda.evaluation.given import fill
    from gioconda.learning.perceptual import Perceptual, Plan

    tensors = {"features.0.weight": np.zeros((2, 3, 3, 3), np.float32), "features.0.bias": np.zeros(2, np.float32)}
    plan = Plan("small", (2,), (1,), (0.0, 0.0, 0.0))
    path = tmp_path / "a.safetensors"
    save_file(tensors, path)
    Perceptual(plan, path)
    tensors["features.0.weight"][0, 0, 0, 0] = np.inf
    save_file(tensors, path)
    with pytest.raises(UsageError, match="numbers that are none"):
        Perceptual(plan, path)
    with pytest.raises(UsageError, match="numbers that are none"):
        fill(torch.nn.Linear(1, 1), {"weight": torch.tensor([[torch.nan]]), "bias": torch.zeros(1)}, path, "network")


# Kept figures and results


@pytest.fixture
def evaluated(shelves, tmp_path):
    """A dataset that was evaluated, with the folder of the results."""
    pytest.importorskip("onnx", reason="the extra 'learn' (onnx) is not installed")
    (door,) = [door for door in DOORS if door.name == "evaluations"]
    return Path(shutil.copytree(shelves(door) / "self", tmp_path / "self"))


def spoil_archive(path):
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)


def spoil_facts(path):
    raw = json.loads(path.read_text())
    raw["facts"]["places"] = [0.5]
    path.write_text(json.dumps(raw))


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("warp-1.npz", spoil_archive),
        ("warp-1.npz", lambda path: path.write_bytes(b"no archive")),
        ("truth-0.npz", lambda path: np.savez(path, times=np.zeros(3))),
        ("warp-1.json", spoil_facts),
        ("truth-0.json", lambda path: path.write_text("[" * 100_000)),
    ],
)
def test_kept_figures_that_are_damaged_are_measured_anew(evaluated, file, spoil):
    out = evaluated / "out"
    (path,) = out.glob(f"runs/*/a/{file}")
    spoil(path)
    run = command.evaluate(out, evaluated / "models", data=evaluated / "data", size="quick", jobs=1)
    assert run.failed == []
    assert sorted({kept.clip for kept in run.kept}) == ["a", "b"]
    assert ClipFolder(run.root, "a").load("warp", 1) is not None


def test_a_kept_picture_that_is_damaged_is_left_out_of_the_report(evaluated):
    out = evaluated / "out"
    pictures = list(out.glob("runs/*/*/frames/*.jpg"))
    for path in pictures[::2]:
        path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")  # a program, for whoever would run it
    for path in pictures[1::2]:
        path.write_bytes(path.read_bytes()[:200])
    assert "How real is it?" in report.write(out).read_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole["pairs"][0].pop("difference"),
        lambda whole: whole["rows"].append(3),
        lambda whole: whole["rows"][0].update(measure="beauty"),
        lambda whole: whole["rows"][0].update(value="1"),
        lambda whole: whole["rows"][0].update(value=1e30),
        lambda whole: whole["rows"][0].update(renderer="../../flow"),
        lambda whole: whole["runs"]["self"].update(fingerprint="../.."),
        lambda whole: whole["runs"]["self"]["clips"][0].update(clip="../a"),
        lambda whole: whole["runs"]["self"].pop("versions"),
        lambda whole: whole["runs"].update(sideways=whole["runs"]["self"]),
    ],
)
def test_results_that_somebody_changed_are_refused(evaluated, change):
    path = evaluated / "out" / "results.json"
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole))
    for made in (report.write, lambda out: study.write(out, out / "study.html")):
        with pytest.raises(UsageError, match="incomplete"):
            made(evaluated / "out")


# Runs of the tracker's training


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("faces-points.npy", lambda data: data[:10] + b"((((" + data[14:]),
        ("faces-person.npy", lambda data: data[:-3]),
        ("faces-expression.npy", lambda data: data.replace(b"<f4", b"<i4")),
        ("detector.safetensors", lambda data: data[:40] + b"\xff" + data[41:]),
        ("detector.jsonl", lambda data: b"{"),
        ("faces.json", lambda data: b'{"data": '),
    ],
)
def test_a_damaged_run_of_the_tracker_is_refused_in_a_line(file, content, shelves, tmp_path):
    (door,) = [door for door in DOORS if door.name == "trackers"]
    here = Path(shutil.copytree(shelves(door) / "tracker", tmp_path / "tracker"))
    path = here / "run" / file
    path.write_bytes(content(path.read_bytes()))
    from gioconda.learning.tracker.export import export_tracker
    from gioconda.learning.tracker.train import TrackerTraining, train_tracker

    settings = TrackerTraining(steps=1, frames=12, batch=2)
    with pytest.raises(UsageError) as told:
        export_tracker(
            here / "run", train_tracker(here / "data", here / "a.task", here / "run", settings, 0, ("landmarks",))
        )
    assert "\n" not in str(told.value)


# What is piped in, and the mirror's page


def test_a_stream_in_an_unknown_code_is_refused(tmp_path):
    reading, writing = os.pipe()
    streams(tmp_path)
    os.write(writing, (tmp_path / "a.mkv").read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    os.close(writing)
    with pytest.raises(VideoError, match="in a way that is not known"):
        next(read_stream(f"pipe:{reading}"))
    os.close(reading)


def test_a_vast_body_is_answered_and_never_taken_for_a_request():
    port, token = mirror()
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    within = f"GET /{token}/frame {head}\r\n"
    body = within + "y" * 4_000_000
    for _ in range(5):
        answer = asked(port, f"POST /{token}/nothing {head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert answer.startswith(b"HTTP/1.1 404")
        assert answer.count(b"HTTP/1.1") == 1
    answer = asked(port, f"POST /{token}/recalibrate {head}Content-Length: {len(within)}\r\n\r\n{within}".encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("query", ["at=nan", "at=inf", "at=x", "after=1e3", "after=" + "9" * 5000])
def test_the_mirror_is_asked_with_numbers_only(query):
    port, token = mirror()
    asking = f"GET /{token}/frame?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    assert asked(port, asking.encode()).startswith(b"HTTP/1.1 400")


# What is held


def test_trackers_are_let_go():
    def threads():
        gc.collect()
        return len(os.listdir("/proc/self/task"))

    rgb = np.repeat(np.repeat(next(noise(1, 12, 12)), 8, axis=0), 8, axis=1)
    counts = []
    for _ in range(4):
        default_tracker().find(rgb)
        counts.append(threads())
    assert counts[-1] == counts[0]


def test_a_segment_that_is_damaged_is_made_anew(portrait, tmp_path):
    from gioconda import animate
    from gioconda.resume import Unfinished, resume_folder

    animation = animate(portrait, acting(0.5, 10), size=64)
    out = tmp_path / "clip.mp4"
    Unfinished.of(out, animation, False)
    segment = resume_folder(out) / "segments" / "000000.mp4"
    for content in (b"", b"damaged" * 100):
        segment.write_bytes(content)
        assert Unfinished.of(out, animation, False).done == 0
    animation.save(segment)
    assert Unfinished.of(out, animation, False).done == 5


# The studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    pytest.importorskip("gradio", reason="the extra 'studio' (gradio) is not installed: no studio to ask")
    served = Served(tmp_path_factory.mktemp("studio") / "one", *OPTIONS, "--max-waiting", "2")
    yield served
    Visitor(served, "open")  # a tab that is open when the studio ends
    served.end()
    log = served.log.read_text()
    assert "Traceback" not in log, log
    assert "REACHED OUT" not in log, log
    assert served.left() == []


def test_visitors_are_served_in_turn_and_get_what_is_theirs(studio, tmp_path):
    report = crowd(studio, tmp_path, 4)
    assert report["got_a_clip"] == report["of_their_own_picture"] == 4
    assert report["told_that_the_queue_is_full"]["times"] > 0
    assert report["overtaken_in_the_queue"]["most"] == 0
    assert report["passed_over_after_being_sent_away"]["most"] <= 2  # as many as the queue takes
    assert report["others_files"] == {"refused": 4 * 3 * 2 * 2, "obtained": []}
    assert report["files_after_all_left"] == 0


def test_senseless_requests_are_answered_without_a_fault(studio, tmp_path):
    guest = Guest(studio, (pictures(tmp_path, 1)[0], film_of_a_driver(tmp_path / "driver.mp4")), "guest")
    with Memory(studio.process.pid) as memory:
        report = requests_tried(settled(guest, range(30)), guest, Watch(studio, memory))
    assert report["bad"] == []
    assert report["cases"] == 30


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("call/v2/check", b"{}", 422),
        ("call/v2/check", b'{"file": null, "fyle": 1}', 422),
        ("call/v2/animate", b'{"pictures": [], "performance": "orator"}', 200),
        ("call/nothing", b'{"data": []}', 404),
        ("run/predict", b'{"data": []}', 422),
        ("run/predict", b'{"data": [], "fn_index": 999}', 422),
        ("run/predict", b'{"data": [NaN], "fn_index": 0}', 400),
        ("run/predict", b'{"data": [1e999], "fn_index": 0}', 400),
        ("run/predict", rb'{"data": ["\ud800"], "fn_index": "\ud800"}', 400),
        ("queue/data?session_hash=nobody", None, 200),
        ("call/animate/nobody", None, 200),
    ],
)
def test_a_senseless_request_is_answered_to_its_end(studio, path, body, status):
    """Each was a traceback once."""
    visitor = Visitor(studio, "senseless")
    assert visitor.ask(f"/gradio_api/{path}", body, **JSON)[0] == status


@pytest.mark.parametrize(
    ("name", "wishes", "said"),
    [
        ("animate", {"pictures": [], "performance": "orator"}, "at least one picture"),
        ("animate", {"pictures": None, "performance": ["orator"]}, "picture"),
        ("animate", {"pictures": [], "performance": "orator", "format": None}, "MP4"),
        ("animate", {"pictures": [], "performance": "orator", "size": ["256"]}, "256"),
        ("animate", {"pictures": [], "head": "x"}, "not what is wanted"),
        ("check", {"file": None}, "Give a file"),
    ],
)
def test_values_that_make_no_sense_are_told_of(studio, name, wishes, said):
    visitor = Visitor(studio, "senseless")
    status, event = visitor.call(name, **wishes)
    assert status == 200, event
    kind, told = visitor.result(name, event, 30)
    assert kind == "error"
    assert said in told["error"]


def test_whoever_hangs_up_while_a_file_is_sent_is_no_fault(studio):
    place = urlsplit(studio.address)
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 999\r\n"
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode())
    assert studio.ask("/")[0] == 200


def test_what_a_tab_showed_is_forgotten_when_it_is_closed(studio, tmp_path):
    """Gradio keeps it for an hour: 85 MB for a picture of twelve megapixels."""
    visitor = Visitor(studio, "forgotten")
    visitor.run("arrive")
    visitor.run("opened", visitor.upload(*pictures(tmp_path, 1)))
    assert "card" in visitor.run("checked", None)["data"][0]
    visitor.leave()
    end = time.monotonic() + 20
    while studio.files() and time.monotonic() < end:
        time.sleep(0.1)
    assert visitor.run("checked", None)["data"] == [""]


def test_a_folder_that_goes_meanwhile_does_not_end_the_sweeping(tmp_path):
    visitors = Visitors(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    left = visitors.new_folder("somebody who left without a word")
    os.utime(left.parent, (0, 0))
    visitors.sweep(60)
    assert not left.exists()


def test_what_is_looked_at_while_its_visitor_leaves_is_no_fault_of_the_program(tmp_path):
    gradio = pytest.importorskip("gradio", reason="the extra 'studio' (gradio) is not installed: no studio")
    from gioconda.studio.limits import Limits
    from gioconda.studio.studio import Studio

    studio = Studio(Visitors(tmp_path / "visitors"), Limits())

    @studio.in_turn
    def look(path):
        return path.read_text()

    here = studio.visitors.new_folder("somebody") / "picture"
    here.write_text("a face")
    assert look(here) == "a face"
    studio.visitors.arrive("somebody", "tab")
    studio.visitors.leave("somebody", "tab")
    with pytest.raises(gradio.Error, match="left") as said:
        look(here)
    assert not said.value.print_exception
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "a file of the program")


@pytest.mark.parametrize("late", [False, True])
def test_of_what_is_stopped_nothing_is_left_however_late(tmp_path, late):
    """Also where the clip was finished already, but not yet shown."""
    pytest.importorskip("gradio", reason="the extra 'studio' (gradio) is not installed: no studio")
    from gioconda.studio.jobs import StoppedError
    from gioconda.studio.limits import Limits
    from gioconda.studio.studio import Studio

    studio = Studio(Visitors(tmp_path), Limits())
    request = SimpleNamespace(cookies={}, client=None, session_hash="tab")
    written, stopped = Event(), Event()

    def work(job, folder):
        (folder / "clip").touch()
        written.set()
        stopped.wait(10 if late else 0)
        return folder / "clip"

    jobs = studio.follow(request, work)
    job = next(jobs) if late else [*jobs][-1]
    assert written.wait(10)
    job.stop()
    stopped.set()
    assert "Nothing is left" in studio.stop(request) if late else "Nothing" not in str(studio.stop(request))
    assert isinstance(job.error, StoppedError) == late
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert files == ([] if late else ["clip"])
    studio.jobs.close("tab", 0)
    assert "Nothing is left" in studio.stop(request)


def test_who_was_sent_away_first_is_let_in_first():
    now = [0.0]
    turns = Turns(lambda: now[0])
    for name in "abc":
        turns.sent_away(name)
    assert [turns.before(name) for name in "abcd"] == [0, 1, 2, 3]
    now[0] = KEPT - 1
    turns.sent_away("c")
    turns.let_in("a")
    assert [turns.before(name) for name in "bcd"] == [0, 1, 2]
    now[0] = KEPT + 1  # b did not ask again
    assert [turns.before(name) for name in "cd"] == [0, 1]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 3)), max_size=60), st.integers(0, 3))
def test_nobody_who_keeps_asking_is_passed_over(asks, room):
    """Whoever is let in had, of all who still ask, none before them but those for whom there is room as well."""
    now, order, heard = 0.0, [], {}
    turns = Turns(lambda: now)
    for name, pause in asks:
        now += pause
        order = [each for each in order if now - heard[each] <= KEPT]
        before = order.index(name) if name in order else len(order)
        assert turns.before(name) == before
        if before < room:
            turns.let_in(name)
            order = [each for each in order if each != name]
        else:
            turns.sent_away(name)
            heard[name] = now
            order += [name] if name not in order else []


def test_requests_made_of_the_schema_are_answered(studio, tmp_path):
    """The small `requests_fuzz.py --schema`."""
    pytest.importorskip("schemathesis", reason="schemathesis is not installed: no requests from the schema")
    from schema_requests import from_schema

    guest = Guest(studio, (pictures(tmp_path, 1)[0], film_of_a_driver(tmp_path / "driver.mp4")), "schema")
    with Memory(studio.process.pid) as memory:
        cases = ((number, *one) for number, one in enumerate(from_schema(guest.visitor, guest.files, 10)))
        told = requests_tried(cases, guest, Watch(studio, memory))
    assert told["bad"] == []
    assert told["cases"] >= 20


# The guard itself


def test_the_guard_sees_what_goes_wrong(tmp_path):
    errors = tmp_path / "errors"
    errors.touch()
    folder = tmp_path / "watched"
    (folder / "cwd").mkdir(parents=True)

    def raising(here):
        raise KeyError("x")

    def refusing(here):
        raise UsageError("no")

    def writing(here):
        (here.parent / "stray").touch()

    def elsewhere(here):
        (tmp_path / "unwatched").write_text("x")
        (tmp_path / "unwatched").unlink()

    def moving(here):
        (here / "x").touch()
        (here / "x").rename(tmp_path / "moved")

    def unpickling(here):
        pickle.loads(pickle.dumps(_Touch(str(here / "x"))))

    verdicts = []
    with watched(folder) as watch:
        for does in (lambda here: (here / "x").touch(), refusing, raising, writing, elsewhere, moving, unpickling):
            verdicts.append(tried(does, 1, folder, watch, errors).verdict)
    assert verdicts == ["taken", "refused", "escaped", "stray", "stray", "stray", "act"]


def test_the_guard_outlives_what_it_watches():
    script = (
        "import sys, os, time, json\n"
        "for n in range(int(sys.argv[1]), 9):\n"
        "    if n == 1: os.abort()\n"
        "    if n == 3: time.sleep(60)\n"
        "    print(json.dumps({'number': n, 'verdict': 'taken'}), flush=True)\n"
    )
    found = list(outcomes(lambda first: [sys.executable, "-c", script, str(first)], range(5), seconds=1.5))
    assert [(o.number, o.verdict) for o in found] == [
        (0, "taken"),
        (1, "crash"),
        (2, "taken"),
        (3, "hang"),
        (4, "taken"),
    ]
    assert not Outcome(0, "crash").good


def test_a_case_is_always_the_same(shelves, tmp_path):
    door = DOORS[0]
    spoiled = []
    for turn in range(2):
        (tmp_path / str(turn)).mkdir()
        files = []
        seeing = door.__class__(
            **{**vars(door), "enter": lambda file, *_, files=files: files.append(file.read_bytes())}
        )
        case(seeing, shelves(door), 7)(tmp_path / str(turn))
        spoiled += files
    assert spoiled[0] == spoiled[1]
    assert command_line(Random(5), Path("a"), Path("b")) == command_line(Random(5), Path("a"), Path("b"))


def test_a_film_of_few_frames_is_still_read(tmp_path):
    assert len(list(VideoReader(film(tmp_path / "a.mp4", noise(3))))) == 3
