"""The interface of a face tracker."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import MissingExtraError
from gioconda.face import Points, bounds

Rgb = NDArray[np.uint8]
TrackerName = Literal["gioconda", "mediapipe"]
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)
"""The product's own, and MediaPipe's Face Mesh, its teacher."""


@dataclass(frozen=True)
class Box:
    """A rectangle in picture pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        common = max(across, 0.0) * max(down, 0.0)
        return common / max(self.width * self.height + other.width * other.height - common, 1e-9)


@dataclass(frozen=True)
class Face:
    """One face: 478 landmarks in picture pixels, z in the same unit (negative towards the camera)."""

    points: Points

    @property
    def box(self) -> Box:
        """Box around the landmarks."""
        return Box(*bounds(self.points))


@dataclass(frozen=True)
class Search:
    """What a search for faces found, largest face first, and what it tried (for the message when nothing was)."""

    faces: list[Face]
    tried: list[str]


class FaceFollower(Protocol):
    """Follows one face through the frames of one video, in order."""

    def __call__(self, rgb: Rgb) -> Face | None:
        """The face in the next frame, uint8 (height, width, 3), or None while it is not to be seen."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Tracker(Protocol):
    """Finds and follows faces."""

    @property
    def name(self) -> TrackerName:
        """Which of `TRACKERS` it is."""
        ...

    def find(self, rgb: Rgb) -> Search:
        """All faces of a still picture, uint8 (height, width, 3)."""
        ...

    def find_in(self, rgb: Rgb, box: Box) -> Search:
        """The face inside a box that a person drew: tries harder and looks nowhere else."""
        ...

    def follow(self, face: Face | None = None, *, quick: bool = False) -> FaceFollower:
        """A fresh follower; it starts with a face found in the first frame it will see, or the largest it sees.

        `quick` is for frames that do not wait: a face that is not there is looked for at a glance, in every frame,
        and only large ones are found; without it thoroughly, every few frames, which takes as long as many frames.
        """
        ...


def default_tracker() -> Tracker:
    """The tracker the product uses unless told otherwise: its own."""
    # Imported here, for it imports this module.
    from gioconda.tracking.distilled import DistilledTracker

    return DistilledTracker()


def tracker_named(name: TrackerName) -> Tracker:
    """One of `TRACKERS`.

    Raises:
        MissingExtraError: it is not installed.
    """
    if name == "gioconda":
        return default_tracker()
    if not find_spec("mediapipe"):
        raise MissingExtraError("the tracker 'mediapipe' is not installed: pip install 'gioconda[mediapipe]'")
    from gioconda.tracking.facemesh import FaceMeshTracker

    return FaceMeshTracker()
