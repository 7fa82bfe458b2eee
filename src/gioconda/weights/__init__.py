"""Learned weights that come with the package, each with a card (`NAME.json`): data, terms, measures, sha256."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from typing import Any

from gioconda.errors import GiocondaError


def read_weights(name: str) -> tuple[bytes, dict[str, Any]]:
    """An ONNX file's bytes and its card.

    Raises:
        GiocondaError: the file is not the one its card describes.
    """
    folder = resources.files(__name__)
    data = folder.joinpath(f"{name}.onnx").read_bytes()
    card = json.loads(folder.joinpath(f"{name}.json").read_text())
    if hashlib.sha256(data).hexdigest() != card["sha256"]:
        raise GiocondaError(f"the weights '{name}' are damaged; reinstall with: pip install --force-reinstall gioconda")
    return data, card
