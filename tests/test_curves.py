import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from gioconda import Motion, Performance
from gioconda.cli import main
from gioconda.curve_file import apply_curves, write_curves
from gioconda.curves import add_to_curves, all_curves, curves_of
from gioconda.editing import mirrored
from gioconda.errors import MotionFileError, OutputError, UsageError
from gioconda.face import face_model
from gioconda.neutral import mouth_gap
from gioconda.retarget import Gains, retarget
from makers import acting, jaw, motions, movement, posed
from test_editing import of

PAGE = Path(__file__).parents[1] / "docs/performances.md"
HEAD = ["headYaw", "headPitch", "headRoll", "headRight", "headDown", "headNearer"]


def values(*motions):
    return {name: v.tolist() for name, v in curves_of(of(*motions)).items()}


# What a curve says


def test_every_name_of_arkit_is_there_or_said_to_be_missing():
    names = [curve.name for curve in all_curves()]
    assert len(set(names)) == len(names)
    assert names[:6] == HEAD
    shown, absent = PAGE.read_text(encoding="utf-8").split("### What is not there")
    rows = [row.split("|")[1] for row in shown.splitlines() if row.startswith("| `")]
    described = re.findall(r"`(\w+)`", "".join(rows))
    assert set(names) <= set(described)
    missing = {n for n in re.findall(r"`(\w+)`", absent.split("\n## ")[0]) if n not in names}
    assert len(names[6:]) + len(missing) == 52


def test_no_movement_is_nought():
    assert set(np.ravel(list(values(Motion.neutral()).values()))) == {0.0}


@pytest.mark.parametrize("curve", [c for c in all_curves() if c.part == "offsets"], ids=lambda c: c.name)
def test_a_curve_measures_its_own_movement_and_no_other(curve):
    found = values(movement(offsets=curve.field))
    pairs = {"browInnerUp": (), "mouthPucker": ()}
    assert found.pop(curve.name)[0] == pytest.approx(1, abs=1e-4)
    for name in pairs.keys() & found.keys():  # what moves a half of a pair moves half of the whole
        assert found.pop(name)[0] <= 1.3
    if curve.name in pairs:
        return
    assert max(np.ravel(list(found.values()))) < 1e-4


def test_eyes_by_hand():
    # The picture's right eye is the person's left one.
    assert values(movement(lids=(1, 0)))["eyeBlinkLeft"] == [1]
    assert values(movement(lids=(1, 0)))["eyeBlinkRight"] == [0]
    assert values(movement(lids=(1.5, 1)))["eyeWideRight"] == [1]
    looking = values(movement(gaze=(0.15, -0.15)))
    assert looking["eyeLookOutLeft"] == looking["eyeLookInRight"] == [pytest.approx(0.5)]
    assert looking["eyeLookInLeft"] == looking["eyeLookOutRight"] == [0]
    assert looking["eyeLookUpLeft"] == looking["eyeLookUpRight"] == [pytest.approx(1)]


def test_head_by_hand():
    found = values(movement(angles=(10, -4, 3), shift=(0.1, -0.2, 0.05)))
    assert [found[name][0] for name in HEAD] == pytest.approx([10, -4, 3, 0.1, -0.2, 0.05])


def test_a_lowered_jaw_is_mostly_that():
    found = values(movement(offsets=jaw(0.25)))
    assert 0.4 < found["jawOpen"][0] < 0.8
    assert found["jawLeft"][0] == pytest.approx(0, abs=1e-3)
    # This jaw leaves the corners of the mouth where they are, a real one takes them down a little.
    assert max(found["browInnerUp"][0], found["mouthSmileLeft"][0]) < 0.15


@given(motions(wild=0.5))
def test_left_and_right_change_places_in_a_mirror(motion):
    plain, other = curves_of(of(motion)), curves_of(mirrored(of(motion)))
    for name, found in plain.items():
        turned = name.replace("Left", "<").replace("Right", "Left").replace("<", "Right")
        if name not in HEAD and turned != name:
            assert other[turned] == pytest.approx(found, abs=0.15), name
    assert other["jawOpen"] == pytest.approx(plain["jawOpen"], abs=0.15)


# Edited


def edited(path, **changes):
    """A table with some columns changed by functions of their values."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name, change in changes.items():
            row[name] = f"{change(float(row[name])):.4f}"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def same(one, other, *names):
    return all(np.array_equal(getattr(one.motion, name), getattr(other.motion, name)) for name in names)


def test_an_unedited_table_changes_nothing(captured, tmp_path):
    write_curves(captured, tmp_path / "a.csv")
    assert same(apply_curves(captured, tmp_path / "a.csv"), captured, *vars(Motion.neutral()))


@given(motions())
def test_an_unedited_table_never_changes_anything(tmp_path_factory, motion):
    path = tmp_path_factory.mktemp("curves") / "a.csv"
    write_curves(of(motion), path)
    assert same(apply_curves(of(motion), path), of(motion), *vars(Motion.neutral()))


def lip_gaps(performance):
    sitter = posed(face_model().shape, size=1.0, at=(0, 0))
    shown = (retarget(sitter, performance.at(time), Gains()) for time in performance.times)
    return np.array([mouth_gap(points) for points in shown])


@pytest.mark.parametrize("source", ["made", "captured"])
def test_twice_the_jaw_opens_the_mouth_about_twice(source, captured, tmp_path):
    performance = captured if source == "captured" else acting()
    write_curves(performance, tmp_path / "a.csv")
    doubled = apply_curves(performance, edited(tmp_path / "a.csv", jawOpen=lambda v: 2 * v))
    before, after = curves_of(performance), curves_of(doubled)
    assert after["jawOpen"] == pytest.approx(2 * before["jawOpen"], abs=2e-3)
    for name in before.keys() - {"jawOpen"}:
        assert after[name] == pytest.approx(before[name], abs=2e-3), name
    assert same(doubled, performance, "angles", "shift", "rest", "lids", "gaze")
    wide = lip_gaps(performance) > 0.12
    assert wide.any()
    assert np.median(lip_gaps(doubled)[wide] / lip_gaps(performance)[wide]) == pytest.approx(2, abs=0.35)


def test_eyes_and_head_follow_the_table(tmp_path):
    path, performance = tmp_path / "a.csv", acting()
    write_curves(performance, path)
    changes = {"headYaw": lambda v: v + 5, "eyeBlinkLeft": lambda v: 1.0}
    changes |= {"eyeLookUpLeft": lambda v: 0.5, "eyeLookUpRight": lambda v: 0.5}
    changed = apply_curves(performance, edited(path, **changes))
    assert changed.motion.angles[:, 0] == pytest.approx(performance.motion.angles[:, 0] + 5, abs=1e-3)
    assert changed.motion.lids[:, 1] == pytest.approx(np.zeros(len(performance)), abs=1e-3)
    assert changed.motion.gaze[:, 1] == pytest.approx(np.full(len(performance), -0.075), abs=1e-3)
    assert same(changed, performance, "offsets", "shift")


def test_columns_may_be_left_out(tmp_path):
    performance = acting()
    rows = [f"{time:.3f},1" for time in performance.times]
    (tmp_path / "a.csv").write_text("\ufefftime, jawOpen\r\n" + "\r\n".join(rows) + "\r\n\r\n", encoding="utf-8")
    assert curves_of(apply_curves(performance, tmp_path / "a.csv"))["jawOpen"] == pytest.approx(1, abs=1e-3)


def test_an_opposite_takes_the_place_of_what_was_there():
    smiling = of(movement(offsets=next(c.field for c in all_curves() if c.name == "mouthSmileLeft")))
    changed = curves_of(add_to_curves(smiling, {"mouthSmileLeft": np.array([-1.0]), "mouthFrownLeft": np.array([0.5])}))
    assert (changed["mouthSmileLeft"][0], changed["mouthFrownLeft"][0]) == pytest.approx((0, 0.5), abs=1e-4)


def test_a_name_that_is_none():
    with pytest.raises(UsageError, match="no curve is named 'jaw'"):
        add_to_curves(acting(), {"jaw": np.ones(30)})


# The command, and tables that do not fit


def test_there_and_back(motion_file, tmp_path, capsys):
    table, out = tmp_path / "a.csv", tmp_path / "b.motion"
    assert main(["performance", "export", str(motion_file), "--out", str(table)]) == 0
    lines = table.read_text().splitlines()
    performance = Performance.load(motion_file)
    assert lines[0].split(",") == ["time", "seen", *(curve.name for curve in all_curves())]
    assert len(lines) == 1 + len(performance)
    assert f"{len(performance)} rows" in capsys.readouterr().out
    assert main(["performance", "import", str(motion_file), str(table), "--out", str(out)]) == 0
    assert same(Performance.load(out), performance, *vars(Motion.neutral()))


WRONG = {
    "a row less": (lambda t: t.rsplit("\n", 2)[0], "keep every row"),
    "other times": (lambda t: t.replace("\n0.1", "\n0.3"), "exported from"),
    "an unknown name": (lambda t: t.replace("jawOpen", "jawopen"), "no curve is named 'jawopen'"),
    "no number": (lambda t: t.replace(",1,", ",x,", 1), "'x' in row 2 is not a number"),
    "infinity": (lambda t: t.replace(",1,", ",inf,", 1), "is not a number"),
    "semicolons": (lambda t: t.replace(",", ";"), "commas"),
    "a short row": (lambda t: t + "1,2\n", "row 32 has 2 cells"),
    "nothing": (lambda t: "", "not a table of curves"),
    "two of a name": (lambda t: t.replace("headPitch", "headYaw"), "different names"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_tables_that_do_not_fit(tmp_path, wrong):
    change, message = WRONG[wrong]
    path = tmp_path / "a.csv"
    write_curves(acting(), path)
    path.write_text(change(path.read_text()))
    with pytest.raises(MotionFileError, match=message):
        apply_curves(acting(), path)


def test_files_that_are_not_there_or_no_text(tmp_path):
    with pytest.raises(MotionFileError, match="no such table"):
        apply_curves(acting(), tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"time,\xff\xfe\n0,1\n")
    with pytest.raises(MotionFileError, match="UTF-8"):
        apply_curves(acting(), tmp_path / "a.csv")
    with pytest.raises(OutputError, match=r"ending in \.csv"):
        write_curves(acting(), tmp_path / "a.txt")
    with pytest.raises(OutputError, match="does not exist"):
        write_curves(acting(), tmp_path / "nowhere" / "a.csv")


def test_a_frame_without_a_face_says_so(tmp_path):
    write_curves(replace(acting(), seen=acting().times > 0.2), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as file:
        assert [row["seen"] for row in csv.DictReader(file)][:7] == ["0"] * 5 + ["1"] * 2
