"""Meta-learned weights in a file of their own: what `personalize` starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from gioconda.errors import OutputError, UsageError
from gioconda.learning.checkpoint import NAME, below, checkpoint_header, finite_tensors
from gioconda.learning.networks import Discriminator, Embedder, Generator, Shape
from gioconda.media.files import sha256_of, spoken_os_error, whole_file
from gioconda.untrusted import one_line, parse_json

_COLUMNS = "columns.weight"


@dataclass(frozen=True)
class Base:
    """Networks that take up a new person.

    Attributes:
        shape: how large they are.
        embedder, generator, discriminator: the discriminator without the training videos' columns.
        sha256: of the file.
    """

    shape: Shape
    embedder: Embedder
    generator: Generator
    discriminator: Discriminator
    sha256: str


def export_base(run: Path, out: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write a run's running means, in half precision, to `out` (.safetensors) and its card beside it (.json).

    Raises:
        UsageError: the run has no checkpoint.
        OutputError: it cannot be written there.
    """
    checkpoint = run / NAME
    if not checkpoint.exists():
        raise UsageError(f"{run}: no checkpoint in it; train first: gioconda train sketch --out {run}")
    step, settings = checkpoint_header(checkpoint)
    state = load_file(checkpoint)
    names = {"embedder": "mean_embedder", "generator": "mean_generator", "discriminator": "discriminator"}
    tensors = {
        f"{name}.{key}": value.half()
        for name, kept in names.items()
        for key, value in below(state, f"{kept}.").items()
        if key != _COLUMNS
    }
    data = save(tensors, {"format": "gioconda.sketch", "shape": json.dumps(settings["shape"])})
    whole = {**card, "renderer": "sketch", "steps": step, "settings": settings}
    whole["sha256"] = hashlib.sha256(data).hexdigest()
    try:
        for path, content in ((out, data), (out.with_suffix(".json"), json.dumps(whole, indent=2).encode() + b"\n")):
            with whole_file(path) as file:
                file.write(content)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {spoken_os_error(error)}") from error
    return whole


def load_base(path: Path, device: str = "cpu") -> Base:
    """Read what `export_base` wrote.

    Raises:
        UsageError: no such file, damaged, or another kind of network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        if header.get("format") != "gioconda.sketch":
            raise UsageError(f"{path}: not the networks of sketch; give the sketch.safetensors of a training run")
        shape = Shape.of(parse_json(header["shape"]))
        state = {key: value.float() for key, value in finite_tensors(path, device).items()}
        discriminator = Discriminator(shape, videos=1)
        state[f"discriminator.{_COLUMNS}"] = torch.zeros(1, shape.widest, device=device)
        base = Base(shape, Embedder(shape), Generator(shape), discriminator, sha256_of(path))
        for name in ("embedder", "generator", "discriminator"):
            network: nn.Module = getattr(base, name)
            network.load_state_dict(below(state, f"{name}."))
            network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{path}: not weights that can be read ({one_line(error)})") from error
    return base
