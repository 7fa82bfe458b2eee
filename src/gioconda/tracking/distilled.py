"""The tracker in use: two small networks in ONNX Runtime, learned from a teacher. See `docs/tracker.md`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np

from gioconda.errors import UsageError
from gioconda.tracking.crops import Crop
from gioconda.tracking.detector import PYRAMID, Detection, Detector
from gioconda.tracking.landmarker import Landmarker, Reading
from gioconda.tracking.tracker import Box, Face, Rgb, Search, TrackerName

NETWORKS = ("detector.onnx", "landmarks.onnx")
"""Files that `gioconda train tracker` leaves in its folder."""
PRESENT = 0.5
"""Presence from which a reading is believed."""
LOOKS = ((0.05, -0.05, 1.15, 14.0), (-0.05, 0.05, 0.87, -14.0), (0.0, 0.0, 1.06, 6.0), (0.0, 0.0, 0.94, -6.0))
"""How other crops of a face found lie to its own: across, down and side in its sides, and degrees they lean."""
AGREED = 0.08
"""Mean distance, in crop sides, up to which crops show the same face where the detector is sure of it, with a score of
1; at half of that it must be half as far. What is no face reads differently in each crop."""
MOVED = 0.06
"""Crop sides by which a followed face may move from frame to frame; further, and it is read again where it is now."""
GLANCES = 4
"""Readings of one frame at most, until the face is where it was looked for."""
RETRY_AFTER = 5
"""Frames between two searches of the whole frame while the face is lost; a search costs as much as several frames."""
BOX_CROP = 1.35
"""Side of a face's crop over the longer side of the box around its landmarks."""
BOX_LEANS = (0.0, -25.0, 25.0, -50.0, 50.0)
"""Degrees by which the face in a box that a person drew is supposed to lean, in the order of trying."""


class DistilledTracker:
    """See `gioconda.tracking.Tracker`. `folder` holds the two networks of `NETWORKS`; None for those of the package.

    They are loaded when they are first needed: an avatar under a built-in performance needs neither.

    Raises:
        UsageError: one of them is missing.
    """

    name: TrackerName = "gioconda"

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or Path(str(resources.files("gioconda.data.tracker")))
        for name in NETWORKS:
            if not (folder / name).is_file():
                raise UsageError(
                    f"{folder}: no tracker ({name} is missing); give the folder of 'gioconda train tracker'"
                )
        self._folder = folder

    @cached_property
    def _detector(self) -> Detector:
        return Detector(self._folder / NETWORKS[0])

    @cached_property
    def _landmarker(self) -> Landmarker:
        return Landmarker(self._folder / NETWORKS[1])

    def find(self, rgb: Rgb) -> Search:
        """All faces, largest first."""
        return Search(self._faces(rgb, PYRAMID), ["faces of all sizes in the whole picture"])

    def glance(self, rgb: Rgb) -> list[Face]:
        """The large faces, largest first, in a hundredth of a second."""
        return self._faces(rgb, PYRAMID[:1])

    def _faces(self, rgb: Rgb, sizes: Sequence[int]) -> list[Face]:
        looked = (self._settled(rgb, found.crop, found.score) for found in self.candidates(rgb, sizes))
        faces = [face for face in looked if face is not None]
        faces.sort(key=lambda face: -face.box.width * face.box.height)
        kept: list[Face] = []
        for face in faces:
            if all(face.box.overlap(other.box) < 0.4 for other in kept):
                kept.append(face)
        return kept

    def find_in(self, rgb: Rgb, box: Box) -> Search:
        """The face inside a box, upright or leaning."""
        tried = []
        x, y = box.centre
        for lean in BOX_LEANS:
            tried.append(f"the box, leaning by {lean:.0f} degrees")
            crop = Crop(x, y, BOX_CROP * max(box.width, box.height), np.radians(lean))
            face = self._settled(rgb, crop, 1.0)  # somebody is sure
            if face is not None and face.box.overlap(box) > 0.1:
                return Search([face], tried)
        return Search([], tried)

    def follow(self, face: Face | None = None, *, quick: bool = False) -> DistilledFollower:
        """A fresh follower, of a face or of the largest."""
        return DistilledFollower(self, face, quick)

    def candidates(self, rgb: Rgb, sizes: Sequence[int] = PYRAMID) -> list[Detection]:
        """Where faces may be, surest first; `sizes` are the longest sides at which the picture is searched."""
        return self._detector(rgb, sizes)

    def read(self, rgb: Rgb, crop: Crop) -> Reading:
        """What the landmark network sees in a crop."""
        return self._landmarker(rgb, crop)

    def _settled(self, rgb: Rgb, crop: Crop, score: float) -> Face | None:
        """The face in a crop, if looks at it from other crops agree, the less sure the better; their mean."""
        first = self.read(rgb, crop)
        if first.presence < PRESENT:
            return None
        crop = Crop.around(first.points)
        second = self.read(rgb, crop)
        if second.presence < PRESENT:
            return None
        looks = [second.points]
        for across, down, side, lean in LOOKS:
            looks.append(self.read(rgb, crop.beside(across, down, side, np.radians(lean))).points)
            if np.linalg.norm((looks[-1] - looks[0])[:, :2], axis=1).mean() > AGREED * score * crop.side:
                return None
        return Face(np.mean(looks, axis=0))


class DistilledFollower:
    """See `gioconda.tracking.FaceFollower`. Each frame is read where the face was in the one before."""

    def __init__(self, tracker: DistilledTracker, face: Face | None = None, quick: bool = False) -> None:
        self._tracker = tracker
        self._crop = None if face is None else Crop.around(face.points)
        self._quick = quick
        self._wait = 0

    def __call__(self, rgb: Rgb) -> Face | None:
        """The face in the next frame."""
        if self._crop is not None:
            face = self._followed(rgb, self._crop)
            if face is not None:
                self._crop = Crop.around(face.points)
                return face
            self._crop, self._wait = None, 0
        if self._wait > 0:
            self._wait -= 1
            return None
        found = self._tracker.glance(rgb) if self._quick else self._tracker.find(rgb).faces
        if not found:
            self._wait = 0 if self._quick else RETRY_AFTER
            return None
        self._crop = Crop.around(found[0].points)
        return found[0]

    def _followed(self, rgb: Rgb, crop: Crop) -> Face | None:
        """The face in the next frame, near where it was: a quick one is found in a few glances."""
        for _ in range(GLANCES):
            reading = self._tracker.read(rgb, crop)
            if reading.presence < PRESENT:
                return None
            now = Crop.around(reading.points)
            if np.hypot(now.x - crop.x, now.y - crop.y) <= MOVED * crop.side:
                return Face(reading.points)
            crop = now
        return None

    def close(self) -> None:
        """Nothing to free: the networks are the tracker's."""
