"""`.avatar` files: a portrait with a network fine-tuned to it. The format is described in docs/avatar.md.

A safetensors file: each view as PNG and its landmarks, the network's numbers, and a JSON header
under the metadata key `gioconda`. No pickle.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save

from gioconda.errors import AvatarError, OutputError
from gioconda.face import check_face
from gioconda.media.files import is_file, sha256_of, spoken_os_error, whole_file
from gioconda.media.pictures import MAX_PIXELS, quiet_pillow
from gioconda.portrait import MOST_VIEWS, Portrait, View
from gioconda.untrusted import one_line, parse_json

VERSION = 1
_NETWORK = "network."


@dataclass(frozen=True)
class About:
    """What is known of an avatar's making.

    Attributes:
        renderer: who draws it.
        shape: how large its network is, by name.
        base: sha256 of the meta-learned weights that it was fine-tuned from.
        steps: of fine-tuning; 0 for feed-forward.
        consent: a note on whose pictures these are and what they agreed to.
        pictures: sha256 of each view's pixels.
    """

    renderer: str
    shape: dict[str, int]
    base: str
    steps: int
    consent: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Avatar:
    """A portrait personalised by fine-tuning.

    Attributes:
        portrait: the views it was made from; the first is the canvas.
        about: how it was made.
        network: the fine-tuned numbers, by name.
    """

    portrait: Portrait
    about: About
    network: Mapping[str, NDArray[Any]]

    def check_base(self, weights: Path) -> None:
        """See to it that weights are those the avatar was fine-tuned from; it needs none to be animated.

        Raises:
            AvatarError: they are others, or cannot be read.
        """
        try:
            given = hashlib.sha256(weights.read_bytes()).hexdigest()
        except OSError as error:
            raise AvatarError(f"{weights}: cannot be read ({error.strerror}); an avatar needs no --weights") from error
        if given != self.about.base:
            raise AvatarError(
                f"the avatar was fine-tuned from weights {self.about.base[:12]}..., not from {weights} "
                f"({given[:12]}...); leave out --weights, an avatar needs none, or make it again from these"
            )

    def save(self, path: str | Path) -> Path:
        """Write it; the file appears under its name only when it is whole.

        Raises:
            OutputError: the file cannot be written there.
        """
        path = Path(path)
        check_avatar_path(path)
        tensors: dict[str, NDArray[Any]] = {
            _NETWORK + name: np.ascontiguousarray(values) for name, values in self.network.items()
        }
        for number, view in enumerate(self.portrait.views):
            tensors[f"view.{number}.png"] = _png(view)
            tensors[f"view.{number}.points"] = view.points.astype(np.float32)
        header = {"format": "gioconda.avatar", "version": VERSION, "views": len(self.portrait.views)}
        data = save(tensors, {"gioconda": json.dumps({**header, **asdict(self.about)})})
        try:
            with whole_file(path) as file:
                file.write(data)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {spoken_os_error(error)}") from error
        return path

    @staticmethod
    def load(path: str | Path, max_pixels: int = MAX_PIXELS) -> Avatar:
        """Read one.

        Raises:
            AvatarError: no such file, damaged, not an avatar, of a newer version, or with larger pictures.
        """
        path = Path(path)
        if not is_file(path):
            raise AvatarError(f"{path}: no such file; make one with 'gioconda personalize PICTURES --out {path.name}'")
        try:
            with safe_open(path, framework="numpy") as file:
                header = dict(parse_json((file.metadata() or {}).get("gioconda", "{}")))
                if header.pop("format", None) != "gioconda.avatar":
                    raise AvatarError(f"{path}: not an avatar; make one with 'gioconda personalize'")
                if header["version"] > VERSION:
                    raise AvatarError(
                        f"{path}: format version {header['version']}, this program reads up to {VERSION}; "
                        "upgrade gioconda"
                    )
                del header["version"]
                count = int(header.pop("views"))
                if not 1 <= count <= MOST_VIEWS:
                    raise ValueError(f"{count} views")
                views = tuple(
                    _view(file.get_tensor(f"view.{n}.png"), file.get_tensor(f"view.{n}.points"), max_pixels)
                    for n in range(count)
                )
                network = {
                    name.removeprefix(_NETWORK): file.get_tensor(name)
                    for name in file.keys()  # noqa: SIM118 (it is a file, not a mapping)
                    if name.startswith(_NETWORK)
                }
            if not all(np.isfinite(values).all() for values in network.values()):
                raise ValueError("its network holds numbers that are none")
            known = replace(views[0], sha256=sha256_of(path)), *views[1:]
            return Avatar(Portrait(known), _about(header), network)
        except (AvatarError, MemoryError):
            raise
        except Exception as error:  # damaged files make the decoders raise nearly anything
            raise AvatarError(f"{path}: not a whole avatar ({one_line(error)}); make it again") from error


def check_avatar_path(path: Path) -> None:
    """See to it, before any work is done, that an avatar can be kept under a name; raises `OutputError`."""
    if path.suffix != ".avatar":
        raise OutputError(f"{path}: an avatar is kept in a file ending in .avatar")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"{path}: cannot be written, the folder {folder} does not exist; create it first")


def picture_hash(view: View) -> str:
    """Sha256 of a view's pixels, whatever file they came from."""
    return hashlib.sha256(repr(view.rgb.shape).encode() + view.rgb.tobytes()).hexdigest()


def _about(header: dict[str, Any]) -> About:
    about = About(**{**header, "pictures": tuple(header["pictures"])})
    texts = (about.renderer, about.base, about.consent, *about.pictures)
    if not all(isinstance(text, str) for text in texts) or not isinstance(about.steps, int):
        raise TypeError("a header of another make")
    if not all(isinstance(name, str) and isinstance(value, int) for name, value in about.shape.items()):
        raise TypeError("a shape of another make")
    return about


def _png(view: View) -> NDArray[np.uint8]:
    pixels = view.rgb if view.alpha is None else np.dstack([view.rgb, view.alpha])
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _view(png: NDArray[Any], points: NDArray[Any], max_pixels: int) -> View:
    check_face(points)
    with quiet_pillow(), Image.open(io.BytesIO(png.astype(np.uint8).tobytes()), formats=["PNG"]) as image:
        if image.width * image.height > max_pixels or image.mode not in ("RGB", "RGBA"):
            raise ValueError(f"a picture of {image.width} x {image.height}, {image.mode}")
        pixels = np.asarray(image)
    alpha = pixels[..., 3].copy() if pixels.shape[2] == 4 else None
    return View(np.ascontiguousarray(pixels[..., :3]), points.astype(np.float32), alpha)
