"""Several processes that learn as one, alone and with Ray."""
# ruff: noqa: E402 (imports come after the check that torch is there)

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
pytest.importorskip("tensorboard", reason="the extra 'learn' (tensorboard) is not installed")

from safetensors.torch import load_file

from gioconda.cli import main
from gioconda.cluster import WorkerDiedError, cluster, work_off
from gioconda.errors import UsageError
from gioconda.learning.checkpoint import NAME, checkpoint_header
from gioconda.learning.episodes import Episode
from gioconda.learning.footage import load_footage
from gioconda.learning.meta import Learner, SketchTraining, _episode
from gioconda.learning.networks import Shape
from gioconda.learning.team import ALONE, Team
from makers import small_dataset

torch.set_num_threads(1)

TINY = SketchTraining(
    shape=Shape(size=32, narrowest=4, widest=8, residuals=1, attention=False),
    views=2,
    people=2,
    rate=1e-3,
    critic_rate=1e-3,
)
STEPS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    shots = {"a": "ann", "b": "ann", "c": "cat", "d": "ben"}
    return small_dataset(tmp_path_factory.mktemp("together") / "data", shots, ["s", "t"])


def test_alone_nothing_is_averaged():
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.arange(3.0)
    ALONE.average([weight])
    assert weight.grad.tolist() == [0, 1, 2]
    assert ALONE.leads
    assert not Team(1, 2).leads
    assert ALONE.agreed(True, "cpu")


MEMBER = """
import sys
from pathlib import Path
import torch
from torch import distributed
from gioconda.learning.checkpoint import save_checkpoint
from gioconda.learning.footage import load_footage
from gioconda.learning.meta import Learner, _episode
from gioconda.learning.team import Team
from test_cluster import STEPS, TINY

rank, data, meeting, out = int(sys.argv[1]), *map(Path, sys.argv[2:])
distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
team, footage = Team(rank, 2), load_footage(data, 32)
learner = Learner(TINY, footage.videos, "cpu")
for step in range(STEPS):
    learner.learn(_episode(footage, TINY, step, rank), team)
assert team.agreed(rank == 0, "cpu")
assert not team.agreed(rank == 1, "cpu")
assert team.mean(torch.tensor([float(rank), 4.0])).tolist() == [0.5, 4.0]
save_checkpoint(out, STEPS, {}, learner.networks, {})
"""


def test_two_learn_as_one_of_twice_as_many_people(data, tmp_path):
    """The mean of two gradients is the gradient of both halves' mean: the networks come out the same."""
    outs = [tmp_path / f"{rank}.safetensors" for rank in range(2)]
    members = [
        subprocess.Popen(
            [sys.executable, "-c", MEMBER, str(rank), str(data), str(tmp_path / "meeting"), str(outs[rank])],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )
        for rank in range(2)
    ]
    assert [member.wait(timeout=240) for member in members] == [0, 0]
    first, second = map(load_file, outs)
    footage = load_footage(data, 32)
    alone = Learner(replace(TINY, people=4), footage.videos, "cpu")
    for step in range(STEPS):
        halves = [vars(_episode(footage, TINY, step, rank)) for rank in range(2)]
        alone.learn(Episode(*(torch.cat([half[name] for half in halves]) for name in halves[0])))
    whole = {
        f"{name}.{key}": value
        for name, network in alone.networks.items()
        for key, value in network.state_dict().items()
    }
    moved = {
        f"{name}.{key}": value
        for name, network in Learner(TINY, footage.videos, "cpu").networks.items()
        for key, value in network.state_dict().items()
    }
    assert sum(not torch.equal(whole[key], moved[key]) for key in whole) > len(whole) / 2
    for key, value in whole.items():
        assert torch.equal(first[key], second[key]), key
        # Half precision, where the processor has it, and Adam, which divides by what is near nothing, are not exact.
        assert torch.allclose(first[key], value, atol=2e-2), key


def test_everybody_sees_other_people(data):
    footage = load_footage(data, 32)
    first, other, again = (_episode(footage, TINY, 4, rank) for rank in (0, 1, 0))
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.target, other.target)


# With Ray

CLUSTER = """
import sys
import ray

ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", autouse=True)
def token():
    """What Ray's processes know each other by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
        yield


@pytest.fixture(scope="module")
def address(token):
    """HOST:PORT of a cluster on this machine."""
    pytest.importorskip("ray", reason="the extra 'cluster' (ray) is not installed")
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(Path(__file__).parent)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen([sys.executable, "-c", CLUSTER], env=environment, **pipes) as head:
        yield head.stdout.readline().strip()
        head.stdin.close()
        head.wait(timeout=60)


def test_a_batch_is_made_on_a_cluster(address, picture, motion_file, tmp_path):
    portraits = tmp_path / "portraits"
    portraits.mkdir()
    (portraits / "good.png").write_bytes(picture.read_bytes())
    (portraits / "bad.png").write_bytes(b"no picture")
    said = {}
    for name, more in (("there", ["--cluster", address]), ("here", [])):
        command = [
            "batch",
            portraits,
            motion_file,
            "--out",
            tmp_path / name,
            "--size",
            "96",
            "--format",
            ".apng",
            *more,
        ]
        done = subprocess.run(
            [sys.executable, "-m", "gioconda.cli", *map(str, command)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 3, done.stderr
        said[name] = json.loads((tmp_path / name / "summary.json").read_text())
        assert "Traceback" not in done.stderr
    there, here = ({o["clip"]: (o["state"], o["error"], o["frames"]) for o in said[n]["outcomes"]} for n in said)
    assert there == here
    assert sorted(state for state, _, _ in there.values()) == ["done", "failed"]


def test_a_dataset_is_built_on_a_cluster(address, driver, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "talk.mp4").write_bytes(driver.read_bytes())
    (videos / "bad.mp4").write_bytes(b"no video")
    for name, more in (("there", ["--cluster", address]), ("here", ["--jobs", "1"])):
        command = ["dataset", "build", videos.name, "--out", name, "--licence", "own footage", "--size", "64", *more]
        done = subprocess.run(
            [sys.executable, "-m", "gioconda.cli", *command], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    for name, lines in (("clips.jsonl", 1), ("skipped.jsonl", 1)):
        there, here = ((tmp_path / folder / name).read_text() for folder in ("there", "here"))
        assert there == here
        assert len(there.splitlines()) == lines


def once(item):
    """Dies, fails or answers."""
    if item == "die":
        os._exit(1)
    if item == "fail":
        raise UsageError("of no use")
    return item.upper()


def test_a_worker_that_dies_takes_one_item_along(address):
    with cluster(address) as ray:
        found = dict(work_off(ray, once, ["a", "die", "fail", "b"]))
    assert (found["a"], found["b"]) == ("A", "B")
    assert isinstance(found["die"], WorkerDiedError)
    assert isinstance(found["fail"], UsageError)
    assert str(found["fail"]) == "of no use"


TOGETHER = """
import sys
from pathlib import Path
from gioconda.learning.cluster import train_sketch_together
from test_cluster import TINY

if __name__ == "__main__":
    data, run, minutes = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    print(train_sketch_together(data, run, TINY, minutes, workers=2, log_every=5))
"""


def together(data, run, minutes):
    return subprocess.Popen(
        [sys.executable, "-c", TOGETHER, str(data), str(run), str(minutes)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        text=True,
    )


def lines(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def workers_of(process):
    """The processes that Ray's workers run in, of a driver's own cluster."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            title, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::") and b"TrainWorker" in title and process.args[-2].encode() in environment:
            found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc to find Ray's workers in")
def test_a_run_survives_the_death_of_a_worker(data, tmp_path):
    pytest.importorskip("ray", reason="the extra 'cluster' (ray) is not installed")
    run = tmp_path / "run"
    os.environ["GIOCONDA_TEST_RUN"] = str(run)  # by which its processes are known from others'
    try:
        driver = together(data, run, 1.0)
    finally:
        del os.environ["GIOCONDA_TEST_RUN"]
    until = time.monotonic() + 120
    while not ((run / NAME).exists() and workers_of(driver)):
        assert time.monotonic() < until, "no worker came to a checkpoint"
        assert driver.poll() is None
        time.sleep(0.1)
    victims = workers_of(driver)
    assert len(victims) == 2
    behind, _ = checkpoint_header(run / NAME)
    os.kill(victims[0], signal.SIGKILL)
    said, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0
    steps = [line["step"] for line in lines(run)]
    assert int(said.split()[-1]) == steps[-1] == checkpoint_header(run / NAME)[0] > behind
    # What was learned before the death was not learned again, but for steps after the last checkpoint.
    assert steps == sorted(set(steps))


def test_what_no_worker_could_mend(data, tmp_path, capsys):
    pytest.importorskip("ray", reason="the extra 'cluster' (ray) is not installed")
    from gioconda.learning.cluster import train_sketch_together

    with pytest.raises(UsageError, match="at least one"):
        train_sketch_together(data, tmp_path / "run", TINY, 1, workers=0)
    with pytest.raises(UsageError, match="not a dataset folder"):
        train_sketch_together(tmp_path, tmp_path / "run", TINY, 1, workers=2)
    command = ["train", "sketch", "--data", str(data), "--out", str(tmp_path / "run"), "--workers", "2"]
    assert main([*command, "--cluster", "127.0.0.1:1"]) == 2
    assert "no Ray cluster at 127.0.0.1:1" in capsys.readouterr().err
