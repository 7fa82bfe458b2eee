"""Parts of a picture, to be worked on one after the other or alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def bands(height: int, width: int, pixels: int) -> Iterator[slice]:
    """The rows of a picture from the top, as many at a time as hold so many pixels, at least one."""
    step = max(1, pixels // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def occupied(values: NDArray[Any]) -> tuple[slice, slice] | None:
    """The smallest part, rows and columns, with all that is above 0 of an array (h, w); None: nothing is."""
    rows, columns = (np.flatnonzero(cv2.reduce(values, axis, cv2.REDUCE_MAX)) for axis in (1, 0))
    return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(columns) else None
