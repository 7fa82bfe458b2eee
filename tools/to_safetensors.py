"""Turn PyTorch checkpoints into one safetensors file, for `gioconda evaluate --lpips` and `--fid`.

    python tools/to_safetensors.py OUT.safetensors CHECKPOINT.pth [CHECKPOINT.pth ...]

A checkpoint is read with ``weights_only=True``: it may hold tensors by name and nothing that runs. Which ones to take
is said in docs/evaluate.md.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name."""
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise SystemExit(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise SystemExit(f"{path} does not hold tensors by name")
    return {str(name): value.contiguous().clone() for name, value in found.items()}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    options = parser.parse_args()
    whole: dict[str, torch.Tensor] = {}
    for path in options.checkpoints:
        whole |= tensors_of(path)
    save_file(whole, options.out)
    print(f"{options.out}: {len(whole)} tensors")


if __name__ == "__main__":
    main()
