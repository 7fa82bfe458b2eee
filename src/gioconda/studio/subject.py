"""Who is to move: the pictures that a visitor gave, the faces in the first, and which one is meant."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.avatar import Avatar
from gioconda.errors import UsageError
from gioconda.faces import CHOSEN, draw_faces
from gioconda.marks import FIRST, NAMES, MarkedFace, Marks, write_marks
from gioconda.media.pictures import read_picture
from gioconda.portrait import Portrait
from gioconda.resume import digest
from gioconda.tracking import Box, Face, FaceFollower, Search, Tracker, default_tracker
from gioconda.tracking.tracker import TrackerName

SHOWN = 900
"""Longest side, in pixels, of the picture as the page shows it."""

Rgb = NDArray[np.uint8]


class RememberingTracker:
    """A tracker that searches each picture once: faces, portrait and quality card all ask for the same ones."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._known: dict[str, Search] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> TrackerName:
        """As the tracker's."""
        return self._tracker.name

    def find(self, rgb: Rgb) -> Search:
        """All faces of a picture."""
        with self._lock:
            name = digest(rgb)
            if name not in self._known:
                self._known[name] = self._tracker.find(rgb)
            return self._known[name]

    def find_in(self, rgb: Rgb, box: Box) -> Search:
        """The face inside a box."""
        with self._lock:
            return self._tracker.find_in(rgb, box)

    def follow(self, face: Face | None = None, *, quick: bool = False) -> FaceFollower:
        """As the tracker does."""
        return self._tracker.follow(face, quick=quick)


@dataclass(frozen=True, eq=False)
class Subject:
    """What was given, and who of it is meant.

    Attributes:
        paths: the pictures, or the avatar's file.
        shown: uint8, the first picture as the page shows it.
        scale: pixels of the picture for one of `shown`.
        faces: those found in it, in the picture's pixels, the largest first; or the one that was shown by hand.
        chosen: number of the face that is meant.
        marks: the points that were clicked, in the picture's pixels, while no face is known.
        portrait: the person; None as long as no face is known.
        avatar: the avatar, where one was given.
        by_hand: the file of marks, where the face was shown by points.
        tracker: what finds the faces of the pictures.
    """

    paths: tuple[Path, ...]
    shown: Rgb
    scale: float
    faces: tuple[Face, ...] = ()
    chosen: int = 0
    marks: tuple[tuple[float, float], ...] = ()
    portrait: Portrait | None = None
    avatar: Avatar | None = None
    by_hand: Path | None = None
    tracker: RememberingTracker = field(default_factory=lambda: RememberingTracker(default_tracker()))

    @property
    def next_mark(self) -> str | None:
        """What to click next; None when all is clicked."""
        return NAMES[FIRST[len(self.marks)]].text if len(self.marks) < len(FIRST) else None


def open_subject(paths: Sequence[Path], max_pixels: int) -> Subject:
    """Look at what was given.

    Raises:
        PictureError, AvatarError: a file is of no use.
        NoFaceError: none in a picture after the first; in the first, it can be shown by hand.
        UsageError: no picture, too many, or an avatar with others.
    """
    if not paths:
        raise UsageError("give at least one picture")
    if any(path.suffix == ".avatar" for path in paths):
        if len(paths) > 1:
            raise UsageError("an avatar holds its own pictures: give it alone")
        return of_avatar(Avatar.load(paths[0], max_pixels), paths[0])
    rgb = read_picture(paths[0], max_pixels).rgb
    given = Subject(tuple(paths), *_shown(rgb))
    found = replace(given, faces=tuple(given.tracker.find(rgb).faces))
    return choose(found, 0, max_pixels) if found.faces else found


def of_avatar(avatar: Avatar, path: Path) -> Subject:
    """The person of an avatar."""
    view = avatar.portrait.views[0]
    return Subject((path,), *_shown(view.rgb), (Face(view.points),), portrait=avatar.portrait, avatar=avatar)


def choose(subject: Subject, number: int, max_pixels: int) -> Subject:
    """Another of the faces is meant. Raises as `Portrait.from_pictures`."""
    portrait = Portrait.from_pictures(subject.paths, face=number, max_pixels=max_pixels, tracker=subject.tracker)
    return replace(subject, chosen=number, portrait=portrait, marks=(), by_hand=None)


def boxed(subject: Subject, box: Box, max_pixels: int) -> Subject:
    """The face is in a box, in the picture's pixels. Raises as `Portrait.from_pictures`."""
    portrait = Portrait.from_pictures(subject.paths, box=box, max_pixels=max_pixels, tracker=subject.tracker)
    return replace(_by_hand(subject, portrait), by_hand=None)


def marked(subject: Subject, place: tuple[float, float], folder: Path, max_pixels: int) -> Subject:
    """One more point of the face was clicked, in the picture's pixels; after the last the face is known.

    Raises:
        LandmarksError: the points are no face.
    """
    subject = replace(subject, marks=(*subject.marks, place))
    if subject.next_mark is not None:
        return subject
    marks: Marks = dict(zip(FIRST, subject.marks, strict=True))
    path = folder / "marks.json"
    write_marks(path, MarkedFace(marks, picture=subject.paths[0].name))
    portrait = Portrait.from_pictures(subject.paths, landmarks=[path], max_pixels=max_pixels, tracker=subject.tracker)
    return replace(_by_hand(subject, portrait), by_hand=path)


def face_at(subject: Subject, place: tuple[float, float]) -> int | None:
    """Number of the face at a place in the picture's pixels; of several the smallest."""
    x, y = place
    there = [
        number
        for number, face in enumerate(subject.faces)
        if 0 <= x - face.box.x <= face.box.width and 0 <= y - face.box.y <= face.box.height
    ]
    return there[-1] if there else None


def outlined(subject: Subject, corner: tuple[float, float] | None = None) -> Rgb:
    """The picture with the outlines of its faces, the points clicked, and the first corner of a box."""
    faces = [Face(face.points / subject.scale) for face in subject.faces]
    drawn = draw_faces(subject.shown, faces, subject.chosen if subject.portrait else None)
    dot = max(4, max(drawn.shape) // 150)
    for x, y in (*(() if subject.portrait else subject.marks), *((corner,) if corner else ())):
        centre = round(x / subject.scale), round(y / subject.scale)
        cv2.circle(drawn, centre, dot + 2, (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(drawn, centre, dot, CHOSEN, -1, cv2.LINE_AA)
    return drawn


def _by_hand(subject: Subject, portrait: Portrait) -> Subject:
    return replace(subject, faces=(Face(portrait.views[0].points),), chosen=0, portrait=portrait, marks=())


def _shown(rgb: Rgb) -> tuple[Rgb, float]:
    scale = max(1.0, max(rgb.shape[:2]) / SHOWN)
    if scale == 1:
        return rgb, 1.0
    small = cv2.resize(rgb, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), scale
