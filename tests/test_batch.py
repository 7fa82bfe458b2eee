"""Many clips at once: kept when nothing changed, told when they failed, never stopped by one of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gioconda import animate
from gioconda.batch import Drawing, Work, drivers_in, plan, portraits_in
from gioconda.batch.contact_sheet import contact_sheet
from gioconda.batch.make import telling
from gioconda.cli import main
from gioconda.credentials.reading import read_credentials
from gioconda.errors import UsageError
from gioconda.media.pictures import read_picture, write_png
from gioconda.media.video import VideoReader, probe_video
from makers import acting

SMALL = ("--size", "64", "--end", "0.3")


@pytest.fixture(scope="module")
def shelves(tmp_path_factory, picture, faceless_picture, motion_file):
    """A folder of three portraits, one without a face, and a folder with a driver and a damaged one."""
    folder = tmp_path_factory.mktemp("shelves")
    (folder / "portraits").mkdir()
    (folder / "drivers").mkdir()
    for name, source in (("anna.png", picture), ("ben.png", picture), ("nobody.png", faceless_picture)):
        (folder / "portraits" / name).write_bytes(source.read_bytes())
    write_png(folder / "portraits" / "ben.png", read_picture(picture).rgb[:, ::-1])
    (folder / "portraits" / "notes.txt").write_text("not a picture")
    (folder / "drivers" / "talk.motion").write_bytes(motion_file.read_bytes())
    (folder / "drivers" / "broken.mp4").write_text("not a video")
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("nobody")
    return folder


def run(*arguments):
    return main(["batch", *map(str, arguments)])


def summary(out):
    return json.loads((out / "summary.json").read_text())


def states(out):
    return {o["clip"]: o["state"] for o in summary(out)["outcomes"]}


# The list


def test_folders_become_a_list(shelves, tmp_path):
    pictures = portraits_in(shelves / "portraits")
    assert [p.name for p in pictures] == ["anna.png", "ben.png", "nobody.png"]
    drivers = drivers_in([str(shelves / "drivers"), "orator"])
    assert [Path(d).name for d in drivers] == ["broken.mp4", "talk.motion", "orator"]
    works = plan(pictures, drivers, tmp_path, Drawing())
    assert len(works) == 9
    assert works[1] == Work(pictures[0], drivers[1], tmp_path / "anna--talk.mp4", Drawing())


def test_of_a_folder_everything_that_can_drive_is_taken(tmp_path):
    drivers = ["a.motion", "b.MP4", "c.wmv", "d.flv", "e.mxf", "f.3gp", "g.jpg", "h.HEIC", "i.gif", "j.tiff"]
    for name in (*drivers, "k.txt", ".l.jpg"):
        (tmp_path / name).touch()
    assert [Path(d).name for d in drivers_in([str(tmp_path)])] == drivers


def test_names_that_differ_in_their_endings_only(tmp_path):
    works = plan([Path("a.jpg"), Path("a.png")], ["x.mp4", "x.motion"], tmp_path, Drawing(), ".gif")
    assert [w.out.name for w in works][1:3] == ["a.jpg--x.motion.gif", "a.png--x.mp4.gif"]
    with pytest.raises(UsageError, match="one name"):
        plan([Path("one/a.jpg"), Path("two/a.jpg")], ["x.mp4"], tmp_path, Drawing())


@pytest.mark.parametrize(
    ("portraits", "drivers", "more", "hint"),
    [
        ("nowhere", "orator", (), "no such file or folder"),
        ("drivers", "orator", (), "no picture in this folder"),
        ("portraits", "nobody", (), "built in are"),
        ("portraits", "empty", (), "no driver in this folder"),
        ("portraits", "orator", ("--jobs", 0), "at least 1"),
        ("portraits", "orator", ("--format", ".doc"), ".webm"),
        ("portraits", "orator", ("--head", 9), "gain of head"),
    ],
)
def test_what_is_refused(shelves, tmp_path, monkeypatch, capfd, portraits, drivers, more, hint):
    monkeypatch.chdir(shelves)
    assert run(portraits, drivers, "--out", tmp_path / "out", *more) == 2
    assert hint in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


# The work


def test_a_batch_and_the_same_again(shelves, tmp_path, capsys):
    out = tmp_path / "clips"
    arguments = (shelves / "portraits", shelves / "drivers", "orator", "--out", out, "--jobs", 2, *SMALL)
    assert run(*arguments) == 3
    expected = {
        f"{portrait}--{driver}.mp4": "failed" if portrait == "nobody" or driver == "broken" else "done"
        for portrait in ("anna", "ben", "nobody")
        for driver in ("broken", "talk", "orator")
    }
    assert states(out) == expected
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 10
    assert said[-1] == f"{out}: 4 done, 0 kept, 5 failed; see summary.json"
    told = {line.split()[1]: line.split()[0] for line in said[:-1]}
    assert told == expected
    by_clip = {o["clip"]: o for o in summary(out)["outcomes"]}
    assert by_clip["nobody--talk.mp4"]["error"] == "no-face"
    assert by_clip["anna--broken.mp4"]["error"] == "bad-video"
    assert "broken.mp4" in by_clip["anna--broken.mp4"]["reason"]
    done = by_clip["anna--talk.mp4"]
    assert (done["frames"], done["width"], done["fps"]) == (6, 64, 20)
    assert done["bytes"] == (out / "anna--talk.mp4").stat().st_size
    assert probe_video(out / "anna--talk.mp4").width == 64
    sheet = read_picture(out / "contact-sheet.png").rgb
    assert sheet.shape[1] > 3 * 192
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [".batch", "contact-sheet.png", "summary.json", *(name for name, state in expected.items() if state == "done")]
    )

    before = {p: p.stat().st_mtime_ns for p in out.glob("*.mp4")}
    (out / "ben--talk.mp4").unlink()
    (out / "ben--orator.mp4").write_bytes(b"damaged")
    assert run(*arguments) == 3
    again = {**expected, "anna--talk.mp4": "kept", "anna--orator.mp4": "kept"}
    assert states(out) == again
    kept = [path for path, written in before.items() if path.stat().st_mtime_ns == written]
    assert {p.name for p in kept} == {"anna--talk.mp4", "anna--orator.mp4"}

    assert run(shelves / "portraits" / "anna.png", shelves / "drivers" / "talk.motion", "--out", out, *SMALL) == 0
    assert states(out) == {"anna--talk.mp4": "kept"}
    louder = (*SMALL, "--mouth", 1.5)
    assert run(shelves / "portraits" / "anna.png", shelves / "drivers" / "talk.motion", "--out", out, *louder) == 0
    assert states(out) == {"anna--talk.mp4": "done"}


def test_clips_of_a_batch_say_what_is_asked(shelves, tmp_path, capsys):
    anna, out = shelves / "portraits" / "anna.png", tmp_path / "clips"
    arguments = (anna, "orator", "--out", out, "--size", "96", "--end", "0.2")
    assert run(*arguments) == 0
    plain = read_credentials(out / "anna--orator.mp4")
    assert run(*arguments, "--consent", "Anna said yes.", "--label") == 0
    assert states(out) == {"anna--orator.mp4": "done"}
    assert plain.consent is None
    assert read_credentials(out / "anna--orator.mp4").consent == "Anna said yes."
    assert run(*arguments, "--consent", "Anna said yes.", "--label") == 0
    assert states(out) == {"anna--orator.mp4": "kept"}
    capsys.readouterr()
    assert run(*arguments, "--key", tmp_path / "key.pem") == 2
    assert capsys.readouterr().err.count("a key its certificate") == 1
    assert states(out) == {"anna--orator.mp4": "kept"}


def test_photographs_drive_too(shelves, portrait, faceless_picture, tmp_path):
    """As in `animate`: the portrait moves into the photograph's expression, and the sheet shows it there."""
    photos, out = tmp_path / "photos", tmp_path / "clips"
    photos.mkdir()
    turned = next(animate(portrait, acting()).frames(7)).rgb
    Image.fromarray(turned).save(photos / "turned.jpg", quality=95)
    (photos / "noise.png").write_bytes(faceless_picture.read_bytes())
    assert run(shelves / "portraits" / "anna.png", photos, "--out", out, "--size", 96) == 3
    assert states(out) == {"anna--noise.mp4": "failed", "anna--turned.mp4": "done"}
    failed, done = summary(out)["outcomes"]
    assert failed["error"] == "no-face"
    assert (done["frames"], done["fps"]) == (38, 25)
    alone = ["animate", shelves / "portraits" / "anna.png", "--driver", photos / "turned.jpg", "--size", 96, "--out"]
    assert main([str(a) for a in (*alone, tmp_path / "alone.png")]) == 0
    with VideoReader(out / "anna--turned.mp4") as video:
        frames = [frame.rgb.astype(int) for frame in video]
    expected = read_picture(tmp_path / "alone.png").rgb
    moved = np.abs(frames[0] - expected).mean()
    assert np.abs(frames[-1] - expected).mean() < 0.5 * moved
    shown = Image.open(out / ".batch" / "anna--turned.mp4.png").resize((96, 96), Image.Resampling.BOX)
    assert np.abs(np.asarray(shown) - expected.astype(int)).mean() < 0.5 * moved


def workers_of(process):
    """The processes that work for a batch."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(c) for c in children if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()]


def half_written(out, process):
    """Wait until a clip is being written."""
    while process.poll() is None:
        if list(out.glob(".*--*.part-*")):
            return
        time.sleep(0.002)
    raise AssertionError(process.communicate())


def begun(shelves, out):
    command = [sys.executable, "-m", "gioconda.cli", "batch", shelves / "portraits" / "anna.png", "orator", "playful"]
    command += ["--out", out, "--size", "256"]
    return subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in Linux's /proc")


@needs_proc
def test_a_killed_worker_is_the_failure_of_its_clip(shelves, tmp_path):
    process = begun(shelves, tmp_path)
    half_written(tmp_path, process)
    (worker,) = workers_of(process)
    os.kill(worker, signal.SIGKILL)
    said, complaints = process.communicate(timeout=120)
    assert (process.returncode, complaints) == (3, "")
    assert "failed  anna--orator.mp4  [killed]" in said
    assert states(tmp_path) == {"anna--orator.mp4": "failed", "anna--playful.mp4": "done"}
    assert not list(tmp_path.rglob("*.part-*"))


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_an_interrupted_batch_ends_at_once(shelves, tmp_path, number):
    process = begun(shelves, tmp_path)
    half_written(tmp_path, process)
    (worker,) = workers_of(process)
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert "Traceback" not in said
    while Path(f"/proc/{worker}").exists() and time.monotonic() - began < 15:
        time.sleep(0.01)
    assert not Path(f"/proc/{worker}").exists()
    assert not list(tmp_path.glob("[!.]*.mp4"))
    if number != signal.SIGKILL:
        assert not list(tmp_path.rglob("*.part-*"))


# The contact sheet


def test_a_contact_sheet_has_a_cell_for_each():
    red, wide = np.full((50, 50, 3), (255, 0, 0), np.uint8), np.full((40, 300, 3), (0, 0, 255), np.uint8)
    sheet = contact_sheet(["a portrait with a very long name indeed", "b"], ["x", "y"], [[red, None], [wide, red]])
    reds = (sheet == (255, 0, 0)).all(axis=2)
    assert reds.sum() == 2 * 192 * 192
    assert (sheet == (0, 0, 255)).all(axis=2).sum() == pytest.approx(192 * 192 * 40 / 300, rel=0.05)
    assert not reds[:, : sheet.shape[1] // 2][sheet.shape[0] // 2 :].any()


def test_a_huge_sheet_stays_within_bounds():
    cells = [[None] * 2 for _ in range(200)]
    assert max(contact_sheet(["r"] * 200, ["c"] * 2, cells).shape) < 24_000


def test_the_telling_moment_has_an_open_mouth_and_open_eyes():
    performance = acting(1.5, 20)
    motion = performance.at(telling(performance))
    assert motion.lids.mean() > 0.8
    assert np.abs(motion.offsets).max() > 0.5 * np.abs(performance.motion.offsets).max()
