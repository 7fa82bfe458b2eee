"""What every saved frame of a clip carries: the invisible mark, and the visible label where it is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from gioconda.credentials.label import Label
from gioconda.credentials.mark import Layer

if TYPE_CHECKING:
    from gioconda.pipeline import Frame


@dataclass(frozen=True)
class Marking:
    """Mark and label of one clip. Both are laid out on its first frame and stay, so that nothing flickers."""

    layer: Layer
    label: Label | None

    @staticmethod
    def of(first: Frame, label: bool) -> Marking:
        """For a clip that begins with a frame; `label`: whether it is to be seen too."""
        height, width = first.rgb.shape[:2]
        return Marking(Layer.of(first.rgb, first.drawn), Label.of(width, height) if label else None)

    def on(self, frame: Frame) -> Frame:
        """A frame of the clip with it."""
        rgb, alpha = self.layer.on(frame.rgb), frame.alpha
        if self.label is not None:
            rgb, alpha = self.label.on(rgb, alpha)
        return replace(frame, rgb=rgb, alpha=alpha)


def marked(frames: Iterable[Frame], label: bool) -> Iterator[Frame]:
    """All frames of a clip, marked; none where there are none."""
    rest = iter(frames)
    for first in rest:
        marking = Marking.of(first, label)
        yield from map(marking.on, chain([first], rest))
