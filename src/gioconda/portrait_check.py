"""Which pictures of a portrait are of use, and which picture to add next.

Every threshold was measured on real material; ``docs/pictures.md`` has the figures, and
``benchmarks/portrait_check.py`` makes them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.errors import GiocondaError, NoFaceError, UsageError
from gioconda.face import OVAL, eye_distance
from gioconda.likeness import ONE_PERSON, levelled, likenesses
from gioconda.marks import marks_of_pictures
from gioconda.media.pictures import MAX_PIXELS, read_picture
from gioconda.neutral import lid_gaps, mouth_gap
from gioconda.portrait import MOST_VIEWS, View, find_face
from gioconda.rendering.mouth_plate import LEAST_LOAN, teeth_shown
from gioconda.rendering.plates import LUMA
from gioconda.retarget import Sitter
from gioconda.tracking import Tracker, default_tracker

Array = NDArray[Any]

SMALL = 64.0
"""Face height in pixels below which landmarks become unsure."""
FACE_PIXELS = 128
"""Face height at which sharpness is measured: a larger face is scaled down to it."""
BLURRED = 0.60
"""Blur, 0 to 1, from which a face is called blurred."""
DARK = 40.0
"""Brightness of the face, 0 to 255, below which its shades are lost."""
TURNED = 35.0
"""Degrees of yaw or pitch beyond which half of the face is guessed."""
VIEW = 15.0
"""Degrees of yaw from which a picture shows a side of the head that a frontal one does not."""
OPEN_MOUTH = 0.12
"""Lip gap over eye distance from which the inside of the mouth is seen."""
SHUT_EYES = 0.14
"""Lid gap over eye width below which an eye is shut."""
ALIKE = 0.97
"""Correlation of two faces, laid upon each other, from which they may be the same picture twice."""
ALIKE_TURN, ALIKE_MOUTH = 4.0, 0.04
"""Degrees, and eye distances of lip gap, by which such pictures may differ."""

CLEARLY = 0.25
"""By how much a picture must be fitter to be the first one, where a fault counts 1 and an open mouth 0.5."""
PRINT = 32
"""Pixels a side of the small picture by which faces are compared."""
EYES_APART, EYES_AT = 0.4, (0.5, 0.38)
"""Distance of the eyes in it, and the place of their middle, in sides."""


@dataclass(frozen=True)
class Checked:
    """What was measured in one picture.

    Attributes:
        path: the picture.
        problem: why it is of no use: it cannot be read, or shows no face; None if it does.
        faceless: whether that is because no face was found.
        face_height: height of the face in pixels.
        blur: 0 sharp to 1 blurred, of the face at `FACE_PIXELS`.
        yaw: degrees, positive when the face turns to the picture's right.
        pitch: degrees, positive when it looks up.
        mouth: gap between the lips over the eye distance.
        teeth: area as bright as teeth between the lips, in squared mouth widths.
        lids: gap between the lids over the width of the eye, of the wider open eye.
        brightness: median of the face, 0 to 255.
        likeness: how alike the face is to those of the other pictures, -1 to 1 (`gioconda.likeness`); 1 if alone.
        same_as: number of an earlier picture that shows the same, or None.
        faults: what speaks against it: 'small', 'blurred', 'dark', 'turned far', 'eyes shut',
            'somebody else?', 'shows the same as another'.
    """

    path: Path
    problem: str | None = None
    faceless: bool = False
    face_height: float = 0.0
    blur: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    mouth: float = 0.0
    teeth: float = 0.0
    lids: float = 0.0
    brightness: float = 0.0
    likeness: float = 1.0
    same_as: int | None = None
    faults: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether a face was found, large and sharp enough to be drawn."""
        return self.problem is None and not _USELESS & {*self.faults}

    @property
    def mouth_open(self) -> bool:
        """Whether the inside of the mouth is seen."""
        return self.mouth >= OPEN_MOUTH

    @property
    def shows_teeth(self) -> bool:
        """Whether the mouth is open and something in it is as bright as teeth."""
        return self.problem is None and self.mouth_open and self.teeth > LEAST_LOAN


@dataclass(frozen=True)
class Report:
    """All pictures in the order given, and advice, most helpful first."""

    pictures: tuple[Checked, ...]
    advice: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it; numbers rounded to what they are worth."""

        def plain(value: object) -> object:
            return round(value, 3) if isinstance(value, float) else str(value) if isinstance(value, Path) else value

        return {
            "pictures": [
                {name: plain(value) for name, value in vars(found).items()}
                | {"usable": found.usable, "mouth_open": found.mouth_open, "shows_teeth": found.shows_teeth}
                for found in self.pictures
            ],
            "advice": list(self.advice),
        }


def check(
    pictures: Sequence[str | Path],
    *,
    landmarks: Sequence[str | Path] = (),
    max_pixels: int = MAX_PIXELS,
    tracker: Tracker | None = None,
) -> Report:
    """Look at the pictures of a portrait.

    Args:
        pictures: 1 to 32 pictures meant to show one person; the first is the one that would move.
        landmarks: files of marks (`gioconda.marks`) for some of them.
        max_pixels: larger pictures are refused.
        tracker: finds faces; None for the default.

    Raises:
        UsageError: no or too many pictures. A picture that is no use is reported, not raised.
        LandmarksError: a file of marks cannot be read, or is for none of the pictures.
    """
    paths = [Path(path) for path in pictures]
    if not 1 <= len(paths) <= MOST_VIEWS:
        raise UsageError(f"{len(paths)} pictures given; a portrait has 1 to {MOST_VIEWS}")
    marked = marks_of_pictures(landmarks, paths)
    tracker = tracker or default_tracker()
    checked: list[Checked] = []
    views: dict[int, View] = {}
    for number, path in enumerate(paths):
        try:
            picture = read_picture(path, max_pixels)
            if number in marked:
                points = marked[number].points_in(path, *picture.rgb.shape[1::-1])
            else:
                points = find_face(picture, path, tracker)
        except GiocondaError as error:
            checked.append(Checked(path, str(error).removeprefix(f"{path}: "), isinstance(error, NoFaceError)))
            continue
        view = View(picture.rgb, points)
        checked.append(measure(path, view))
        views[number] = view
    return Report(*_compared(checked, views))


def measure(path: Path, view: View) -> Checked:
    """What one picture shows, but for what only its company can tell."""
    height, width = view.rgb.shape[:2]
    sitter = Sitter.of(view.points, width, height)
    yaw, pitch, _ = (float(angle) for angle in sitter.angles)
    upright = sitter.shape
    found = Checked(
        path,
        face_height=view.box.height,
        blur=blur(view),
        yaw=yaw,
        pitch=pitch,
        mouth=float(mouth_gap(upright) / eye_distance(upright)),
        teeth=teeth_shown(view.rgb, view.points),
        lids=float(lid_gaps(upright).max()),
        brightness=brightness(view),
    )
    faults = (
        ("small", found.face_height < SMALL),
        ("blurred", found.blur > BLURRED),
        ("dark", found.brightness < DARK),
        ("turned far", max(abs(yaw), abs(pitch)) > TURNED),
        ("eyes shut", found.lids < SHUT_EYES),
    )
    return replace(found, faults=tuple(name for name, holds in faults if holds))


def face_print(view: View) -> Array:
    """A small grey picture of the face, float (1024,), mean 0 and length 1: its product with another is correlation.

    Eyes are level and at the same place in every picture.
    """
    luma = levelled(view, PRINT, EYES_APART, EYES_AT) @ LUMA
    grey = luma.ravel() - luma.mean()
    return grey / max(float(np.linalg.norm(grey)), 1e-6)


def brightness(view: View) -> float:
    """Median brightness inside the outline of the face, 0 to 255."""
    mask = np.zeros(view.rgb.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(view.points[list(OVAL), :2]).astype(np.int32)], (1,))
    inside = view.rgb[mask > 0]
    return float(np.median(inside @ LUMA)) if len(inside) else 0.0


def blur(view: View) -> float:
    """How blurred the face is, 0 sharp to 1: how little a further blur changes it.

    Source: Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", SPIE 2007; here on the face alone, at most `FACE_PIXELS` high.
    """
    left, top = (int(max(v, 0)) for v in (view.box.x, view.box.y))
    part = view.rgb[top : top + max(int(view.box.height), 8), left : left + max(int(view.box.width), 8)]
    grey = (part @ LUMA).astype(np.float32)
    if (scale := FACE_PIXELS / max(view.box.height, 1.0)) < 1 and min(grey.shape) > 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    shares = []
    for axis, kernel in ((0, (1, 9)), (1, (9, 1))):
        steps = np.abs(np.diff(grey, axis=axis))
        left_over = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        lost = np.maximum(steps - left_over, 0).sum()
        shares.append(1 - float(lost / max(float(steps.sum()), 1e-6)))
    return max(shares)


def _compared(checked: list[Checked], views: dict[int, View]) -> tuple[tuple[Checked, ...], tuple[str, ...]]:
    prints = {number: face_print(view) for number, view in views.items()}
    alike = dict(zip(views, likenesses(list(views.values())), strict=True))
    for number, own_print in prints.items():
        found = checked[number]
        same = next(
            (
                other
                for other in prints
                if other < number
                and own_print @ prints[other] > ALIKE
                and max(abs(found.yaw - checked[other].yaw), abs(found.pitch - checked[other].pitch)) < ALIKE_TURN
                and abs(found.mouth - checked[other].mouth) < ALIKE_MOUTH
                and (found.lids < SHUT_EYES) == (checked[other].lids < SHUT_EYES)
            ),
            None,
        )
        more = [(alike[number] < ONE_PERSON, "somebody else?"), (same is not None, "shows the same as another")]
        faults = (*found.faults, *(name for holds, name in more if holds))
        checked[number] = replace(found, likeness=alike[number], same_as=same, faults=faults)
    return tuple(checked), tuple(_advice(checked))


def _advice(checked: list[Checked]) -> list[str]:
    """What would help, most first: the picture that moves, then who it is, then what other pictures can lend."""
    advice = []
    good = [c for c in checked if c.usable and "somebody else?" not in c.faults]
    canvas = checked[0]
    better = min((c for c in good if c is not canvas), key=_unfit_as_canvas, default=None)
    first = f"{canvas.path.name}, the first picture, is the one that moves"
    if canvas.problem is not None:
        advice.append(f"{first}, and is of no use: {_why(canvas)}")
    elif spoils := [f for f in canvas.faults if f in _SPOILS]:
        advice.append(f"{first}: {', '.join(spoils)}")
    elif canvas.mouth_open:
        advice.append(f"{first}, with an open mouth: a relaxed face moves best")
    if advice and better and _unfit_as_canvas(better) < _unfit_as_canvas(canvas) - CLEARLY:
        advice.append(f"put {better.path.name} first")
    strangers = [f"{c.path.name} ({c.likeness:.2f})" for c in checked if "somebody else?" in c.faults]
    if strangers:
        advice.append(f"two different people? {', '.join(strangers)}: not alike to the other pictures; look again")
    if good and not any(c.shows_teeth for c in good):
        advice.append("no teeth seen: add a picture with an open smile")
    advice += [
        f"{c.path.name} is of no use ({_why(c)}): leave it out, or give a better one"
        for c in checked[1:]
        if not c.usable
    ]
    advice += [
        f"{c.path.name} shows the same as {checked[c.same_as].path.name}: leave one out"
        for c in checked
        if c.same_as is not None
    ]
    # A face turned to the picture's right shows more of the cheek on the picture's left.
    missing = (
        ("no view from the left: add a picture with the face turned to the picture's right", lambda c: c.yaw > VIEW),
        ("no view from the right: add a picture with the face turned to the picture's left", lambda c: c.yaw < -VIEW),
        ("no view from the front: add one that looks into the camera", lambda c: abs(c.yaw) <= VIEW),
        ("no shut eyes seen: add a picture with lowered lids", lambda c: c.lids < SHUT_EYES),
    )
    advice += [text for text, shown in missing if good and not any(map(shown, good))]
    return advice


def _why(found: Checked) -> str:
    if found.faceless:
        return "no face found; show it with 'gioconda mark'"
    return "it cannot be read" if found.problem else ", ".join(f for f in found.faults if f in _USELESS)


_USELESS = {"small", "blurred"}
_SPOILS = ("small", "blurred", "dark", "turned far", "eyes shut")


def _unfit_as_canvas(found: Checked) -> float:
    """How little a picture is fit to be the one that moves: 0 a large relaxed face that looks into the camera."""
    if found.problem is not None:
        return 99.0
    faults = sum(fault in _SPOILS for fault in found.faults)
    return faults + 0.5 * found.mouth_open + min(abs(found.yaw), 90.0) / 90.0
