"""The one way in which an ONNX network is opened and asked, whoever wrote it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import MissingExtraError, UsageError
from gioconda.untrusted import one_line

if TYPE_CHECKING:
    import onnxruntime

Shape = tuple[int | None, ...]
"""Of an array; None for any length."""


def open_network(path: Path, *, threads: int | None = None) -> onnxruntime.InferenceSession:
    """A network from an ONNX file that stands alone.

    Args:
        path: the file.
        threads: cores to run on; None for all.

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
    # Its threads would go on turning for a while when they have nothing to do, on cores that others need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = options.inter_op_num_threads = threads
    try:
        # Of its bytes alone, the runtime makes no network that refers to other files.
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises its own classes, one for each thing that is amiss
        raise UsageError(f"{path}: not a network that can be read; give an ONNX file, or copy it again") from error


def answers(
    session: onnxruntime.InferenceSession, tensor: NDArray[Any], shapes: Sequence[Shape], path: Path
) -> list[NDArray[np.float32]]:
    """What a network of somebody else's making says of its first input, float32: as many outputs as there are shapes.

    Raises:
        UsageError: it fails, or gives something else than finite numbers in these shapes; `path` is named.
    """
    try:
        outputs: list[Any] = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(tensor)})
    except Exception as error:  # the runtime raises its own classes, one for each thing that is amiss
        raise UsageError(
            f"{path}: a network of another kind: the network fails ({one_line(error)}); copy it or make it again"
        ) from error
    if len(outputs) < len(shapes) or not all(map(_is_of, outputs, shapes)):
        raise UsageError(
            f"{path}: a network of another kind, or damaged: it says something else than "
            f"{' and '.join(map(str, shapes))} numbers; copy it or make it again"
        )
    return outputs[: len(shapes)]


def _is_of(output: Any, shape: Shape) -> bool:
    """Whether a network's output is an array of finite numbers of a shape."""
    if not isinstance(output, np.ndarray) or output.dtype.kind != "f" or output.ndim != len(shape):
        return False
    fits = all(wanted in (None, length) for wanted, length in zip(shape, output.shape, strict=True))
    return fits and output.size > 0 and bool(np.isfinite(output).all())
