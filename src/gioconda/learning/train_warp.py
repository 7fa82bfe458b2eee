"""Teach the painter of the `warp` renderer: resumable, on CPU or GPU.

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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gioconda.datasets.layout import write_bytes
from gioconda.errors import OutputError, UsageError
from gioconda.learning.checkpoint import NAME, load_checkpoint, save_checkpoint
from gioconda.learning.dataset import trained_on
from gioconda.learning.losses import edge_loss, feature_matching, hinge_discriminator, mean_score, pixel_loss
from gioconda.learning.painter import Discriminator, Painter, painted
from gioconda.learning.pairs import make_samples
from gioconda.media.files import spoken_os_error, whole_file
from gioconda.progress import Progress, quiet
from gioconda.rendering.clues import CHANNELS, WINDOWS
from gioconda.untrusted import one_line, parse_json

TRAINED_ON = "trained_on.json"
"""Beside the pool: the people and shots it was made from."""
_ABOUT = "pool.json"

Array = NDArray[Any]
Network = TypeVar("Network", bound=torch.nn.Module)


@dataclass(frozen=True)
class WarpTraining:
    """Settings of a run.

    Attributes:
        samples: pairs in the pool.
        batch: windows a step; steps alternate between mouths and eyes, two of mouths to one of eyes.
        rate: Adam's learning rate of the painter; the discriminator's is the same.
        adversarial_from: steps before the discriminator joins.
        adversarial: weight of the adversarial loss.
        matching: weight of feature matching.
        edges: weight of the edge loss.
        average: decay of the weights' running mean, which is what is exported.
        seed: of everything random.
    """

    samples: int = 6000
    batch: int = 16
    rate: float = 3e-4
    adversarial_from: int = 1000
    adversarial: float = 0.05
    matching: float = 0.5
    edges: float = 0.5
    average: float = 0.998
    seed: int = 0


def train_warp(
    data: Path, run: Path, settings: WarpTraining, minutes: float, progress: Progress = quiet, log: int = 100
) -> None:
    """Train for some minutes, or go on with the run that is in the folder already.

    Raises:
        UsageError: the dataset folder is none, a number is out of range, or the run in the folder is damaged or
            was begun with another dataset, seed or number of samples.
        OutputError: the run's folder cannot be written, or has no room.
    """
    if settings.samples < 1 or settings.batch < 1 or not minutes >= 0:
        raise UsageError("training needs at least one sample, a batch of one, and some minutes")
    if run.exists() and not run.is_dir():
        raise UsageError(f"{run} is a file; give a folder for the run")
    pool = _pool(data, run, settings, progress)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    learner = _Learner(settings, device)
    learner.resume(run)
    ends = time.monotonic() + 60 * minutes
    with progress("learning", 0) as tick:
        while time.monotonic() < ends:
            # Anew for each step, so that a run that was stopped goes on as if it had not been.
            random = np.random.default_rng([settings.seed, learner.step])
            kind = "eyes" if learner.step % 3 == 2 else "mouth"
            picked = np.sort(random.integers(0, settings.samples, settings.batch))
            losses = learner.learn(_augmented(pool[kind][picked], random, device))
            tick()
            if learner.step % log == 0 or time.monotonic() >= ends:
                _note(run, {"step": learner.step, "kind": kind, **losses})
                learner.save(run)


def _pool(data: Path, run: Path, settings: WarpTraining, progress: Progress) -> dict[str, Array]:
    """The pool's windows by kind, uint8 (samples, h, w, 14), mapped from files in the run's folder."""
    paths = {kind: run / f"pool-{kind}.npy" for kind in WINDOWS}
    about = {"data": data.name, "samples": settings.samples, "seed": settings.seed}
    try:
        if all(path.exists() for path in paths.values()):
            begun = parse_json((run / _ABOUT).read_bytes())
            if begun != about:
                raise UsageError(
                    f"{run} was begun with {one_line(begun)}, not {about}; give the same again, or another folder"
                )
        else:
            _make_pool(data, run, settings, paths, progress)
            write_bytes(run / TRAINED_ON, json.dumps(trained_on(data)).encode())
            write_bytes(run / _ABOUT, json.dumps(about).encode())
        return {kind: _mapped(path, _pool_shape(kind, settings)) for kind, path in paths.items()}
    except ValueError as error:
        raise UsageError(
            f"{run}: its pool is damaged ({one_line(error)}); delete the folder's pool-*.npy to make it anew"
        ) from error
    except OSError as error:
        raise OutputError(f"{run}: cannot be written: {spoken_os_error(error)}") from error


def _pool_shape(kind: str, settings: WarpTraining) -> tuple[int, ...]:
    width, height = WINDOWS[kind]
    return settings.samples, height, width, CHANNELS + 4


def _make_pool(data: Path, run: Path, settings: WarpTraining, paths: dict[str, Path], progress: Progress) -> None:
    samples = make_samples(data, settings.seed)
    run.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files, progress("making pairs", settings.samples) as tick:
        arrays = {kind: files.enter_context(_begun(path, _pool_shape(kind, settings))) for kind, path in paths.items()}
        for index, sample in zip(range(settings.samples), samples, strict=False):
            for kind, window in sample.windows.items():
                arrays[kind][index] = window
            tick()


@contextmanager
def _begun(path: Path, shape: tuple[int, ...]) -> Iterator[Array]:
    """An array that is filled on the disk and has its name when it is whole. Raises OSError: a full disk, at once."""
    with whole_file(path) as file:
        npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.flush()
        # A disk that is full while memory is mapped ends the process.
        os.posix_fallocate(file.fileno(), 0, file.tell() + math.prod(shape))
        array = np.memmap(file.name, np.uint8, "r+", file.tell(), shape)
        yield array
        array.flush()


def _mapped(path: Path, shape: tuple[int, ...]) -> Array:
    """Raises ValueError: not an array of that shape."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a header is Python text: reading it raises nearly anything
        raise ValueError(f"{path.name}: {error}") from error
    if array.shape != shape or array.dtype != np.uint8:
        raise ValueError(f"{path.name}: {array.dtype} {array.shape}")
    return array


def _note(run: Path, line: dict[str, Any]) -> None:
    """Add a line to the run's log. Raises OutputError."""
    try:
        with (run / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise OutputError(f"{run}: cannot be written: {spoken_os_error(error)}") from error


def _augmented(windows: Array, random: np.random.Generator, device: str) -> Tensor:
    """A batch, float (n, 14, h, w), 0 to 1: each window stretched, mirrored and recoloured at random, as a whole."""
    x = torch.from_numpy(windows.astype(np.float32) / 255).permute(0, 3, 1, 2).to(device)
    return _recoloured(_stretched(x, random), random)


def _stretched(x: Tensor, random: np.random.Generator) -> Tensor:
    """Each window, (n, c, h, w), a little tilted, half of them mirrored, and stretched, mostly downwards.

    People who talk on video rarely open their mouths as wide as some drivers do.
    """
    flip = np.where(random.random(len(x)) < 0.5, -1.0, 1.0)
    wide, high = random.uniform(0.85, 1.15, len(x)), random.uniform(0.85, 1.6, len(x))
    tilt, centre = random.normal(0, 0.07, len(x)), np.zeros(len(x))
    back = np.stack([flip / wide, tilt, centre, -tilt, 1 / high, centre], axis=1).reshape(-1, 2, 3)
    moves = torch.from_numpy(back.astype(np.float32)).to(x.device)
    grid = functional.affine_grid(moves, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _recoloured(x: Tensor, random: np.random.Generator) -> Tensor:
    """The pictures of each window of a batch, (n, 14, h, w), in other colours, all its pictures alike."""

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        values = random.uniform(low, high, (len(x), channels, 1, 1)).astype(np.float32)
        return torch.from_numpy(values).to(x.device)

    gamma, gain, grey = draw(0.7, 1.4), draw(0.85, 1.15, 3), draw(-0.6, 1.0).clamp(0, 1)
    tint = draw(0.8, 1.2, 3)
    luma = torch.tensor([0.299, 0.587, 0.114], device=x.device)[None, :, None, None]

    def changed(picture: Tensor) -> Tensor:
        mono = (picture * luma).sum(1, keepdim=True) * tint
        return ((picture + grey * (mono - picture)).clamp(1e-4, 1) ** gamma * gain).clamp(0, 1)

    pictures = [changed(x[:, a : a + 3]) for a in (0, 3, CHANNELS + 1)]
    return torch.cat([pictures[0], pictures[1], x[:, 6 : CHANNELS + 1], pictures[2]], dim=1)


class _Learner:
    """Both networks, their optimisers and the running mean, and one step of learning."""

    def __init__(self, settings: WarpTraining, device: str) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device, self.step = settings, device, 0
        self.painter = _channels_last(Painter().to(device))
        self.mean = Painter().to(device)
        self.mean.load_state_dict(self.painter.state_dict())
        self.discriminator = _channels_last(Discriminator().to(device))
        self.painter_steps = torch.optim.Adam(self.painter.parameters(), settings.rate, betas=(0.5, 0.99))
        self.discriminator_steps = torch.optim.Adam(self.discriminator.parameters(), settings.rate, betas=(0.0, 0.99))

    def learn(self, batch: Tensor) -> dict[str, float]:
        """One step on a batch of `_augmented`; gives back the losses."""
        batch = batch.to(memory_format=torch.channels_last)
        clues, gate, truth = batch[:, :CHANNELS], batch[:, CHANNELS : CHANNELS + 1], batch[:, CHANNELS + 1 :]
        where = clues[:, 6:]
        adversary = self.step >= self.settings.adversarial_from
        losses: dict[str, float] = {}
        with torch.autocast(self.device, torch.bfloat16):
            made = painted(clues, gate, self.painter(clues))
            weight = gate + 0.5 * where[:, :1]
            pixels, edges = pixel_loss(made, truth, weight), edge_loss(made, truth, weight)
            total = pixels + self.settings.edges * edges
            if adversary:
                # Outside the gate both are shown the same, so that only what was painted is judged.
                real = clues[:, :3] + gate.sign() * (truth - clues[:, :3])
                scores, features = self.discriminator(made, where)
                real_features = self.discriminator(real, where)[1]
                matching = feature_matching(real_features, features)
                total = total + self.settings.matching * matching
                total = total - self.settings.adversarial * mean_score(scores, gate)
                losses["matching"] = float(matching.detach())
        self.painter_steps.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.painter_steps.step()
        if adversary:
            with torch.autocast(self.device, torch.bfloat16):
                judged = hinge_discriminator(
                    self.discriminator(real, where)[0], self.discriminator(made.detach(), where)[0], gate
                )
            self.discriminator_steps.zero_grad()
            judged.backward()  # type: ignore[no-untyped-call]
            self.discriminator_steps.step()
            losses["judged"] = float(judged.detach())
        with torch.no_grad():
            for kept, new in zip(self.mean.parameters(), self.painter.parameters(), strict=True):
                kept.lerp_(new, 1 - min(self.settings.average, (1 + self.step) / (10 + self.step)))
            untouched = float(pixel_loss(clues[:, :3], truth, weight))
        self.step += 1
        return {"pixels": float(pixels.detach()), "untouched": untouched, "edges": float(edges.detach()), **losses}

    @property
    def networks(self) -> dict[str, torch.nn.Module]:
        """What a checkpoint keeps, by name."""
        return {"painter": self.painter, "mean": self.mean, "discriminator": self.discriminator}

    @property
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Alike."""
        return {"painter": self.painter_steps, "discriminator": self.discriminator_steps}

    def save(self, run: Path) -> None:
        """Write the checkpoint; the one before stays until this one is whole. Raises OutputError."""
        save_checkpoint(run / NAME, self.step, asdict(self.settings), self.networks, self.optimisers)

    def resume(self, run: Path) -> None:
        """Go on from the checkpoint, if there is one. Raises UsageError where it is damaged or another's."""
        if (run / NAME).exists():
            self.step = load_checkpoint(run / NAME, self.networks, self.optimisers, self.device)


def _channels_last(network: Network) -> Network:
    """The memory layout in which convolutions on a CPU take a third of the time."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
