"""Where each pixel comes from: a dense backward displacement from landmarks, in closed form.

Inside the face the triangles of the mesh move as they must, drawn far to near so that a nose covers
the cheek behind it. Outside, the movement of the face's outline goes on by mean-value coordinates
(a turned or tilted outline carries the hair along as a rigid body would; close to the face
everything moves as its skin does) and fades with the distance to nothing at the edge. Where there
are neighbours, each place belongs to the head that is nearest, and no other moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import OVAL, Points
from gioconda.geometry import smoothstep
from gioconda.rendering.head import Head
from gioconda.rendering.mesh import FaceMesh
from gioconda.rendering.silhouette import Silhouette

Array = NDArray[Any]

MESH_PIXELS = 288
"""Longest side at which the triangles are drawn; a displacement needs no more, whatever the picture's size."""
FOLD = 6.0
"""Pixels of that drawing by which neighbouring places come from apart where one part of a face covers another."""
TURNED = (0.03, 0.2)
"""Gain of the cosine between line of sight and normal from which, and over which, a place has turned into view."""
TURNED_SOFT = 1 / 12
"""Width over which that is smoothed, in widths of the face."""
CLINGING = 0.06
"""Face heights between the outline as it is seen and the face's rim up to which they are the same skin."""
SEAM = 9
"""Width, at the size of that drawing, over which face and surroundings give way to each other."""
GRID = 44
"""Cells a side in which the fading outside the face is computed."""
HELD = {"top": 1.75, "side": 1.35, "bottom": 1.15}
"""How far the head goes along undiminished, in half sizes of the face from its middle: hair, ears, neck."""
GIVING = 0.85
"""Share of the way from the region's edge to the face over which movement grows from nothing to all."""
FADED = {"top": 3.0, "side": 2.9, "bottom": 2.6}
"""Where nothing moves any more, likewise."""
GIVE_WAY = 0.8
"""How much farther, in head sizes, a neighbour's head must be than this one for the movement to be all there, at least.
So wide that what lies between two heads is stretched rather than folded when they move (`retarget.Sitter`)."""
TERRITORY_PIXELS = 512
"""Longest side at which that is computed."""


@dataclass(frozen=True)
class Fading:
    """How much of the head's movement reaches a place outside the face, and of the skin's at its rim: 1 to 0.

    All are (GRID, GRID). Where the head ends, hair and all, it moves as a whole.
    """

    share: Array
    skin: Array
    x: Array
    y: Array

    @staticmethod
    def around(points: Points, width: int, height: int) -> Fading:
        """For a face at rest in a region of the picture, landmarks in that region's pixels."""
        x, y = _cells(GRID, GRID, width, height)
        outline = points[list(OVAL), :2]
        low, high = outline.min(axis=0), outline.max(axis=0)
        radius, (inner, outer) = _distance(points, x, y, HELD, FADED)
        fade = 1 - smoothstep((radius - inner) / (outer - inner))
        # The region's edge stands still, and the whole way from there to the face gives a little.
        cell = np.array([width, height]) / GRID
        for to_edge, face, step in (
            (x, low[0], cell[0]),
            (y, low[1], cell[1]),
            (width - 1 - x, width - 1 - high[0], cell[0]),
            (height - 1 - y, height - 1 - high[1], cell[1]),
        ):
            fade = fade * smoothstep((to_edge - step / 2) / max(GIVING * (face - step / 2), step))
        skin = 1 - np.clip((radius - 1) / (inner - 1), 0, 1)
        return Fading(fade, skin, x, y)


def _cells(columns: int, rows: int, width: int, height: int) -> tuple[Array, Array]:
    """Middles, x and y, of the cells of a grid laid over a region, in the region's pixels: (rows, columns) each."""
    x = (np.arange(columns) + 0.5) * (width / columns) - 0.5
    y = (np.arange(rows) + 0.5) * (height / rows) - 0.5
    return np.broadcast_to(x, (rows, columns)), np.broadcast_to(y[:, None], (rows, columns))


def _distance(points: Points, x: Array, y: Array, *reaches: dict[str, float]) -> tuple[Array, list[Array]]:
    """Distance from the middle of a face in half sizes of it, and how far some reaches go in that direction."""
    outline = points[list(OVAL), :2]
    low, high = outline.min(axis=0), outline.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    across, down = (x - middle[0]) / half[0], (y - middle[1]) / half[1]
    radius = np.hypot(across, down)
    vertical = np.square(down / np.maximum(radius, 1e-6))
    above = down < 0
    return radius, [
        reach["side"] + vertical * (np.where(above, reach["top"], reach["bottom"]) - reach["side"]) for reach in reaches
    ]


def _nearness(points: Points, x: Array, y: Array) -> Array:
    """Distance from the middle of a face in half sizes of the head, hair included."""
    radius, (head,) = _distance(points, x, y, HELD)
    return radius / head


def territory(points: Points, neighbours: Sequence[Points], width: int, height: int) -> Array:
    """How far each place goes along with a head: float32 (height, width), 1 to 0, and 0 where another is nearer.

    Distances to heads are in their own sizes, hair included. Landmarks, (478, 3), in the region's pixels.
    """
    scale = min(1.0, TERRITORY_PIXELS / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = _cells(*size, width, height)
    share = np.ones(size[::-1])
    outline = points[list(OVAL), 0], points[list(OVAL), 1]
    for neighbour in neighbours:
        farther = _nearness(neighbour, x, y) - _nearness(points, x, y)
        room = float((_nearness(neighbour, *outline) - _nearness(points, *outline)).min())
        share = share * smoothstep(farther / max(GIVE_WAY, GIVING * room))
    return cv2.resize(share.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Displacement:
    """Where the pixels of a region come from.

    Attributes:
        back: from each pixel of the result to where it lies in the picture, float32 (h, w, 2), x then y.
        turned: how far each place of the face has turned into view, float32 (h, w), 0 to 1.
        other: where the counterpart on the other half of the face lies, as `back`.
        lent: how far that is to be shown in its place, float32 (h, w), 0 to 1: it has turned into view, and the picture
            shows its counterpart better.
        surface: where places that have turned into view are on the unrolled skin, as `back`.
        edges: where one part of the face covers another, float32 (h, w), 0 to 1: drawn in steps there.
        step: pixels of such a step.
    """

    back: Array
    turned: Array
    other: Array
    lent: Array
    surface: Array
    edges: Array
    step: float


class Field:
    """Backward displacement in a region of the picture, for one face at rest."""

    def __init__(self, source: Points, head: Head, width: int, height: int, neighbours: Sequence[Points] = ()) -> None:
        """`source` are the picture's landmarks, (478, 3), in pixels of the region, `neighbours` those of others."""
        self._size = width, height
        self._territory = territory(source, neighbours, width, height)[..., None] if neighbours else None
        self._head = head
        self._skin = _Clinging.of(source)
        self._mesh = FaceMesh(source)
        self._fading = Fading.around(source, width, height)
        self._rest = self._silhouette(source)

    def _silhouette(self, points: Points) -> Silhouette:
        pose = self._head.pose(points)
        middle = pose.apply(self._head.middle[None])[0, :2]
        return Silhouette.of(points, middle, float(np.arctan2(pose.rotation[1, 0], pose.rotation[0, 0])))

    def __call__(self, target: Points) -> Displacement:
        """Where the pixels come from for landmarks at `target`, (478, 3), in pixels of the region."""
        polygon = self._silhouette(target).polygon
        slid = self._rest.polygon - polygon
        clung = self._skin.movement(polygon, target[list(OVAL), :2], slid)
        outside = _outside(polygon, slid, clung, self._fading)
        moved = _with_face(cv2.resize(outside, self._size, interpolation=cv2.INTER_LINEAR), self._mesh, target)
        if self._territory is None:
            return moved
        own = self._territory[..., 0]
        return replace(moved, back=moved.back * self._territory, turned=moved.turned * own, lent=moved.lent * own)


@dataclass(frozen=True)
class _Clinging:
    """The rim of the face in the picture, (m, 2), and how far, 0 to 1, each point of it lies on the outline, (m, 1)."""

    points: Array
    outer: Array

    @staticmethod
    def of(source: Points) -> _Clinging:
        points = source[list(OVAL), :2].astype(np.float64)
        hull = cv2.convexHull(source[:SKIN, :2].astype(np.float32))
        inside = np.array([cv2.pointPolygonTest(hull, point, True) for point in points.tolist()])
        return _Clinging(points, _clings(inside[:, None], points))

    def movement(self, polygon: Array, now: Array, slid: Array) -> Array:
        """What is to be added to how the outline, (n, 2), slid over the head, (n, 2), for it to move as skin does.

        A forehead that turns sideways takes the hair above it along, though the outline there stays what it is. Where
        the outline is not the face's rim (which is `now`, (m, 2)), because a cheek hides that, or hid it in the
        picture, it slides.
        """
        along, way = np.roll(now, -1, axis=0) - now, polygon[:, None] - now
        place = np.clip((way * along).sum(axis=-1) / np.maximum(np.square(along).sum(axis=-1), 1e-6), 0, 1)[..., None]
        apart = np.linalg.norm(way - place * along, axis=-1)
        side, each = apart.argmin(axis=1), np.arange(len(polygon))
        place, apart = place[each, side], apart[each, side, None]

        def between(values: Array) -> Array:
            return (1 - place) * values[side] + place * np.roll(values, -1, axis=0)[side]

        return _clings(apart, now) * between(self.outer) * (between(self.points - now) - slid)


def _clings(apart: Array, rim: Array) -> Array:
    """How far, 0 to 1, the outline is the skin of the rim, (m, 2), for some pixels between them."""
    return 1 - smoothstep(apart / (CLINGING * np.ptp(rim[:, 1])))


def _with_face(back: Array, mesh: FaceMesh, target: Points) -> Displacement:
    """The movement of the face's triangles in that of its surroundings, (h, w, 2), which is written over."""
    height, width = back.shape[:2]
    turned, lent, edges = (np.zeros((height, width), np.float32) for _ in range(3))
    moved = Displacement(back, turned, back, lent, back, edges, 1.0)
    outline = target[list(OVAL), :2]
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, (width, height))
    if right - left < 2 or bottom - top < 2:
        return moved
    part = np.s_[top:bottom, left:right]
    large = int(right - left), int(bottom - top)
    scale = min(1.0, MESH_PIXELS / max(large))
    size = max(2, round(large[0] * scale)), max(2, round(large[1] * scale))
    ratio = np.array([size[0] / large[0], size[1] / large[1]])
    # Pixel centres lie at whole numbers in both.
    offset = (0.5 - np.array([left, top])) * ratio - 0.5
    drawn = mesh.draw(target, (ratio, offset), size)
    outside = cv2.resize(back[part], size, interpolation=cv2.INTER_LINEAR)
    step = 1 / float(ratio.mean())
    merged, folds = _merged(drawn.back, drawn.mask, outside, FOLD * step)
    back[part], sharp = _enlarged(merged, folds, large, FOLD * step)
    near = 2 * round(step) + 1
    moved.edges[part] = np.clip(3 * cv2.blur(sharp.astype(np.float32), (near, near)), 0, 1)
    soft = TURNED_SOFT * float(np.ptp(outline[:, 0]) * ratio[0])
    face, gain = drawn.mask[::2, ::2].astype(np.float32), drawn.gain[::2, ::2]
    for into, much in ((moved.turned, face), (moved.lent, face * drawn.lent[::2, ::2])):
        if much.any():
            into[part] = cv2.resize(_turned(gain, much, face, soft / 2), large, interpolation=cv2.INTER_LINEAR)
    if lent.any():
        moved = replace(moved, other=_laid(drawn.other, back, part))
    if turned.any():
        moved = replace(moved, surface=_laid(drawn.surface, back, part))
    return replace(moved, step=step)


def _laid(drawn: Array, back: Array, part: tuple[slice, slice]) -> Array:
    """A field of the face alone, drawn at some size, in a part of one as large as another, float32 (h, w, 2)."""
    laid = np.zeros_like(back)
    size = part[1].stop - part[1].start, part[0].stop - part[0].start
    laid[part] = cv2.resize(cv2.blur(drawn, (3, 3)), (int(size[0]), int(size[1])), interpolation=cv2.INTER_LINEAR)
    return laid


def _merged(inside: Array, mask: Array, outside: Array, leap: float) -> tuple[Array, Array]:
    """The face's movement in that of its surroundings, (h, w, 2), with a soft seam; and where it folds, bool (h, w)."""
    merged = np.where(mask[..., None] > 0, inside, outside)
    # Half way between two places that come from far apart lies neither.
    folds = _folds(merged, leap)
    merged = np.where(folds[..., None], merged, cv2.blur(merged, (3, 3)))
    soft = cv2.erode(mask.astype(np.float32), np.ones((SEAM, SEAM), np.uint8), borderValue=(0.0,))
    return outside + cv2.blur(soft, (SEAM, SEAM))[..., None] * (merged - outside), folds


def _folds(field: Array, leap: float) -> Array:
    """Where neighbours come from places further apart than `leap`, bool (h, w)."""
    around = np.ones((3, 3), np.uint8)
    apart = cv2.dilate(field, around) - cv2.erode(field, around)
    folds: Array = np.maximum(apart[..., 0], apart[..., 1]) > leap
    return folds


def _enlarged(field: Array, folds: Array, size: tuple[int, int], leap: float) -> tuple[Array, Array]:
    """A field at another size; what is left of its folds stays sharp, and is where the second, uint8 (h, w), is 1."""
    left = (folds & _folds(field, leap)).astype(np.uint8)
    if size == field.shape[1::-1]:
        return field, left
    large = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)
    sharp = cv2.resize(left, size, interpolation=cv2.INTER_NEAREST)
    np.copyto(large, cv2.resize(field, size, interpolation=cv2.INTER_NEAREST), where=sharp[..., None] > 0)
    return large, sharp


def _turned(gain: Array, share: Array, face: Array, soft: float) -> Array:
    """How far a share of places of the face turned into view, float32 (h, w), 0 to 1, smoothed over some pixels."""
    least, over = TURNED
    width = 2 * round(soft / 2) + 1
    much = share * np.clip((gain - least) / over, 0, 1)
    turned = cv2.blur(much, (width, width)) / np.maximum(cv2.blur(face, (width, width)), 1e-3)
    inside = cv2.erode(face, np.ones((3, 3), np.uint8), borderValue=(0.0,))
    return turned * cv2.blur(inside, (3, 3))


def _outside(polygon: Array, slid: Array, clung: Array, fading: Fading) -> Array:
    """Faded movement of the face's outline, (n, 2), on the coarse grid, float32 (GRID, GRID, 2).

    `slid` is the whole head's, `clung` what the skin's is besides, (n, 2) each.

    Source: Hormann & Floater, "Mean value coordinates for arbitrary planar polygons", TOG 2006.
    """
    moves = fading.share.ravel() > 0
    # Spokes from each place to the outline's points, and those that follow.
    x, y = (
        polygon[:, axis].astype(np.float32) - at.ravel()[moves, None].astype(np.float32)
        for axis, at in enumerate((fading.x, fading.y))
    )
    length = np.sqrt(x * x + y * y) + np.float32(1e-3)
    next_x, next_y, next_length = (np.roll(values, -1, axis=1) for values in (x, y, length))
    # tan of half the angle between neighbouring spokes, in the form that is exact for small angles
    half = (x * next_y - y * next_x) / np.maximum(length * next_length + x * next_x + y * next_y, np.float32(1e-3))
    weight = (half + np.roll(half, 1, axis=1)) / length
    weight /= weight.sum(axis=1, keepdims=True)
    field = np.zeros((GRID * GRID, 2), np.float32)
    moved = weight @ slid + fading.skin.ravel()[moves, None] * (weight @ clung)
    field[moves] = moved * fading.share.ravel()[moves, None]
    return field.reshape(GRID, GRID, 2)
