import json
import math
import pickle
import struct
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from gioconda import Motion, Performance
from gioconda.errors import MotionFileError, OutputError, UsageError
from gioconda.expression import controls
from gioconda.performance import blank_recording
from makers import acting, still

SHAPES = {"angles": (3,), "rest": (3,), "shift": (3,), "lids": (2,), "gaze": (2,), "offsets": (128, 3)}


def recording(count, fps=25.0, seed=0, start=0.0):
    """A performance full of different values."""
    random = np.random.default_rng(seed)
    motion = blank_recording(count)
    for field in fields(Motion):
        values = getattr(motion, field.name)
        values[:] = random.normal(0, 1, values.shape)
    times = start + np.arange(count) / fps
    return Performance(times, motion, random.random(count) < 0.8, fps, None, 3)


def tensors_of(performance):
    named = {name: np.ascontiguousarray(getattr(performance.motion, name)) for name in SHAPES}
    return named | {"times": performance.times, "seen": performance.seen.astype(np.uint8)}


def written(path, tensors, **changed):
    """A file as `save` writes it, but for some changes."""
    header = {"format": "gioconda.motion", "version": 1, "frames": 5, "fps": 25.0, "cuts": 0}
    save_file(tensors, path, {"gioconda": json.dumps(header | changed)})
    return path


def parsed(path):
    """As a stranger reads it who has the page of the docs and no library of ours, nor safetensors."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    table = json.loads(data[8 : 8 + length])
    header = json.loads(table.pop("__metadata__")["gioconda"])
    letters = {"F16": "e", "F32": "f", "F64": "d", "U8": "B"}
    tensors = {}
    for name, entry in table.items():
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        count = math.prod(entry["shape"])
        values = struct.unpack(f"<{count}{letters[entry['dtype']]}", data[first:last])
        tensors[name] = entry["shape"], values
    return header, tensors


# In memory


def test_at_is_the_frame_at_its_own_time_and_linear_between():
    performance = recording(10)
    for index in (0, 4, 9):
        found = performance.at(performance.times[index])
        assert found.offsets == pytest.approx(performance.motion.offsets[index].astype(float), abs=1e-6)
    between = performance.at(performance.times[3] + 0.25 / 25)
    expected = 0.75 * performance.motion.angles[3] + 0.25 * performance.motion.angles[4]
    assert between.angles == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("time", "index"), [(-5, 0), (0.99, 0), (1.36, 9), (100, 9)])
def test_at_holds_before_the_first_frame_and_after_the_last(time, index):
    performance = recording(10, start=1.0)
    assert performance.at(time).angles == pytest.approx(performance.motion.angles[index])


@given(st.integers(1, 60), st.floats(1, 60), st.floats(1, 60))
def test_resampling_keeps_the_duration(count, fps, wanted):
    performance = recording(count, fps)
    frames = list(performance.resampled(wanted))
    assert len(frames) == performance.frames_at(wanted) >= 1
    assert abs(len(frames) / wanted - performance.duration) <= max(0.5, 1) / wanted + 1e-9
    assert frames[0].angles == pytest.approx(performance.motion.angles[0])


def test_resampling_at_its_own_rate_changes_nothing():
    performance = recording(20)
    angles = np.stack([motion.angles for motion in performance.resampled(25.0)])
    assert angles == pytest.approx(performance.motion.angles, abs=1e-4)


def test_resampling_works_with_uneven_times():
    performance = recording(4)
    uneven = Performance(np.array([0.0, 0.1, 0.4, 0.5]), performance.motion, performance.seen, 8.0)
    frames = list(uneven.resampled(10.0))
    assert len(frames) == 6
    expected = performance.motion.angles[1] + (performance.motion.angles[2] - performance.motion.angles[1]) / 3
    assert frames[2].angles == pytest.approx(expected, abs=1e-4)


def test_trimming_keeps_the_times_of_the_video():
    part = recording(50).trimmed(0.5, 1.0)
    assert part.times[0] == pytest.approx(0.52)
    assert part.times[-1] < 1.0
    assert len(part) == len(part.seen) == len(part.motion.lids) == 12
    assert part.at(0.6).angles == pytest.approx(recording(50).at(0.6).angles)
    assert len(recording(50).trimmed()) == 50


def test_trimming_everything_away_says_what_there_is():
    with pytest.raises(UsageError, match=r"0\.00 to 1\.96"):
        recording(50).trimmed(2.0)
    with pytest.raises(UsageError, match="nothing between 1 s and 1 s"):
        recording(50).trimmed(1, 1)


def test_a_performance_has_frames():
    with pytest.raises(UsageError, match="at least one frame"):
        still(0)


def test_duration_counts_the_last_frame():
    assert recording(50).duration == pytest.approx(2.0)
    assert len(recording(50)) == 50


def test_neutral_is_no_movement():
    neutral = Motion.neutral()
    assert {name: np.shape(getattr(neutral, name)) for name in vars(neutral)} == SHAPES
    assert (neutral.lids == 1).all()
    assert not any(getattr(neutral, name).any() for name in SHAPES if name != "lids")


@given(st.floats(0, 1))
def test_blend_mixes(share):
    one, other = recording(2).at(0.0), recording(2).at(1.0)
    mixed = one.blend(other, share)
    for name in SHAPES:
        expected = (1 - share) * getattr(one, name) + share * getattr(other, name)
        assert getattr(mixed, name) == pytest.approx(expected, abs=1e-5)


# On disk


@given(st.integers(1, 30), st.floats(1, 120), st.integers(0, 2**32 - 1), st.floats(0, 1e4))
def test_what_is_saved_is_loaded(tmp_path_factory, count, fps, seed, start):
    path = tmp_path_factory.mktemp("saved") / "a.motion"
    performance = recording(count, fps, seed, start)
    performance.save(path)
    loaded = Performance.load(path)
    assert [p.name for p in path.parent.iterdir()] == ["a.motion"]
    assert (loaded.times == performance.times).all()
    assert (loaded.seen == performance.seen).all()
    assert (loaded.fps, loaded.cuts, loaded.source) == (fps, 3, None)
    for name in SHAPES:
        assert (getattr(loaded.motion, name) == getattr(performance.motion, name)).all()


@given(st.floats(-1, 1, width=32))
def test_half_precision_is_enough(tmp_path_factory, offset):
    path = tmp_path_factory.mktemp("saved") / "a.motion"
    performance = recording(1)
    performance.motion.offsets[:] = offset
    performance.save(path)
    assert Performance.load(path).motion.offsets == pytest.approx(offset, abs=5e-4)


def test_a_saved_performance_is_replaced(tmp_path):
    path = tmp_path / "a.motion"
    recording(5).save(path)
    recording(9).save(path)
    assert len(Performance.load(path)) == 9
    assert len(list(tmp_path.iterdir())) == 1


def test_under_a_kilobyte_a_frame(tmp_path):
    sizes = []
    for count in (100, 300):
        recording(count).save(tmp_path / f"{count}.motion")
        sizes.append((tmp_path / f"{count}.motion").stat().st_size)
    assert (sizes[1] - sizes[0]) / 200 < 1000
    assert sizes[0] / 100 < 1000


def test_a_real_recording_is_under_a_kilobyte_a_frame(captured, motion_file):
    # A short one: the header is a large part of it.
    assert motion_file.stat().st_size < 1024 * len(captured)


def test_readable_by_a_stranger(tmp_path):
    path = tmp_path / "a.motion"
    performance = recording(7)
    performance.save(path)
    header, tensors = parsed(path)
    assert (header["format"], header["version"], header["frames"]) == ("gioconda.motion", 1, 7)
    assert (header["fps"], header["cuts"], header["source"]) == (25.0, 3, None)
    assert header["controls"] == list(controls())
    assert tensors.keys() == {*SHAPES, "times", "seen"}
    for name, shape in SHAPES.items():
        assert tensors[name][0] == [7, *shape]
        assert tensors[name][1] == pytest.approx(getattr(performance.motion, name).ravel().tolist())
    assert list(tensors["times"][1]) == performance.times.tolist()
    assert list(tensors["seen"][1]) == performance.seen.astype(int).tolist()


def test_only_the_name_of_the_source_is_kept(captured, motion_file):
    assert captured.source.name == "driver.mp4"
    assert parsed(motion_file)[0]["source"] == "driver.mp4"
    assert str(captured.source.parent).encode() not in motion_file.read_bytes()


def test_a_newer_version_names_both_versions(tmp_path):
    path = written(tmp_path / "a.motion", tensors_of(recording(5)), version=7)
    with pytest.raises(MotionFileError, match=r"version 7.*up to 1.*upgrade"):
        Performance.load(path)


@pytest.mark.parametrize("share", [0, 0.001, 0.05, 0.5, 0.99])
def test_truncated(tmp_path, share):
    whole, part = tmp_path / "whole.motion", tmp_path / "part.motion"
    recording(20).save(whole)
    data = whole.read_bytes()
    part.write_bytes(data[: int(share * len(data))])
    with pytest.raises(MotionFileError, match=r"part\.motion.*gioconda capture"):
        Performance.load(part)


@given(st.binary(max_size=300))
def test_garbage(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("garbage") / "a.motion"
    path.write_bytes(data)
    with pytest.raises(MotionFileError):
        Performance.load(path)


@given(st.data())
def test_a_damaged_byte_is_noticed_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "a.motion"
    recording(3).save(path)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, 1200))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        loaded = Performance.load(path)
    except MotionFileError:
        return
    assert len(loaded) == 3
    assert all(np.isfinite(getattr(loaded.motion, name)).all() for name in SHAPES)


def test_another_safetensors_file(tmp_path):
    path = tmp_path / "a.motion"
    save_file({"weight": np.zeros(3, np.float32)}, path)
    with pytest.raises(MotionFileError):
        Performance.load(path)
    written(path, tensors_of(recording(5)), format="something.else")
    with pytest.raises(MotionFileError, match="not a performance"):
        Performance.load(path)


WRONG = {
    "a missing part": lambda t: t.pop("gaze"),
    "another number of frames": lambda t: t.update(lids=t["lids"][:4]),
    "another shape": lambda t: t.update(offsets=np.zeros((5, 64, 3), np.float16)),
    "no number": lambda t: t["angles"].fill(np.nan),
    "times that stand still": lambda t: t["times"].fill(1.0),
    "times that are no numbers": lambda t: t["times"].fill(np.nan),
    "no frames": lambda t: t.update({name: values[:0] for name, values in t.items()}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_contents_that_do_not_fit(tmp_path, wrong):
    tensors = {name: values.copy() for name, values in tensors_of(recording(5)).items()}
    WRONG[wrong](tensors)
    with pytest.raises(MotionFileError):
        Performance.load(written(tmp_path / "a.motion", tensors))


@pytest.mark.parametrize(
    "header",
    [
        {"fps": 0},
        {"fps": -25},
        {"fps": "x"},
        {"cuts": "many"},
        *({"version": v} for v in (None, 0, -3, 0.5, True, "1")),
    ],
)
def test_a_header_that_makes_no_sense(tmp_path, header):
    with pytest.raises(MotionFileError):
        Performance.load(written(tmp_path / "a.motion", tensors_of(recording(5)), **header))


@pytest.mark.parametrize("header", ["[]", "null", '"text"', "{huge}"])
def test_a_header_of_another_kind(tmp_path, header):
    path = tmp_path / "a.motion"
    huge = '{"format": "gioconda.motion", "version": 1, "fps": 25, "cuts": Infinity}'
    save_file(tensors_of(recording(5)), path, {"gioconda": header.replace("{huge}", huge)})
    with pytest.raises(MotionFileError):
        Performance.load(path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_is_never_opened(tmp_path):
    trap = tmp_path / "sprung"
    path = tmp_path / "a.motion"
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(MotionFileError):
        Performance.load(path)
    with path.open("wb") as file:
        np.savez(file, times=np.array([Trap(trap)], object))
    with pytest.raises(MotionFileError):
        Performance.load(path)
    assert not trap.exists()


def test_missing_file_and_wrong_endings(tmp_path):
    with pytest.raises(MotionFileError, match="no such file"):
        Performance.load(tmp_path / "a.motion")
    with pytest.raises(MotionFileError, match="no such file"):
        Performance.load(tmp_path)
    with pytest.raises(OutputError, match=r"\.motion"):
        acting().save(tmp_path / "a.npz")
    with pytest.raises(OutputError, match="cannot be written"):
        acting().save(tmp_path / "nowhere" / "a.motion")
    assert not list(tmp_path.iterdir())
