"""The portrait: pictures of the person to animate, each with its landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.errors import NoFaceError, UsageError
from gioconda.face import Points
from gioconda.lids import fit_lids
from gioconda.marks import marks_of_pictures
from gioconda.media.files import sha256_of
from gioconda.media.pictures import MAX_PIXELS, Picture, read_picture
from gioconda.tracking import Box, Face, Search, Tracker, default_tracker

MOST_VIEWS = 32
CROP = 2.3
"""Side of a head crop, in face heights."""


@dataclass(frozen=True)
class View:
    """One picture of a portrait.

    Attributes:
        rgb: uint8 (height, width, 3).
        points: (478, 3) landmarks in pixels of `rgb`.
        alpha: uint8 (height, width), or None where the picture is opaque.
        neighbours: landmarks of other faces in the picture, which keep still when this one moves.
        sha256: of the file that it was read from (of an avatar, its first view has it), in hexadecimal digits, or None.
    """

    rgb: NDArray[np.uint8]
    points: Points
    alpha: NDArray[np.uint8] | None = None
    neighbours: tuple[Points, ...] = ()
    sha256: str | None = None

    @property
    def box(self) -> Box:
        """Box around the face."""
        return Face(self.points).box

    def cropped_to_head(self) -> View:
        """The square around the head, as much of it as lies in the picture."""
        height, width = self.rgb.shape[:2]
        side = min(round(CROP * self.box.height), width, height)
        x, y = self.box.centre
        # Hair rises further above the face than the neck is wanted below it.
        y -= 0.08 * self.box.height
        left = int(np.clip(x - side / 2, 0, width - side))
        top = int(np.clip(y - side / 2, 0, height - side))
        part = np.s_[top : top + side, left : left + side]
        corner = np.array([left, top, 0], self.points.dtype)
        return View(
            np.ascontiguousarray(self.rgb[part]),
            self.points - corner,
            None if self.alpha is None else np.ascontiguousarray(self.alpha[part]),
            tuple(points - corner for points in self.neighbours),
            self.sha256,
        )

    def resized(self, longest: int) -> View:
        """With the longer side of the given length in pixels."""
        height, width = self.rgb.shape[:2]
        factor = longest / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        scale = np.array([size[0] / width, size[1] / height, factor], self.points.dtype)

        def scaled(image: NDArray[np.uint8]) -> NDArray[Any]:
            return cv2.resize(image, size, interpolation=method)

        return View(
            scaled(self.rgb),
            self.points * scale,
            None if self.alpha is None else scaled(self.alpha),
            tuple(points * scale for points in self.neighbours),
            self.sha256,
        )


@dataclass(frozen=True)
class Portrait:
    """1 to 32 views of one person. The first is the canvas: the clip shows that picture."""

    views: tuple[View, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.views) <= MOST_VIEWS:
            raise UsageError(f"{len(self.views)} pictures given; a portrait has 1 to {MOST_VIEWS}")

    @staticmethod
    def from_pictures(
        paths: Sequence[str | Path],
        *,
        face: int | None = None,
        box: Box | None = None,
        landmarks: Sequence[str | Path] = (),
        max_pixels: int = MAX_PIXELS,
        tracker: Tracker | None = None,
    ) -> Portrait:
        """Read pictures and find the person in them.

        Args:
            paths: 1 to 32 pictures of one person; the first is the one that will move.
            face: which face of the first picture, 0 being the largest; None for the largest.
            box: where the face of the first picture is, when it is not found by itself.
            landmarks: files of marks (`gioconda.marks`), in place of what would be found in their pictures.
            max_pixels: larger pictures are refused.
            tracker: finds faces; None for the default.

        Raises:
            PictureError: a picture cannot be read.
            LandmarksError: a file of marks is no use.
            NoFaceError: no face in a picture, or no face of that number.
            UsageError: no or too many pictures, a box outside the picture, or a number or box of a face that landmarks
                show.
        """
        if isinstance(paths, str | Path):
            paths = [paths]
        if not 1 <= len(paths) <= MOST_VIEWS:
            raise UsageError(f"{len(paths)} pictures given; a portrait has 1 to {MOST_VIEWS}")
        marked = marks_of_pictures(landmarks, [Path(path) for path in paths])
        if box is not None and 0 in marked:
            raise UsageError("landmarks say where the face of the first picture is; leave out the box")
        if face is not None and 0 in marked:
            raise UsageError(
                f"landmarks show the face of the first picture that is to move, and --face {face} names one by number; "
                "leave out --face, or the landmarks of that picture"
            )
        tracker = tracker or default_tracker()
        views = []
        for index, path in enumerate(map(Path, paths)):
            picture = read_picture(path, max_pixels)
            if index == 0 and box is None and index not in marked:
                (view,) = _views(picture, path, tracker, [face or 0])
            else:
                if index in marked:
                    points = marked[index].points_in(path, *picture.rgb.shape[1::-1])
                else:
                    points = find_face(picture, path, tracker, box=box if index == 0 else None)
                # Only the canvas shows others that must keep still.
                others = tracker.find(picture.rgb).faces if index == 0 else []
                view = View(picture.rgb, points, picture.alpha, _neighbours(Face(points), others), sha256_of(path))
            views.append(view)
        return Portrait(tuple(views))

    @staticmethod
    def from_group(
        path: str | Path, faces: Sequence[int], *, max_pixels: int = MAX_PIXELS, tracker: Tracker | None = None
    ) -> tuple[Portrait, ...]:
        """Several people of one picture, a portrait each; they share the picture's pixels.

        Args:
            path: the picture.
            faces: which of its faces, 0 being the largest.
            max_pixels, tracker: as for `from_pictures`.

        Raises:
            PictureError: the picture cannot be read.
            NoFaceError: no face in it, or no face of one of the numbers.
        """
        picture = read_picture(path, max_pixels)
        views = _views(picture, Path(path), tracker or default_tracker(), faces)
        return tuple(Portrait((view,)) for view in views)

    def framed(self, crop: bool = False, size: int | None = None) -> Portrait:
        """With the canvas cropped to the head and resized to a longest side in pixels, if wanted.

        Raises:
            UsageError: a size that is no use.
        """
        canvas = self.views[0]
        if crop:
            canvas = canvas.cropped_to_head()
        if size is not None:
            if not 64 <= size <= 8192:
                raise UsageError(f"size {size}: use 64 to 8192 pixels")
            canvas = canvas.resized(size)
        return replace(self, views=(canvas, *self.views[1:]))


def find_face(picture: Picture, path: Path, tracker: Tracker, face: int = 0, box: Box | None = None) -> Points:
    """Landmarks, (478, 3), of one face of a picture: by number, largest first, or inside a box; its lids are fitted.

    Raises:
        NoFaceError, UsageError: as `Portrait.from_pictures`.
    """
    return fit_lids(picture.rgb, _numbered(_search(picture, path, tracker, box), path, face).points)


def _views(picture: Picture, path: Path, tracker: Tracker, faces: Sequence[int]) -> list[View]:
    """A view for each of some faces of a picture, which know of each other and of all the others in it."""
    found = _search(picture, path, tracker, None)
    chosen = [_numbered(found, path, number) for number in faces]
    return [
        View(
            picture.rgb,
            fit_lids(picture.rgb, face.points),
            picture.alpha,
            _neighbours(face, found.faces),
            sha256_of(path),
        )
        for face in chosen
    ]


def _neighbours(face: Face, faces: Sequence[Face]) -> tuple[Points, ...]:
    """Landmarks of the other faces, but for what was found inside this one or around it: a face seen twice."""

    def apart(other: Face) -> bool:
        return not (_holds(face.box, other.box.centre) or _holds(other.box, face.box.centre))

    return tuple(other.points for other in faces if other is not face and apart(other))


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return 0 <= point[0] - box.x < box.width and 0 <= point[1] - box.y < box.height


def _search(picture: Picture, path: Path, tracker: Tracker, box: Box | None) -> Search:
    """All faces of a picture, at least one, or that inside a box."""
    height, width = picture.rgb.shape[:2]
    if box is not None:
        if min(box.width, box.height) < 8 or not (0 <= box.centre[0] < width and 0 <= box.centre[1] < height):
            raise UsageError(
                f"--box {box.x:g},{box.y:g},{box.width:g},{box.height:g} is not in {path} ({width} x {height}); "
                "give x,y,width,height of the face in pixels"
            )
        search = tracker.find_in(picture.rgb, box)
    else:
        search = tracker.find(picture.rgb)
    if not search.faces:
        if box:
            raise NoFaceError(
                f"{path}: no face found in the box, {len(search.tried)} ways tried; give a wider or tighter one, "
                f"or show it with 'gioconda mark {path}'"
            )
        raise NoFaceError(
            f"{path}: no face found (tried {'; '.join(search.tried)}); give its place with --box x,y,width,height, "
            f"or show it with 'gioconda mark {path}'"
        )
    return search


def _numbered(search: Search, path: Path, face: int) -> Face:
    if face >= len(search.faces) or face < 0:
        count = len(search.faces)
        have = "one face was found, number 0" if count == 1 else f"{count} faces were found, 0 to {count - 1}"
        raise NoFaceError(f"{path}: no face number {face}: {have}; 'gioconda faces {path}' shows them")
    return search.faces[face]
