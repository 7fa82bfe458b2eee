"""The one way in which an ONNX network is opened and asked, whoever wrote it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import MissingExtraError, UsageError
from gioconda.untrusted import one_line

if TYPE_CHECKING:
    import onnxruntime

Shape = tuple[int | None, ...]
"""Of an array; None for any length."""


CPU = "cpu"
PROVIDERS = {
    CPU: "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""What ONNX Runtime may compute on, and its name there."""
AUTO = "auto"
"""In place of a device: the one that is found to be the fastest."""
ALIKE = 0.02
"""How far, in a network's own unit, what it says on a device may be from what it says on the CPU."""
TRIES = 3
"""Runs by which a device is timed."""


def open_network(path: Path, *, threads: int | None = None) -> onnxruntime.InferenceSession:
    """A network from an ONNX file that stands alone, on the CPU.

    Args:
        path: the file.
        threads: cores to run on; None for all.

    Raises:
        UsageError: no such file, not a network, or one that takes numbers from other files.
        MissingExtraError: the runtime is not installed.
    """
    try:
        network = path.read_bytes()
    except OSError as error:
        raise _unreadable(path) from error
    return start_network(network, path, threads=threads)


def start_network(
    network: bytes, name: Path | str, *, threads: int | None = None, device: str = CPU
) -> onnxruntime.InferenceSession:
    """A network from the bytes of an ONNX file.

    Args:
        network: the bytes; of them alone, the runtime makes no network that refers to other files.
        name: what messages call it.
        threads: cores to run on; None for all.
        device: one of `devices`.

    Raises:
        UsageError: it is no network, or one that takes numbers from other files; or no such device.
        MissingExtraError: the runtime is not installed.
    """
    runtime = _runtime()
    if device not in devices():
        raise UsageError(
            f"device {device}: the installed ONNX Runtime computes on {', '.join(devices())}; "
            "install the build of it that is made for the device"
        )
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    # Its threads would go on turning for a while when they have nothing to do, on cores that others need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = options.inter_op_num_threads = threads
    try:
        session = runtime.InferenceSession(network, options, providers=[PROVIDERS[device]])
    except Exception as error:  # the runtime raises its own classes, one for each thing that is amiss
        if device != CPU:
            raise _unwilling(device) from error
        raise _unreadable(name) from error
    # Where a device does not start, the runtime says nothing and takes the CPU.
    if PROVIDERS[device] not in session.get_providers():
        raise _unwilling(device)
    return session


def fastest_network(
    network: bytes, name: Path | str, example: NDArray[Any], *, threads: int | None = None
) -> onnxruntime.InferenceSession:
    """A network on the device that answers soonest, among those that answer as the CPU does.

    Args:
        network, name, threads: as for `start_network`.
        example: its input, by which it is tried.

    Raises:
        UsageError, MissingExtraError: as `start_network`, of the CPU.
    """
    best = start_network(network, name, threads=threads)
    others = devices()[1:]
    if not others:
        return best
    wanted, least = _timed(best, example)
    for device in others:
        try:
            session = start_network(network, name, threads=threads, device=device)
            said, seconds = _timed(session, example)
        except Exception:  # drivers raise anything: then it is not this device
            continue
        if seconds < least and np.allclose(said, wanted, atol=ALIKE):
            best, least = session, seconds
    return best


def _timed(session: onnxruntime.InferenceSession, example: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """What a network says of an example, and the seconds it takes."""
    given = {session.get_inputs()[0].name: example}
    said = np.asarray(session.run(None, given)[0])  # the first time takes longer
    least = math.inf
    for _ in range(TRIES):
        began = time.perf_counter()
        session.run(None, given)
        least = min(least, time.perf_counter() - began)
    return said, least


def devices() -> tuple[str, ...]:
    """What the installed ONNX Runtime can compute on, the CPU first. Raises MissingExtraError: there is none."""
    there = _runtime().get_available_providers()
    return tuple(name for name, provider in PROVIDERS.items() if provider in there)


def _runtime() -> ModuleType:
    # From 1.29 on the runtime reports to its maker, and keeps an identifier of the machine, unless it is told not to
    # before it starts.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("networks need onnxruntime, which is not installed: pip install onnxruntime") from error
    return onnxruntime


def _unwilling(device: str) -> UsageError:
    return UsageError(f"device {device}: it does not start, or not with this network; look at its drivers, or use cpu")


def _unreadable(name: Path | str) -> UsageError:
    return UsageError(f"{name}: not a network that can be read; give an ONNX file, or copy it again")


def answers(
    session: onnxruntime.InferenceSession, tensor: NDArray[Any], shapes: Sequence[Shape], path: Path | str
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
