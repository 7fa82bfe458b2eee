"""A trained painter -> the ONNX file and card that the package ships."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from gioconda.learning.painter import Painter
from gioconda.learning.train_warp import TRAINED_ON, checkpoint_step
from gioconda.rendering.clues import CHANNELS


def export_warp(run: Path, out: Path, card: dict[str, Any]) -> None:
    """Write `out` (.onnx) and its card (.json) from a run's running mean of weights.

    The card lists the people and shots that the run learned from, where the run's folder says so.
    """
    state = load_file(run / "checkpoint.safetensors")
    painter = Painter()
    painter.load_state_dict({k.removeprefix("mean."): v for k, v in state.items() if k.startswith("mean.")})
    painter.eval()
    with warnings.catch_warnings():
        # The newer exporter needs packages whose protobuf MediaPipe cannot live with.
        warnings.simplefilter("ignore", DeprecationWarning)
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
    card = {
        **card,
        "steps": checkpoint_step(run / "checkpoint.safetensors"),
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
    }
    if (run / TRAINED_ON).is_file():
        card["trained_on"] = json.loads((run / TRAINED_ON).read_text())
    out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
