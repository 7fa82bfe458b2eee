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
from gioconda.media.files import sha256_of
from gioconda.media.pictures import MAX_PIXELS, Picture, read_picture
from gioconda.tracking import Box, Face, Tracker, default_tracker

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
        sha256: of the file that it was read from, in hexadecimal digits; None where there is none.
    """

    rgb: NDArray[np.uint8]
    points: Points
    alpha: NDArray[np.uint8] | None = None
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
        return View(
            np.ascontiguousarray(self.rgb[part]),
            self.points - np.array([left, top, 0], self.points.dtype),
            None if self.alpha is None else np.ascontiguousarray(self.alpha[part]),
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

        alpha = None if self.alpha is None else scaled(self.alpha)
        return View(scaled(self.rgb), self.points * scale, alpha, self.sha256)


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
        face: int = 0,
        box: Box | None = None,
        max_pixels: int = MAX_PIXELS,
        tracker: Tracker | None = None,
    ) -> Portrait:
        """Read pictures and find the person in them.

        Args:
            paths: 1 to 32 pictures of one person; the first is the one that will move.
            face: which face of the first picture, 0 being the largest.
            box: where the face of the first picture is, when it is not found by itself.
            max_pixels: larger pictures are refused.
            tracker: finds faces; None for the default.

        Raises:
            PictureError: a picture cannot be read.
            NoFaceError: no face in a picture, or no face of that number.
            UsageError: no or too many pictures, or a box outside the picture.
        """
        if isinstance(paths, str | Path):
            paths = [paths]
        if not 1 <= len(paths) <= MOST_VIEWS:
            raise UsageError(f"{len(paths)} pictures given; a portrait has 1 to {MOST_VIEWS}")
        tracker = tracker or default_tracker()
        views = []
        for index, path in enumerate(map(Path, paths)):
            picture = read_picture(path, max_pixels)
            first = index == 0
            points = find_face(picture, path, tracker, face if first else 0, box if first else None).points
            views.append(View(picture.rgb, points, picture.alpha, sha256_of(path)))
        return Portrait(tuple(views))

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


def find_face(picture: Picture, path: Path, tracker: Tracker, face: int = 0, box: Box | None = None) -> Face:
    """One face of a picture: by number, largest first, or inside a box.

    Raises:
        NoFaceError, UsageError: as `Portrait.from_pictures`.
    """
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
                f"{path}: no face found in the box, {len(search.tried)} ways tried; give a wider or tighter one"
            )
        raise NoFaceError(
            f"{path}: no face found (tried {'; '.join(search.tried)}); give its place with --box x,y,width,height"
        )
    if face >= len(search.faces) or face < 0:
        count = len(search.faces)
        have = "one face was found, number 0" if count == 1 else f"{count} faces were found, 0 to {count - 1}"
        raise NoFaceError(f"{path}: no face number {face}: {have}; 'gioconda faces {path}' shows them")
    return search.faces[face]
