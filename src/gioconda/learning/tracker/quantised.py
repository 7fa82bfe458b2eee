"""The detector in whole numbers of eight bits: the same faces in half the time."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from gioconda.learning.tracker.batches import FaceBatches
from gioconda.learning.tracker.canvases import CanvasBatches
from gioconda.learning.tracker.faces import Faces

CANVASES = 128
"""Pictures on which the ranges of the activations are measured."""
BATCH = 16
"""Of them at a time."""


def quantise_detector(path: Path, faces: Faces, seed: int = 0) -> None:
    """Compute the inner layers of an exported detector in eight bits; `path` is written over.

    The first layer, which sees the pixels, and the last two, which say where a face is, stay as they are. Weights take
    seven bits of the eight: with all of them, sums overflow on processors without instructions for neural networks.
    """
    network = onnx.load(path)
    layers = [node.name for node in network.graph.node if node.op_type == "Conv"]
    with tempfile.TemporaryDirectory() as folder, _in_silence():
        plain = Path(folder) / "plain.onnx"
        quant_pre_process(path, plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            path,
            _Pictures(faces, seed),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add", "Relu"],
            nodes_to_exclude=[layers[0], *layers[-2:]],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Canvases as the detector was taught with, one at a time."""

    def __init__(self, faces: Faces, seed: int) -> None:
        canvases, random = CanvasBatches(FaceBatches(faces, "cpu")), torch.Generator().manual_seed(seed)
        self._pictures = self._drawn(canvases, random)

    @staticmethod
    def _drawn(canvases: CanvasBatches, random: torch.Generator) -> Iterator[dict[str, Any]]:
        for _ in range(CANVASES // BATCH):
            pictures = canvases.batch(BATCH, random).pictures.clamp(0, 1)
            for picture in (255 * pictures).round().byte().permute(0, 2, 3, 1).numpy():
                yield {"picture": np.ascontiguousarray(picture)[None]}

    def get_next(self) -> dict[str, Any] | None:
        """The next picture, as the network takes it."""
        return next(self._pictures, None)


@contextmanager
def _in_silence() -> Iterator[None]:
    """Without the quantiser's advice, which goes to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
