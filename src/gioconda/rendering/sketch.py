"""The renderer called `sketch`: the generator of 2019 paints the face from a drawing of its landmarks.

Needs the extra `learn` (torch). The generator paints the whole square around the face; its border
fades into the picture.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils import parametrize

from gioconda.avatar import Avatar
from gioconda.errors import AvatarError, UsageError
from gioconda.face import Points
from gioconda.inference import AUTO, CPU
from gioconda.learning.footage import FACE_SHARE
from gioconda.learning.networks import Generator, Shape
from gioconda.learning.personal_sketch import GENERATOR, PERSONAL
from gioconda.learning.raster import draw_sketch
from gioconda.portrait import View
from gioconda.rendering.network_frame import NetworkFrame
from gioconda.rendering.renderer import Patch
from gioconda.untrusted import one_line

FADE = 0.08
"""Width of the fading border, in sides of the square."""


class SketchRenderer:
    """See `gioconda.rendering.Renderer`. `canvas` is the avatar's first view, perhaps framed or resized."""

    def __init__(self, canvas: View, avatar: Avatar, device: str = AUTO) -> None:
        there = ("cuda", CPU) if torch.cuda.is_available() else (CPU,)
        if device not in (AUTO, *there):
            raise UsageError(f"device {device}: the installed torch computes sketch on {' or '.join(there)}")
        self._device = there[0] if device == AUTO else device
        self._generator, self._personal = _networks(avatar, self._device)
        size = Shape.of(avatar.about.shape).size
        self._frame = NetworkFrame.of(canvas.points, size, FACE_SHARE)
        height, width = canvas.rgb.shape[:2]
        back: NDArray[Any] = cv2.invertAffineTransform(self._frame.matrix)
        corner, side = back @ (-0.5, -0.5, 1), back[0, 0] * size
        self._left, self._top = np.maximum(np.floor(corner), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(corner + side), (width, height)).astype(int).tolist()
        self._size = right - self._left, bottom - self._top
        self._enlarging = back.copy()
        self._enlarging[:, 2] -= np.array([self._left, self._top])
        self._mask = self._enlarged(_faded(size))

    def __call__(self, target: Points) -> Patch:
        """The square around the face with the landmarks at `target`, (478, 3) in canvas pixels."""
        placed = torch.from_numpy(self._frame.points(target)[None]).to(self._device)
        with torch.inference_mode():
            made = self._generator(draw_sketch(placed, self._frame.size), self._personal)[0]
            picture = (made * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        return Patch(self._left, self._top, self._enlarged(picture), self._mask)

    def _enlarged(self, picture: NDArray[Any]) -> NDArray[Any]:
        return cv2.warpAffine(
            picture, self._enlarging, self._size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ).clip(0, 255 if picture.dtype == np.uint8 else 1)


def _networks(avatar: Avatar, device: str) -> tuple[Generator, torch.Tensor]:
    numbers = {name: torch.from_numpy(np.asarray(values)).float().to(device) for name, values in avatar.network.items()}
    try:
        generator = Generator(Shape.of(avatar.about.shape))
        del generator.project  # its work is done: what it gave is in the avatar
        personal = numbers.pop(PERSONAL)
        if personal.shape != (1, sum(generator.lengths)):
            raise ValueError(f"personal parameters of shape {tuple(personal.shape)}")
        own = {name.removeprefix(GENERATOR): values for name, values in numbers.items()}
        generator.to(device).load_state_dict(own)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise AvatarError(
            f"the avatar's network does not fit its header ({one_line(error)}); make the avatar again"
        ) from error
    for part in generator.eval().modules():
        if parametrize.is_parametrized(part):
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
    return generator.to(memory_format=torch.channels_last), personal  # type: ignore[call-overload]


def _faded(size: int) -> NDArray[Any]:
    """float32 (size, size): 1, falling to 0 at the border."""
    ramp = np.clip((np.minimum(np.arange(size), np.arange(size)[::-1])) / (FADE * size), 0, 1).astype(np.float32)
    smooth = ramp * ramp * (3 - 2 * ramp)
    return np.outer(smooth, smooth)
