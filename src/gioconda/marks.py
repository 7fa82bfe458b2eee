"""Marks: a face that a person shows by naming a few of its points, and the JSON file that keeps them.

The file is documented in ``docs/marking.md``. Left and right are the picture's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import LandmarksError, OutputError
from gioconda.face import BROWS, EYES, FARTHEST, LANDMARKS, Points, face_model
from gioconda.fitting import closed_lips, fit_face, shaped_lids, upright
from gioconda.media.files import spoken_os_error, whole_file
from gioconda.untrusted import parse_json

FORMAT, VERSION = "gioconda-landmarks", 1
LEAST_MARKS = 5
LARGEST_FILE = 1 << 20
"""Bytes; all 478 landmarks take less than 40,000."""
LEAST_SIZE = 8.0
"""Pixels from mark to mark, in the mean, below which a face is no face."""
LEAST_SPREAD = 0.15
"""Standard deviation of the marks' places on the canonical face, in eye distances, in their narrowest direction."""
CLEARLY = 0.3
"""Eye distances by which one point of the canonical face is lower than another, so that marks must agree."""
SAME_SHAPE = 0.01
"""By how much the ratio of a picture's sides may differ from that of the picture that was marked."""


@dataclass(frozen=True)
class Named:
    """A point of the face that can be marked: the landmarks whose mean it is, and what to click."""

    landmarks: tuple[int, ...]
    text: str
    first: bool = False
    """One of the five to begin with."""


NAMES: dict[str, Named] = {
    "left_eye": Named((468,), "the pupil of the eye on the left", True),
    "right_eye": Named((473,), "the pupil of the eye on the right", True),
    "nose": Named((1,), "the tip of the nose", True),
    "mouth": Named((13, 14), "the middle of the mouth, between the lips", True),
    "chin": Named((152,), "the lowest point of the chin", True),
    "mouth_left": Named((61,), "the left corner of the mouth"),
    "mouth_right": Named((291,), "the right corner of the mouth"),
    "left_cheek": Named((234,), "the left edge of the face, at the ear"),
    "right_cheek": Named((454,), "the right edge of the face, at the ear"),
    "left_eye_outer": Named((33,), "the left eye's outer corner"),
    "left_eye_inner": Named((133,), "the left eye's inner corner"),
    "right_eye_inner": Named((362,), "the right eye's inner corner"),
    "right_eye_outer": Named((263,), "the right eye's outer corner"),
    "left_lid_top": Named((159,), "the left eye's upper lid, its middle"),
    "left_lid_bottom": Named((145,), "the left eye's lower lid, its middle"),
    "right_lid_top": Named((386,), "the right eye's upper lid, its middle"),
    "right_lid_bottom": Named((374,), "the right eye's lower lid, its middle"),
    "lips_top": Named((0,), "the upper edge of the upper lip, its middle"),
    "mouth_top": Named((13,), "the lower edge of the upper lip, its middle"),
    "mouth_bottom": Named((14,), "the upper edge of the lower lip, its middle"),
    "lips_bottom": Named((17,), "the lower edge of the lower lip, its middle"),
    "left_brow": Named((105, 52), "the middle of the left brow"),
    "right_brow": Named((334, 282), "the middle of the right brow"),
    "left_jaw": Named((172,), "the edge of the jaw on the left, at the height of the mouth"),
    "right_jaw": Named((397,), "the edge of the jaw on the right, at the height of the mouth"),
    "forehead": Named((10,), "the top of the forehead, below the hair"),
}
"""Every point that can be marked, in the order in which marking asks for them: what helps most comes first."""

FIRST = tuple(name for name, named in NAMES.items() if named.first)

Marks = Mapping[str, Sequence[float]]
"""Places of named points: x and y in pixels of the picture."""


@dataclass(frozen=True)
class MarkedFace:
    """One face of one picture, shown by a person (or by another program).

    Attributes:
        marks: at least five named points; or None where `mesh` is given.
        mesh: all landmarks, (478, 3) in pixels; or None where `marks` are given.
        picture: the file name of the picture, without folders; None for whichever comes first.
        size: width and height, in pixels, of the picture that was marked; None if not known.
    """

    marks: Marks | None = None
    mesh: Points | None = None
    picture: str | None = None
    size: tuple[int, int] | None = None

    def points(self, width: int, height: int) -> Points:
        """Landmarks, (478, 3) float32, in a picture of that size in pixels.

        Raises:
            LandmarksError: no face fits the marks, it is not in the picture, or the picture has another shape.
        """
        points = fit_marks(self.marks or {}) if self.mesh is None else np.asarray(self.mesh, np.float32)
        if self.size:
            if abs(np.log((width / height) / (self.size[0] / self.size[1]))) > SAME_SHAPE:
                raise LandmarksError(
                    f"the marks are for a picture of {self.size[0]} x {self.size[1]} pixels, this one has "
                    f"{width} x {height}: it was cropped or turned since; mark it again with 'gioconda mark'"
                )
            scale = width / self.size[0], height / self.size[1]
            points = (points * (*scale, scale[0])).astype(np.float32)
        x, y = points[:, :2].mean(axis=0)
        if not (0 <= x < width and 0 <= y < height):
            raise LandmarksError(
                f"the marked face lies around {x:.0f},{y:.0f}, outside the picture ({width} x {height}); "
                "give places in pixels of this picture"
            )
        return points

    def points_in(self, path: Path, width: int, height: int) -> Points:
        """`points`, with errors that name the picture."""
        try:
            return self.points(width, height)
        except LandmarksError as error:
            raise LandmarksError(f"the landmarks of {path}: {error}") from None


def fit_marks(marks: Marks) -> Points:
    """The face, (478, 3) float32 in pixels, that fits named points best and passes through them.

    Lips are closed unless `mouth_top` and `mouth_bottom` are marked. Where both lids of an eye are, its
    shape follows them.

    Raises:
        LandmarksError: fewer than five points, an unknown name, a place that is not one, left and right swapped,
            points in an impossible order or too close together.
    """
    if unknown := [name for name in marks if name not in NAMES]:
        raise LandmarksError(f"there is no point named {unknown[0]!r}; the names are {', '.join(NAMES)}")
    if len(marks) < LEAST_MARKS:
        raise LandmarksError(
            f"{len(marks)} points are marked, at least {LEAST_MARKS} are needed; begin with {', '.join(FIRST)}"
        )
    names = [name for name in NAMES if name in marks]
    which = np.zeros((len(names), LANDMARKS))
    for row, name in zip(which, names, strict=True):
        row[list(NAMES[name].landmarks)] = 1 / len(NAMES[name].landmarks)
    places = np.array([_place(name, marks[name]) for name in names])
    _check(names, which @ face_model().shape[:, :2], places)
    points = fit_face(which, places)
    if not {"mouth_top", "mouth_bottom"} <= marks.keys():
        points = closed_lips(points)
    for side, eye, brow in zip(("left", "right"), EYES, BROWS, strict=True):
        if {f"{side}_lid_top", f"{side}_lid_bottom"} <= marks.keys():
            points = shaped_lids(points, eye, brow)
    return points


def marks_of(points: Points) -> dict[str, list[float]]:
    """Where every point that can be marked is on a face, (478, 3)."""
    return {name: points[list(named.landmarks), :2].mean(axis=0).tolist() for name, named in NAMES.items()}


def _place(name: str, place: Any) -> tuple[float, float]:
    try:
        x, y = map(float, place)
    except (TypeError, ValueError, OverflowError):
        x = y = np.nan
    if not (abs(x) < FARTHEST and abs(y) < FARTHEST):
        raise LandmarksError(f"{name} is at {place!r}: a place is two numbers, x and y in pixels")
    return x, y


def _check(names: list[str], known: NDArray[Any], places: NDArray[Any]) -> None:
    """Refuse marks that cannot be a face; `known` and `places`, (n, 2), on the canonical face and in the picture."""
    centred, expected = places - places.mean(axis=0), known - known.mean(axis=0)
    if np.sqrt(np.square(centred).sum(axis=1).mean()) < LEAST_SIZE:
        raise LandmarksError("the marked points lie on one spot; mark each where it is, or use a larger picture")
    if np.linalg.svd(expected, compute_uv=False)[-1] / np.sqrt(len(names)) < LEAST_SPREAD:
        raise LandmarksError("the marked points do not spread over the face; mark both eyes and the chin, too")
    if np.linalg.det(centred.T @ expected) < 0:
        raise LandmarksError(
            "left and right are swapped: left_eye is the eye on the left of the picture, "
            "not the person's left eye (of a face upside down, turn the picture first)"
        )
    turned = centred @ upright(known, places).T
    for i, name in enumerate(names):
        for j, other in enumerate(names):
            if name == other.replace("right", "left") != other and turned[j, 0] <= turned[i, 0]:
                raise LandmarksError(f"{name} and {other} are swapped: left is the picture's left")
            # Of the five first only: a nodding head takes the others past each other.
            below = {name, other} <= {*FIRST} and expected[j, 1] - expected[i, 1] > CLEARLY
            if below and turned[j, 1] <= turned[i, 1]:
                raise LandmarksError(f"{other} is marked above {name}, or beside it: are they swapped?")


def read_marks(path: str | Path) -> MarkedFace:
    """Read a file of marks.

    Raises:
        LandmarksError: missing, not such a file, damaged, or of a newer version.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise LandmarksError(f"{path} is too large for a file of landmarks; make one with 'gioconda mark'")
        content = parse_json(path.read_bytes())
    except OSError as error:
        raise LandmarksError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        raise LandmarksError(f"{path} is not JSON; make one with 'gioconda mark'") from None
    try:
        return marks_from_json(content)
    except LandmarksError as error:
        raise LandmarksError(f"{path}: {error}") from None


def marks_from_json(content: Any) -> MarkedFace:
    """What the JSON of such a file says. Raises LandmarksError."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise LandmarksError(f'not a file of landmarks ("format" is not "{FORMAT}"); make one with \'gioconda mark\'')
    if content.get("version") != VERSION:
        raise LandmarksError(f"of version {content.get('version')!r}; this Gioconda reads version {VERSION}")
    marks, mesh, picture, size = (content.get(key) for key in ("points", "landmarks", "picture", "size"))
    if (marks is None) == (mesh is None):
        raise LandmarksError('either "points", named, or "landmarks", all 478, must be given')
    if marks is not None and not isinstance(marks, dict):
        raise LandmarksError('"points" must name each point: {"left_eye": [x, y], ...}')
    if picture is not None and not isinstance(picture, str):
        raise LandmarksError('"picture" must be a file name')
    if size is not None:
        try:
            width, height = map(int, size)
            whole = 0 < width < FARTHEST and 0 < height < FARTHEST
        except (TypeError, ValueError, OverflowError):
            whole = False
        if not whole:
            raise LandmarksError('"size" must be width and height in pixels')
        size = width, height
    if mesh is not None:
        try:
            mesh = np.array(mesh, np.float64)
        except (TypeError, ValueError, OverflowError):
            mesh = np.zeros(0)
        if mesh.shape != (LANDMARKS, 3) or not (np.abs(mesh) < FARTHEST).all():
            raise LandmarksError(f'"landmarks" must be {LANDMARKS} places of three numbers: x, y, z in pixels')
    return MarkedFace(marks, mesh, Path(picture).name if picture else None, size)


def write_marks(path: str | Path, face: MarkedFace) -> None:
    """Write a file of marks; it appears under its name only when it is whole.

    Raises:
        OutputError: it cannot be written there.
    """
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if face.picture:
        content["picture"] = face.picture
    if face.size:
        content["size"] = list(face.size)
    if face.mesh is not None:
        content["landmarks"] = np.round(face.mesh.astype(float), 2).tolist()
    elif face.marks:
        content["points"] = {name: [round(float(v), 2) for v in place] for name, place in face.marks.items()}
    try:
        with whole_file(Path(path)) as file:
            file.write((json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {spoken_os_error(error)}") from error


def marks_of_pictures(files: Sequence[str | Path], pictures: Sequence[Path]) -> dict[int, MarkedFace]:
    """Which picture, by its number, each file of marks is about: the one whose name it has, or the first.

    Raises:
        LandmarksError: a file cannot be read, is about none of the pictures, or about one that already has marks.
    """
    found: dict[int, MarkedFace] = {}
    for file in files:
        face = read_marks(file)
        numbers = [i for i, path in enumerate(pictures) if path.name == face.picture] if face.picture else [0]
        if not numbers:
            raise LandmarksError(
                f'{file} is for {face.picture}, which is not among the pictures; give it, or correct "picture"'
            )
        if len(numbers) > 1:
            raise LandmarksError(f"{file} is for {face.picture}, and several pictures have that name; rename one")
        if numbers[0] in found:
            raise LandmarksError(
                f"{file}: {pictures[numbers[0]]} has landmarks already; give one file for each picture"
            )
        found[numbers[0]] = face
    return found
