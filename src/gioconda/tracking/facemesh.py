"""The tracker called `mediapipe`: MediaPipe Face Mesh, whose networks lie inside its package; an extra.

Face Mesh looks for faces that fill a good part of what it is shown and takes whichever it likes
best. Around it, this module finds small faces (pyramid and tiles), keeps to one person, and shows
the network a window around that person only.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from gioconda.tracking.tracker import Box, Face, Rgb, Search, TrackerName

PYRAMID = ((1, 2), (3,), (5,))
"""Tiles a side, coarse to fine; a finer level is looked at only while the coarser ones found nothing."""
SMALLEST_TILE = 96
"""Pixels; below, a tile would hold no face worth animating."""
LARGEST_INPUT = 1280
"""Longest side, in pixels, at which a whole picture or a tile is searched."""
WINDOW = 3.0
"""Side of the window shown to the network, in face sizes, when following."""
WINDOW_PIXELS = 448
"""Longest side of that window as the network sees it; it works at 192 pixels a face."""
RETRY_AFTER = 5
"""Frames between two searches of the whole frame while the face is lost; a search costs as much as ten frames."""


_STDERR = threading.Lock()
"""Held while file descriptor 2, of which a process has one, leads nowhere."""


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep native log lines off the user's terminal: the library has no switch for them.

    What other threads write to it meanwhile is lost. So this is for what does log, the start of a network and its
    first face, not for all that it is used for; and not within itself.
    """
    if sys.stderr is None:  # closed from the beginning
        yield
        return
    with _STDERR:
        sys.stderr.flush()
        kept = os.dup(2)
        try:
            with open(os.devnull, "wb") as sink:
                os.dup2(sink.fileno(), 2)
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _mesh(**options: Any) -> Any:
    with _silenced():
        from mediapipe.python.solutions.face_mesh import FaceMesh

        mesh = FaceMesh(refine_landmarks=True, **options)
        mesh.process(np.zeros((64, 64, 3), np.uint8))
    return mesh


def _detector(model: int, threshold: float) -> Any:
    with _silenced():
        from mediapipe.python.solutions.face_detection import FaceDetection

        detector = FaceDetection(model_selection=model, min_detection_confidence=threshold)
        detector.process(np.zeros((64, 64, 3), np.uint8))
    return detector


def _shrunk(rgb: Rgb, longest: int) -> Rgb:
    """At most `longest` pixels a side, contiguous."""
    scale = longest / max(rgb.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(rgb)
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _crop(rgb: Rgb, box: Box) -> tuple[Rgb, Box]:
    """The part of a picture inside a box, and the box as it was after rounding and clipping."""
    height, width = rgb.shape[:2]
    left, top = max(0, int(box.x)), max(0, int(box.y))
    right = min(width, int(np.ceil(box.x + box.width)))
    bottom = min(height, int(np.ceil(box.y + box.height)))
    return rgb[top:bottom, left:right], Box(left, top, right - left, bottom - top)


def _square(box: Box, factor: float) -> Box:
    side = max(box.width, box.height) * factor
    x, y = box.centre
    return Box(x - side / 2, y - side / 2, side, side)


def _run(mesh: Any, rgb: Rgb, part: Box) -> list[Face]:
    """Faces that a network finds in a part of a picture, in the picture's pixels."""
    if part.width < 8 or part.height < 8:
        return []
    found = mesh.process(_shrunk(rgb, WINDOW_PIXELS)).multi_face_landmarks or []
    size, corner = (part.width, part.height, part.width), (part.x, part.y, 0.0)
    return [
        Face((np.array([(p.x, p.y, p.z) for p in face.landmark]) * size + corner).astype(np.float32)) for face in found
    ]


def _distinct(boxes: list[Box]) -> list[Box]:
    """Without those that overlap a larger one."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: -b.width * b.height):
        if all(box.overlap(other) < 0.3 for other in kept):
            kept.append(box)
    return kept


def _tiles(rgb: Rgb, per_side: int) -> Iterator[tuple[Rgb, Box]]:
    """Overlapping tiles: neighbours share a third, so that a face lies whole in one of them."""
    height, width = rgb.shape[:2]
    share = 1 if per_side == 1 else 3 / (2 * per_side + 1)
    for row in range(per_side):
        for column in range(per_side):
            step = 0 if per_side == 1 else (1 - share) / (per_side - 1)
            box = Box(column * step * width, row * step * height, share * width, share * height)
            yield _crop(rgb, box)


class FaceMeshTracker:
    """See `gioconda.tracking.Tracker`.

    Networks for single pictures are made once and kept: making one takes longer than using it, and each holds memory.
    """

    name: TrackerName = "mediapipe"

    def __init__(self) -> None:
        self._detectors: dict[tuple[int, float], Any] = {}
        self._meshes: dict[float, Any] = {}
        # A network that is dropped without being closed keeps its threads and its memory for good.
        weakref.finalize(self, _close_all, self._detectors, self._meshes).atexit = False

    def find(self, rgb: Rgb) -> Search:
        """All faces, largest first."""
        tried = []
        for threshold in (0.5, 0.25):
            for model, name in ((0, "near"), (1, "far")):
                detector = self._cached_detector(model, threshold)
                for level in PYRAMID:
                    sides = [n for n in level if n == 1 or min(rgb.shape[:2]) / n >= SMALLEST_TILE]
                    if not sides:
                        break
                    parts = sum(n * n for n in sides)
                    tried.append(f"{name} faces in {parts} part{'s' * (parts > 1)} at {threshold:.2f}")
                    tiles = [tile for n in sides for tile in _tiles(rgb, n)]
                    boxes = _found(detector, tiles)
                    if boxes and model == 0:
                        # Others in the picture may be seen by the second network only.
                        more = _found(self._cached_detector(1, threshold), tiles)
                        boxes += [box for box in more if all(box.overlap(other) < 0.3 for other in boxes)]
                    faces = [face for box in boxes for face in self.find_in(rgb, box).faces[:1]]
                    faces = _without_doubles(faces)
                    if faces:
                        return Search(faces, tried)
        return Search([], tried)

    def find_in(self, rgb: Rgb, box: Box) -> Search:
        """The face inside a box, with several margins and treatments of the picture."""
        tried = []
        for threshold in (0.5, 0.1):
            if threshold not in self._meshes:
                options = {"max_num_faces": 1, "min_detection_confidence": threshold}
                self._meshes[threshold] = _mesh(static_image_mode=True, **options)
            mesh = self._meshes[threshold]
            for margin in (2.0, 1.5, 3.0, 1.1):
                tile, part = _crop(rgb, _square(box, margin))
                if part.width < 8 or part.height < 8:
                    continue
                for name, treated in (("as it is", tile), ("grey, more contrast", _contrasted(tile))):
                    tried.append(f"box x {margin}, {name}, at {threshold:.1f}")
                    with _silenced():
                        faces = _run(mesh, treated, part)
                    if faces and faces[0].box.overlap(box) > 0.1:
                        return Search(faces, tried)
        return Search([], tried)

    def follow(self, face: Face | None = None, *, quick: bool = False) -> FaceMeshFollower:
        """A fresh follower, of a face or of the largest."""
        return FaceMeshFollower(self, face, quick)

    def glance(self, rgb: Rgb) -> Box | None:
        """Where the largest face is, if one is seen in the frame as a whole: a hundredth of the cost of `find`."""
        whole = Box(0, 0, rgb.shape[1], rgb.shape[0])
        for model in (0, 1):
            boxes = _found(self._cached_detector(model, 0.5), [(rgb, whole)])
            if boxes:
                return boxes[0]
        return None

    def _cached_detector(self, model: int, threshold: float) -> Any:
        if (model, threshold) not in self._detectors:
            self._detectors[model, threshold] = _detector(model, threshold)
        return self._detectors[model, threshold]


def _close_all(*networks: dict[Any, Any]) -> None:
    for network in itertools.chain.from_iterable(some.values() for some in networks):
        network.close()


def _contrasted(rgb: Rgb) -> Rgb:
    """Grey with local contrast raised: helps with faded drawings and stone."""
    grey = cv2.createCLAHE(3.0, (4, 4)).apply(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _detect(detector: Any, tile: Rgb, part: Box) -> list[Box]:
    found = detector.process(_shrunk(tile, LARGEST_INPUT)).detections or []
    boxes = [d.location_data.relative_bounding_box for d in found]
    return [
        Box(
            part.x + b.xmin * part.width,
            part.y + b.ymin * part.height,
            b.width * part.width,
            b.height * part.height,
        )
        for b in boxes
    ]


def _found(detector: Any, tiles: list[tuple[Rgb, Box]]) -> list[Box]:
    return _distinct([box for tile, part in tiles for box in _detect(detector, tile, part)])


def _without_doubles(faces: list[Face]) -> list[Face]:
    faces = sorted(faces, key=lambda f: -f.box.width * f.box.height)
    kept: list[Face] = []
    for face in faces:
        if all(face.box.overlap(other.box) < 0.4 for other in kept):
            kept.append(face)
    return kept


class FaceMeshFollower:
    """See `gioconda.tracking.FaceFollower`.

    The network sees a window around the face, not the frame: small faces are found at once, other
    people stay out, and large frames cost no more than small ones. The window stands still until
    the face leaves its middle, so the crop adds no jitter.
    """

    def __init__(self, tracker: FaceMeshTracker, face: Face | None = None, quick: bool = False) -> None:
        self._tracker = tracker
        self._quick = quick
        self._mesh = _mesh(static_image_mode=False, max_num_faces=1)
        self._window: Box | None = None
        self._settled = False
        self._wait = 0
        if face is not None:
            self._look_at(face.box)

    def __call__(self, rgb: Rgb) -> Face | None:
        """The face in the next frame."""
        if self._window is None:
            box = self._tracker.glance(rgb) if self._quick else self._searched(rgb)
            if box is None:
                return None
            self._look_at(box)
        face = self._in_window(rgb)
        if face is None:
            self._window = None
        elif self._drifted(face):
            self._look_at(face.box)
        return face

    def close(self) -> None:
        """Free the network."""
        self._mesh.close()

    def _searched(self, rgb: Rgb) -> Box | None:
        """Where the largest face is; every few frames, for a search takes long."""
        if self._wait > 0:
            self._wait -= 1
            return None
        found = self._tracker.find(rgb).faces
        if not found:
            self._wait = RETRY_AFTER
            return None
        return found[0].box

    def _in_window(self, rgb: Rgb) -> Face | None:
        assert self._window is not None
        tile, part = _crop(rgb, self._window)
        with contextlib.nullcontext() if self._settled else _silenced():
            faces = _run(self._mesh, tile, part)
        self._settled = bool(faces)
        return faces[0] if faces else None

    def _look_at(self, box: Box) -> None:
        self._window = _square(box, WINDOW)
        self._settled = False
        with _silenced():
            self._mesh.reset()
            # The networks start up in threads of their own; this waits for them, and for what they log.
            self._mesh.process(np.zeros((64, 64, 3), np.uint8))

    def _drifted(self, face: Face) -> bool:
        assert self._window is not None
        side = max(face.box.width, face.box.height)
        (x, y), (wx, wy) = face.box.centre, self._window.centre
        off_centre = max(abs(x - wx), abs(y - wy)) > 0.6 * side
        return off_centre or not 0.7 < side * WINDOW / self._window.width < 1.4
