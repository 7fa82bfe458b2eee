"""The face region back into the full picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gioconda.portrait import View
from gioconda.rendering.renderer import Patch


def composite(canvas: View, patch: Patch) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The whole picture, uint8 (height, width, 3), and its alpha where the canvas has one."""
    height, width = patch.rgb.shape[:2]
    part = np.s_[patch.top : patch.top + height, patch.left : patch.left + width]
    rgb = canvas.rgb.copy()
    if patch.mask is None:
        rgb[part] = patch.rgb
    else:
        share = patch.mask[..., None]
        rgb[part] = np.rint(canvas.rgb[part] * (1 - share) + patch.rgb * share)
    if canvas.alpha is None or patch.alpha is None:
        return rgb, canvas.alpha
    alpha = canvas.alpha.copy()
    alpha[part] = patch.alpha
    return rgb, alpha
