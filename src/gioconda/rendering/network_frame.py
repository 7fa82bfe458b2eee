"""The square around a face that a network works in, and the way into it and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import Points, bounds

Array = NDArray[Any]


@dataclass(frozen=True)
class NetworkFrame:
    """The network frame of one picture.

    Attributes:
        matrix: (2, 3), takes the picture's pixels to the frame's.
        size: side of the frame in pixels.
    """

    matrix: Array
    size: int

    @staticmethod
    def of(points: Points, size: int, share: float) -> NetworkFrame:
        """Around a face at rest, (478, 3) in the picture's pixels; its longer side is `share` of the frame's."""
        x, y, width, height = bounds(points)
        scale = size * share / max(width, height)
        middle = np.array([x + width / 2, y + height / 2])
        return NetworkFrame(np.column_stack([np.eye(2) * scale, size / 2 - 0.5 - scale * middle]), size)

    def points(self, points: Points) -> Points:
        """Landmarks, (..., 478, 3), in the frame's pixels."""
        scale = self.matrix[0, 0]
        return (points * scale + np.append(self.matrix[:, 2], 0)).astype(np.float32)

    def picture(self, rgb: Array, first: Array | None = None) -> Array:
        """A picture in the frame, uint8 (size, size, 3); `first`, (2, 3), moves it beforehand."""
        matrix = self.matrix if first is None else self.matrix @ np.vstack([first, (0, 0, 1)])
        rgb, matrix = _shown(rgb, matrix, self.size)
        shrunk = rgb
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        if scale < 0.6:
            # Pixels that would be skipped are averaged first.
            size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
            shrunk = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            grow = np.array([rgb.shape[1] / size[0], rgb.shape[0] / size[1]])
            matrix = np.column_stack([matrix[:, :2] * grow, matrix[:, 2] + matrix[:, :2] @ (grow / 2 - 0.5)])
        side = (self.size, self.size)
        return cv2.warpAffine(shrunk, matrix, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _shown(rgb: Array, matrix: Array, size: int) -> tuple[Array, Array]:
    """The part of a picture that a frame shows, with a margin, and its matrix."""
    corners = np.array([[-1, -1], [size, -1], [-1, size], [size, size]], float)
    back = cv2.invertAffineTransform(matrix)
    seen = corners @ back[:, :2].T + back[:, 2]
    margin = 2 * float(np.abs(back[:, :2]).max()) + 2
    most = np.array(rgb.shape[1::-1]) - 1
    left, top = np.clip(np.floor(seen.min(axis=0) - margin), 0, most).astype(int)
    right, bottom = np.clip(np.ceil(seen.max(axis=0) + margin), 0, most).astype(int) + 1
    shifted = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ (left, top)])
    return rgb[top:bottom, left:right], shifted
