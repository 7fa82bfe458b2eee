"""What is installed, what runs where, what is missing and how to get it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata, util
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Finding:
    """One line of the report: `state` is 'ok', 'missing' (an extra that nobody need have) or 'broken'."""

    state: str
    what: str
    detail: str


PACKAGES = {
    "numpy": "arrays",
    "opencv-python-headless": "warping pictures",
    "av": "video and sound",
    "pillow": "pictures",
    "onnxruntime": "networks",
    "safetensors": ".motion files",
    "tqdm": "progress bars",
    "c2pa-python": "Content Credentials",
    "cryptography": "the local certificate",
}
ENCODERS = {".mp4": "libx264", ".webm": "libvpx-vp9", ".webp": "libwebp_anim", ".gif": "gif", ".apng": "apng"}
EXTRAS = {
    "mediapipe": ("mediapipe", "another face tracker"),
    "skimage": ("demo", "the built-in portrait of 'gioconda demo'"),
    "pillow_heif": ("heic", "HEIC pictures"),
    "torch": ("learn", "training"),
    "ray": ("cluster", "training on several machines"),
    "pyvirtualcam": ("live", "the mirror as a camera for other programs"),
    "gradio": ("studio", "the page of 'gioconda studio'"),
}


def examine() -> Iterator[Finding]:
    """Look at this machine and installation; nothing is changed and nothing fetched."""
    yield Finding("ok", "system", f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, purpose in PACKAGES.items():
        try:
            yield Finding("ok", name, f"{metadata.version(name)} ({purpose})")
        except metadata.PackageNotFoundError:
            yield Finding("broken", name, f"not installed ({purpose}): pip install {name}")
    yield _tried("face tracker", _try_tracker)
    for suffix, encoder in ENCODERS.items():
        yield _tried(f"writing {suffix}", partial(_try_encoder, encoder))
    yield _credentials()
    for module, (extra, purpose) in EXTRAS.items():
        if util.find_spec(module):
            yield Finding("ok", f"extra [{extra}]", f"installed ({purpose})")
        else:
            yield Finding("missing", f"extra [{extra}]", f"{purpose}: pip install 'gioconda[{extra}]'")
    yield _tried("runs on", _devices)
    yield Finding("ok", "package", f"{Path(__file__).parent} in {sys.prefix}")


def _credentials() -> Finding:
    """Who would sign a clip. Nothing is made here."""
    from gioconda.credentials.identity import CERTIFICATE_VARIABLE, KEY_VARIABLE, local_path, signing_identity
    from gioconda.errors import CredentialsError

    own = [name for name in (CERTIFICATE_VARIABLE, KEY_VARIABLE) if os.environ.get(name)]
    if not own and not local_path().exists():
        return Finding("ok", "credentials", "no certificate yet: the first clip makes a local one")
    try:
        signing_identity()
    except CredentialsError as error:
        return Finding("broken", "credentials", str(error))
    return Finding("ok", "credentials", f"signed as {' and '.join(own)} say" if own else f"local, {local_path()}")


def _tried(what: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, attempt())
    except Exception as error:  # whatever a broken installation throws belongs in the report
        return Finding(
            "broken",
            what,
            f"{type(error).__name__}: {error}; reinstall with: pip install --force-reinstall gioconda",
        )


def _devices() -> str:
    from gioconda.inference import devices

    return f"{', '.join(devices())} (neither the renderers 'warp' and 'flow' nor the tracker need a GPU)"


def _try_tracker() -> str:
    from gioconda.tracking import default_tracker

    faces = default_tracker().find(np.full((128, 128, 3), 128, np.uint8)).faces
    return f"works ({len(faces)} faces on a grey square)"


def _try_encoder(name: str) -> str:
    import av

    av.codec.Codec(name, "w")
    return f"works ({name})"
