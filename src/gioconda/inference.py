"""The one way in which an ONNX network is opened, whoever wrote it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gioconda.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import onnxruntime


def open_network(path: Path, *, threads: int | None = None, gpu: bool = False) -> onnxruntime.InferenceSession:
    """A network from an ONNX file that stands alone.

    Args:
        path: the file.
        threads: cores to run on; None for all.
        gpu: use what this installation of the runtime has; else the processor alone.

    Raises:
        UsageError: no such file, not a network, or one that takes numbers from other files.
        MissingExtraError: the runtime is not installed.
    """
    # From 1.29 on the runtime reports to its maker, and keeps an identifier of the machine, unless it is told not to
    # before it starts.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("networks need onnxruntime, which is not installed: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = options.inter_op_num_threads = threads
    providers = onnxruntime.get_available_providers() if gpu else ["CPUExecutionProvider"]
    try:
        # Of its bytes alone, the runtime makes no network that refers to other files.
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
    except Exception as error:  # the runtime raises its own classes, one for each thing that is amiss
        raise UsageError(f"{path}: not a network that can be read; give an ONNX file, or copy it again") from error
