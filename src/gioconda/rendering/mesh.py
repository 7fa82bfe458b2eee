"""The face as a mesh of triangles: which part of the picture each pixel of a moved face takes its colour from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.expression import SKIN
from gioconda.face import EYES, LANDMARKS, Eye, Points, face_model
from gioconda.geometry import smoothstep
from gioconda.neutral import head_pose

Array = NDArray[Any]

THIN = 1.5
"""Pixels of height below which a triangle is thin."""
EDGE_ON, AWAY = 0.1, 0.2
"""A triangle is drawn only where there is no other if the cosine between its normal and the line of sight is below the
first and has fallen by more than the second since the picture: of what it showed there, only smears are left."""
LEAST_FACING = 0.12
"""Cosine between the line of sight and a triangle's normal below which the picture shows nothing of it."""
INTO_VIEW = 0.25
"""Gain of that cosine over which hidden skin goes from where it is to the skin it must be made from."""
UPPER_RIM, LOWER_RIM = 0.2, 0.22
"""Share of the eye's opening by which a shut lid's skin begins outside it."""
MOST_RIM = 0.4
"""Most of the way from the lashes to the hollow below the brow that this may be: brows of drawings are near."""
LENT, FULLY = 0.1, 0.3
"""Cosine by which the other half of the face must face the viewer more for a place to be lent its skin, and by how much
beyond that for all of it."""
AXIS = 1.1
"""Eye distances by which the axis of the head lies behind the eyes."""
LASHES = 0.14
"""Share of the way from the lashes to the hollow below the brow that does not stretch when the lid comes down."""


@dataclass(frozen=True)
class Drawing:
    """A drawing of the mesh.

    Attributes:
        back: where places come from, float32 (h, w, 2), as displacements in the picture's pixels.
        mask: where the face is, uint8 (h, w), 0 or 1.
        gain: how much nearer a place's normal is to the line of sight than in the picture, as the difference of
            their cosines, float32 (h, w); 0 beside the face and on the rows above the lashes.
        other: where their counterparts on the other half of the face are, as `back`.
        lent: how much better the picture shows those, float32 (h, w), 0 to 1.
        surface: where places are on the skin, unrolled, as `back` but for where that begins, in the picture's pixels.
    """

    back: Array
    mask: Array
    gain: Array
    other: Array
    lent: Array
    surface: Array


class FaceMesh:
    """The mesh of one picture.

    To the 478 landmarks it adds a row above the lashes of each eye. A lid that comes down would
    stretch the dark of the lashes over itself; so the lashes keep their width, and the skin between
    them and the hollow below the brow stretches instead.
    """

    def __init__(self, source: Points) -> None:
        """`source` are the picture's landmarks, (478, 3)."""
        self._landmark_triangles = landmark_triangles()
        self._facing = _facing(source, self._landmark_triangles)
        self._skin = _HiddenSkin(source, self._landmark_triangles)
        self._triangles = np.concatenate([self._landmark_triangles, *(_lid_triangles(side) for side in (0, 1))])
        self._lids = [_LidRow(eye, source) for eye in EYES]
        self._counterparts = source[face_model().mirror, :2].astype(np.float64)
        self._lent = np.append(0, self._better(source)).astype(np.float32)  # by label: 0 is no triangle
        surface = _unrolled() * float(head_pose(face_model().shape, source).scale)
        self._surface = np.concatenate([surface, *(surface[list(eye.hollow)] for eye in EYES)])

    def _better(self, source: Points) -> Array:
        """How much better, 0 to 1, the picture shows the counterpart of each triangle."""
        touches = np.zeros((len(source), len(self._landmark_triangles)))
        for corner in self._landmark_triangles.T:
            touches[corner, np.arange(len(corner))] = 1
        facing = touches @ self._facing / np.maximum(touches.sum(axis=1), 1)
        better = (facing[face_model().mirror] - facing)[self._landmark_triangles].mean(axis=1)
        lent = np.zeros(len(self._triangles))
        lent[: len(better)] = smoothstep((better - LENT) / FULLY)
        # Lids and lashes belong to their own eye.
        lids = [i for eye in EYES for i in (*eye.outline, *eye.hollow)]
        lent[: len(better)][np.isin(self._landmark_triangles, lids).any(axis=1)] = 0
        return lent

    def draw(self, target: Points, to_drawing: tuple[Array, Array], size: tuple[int, int]) -> Drawing:
        """The face with the landmarks at a target.

        Args:
            target: landmarks of the result, (478, 3).
            to_drawing: scale and offset, (2,) each, from the picture's pixels to the drawing's.
            size: width and height of the drawing.
        """
        places, points = self._vertices(target)
        corners = (points * to_drawing[0] + to_drawing[1])[self._triangles]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        shown = _facing(target, self._landmark_triangles)
        gain = shown - self._facing
        drawn = area > 1e-3
        smeared = (shown < EDGE_ON) & (gain < -AWAY)
        # Far to near, so that a nose covers the cheek behind it; the lids' own rows over what they refine.
        depth = -target[self._landmark_triangles, 2].mean(axis=1)
        order = [*np.lexsort([depth, ~smeared]).tolist(), *range(len(depth), len(self._triangles))]
        label = np.zeros(size[::-1], np.int32)
        fixed = np.round(corners * 16).astype(np.int32)
        for index in order:
            if drawn[index]:
                cv2.fillConvexPoly(label, fixed[index], index + 1, cv2.LINE_8, 4)
        # Displacement is linear over each triangle: d = d0 + gx * x + gy * y
        moved = (places - points)[self._triangles]
        safe = np.where(drawn, area, 1.0)[:, None]

        def spread(moved: Array) -> Array:
            """Displacements of the triangles' corners, (n, 3, 2), over the drawing, float32 (h, w, 2)."""
            step_a, step_b = moved[:, 1] - moved[:, 0], moved[:, 2] - moved[:, 0]
            gx = (step_a * b[:, 1:] - step_b * a[:, 1:]) / safe
            gy = (step_b * a[:, :1] - step_a * b[:, :1]) / safe
            d0 = moved[:, 0] - gx * corners[:, 0, :1] - gy * corners[:, 0, 1:]
            table = np.zeros((len(self._triangles) + 1, 6), np.float32)
            table[1:] = np.concatenate([d0, gx, gy], axis=1)
            plane = table.take(label, axis=0)
            x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
            field = np.empty((*label.shape, 2), np.float32)
            for axis in (0, 1):
                field[..., axis] = plane[..., axis] + plane[..., 2 + axis] * x + plane[..., 4 + axis] * y
            return field

        field = spread(moved)
        # A triangle seen edge-on extrapolates wildly at the pixels its drawing rounds to: none moves further
        # than its corners.
        longest = np.square(np.stack([a, b, b - a])).sum(axis=2).max(axis=0)
        thin = np.append(False, np.square(area) < THIN**2 * longest).take(label)
        which = label[thin] - 1
        field[thin] = np.clip(field[thin], moved.min(axis=1)[which], moved.max(axis=1)[which])
        gains = np.zeros(len(self._triangles) + 1, np.float32)
        gains[1 : len(gain) + 1] = gain
        lent = self._lent.take(label)
        other = field
        if lent.any():
            counterparts = np.concatenate([self._counterparts, places[LANDMARKS:]])
            other = spread((counterparts - points)[self._triangles])
        surface = field
        if (gain > 0).any():
            surface = spread((self._surface - points)[self._triangles])
        return Drawing(field, (label > 0).astype(np.uint8), gains.take(label), other, lent, surface)

    def _vertices(self, target: Points) -> tuple[Array, Array]:
        """Where each vertex takes its colour from, and where it is, (478 + rows, 2) each."""
        places = self._skin.places(target)
        rows = [lid.move(places, target) for lid in self._lids]
        return (
            np.concatenate([places, *(row[0] for row in rows)]),
            np.concatenate([target[:, :2], *(row[1] for row in rows)]),
        )


def _unrolled() -> Array:
    """The skin of the canonical face laid flat, as if it lay on a cylinder, (478, 2) in eye distances."""
    x, y, z = face_model().shape.astype(np.float64).T
    return np.column_stack([AXIS * np.arctan2(x, AXIS - z), y])


@cache
def landmark_triangles() -> Array:
    """Of the whole face, openings of eyes and mouth included, (n, 3)."""
    model = face_model()
    return np.concatenate([model.triangles, model.openings]).astype(int)


def _lid_triangles(side: int) -> Array:
    """Triangles between lashes, the added row and the hollow below the brow."""
    eye, columns = EYES[side], len(EYES[side].hollow)
    row = LANDMARKS + side * columns
    strips = [(eye.upper[1:-1], range(row, row + columns)), (range(row, row + columns), eye.hollow)]
    return np.array(
        [
            triangle
            for below, above in strips
            for j in range(columns - 1)
            for triangle in ((below[j], above[j], above[j + 1]), (below[j], above[j + 1], below[j + 1]))
        ]
    )


class _LidRow:
    """The added row above one eye's lashes."""

    def __init__(self, eye: Eye, source: Points) -> None:
        self._eye = eye
        self._painted = _gap(source, eye)
        self._width = _width(source, eye)
        lashes, hollow = source[list(eye.upper[1:-1]), :2], source[list(eye.hollow), :2]
        self._band = LASHES * np.linalg.norm(hollow - lashes, axis=1, keepdims=True)

    def move(self, places: Array, target: Points) -> tuple[Array, Array]:
        """Where the row takes its colour from, and where it is, (7, 2) each; clears `places` of the eye's white.

        Landmarks of lids lie on the white as often as on the lid, and a shut eye would show it as a
        line: closing lids take their skin from a little outside the painted opening.
        """
        upper, lower, hollow = list(self._eye.upper), list(self._eye.lower), list(self._eye.hollow)
        closing = float(np.clip(1 - _gap(target, self._eye) / max(self._painted, 1e-6), 0, 1))
        gaps = places[lower] - places[upper]
        room = np.linalg.norm(places[hollow] - places[upper[1:-1]], axis=1)
        rim = UPPER_RIM * np.linalg.norm(gaps[1:-1], axis=1)
        within = np.minimum(1, MOST_RIM * room / np.maximum(rim, 1e-6))
        places[upper[1:-1]] -= UPPER_RIM * closing * within[:, None] * gaps[1:-1]
        places[lower] += LOWER_RIM * closing * gaps
        larger = _width(target, self._eye) / max(self._width, 1e-6)
        lashes, moved = places[upper[1:-1]], target[upper[1:-1], :2]
        return (
            lashes + self._band * _towards(lashes, places[hollow]),
            moved + self._band * larger * _towards(moved, target[hollow, :2]),
        )


def _towards(start: Array, end: Array) -> Array:
    way = end - start
    return way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)


def _gap(points: Points, eye: Eye) -> float:
    return float(np.linalg.norm(points[list(eye.lower), :2] - points[list(eye.upper), :2], axis=1).mean())


def _width(points: Points, eye: Eye) -> float:
    return float(np.linalg.norm(points[eye.corners[1], :2] - points[eye.corners[0], :2]))


def _facing(points: Array, triangles: Array) -> Array:
    """Cosine between each triangle's normal and the line of sight, (n,): 1 seen flat on, below 0 from behind."""
    corners = points[triangles].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)


class _HiddenSkin:
    """Landmarks that the head hides in the picture, and where to take their colour from once they turn into view.

    The landmarks of a far cheek that comes into view sample the nearest skin that the picture shows.
    """

    def __init__(self, source: Points, triangles: Array) -> None:
        """`source` are the picture's landmarks, (478, 3)."""
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
            places[self._hidden] += np.clip(turned / INTO_VIEW, 0, 1)[:, None] * self._shift
        return places
