"""In which precision networks learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_NATIVE = ("avx512_bf16", "amx_bf16")
"""Names of the instructions by which a processor multiplies in half precision."""


def halved(device: str) -> bool:
    """Whether networks are faster there in half precision: on a GPU, and on processors that know how."""
    return device == "cuda" or any(torch.cpu.get_capabilities().get(each, False) for each in _NATIVE)


@contextmanager
def fast(device: str) -> Iterator[None]:
    """Networks run in half precision within (bfloat16, which has single precision's range) where that is faster."""
    with torch.autocast(device, torch.bfloat16, enabled=halved(device)):
        yield
