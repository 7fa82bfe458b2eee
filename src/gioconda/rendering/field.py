"""Where each pixel comes from: a dense backward displacement from landmarks, in closed form.

Inside the face the triangles of the mesh move as they must, drawn far to near so that a nose covers
the cheek behind it. Outside, the movement of the face's outline goes on by mean-value coordinates
(a turned or tilted outline carries the hair along as a rigid body would) and fades with the
distance to nothing at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import EYES, OVAL, Points, face_model
from gioconda.rendering.head import Head

Array = NDArray[Any]

MESH_PIXELS = 288
"""Longest side at which the triangles are drawn; a displacement needs no more, whatever the picture's size."""
RAYS = 40
"""Points of the face's outline as it is seen."""
SEAM = 9
"""Width, at the size of that drawing, over which face and surroundings give way to each other."""
UPPER_RIM, LOWER_RIM = 0.15, 0.22
"""Share of the eye's opening by which a shut lid's skin begins outside it."""
GRID = 44
"""Cells a side in which the fading outside the face is computed."""
HELD = {"top": 1.75, "side": 1.35, "bottom": 1.15}
"""How far the head goes along undiminished, in half sizes of the face from its middle: hair, ears, neck."""
FADED = {"top": 3.0, "side": 2.9, "bottom": 2.6}
"""Where nothing moves any more, likewise."""


LEAST_FACING = 0.12
"""Cosine between the line of sight and a triangle's normal below which the picture shows nothing of it."""

INTO_VIEW = 0.25
"""Gain of that cosine over which hidden skin goes from where it is to the skin it must be made from."""


@dataclass(frozen=True)
class Fading:
    """How much of the head's movement reaches a place outside the face: (GRID, GRID), 1 to 0."""

    share: Array
    x: Array
    y: Array

    @staticmethod
    def around(points: Points, width: int, height: int) -> Fading:
        """For a face at rest in a region of the picture, landmarks in that region's pixels."""
        columns, rows = ((np.arange(GRID) + 0.5) * size / GRID - 0.5 for size in (width, height))
        x, y = np.meshgrid(columns, rows)
        outline = points[list(OVAL), :2]
        low, high = outline.min(axis=0), outline.max(axis=0)
        middle, half = (low + high) / 2, (high - low) / 2
        cell = max(width, height) / GRID / half.min()
        across, down = (x - middle[0]) / half[0], (y - middle[1]) / half[1]
        radius = np.hypot(across, down)
        vertical = np.abs(down) / np.maximum(radius, 1e-6)
        ends = np.where(down < 0, "top", "bottom")
        inner, outer = (
            kept["side"] + vertical**2 * (np.where(ends == "top", kept["top"], kept["bottom"]) - kept["side"])
            for kept in (HELD, FADED)
        )
        # The picture's edge stands still: where it is near, the fading ends there and begins the sooner.
        edges = np.array([[0.5, 0.5], [width - 1.5, height - 1.5]]) - middle
        to_edge = np.minimum(
            np.where(x > middle[0], edges[1, 0], edges[0, 0]) / _nonzero(x - middle[0]),
            np.where(y > middle[1], edges[1, 1], edges[0, 1]) / _nonzero(y - middle[1]),
        )
        outer = np.maximum(np.minimum(outer, radius * to_edge - 1.5 * cell), 1.0 + cell)
        inner = np.minimum(inner, 1.0 + 0.45 * (outer - 1.0))
        fade = 1 - _smooth((radius - inner) / (outer - inner))
        fade[[0, -1], :] = fade[:, [0, -1]] = 0
        return Fading(fade, x, y)


def _facing(points: Array, triangles: Array) -> Array:
    """Cosine between each triangle's normal and the line of sight, (n,): 1 seen flat on, below 0 from behind."""
    corners = points[triangles].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)


class HiddenSkin:
    """Landmarks that the head hides in the picture, and where to take their colour from once they turn into view.

    A far cheek that comes into view is the visible cheek stretched: its landmarks sample the nearest
    skin that the picture shows.
    """

    def __init__(self, source: Points) -> None:
        """`source` are the picture's landmarks, (478, 3)."""
        triangles = _triangles()
        facing = _facing(source, triangles)
        seen = np.zeros(len(source), bool)
        seen[triangles[facing > LEAST_FACING]] = True
        seen[SKIN:] = True
        self._source = source[:, :2]
        self._hidden = np.flatnonzero(~seen)
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        graph = np.zeros((len(source), len(source)))
        graph[edges[:, 0], edges[:, 1]] = graph[edges[:, 1], edges[:, 0]] = 1
        among = np.diag(graph[self._hidden].sum(axis=1)) - graph[np.ix_(self._hidden, self._hidden)]
        shown = np.linalg.solve(among, graph[np.ix_(self._hidden, np.flatnonzero(seen))] @ source[seen, :2])
        self._shift = shown - source[self._hidden, :2]
        touches = (triangles[None] == self._hidden[:, None, None]).any(axis=2)
        self._nearby = triangles[touches.any(axis=0)]
        self._mean = touches[:, touches.any(axis=0)] / np.maximum(touches.sum(axis=1, keepdims=True), 1)
        self._rest = self._mean @ _facing(source, self._nearby)

    def places(self, target: Points) -> Array:
        """Where each landmark's colour comes from, (478, 2), for landmarks at `target`, (478, 3)."""
        places = self._source.astype(np.float64)
        if len(self._hidden):
            turned = self._mean @ _facing(target, self._nearby) - self._rest
            places[self._hidden] += _smooth(turned / INTO_VIEW)[:, None] * self._shift
        return places


class Field:
    """Backward displacement in a region of the picture, for one face at rest."""

    def __init__(self, source: Points, head: Head, width: int, height: int) -> None:
        """`source` are the picture's landmarks, (478, 3), in pixels of the region."""
        self._size = width, height
        self._head, self._source = head, source
        self._skin = HiddenSkin(source)
        self._fading = Fading.around(source, width, height)
        self._rest = self._silhouette(source)

    def _silhouette(self, points: Points) -> Silhouette:
        pose = self._head.pose(points)
        middle = pose.apply(self._head.middle[None])[0, :2]
        return Silhouette.of(points, middle, float(np.arctan2(pose.rotation[1, 0], pose.rotation[0, 0])))

    def __call__(self, target: Points) -> Array:
        """From each pixel of the result to where it lies in the picture: float32 (height, width, 2), x then y.

        `target` are the landmarks of the result, (478, 3), in pixels of the region.
        """
        outside = _outside(self._rest, self._silhouette(target), self._fading)
        field = cv2.resize(outside, self._size, interpolation=cv2.INTER_LINEAR)
        return _with_face(field, _clear_of_eyes(self._skin.places(target), self._source, target), target)


def _clear_of_eyes(places: Array, source: Points, target: Points) -> Array:
    """The same places, but closing lids take their skin from a little outside the painted opening.

    Landmarks of lids lie on the eye's white as often as on the lid; a shut eye would show it as a line.
    """
    cleared = places.copy()
    for eye in EYES:
        upper, lower = list(eye.upper), list(eye.lower)
        gaps = places[lower] - places[upper]
        painted, now = (np.linalg.norm(p[lower, :2] - p[upper, :2], axis=1).mean() for p in (source, target))
        closing = float(np.clip(1 - now / max(painted, 1e-6), 0, 1))
        cleared[upper] -= UPPER_RIM * closing * gaps
        cleared[lower] += LOWER_RIM * closing * gaps
    return cleared


def _with_face(field: Array, places: Array, target: Points) -> Array:
    """Put the movement of the face's triangles into a field that already holds that of its surroundings."""
    height, width = field.shape[:2]
    outline = target[list(OVAL), :2]
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, (width, height))
    if right - left < 2 or bottom - top < 2:
        return field
    box = field[top:bottom, left:right]
    scale = min(1.0, MESH_PIXELS / max(box.shape[:2]))
    size = max(2, round(box.shape[1] * scale)), max(2, round(box.shape[0] * scale))
    ratio = np.array([size[0] / box.shape[1], size[1] / box.shape[0]])
    corner = np.array([left, top])
    inside, mask = _inside(places, target, (target[:, :2] - corner + 0.5) * ratio - 0.5, size)
    outside = cv2.resize(box, size, interpolation=cv2.INTER_LINEAR)
    merged = np.where(mask[..., None] > 0, inside, outside)
    merged = cv2.blur(merged, (3, 3))
    soft = cv2.erode(mask.astype(np.float32), np.ones((SEAM, SEAM), np.uint8), borderValue=(0.0,))
    soft = cv2.blur(soft, (SEAM, SEAM))[..., None]
    merged = outside + soft * (merged - outside)
    box[:] = cv2.resize(merged, box.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return field


def _nonzero(values: Array) -> Array:
    return np.where(np.abs(values) < 1e-6, 1e-6, values)


def _smooth(t: Array) -> Array:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Silhouette:
    """The outline of the face as it is seen, star-shaped about the middle of the head.

    Landmarks that the head hides lie inside it; so it is found anew for each frame, and its points
    correspond from frame to frame by their direction from the middle, the head's tilt taken off.
    """

    polygon: Array  # (RAYS, 2) pixels

    @staticmethod
    def of(points: Points, middle: Array, tilt: float) -> Silhouette:
        """Of landmarks, (478, 3), around a middle, (2,), for a head tilted by some radians."""
        hull = cv2.convexHull(points[:SKIN, :2].astype(np.float32))[:, 0] - middle
        following = np.roll(hull, -1, axis=0)
        directions = np.arange(RAYS) * (2 * np.pi / RAYS) + tilt
        ray = np.stack([np.cos(directions), np.sin(directions)], axis=1)[:, None]
        side = following - hull
        # Where each ray meets each side of the hull; the hull is convex and holds the middle, so it leaves it once.
        across = ray[..., 0] * side[:, 1] - ray[..., 1] * side[:, 0]
        reach = (hull[:, 0] * side[:, 1] - hull[:, 1] * side[:, 0]) / np.where(np.abs(across) < 1e-9, 1e-9, across)
        at = (hull[:, 0] * ray[..., 1] - hull[:, 1] * ray[..., 0]) / np.where(np.abs(across) < 1e-9, 1e-9, across)
        meets = (reach > 0) & (at >= -1e-4) & (at <= 1 + 1e-4)
        length = np.where(meets, reach, 0).max(axis=1, keepdims=True)
        return Silhouette((ray[:, 0] * length + middle).astype(np.float32))


def _outside(rest: Silhouette, now: Silhouette, fading: Fading) -> Array:
    """Faded movement of the face's outline on the coarse grid, float32 (GRID, GRID, 2).

    Source: Hormann & Floater, "Mean value coordinates for arbitrary planar polygons", TOG 2006.
    """
    polygon = now.polygon
    moved = rest.polygon - now.polygon
    moves = fading.share.ravel() > 0
    at = np.column_stack([fading.x.ravel()[moves], fading.y.ravel()[moves]]).astype(np.float32)
    spoke = polygon[None] - at[:, None]
    length = np.sqrt(np.square(spoke).sum(axis=-1)) + 1e-3
    following, next_length = np.roll(spoke, -1, axis=1), np.roll(length, -1, axis=1)
    cross = spoke[..., 0] * following[..., 1] - spoke[..., 1] * following[..., 0]
    dot = (spoke * following).sum(axis=-1)
    # tan of half the angle between neighbouring spokes, in the form that is exact for small angles
    half = cross / np.maximum(length * next_length + dot, 1e-3)
    weight = (half + np.roll(half, 1, axis=1)) / length
    weight /= weight.sum(axis=1, keepdims=True)
    field = np.zeros((GRID * GRID, 2), np.float32)
    field[moves] = (weight @ moved) * fading.share.ravel()[moves, None]
    return field.reshape(GRID, GRID, 2)


def _triangles() -> Array:
    model = face_model()
    return np.concatenate([model.triangles, model.openings]).astype(int)


def _inside(places: Array, target: Points, drawn: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Displacement of the triangles at the drawing's size, float32 (h, w, 2), and where they are, uint8 0 or 1.

    `drawn` is the target in the drawing's pixels, (478, 2).
    """
    triangles = _triangles()
    corners = drawn[triangles]
    side_a, side_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = side_a[:, 0] * side_b[:, 1] - side_a[:, 1] * side_b[:, 0]
    facing = area > 1e-3
    order = np.flatnonzero(facing)
    order = order[np.argsort(-target[triangles[order], 2].mean(axis=1))]
    label = np.zeros(size[::-1], np.int32)
    fixed = np.round(corners * 16).astype(np.int32)
    for index in order.tolist():
        cv2.fillConvexPoly(label, fixed[index], index + 1, cv2.LINE_8, 4)
    # Displacement is linear over each triangle: d = d0 + gx * x + gy * y
    moved = (places - target[:, :2])[triangles]
    step_a, step_b = moved[:, 1] - moved[:, 0], moved[:, 2] - moved[:, 0]
    safe = np.where(facing, area, 1.0)[:, None]
    gx = (step_a * side_b[:, 1:] - step_b * side_a[:, 1:]) / safe
    gy = (step_b * side_a[:, :1] - step_a * side_b[:, :1]) / safe
    d0 = moved[:, 0] - gx * corners[:, 0, :1] - gy * corners[:, 0, 1:]
    table = np.zeros((len(triangles) + 1, 6), np.float32)
    table[1:] = np.concatenate([d0, gx, gy], axis=1)
    plane = table[label]
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    field = plane[..., :2] + plane[..., 2:4] * x[..., None] + plane[..., 4:] * y[..., None]
    # A triangle seen edge-on extrapolates wildly at the pixels its drawing rounds to: none moves further
    # than its corners.
    most = np.abs(moved).max() + 1
    return np.clip(field, -most, most), (label > 0).astype(np.uint8)
