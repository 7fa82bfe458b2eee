"""Several pictures of a person as one: each part of the face from the picture that shows it most nearly as it must be.

The first view is the canvas: background, hair and whatever no other view shows better. A part (the
whole face, its eyes, its mouth) may be drawn from one of the other views instead, warped to the same
landmarks, where that view's pose and expression are nearer to the wanted ones. What it draws takes
the canvas's light along the part's edge and fades into it there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import EYES, LIPS, OVAL, Points, bounds, eye_distance, face_model
from gioconda.neutral import head_pose
from gioconda.portrait import View
from gioconda.rendering.flow import FlowRenderer
from gioconda.rendering.mouth_plate import teeth_shown
from gioconda.rendering.plates import bounding, grown, polygon_mask
from gioconda.rendering.renderer import Patch, Renderer

Array = NDArray[Any]


SOFT = 0.012
"""Difference of nearness, in eye distances, over which one view gives way to another."""


@dataclass(frozen=True)
class Part:
    """A part of the face that is taken from one view as a whole.

    Attributes:
        shape: landmarks by which views are compared.
        areas: landmarks whose hulls it covers.
        margin: how far the hulls are grown, in eye distances.
        fade: width of the seam, in eye distances.
        turn: what a degree of the head counts for, against a shape that is off by an eye distance.
        loyalty: how much nearer than the canvas another view must be, in eye distances; no less than `SOFT`, so that
            the canvas with its own landmarks stays as it is.
    """

    shape: tuple[int, ...]
    areas: tuple[tuple[int, ...], ...]
    margin: float
    fade: float
    turn: float
    loyalty: float


FACE = Part(LIPS, (OVAL,), margin=-0.06, fade=0.22, turn=0.006, loyalty=0.12)
"""From another view where the head is turned too far for the canvas."""
DETAILS = (
    Part(
        tuple(i for eye in EYES for i in (*eye.outline, *eye.iris)),
        tuple((*eye.outline, *eye.hollow) for eye in EYES),
        margin=0.12,
        fade=0.15,
        turn=0.002,
        loyalty=SOFT,
    ),
    Part(LIPS, (LIPS,), margin=0.2, fade=0.2, turn=0.002, loyalty=SOFT),
)
"""Eyes and mouth, drawn over the face."""
ROOM = 1.3
"""Side of what is kept of a further view, in face sizes."""
COARSE = 8
"""Pixels over which light is compared."""
BLACK = 24
"""Levels of brightness that are added before they are compared: the dark says little about the light."""


OneView = Callable[[Sequence[View]], Renderer]
"""Makes a renderer that draws the first of some views; the others may lend their teeth."""


def renderer_of(views: Sequence[View], one: OneView = FlowRenderer) -> Renderer:
    """A renderer for one view or several, each of which is drawn by `one`."""
    return one(views) if len(views) == 1 else FusedRenderer(views, one)


class FusedRenderer:
    """See `gioconda.rendering.Renderer`. Any of the views may draw a part of the face; the first draws the rest."""

    def __init__(self, views: Sequence[View], one: OneView = FlowRenderer) -> None:
        # Each picture borrows the teeth of the one that shows most of them.
        smile = max(views, key=lambda view: teeth_shown(view.rgb, view.points))
        self._canvas = one([views[0], smile])
        self._unit = float(eye_distance(views[0].points))
        self._others = [_Further(view, smile, self._unit, one) for view in views[1:]]
        self._likenesses = [_Likeness.of(view.points) for view in views]

    def __call__(self, target: Points) -> Patch:
        """The region around the face with the landmarks at `target`, (478, 3) in canvas pixels."""
        patch = self._canvas(target)
        wanted = _Likeness.of(target)
        moved = target.astype(np.float32) - (patch.left, patch.top, 0)
        drawn = {0: _Piece(patch.rgb.copy(), 0, 0)}
        shares = [self._shares(wanted, part) for part in (FACE, *DETAILS)]
        for index in sorted(set().union(*shares) - drawn.keys()):
            drawn[index] = self._others[index - 1].draw(moved)
        below = {0: 1.0}
        for part, share in zip((FACE, *DETAILS), shares, strict=True):
            if share != below:
                _lay(patch.rgb, moved, part, self._unit, [(drawn[index], share[index]) for index in sorted(share)])
            below = shares[0]
        return patch

    def _shares(self, wanted: _Likeness, part: Part) -> dict[int, float]:
        """From which views, by number, a part is drawn, and how much from each."""
        costs = np.array([wanted.distance(other, part) for other in self._likenesses])
        costs[0] -= part.loyalty
        return nearest(costs)


@dataclass(frozen=True)
class _Likeness:
    """How a head is held, and its face apart from that.

    Attributes:
        turned: rotation, (3, 3), from the canonical head.
        face: landmarks, (478, 2), in canonical place, in eye distances.
    """

    turned: Array
    face: Array

    @staticmethod
    def of(points: Points) -> _Likeness:
        pose = head_pose(face_model().shape, points)
        return _Likeness(pose.rotation, pose.undo(points.astype(np.float64))[:, :2])

    def distance(self, other: _Likeness, part: Part) -> float:
        """How far a part of another face is from this one, in eye distances."""
        cosine = (np.trace(self.turned.T @ other.turned) - 1) / 2
        degrees = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        apart = np.linalg.norm((self.face - other.face)[list(part.shape)], axis=1).mean()
        return float(apart) + part.turn * degrees


def nearest(costs: Array) -> dict[int, float]:
    """Shares, adding up to 1, of the one or two lowest costs; they change continuously with the costs."""
    order = np.argsort(costs, kind="stable")[:3]
    low = costs[order[0]]
    reach = SOFT if len(order) < 3 else min(SOFT, costs[order[2]] - low)
    second = max(0.0, 1 - (costs[order[1]] - low) / reach) if len(order) > 1 and reach > 0 else 0.0
    shares = {int(order[0]): 1 / (1 + second)}
    if second > 0:
        shares[int(order[1])] = second / (1 + second)
    return shares


@dataclass(frozen=True)
class _Piece:
    """Pixels, uint8 (h, w, 3), and where the first lies."""

    rgb: Array
    left: int
    top: int

    def cut(self, left: int, top: int, right: int, bottom: int) -> Array:
        """A window of them; beyond their edge they are repeated."""
        rows = np.clip(np.arange(top, bottom) - self.top, 0, self.rgb.shape[0] - 1)
        columns = np.clip(np.arange(left, right) - self.left, 0, self.rgb.shape[1] - 1)
        return self.rgb[rows[:, None], columns]


class _Further:
    """A further view, in the canvas's size; made ready when it is first of use."""

    def __init__(self, view: View, smile: View, unit: float, one: OneView) -> None:
        """It, the view whose teeth it borrows (perhaps itself), the canvas's eye distance in pixels, what draws it."""
        self._original, self._smile, self._unit, self._one = view, smile, unit, one

    @cached_property
    def _view(self) -> View:
        view = self._original
        x, y, width, height = bounds(view.points)
        half = ROOM / 2 * max(width, height)
        centre = np.array([x + width / 2, y + height / 2])
        left, top = np.maximum(np.floor(centre - half).astype(int), 0)
        right, bottom = np.minimum(np.ceil(centre + half).astype(int), view.rgb.shape[1::-1])
        part = np.ascontiguousarray(view.rgb[top:bottom, left:right])
        scale = self._unit / float(eye_distance(view.points))
        cut = View(part, view.points - np.array([left, top, 0], view.points.dtype))
        return cut.resized(max(2, round(scale * max(part.shape[:2]))))

    @cached_property
    def _renderer(self) -> Renderer:
        return self._one([self._view, self._smile])

    def draw(self, target: Points) -> _Piece:
        """This view with the landmarks at `target`, (478, 3)."""
        shift = np.rint((target - self._view.points)[:, :2].mean(axis=0)).astype(int)
        patch = self._renderer(target - np.array([*shift, 0], np.float32))
        return _Piece(patch.rgb, patch.left + int(shift[0]), patch.top + int(shift[1]))


def _lay(rgb: Array, target: Points, part: Part, unit: float, pieces: Sequence[tuple[_Piece, float]]) -> None:
    """Draw a part of the face over a picture, in place."""
    height, width = rgb.shape[:2]
    points = target[[i for area in part.areas for i in area], :2]
    reach = np.full(2, (max(part.margin, 0) + part.fade) * unit + 2)
    left, top, right, bottom = bounding(points, reach, width, height)
    if right - left < 2 or bottom - top < 2:
        return
    window = rgb[top:bottom, left:right]
    mask = _mask(target, part, unit, (left, top, right - left, bottom - top))
    was = window.astype(np.float32)
    made = np.zeros_like(was)
    for piece, share in pieces:
        shown = piece.cut(left, top, right, bottom).astype(np.float32)
        made += share * shown * _light(was, shown, mask)
    window[:] = np.clip(np.rint(was + mask[..., None] * (made - was)), 0, 255)


def _mask(target: Points, part: Part, unit: float, window: tuple[int, int, int, int]) -> Array:
    """Where a part is drawn, float32 (height, width), 0 to 1, in a window: left, top, width, height."""
    mask = np.zeros((window[3], window[2]), np.float32)
    for area in part.areas:
        hull = cv2.convexHull(target[list(area), :2].astype(np.float32))[:, 0]
        mask = np.maximum(mask, polygon_mask(hull, *window))
    grow = round(part.margin * unit)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(grow) + 1,) * 2)
    grown_mask: Array = cv2.dilate(mask, kernel) if grow > 0 else cv2.erode(mask, kernel, borderValue=(0.0,))
    size = 2 * max(1, round(part.fade * unit / 2)) + 1
    return cv2.blur(cv2.blur(grown_mask, (size, size)), (size, size))


def _light(was: Array, shown: Array, mask: Array) -> Array:
    """By what to multiply another view's pixels, (h, w, 3), to have them in the canvas's light.

    Measured on the seam and carried on smoothly to where the mask is whole.
    """
    height, width = mask.shape
    size = max(1, width // COARSE), max(1, height // COARSE)
    seam = ((mask > 0.03) & (mask < 0.6)).astype(np.float32)

    def coarse(picture: Array) -> Array:
        return cv2.resize(picture * seam[..., None], size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], 3)

    weight = cv2.resize(seam, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0])
    gain = (coarse(was) + BLACK * weight[..., None]) / (coarse(shown) + BLACK * weight[..., None] + 1e-3)
    smooth = grown(gain, (weight > 0.2).astype(np.uint8)).astype(np.float32)
    return cv2.resize(cv2.blur(smooth, (3, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
