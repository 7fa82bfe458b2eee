"""Things the tests are made of: synthetic movement, faces of known shape, and small real media."""

from __future__ import annotations

import json
import lzma
import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from hypothesis import strategies as st

from gioconda import Motion, Performance
from gioconda.capture import take_out_shape
from gioconda.expression import CONTROL_COUNT, controls, proportions
from gioconda.face import (
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_OUTER_LOWER,
    MOUTH_OUTLINE,
    NOSE_TIP,
    Points,
    face_model,
)
from gioconda.geometry import Similarity, rotation
from gioconda.media.clip import ClipWriter
from gioconda.neutral import Neutral, eye_trust, iris_places, lid_gaps
from gioconda.performance import blank_recording
from gioconda.rendering.warp import apply
from gioconda.retarget import Gains, Sitter, retarget
from gioconda.tracking import Box, Face, Search

SOUND_RATE = 16_000


# Movement


def movement(**parts: object) -> Motion:
    """No movement, but for some parts."""
    return replace(Motion.neutral(), **{name: np.asarray(value, np.float32) for name, value in parts.items()})


def jaw(opening: float) -> np.ndarray:
    """Offsets, (128, 3), of a jaw lowered by some eye distances: the lower lip and what is under it go down."""
    numbers = np.array(controls())
    places = face_model().shape[numbers]
    below = places[:, 1] - face_model().shape[list(MOUTH_OUTLINE), 1].mean()
    share = np.clip(below / 0.2, 0, 1) * np.clip(1 - places[:, 0] ** 2, 0, 1)
    lower = {*LIPS_INNER_LOWER[1:-1], *LIPS_OUTER_LOWER[1:-1]}
    corner = face_model().shape[MOUTH_OUTLINE[10], 0]
    share[np.isin(numbers, LIPS)] = 0
    lip = np.isin(numbers, list(lower))
    share[lip] = np.sqrt(np.clip(1 - (places[lip, 0] / corner) ** 2, 0, 1))
    offsets = np.zeros((CONTROL_COUNT, 3), np.float32)
    offsets[:, 1] = opening * share
    return offsets


def acting(seconds: float = 1.5, fps: float = 20.0) -> Performance:
    """Somebody who turns the head left and right, opens the mouth twice and blinks twice."""
    count = round(seconds * fps)
    times = np.arange(count) / fps
    recorded = blank_recording(count)
    share = times / seconds
    recorded.lids[:] = 1
    recorded.angles[:, 0] = 12 * np.sin(2 * np.pi * share)
    recorded.offsets[:] = (0.5 - 0.5 * np.cos(4 * np.pi * share))[:, None, None] * jaw(0.25)
    for blink in (0.3, 0.8):
        recorded.lids[:] *= np.clip(np.abs(share - blink) / 0.08, 0, 1)[:, None]
    return Performance(times, recorded, np.ones(count, bool), fps)


def still(count: int, fps: float = 25.0) -> Performance:
    """Nobody moves."""
    recorded = blank_recording(count)
    recorded.lids[:] = 1
    return Performance(np.arange(count) / fps, recorded, np.ones(count, bool), fps)


@st.composite
def motions(draw: st.DrawFn, wild: float = 1.0) -> Motion:
    """Any movement, up to far beyond what a face can do."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.floats(0, wild))
    return Motion(
        angles=(size * random.uniform(-60, 60, 3)).astype(np.float32),
        rest=random.uniform(-20, 20, 3).astype(np.float32),
        shift=(size * random.uniform(-1, 1, 3)).astype(np.float32),
        lids=random.uniform(0, 1.5, 2).astype(np.float32),
        gaze=(size * random.uniform(-0.6, 0.6, 2)).astype(np.float32),
        offsets=(size * random.normal(0, 0.08, (CONTROL_COUNT, 3))).astype(np.float32),
    )


# Faces of known shape


def posed(
    shape: Points, angles: Sequence[float] = (0, 0, 0), size: float = 60.0, at: Sequence[float] = (128, 110)
) -> Sitter:
    """A face of a shape, (478, 3) in eye distances, somewhere in a picture."""
    pose = Similarity(np.array(size), rotation(*angles), np.array([*at, 0.0]))
    exact = shape.astype(float)
    roomy = sitter_of(pose.apply(exact))
    return replace(roomy, pose=pose, angles=np.asarray(angles, float), shape=exact, scale=proportions(shape))


def sitter_of(points: Points) -> Sitter:
    """The face of some landmarks, far from all edges of its picture."""
    return replace(Sitter.of(points, 10**6, 10**6), room=1.0)


def stretched(wide: float, high: float, deep: float) -> Points:
    """The canonical face with other proportions; the eye distance stays 1."""
    shape = face_model().shape * np.array([1, high / wide, deep / wide])
    lower = shape[:, 1:2] > shape[2, 1]
    return shape * np.where(lower, [wide, 1, 1], 1)


def performed(sitter: Sitter, performance: Performance) -> Points:
    """What a tracker that never errs sees when a face makes some movements: (frames, 478, 3) pixels."""
    return np.stack([retarget(sitter, performance.at(time), Gains()).astype(np.float64) for time in performance.times])


def neutral_of(sitter: Sitter) -> Neutral:
    """What is known of a driver whose face was made here."""
    return Neutral(
        shape=sitter.shape,
        angles=sitter.angles,
        position=sitter.pose.translation[:2],
        size=float(sitter.pose.scale),
        lids_open=lid_gaps(sitter.shape),
        lids_closed=np.zeros(2),
        gaze=iris_places(sitter.shape, eye_trust(sitter.angles[0])),
    )


def recorded_from(sitter: Sitter, performance: Performance) -> Motion:
    """The movement that is recorded of such a driver."""
    return take_out_shape(performed(sitter, performance), neutral_of(sitter))


class Puppeteer:
    """A tracker that knows where the landmarks are: those given, frame after frame; None where no face is."""

    def __init__(self, frames: Iterable[Points | None]) -> None:
        self._frames = iter(frames)

    def find(self, rgb: np.ndarray) -> Search:
        return Search([], [])

    def find_in(self, rgb: np.ndarray, box: Box) -> Search:
        return Search([], [])

    def follow(self, face: Face | None = None, *, quick: bool = False) -> Puppeteer:
        return self

    def __call__(self, rgb: np.ndarray) -> Face | None:
        points = next(self._frames)
        return None if points is None else Face(points)

    def close(self) -> None:
        pass


# Drawings


def faceless_drawing() -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """Two dots and a line on green, in which no tracker sees a face, and where a person sees one."""
    rgb = np.full((320, 320, 3), (30, 90, 60), np.uint8)
    chalk = (250, 250, 250)
    for x in (110, 210):
        cv2.circle(rgb, (x, 130), 10, chalk, -1, cv2.LINE_AA)
    cv2.line(rgb, (110, 230), (210, 230), chalk, 5, cv2.LINE_AA)
    five = {
        "left_eye": (110, 130),
        "right_eye": (210, 130),
        "nose": (160, 185),
        "mouth": (160, 230),
        "chin": (160, 285),
    }
    lids = {f"{side}_lid_{end}": (x, y) for side, x in (("left", 110), ("right", 210)) for end, y in LID_ENDS.items()}
    return rgb, {**five, "mouth_left": (110, 230), "mouth_right": (210, 230), **lids}


LID_ENDS = {"top": 117, "bottom": 143}
"""Just above and below the dots of `faceless_drawing`."""


# Media


def noise(count: int, height: int = 64, width: int = 64) -> Iterator[np.ndarray]:
    """Frames without a face."""
    random = np.random.default_rng(0)
    for _ in range(count):
        yield random.integers(0, 256, (height, width, 3), np.uint8)


def film(path: Path, frames: Iterable[np.ndarray], fps: float = 20.0) -> Path:
    """A video without sound."""
    frames = list(frames)
    height, width = frames[0].shape[:2]
    with ClipWriter(path, width, height, fps) as clip:
        for rgb in frames:
            clip.write(rgb)
    return path


def beep(path: Path, seconds: float, begins: float, lasts: float = 0.2) -> Path:
    """Silence with one tone in it."""
    times = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    tone = 0.6 * np.sin(2 * np.pi * 880 * times) * ((times >= begins) & (times < begins + lasts))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        file.writeframes((tone * 32767).astype("<i2").tobytes())
    return path


def luma(rgb: np.ndarray) -> np.ndarray:
    """Brightness, 0 to 255."""
    return rgb @ np.array([0.299, 0.587, 0.114])


# A dataset folder

GOOD = {
    "person": "p1", "split": "train", "frames": 20, "fps": 15.0, "upscale": 0.5, "sharpness": 300.0,
    "mouth_motion": 0.1, "head_motion": 9.0, "source": "a/b", "repo_licence": "MIT",
}  # fmt: skip
"""A line of `clips.jsonl` that may be learned from."""
STILL = {"kind": "painting", "split": "train", "upscale": 0.9, "mouth_open": 0.3, "sharpness": 400.0, "source": "c/d"}
"""A line of `stills.jsonl`, alike."""


def write_landmarks(path: Path, points: np.ndarray) -> np.ndarray:
    """In the format of the data: int16, first frame then differences; gives back what is kept, in quarter pixels."""
    whole = np.rint(points * 4).astype(np.int16).transpose(2, 0, 1)
    delta = np.concatenate([whole[:, :1], np.diff(whole, axis=1)], axis=1).astype(np.int16)
    with lzma.open(path, "wb", preset=0) as file:
        np.save(file, delta)
    return whole.transpose(1, 2, 0) / 4


def small_dataset(folder: Path, shots: dict[str, str], stills: Sequence[str] = (), side: int = 64) -> Path:
    """A dataset folder of drawn faces: the person of each shot, of 16 frames, and stills, by name.

    Each has a colour of its own, and a white dot on the nose; the faces move a little to the right.
    """
    (folder / "clips").mkdir(parents=True)
    (folder / "stills").mkdir()
    random = np.random.default_rng(0)

    def drawn(points: np.ndarray, colour: Sequence[float]) -> np.ndarray:
        rgb = np.full((side, side, 3), 40, np.uint8)
        for place, half, tint in ((points.mean(axis=0), 0.3 * side, colour), (points[NOSE_TIP], 2, (255, 255, 255))):
            cv2.circle(rgb, (round(float(place[0])), round(float(place[1]))), round(half), tint, -1)
        return rgb

    rest = face_model().shape * 0.22 * side + np.array([side / 2 - 2, 0.45 * side, 0])
    rows = []
    for name, person in shots.items():
        points = np.stack([rest + np.array([0.25 * number, 0, 0]) for number in range(16)])
        colour = random.integers(60, 255, 3).tolist()
        film(folder / "clips" / f"{name}.mp4", [drawn(face, colour) for face in points], 15)
        write_landmarks(folder / "clips" / f"{name}.npy.xz", points)
        rows.append({"id": name, **GOOD, "person": person, "frames": 16})
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in stills:
        rgb = drawn(rest, random.integers(60, 255, 3).tolist())
        cv2.imwrite(str(folder / "stills" / f"{name}.jpg"), rgb[..., ::-1])
    (folder / "stills.jsonl").write_text("".join(json.dumps({"id": name, **STILL}) + "\n" for name in stills))
    faces = np.rint(np.stack([rest] * len(stills)) * 8) if stills else np.zeros((0, 478, 3))
    np.savez(folder / "stills.npz", ids=np.array(list(stills), str), landmarks=faces.astype(np.int16))
    return folder


def changed(
    rgb: np.ndarray, change: np.ndarray, to_frame: np.ndarray, lightest: float | np.ndarray = 255
) -> np.ndarray:
    """What `rendering.warp.apply` makes of a picture, which stays as it is."""
    made = rgb.copy()
    apply(made, change, to_frame, np.broadcast_to(np.asarray(lightest, float), 3))
    return made
