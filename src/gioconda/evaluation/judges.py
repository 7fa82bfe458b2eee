"""Measuring networks: what a face in a frame does, judged by other eyes than those that drive.

The tracker that drives the product must not be the one that says how well it follows. So everything
here comes from networks that have no part in making a clip, and each is small enough for a CPU:

* OpenSeeFace (BSD-2-Clause): a face detector, 66 landmarks, the irises;
* FSA-Net (MIT, two networks averaged): the head's yaw, pitch and roll;
* MobileFaceNet (Apache-2.0, trained on MS-Celeb-1M): identity.

The networks are ONNX files in one folder, ``models_dir``; they are not part of the package.

**Conventions.** Pictures are RGB ``uint8 (H, W, 3)``; points are ``(x, y)`` in pixels of the picture, x to
the right, y down; left and right are the *picture's* sides. Yaw is positive when the face turns to the
picture's right, pitch when it looks up, roll when the head leans clockwise as seen in the picture. Mirroring
a picture flips the signs of yaw and roll and leaves pitch alone.

**Errors.** Making a judge raises ``MissingExtraError`` without onnxruntime and ``UsageError`` where a
network's file is not in ``models_dir``. What cannot be seen is None or NaN; a network that is another than its
name says, and gives something else, is a ``UsageError`` when it is first asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gioconda.errors import UsageError
from gioconda.inference import Shape, answers, open_network

Picture = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]

# The 66 landmarks are the usual 68 without the two inner mouth corners: 0-16 jaw, 17-26 brows, 27-35 nose,
# 36-41 the left eye of the picture, 42-47 the right one, 48-57 outer lips, 58 and 62 mouth corners,
# 59-61 inner upper lip and 63-65 inner lower lip.
BROWS = slice(17, 27)
CHIN = 8
NOSE_TIP = 30
EYES = (slice(36, 42), slice(42, 48))
EYE_CORNERS = ((36, 39), (42, 45))
MOUTH_CORNERS = (58, 62)
SMALLEST = 4
"""Pixels across and down from which something can be a face."""
INNER_UPPER_LIP = (59, 60, 61)
INNER_LOWER_LIP = (65, 64, 63)

_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
_STD = np.array([0.229, 0.224, 0.225], np.float32) * 255

# Eye centres, nose tip and mouth corners in the 112 px crop that ArcFace-like networks are trained on.
_ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


@dataclass(frozen=True, eq=False)
class JudgedFace:
    """``points`` (66, 2) px, their mean ``confidence`` 0..1, ``box`` (x0, y0, x1, y1) px around them."""

    points: Array
    confidence: float
    box: Box


@dataclass(frozen=True)
class HeadPose:
    """Where the head points, in degrees, about -99..99; signs as in the module's conventions."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, eq=False)
class JudgedEyes:
    """What both eyes show; index 0 is the eye on the picture's left.

    ``iris`` (2, 2): the iris' middle relative to the eye's, in eye widths, along and across the eye (to the
    picture's right, down). ``contrast`` (2, 16): by how many grey levels per pixel the rows of a patch around
    the eye's middle have more horizontal contrast than skin; see :func:`lid_gaps`.
    """

    iris: Array
    contrast: Array


class FaceJudge:
    """OpenSeeFace's detector and 66-point landmarks.

    Keeps no state: to track through a video, hand in the ``previous`` frame's face.
    """

    detection_threshold = 0.4  # low, because the landmarks' confidence has the last word
    confidence_threshold = 0.6  # paintings: 0.73 and more

    def __init__(self, models_dir: Path | str, threads: int = 1) -> None:
        """Load both networks from the folder, each to run on ``threads`` cores."""
        self._detector = _Network(models_dir, "mnv3_detection_opt.onnx", threads, (1, 2, 56, 56), (1, 2, 56, 56))
        self._landmarks = _Network(models_dir, "lm_model0_opt.onnx", threads, (1, 198, 28, 28))

    def __call__(self, rgb: Picture, previous: JudgedFace | None = None) -> JudgedFace | None:
        """Return the face in the picture or None; follows ``previous``, detects afresh if that is lost."""
        if previous is not None:
            followed = self.locate(rgb, previous.box)
            if followed is not None:
                return followed
        box = self.detect(rgb)
        found = None if box is None else self.locate(rgb, box)
        # A second pass starts from the same kind of box that tracking gives, so stills and videos compare.
        return None if found is None else self.locate(rgb, found.box) or found

    def detect(self, rgb: Picture) -> Box | None:
        """Return the surest face box (a square on the squashed 224 px picture) or None."""
        squashed: Any = cv2.resize(rgb, (224, 224), interpolation=cv2.INTER_AREA)
        heat, local_maxima = self._detector(_normalised(squashed))
        score = np.where(heat[0, 0] == local_maxima[0, 0], heat[0, 0], 0.0)
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        if score[row, column] < self.detection_threshold:
            return None
        x, y, radius = 4.0 * float(column), 4.0 * float(row), 112.0 * float(heat[0, 1, row, column])
        sx, sy = rgb.shape[1] / 224, rgb.shape[0] / 224
        return ((x - radius) * sx, (y - radius) * sy, (x + radius) * sx, (y + radius) * sy)

    def locate(self, rgb: Picture, box: Box) -> JudgedFace | None:
        """Return the landmarks of the face inside ``box``, or None where the network is not sure of them."""
        x0, y0, x1, y1 = _grown(box, 0.1, 0.125)
        if min(x1 - x0, y1 - y0) < SMALLEST:
            return None
        to_crop = _stretch((x0, y0, x1, y1), 224)
        maps = self._landmarks(_normalised(_cut(rgb, to_crop, (224, 224))))[0]
        # 66 heat maps of 28 x 28, then as many offsets down and across, both squeezed through a sigmoid.
        heat, down, across = maps[0].astype(np.float64).reshape(3, 66, 28 * 28)
        peak = heat.argmax(axis=1)
        each = np.arange(66)
        in_crop = 223 * np.stack(
            [
                peak % 28 / 27 + _logit(across[each, peak]) / 16,
                peak // 28 / 27 + _logit(down[each, peak]) / 16,
            ],
            axis=1,
        )
        confidence = float(heat[each, peak].mean())
        points = _moved(in_crop, cv2.invertAffineTransform(to_crop))
        if not confidence >= self.confidence_threshold or not np.isfinite(points).all():
            return None
        if np.ptp(points, axis=0).min() < SMALLEST:
            return None
        return JudgedFace(points, confidence, _extent(points))


class PoseJudge:
    """FSA-Net's two published networks, averaged."""

    def __init__(self, models_dir: Path | str, threads: int = 1) -> None:
        """Load both networks from the folder, each to run on ``threads`` cores."""
        names = ("fsanet-1x1-iter-688590.onnx", "fsanet-var-iter-688590.onnx")
        self._networks = tuple(_Network(models_dir, name, threads, (1, 3)) for name in names)

    def __call__(self, rgb: Picture, face: JudgedFace) -> HeadPose:
        """Return the head's pose, from a square crop around the face.

        How far the crop reaches matters. A margin of 0.3 face sides, a little more above, was the most
        consistent on 15 portraits: mirroring a picture mirrors the yaw to 1.2 degrees, and turning it by
        15 degrees adds 15.4 +- 1.4 of roll. Without a margin it is 8 degrees, and 9 +- 6.
        """
        x0, y0, x1, y1 = face.box
        side = max(x1 - x0, y1 - y0)
        x, y = (x0 + x1) / 2, (y0 + y1) / 2 - 0.1 * (y1 - y0)
        reach = 0.8 * side
        crop = _cut(rgb, _stretch((x - reach, y - reach, x + reach, y + reach), 64), (64, 64))
        blue_first = np.ascontiguousarray(crop[..., ::-1], np.float32)
        tensor = ((blue_first - np.float32(127.5)) / np.float32(128)).transpose(2, 0, 1)[None]
        yaw, pitch, roll = np.mean([network(tensor)[0][0] for network in self._networks], axis=0)
        # The networks count yaw towards the picture's left.
        return HeadPose(-float(yaw), float(pitch), float(roll))


class EyeJudge:
    """OpenSeeFace's iris network, and how much of an eye shows."""

    # The patch in which lids are judged has 32 px per eye width: 24 columns, and rows from above the eye down
    # to the skin below it. The eye's middle is at (12, 12).
    per_eye_width = 32
    patch = (24, 32)
    eye_rows = slice(4, 20)
    skin_rows = slice(22, 30)
    rows = 16

    def __init__(self, models_dir: Path | str, threads: int = 1) -> None:
        """Load the network from the folder, to run on ``threads`` cores."""
        self._network = _Network(models_dir, "mnv3_gaze32_split_opt.onnx", threads, (2, 3, 8, 8))

    def __call__(self, rgb: Picture, face: JudgedFace) -> JudgedEyes:
        """Return iris and contrast of both eyes."""
        corners = [(face.points[a], face.points[b]) for a, b in EYE_CORNERS]
        frames = [_eye_frame(*pair) for pair in corners]
        return JudgedEyes(self._irises(rgb, frames), np.stack([self._contrast(rgb, frame) for frame in frames]))

    def _irises(self, rgb: Picture, frames: list[Array]) -> Array:
        """Return the irises' middles (2, 2) in eye widths."""
        # The network looks at 1.4 x 1.2 eye widths, squeezed to 32 x 32, the nose always on the same side.
        views = [np.diag([side * 32 / 1.4, 32 / 1.2]) for side in (1.0, -1.0)]
        crops = [_cut(rgb, _placed(view @ frame, 16.0), (32, 32)) for view, frame in zip(views, frames, strict=True)]
        maps = self._network(np.concatenate([_normalised(crop) for crop in crops]))[0]
        irises = []
        for (heat, down, across), view in zip(maps.astype(np.float64).reshape(2, 3, 64), views, strict=True):
            peak = int(heat.argmax())
            found = np.array([peak % 8 * 4 + 4 * _logit(across[peak]), peak // 8 * 4 + 4 * _logit(down[peak])])
            irises.append((found - 16) / np.diag(view))
        return np.stack(irises)

    def _contrast(self, rgb: Picture, frame: Array) -> Array:
        """Return by how much the eye rows' mean horizontal difference exceeds the skin's (16,).

        The skin below the eye tells how much contrast is only grain, craquelure or brush strokes. Half as
        much again is taken off, since grain varies; without it the Mona Lisa's shut lids look 0.8 open.
        """
        patch = _cut(rgb, _placed(self.per_eye_width * frame, 12.0), self.patch)
        grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32)
        smooth = cv2.GaussianBlur(grey, (0, 0), sigmaX=0.7, sigmaY=1.2)
        contrast = np.abs(np.diff(smooth, axis=1)).mean(axis=1).astype(np.float64)
        grain = 1.5 * float(np.median(contrast[self.skin_rows]))
        return np.maximum(contrast[self.eye_rows] - grain, 0)


class IdentityJudge:
    """MobileFaceNet: who it is."""

    def __init__(self, models_dir: Path | str, threads: int = 1, name: str | None = None) -> None:
        """Load the network from the folder, to run on ``threads`` cores; ``name``: of another one of its kind."""
        length = 128 if name is None else None
        self._network = _Network(models_dir, name or "mobilefacenet.onnx", threads, (1, length))

    def embed(self, rgb: Picture, points: Array) -> Array:
        """Return the unit vector (D,) of the face with these :func:`five_points` (5, 2); MobileFaceNet's D is 128."""
        crop = _cut(rgb, similarity(points, _ARCFACE), (112, 112))
        vector = self._network(_normalised(crop))[0][0].astype(np.float64)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


@dataclass(frozen=True)
class Judges:
    """All judges, loaded from one folder; and those whose networks only a user can give, None where they are not.

    ``lpips`` says how different a picture looks from another; ``inception`` gives a picture's features for FID.
    """

    face: FaceJudge
    pose: PoseJudge
    eyes: EyeJudge
    identity: IdentityJudge
    lpips: Callable[[Picture, Picture], float] | None = None
    inception: Callable[[Picture], Array] | None = None

    @classmethod
    def load(cls, models_dir: Path | str, threads: int = 1) -> Judges:
        """Load everything from the folder, each network to run on ``threads`` cores."""
        return cls(
            FaceJudge(models_dir, threads),
            PoseJudge(models_dir, threads),
            EyeJudge(models_dir, threads),
            IdentityJudge(models_dir, threads),
        )


@dataclass(frozen=True, eq=False)
class Signals:
    """What a face does over a video's T frames; NaN where ``valid`` is false.

    ``times`` (T,) in seconds, ``valid`` (T,) bool. ``yaw``, ``pitch``, ``roll`` (T,) in degrees. ``mouth``
    (T,): the gap between the inner lips over the face's height (brows to chin). ``eye_left``, ``eye_right``
    (T,): the gap between the lids over the eye's width. ``gaze_x``, ``gaze_y`` (T,): the iris from the eye's
    middle in eye widths, to the picture's right and down, mean of the eyes that are open; NaN where both are
    shut. ``points`` (T, 66, 2) in pixels.
    """

    times: Array
    valid: npt.NDArray[np.bool_]
    yaw: Array
    pitch: Array
    roll: Array
    mouth: Array
    eye_left: Array
    eye_right: Array
    gaze_x: Array
    gaze_y: Array
    points: Array

    @property
    def lids(self) -> Array:
        """The mean lid gap of both eyes (T,)."""
        return (self.eye_left + self.eye_right) / 2


def judge_frames(
    frames: Iterable[tuple[float, Picture]],
    judges: Judges,
    seen: Callable[[Picture, JudgedFace | None], object] | None = None,
) -> Signals:
    """Judge a video given as ``(seconds, RGB picture)``; holds one picture at a time.

    The lids are read against the face's own neutral (:func:`lid_gaps`), so they need the whole video.
    ``seen`` is called with each picture and the face found in it, for whoever judges something else of them.
    """
    times: list[float] = []
    rows: list[Array] = []
    points: list[Array] = []
    contrasts: list[Array] = []
    face: JudgedFace | None = None
    for time, rgb in frames:
        face = judges.face(rgb, face)
        times.append(time)
        if seen is not None:
            seen(rgb, face)
        if face is None:
            rows.append(np.full(8, np.nan))
            points.append(np.full((66, 2), np.nan))
            contrasts.append(np.full((2, EyeJudge.rows), np.nan))
            continue
        pose, eyes = judges.pose(rgb, face), judges.eyes(rgb, face)
        rows.append(np.array([pose.yaw, pose.pitch, pose.roll, mouth_opening(face.points), *eyes.iris.ravel()]))
        points.append(face.points)
        contrasts.append(eyes.contrast)
    table = np.reshape(rows, (len(times), 8))
    gaps = lid_gaps(np.reshape(contrasts, (len(times), 2, EyeJudge.rows)))
    gaze = _mean_gaze(table[:, 4:].reshape(-1, 2, 2), gaps)
    return Signals(
        times=np.array(times, np.float64),
        valid=np.isfinite(table[:, 0]),
        yaw=table[:, 0],
        pitch=table[:, 1],
        roll=table[:, 2],
        mouth=table[:, 3],
        eye_left=gaps[:, 0],
        eye_right=gaps[:, 1],
        gaze_x=gaze[:, 0],
        gaze_y=gaze[:, 1],
        points=np.reshape(points, (len(times), 66, 2)),
    )


def mouth_opening(points: Array) -> float:
    """Return the mean gap of the inner lips over the face's height, brows to chin: 0 shut, 0.3 wide open."""
    gap = np.linalg.norm(points[list(INNER_UPPER_LIP)] - points[list(INNER_LOWER_LIP)], axis=1).mean()
    return float(gap / np.linalg.norm(points[BROWS].mean(axis=0) - points[CHIN]))


def lid_gaps(contrast: Array) -> Array:
    """Return the gap between the lids over the eye's width, (T, 2), 0..0.5, from row contrasts (T, 2, 16).

    In an open eye the brightness changes along a row: iris against white, white against the corners. Shut
    lids and their lashes change down a column instead. So the rows that show contrast are the rows that
    show eye, and counting them measures the gap. Contrast is relative to the same eye's neutral, the median
    over the video: a row counts in full from 0.7 of the neutral's strongest row, and not at all below 0.3.

    The landmarks' own lid gap is no use here: through a full blink it shrinks by a tenth, no more than its
    noise. Nor is the iris network's second output, meant for blinks: sideways glances look shut to it.
    Counting rows told all frames with shut lids from all with open ones in six of seven videos marked by
    hand, and failed in the seventh, a small dim face that looks down. Weak eyes in rough paint, a few dozen
    pixels wide, remain doubtful. Frames of NaN stay NaN.
    """
    if not np.isfinite(contrast).any():
        return np.full(contrast.shape[:2], np.nan)
    strongest = np.nanmedian(contrast, axis=0).max(axis=1)[None, :, None]
    shown = np.clip((contrast / np.maximum(strongest, 1e-9) - 0.3) / 0.4, 0, 1)
    return np.asarray(shown.sum(axis=2) / EyeJudge.per_eye_width)


def five_points(points: Array) -> Array:
    """Return eye centres, nose tip and mouth corners (5, 2) of 66 points."""
    left, right = (points[eye].mean(axis=0) for eye in EYES)
    return np.stack([left, right, points[NOSE_TIP], *points[list(MOUTH_CORNERS)]])


def csim(a: Array, b: Array) -> float:
    """Return the cosine similarity of two identity vectors, -1..1; about 0.8 for one person, 0.0 for two."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def similarity(source: Array, target: Array) -> Array:
    """Return the (2, 3) scale, rotation and shift that brings ``source`` (N, 2) closest to ``target`` (N, 2).

    Least squares in closed form: on complex numbers the map is ``z -> k z + c``, and k a plain regression
    slope.
    """
    z, w = source @ [1, 1j], target @ [1, 1j]
    dz, dw = z - z.mean(), w - w.mean()
    k = (dz.conj() @ dw) / max(float((dz.conj() @ dz).real), 1e-9)
    c = w.mean() - k * z.mean()
    return np.array([[k.real, -k.imag, c.real], [k.imag, k.real, c.imag]])


class _Network:
    """One ONNX network with one input, on the CPU; ``shapes``: of its first outputs."""

    def __init__(self, models_dir: Path | str, name: str, threads: int, *shapes: Shape) -> None:
        path = Path(models_dir) / name
        if not path.is_file():
            raise UsageError(f"{path} does not exist; the folder of measuring networks must hold {name}.")
        self._path, self._shapes = path, shapes
        self._session = open_network(path, threads=threads)

    def __call__(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Run the network; the outputs whose shapes are known. Raises UsageError: it gives no such thing."""
        return answers(self._session, tensor, self._shapes, self._path)


def _normalised(rgb: Picture) -> npt.NDArray[np.float32]:
    """Return the picture as a (1, 3, H, W) tensor with ImageNet's mean and deviation."""
    tensor: npt.NDArray[np.float32] = ((rgb.astype(np.float32) - _MEAN) / _STD).transpose(2, 0, 1)[None]
    return tensor


def _logit(p: Any) -> Any:
    """Return the inverse of the sigmoid, kept finite."""
    q = np.clip(p, 1e-7, 1 - 1e-7)
    return np.log(q / (1 - q))


def _extent(points: Array) -> Box:
    """Return the bounding box of points (N, 2)."""
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return (float(x0), float(y0), float(x1), float(y1))


def _grown(box: Box, across: float, down: float) -> Box:
    """Return the box grown on each side by these parts of its width and height."""
    x0, y0, x1, y1 = box
    dx, dy = across * (x1 - x0), down * (y1 - y0)
    return (x0 - dx, y0 - dy, x1 + dx, y1 + dy)


def _stretch(box: Box, size: int) -> Array:
    """Return the (2, 3) map that brings ``box`` to a square crop of ``size`` pixels."""
    x0, y0, x1, y1 = box
    sx, sy = size / (x1 - x0), size / (y1 - y0)
    return np.array([[sx, 0, -sx * x0], [0, sy, -sy * y0]])


def _eye_frame(left: Array, right: Array) -> Array:
    """Return the (2, 3) map from pixels to eye widths along and across the eye, its middle at 0."""
    along = (right - left) / max(float((right - left) @ (right - left)), 1e-9)
    across = np.array([-along[1], along[0]])
    turn = np.stack([along, across])
    return np.column_stack([turn, -turn @ (left + right) / 2])


def _placed(matrix: Array, middle: float) -> Array:
    """Return the (2, 3) map with its origin shifted to (middle, middle)."""
    placed: Array = matrix + np.array([[0, 0, middle], [0, 0, middle]])
    return placed


def _moved(points: Array, matrix: Any) -> Array:
    """Return points (N, 2) under a (2, 3) map."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def _cut(rgb: Picture, to_crop: Array, size: tuple[int, int]) -> Picture:
    """Return the crop of ``size`` (width, height) that the (2, 3) map from picture to crop pixels describes.

    Sub-pixel exact; beyond the picture its edge goes on. Averages first where it shrinks, because sampling a
    4K painting at a 64 px grid would measure its grain.
    """
    height, width = rgb.shape[:2]
    frame = np.array([[0, 0], [size[0], 0], [0, size[1]], size], np.float64)
    reach = _moved(frame, cv2.invertAffineTransform(to_crop))
    shrink = max(1, int(np.sqrt(1 / max(abs(float(np.linalg.det(to_crop[:, :2]))), 1e-9)) / 1.5))
    margin = 2 * shrink
    x0, y0 = (int(v) for v in np.clip(np.floor(reach.min(axis=0)) - margin, 0, (width - 1, height - 1)))
    x1, y1 = (int(v) for v in np.clip(np.ceil(reach.max(axis=0)) + margin, (x0 + 1, y0 + 1), (width, height)))
    part: Any = rgb[y0:y1, x0:x1]
    columns, rows = max(1, (x1 - x0) // shrink), max(1, (y1 - y0) // shrink)
    if shrink > 1:
        part = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    # Pixel i of the shrunk part is centred on (i + 1/2) * step - 1/2 of the full one.
    step = np.array([(x1 - x0) / part.shape[1], (y1 - y0) / part.shape[0]])
    from_part = np.column_stack([np.diag(step), step / 2 - 0.5 + (x0, y0)])
    matrix = to_crop @ np.vstack([from_part, [0, 0, 1]])
    crop: Picture = cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return crop


def _mean_gaze(iris: Array, gaps: Array) -> Array:
    """Return the mean iris (T, 2) of the open eyes, from both eyes' (T, 2, 2) and their lid gaps (T, 2)."""
    if not np.isfinite(gaps).any():
        return np.full((len(gaps), 2), np.nan)
    seen = gaps >= 0.25 * np.nanmedian(gaps, axis=0)
    count = seen.sum(axis=1)[:, None]
    total = np.where(seen[..., None], iris, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
