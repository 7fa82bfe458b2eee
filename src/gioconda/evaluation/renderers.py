"""What is measured: the renderers of the product, and the baseline that does nothing, under one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gioconda.errors import UsageError
from gioconda.evaluation.judges import Picture
from gioconda.face import Points
from gioconda.portrait import MOST_VIEWS, View
from gioconda.rendering import composite, make_renderer

STILL = "still"
"""The baseline: the first view, unmoved. Runs beside whatever is measured."""
MODES = {STILL: "baseline", "flow": "closed form"}
"""How a renderer comes to its picture: later also FF (feed-forward) and FT (fine-tuned)."""

Draw = Callable[[Points], Picture]


def mode(name: str) -> str:
    """The mode of a renderer, as it stands in results.json."""
    return MODES.get(name, "feed-forward")


def check(names: Sequence[str], views: Sequence[int]) -> list[str]:
    """The renderers to run, the baseline first, each once.

    Raises:
        UsageError: there is none of a name, or a number of views that no portrait can have.
    """
    for name in names:
        if name not in MODES:
            raise UsageError(f"no renderer named {name!r} can be measured; there is {', '.join(MODES)}")
    for number in views:
        if not 1 <= number <= MOST_VIEWS:
            raise UsageError(f"--views {number}: a portrait has 1 to {MOST_VIEWS}")
    return list(dict.fromkeys([STILL, *names]))


def drawer(name: str, views: Sequence[View]) -> Draw:
    """A function from landmarks, (478, 3) in pixels of the first view, to the whole picture."""
    canvas = views[0]
    if name == STILL:
        return lambda target: canvas.rgb
    render = make_renderer(name, views)
    return lambda target: composite(canvas, render(target))[0]


def painted(name: str, views: Sequence[View]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what the renderer paints on the first view; None for the baseline."""
    if name == STILL:
        return None
    patch = make_renderer(name, views)(views[0].points)
    height, width = patch.rgb.shape[:2]
    return patch.left, patch.top, patch.left + width, patch.top + height
