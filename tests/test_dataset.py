"""Datasets built from footage made here, read by those who use them, packed into shards and unpacked."""

import fcntl
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gioconda.cli import main
from gioconda.datasets.build import DIED, Choice, _done, build
from gioconda.datasets.identity import merge, pack
from gioconda.datasets.layout import (
    ClipRow,
    StillRow,
    clip_path,
    landmarks_path,
    licence_of,
    pack_landmarks,
    read_landmarks,
    read_lines,
)
from gioconda.datasets.people import sort_out
from gioconda.datasets.shards import export, unpack
from gioconda.datasets.sources import Label, find_files, label, read_labels
from gioconda.datasets.square import Square
from gioconda.datasets.work import Done, Facts, Job, Settings, process
from gioconda.errors import DatasetError, MissingExtraError, OutputError, UsageError
from gioconda.evaluation.shots import find_sources, load_shot
from gioconda.learning.dataset import usable_shots, usable_stills
from gioconda.media.pictures import read_picture, write_png
from gioconda.media.video import VideoReader
from gioconda.processes import WorkerDiedError
from gioconda.tracking import default_tracker
from makers import film

PAGE = Path(__file__).parents[1] / "docs/dataset.md"
SMALL = Settings(size=128, least_frames=12)
TABLES = {"clips.jsonl": ClipRow, "stills.jsonl": StillRow}


def faces(path):
    with VideoReader(path) as video:
        return [frame.rgb for frame in video]


@pytest.fixture(scope="module")
def footage(tmp_path_factory, driver, picture, text_video, faceless_video):
    """Anna alone, in a picture too; Bert, who looks into a mirror for 16 frames, then alone; and what is of no use."""
    folder = tmp_path_factory.mktemp("footage")
    for name in ("anna", "old"):
        (folder / name).mkdir()
    acting = faces(driver)
    shutil.copy(driver, folder / "anna/talk.mp4")
    shutil.copy(driver, folder / "twice.mp4")
    shutil.copy(picture, folder / "anna/photo.png")
    shutil.copy(text_video, folder / "old/text.mp4")
    shutil.copy(faceless_video, folder / "old/noise.mp4")
    film(folder / "old/brief.mp4", acting[:5])
    beside = [np.hstack([rgb, np.pad(rgb[::2, ::-2], ((128, 0), (0, 0), (0, 0)), "edge")]) for rgb in acting[:16]]
    alone = [np.pad(rgb[:, ::-1] // 2, ((0, 0), (128, 0), (0, 0)), constant_values=250) for rgb in acting[:14]]
    film(folder / "bert.mp4", beside + alone)
    (folder / "people.csv").write_text(
        "file,person,licence\nbert.mp4,Bert,CC0-1.0\nold,,CC-BY-NC-4.0\ngone.mp4,Carl,\n"
    )
    return folder


@pytest.fixture(scope="module")
def data(footage, tmp_path_factory):
    """The dataset of it, and what the build said."""
    out = tmp_path_factory.mktemp("sets") / "data"
    choice = Choice(licence="own footage", eval_share=0.5, seed=SEED)
    return out, build(footage, out, SMALL, choice, jobs=2)


SEED = 2
"""By which Anna is for training and Bert for evaluation."""


# What is built


def test_both_readers_read_it(data):
    folder, _ = data
    (shot,) = usable_shots(folder)
    assert (shot.person, shot.points.shape) == ("anna", (30, 478, 3))
    assert shot.frames(np.array([0, 29])).shape == (2, 128, 128, 3)
    ((rgb, points),) = usable_stills(folder, 0.0)
    assert (rgb.shape, points.shape) == ((128, 128, 3), (478, 3))
    sources = find_sources(folder)
    assert {source.labels["source"] for source in sources} == {"bert.mp4"}
    for source in sources:
        assert len(load_shot(source).frames) == source.frames


def test_landmarks_fit_the_frames(data):
    folder, _ = data
    for row in read_lines(folder / "clips.jsonl"):
        points = read_landmarks(landmarks_path(folder, row["id"]))
        frames = faces(clip_path(folder, row["id"]))
        assert len(points) == len(frames) == row["frames"]
        number = row["frames"] // 2
        (found, *_) = default_tracker().find(frames[number]).faces
        assert np.linalg.norm(found.points[:, :2] - points[number, :, :2], axis=1).mean() < 2.5
        assert 0 <= points[..., :2].min() < points[..., :2].max() <= 128
        height = np.median(np.ptp(points[..., 1], axis=1))
        assert 0.4 < height / 128 <= 0.505
    archive = np.load(folder / "stills.npz")
    (row,) = read_lines(folder / "stills.jsonl")
    (found, *_) = default_tracker().find(read_picture(folder / "stills" / f"{row['id']}.jpg").rgb).faces
    assert np.linalg.norm(found.points - archive["landmarks"][0] / 8, axis=1)[:468].mean() < 5
    assert archive["ids"].tolist() == [row["id"]]


def test_cuts_part_shots_and_faces_beside_each_other_are_shots_each(data):
    folder, _ = data
    rows = [row for row in read_lines(folder / "clips.jsonl") if row["source"] == "bert.mp4"]
    spans = sorted((row["start"], row["frames"]) for row in rows)
    assert spans == [(0.0, 16), (0.0, 16), (0.8, 14)]
    people = {row["person"] for row in rows}
    assert "Bert" in people
    assert len(people) == 2
    assert len({row["split"] for row in rows}) == 1


def test_what_is_of_no_use_is_named_with_the_reason(data):
    folder, summary = data
    skipped = {row["file"]: row["reason"] for row in read_lines(folder / "skipped.jsonl")}
    assert set(skipped) == {"old/text.mp4", "old/noise.mp4", "old/brief.mp4", "twice.mp4"}
    assert "not a video" in skipped["old/text.mp4"]
    assert skipped["old/noise.mp4"] == "no face of at least 32 pixels found"
    assert skipped["old/brief.mp4"] == "no face stays for 12 frames; the longest run has 5"
    assert skipped["twice.mp4"] == "the same file as anna/talk.mp4"
    assert summary.unknown == ["gone.mp4"]


def test_the_lists_hold_what_the_page_says(data):
    folder, summary = data
    page = PAGE.read_text()
    for name, kind in TABLES.items():
        for row in read_lines(folder / name):
            assert list(row) == [field.name for field in fields(kind)]
        table = page.split(f"### `{name}`")[1].split("\n##")[0]
        assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [field.name for field in fields(kind)]
    assert summary.people == {"train": 1, "eval": 2}
    assert summary.shots == {"train": 1, "eval": 3}
    minutes = {licence: round(seconds, 2) for licence, (seconds, _) in summary.licences.items()}
    assert minutes == {"CC0-1.0": 2.3, "own footage": 1.5}


def test_the_reader_on_the_page_reads_landmarks(data):
    (reader,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names = {}
    exec(reader, names)
    path = next(data[0].glob("clips/*.npy.xz"))
    assert (names["landmarks"](path) == read_landmarks(path)).all()


def test_the_sheet_shows_every_face(data):
    sheet = np.asarray(Image.open(data[0] / "sheet.jpg")).astype(int)
    tiles = [sheet[y : y + 160, x : x + 160] for y in (0, 176) for x in range(0, sheet.shape[1], 160)]
    drawn = [((tile[..., 0] > 200) & (tile[..., 2] < 110)).sum() for tile in tiles]
    assert sum(count > 100 for count in drawn) == 5


# Going on


def snapshot(folder):
    """Names and contents of everything that belongs to the dataset."""
    kept = [*folder.glob("*.jsonl"), *folder.glob("clips/*"), *folder.glob("stills*")]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in kept
        if path.is_file() and path.name != "progress.jsonl"
    }


def test_a_second_run_does_nothing_twice(data, footage, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data[0], folder)
    log = (folder / "progress.jsonl").read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("clips/*")}
    choice = Choice(licence="own footage", eval_share=0.5, seed=SEED)
    summary = build(footage, folder, SMALL, choice)
    assert asdict(summary) == asdict(data[1])
    assert (folder / "progress.jsonl").read_bytes() == log
    assert {path: path.stat().st_mtime_ns for path in folder.glob("clips/*")} == stamps
    # Whose footage it is may be said later; nothing is tracked anew.
    build(footage, folder, SMALL, Choice(licence="MIT", only=["cc0", "MIT"], people="videos"))
    assert {row["licence"] for row in read_lines(folder / "clips.jsonl")} == {"CC0-1.0", "MIT"}
    assert {row["person"] for row in read_lines(folder / "clips.jsonl")} >= {"Bert", "anna/talk"}
    build(footage, folder, SMALL, Choice(without=["cc0"]))
    assert {row["licence"] for row in read_lines(folder / "clips.jsonl")} == {"none stated"}
    assert (folder / "progress.jsonl").read_bytes() == log


def test_a_line_that_was_cut_short_is_done_again(data, footage, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data[0], folder)
    log = (folder / "progress.jsonl").read_bytes()
    (folder / "progress.jsonl").write_bytes(log[:-20])
    (folder / "clips/.half.mp4.part-00.mp4").write_bytes(b"half")
    choice = Choice(licence="own footage", eval_share=0.5, seed=SEED)
    build(footage, folder, SMALL, choice)
    assert sorted((folder / "progress.jsonl").read_bytes().splitlines()) == sorted(log.splitlines())
    assert snapshot(folder) == snapshot(data[0])


def test_a_killed_run_leaves_nothing_half_and_goes_on(data, footage, tmp_path):
    folder = tmp_path / "data"
    options = ["--size", "128", "--least-frames", "12", "--licence", "own footage", "--eval-share", "0.5"]
    command = ["dataset", "build", str(footage), "--out", str(folder), "--jobs", "1", "--seed", str(SEED), *options]
    running = subprocess.Popen([sys.executable, "-m", "gioconda.cli", *command])
    log = folder / "progress.jsonl"
    while running.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not (folder / "clips.jsonl").exists()
    for clip in folder.glob("clips/[!.]*.mp4"):
        assert len(faces(clip)) in (14, 16, 30)
    assert main(command) == 0
    assert snapshot(folder) == snapshot(data[0])


def test_a_folder_made_otherwise_is_left_alone(data, footage, tmp_path, capsys):
    with pytest.raises(UsageError, match="begun with another least_frames and size"):
        build(footage, data[0], Settings())
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="files in it"):
        build(footage, tmp_path, SMALL)
    assert main(["dataset", "build", str(footage), "--out", str(footage / "data")]) == 2
    assert "lies in the folder of videos" in capsys.readouterr().err


def test_another_tracker_is_another_dataset(data, footage, tmp_path):
    """One that was begun when there was no choice was begun with our own."""
    shutil.copytree(data[0], tmp_path / "data")
    about = json.loads((tmp_path / "data/build.json").read_text())
    assert about["settings"].pop("tracker") == "gioconda"
    (tmp_path / "data/build.json").write_text(json.dumps(about))
    build(footage, tmp_path / "data", SMALL)
    with pytest.raises((UsageError, MissingExtraError), match=r"another tracker|'mediapipe' is not"):
        build(footage, tmp_path / "data", replace(SMALL, tracker="mediapipe"))


def test_one_run_at_a_time(data, footage):
    with (data[0] / "progress.jsonl").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another run is building"):
            build(footage, data[0], SMALL)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--size", "63"], "--size is 63"),
        (["--size", "129"], "must be even"),
        (["--eval-share", "2"], "--eval-share is 2"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--labels", "missing.csv"], "missing.csv cannot be read"),
        (["--identity-model", "missing.onnx"], "does not exist"),
    ],
)
def test_what_cannot_be_asked_for(footage, tmp_path, capsys, options, said):
    assert main(["dataset", "build", str(footage), "--out", str(tmp_path / "data"), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_full_disk_is_seen_before_and_while_writing(footage, text_video, tmp_path, monkeypatch):
    (tmp_path / "videos").mkdir()
    shutil.copy(text_video, tmp_path / "videos")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=40_000_000))
    with pytest.raises(OutputError, match=r"about 0\.1 GB are needed"):
        build(footage, tmp_path / "data", SMALL)
    free = iter([10**9, 40_000_000])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=next(free)))
    with pytest.raises(OutputError, match="only 40 MB are free; nothing that is finished is lost"):
        build(tmp_path / "videos", tmp_path / "data", SMALL)
    assert len(read_lines(tmp_path / "data/progress.jsonl")) == 1


def test_what_a_machine_lacks_is_no_fault_of_the_file(footage, tmp_path):
    """It ends the build: a file that were skipped for it would never be looked at again."""
    name = find_files(footage)[0]
    job = Job(footage / name, name, tmp_path, SMALL, tmp_path / "missing.onnx")
    with pytest.raises(UsageError, match=r"missing\.onnx"):
        process(job)
    with pytest.raises(OutputError, match="full"):
        _done(job, OutputError("full"))
    assert _done(job, WorkerDiedError("killed")).skipped == DIED


# People and licences


def test_the_nearest_label_counts():
    labels = {"a": {"person": "A", "licence": "MIT"}, "a/b": {"licence": "CC0"}, "a/b/c.mp4": {"person": "C"}}
    assert label("a/b/c.mp4", labels, "folders", None) == Label("C", True, "CC0", "photo")
    assert label("a/x/c.mp4", labels, "folders", "own") == Label("A", True, "MIT", "photo")
    assert label("id1/yt/1.mp4", {}, "folders", None) == Label("id1", True, "none stated", "photo")
    assert label("id1/yt/1.mp4", {}, "videos", "own") == Label("id1/yt/1", False, "own", "photo")
    assert label("1.mp4", {".": {"licence": "all"}}, "folders", "own") == Label("1", False, "all", "photo")


def test_lists_of_labels(tmp_path):
    (tmp_path / "people.csv").write_text("\ufefffile,person\na.mp4, Anna \n")
    (tmp_path / "licences.json").write_text('{"a.mp4": "MIT", "old/": "CC0"}')
    (tmp_path / "more.json").write_text('{"p.jpg": {"kind": "painting"}}')
    read = read_labels([tmp_path / name for name in ("people.csv", "licences.json", "more.json")])
    assert read == {
        "a.mp4": {"person": "Anna", "licence": "MIT"},
        "old": {"licence": "CC0"},
        "p.jpg": {"kind": "painting"},
    }


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "name,person\nx,y\n", "first line must name"),
        ("a.csv", "file,person\nx,y,z\n", "line 2"),
        ("a.json", "[]", "not an object"),
        ("a.json", '{"x": {"colour": "red"}}', "'x'"),
        ("a.json", "{", "cannot be read"),
    ],
)
def test_lists_that_are_wrong(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        read_labels([tmp_path / name])


def found(file, tracks, vectors=None):
    facts = [
        Facts(f"{file}_{n}", n, n == 0, 1.0, 1.0, identity=vectors and pack(np.array(vectors[n])))
        for n in range(tracks)
    ]
    return Done(file, 1, file.ljust(12, "0"), shots=facts)


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 3)), min_size=1, max_size=12),
    st.floats(0, 1),
    st.integers(0, 9),
)
def test_nobody_and_no_file_is_in_two_splits(files, share, seed):
    done = [found(f"v{n:03}", tracks) for n, (_, tracks) in enumerate(files)]
    labels = {f"v{n:03}": Label(person, True, "", "") for n, (person, _) in enumerate(files)}
    people = sort_out(done, labels, same=0.6, measured=False, share=share, seed=seed)
    again = sort_out(done[::-1], labels, same=0.6, measured=False, share=share, seed=seed)
    assert (people.person, people.split) == (again.person, again.split)
    for entry in done:
        assert people.person[entry.shots[0].id] == labels[entry.file].person
        assert len({people.person[facts.id] for facts in entry.shots}) == len(entry.shots)
        assert len({people.split[people.person[facts.id]] for facts in entry.shots}) == 1


def test_the_share_for_evaluation_is_about_what_was_asked_for():
    done = [found(f"v{n:03}", 1) for n in range(400)]
    labels = {entry.file: Label(entry.file, False, "", "") for entry in done}
    splits = sort_out(done, labels, same=0.6, measured=False, share=0.1, seed=0).split
    assert 20 <= sum(split == "eval" for split in splits.values()) <= 60
    fewer = sort_out(done[::2], labels, same=0.6, measured=False, share=0.1, seed=0).split
    assert fewer.items() <= splits.items()


def test_faces_are_put_together_by_their_vectors():
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    near = np.array([0.8, 0.6])
    assert merge({"a": [east], "b": [near], "c": [north], "d": []}, 0.7) == {"a": "a", "b": "a", "c": "c", "d": "d"}
    # c is like b alone, but a and b together are not.
    assert merge({"a": [east, east], "b": [near], "c": [np.array([0.5, 0.87])]}, 0.79)["c"] == "c"
    assert merge({}, 0.5) == {}


def test_measured_identity_goes_over_all_files():
    east, north = [1.0, 0.0], [0.0, 1.0]
    done = [found("v1", 2, [east, north]), found("v2", 1, [north]), found("v3", 1, [east])]
    labels = {
        "v1": Label("Anna", True, "", ""),
        "v2": Label("v2", False, "", ""),
        "v3": Label("Anne", True, "", ""),
    }
    people = sort_out(done, labels, same=0.6, measured=True, share=0.5, seed=0)
    assert people.person["v1_0"] == people.person["v3_0"] == "Anna"
    assert people.person["v1_1"] == people.person["v2_0"] != "Anna"
    assert people.merged == [("Anna", "Anne")]
    assert len(set(people.split.values())) == 1


def test_a_network_tells_people_apart(driver, tmp_path):
    """A network that goes by the brightness of a face alone: the same face in the dark is somebody else to it."""
    onnx = pytest.importorskip("onnx")
    make = onnx.helper.make_node
    nodes = [
        make("GlobalAveragePool", ["in"], ["mean"]),
        make("Flatten", ["mean"], ["flat"]),
    ]
    sides = [
        onnx.helper.make_tensor_value_info("in", 1, (1, 3, 112, 112)),
        onnx.helper.make_tensor_value_info("flat", 1, (1, 3)),
    ]
    graph = onnx.helper.make_graph(nodes, "brightness", sides[:1], sides[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "videos").mkdir()
    acting = faces(driver)[:14]
    for name, frames in {"a": acting, "b": [rgb[:, ::-1] for rgb in acting], "c": [rgb // 6 for rgb in acting]}.items():
        film(tmp_path / "videos" / f"{name}.mp4", frames)
    build(tmp_path / "videos", tmp_path / "data", SMALL, identity=tmp_path / "net.onnx", jobs=2)
    people = {row["source"]: row["person"] for row in read_lines(tmp_path / "data/clips.jsonl")}
    assert people["a.mp4"] == people["b.mp4"] != people["c.mp4"]
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(UsageError, match="not a network that can be read"):
        build(tmp_path / "videos", tmp_path / "other", SMALL, identity=tmp_path / "bad.onnx")
    assert not (tmp_path / "other").exists()


def test_older_lists_are_read():
    assert licence_of({"licence": "MIT"}) == licence_of({"repo_licence": "MIT"}) == "MIT"
    assert licence_of({}) == "none stated"


# Parts


@pytest.mark.parametrize("corner", [(10, 5), (-7, 3), (20, -9), (-30, -40), (50, 44)])
def test_a_square_is_mirrored_over_the_edge(corner):
    rgb = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    wide = np.pad(rgb, ((64, 64), (64, 64), (0, 0)), mode="reflect")
    x, y = corner
    assert (Square(x, y, 32).cut(rgb, 32) == wide[64 + y : 96 + y, 64 + x : 96 + x]).all()
    half = Square(x, y, 32).cut(rgb, 16).astype(int)
    whole = wide[64 + y : 96 + y, 64 + x : 96 + x].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - whole).max() <= 1
    assert Square(x, y, 32).points(np.array([[x + 8.0, y + 16.0, 4.0]]), 64).tolist() == [[16, 32, 8]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_landmarks_come_back(tmp_path_factory, seed, frames):
    points = np.random.default_rng(seed).uniform(-300, 900, (frames, 478, 3))
    path = tmp_path_factory.getbasetemp() / "points.npy.xz"
    path.write_bytes(pack_landmarks(points))
    assert np.abs(read_landmarks(path) - points).max() <= 0.125


# Shards


@pytest.fixture(scope="module")
def shards(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed") / "shards"
    export(data[0], out)
    return out


def test_shards_give_the_dataset_back(data, shards, tmp_path):
    assert sorted(path.name for path in shards.iterdir()) == [
        *(f"clips-{split}-000000.tar" for split in ("eval", "train")),
        "shards.json",
        "stills-train-000000.tar",
    ]
    assert unpack(shards, tmp_path / "back") == (4, 1)
    whole = {name: content for name, content in snapshot(data[0]).items() if name != "skipped.jsonl"}
    back = snapshot(tmp_path / "back")
    assert {k: v for k, v in back.items() if k != "stills.npz"} == {k: v for k, v in whole.items() if k != "stills.npz"}
    one, other = (np.load(folder / "stills.npz") for folder in (data[0], tmp_path / "back"))
    assert all((one[name] == other[name]).all() for name in ("ids", "landmarks"))


def test_the_same_dataset_is_the_same_shards(data, shards, tmp_path):
    export(data[0], tmp_path / "again")
    for path in shards.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    with tarfile.open(shards / "clips-train-000000.tar") as tar:
        (row,) = (row for row in read_lines(data[0] / "clips.jsonl") if row["split"] == "train")
        assert tar.getnames() == [f"{row['id']}.{kind}" for kind in ("json", "mp4", "npy.xz")]
        assert {entry.mtime for entry in tar} == {0}


def test_a_shard_is_closed_when_it_is_large_enough(data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data[0], folder)
    row = next(row for row in read_lines(folder / "clips.jsonl") if row["split"] == "eval")
    with clip_path(folder, row["id"]).open("ab") as file:
        file.write(bytes(1_000_000))
    names = export(folder, tmp_path / "shards", 1_000_000)
    assert len([name for name in names if name.startswith("clips-eval")]) == 2
    assert sum(unpack(tmp_path / "shards", tmp_path / "back")) == 5


def damaged(shards, tmp_path, change):
    """Shards of which one was changed, its line in the index too."""
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    path = folder / "clips-train-000000.tar"
    change(path)
    return folder, path


def test_a_shard_that_was_cut_short_is_named(shards, tmp_path, capsys):
    folder, path = damaged(shards, tmp_path, lambda path: path.write_bytes(path.read_bytes()[:-700]))
    assert main(["dataset", "unpack", str(folder), "--out", str(tmp_path / "back")]) == 2
    said = capsys.readouterr().err
    assert "error [bad-dataset]" in said
    assert f"{path} is cut short or damaged" in said
    assert not (tmp_path / "back").exists()
    path.unlink()
    with pytest.raises(DatasetError, match=r"clips-train-000000\.tar is missing"):
        unpack(folder, tmp_path / "back")


def test_a_shard_that_was_changed_is_refused(shards, tmp_path):
    def flip(path):
        content = bytearray(path.read_bytes())
        content[2000] ^= 1
        path.write_bytes(content)

    folder, _ = damaged(shards, tmp_path, flip)
    with pytest.raises(DatasetError, match="not what was exported"):
        unpack(folder, tmp_path / "back")
    assert not (tmp_path / "back/clips.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../../evil.json", tarfile.REGTYPE), ("/evil.mp4", tarfile.REGTYPE), ("a.json", tarfile.SYMTYPE)],
)
def test_paths_in_archives_are_not_trusted(shards, tmp_path, name, kind):
    def poison(path):
        with tarfile.open(path, "a") as tar:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/hostname"
            tar.addfile(entry, io.BytesIO(b""))

    folder, path = damaged(shards, tmp_path, poison)
    rewrite_index(folder, path)
    with pytest.raises(DatasetError, match="which no export writes"):
        unpack(folder, tmp_path / "back")
    assert not list(tmp_path.rglob("evil*"))


def test_a_sample_must_be_whole_and_about_itself(shards, tmp_path):
    def half(path):
        with tarfile.open(path, "w") as tar:
            content = json.dumps({"id": "other"}).encode()
            entry = tarfile.TarInfo("one.json")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))

    folder, path = damaged(shards, tmp_path, half)
    rewrite_index(folder, path)
    with pytest.raises(DatasetError, match="one is not whole"):
        unpack(folder, tmp_path / "back")


def rewrite_index(folder, path):
    import hashlib

    index = json.loads((folder / "shards.json").read_bytes())
    for shard in index["shards"]:
        if shard["name"] == path.name:
            shard |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "shards.json").write_text(json.dumps(index))


def test_export_asks_for_a_whole_dataset(data, tmp_path):
    with pytest.raises(UsageError, match="not a dataset folder"):
        export(tmp_path, tmp_path / "shards")
    folder = tmp_path / "data"
    shutil.copytree(data[0], folder)
    gone = next(folder.glob("clips/*.npy.xz"))
    gone.unlink()
    with pytest.raises(DatasetError, match=re.escape(gone.name)):
        export(folder, tmp_path / "shards")


def test_a_picture_of_nobody(tmp_path):
    (tmp_path / "pictures").mkdir()
    write_png(tmp_path / "pictures/a.png", np.zeros((64, 64, 3), np.uint8))
    summary = build(tmp_path / "pictures", tmp_path / "data", SMALL)
    assert [reason for _, reason in summary.skipped] == ["no face found"]
    with pytest.raises(UsageError, match="no shot of the split train"):
        usable_shots(tmp_path / "data")
