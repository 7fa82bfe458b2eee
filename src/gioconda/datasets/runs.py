"""Frames of a video -> runs: one face each, followed without a gap and without a cut. Several faces at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from gioconda.cuts import Sighting, Thumbnail, is_another_picture, is_cut, thumbnail
from gioconda.datasets.square import FACES, ROOM
from gioconda.face import Points
from gioconda.tracking import Face, FaceFollower, Tracker
from gioconda.tracking.tracker import Rgb

SEARCH_SIDE = 480
"""Longest side, in pixels, at which a frame is searched for faces that are not yet followed."""
SEARCH_AGAIN = 2.0
"""Seconds between two searches while some face is followed."""
SEARCH_SOON, SEARCH_LATE = 0.5, 4.0
"""Seconds to the next search while no face is followed: the first, doubled up to the last."""
WIDEST = 1.5
"""How far a face may wander, in sides of the square that it fills half of, before a new run begins."""


@dataclass(frozen=True)
class Limits:
    """What counts as a run.

    Attributes:
        faces: most faces followed at a time, the largest first.
        longest: frames after which a new run of the same face begins.
        smallest: height in pixels of the smallest face worth following.
    """

    faces: int
    longest: int
    smallest: float


@dataclass(frozen=True, eq=False)
class Run:
    """One face in consecutive frames.

    Attributes:
        track: the same for runs of which one goes on where the other ended.
        first: number of its first frame.
        points: landmarks, float32 (frames, 478, 3) in frame pixels.
    """

    track: int
    first: int
    points: Points

    @property
    def height(self) -> float:
        """Median height of the face in pixels."""
        return float(np.median(np.ptp(self.points[..., 1], axis=1)))


def find_runs(frames: Iterable[Rgb], fps: float, tracker: Tracker, limits: Limits) -> Iterator[Run]:
    """Follow the faces of a video and give each run when it ends.

    Args:
        frames: in order, uint8 (height, width, 3).
        fps: how many a second.
        tracker: finds and follows faces.
        limits: what counts as a run.
    """
    live: list[_Track] = []
    before: Thumbnail | None = None
    tracks = due = 0
    patience = SEARCH_SOON
    try:
        for number, rgb in enumerate(frames):
            now = thumbnail(rgb)
            if before is not None and is_another_picture(before, now):
                due, patience = number, SEARCH_SOON
            before = now
            for track in list(live):
                larger = live[: live.index(track)]
                if track.goes_on(rgb, now) and not any(track.covers(other.last.face) for other in larger):
                    continue
                live.remove(track)
                # A face that was hardly there is not looked for again at once: that would be every other frame.
                due = min(due, number + (0 if len(track.points) >= SEARCH_SOON * fps else round(SEARCH_SOON * fps)))
                patience = SEARCH_SOON
                yield from track.end()
            for track in live:
                if track.is_full(limits.longest):
                    yield track.cut(number)
                track.add()
            if number < due or len(live) >= limits.faces:
                continue
            for face in _search(rgb, tracker):
                new = not any(track.covers(face) for track in live)
                if len(live) < limits.faces and face.box.height >= limits.smallest and new:
                    track = _Track(tracks, tracker.follow(face), number, Sighting(face, now))
                    if track.goes_on(rgb, now):
                        track.add()
                        live.append(track)
                        tracks += 1
                    else:
                        track.follow.close()
            due = number + round(fps * (SEARCH_AGAIN if live else patience))
            patience = SEARCH_SOON if live else min(2 * patience, SEARCH_LATE)
        while live:
            yield from live.pop(0).end()
    finally:
        for track in live:
            track.follow.close()


@dataclass(eq=False)
class _Track:
    """A face that is being followed: `last` was seen in the newest frame, `points` are of all frames of the run."""

    number: int
    follow: FaceFollower
    first: int
    last: Sighting
    points: list[Points] = field(default_factory=list)

    def goes_on(self, rgb: Rgb, now: Thumbnail) -> bool:
        """Whether the face is to be seen in the next frame, too."""
        face = self.follow(rgb)
        if face is None or is_cut(self.last, Sighting(face, now)):
            return False
        self.last = Sighting(face, now)
        return True

    def add(self) -> None:
        self.points.append(self.last.face.points)

    def covers(self, face: Face) -> bool:
        return self.last.face.box.overlap(face.box) > 0.3

    def is_full(self, longest: int) -> bool:
        """Whether the newest frame must begin a new run: the run is long, or the face has gone far."""
        if len(self.points) >= longest:
            return True
        ends = np.stack([self.points[0], self.last.face.points])[..., :2]
        way = float(np.ptp(ends.reshape(-1, 2), axis=0).max())
        return ROOM * way > WIDEST * FACES * self.last.face.box.height

    def cut(self, number: int) -> Run:
        run = Run(self.number, self.first, np.stack(self.points))
        self.first, self.points = number, []
        return run

    def end(self) -> Iterator[Run]:
        self.follow.close()
        if self.points:
            yield self.cut(0)


def _search(rgb: Rgb, tracker: Tracker) -> list[Face]:
    """Faces of a frame, largest first; roughly placed."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SEARCH_SIDE / max(height, width))
    small = cv2.resize(rgb, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return [Face(face.points / np.float32(scale)) for face in tracker.find(np.asarray(small, np.uint8)).faces]
