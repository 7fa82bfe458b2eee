"""Landmarks -> sketch: the drawing that steers the generator, in torch, on whatever device the landmarks are.

As in Zakharov et al. 2019 (section 3): lines in one colour per part of the face. What that drawing
lacks is added: the inner lips, and the irises, which carry the gaze.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gioconda.face import (
    BROWS,
    EYES,
    LANDMARKS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    OVAL,
)

Curve = tuple[tuple[float, float, float], tuple[int, ...]]

NOSE = (168, 6, 197, 195, 5, 4, 1, 2)
NOSTRILS = (129, 98, 97, 2, 326, 327, 358)
CURVES: tuple[Curve, ...] = (
    ((0.5, 0.5, 0.5), (*OVAL, OVAL[0])),
    ((1.0, 0.0, 0.0), BROWS[0][:5]),
    ((1.0, 0.0, 0.0), BROWS[0][5:]),
    ((0.0, 1.0, 0.0), BROWS[1][:5]),
    ((0.0, 1.0, 0.0), BROWS[1][5:]),
    ((0.0, 0.3, 1.0), NOSE),
    ((0.0, 0.3, 1.0), NOSTRILS),
    ((1.0, 0.0, 1.0), (*EYES[0].outline, EYES[0].outline[0])),
    ((0.0, 1.0, 1.0), (*EYES[1].outline, EYES[1].outline[0])),
    ((1.0, 1.0, 0.0), LIPS_OUTER_UPPER),
    ((1.0, 1.0, 0.0), LIPS_OUTER_LOWER),
    ((1.0, 0.4, 0.0), LIPS_INNER_UPPER),
    ((0.2, 1.0, 0.5), LIPS_INNER_LOWER),
)
"""Colour, red, green, blue from 0 to 1, and landmark numbers in order, of each line."""
IRIS_COLOUR = (1.0, 1.0, 1.0)

_DOTS = 8
"""Dots a line segment is made of: enough that none is more than two pixels from the next at 256 pixels."""
_CIRCLE = 24


def draw_sketch(points: Tensor, size: int) -> Tensor:
    """Landmarks, (n, 478, 2 or more) in pixels of a square frame of `size` -> sketches, (n, 3, size, size), 0 to 1.

    Lines are about 2 pixels wide and smooth; what lies outside the frame is left out.
    """
    place, step, colour = (torch.from_numpy(m).to(points) for m in _dots())
    flat = points[..., :2]
    at = place @ flat
    # A dot is as strong as the way to the next is long, so that a line is evenly bright.
    strength = torch.linalg.vector_norm(step @ flat, dim=-1)
    low = at.floor()
    share = at - low
    sketch = points.new_zeros(len(points), 3, (size + 2) * (size + 2))
    for right in (0, 1):
        for below in (0, 1):
            x, y = low[..., 0] + right, low[..., 1] + below
            weight = (share[..., 0] if right else 1 - share[..., 0]) * (share[..., 1] if below else 1 - share[..., 1])
            # A margin of one pixel takes what falls outside.
            index = (y.clamp(-1, size) + 1) * (size + 2) + x.clamp(-1, size) + 1
            ink = (weight * strength)[:, None] * colour.T[None]
            sketch.scatter_add_(2, index.long()[:, None].expand(-1, 3, -1), ink)
    inside = sketch.view(-1, 3, size + 2, size + 2)[..., 1:-1, 1:-1]
    return (1.5 * inside).clamp(max=1)


@cache
def _dots() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """How each dot hangs on the landmarks, (dots, 478); its way to the next one, alike; its colour, (dots, 3)."""
    place: list[NDArray[Any]] = []
    step: list[NDArray[Any]] = []
    colour: list[tuple[float, float, float]] = []
    one = np.eye(LANDMARKS, dtype=np.float32)
    for tint, line in CURVES:
        for a, b in pairwise(line):
            for share in (np.arange(_DOTS) + 0.5) / _DOTS:
                place.append((1 - share) * one[a] + share * one[b])
                step.append((one[b] - one[a]) / _DOTS)
                colour.append(tint)
    for eye in EYES:
        middle, right, top, left, bottom = (one[i] for i in eye.iris)
        across, down = (right - left) / 2, (bottom - top) / 2
        for angle in np.arange(_CIRCLE) * (2 * np.pi / _CIRCLE):
            place.append(middle + np.cos(angle) * across + np.sin(angle) * down)
            step.append(2 * np.pi / _CIRCLE * (np.cos(angle) * down - np.sin(angle) * across))
            colour.append(IRIS_COLOUR)
    return (
        np.stack(place).astype(np.float32),
        np.stack(step).astype(np.float32),
        np.array(colour, np.float32),
    )
