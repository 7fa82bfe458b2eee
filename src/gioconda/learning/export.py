"""A trained network -> the ONNX file and card that the package ships, and its weights back from there."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from gioconda.datasets.layout import write_bytes
from gioconda.errors import OutputError, UsageError
from gioconda.learning.checkpoint import NAME, load_checkpoint
from gioconda.learning.retoucher import Retoucher
from gioconda.media.files import partial_path, sha256_of, spoken_os_error
from gioconda.rendering.clues import CELLS, CHANNELS
from gioconda.untrusted import parse_json

TRAINED_ON = "trained_on.json"
"""Beside a run's pool: the people and shots it was made from."""


def export_warp(run: Path, out: Path, card: dict[str, Any]) -> None:
    """Write `out` (.onnx) and its card (.json) from a run's running mean of weights.

    The card lists the people and shots that the run learned from, where the run's folder says so.

    Raises:
        UsageError: the run has no checkpoint, or one that is damaged.
        OutputError: it cannot be written there.
    """
    if not (run / NAME).exists():
        raise UsageError(f"{run}: no checkpoint in it; train for longer: gioconda train warp --out {run}")
    retoucher = Retoucher()
    step = load_checkpoint(run / NAME, {"mean": retoucher}, {}, "cpu")
    retoucher.eval()
    part = partial_path(out)
    try:
        part.write_bytes(onnx_bytes(retoucher))
        card = {**card, "steps": step, "sha256": sha256_of(part)}
        if (run / TRAINED_ON).is_file():
            card["trained_on"] = _trained_on(run / TRAINED_ON)
        write_bytes(out.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
        part.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {spoken_os_error(error)}") from error
    finally:
        part.unlink(missing_ok=True)


def onnx_bytes(retoucher: Retoucher) -> bytes:
    """A network as an ONNX file."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # The newer exporter needs packages whose protobuf MediaPipe cannot live with.
        warnings.simplefilter("ignore", DeprecationWarning)
        file = Path(folder) / "network.onnx"
        torch.onnx.export(
            retoucher,
            (torch.zeros(1, CHANNELS, CELLS, CELLS),),
            file,
            input_names=["clues"],
            output_names=["change"],
            opset_version=17,
            dynamo=False,
        )
        return file.read_bytes()


def _trained_on(path: Path) -> Any:
    try:
        return parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}); begin the run anew: a card must say whom it is of"
        ) from error


def read_weights(network: Path) -> dict[str, torch.Tensor]:
    """The weights of an exported network by their names. Raises UsageError: it cannot be read."""
    import onnx
    from onnx import numpy_helper

    try:
        tensors = onnx.load_model_from_string(network.read_bytes()).graph.initializer
        if any(each.data_location == onnx.TensorProto.EXTERNAL for each in tensors):
            raise ValueError("it refers to other files")
        # A copy: what the library gives is not to be written to.
        weights = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in tensors}
    except Exception as error:  # protobuf and onnx raise classes of their own, one for each thing that is amiss
        raise UsageError(f"{network}: not a network that can be read; give an ONNX file, or copy it again") from error
    if not all(each.dtype == torch.float32 and bool(each.isfinite().all()) for each in weights.values()):
        raise UsageError(f"{network}: another network, or damaged: its weights are no finite numbers; copy it again")
    return weights


def read_retoucher(file: Path) -> Retoucher:
    """The network of an exported file, to learn on. Raises UsageError: it cannot be read, or is another network."""
    network = Retoucher()
    try:
        network.load_state_dict(read_weights(file))
    except RuntimeError as error:
        raise UsageError(f"{file}: another network; give the warp.onnx of a training run") from error
    return network


def all_of(lists: Sequence[Mapping[str, list[str]]]) -> dict[str, list[str]]:
    """The people and shots that at least one of several lists of `trained_on` names."""
    return {kind: sorted({name for one in lists for name in one[kind]}) for kind in ("people", "shots")}


def trained_on_of(network: Path) -> dict[str, list[str]] | None:
    """The people and shots that a network's card lists; None where it has none, or one of another file."""
    try:
        card: Any = parse_json(network.with_suffix(".json").read_bytes())
        if card["sha256"] != sha256_of(network):
            return None
        return {key: [str(name) for name in card["trained_on"][key]] for key in ("people", "shots")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
