"""Ways in through what `evaluate`, `score` and `dataset build --identity` read: networks, lists, kept figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from mutation import changed_bytes, changed_json_text, changed_movie, changed_network

FACE_SIDE = 128


@cache
def _portrait() -> Any:
    from gioconda.demo import demo_portrait

    return demo_portrait().framed(size=FACE_SIDE)


def _film(path: Path, count: int) -> Path:
    from makers import film

    return film(path, [np.roll(_portrait().views[0].rgb, number % 4, axis=1) for number in range(count)], 15)


def write_judges(folder: Path) -> Path:
    """Networks that fit where the measuring networks do, and say the same of every picture: a face in its middle."""
    folder.mkdir()
    heat = np.zeros((1, 2, 56, 56), np.float32)
    heat[0, 0, 28, 28], heat[0, 1] = 0.9, 0.5
    peaks = np.random.default_rng(0).permutation(28 * 28)[:66]
    maps = np.full((1, 198, 28 * 28), 0.5, np.float32)
    maps[0, :66] = 0
    maps[0, np.arange(66), peaks] = 0.9
    maps = maps.reshape(1, 198, 28, 28)
    irises = np.random.default_rng(1).random((2, 3, 8, 8), np.float32)
    who = np.random.default_rng(2).standard_normal((1, 128)).astype(np.float32)
    pose = np.array([[5.0, -3.0, 1.0]], np.float32)
    for name, side, outputs in (
        ("mnv3_detection_opt", 224, (heat, heat)),
        ("lm_model0_opt", 224, (maps,)),
        ("mnv3_gaze32_split_opt", 32, (irises, irises[:, :1])),
        ("fsanet-1x1-iter-688590", 64, (pose,)),
        ("fsanet-var-iter-688590", 64, (pose,)),
        ("mobilefacenet", 112, (who,)),
    ):
        (folder / f"{name}.onnx").write_bytes(_saying(side, outputs))
    return folder


def _saying(side: int, outputs: Sequence[np.ndarray[Any, Any]]) -> bytes:
    """A network for pictures of some side that gives arrays, to which it adds nothing of what it sees."""
    from onnx import TensorProto, helper, numpy_helper

    seen = helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, side, side])
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "none"], ["nothing"]),
    ]
    held = [numpy_helper.from_array(np.zeros((), np.float32), "none")]
    for number, values in enumerate(outputs):
        held.append(numpy_helper.from_array(values, f"held{number}"))
        nodes.append(helper.make_node("Add", [f"held{number}", "nothing"], [f"out{number}"]))
    said = [helper.make_tensor_value_info(f"out{n}", TensorProto.FLOAT, v.shape) for n, v in enumerate(outputs)]
    graph = helper.make_graph(nodes, "says", [seen], said, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def judges(folder: Path) -> None:
    """The networks, and a clip with its portrait and driver."""
    from gioconda.media.pictures import write_png

    here = folder / "score"
    here.mkdir()
    write_judges(here / "models")
    write_png(here / "a.png", _portrait().views[0].rgb)
    _film(here / "clip.mp4", 3)
    _film(here / "driver.mp4", 5)


def enter_judges(file: Path, folder: Path, random: Random) -> None:
    """As `score` uses all of them, and `dataset build --identity` one."""
    from gioconda.datasets import identity
    from gioconda.evaluation import scoring
    from gioconda.evaluation.identity import frechet_identity

    here = folder / "score"
    if file.stem == "mobilefacenet" and random.random() < 0.5:
        identity._network.cache_clear()  # a case has the path of the one before
        identity.check_network(file)
        view = _portrait().views[0]
        identity.merge({"a": [identity.identify(file, [(view.rgb, view.points)])]}, 0.5)
        return
    grades = scoring.score(here / "clip.mp4", here / "a.png", here / "driver.mp4", here / "models")
    scoring.table(grades)
    scoring.write(here / "score.json", grades, here / "models", {})
    frechet_identity(grades.watched.vectors, grades.watched.vectors)


# Lists, and what an earlier run has left


def evaluations(folder: Path) -> None:
    """A dataset, and portraits with drivers, each evaluated into a folder."""
    from gioconda.evaluation import command
    from gioconda.media.pictures import write_png
    from makers import write_landmarks

    models = write_judges(folder.parent / "models")
    mine, theirs = folder / "self", folder / "cross"
    (mine / "data" / "clips").mkdir(parents=True)
    rows: list[dict[str, Any]] = [{"id": "x", "person": "x", "split": "train"}]
    points = _portrait().views[0].points
    for name in ("a", "b"):
        _film(mine / "data" / "clips" / f"{name}.mp4", 20)
        moved = [points + np.array([number % 4, 0, 0]) for number in range(20)]
        write_landmarks(mine / "data" / "clips" / f"{name}.npy.xz", np.stack(moved))
        rows.append({"id": name, "person": name, "split": "eval", "frames": 20, "fps": 15.0, "glasses": True})
    (mine / "data" / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command.evaluate(mine / "out", models, data=mine / "data", size="quick", jobs=1, command="gioconda evaluate")
    for name in ("portraits", "drivers"):
        (theirs / name).mkdir(parents=True)
    write_png(theirs / "portraits" / "a.png", _portrait().views[0].rgb)
    labels = {"file": "a.png", "kind": "photo", "skin_tone": 4, "upscale": 1.2, "glasses": False}
    (theirs / "portraits" / "portraits.jsonl").write_text(json.dumps(labels) + "\n")
    for name in ("m", "n"):
        _film(theirs / "drivers" / f"{name}.mp4", 4)
    given = {"portraits": theirs / "portraits", "drivers": theirs / "drivers"}
    command.evaluate(theirs / "out", models, track="cross", **given, size="quick", jobs=1, command="gioconda evaluate")
    for one in (mine, theirs):
        shutil.copytree(models, one / "models")


def change_evaluation(data: bytes, random: Random, others: Any) -> bytes:
    """By what kind of file it is."""
    if data.startswith((b"{", b" ")):
        return changed_json_text(data, random, others)
    if data[4:8] == b"ftyp":
        return changed_movie(data, random, others)
    return changed_network(data, random, others) if b"ReduceMean" in data else changed_bytes(data, random, others)


def enter_evaluation(file: Path, folder: Path, random: Random) -> object:
    """Evaluate once more into the same folder; or make its report, or the page of its study, anew."""
    from gioconda.evaluation import command, report, study

    here = folder / ("self" if (folder / "self").exists() else "cross")
    out, models = here / "out", here / "models"
    match random.randrange(4):
        case 0:
            report.write(out)
            return "report"
        case 1 if here.name == "self":
            study.write(out, out / "study.html")
            return "study"
        case _ if here.name == "self":
            run = command.evaluate(out, models, data=here / "data", size="quick", jobs=1)
        case _:
            given = {"portraits": here / "portraits", "drivers": here / "drivers"}
            run = command.evaluate(out, models, track="cross", **given, size="quick", jobs=1)
    command.summary(out, here.name)
    # What fails in a single clip is listed; it must be told as an error of ours all the same.
    faults = [one.reason for one in run.failed if one.reason.partition(":")[0].endswith(("Error", "Exception"))]
    assert not faults, faults[0]
    return None
