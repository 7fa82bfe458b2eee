"""A performance: a driver's recorded movement with the driver's own face shape taken out.

`capture.py` makes performances from videos, `photo.py` from a picture; `motion_file.py` keeps them on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import UsageError
from gioconda.expression import CONTROL_COUNT
from gioconda.progress import Progress, quiet
from gioconda.tracking import Tracker

Array = NDArray[Any]


@dataclass(frozen=True)
class Motion:
    """Movement at one instant, or, with a leading axis, at many.

    Attributes:
        angles: (..., 3) yaw, pitch and roll in degrees against `rest` (signs: `geometry.rotation`).
        rest: (..., 3) the angles at which the driver holds the head; `rest + angles` faces the camera at 0.
        shift: (..., 3) movement of the point between the eyes: right and down in eye distances, and
            nearer as the natural logarithm of the growth in size.
        lids: (..., 2) opening of the picture-left and picture-right eye: 0 closed, 1 relaxed, above 1 wide.
        gaze: (..., 2) movement of the irises, right and down, in eye widths.
        offsets: (..., 128, 3) expression: how far each control landmark (`expression.controls`) is from
            its relaxed place, on the canonical face, head upright, in eye distances.
    """

    angles: Array
    rest: Array
    shift: Array
    lids: Array
    gaze: Array
    offsets: Array

    @staticmethod
    def neutral() -> Motion:
        """No movement at all."""
        zeros = np.zeros(3, np.float32)
        return Motion(
            angles=zeros,
            rest=zeros,
            shift=zeros,
            lids=np.ones(2, np.float32),
            gaze=np.zeros(2, np.float32),
            offsets=np.zeros((CONTROL_COUNT, 3), np.float32),
        )

    def map(self, function: Callable[[Array], Any]) -> Motion:
        """The same function applied to every attribute."""
        return Motion(*(function(getattr(self, f.name)) for f in fields(self)))

    def blend(self, other: Motion, share: float) -> Motion:
        """Linear mix: 0 gives this motion, 1 the other."""
        return Motion(*(getattr(self, f.name) * (1 - share) + getattr(other, f.name) * share for f in fields(self)))

    def put(self, frame: int, motion: Motion) -> None:
        """Set one frame of a recording."""
        for f in fields(self):
            getattr(self, f.name)[frame] = getattr(motion, f.name)


def blank_recording(frames: int) -> Motion:
    """Room for the motion of many frames, in the types of a `.motion` file: half precision where it suffices."""
    whole = {"angles": (3,), "rest": (3,), "shift": (3,)}
    half = {"lids": (2,), "gaze": (2,), "offsets": (CONTROL_COUNT, 3)}
    arrays = {name: np.zeros((frames, *shape), np.float32) for name, shape in whole.items()}
    return Motion(**arrays, **{name: np.zeros((frames, *shape), np.float16) for name, shape in half.items()})


@dataclass(frozen=True)
class Performance:
    """A driver's movement over time.

    Attributes:
        times: (frames,) float64 seconds, strictly increasing, from the first frame of the video.
        motion: `Motion` with a leading axis of frames. Continuous: cuts and gaps are already eased over.
        seen: (frames,) bool, whether a face was tracked in the frame (elsewhere the motion is held and eased).
        fps: frames per second of the recording, on average.
        source: the video it was recorded from (its sound can go into the clip), if that is known.
        cuts: how many cuts were eased over.
        sha256: of the file that it comes from, a video or a `.motion` file, in hexadecimal digits; None if none.
    """

    times: NDArray[np.float64]
    motion: Motion
    seen: NDArray[np.bool_]
    fps: float
    source: Path | None = None
    cuts: int = 0
    sha256: str | None = None

    def __post_init__(self) -> None:
        if len(self.times) == 0:
            raise UsageError("a performance needs at least one frame")

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.times)

    @property
    def duration(self) -> float:
        """Seconds, the last frame's own time on screen included."""
        return float(self.times[-1] - self.times[0] + 1 / self.fps)

    @staticmethod
    def from_video(
        path: str | Path,
        *,
        start: float = 0.0,
        end: float | None = None,
        tracker: Tracker | None = None,
        progress: Progress = quiet,
    ) -> Performance:
        """Record a performance; options and errors as of `gioconda.capture.capture`."""
        from gioconda.capture import capture

        return capture(Path(path), start=start, end=end, tracker=tracker, progress=progress)

    @staticmethod
    def from_picture(path: str | Path, *, tracker: Tracker | None = None) -> Performance:
        """The expression of a still picture as one frame; how, and errors, as of `gioconda.photo.capture_photo`."""
        from gioconda.photo import capture_photo

        return capture_photo(Path(path), tracker=tracker)

    @staticmethod
    def load(path: str | Path) -> Performance:
        """Read a `.motion` file; raises `MotionFileError`."""
        from gioconda.motion_file import read_motion

        return read_motion(Path(path))

    def save(self, path: str | Path) -> None:
        """Write a `.motion` file; raises `OutputError`."""
        from gioconda.motion_file import write_motion

        write_motion(self, Path(path))

    def at(self, time: float) -> Motion:
        """The motion at a time in seconds: linear between frames, held before the first and after the last."""
        right = int(np.searchsorted(self.times, time, side="right"))
        if right == 0 or right == len(self.times):
            return self.motion.map(lambda a: a[min(right, len(self.times) - 1)].astype(np.float32))
        before, after = self.times[right - 1], self.times[right]
        share = (time - before) / (after - before)
        pair = self.motion.map(lambda a: a[right - 1 : right + 1].astype(np.float32))
        return pair.map(lambda a: a[0]).blend(pair.map(lambda a: a[1]), float(share))

    def frames_at(self, fps: float) -> int:
        """Number of frames at an even rate."""
        return max(1, round(self.duration * fps))

    def resampled(self, fps: float, first: int = 0) -> Iterator[Motion]:
        """The motion at an even rate, from the first frame (or another) to the last."""
        for index in range(first, self.frames_at(fps)):
            yield self.at(self.times[0] + index / fps)

    def trimmed(self, start: float = 0.0, end: float | None = None) -> Performance:
        """The part between two times in seconds; times are kept, so sound stays in place.

        Raises:
            UsageError: nothing lies between the two times.
        """
        keep = self.times >= start
        if end is not None:
            keep &= self.times < end
        if not keep.any():
            raise UsageError(
                f"nothing between {start:g} s and {'the end' if end is None else f'{end:g} s'}: "
                f"the performance runs from {self.times[0]:.2f} to {self.times[-1]:.2f} s"
            )
        return replace(self, times=self.times[keep], motion=self.motion.map(lambda a: a[keep]), seen=self.seen[keep])
