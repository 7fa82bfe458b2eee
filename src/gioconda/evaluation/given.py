"""Networks that are not free to ship: read from files that the user gives (needs the extra `learn`)."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gioconda.errors import UsageError
from gioconda.evaluation.judges import Picture

SEE = "docs/evaluate.md says how to make such a file"


def read_tensors(path: Path, what: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, as float32, by name.

    Raises:
        UsageError: the file cannot be read, or is something else.
    """
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: the {what} cannot be read, it must be a safetensors file; {SEE}") from error


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path, what: str) -> None:
    """Put tensors into a network, by name, and make it ready to be used; tensors of other names are left out.

    Raises:
        UsageError: a tensor is missing, has another shape, or holds NaN or infinity.
    """
    wanted = {name: t for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    for name, like in wanted.items():
        if name not in tensors:
            raise UsageError(f"{path}: no {what}, it has no tensor {name!r}; {SEE}")
        if tensors[name].shape != like.shape:
            shapes = f"{tuple(tensors[name].shape)}, not {tuple(like.shape)}"
            raise UsageError(f"{path}: no {what}, its tensor {name!r} is of shape {shapes}; {SEE}")
        if not tensors[name].isfinite().all():
            raise UsageError(f"{path}: damaged, its tensor {name!r} holds numbers that are none; copy it again")
    network.load_state_dict({name: tensors[name] for name in wanted}, strict=False)
    network.eval().requires_grad_(False)


def as_tensor(rgb: Picture) -> Tensor:
    """Return a picture (H, W, 3), 0 to 255, as (1, 3, H, W), -1 to 1."""
    return torch.from_numpy(rgb.astype("float32")).permute(2, 0, 1)[None] / 127.5 - 1
