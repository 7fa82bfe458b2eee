"""A trained painter -> the ONNX file and card that the package ships."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from gioconda.learning.networks import Painter
from gioconda.rendering.clues import CHANNELS


def export_warp(run: Path, out: Path, card: dict[str, Any]) -> None:
    """Write `out` (.onnx) and its card (.json) from a run's running mean of weights."""
    state = load_file(run / "checkpoint.safetensors")
    painter = Painter()
    painter.load_state_dict({k.removeprefix("mean."): v for k, v in state.items() if k.startswith("mean.")})
    painter.eval()
    torch.onnx.export(
        painter,
        (torch.zeros(1, CHANNELS, 96, 96),),
        out,
        input_names=["clues"],
        output_names=["painted"],
        dynamic_axes={"clues": {2: "height", 3: "width"}, "painted": {2: "height", 3: "width"}},
        opset_version=17,
        dynamo=False,
    )
    steps = int(json.loads((run / "state.json").read_text())["step"])
    card = {**card, "steps": steps, "sha256": hashlib.sha256(out.read_bytes()).hexdigest()}
    out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
