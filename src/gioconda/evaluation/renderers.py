"""What is measured: the renderers of the product, and the baseline that does nothing, under one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gioconda.avatar import Avatar
from gioconda.errors import MissingExtraError, UsageError
from gioconda.evaluation.judges import Picture
from gioconda.face import Points, face_model
from gioconda.portrait import MOST_VIEWS, Portrait, View
from gioconda.rendering import composite, make_renderer
from gioconda.rendering.renderer import OWN_BASE, OWN_NETWORK, Renderer

STILL = "still"
"""The baseline: the first view, unmoved. Runs beside whatever is measured."""
MODES = {
    STILL: "baseline",
    "flow": "closed form",
    "warp": "feed-forward",
    "warp-ft": "fine-tuned",
    "sketch-ff": "feed-forward",
    "sketch-ft": "fine-tuned",
}
"""How a renderer comes to its picture."""
_OWN = {"warp": OWN_NETWORK, "warp-ft": OWN_NETWORK, "sketch-ff": OWN_BASE, "sketch-ft": OWN_BASE}
"""The network that the package brings for each renderer that has one."""
_PERSONALISED = {"warp-ft": ("warp", 1.0), "sketch-ff": ("sketch", 0.0), "sketch-ft": ("sketch", 1.0)}
"""Those that draw an avatar: the product's renderer, and the fidelity."""
_UNTUNED = {"warp-ft": "warp", "sketch-ft": "sketch-ff"}
FINE_TUNED = tuple(_UNTUNED)
"""Renderers that take a minute for each person; `_UNTUNED` are the quick ones that paint in the same place."""

Draw = Callable[[Points], Picture]


@dataclass(frozen=True)
class Contender:
    """A renderer to be measured; ``weights``: the file of its network, None where it has none."""

    name: str
    weights: Path | None = None


def mode(name: str) -> str:
    """The mode of a renderer, as it stands in results.json."""
    return MODES[name]


def check(names: Sequence[str], views: Sequence[int], weights: Sequence[Path] = ()) -> list[Contender]:
    """The renderers to run, the baseline first, each once.

    ``weights`` is a file for each with a network, in order; without any, those that the package brings are measured.

    Raises:
        UsageError: there is none of a name, or a number of views that no portrait can have; weights are missing, of
            no use, or more than there are networks.
    """
    for name in names:
        if name not in MODES:
            raise UsageError(f"no renderer named {name!r} can be measured; there is {', '.join(MODES)}")
    for number in views:
        if not 1 <= number <= MOST_VIEWS:
            raise UsageError(f"--views {number}: a portrait has 1 to {MOST_VIEWS}")
    chosen = dict.fromkeys([STILL, *names])
    learned = [name for name in chosen if name in _OWN]
    if len(weights) not in (0, len(learned)):
        raise UsageError(
            f"--weights needs one file for each renderer that has a network, in their order: "
            f"{len(weights)} given for {', '.join(learned) or 'none'}"
        )
    files = dict(zip(learned, weights, strict=True)) if weights else _OWN
    contenders = [Contender(name, files.get(name)) for name in chosen]
    for contender in contenders:
        if contender.weights is not None:
            # A file of no use is refused at once, not after hours of other work.
            make(
                _untuned(contender), [View(np.zeros((256, 256, 3), np.uint8), face_model().shape * 60 + (128, 128, 0))]
            )
    return contenders


def product(contender: Contender, views: Sequence[View]) -> tuple[str, Path | Avatar | None]:
    """What the product calls the renderer, and its network; a fine-tuned one is fine-tuned here."""
    if contender.name == STILL:
        return "flow", None
    if contender.name not in _PERSONALISED:
        return contender.name, contender.weights
    try:
        from gioconda.learning.personalize import personalize
    except ImportError as error:
        raise MissingExtraError(f"{contender.name} needs the extra 'learn': pip install 'gioconda[learn]'") from error
    name, fidelity = _PERSONALISED[contender.name]
    return name, personalize(Portrait(tuple(views)), contender.weights, renderer=name, fidelity=fidelity)


def make(contender: Contender, views: Sequence[View]) -> Renderer:
    """The renderer of the product; a fine-tuned one is fine-tuned here."""
    name, network = product(contender, views)
    return make_renderer(name, views, network)


def drawer(contender: Contender, views: Sequence[View]) -> Draw:
    """A function from landmarks, (478, 3) in pixels of the first view, to the whole picture."""
    canvas = views[0]
    if contender.name == STILL:
        return lambda target: canvas.rgb
    render = make(contender, views)
    return lambda target: composite(canvas, render(target))[0]


def painted(render: Renderer, canvas: View) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what the renderer paints on the first view."""
    patch = render(canvas.points)
    height, width = patch.rgb.shape[:2]
    return patch.left, patch.top, patch.left + width, patch.top + height


def _untuned(contender: Contender) -> Contender:
    return replace(contender, name=_UNTUNED.get(contender.name, contender.name))
