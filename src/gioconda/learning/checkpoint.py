"""Checkpoints: networks and optimisers of a run in one safetensors file, so that a killed run goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn, optim

from gioconda.errors import OutputError, UsageError
from gioconda.media.files import spoken_os_error, whole_file
from gioconda.untrusted import one_line, parse_json

DAMAGE = (OSError, SafetensorError, RuntimeError, AttributeError, KeyError, TypeError, ValueError)
"""What reading a file that is no checkpoint, or another network's, may raise."""

NAME = "checkpoint.safetensors"

Networks = Mapping[str, nn.Module]
Optimisers = Mapping[str, optim.Optimizer]


def save_checkpoint(
    path: Path, step: int, settings: Mapping[str, Any], networks: Networks, optimisers: Optimisers
) -> None:
    """Write a checkpoint; the one before stays until this one is whole.

    Raises:
        OutputError: it cannot be written there.
    """
    state: dict[str, Tensor] = {}
    for name, network in networks.items():
        state |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    for name, optimiser in optimisers.items():
        for index, values in optimiser.state_dict()["state"].items():
            state |= {f"steps.{name}.{index}.{key}": torch.as_tensor(value) for key, value in values.items()}
    # What is shared in memory or laid out otherwise is written plainly.
    state = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    data = save(state, {"step": str(step), "settings": json.dumps(dict(settings))})
    try:
        with whole_file(path) as file:
            file.write(data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {spoken_os_error(error)}") from error


def check_room(folder: Path, networks: Networks, optimisers: Optimisers) -> None:
    """See to it, before any work is done, that checkpoints will fit into a folder.

    Raises:
        OutputError: there is not enough space for two, of which one is being written.
    """
    numbers = sum(value.numel() for network in networks.values() for value in network.state_dict().values())
    # Adam keeps two more of each number that it moves.
    moved = sum(p.numel() for o in optimisers.values() for group in o.param_groups for p in group["params"])
    wanted = 2 * 4 * (numbers + 2 * moved)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OutputError(
            f"{folder}: checkpoints take {wanted / 1e6:.0f} MB, {free / 1e6:.0f} MB are free; "
            "free some space or choose another folder"
        )


def load_checkpoint(path: Path, networks: Networks, optimisers: Optimisers, device: str) -> int:
    """Put a checkpoint's numbers into networks and optimisers of the same make; gives back its step.

    Raises:
        UsageError: damaged, or of other networks.
    """
    try:
        state = finite_tensors(path, device)
        for name, network in networks.items():
            network.load_state_dict(below(state, f"{name}."))
        for name, optimiser in optimisers.items():
            kept: dict[int, dict[str, Tensor]] = {}
            for key, value in below(state, f"steps.{name}.").items():
                index, entry = key.split(".", 1)
                # Adam counts its steps on the processor.
                kept.setdefault(int(index), {})[entry] = value.cpu() if entry == "step" else value
            optimiser.load_state_dict({"state": kept, "param_groups": optimiser.state_dict()["param_groups"]})
        return checkpoint_header(path)[0]
    except DAMAGE as error:
        raise UsageError(
            f"{path}: not a checkpoint of this run and its data ({one_line(error)}); give another folder"
        ) from error


def finite_tensors(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises one of `DAMAGE`: it cannot be read, or holds NaN or infinity."""
    tensors = load_file(path, device)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{name} holds numbers that are none")
    return tensors


def checkpoint_header(path: Path) -> tuple[int, dict[str, Any]]:
    """How many steps a checkpoint has behind it, and the settings it was begun with.

    Raises:
        UsageError: not a checkpoint that can be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
        return int(header["step"]), dict(parse_json(header["settings"]))
    except DAMAGE as error:
        raise UsageError(
            f"{path}: not a checkpoint that can be read ({one_line(error)}); delete it to begin anew"
        ) from error


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names begin with a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
