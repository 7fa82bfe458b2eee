"""Teach the painter of the `warp` renderer: resumable, on CPU or GPU.

A **pool** of samples is made once (rendering pairs costs as much as learning from them) and kept
beside the checkpoints; every sample is seen many times, each time with other colours.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from gioconda.errors import UsageError
from gioconda.learning.dataset import trained_on
from gioconda.learning.losses import edge_loss, feature_matching, hinge_discriminator, mean_score, pixel_loss
from gioconda.learning.painter import Discriminator, Painter, painted
from gioconda.learning.pairs import make_samples
from gioconda.progress import Progress, quiet
from gioconda.rendering.clues import CHANNELS, WINDOWS

TRAINED_ON = "trained_on.json"
"""Beside the pool: the people and shots it was made from."""

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
        UsageError: the dataset folder is none, a number is out of range, or the run in the folder was
            begun with another dataset, seed or number of samples.
    """
    if settings.samples < 1 or settings.batch < 1 or minutes < 0:
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
                with (run / "log.jsonl").open("a") as file:
                    file.write(json.dumps({"step": learner.step, "kind": kind, **losses}) + "\n")
                learner.save(run)


def _pool(data: Path, run: Path, settings: WarpTraining, progress: Progress) -> dict[str, Array]:
    """The pool's windows by kind, uint8 (samples, h, w, 14), mapped from files in the run's folder."""
    paths = {kind: run / f"pool-{kind}.npy" for kind in WINDOWS}
    about = {"data": data.name, "samples": settings.samples, "seed": settings.seed}
    if all(path.exists() for path in paths.values()):
        begun = json.loads((run / "pool.json").read_text())
        if begun != about:
            raise UsageError(f"{run} was begun with {begun}, not {about}; give the same again, or another folder")
    else:
        samples = make_samples(data, settings.seed)
        run.mkdir(parents=True, exist_ok=True)
        unfinished = {kind: path.with_suffix(".part") for kind, path in paths.items()}
        arrays = {
            kind: np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                unfinished[kind], "w+", np.uint8, (settings.samples, height, width, CHANNELS + 4)
            )
            for kind, (width, height) in WINDOWS.items()
        }
        with progress("making pairs", settings.samples) as tick:
            for index, sample in zip(range(settings.samples), samples, strict=False):
                for kind, window in sample.windows.items():
                    arrays[kind][index] = window
                tick()
        (run / "pool.json").write_text(json.dumps(about))
        (run / TRAINED_ON).write_text(json.dumps(trained_on(data)))
        for kind, path in paths.items():
            os.replace(unfinished[kind], path)
    return {kind: np.load(path, mmap_mode="r", allow_pickle=False) for kind, path in paths.items()}


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

    def _state(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for name, part in (("painter", self.painter), ("mean", self.mean), ("discriminator", self.discriminator)):
            state |= {f"{name}.{k}": v for k, v in part.state_dict().items()}
        for name, steps in (("painter", self.painter_steps), ("discriminator", self.discriminator_steps)):
            for index, values in steps.state_dict()["state"].items():
                state |= {f"steps.{name}.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        return {k: v.contiguous().clone() for k, v in state.items()}

    def save(self, run: Path) -> None:
        """Write the checkpoint; the one before stays until this one is whole."""
        part = run / "checkpoint.part"
        save_file(self._state(), part, {"step": str(self.step), "settings": json.dumps(asdict(self.settings))})
        os.replace(part, run / "checkpoint.safetensors")

    def resume(self, run: Path) -> None:
        """Go on from the checkpoint, if there is one."""
        path = run / "checkpoint.safetensors"
        if not path.exists():
            return
        state = load_file(path, self.device)
        for name, part in (("painter", self.painter), ("mean", self.mean), ("discriminator", self.discriminator)):
            part.load_state_dict(_below(state, f"{name}."))
        for name, steps in (("painter", self.painter_steps), ("discriminator", self.discriminator_steps)):
            kept: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(state, f"steps.{name}.").items():
                index, entry = key.split(".", 1)
                kept.setdefault(int(index), {})[entry] = value
            whole = steps.state_dict()
            steps.load_state_dict({"state": kept, "param_groups": whole["param_groups"]})
        self.step = checkpoint_step(path)


def checkpoint_step(path: Path) -> int:
    """How many steps a checkpoint has behind it."""
    with safe_open(path, framework="pt") as file:
        return int(file.metadata()["step"])


def _channels_last(network: Network) -> Network:
    """The memory layout in which convolutions on a CPU take a third of the time."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
