"""One network that learns: its optimiser, its running mean, its checkpoint. Stopped and resumed, it learns the same."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gioconda.errors import UsageError
from gioconda.learning.checkpoint import DAMAGE, finite_tensors
from gioconda.learning.running_mean import kept_share
from gioconda.progress import Progress, quiet
from gioconda.untrusted import one_line

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Schedule:
    """How fast to learn.

    Attributes:
        steps: of the whole run; may differ when a run goes on.
        rate: highest learning rate.
        warm: first steps, in which the rate rises.
        fall: share of the steps, the last ones, in which it falls to nought.
        average: decay of the weights' running mean, which is what is used.
    """

    steps: int
    rate: float = 1.5e-3
    warm: int = 200
    fall: float = 0.4
    average: float = 0.998

    def at(self, step: int) -> float:
        """Learning rate of a step."""
        rising = min(1.0, (step + 1) / self.warm)
        falling = min(1.0, max(0.0, (self.steps - step) / max(1.0, self.fall * self.steps)))
        return self.rate * rising * falling


class Learner(Generic[Network]):
    """A network with its optimiser (AdamW) and running mean."""

    def __init__(self, network: Network, mean: Network, schedule: Schedule, device: str) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = mean.to(device)
        self.mean.load_state_dict(network.state_dict())
        self.mean.eval()
        self.schedule, self.device, self.step, self.seconds = schedule, device, 0, 0.0
        self._steps = torch.optim.AdamW(self.network.parameters(), schedule.rate, weight_decay=0.02, fused=True)

    def learn(self, loss: Tensor) -> None:
        """One step down the loss."""
        for group in self._steps.param_groups:
            group["lr"] = self.schedule.at(self.step)
        self._steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._steps.step()
        self.step += 1
        keep = kept_share(self.schedule.average, self.step)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.mean.parameters()), list(self.network.parameters()), 1 - keep)
            for kept, new in zip(self.mean.buffers(), self.network.buffers(), strict=True):
                # What batch norms have seen belongs to the weights that saw it, and is averaged with them.
                kept.lerp_(new, 1 - keep) if kept.is_floating_point() else kept.copy_(new)

    def save(self, path: Path) -> None:
        """Write the checkpoint; the one before stays until this one is whole."""
        state: dict[str, Tensor] = {}
        for name, part in (("network", self.network), ("mean", self.mean)):
            state |= {f"{name}.{k}": v for k, v in part.state_dict().items()}
        for index, values in self._steps.state_dict()["state"].items():
            state |= {f"steps.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        part_file = path.with_suffix(".part")
        done = {"step": str(self.step), "seconds": f"{self.seconds:.0f}"}
        save_file({k: v.contiguous().clone() for k, v in state.items()}, part_file, done)
        os.replace(part_file, path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, if there is one.

        Raises:
            UsageError: the checkpoint is damaged, or of another network.
        """
        if not path.exists():
            return
        try:
            self._go_on(finite_tensors(path, self.device))
            self.step, self.seconds = work_done(path)
        except DAMAGE as error:
            raise UsageError(
                f"{path}: not a checkpoint of this network ({one_line(error)}); give another folder for the run"
            ) from error

    def _go_on(self, state: dict[str, Tensor]) -> None:
        self.network.load_state_dict(below(state, "network."))
        self.mean.load_state_dict(below(state, "mean."))
        kept: dict[int, dict[str, Tensor]] = {}
        parameters = list(self.network.parameters())
        for key, value in below(state, "steps.").items():
            index, entry = key.split(".", 1)
            like = parameters[int(index)]
            # The optimiser goes through the memory of both as it lies: it must lie alike.
            value = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            kept.setdefault(int(index), {})[entry] = value.detach()
        self._steps.load_state_dict({"state": kept, "param_groups": self._steps.state_dict()["param_groups"]})


def work_done(path: Path) -> tuple[int, float]:
    """How many steps and seconds of learning a checkpoint has behind it."""
    with safe_open(path, framework="pt") as file:
        done = file.metadata()
    return int(done["step"]), float(int(done["seconds"]))


def below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def practise(
    learner: Learner[Network],
    checkpoint: Path,
    lesson: Callable[[int], dict[str, Tensor]],
    report: Callable[[], dict[str, float]],
    minutes: float,
    log: int,
    progress: Progress = quiet,
) -> None:
    """Learn for some minutes or to the schedule's end.

    Args:
        learner: resumed already.
        checkpoint: written every `log` steps and at the end; beside it, in a `.jsonl` file, the curve.
        lesson: the weighted parts of the loss of a step.
        report: further figures for the curve.
        minutes: to learn.
        log: steps between two lines of the curve.
        progress: told every step.
    """
    began = time.monotonic()
    ends, before = began + 60 * minutes, learner.seconds
    with progress(checkpoint.stem, learner.schedule.steps - learner.step) as tick:
        while learner.step < learner.schedule.steps and time.monotonic() < ends:
            learner.network.train()
            parts = lesson(learner.step)
            learner.learn(torch.stack(list(parts.values())).sum())
            tick()
            last = learner.step == learner.schedule.steps or time.monotonic() >= ends
            if learner.step % log == 0 or last:
                learner.seconds = before + time.monotonic() - began
                figures = {"step": learner.step, "seconds": round(learner.seconds), **report()}
                figures |= {name: float(value.detach()) for name, value in parts.items()}
                with checkpoint.with_suffix(".jsonl").open("a") as file:
                    file.write(json.dumps(figures) + "\n")
                learner.save(checkpoint)


def stepped(seed: int, step: int, device: str) -> torch.Generator:
    """The random numbers of a step: anew for each, so that a run that was stopped goes on as if it had not been."""
    return torch.Generator(device).manual_seed(1_000_003 * (seed + 1) + step)


def best_device() -> str:
    """Where to learn: on a GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"
