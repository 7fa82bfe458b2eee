"""The inside of the mouth behind the lips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.face import LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER, MOUTH_CORNERS, MOUTH_OUTLINE, Points, face_model
from gioconda.geometry import Similarity, smoothstep
from gioconda.neutral import head_pose
from gioconda.portrait import View
from gioconda.rendering.dentition import EYE_DISTANCE, Dentition, Jaws, Palette, Sight
from gioconda.rendering.head import Head, affine
from gioconda.rendering.plates import LUMA, Rgb, Sheet, blend, bounding, feathered, height_at, mapped, polygon_mask
from gioconda.rendering.rim import Rim

Array = NDArray[Any]

EDGE = 3.5
"""Where the upper teeth end below the line of closed lips, in millimetres."""
LEAST_TEETH = 3.5
"""How much of the upper teeth an open mouth shows at least."""
OVERBITE = 1.5
"""How far the upper teeth cover the lower ones while the jaw is shut."""
MOST_LOWER, LEAST_LOWER = 2.5, -1.0
"""Bounds of what shows of the lower teeth above the lower lip."""
MOUTH_GRAIN = 0.6
"""Of the grain of the skin, how much the inside has that is built: canvas and brush go on over teeth."""
EDGES = 1.5
"""Pixels over which the edge of a lip goes."""
LIP = 3.0
"""How far behind the line between the lips the upper teeth stand."""


class MouthPlate:
    """The inside of the mouth: the teeth that the pictures show, and a model of everything else in there.

    Where the picture shows the mouth open as far as it is to be, it is exactly those pixels.
    """

    def __init__(self, rgb: Rgb, source: Points, others: Sequence[View], white: Array, rim: Rim) -> None:
        """`others`: further views of the person, whose teeth may be seen better; `white`: that of the eyes, (3,)."""
        self._rim = rim
        outline = source[_OUTLINE, :2]
        self._depth = float(source[_OUTLINE, 2].mean())
        self._width = float(np.linalg.norm(outline[10] - outline[0]))
        self._gap = _opening(source) / self._width
        self._mouth = _Mouth.of(source)
        self._chin = self._mouth.inside(source[_JAW]).mean(axis=0)
        box = bounding(outline, np.array([0.2, 0.9]) * self._width, *rgb.shape[1::-1])
        left, top, right, bottom = box
        self._exact = Sheet(rgb[top:bottom, left:right], left, top)
        self._upright = self._mouth.onto(STILL)
        upright = cv2.invertAffineTransform(self._upright)
        lips = (source[list(lip), :2].T.astype(np.float64) for lip in (LIPS_INNER_UPPER, LIPS_INNER_LOWER))
        self._lips = [np.column_stack(mapped(upright, *lip)) for lip in lips]
        seen = _seen_teeth(rgb, source, others, box)
        self._seen = Sheet(seen, left, top)
        y, x = np.nonzero(seen[..., 3] > 127)
        self._palette = _palette(rgb, source, seen[y, x, :3], white)
        self._grain = np.float32(MOUTH_GRAIN / max(float(self._palette.teeth @ LUMA), 1.0))
        self._dentition = Dentition(self._palette, self._mouth.pixels)
        self._edge = self._mouth.edge_of(np.stack([x + left, y + top]).astype(float))

    def draw(self, rgb: Rgb, target: Points, moved: Similarity) -> None:
        """Show it between the lips, the head having moved; changes `rgb` in place."""
        outline = seen_outline(target)
        left, top, right, bottom = bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
        if right - left < 2 or bottom - top < 2:
            return
        mask = feathered(polygon_mask(outline, left, top, right - left, bottom - top), 0.012 * self._width)
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        back = cv2.invertAffineTransform(affine(moved, self._depth))
        in_x, in_y = mapped(back, x, y)
        colours = self._exact.sample(*self._between(in_x, in_y))
        # How much further than in the picture the mouth is open: only that much may be changed.
        more = float(np.clip((_opening(target) / self._width - self._gap) / 0.1, 0, 1))
        if more > 0:
            jaws = self._jaws(moved, target.astype(np.float64))
            sight = self._mouth.sight(moved, x, y)
            made = self._dentition.draw(sight, jaws)
            grain = self._rim.grain(np.dstack([in_x, in_y]).astype(np.float32))
            made *= 1 + grain * self._grain
            own = self._seen.sample(*mapped(self._upright, sight.x, sight.y - (jaws.upper - self._edge)))
            made += np.clip(own[..., 3:] / 255, 0, 1) * (own[..., :3] - made)
            colours += more * (self._shaded(made, x, y, target) - colours)
        blend(rgb[top:bottom, left:right], colours, mask)

    def _between(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Places of the picture, mirrored at its lips where they lie beyond: there is skin, never a mouth's inside."""
        upper, lower = self._lips
        room = EDGES / self._mouth.pixels
        x, y = mapped(cv2.invertAffineTransform(self._upright), x, y)
        x = _mirrored(x, upper[:, 0].min() - room, upper[:, 0].max() + room)
        top, bottom = height_at(upper, x), height_at(lower, x)
        return mapped(self._upright, x, _mirrored(y, np.minimum(top, bottom) - room, np.maximum(top, bottom) + room))

    def _jaws(self, moved: Similarity, target: Points) -> Jaws:
        """Where the teeth are, for landmarks, (478, 3), and the head's movement to them."""
        right, opened, _ = self._mouth.inside(moved.undo(target[_JAW])).mean(axis=0) - self._chin
        upper_lip, lower_lip = self._mouth.lips(moved, target)
        # Teeth do not follow a lip, but a mouth that shows none while it speaks looks empty.
        upper = max(self._edge, upper_lip + LEAST_TEETH)
        lower = self._edge - OVERBITE + max(float(opened), 0.0)
        lower = float(np.clip(lower, lower_lip - MOST_LOWER, lower_lip - LEAST_LOWER))
        return Jaws(upper, max(lower, upper - OVERBITE), float(right), max(lower_lip - upper_lip, 0.0))

    def _shaded(self, colours: Array, x: Array, y: Array, target: Points) -> Array:
        """With the shadows that the lips throw."""
        upper, lower = (target[list(lip), :2].astype(np.float64) for lip in (LIPS_INNER_UPPER, LIPS_INNER_LOWER))
        below, above = (y - height_at(upper, x)) / self._width, (height_at(lower, x) - y) / self._width
        shadow = 0.5 * np.exp(-np.maximum(below, 0) / 0.035) + 0.25 * np.exp(-np.maximum(above, 0) / 0.02)
        return self._palette.lit(colours, 1 - shadow)


def _mirrored(values: Array, low: Array, high: Array) -> Array:
    """Values brought between two bounds: mirrored there, and those that lie farther out than that leads, cut off."""
    inside = np.where(values < low, 2 * low - values, np.where(values > high, 2 * high - values, values))
    return np.clip(inside, low, high)


def seen_outline(points: Points) -> Array:
    """The inner edges of the lips, (n, 2), of landmarks, (478, 3), as far as they are seen.

    From the middle they go on until the mouth between them is seen from behind: the far corner of a turned head lies
    behind the lips.
    """
    upper, lower = (points[list(lip), :2].astype(np.float64) for lip in (LIPS_INNER_UPPER, LIPS_INNER_LOWER))
    # Twice the signed area between a point of both lips and the next, from its diagonals.
    one, other = lower[1:] - upper[:-1], lower[:-1] - upper[1:]
    hidden = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0] < 0
    middle = len(upper) // 2
    first = middle - int(np.argmax(np.append(hidden[middle - 1 :: -1], True)))
    last = middle + int(np.argmax(np.append(hidden[middle:], True)))
    return np.concatenate([upper[first : last + 1], lower[last : first - 1 if first else None : -1]])


STILL = Similarity(np.array(1.0), np.eye(3), np.zeros(3))
"""No movement."""
_OUTLINE = list(MOUTH_OUTLINE)
_JAW = [152, 148, 377, 176, 400, 175, 199]


@dataclass(frozen=True)
class _Mouth:
    """The mouth's place in a picture, and from there to the coordinates of `dentition.py`.

    Attributes:
        source: the picture's landmarks, (478, 3).
        pose: takes those coordinates to the picture's.
    """

    source: Points
    pose: Similarity

    @staticmethod
    def of(source: Points) -> _Mouth:
        exact = source.astype(np.float64)
        pose = head_pose(face_model().shape * EYE_DISTANCE, exact)
        level = pose.undo(exact)
        # Small mouths have small teeth, though less so.
        size = np.sqrt(np.linalg.norm(np.subtract(*level[list(MOUTH_CORNERS)])) / WIDTH).clip(0.75, 1.25)
        origin = level[list(LIPS_INNER_UPPER[4:7])].mean(axis=0) + np.array([0, 0, LIP])
        return _Mouth(exact, Similarity(pose.scale * size, pose.rotation, pose.apply(origin[None])[0]))

    @property
    def pixels(self) -> float:
        """To a millimetre."""
        return float(self.pose.scale)

    def inside(self, points: Array) -> Array:
        """Places in a mouth, (n, 3), of points of the picture."""
        return self.pose.undo(points)

    def onto(self, moved: Similarity) -> Array:
        """(2, 3) map of places before the front teeth to pixels, when the head has moved."""
        turn = moved.rotation @ self.pose.rotation
        middle = moved.apply(self.pose.translation[None])[0]
        onto = np.column_stack([moved.scale * self.pose.scale * turn[:2, :2], middle[:2]])
        return onto.astype(np.float32)

    def sight(self, moved: Similarity, x: Array, y: Array) -> Sight:
        """Lines of sight of pixels when the head has moved."""
        ray = (moved.rotation @ self.pose.rotation)[2]
        return Sight(*mapped(cv2.invertAffineTransform(self.onto(moved)), x, y), ray.astype(np.float32))

    def lips(self, moved: Similarity, target: Points) -> tuple[float, float]:
        """Heights, before the front teeth, of the upper and the lower lip's edge in their middle, as they are seen."""
        edges = target[[*LIPS_INNER_UPPER[4:7], *LIPS_INNER_LOWER[4:7]], :2].astype(np.float32)
        heights = self.sight(moved, *edges.T).y
        return float(heights[:3].mean()), float(heights[3:].mean())

    def edge_of(self, seen: Array) -> float:
        """Where the upper teeth end, by the pixels, (2, n), that show teeth, or as lips hide them."""
        at = self.sight(STILL, *seen)
        middle = at.y[np.abs(at.x) < 8]
        if len(middle) >= 12:
            return float(np.percentile(middle, 90))
        upper, lower = self.lips(STILL, self.source)
        # Lips that are apart and show no teeth hide them.
        return upper + max(EDGE - (lower - upper), 0.0)


DARKEST = 1.0
"""Per cent of a face's pixels that are taken for its picture's black."""
FADED = (30.0, 60.0)
"""Brightness of those from which a picture is a little, and wholly, faded."""
COLOURFUL = 0.15
"""Redness of skin from which a picture shows colours in full."""
OF_WHITE, OF_SKIN = np.array([0.15, 0.0, 0.35]), np.array([0.4, 0.0, 0.35])
"""How much of the hue of the eyes' white, and of the skin around the mouth, teeth have: what both share is the
picture's light, or its varnish. Fitted to 77 people who show their teeth, in the data that the network learned from."""
RED_FOR_BLUE = -0.12
"""Power of the blue that red gains: light and varnish that lack blue are orange, not green."""
TEETH_LIGHT = 1.1
"""Brightness of teeth in full light, over that of the skin around the mouth."""
WIDTH = 50.0
"""Of an average mouth."""


LEAST_LOAN = 0.01
"""Squared mouth widths that another view must show more of the teeth for them to be taken from it."""


def teeth_shown(rgb: Rgb, points: Points) -> float:
    """Area of what is as bright as teeth and less red than skin (a tongue is not) between the lips, in squared mouth
    widths.
    """
    teeth, _, _ = _teeth(rgb, points)
    return float(teeth.sum()) / max(_mouth_width(points), 1.0) ** 2


def _teeth(rgb: Rgb, points: Points) -> tuple[Array, int, int]:
    """Coverage of what looks like teeth, float32 (h, w), 0 to 1, around the mouth, and its left and top."""
    outline = points[_OUTLINE, :2]
    left, top, right, bottom = bounding(outline, np.array([1, 1]), *rgb.shape[1::-1])
    if right - left < 2 or bottom - top < 2:
        return np.zeros((0, 0), np.float32), left, top
    inside = polygon_mask(outline, left, top, right - left, bottom - top)
    skin = np.median(_colours(rgb, points, _ROUND_MOUTH), axis=0)
    seen = rgb[top:bottom, left:right].astype(np.float64)
    bright = (seen @ LUMA > 0.75 * float(skin @ LUMA)) & (_redness(seen) < 0.7 * _redness(skin) + 0.03)
    return inside * bright, left, top


def _seen_teeth(rgb: Rgb, source: Points, others: Sequence[View], box: tuple[int, int, int, int]) -> Rgb:
    """The teeth that the picture shows, or another view shows better, laid where they are in the portrait's skull.

    Colours and coverage, uint8 (height, width, 4), of a box (left, top, right, bottom) of the portrait, in its light.
    """
    left, top, right, bottom = box
    size, own = (right - left, bottom - top), teeth_shown(rgb, source)
    shows = [teeth_shown(view.rgb, view.points) for view in others]
    if shows and max(shows) > own + LEAST_LOAN:
        view = others[int(np.argmax(shows))]
        gain = _skin(rgb, source) / np.maximum(_skin(view.rgb, view.points), 1.0)
        onto = affine(Head(view.points).pose(source), float(view.points[_OUTLINE, 2].mean()))
    elif own > LEAST_LOAN:
        view, gain, onto = View(rgb, source), np.ones(3), np.eye(2, 3)
    else:
        return np.zeros((*size[::-1], 4), np.uint8)
    cut = _cut_out(view.rgb, view.points, gain)
    onto[:, 2] += onto[:, :2] @ (cut.left, cut.top) - (left, top)
    return np.asarray(cv2.warpAffine(cut.rgb, onto, size, flags=cv2.INTER_LINEAR), np.uint8)


def _cut_out(rgb: Rgb, points: Points, gain: Array) -> Sheet:
    """A picture's teeth with their coverage, uint8 (h, w, 4), brightness times a gain, (3,)."""
    teeth, left, top = _teeth(rgb, points)
    rim = 2 * max(1, round(0.015 * _mouth_width(points))) + 1
    # From the uppermost tooth of a column to its lowest: the shadows between belong to them.
    bright = teeth > 0.5
    row = np.maximum.accumulate(bright, axis=0) & np.maximum.accumulate(bright[::-1], axis=0)[::-1]
    core = np.asarray(cv2.blur(row.astype(np.float32), (rim, rim)))
    height, width = core.shape
    colours = rgb[top : top + height, left : left + width] * gain
    cut = np.dstack([np.clip(colours, 0, 255), 255 * smoothstep((core - 0.3) / 0.5)])
    return Sheet(np.rint(cut).astype(np.uint8), left, top)


def _colours(rgb: Rgb, points: Points, landmarks: tuple[int, ...]) -> Array:
    """The picture's colours at some landmarks, float (n, 3)."""
    height, width = rgb.shape[:2]
    at = np.rint(points[list(landmarks), :2]).astype(int)
    return rgb[at[:, 1].clip(0, height - 1), at[:, 0].clip(0, width - 1)].astype(np.float64)


def _skin(rgb: Rgb, points: Points) -> Array:
    return np.percentile(_colours(rgb, points, _CHEEKS), 75, axis=0)


def _black(rgb: Rgb, points: Points) -> Array:
    """The darkest that a faded picture shows of the face: pupils, nostrils, lashes; black where it is not faded."""
    left, top, right, bottom = bounding(points[:, :2], np.zeros(2), *rgb.shape[1::-1])
    step = max(1, (right - left) // 256)
    colours = rgb[top:bottom:step, left:right:step].reshape(-1, 3)
    light = colours @ LUMA
    darkest = colours[light <= np.percentile(light, DARKEST)].mean(axis=0)
    least, most = FADED
    return np.asarray(darkest * smoothstep((darkest @ LUMA - least) / (most - least)))


def _redness(colours: Array) -> Array:
    """How much more red than green, (...), colours, (..., 3), are, as a share of their brightness."""
    return (colours[..., 0] - colours[..., 1]) / np.maximum(colours @ LUMA, 1.0)


def _likely_teeth(white: Array, around: Array) -> Array:
    """Colour, (3,), of teeth that no picture shows, from those of the eyes' white and of the skin around the mouth."""
    hue = _hue(white) ** OF_WHITE * _hue(around) ** OF_SKIN
    hue[0] *= hue[2] ** RED_FOR_BLUE
    return np.asarray(TEETH_LIGHT * float(around @ LUMA) * hue / float(hue @ LUMA))


def _hue(colour: Array) -> Array:
    """Red, green and blue of a colour, (3,), over its green; what is nearly black has none."""
    levels = np.maximum(colour, 8.0)
    return np.asarray(levels / levels[1])


def _mouth_width(points: Points) -> float:
    return float(np.linalg.norm(points[MOUTH_OUTLINE[10], :2] - points[MOUTH_OUTLINE[0], :2]))


def _opening(points: Points) -> float:
    """Gap between the middles of the inner lips, in pixels."""
    upper, lower = list(LIPS_INNER_UPPER[4:7]), list(LIPS_INNER_LOWER[4:7])
    return float(np.linalg.norm(points[upper, :2] - points[lower, :2], axis=1).mean())


def _palette(rgb: Rgb, source: Points, seen: Array, white: Array) -> Palette:
    """Colours of a mouth's inside that belong to this picture: from cheeks, lips, seen teeth, (n, 3), and the white of
    the eyes, (3,)."""
    skin = _skin(rgb, source)
    lips = np.median(_colours(rgb, source, LIPS), axis=0)
    around = np.median(_colours(rgb, source, _ROUND_MOUTH), axis=0)
    if len(seen) >= 12:
        teeth = seen[seen @ LUMA >= np.percentile(seen @ LUMA, 60)].mean(axis=0)
    else:
        teeth = _likely_teeth(white, around)
    # Redder than the lips, as far as the picture knows red at all.
    flesh = lips * (1 + float(_redness(skin)) * np.array([0.4, -0.4, -0.35]))
    black = _black(rgb, source)
    sides = [np.median(_colours(rgb, source, side) @ LUMA) for side in (_CHEEKS[:5], _CHEEKS[5:12])]
    return Palette(
        teeth=teeth,
        gums=0.55 * flesh + 0.25 * skin,
        tongue=flesh + 0.15 * skin,
        dark=np.maximum(0.28 * flesh + 0.01 * skin, black),
        black=black,
        side=float(np.clip((sides[1] - sides[0]) / max(sides[0] + sides[1], 1.0), -0.6, 0.6)),
        colourful=min(max(float(_redness(skin)) / COLOURFUL, 0.0), 1.0),
    )


_ROUND_MOUTH = (164, 165, 391, 92, 322, 57, 287, 43, 273, 106, 335, 182, 406, 18, 200, 199)
_CHEEKS = (50, 101, 118, 117, 205, 36, 280, 330, 347, 346, 425, 266, 151, 9, 108, 337)
