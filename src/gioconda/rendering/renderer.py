"""The interface of a renderer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gioconda.avatar import Avatar
from gioconda.errors import AvatarError, MissingExtraError, UsageError
from gioconda.face import Points
from gioconda.inference import AUTO, CPU
from gioconda.portrait import View

RENDERERS = ("warp", "flow", "sketch")
DEFAULT_RENDERER = "warp"
_DATA = Path(__file__).parents[1] / "data"
OWN_NETWORK = _DATA / "warp" / "warp.onnx"
"""The network of `warp` that comes with the package."""
OWN_BASE = _DATA / "sketch" / "sketch.safetensors"
"""The networks that come with the package for `sketch`, to be fine-tuned to a person."""


@dataclass(frozen=True)
class Patch:
    """Pixels for a part of the canvas.

    Attributes:
        left, top: where its first pixel lies on the canvas.
        rgb: uint8 (height, width, 3).
        mask: float32 (height, width), 0 keeps the canvas, 1 takes the patch; None is 1 everywhere.
        alpha: uint8 (height, width), the patch's own transparency; None where the canvas is opaque.
    """

    left: int
    top: int
    rgb: NDArray[np.uint8]
    mask: NDArray[Any] | None = None
    alpha: NDArray[np.uint8] | None = None


class Renderer(Protocol):
    """Draws the face region of the first view (the canvas) with the landmarks elsewhere.

    It remembers nothing from one frame to the next, and draws several at once in as many threads.
    """

    def __call__(self, target: Points) -> Patch:
        """The face region with the landmarks at `target`, (478, 3) in canvas pixels."""
        ...


def own_network(renderer: str) -> Path | None:
    """The network that a renderer draws with where none is given; None where the package brings none."""
    return OWN_NETWORK if renderer == "warp" else None


def make_renderer(
    name: str, views: Sequence[View], weights: Path | Avatar | None = None, device: str = AUTO
) -> Renderer:
    """A renderer by name.

    Args:
        name: one of `RENDERERS`.
        views: of the portrait; the first is the canvas.
        weights: the network: of `warp` an ONNX file that `gioconda train warp` wrote, or an avatar, None for the
            package's own; of `sketch` an avatar or its file.
        device: what the network is computed on: `auto`, or one of `inference.devices`; of `sketch` cpu or cuda.

    Raises:
        UsageError: there is none of that name or no such device, weights are missing or of no use, or are given to
            `flow`.
        AvatarError: the avatar cannot be read, or is for another renderer.
        MissingExtraError: `sketch` needs torch, which is not installed.
    """
    from gioconda.rendering.fused import renderer_of
    from gioconda.rendering.warp import WarpNetwork, WarpRenderer

    if name not in RENDERERS:
        raise UsageError(f"no renderer named {name!r}; there is {', '.join(RENDERERS)}")
    if name == "flow":
        if weights:
            raise UsageError("the renderer flow has no network: give weights to warp, avatars to sketch")
        if device not in (AUTO, CPU):
            raise UsageError(f"the renderer flow has no network to compute on {device}; leave --device out")
        return renderer_of(views)
    if name == "sketch":
        return _sketch(views, weights, device)
    given = weights or own_network(name)
    assert given is not None
    network = WarpNetwork.of(given, device) if isinstance(given, Avatar) else WarpNetwork.load(Path(given), device)
    return renderer_of(views, lambda views: WarpRenderer(views, network))


def _sketch(views: Sequence[View], weights: Path | Avatar | None, device: str) -> Renderer:
    if not weights:
        raise UsageError(
            "the renderer sketch draws avatars: make one with 'gioconda personalize', then 'gioconda animate ME.avatar'"
        )
    avatar = weights if isinstance(weights, Avatar) else Avatar.load(weights)
    if avatar.about.renderer != "sketch":
        raise AvatarError(f"the avatar is for the renderer {avatar.about.renderer!r}, not for sketch; upgrade gioconda")
    try:
        from gioconda.rendering.sketch import SketchRenderer
    except ImportError as error:
        raise MissingExtraError(
            "avatars of the renderer sketch need the extra 'learn': pip install 'gioconda[learn]'"
        ) from error
    return SketchRenderer(views[0], avatar, device)
