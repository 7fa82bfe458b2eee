"""A trained painter -> the ONNX file and card that the package ships."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch

from gioconda.datasets.layout import write_bytes
from gioconda.errors import OutputError, UsageError
from gioconda.learning.checkpoint import NAME, load_checkpoint
from gioconda.learning.painter import Painter
from gioconda.learning.train_warp import TRAINED_ON
from gioconda.media.files import partial_path, sha256_of, spoken_os_error
from gioconda.rendering.clues import CHANNELS
from gioconda.untrusted import parse_json


def export_warp(run: Path, out: Path, card: dict[str, Any]) -> None:
    """Write `out` (.onnx) and its card (.json) from a run's running mean of weights.

    The card lists the people and shots that the run learned from, where the run's folder says so.

    Raises:
        UsageError: the run has no checkpoint, or one that is damaged.
        OutputError: it cannot be written there.
    """
    if not (run / NAME).exists():
        raise UsageError(f"{run}: no checkpoint in it; train for longer: gioconda train warp --out {run}")
    painter = Painter()
    step = load_checkpoint(run / NAME, {"mean": painter}, {}, "cpu")
    painter.eval()
    part = partial_path(out)
    try:
        _write_onnx(painter, part)
        card = {**card, "steps": step, "sha256": sha256_of(part)}
        if (run / TRAINED_ON).is_file():
            card["trained_on"] = _trained_on(run / TRAINED_ON)
        write_bytes(out.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
        part.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {spoken_os_error(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def _write_onnx(painter: Painter, path: Path) -> None:
    with warnings.catch_warnings():
        # The newer exporter needs packages whose protobuf MediaPipe cannot live with.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            painter,
            (torch.zeros(1, CHANNELS, 96, 96),),
            path,
            input_names=["clues"],
            output_names=["painted"],
            dynamic_axes={"clues": {2: "height", 3: "width"}, "painted": {2: "height", 3: "width"}},
            opset_version=17,
            dynamo=False,
        )


def _trained_on(path: Path) -> Any:
    try:
        return parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}); begin the run anew: a card must say whom it is of"
        ) from error
