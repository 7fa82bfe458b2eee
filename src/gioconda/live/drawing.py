"""The portrait drawn for each movement, as large as the machine can keep up with, and marked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gioconda.avatar import Avatar
from gioconda.inference import AUTO
from gioconda.live.driver import Moved, State
from gioconda.live.pace import GOAL, Pace
from gioconda.media.clip import on_paper
from gioconda.performance import Motion
from gioconda.pipeline import marked_pictures, painter
from gioconda.portrait import Portrait
from gioconda.rendering.renderer import DEFAULT_RENDERER
from gioconda.retarget import Gains

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Reflection:
    """The portrait doing what the driver did in one frame.

    Attributes:
        moved: that frame, and the movement in it.
        rgb: uint8 (height, width, 3), with the mark.
        latency: seconds from the frame's coming to this picture.
    """

    moved: Moved
    rgb: Rgb
    latency: float


@dataclass(frozen=True)
class Look:
    """How the portrait is drawn: the options of `pipeline.animate`, and whether the visible label is there."""

    gains: Gains = field(default_factory=Gains)
    absolute: bool = False
    renderer: str = DEFAULT_RENDERER
    weights: Path | Avatar | None = None
    device: str = AUTO
    label: bool = False


def sketcher(portrait: Portrait, look: Look) -> Callable[[Motion], Rgb]:
    """What draws a portrait, of its canvas's size, for a movement; marked as a clip is, as at rest."""
    paint = painter(portrait, look.gains, look.absolute, look.renderer, look.weights, look.device)
    return marked_pictures(portrait.views[0], paint, look.label)


class Drawing:
    """Draws a portrait, in the size that the machine keeps up with."""

    def __init__(self, portrait: Portrait, look: Look, goal: float = GOAL) -> None:
        """The portrait in the largest size wanted (`Portrait.framed`), and the seconds that a picture may take.

        Transparent parts of the portrait show as paper.
        """
        canvas = portrait.views[0]
        if canvas.alpha is not None:
            canvas = replace(canvas, rgb=on_paper(canvas.rgb, canvas.alpha), alpha=None)
        opaque = Portrait((canvas, *portrait.views[1:]))
        largest = max(canvas.rgb.shape[:2])
        self._pace = Pace(largest, goal)
        self._sketch = cache(lambda size: sketcher(opaque if size == largest else opaque.framed(size=size), look))

    def __call__(self, moved: Moved) -> Reflection:
        """The portrait in one frame."""
        rgb = self._sketch(self._pace.size)(moved.motion)
        now = time.monotonic()
        latency = now - moved.frame.at
        if moved.state != State.CALIBRATING:  # while the tracker starts up, being late says nothing
            self._pace.note(now, latency)
        return Reflection(moved, rgb, latency)
