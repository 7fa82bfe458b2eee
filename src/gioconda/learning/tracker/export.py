"""Trained networks -> the ONNX files and the card that a tracker runs from."""

from __future__ import annotations

import json
import platform
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from gioconda.errors import UsageError
from gioconda.learning.checkpoint import DAMAGE, finite_tensors
from gioconda.learning.dataset import EXCLUDED_LICENCES, EXCLUDED_SOURCES
from gioconda.learning.tracker.faces import SIDE, Faces
from gioconda.learning.tracker.learner import below, best_device, work_done
from gioconda.learning.tracker.networks import DetectorNet, LandmarkNet
from gioconda.learning.tracker.quantised import quantise_detector
from gioconda.media.files import sha256_of
from gioconda.tracking.crops import CROP
from gioconda.tracking.distilled import NETWORKS
from gioconda.untrusted import one_line

OPSET = 17
HALVED_FROM = 256
"""Numbers from which a tensor of weights is stored in half precision; it is computed with in single all the same."""


class _Landmarks(nn.Module):
    def __init__(self, network: LandmarkNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: Tensor) -> tuple[Tensor, ...]:
        """(n, 192, 192, 3) uint8 -> points and expected errors in crop sides, presence, expression."""
        reading = self.network(crop.permute(0, 3, 1, 2).float() / 255)
        # The mean of a two-dimensional Laplace distribution is twice its scale.
        expected = 2 * reading.log_scale.exp()
        return reading.points, expected, torch.sigmoid(reading.presence), torch.sigmoid(reading.expression)


class _Detections(nn.Module):
    def __init__(self, network: DetectorNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(n, h, w, 3) uint8 -> scores and shapes, see `gioconda.tracking.detector.peaks`."""
        heat, shapes = self.network(picture.permute(0, 3, 1, 2).float() / 255)
        return torch.sigmoid(heat), shapes


def export_tracker(run: Path, faces: Faces) -> None:
    """Write `landmarks.onnx`, `detector.onnx` (whichever have a checkpoint) and the card `tracker.json` into a run.

    What is exported is the running mean of the weights; the detector's inner layers compute in eight bits, and other
    weights are stored in half precision.

    Raises:
        UsageError: something in the run is damaged.
    """
    try:
        _export(run, faces)
    except DAMAGE as error:
        raise UsageError(f"{run}: its networks cannot be written ({one_line(error)}); begin another run") from error


def _export(run: Path, faces: Faces) -> None:
    card: dict[str, Any] = {
        "name": "tracker",
        "data": json.loads((run / "faces.json").read_text()) | {"faces": len(faces.person), "pixels": SIDE},
        "licence": (
            "Apache-2.0 for the weights; learned from research footage whose people gave no release; "
            f"left out: footage under {', '.join(EXCLUDED_LICENCES)}, stills of {', '.join(EXCLUDED_SOURCES)}"
        ),
        "teacher": "MediaPipe Face Mesh 0.10.21 (landmarks) and Face Landmarker (expressions), Apache-2.0",
        "machine": torch.cuda.get_device_name() if best_device() == "cuda" else f"{platform.machine()} processor",
        "networks": {},
    }
    for name in NETWORKS:
        checkpoint = run / Path(name).with_suffix(".safetensors")
        if not checkpoint.exists():
            continue
        steps, seconds = work_done(checkpoint)
        export_network(checkpoint, run / name)
        if checkpoint.stem == "detector":
            quantise_detector(run / name, faces)
        halve(run / name)
        curve = checkpoint.with_suffix(".jsonl").read_text().splitlines()
        card["networks"][name] = {
            "steps": steps,
            "hours": round(seconds / 3600, 2),
            "metrics": json.loads(curve[-1]),
            "bytes": (run / name).stat().st_size,
            "sha256": sha256_of(run / name),
        }
    (run / "tracker.json").write_text(json.dumps(card, indent=2) + "\n")


def export_network(checkpoint: Path, out: Path) -> None:
    """Write the running mean of a checkpoint, `landmarks` or `detector`, as ONNX."""
    state = below(finite_tensors(checkpoint), "mean.")
    wrapped: nn.Module
    if checkpoint.stem == "landmarks":
        landmarks = LandmarkNet()
        landmarks.load_state_dict(state)
        wrapped, example = _Landmarks(landmarks), torch.zeros(1, CROP, CROP, 3, dtype=torch.uint8)
        inputs, outputs = ["crop"], ["points", "uncertainty", "presence", "expression"]
        axes = {name: {0: "n"} for name in inputs + outputs}
    else:
        detector = DetectorNet()
        detector.load_state_dict(state)
        wrapped, example = _Detections(detector), torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
        inputs, outputs = ["picture"], ["heat", "shapes"]
        axes = {"picture": {1: "height", 2: "width"}} | {name: {2: "rows", 3: "columns"} for name in outputs}
    wrapped.eval()
    with warnings.catch_warnings():
        # The newer exporter needs packages whose protobuf MediaPipe cannot live with.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            wrapped,
            (example,),
            out,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def halve(path: Path) -> None:
    """Store the large tensors of an ONNX file in half precision, cast back when it is loaded."""
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < HALVED_FROM:
            continue
        stored = f"{tensor.name}.half"
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT))
    for number, cast in enumerate(casts):
        graph.node.insert(number, cast)
    onnx.checker.check_model(model)
    onnx.save(model, path)
