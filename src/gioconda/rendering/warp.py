"""The renderer called `warp`: `flow`, and a small network for what the picture does not hold.

The network paints in a frame of 256 pixels, at the mouth and the eyes, no more than the gate lets
it (`clues.py`). What it changes is enlarged and added to the picture's own warped pixels, which
keep their full resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.errors import UsageError
from gioconda.face import EYES, LIPS_INNER_UPPER, MOUTH_OUTLINE, Points
from gioconda.inference import answers, open_network
from gioconda.portrait import View
from gioconda.rendering.clues import CHANNELS, FRAME, WINDOWS, draw_clues, draw_gates, warp_frame, window_corner
from gioconda.rendering.fused import flow_of
from gioconda.rendering.head import Head, affine
from gioconda.rendering.plates import polygon_mask
from gioconda.rendering.renderer import Patch

Array = NDArray[Any]


class WarpRenderer:
    """See `gioconda.rendering.Renderer`. The first view is the canvas."""

    def __init__(self, views: Sequence[View], weights: Path) -> None:
        canvas = views[0]
        self._flow = flow_of(views)
        self._frame = warp_frame(canvas.points)
        self._rest = self._frame.picture(canvas.rgb)
        self._source = self._frame.points(canvas.points)
        self._head = Head(self._source)
        self._depth = float(self._source[list(LIPS_INNER_UPPER), 2].mean())
        self._weights, self._session = weights, _session(weights)

    def __call__(self, target: Points) -> Patch:
        """The region around the face with the landmarks at `target`, (478, 3) in canvas pixels."""
        patch = self._flow(target)
        placed = self._frame.points(target)
        gates = draw_gates(self._source, placed)
        if not any(gate.any() for gate in gates.values()):
            return patch
        corner = np.array([[1, 0, patch.left], [0, 1, patch.top]], float)
        warped = self._frame.picture(patch.rgb, corner)
        moved = moved_with_head(self._rest, self._head, placed, self._depth)
        clues = draw_clues(warped, moved, placed)
        inside = np.maximum(clues[..., 6], clues[..., 8]).astype(np.float32) / 255
        rgb = patch.rgb.copy()
        moved_to = target.astype(np.float32) - (patch.left, patch.top, 0)
        for kind, gate in gates.items():
            if gate.any():
                change = self._change(kind, clues, gate, placed)
                self._add(rgb, change, inside, kind, placed, moved_to, corner)
        return replace(patch, rgb=rgb)

    def _change(self, kind: str, clues: Array, gate: Array, placed: Points) -> Array:
        """What the network adds to the warped picture in a window, float32 (256, 256, 3) in 8-bit levels."""
        change = np.zeros((FRAME, FRAME, 3), np.float32)
        left, top = window_corner(kind, placed)
        width, height = WINDOWS[kind]
        part = np.s_[top : top + height, left : left + width]
        seen = (clues[part].astype(np.float32) / 255).transpose(2, 0, 1)[None]
        (output,) = answers(self._session, seen, [(1, 4, height, width)], self._weights)
        painted = output[0].transpose(1, 2, 0)
        share = painted[..., 3:] * gate[part][..., None]
        change[part] = share * (painted[..., :3] * 255 - clues[part][..., :3])
        return change

    def _add(
        self, rgb: Array, change: Array, inside: Array, kind: str, placed: Points, target: Points, corner: Array
    ) -> None:
        """Enlarge a window's change to the region's pixels and add it, in place.

        The inside of an opening and the skin around it are enlarged apart: else the one would bleed
        over the sharp edge of the other.
        """
        left, top = window_corner(kind, placed)
        width, height = WINDOWS[kind]
        to_region = cv2.invertAffineTransform(self._frame.matrix @ np.vstack([corner, (0, 0, 1)]))
        scale, offset = to_region[0, 0], to_region[:, 2]
        low = np.maximum(np.floor(np.array([left, top]) * scale + offset), 0).astype(int)
        high = np.minimum(np.ceil(np.array([left + width, top + height]) * scale + offset), rgb.shape[1::-1]).astype(
            int
        )
        size = int(high[0] - low[0]), int(high[1] - low[1])
        if min(size) < 1:
            return
        matrix = to_region.copy()
        matrix[:, 2] -= low

        def enlarged(weight: Array) -> Array:
            stack = np.dstack([change * weight[..., None], weight])[top : top + height, left : left + width]
            shift = matrix.copy()
            shift[:, 2] += matrix[:, :2] @ (left, top)
            big = cv2.warpAffine(cv2.blur(stack, (3, 3)), shift, size, flags=cv2.INTER_LINEAR)
            return big[..., :3] / np.maximum(big[..., 3:], 1e-3)

        openings = [MOUTH_OUTLINE] if kind == "mouth" else [eye.outline for eye in EYES]
        sharp = np.zeros(size[::-1], np.float32)
        for outline in openings:
            polygon = target[list(outline), :2]
            sharp = np.maximum(sharp, polygon_mask(polygon, int(low[0]), int(low[1]), *size))
        share = sharp[..., None]
        within, around = enlarged(np.clip(2 * inside - 1, 0, 1)), enlarged(np.clip(1 - 2 * inside, 0, 1))
        place = rgb[low[1] : high[1], low[0] : high[0]]
        place[:] = np.clip(np.rint(place + around + share * (within - around)), 0, 255)


def moved_with_head(rest: Array, head: Head, placed: Points, depth: float) -> Array:
    """The picture in the frame as the skull's movement takes it, uint8 (256, 256, 3)."""
    matrix = affine(head.pose(placed), depth)
    return cv2.warpAffine(rest, matrix, (FRAME, FRAME), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _session(weights: Path) -> Any:
    session = open_network(weights, gpu=True)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [i.name for i in inputs] != ["clues"] or inputs[0].shape[1:2] != [CHANNELS] or len(outputs) != 1:
        raise UsageError(f"{weights}: another network; give the warp.onnx that 'gioconda train warp' wrote")
    return session
