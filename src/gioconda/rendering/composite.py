"""The face region, or those of several people, back into the full picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.portrait import View
from gioconda.rendering.renderer import Patch


def composite(canvas: View, *patches: Patch) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The whole picture, uint8 (height, width, 3), and its alpha where the canvas has one."""
    rgb = canvas.rgb.copy()
    alpha = None if canvas.alpha is None else canvas.alpha.copy()
    for patch in patches:
        height, width = patch.rgb.shape[:2]
        part = np.s_[patch.top : patch.top + height, patch.left : patch.left + width]
        _lay(rgb[part], patch.rgb, None if patch.mask is None else patch.mask[..., None])
        if alpha is not None and patch.alpha is not None:
            _lay(alpha[part], patch.alpha, patch.mask)
    return rgb, alpha


def _lay(part: NDArray[np.uint8], pixels: NDArray[np.uint8], share: NDArray[Any] | None) -> None:
    """Pixels over a part of a picture, in place."""
    part[:] = pixels if share is None else np.rint(part * (1 - share) + pixels * share)
