"""Teach the network of the `warp` renderer: resumable, on CPU or GPU.

A **pool** of samples is made once (rendering pairs costs as much as learning from them) and kept
beside the checkpoints; every sample is seen many times, each time with other colours.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from gioconda.datasets.layout import write_bytes
from gioconda.errors import OutputError, UsageError
from gioconda.learning.checkpoint import NAME, load_checkpoint, save_checkpoint
from gioconda.learning.dataset import trained_on
from gioconda.learning.export import TRAINED_ON, all_of, read_retoucher, trained_on_of
from gioconda.learning.pairs import SHAPES, make_samples
from gioconda.learning.retoucher import Retoucher
from gioconda.learning.retouching import Batch, LossWeights, augmented, batch_of, losses
from gioconda.learning.running_mean import follow
from gioconda.media.files import sha256_of, spoken_os_error, whole_file
from gioconda.progress import Progress, quiet
from gioconda.untrusted import one_line, parse_json

_ABOUT = "pool.json"
_TYPES: dict[str, type[np.generic]] = {"warped": np.uint8, "truth": np.uint8, "shape": np.int8}

Array = NDArray[Any]


@dataclass(frozen=True)
class WarpTraining:
    """Settings of a run.

    Attributes:
        samples: pairs in the pool; each takes 0.4 MB on the disk.
        batch: pairs a step.
        steps: after which the learning rate is at its lowest.
        rate: AdamW's learning rate; it rises over `WARM` steps and falls over the second half of all.
        weights: of the losses.
        average: decay of the weights' running mean, which is what is exported.
        seed: of everything random.
    """

    samples: int = 6000
    batch: int = 8
    steps: int = 16000
    rate: float = 8e-4
    weights: LossWeights = field(default_factory=LossWeights)
    average: float = 0.998
    seed: int = 0


WARM, LOWEST = 200, 0.05
"""Steps over which a run warms up, and share of the rate with which it goes on after its last."""
LONGEST = 1.0
"""Norm to which longer gradients are shortened."""


def train_warp(
    data: Path,
    run: Path,
    settings: WarpTraining,
    minutes: float,
    *,
    begin: Path | None = None,
    progress: Progress = quiet,
    log: int = 100,
) -> None:
    """Train for some minutes, or go on with the run that is in the folder already.

    Args:
        data: a dataset folder.
        run: the run's folder.
        settings: of a new run.
        minutes: how long to learn, the making of pairs apart.
        begin: a trained network (ONNX) that a new run begins with, in place of one that knows nothing.
        progress: told of each sample and step.
        log: steps from one checkpoint to the next.

    Raises:
        UsageError: the dataset folder is none, a number is out of range, the network to begin with is another, or the
            run in the folder is damaged or was begun with another dataset, seed or number of samples.
        OutputError: the run's folder cannot be written, or has no room.
    """
    if min(settings.samples, settings.batch, settings.steps) < 1 or not minutes >= 0:
        raise UsageError("training needs at least one sample, a batch of one, a step, and some minutes")
    if run.exists() and not run.is_dir():
        raise UsageError(f"{run} is a file; give a folder for the run")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    learner = _Learner(settings, device)
    if begin is not None:
        learner.begin(begin)
    pool = _pool(data, run, settings, begin, progress)
    learner.resume(run)
    ends = time.monotonic() + 60 * minutes
    with progress("learning", 0) as tick:
        while time.monotonic() < ends:
            # Anew for each step, so that a run that was stopped goes on as if it had not been.
            random = np.random.default_rng([settings.seed, learner.step])
            picked = np.sort(random.integers(0, settings.samples, settings.batch))
            batch = augmented(batch_of({name: array[picked] for name, array in pool.items()}, device), random)
            losses = learner.learn(batch)
            tick()
            if learner.step % log == 0 or time.monotonic() >= ends:
                _note(run, {"step": learner.step, **losses})
                learner.save(run)


def _pool(data: Path, run: Path, settings: WarpTraining, begin: Path | None, progress: Progress) -> dict[str, Array]:
    """The pool's arrays by name (`pairs.SHAPES`), a sample a row, mapped from files in the run's folder."""
    paths = {name: run / f"pool-{name}.npy" for name in SHAPES}
    about = {"data": data.name, "samples": settings.samples, "seed": settings.seed}
    about["begin"] = sha256_of(begin) if begin else None
    try:
        if all(path.exists() for path in paths.values()):
            begun = parse_json((run / _ABOUT).read_bytes())
            if begun != about:
                raise UsageError(
                    f"{run} was begun with {one_line(begun)}, not {about}; give the same again, or another folder"
                )
        else:
            seen = trained_on(data)
            run.mkdir(parents=True, exist_ok=True)
            (run / TRAINED_ON).unlink(missing_ok=True)
            # Nothing is said of whom a run has seen that was begun by a network of which nobody knows.
            if (before := trained_on_of(begin) if begin else {"people": [], "shots": []}) is not None:
                write_bytes(run / TRAINED_ON, json.dumps(all_of([seen, before])).encode())
            write_bytes(run / _ABOUT, json.dumps(about).encode())
            _make_pool(data, run, settings, paths, progress)
        return {name: _mapped(path, (settings.samples, *SHAPES[name]), _TYPES[name]) for name, path in paths.items()}
    except ValueError as error:
        raise UsageError(
            f"{run}: its pool is damaged ({one_line(error)}); delete the folder's pool-*.npy to make it anew"
        ) from error
    except OSError as error:
        raise OutputError(f"{run}: cannot be written: {spoken_os_error(error)}") from error


def _make_pool(data: Path, run: Path, settings: WarpTraining, paths: dict[str, Path], progress: Progress) -> None:
    samples = make_samples(data, settings.seed)
    with ExitStack() as files, progress("making pairs", settings.samples) as tick:
        arrays = {
            name: files.enter_context(_begun(path, (settings.samples, *SHAPES[name]), _TYPES[name]))
            for name, path in paths.items()
        }
        for index, sample in zip(range(settings.samples), samples, strict=False):
            for name, array in arrays.items():
                array[index] = getattr(sample, name)
            tick()


@contextmanager
def _begun(path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> Iterator[Array]:
    """An array that is filled on the disk and has its name when it is whole. Raises OSError: a full disk, at once."""
    with whole_file(path) as file:
        npy.write_array_header_1_0(file, {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape})
        file.flush()
        # A disk that is full while memory is mapped ends the process.
        os.posix_fallocate(file.fileno(), 0, file.tell() + math.prod(shape))
        array = np.memmap(file.name, kind, "r+", file.tell(), shape)
        yield array
        array.flush()


def _mapped(path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> Array:
    """Raises ValueError: not an array of that shape and kind."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a header is Python text: reading it raises nearly anything
        raise ValueError(f"{path.name}: {error}") from error
    if array.shape != shape or array.dtype != kind:
        raise ValueError(f"{path.name}: {array.dtype} {array.shape}")
    return array


def _note(run: Path, line: dict[str, Any]) -> None:
    """Add a line to the run's log. Raises OutputError."""
    try:
        with (run / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise OutputError(f"{run}: cannot be written: {spoken_os_error(error)}") from error


class _Learner:
    """The network, its optimiser and the running mean, and one step of learning."""

    def __init__(self, settings: WarpTraining, device: str) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device, self.step = settings, device, 0
        # The memory layout in which convolutions on a CPU take a third of the time.
        self.retoucher: Retoucher = Retoucher().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = Retoucher().to(device)
        self.mean.load_state_dict(self.retoucher.state_dict())
        self.retoucher_steps = torch.optim.AdamW(
            self.retoucher.parameters(), settings.rate, betas=(0.9, 0.99), weight_decay=1e-4
        )

    @property
    def rate(self) -> float:
        """The learning rate of the next step: it depends on nothing but the step's number."""
        falling = 2 * (1 - self.step / self.settings.steps)
        return self.settings.rate * min((self.step + 1) / WARM, max(LOWEST, min(1.0, falling)))

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; gives back the losses."""
        for group in self.retoucher_steps.param_groups:
            group["lr"] = self.rate
        found = losses(self.retoucher, batch, self.settings.weights)
        self.retoucher_steps.zero_grad()
        found.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.retoucher.parameters(), LONGEST)
        self.retoucher_steps.step()
        self.step += 1
        follow(self.mean, self.retoucher, self.settings.average, self.step)
        told = ("pixels", "untouched", "edges", "structure")
        return {name: float(getattr(found, name).detach()) for name in told}

    @property
    def networks(self) -> dict[str, torch.nn.Module]:
        """What a checkpoint keeps, by name."""
        return {"retoucher": self.retoucher, "mean": self.mean}

    @property
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Alike."""
        return {"retoucher": self.retoucher_steps}

    def begin(self, network: Path) -> None:
        """Start from an exported network. Raises UsageError: it is another."""
        weights = read_retoucher(network).state_dict()
        for each in (self.retoucher, self.mean):
            each.load_state_dict(weights)

    def save(self, run: Path) -> None:
        """Write the checkpoint; the one before stays until this one is whole. Raises OutputError."""
        save_checkpoint(run / NAME, self.step, asdict(self.settings), self.networks, self.optimisers)

    def resume(self, run: Path) -> None:
        """Go on from the checkpoint, if there is one. Raises UsageError where it is damaged or another's."""
        if (run / NAME).exists():
            self.step = load_checkpoint(run / NAME, self.networks, self.optimisers, self.device)
