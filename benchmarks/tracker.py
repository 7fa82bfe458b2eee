"""How good is a tracker? Measured against its teacher's landmarks, an independent judge, and the tracker in use.

    python benchmarks/tracker.py --data DIR --tracker FOLDER --models DIR --out tracker.json

DIR of the data is a dataset folder (only its split `eval` is looked at), FOLDER a run of `gioconda train
tracker` (without it, the tracker of the package), DIR of the models that of the measuring networks. The teacher
itself (extra `mediapipe`) is measured too, looking into a mirror: nobody can be asked to agree with it better
than it does. Distances are over the distance of the irises, in per cent. Writes all figures as JSON and prints
them as tables; `[low, high]` is the 95 % bootstrap interval.
Times are CPU time on one core.
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gioconda.evaluation.bootstrap import Estimate, paired, pooled
from gioconda.evaluation.following import blinks, correlation, matched
from gioconda.evaluation.judges import EyeJudge, FaceJudge, mouth_opening
from gioconda.face import EYES, eye_distance, face_model
from gioconda.media.video import VideoReader
from gioconda.neutral import lid_gaps, mouth_gap
from gioconda.tracking import Box, Tracker
from gioconda.tracking.crops import Crop
from gioconda.tracking.detector import Detector
from gioconda.tracking.distilled import NETWORKS, DistilledTracker
from gioconda.tracking.facemesh import FaceMeshTracker
from gioconda.tracking.landmarker import Landmarker

PACKAGED = Path(str(resources.files("gioconda.data.tracker")))
IRISES = [i for eye in EYES for i in eye.iris]
LEAST_MOVEMENT = {"mouth": 0.03, "lids": 0.03, "gaze": 0.03}
"""Standard deviation from which a signal is correlated: mouth in eye distances, lids and gaze in eye widths."""
FACE_FREE = (
    *("brick", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "horse", "hubble_deep_field"),
    *("immunohistochemistry", "moon", "page", "rocket", "text", "retina", "logo", "colorwheel", "checkerboard"),
)
"""Pictures of scikit-image without a human face."""
Array = np.ndarray[Any, Any]


def eval_clips(data: Path) -> Iterator[tuple[dict[str, Any], Array, list[Array]]]:
    """Line, the teacher's landmarks (frames, 478, 3) and frames of each clip of the split `eval`."""
    for row in _lines(data / "clips.jsonl"):
        with lzma.open(data / "clips" / f"{row['id']}.npy.xz") as file:
            delta = np.load(file, allow_pickle=False)
        points = np.cumsum(delta, axis=1, dtype=np.int32).transpose(1, 2, 0) / 4.0
        with VideoReader(data / "clips" / f"{row['id']}.mp4") as video:
            yield row, points, [frame.rgb for frame in video][: len(points)]


def eval_stills(data: Path) -> Iterator[tuple[dict[str, Any], Array, Array]]:
    """Line, the teacher's landmarks (478, 3) and picture of each still of the split `eval`."""
    archive = np.load(data / "stills.npz", allow_pickle=False)
    points = dict(zip(archive["ids"].tolist(), archive["landmarks"].astype(float) / 8, strict=True))
    for row in _lines(data / "stills.jsonl"):
        bgr = cv2.imread(str(data / "stills" / f"{row['id']}.jpg"))
        yield row, points[row["id"]], cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        if (row := json.loads(line))["split"] == "eval":
            yield row


def follow(tracker: Tracker, frames: list[Array]) -> Array:
    """Landmarks, (frames, 478, 3), NaN where the face is not seen."""
    follower = tracker.follow()
    found = [follower(frame) for frame in frames]
    follower.close()
    return np.stack([np.full((478, 3), np.nan) if face is None else face.points for face in found])


def in_a_mirror(tracker: Tracker, frames: list[Array]) -> Array:
    """The same, found in the mirrored frames."""
    points = follow(tracker, [np.ascontiguousarray(rgb[:, ::-1]) for rgb in frames])[:, face_model().mirror]
    points[..., 0] = frames[0].shape[1] - 1 - points[..., 0]
    return points


def point_errors(points: Array, truth: Array) -> tuple[Array, Array]:
    """Mean error of all points and of the irises' in per cent of the irises' distance, (frames,) each."""
    unit = np.linalg.norm(truth[:, EYES[0].iris[0], :2] - truth[:, EYES[1].iris[0], :2], axis=1)
    off = 100 * np.linalg.norm(points[..., :2] - truth[..., :2], axis=2) / unit[:, None]
    return off.mean(axis=1), off[:, IRISES].mean(axis=1)


def signals(points: Array) -> dict[str, Array]:
    """What a face does, (frames,) each: mouth in eye distances; lids and gaze in eye widths."""
    gaze = []
    for eye in EYES:
        a, b = (points[:, corner, :2] for corner in eye.corners)
        along = b - a
        off = points[:, eye.iris[0], :2] - (a + b) / 2
        gaze.append((off * along).sum(axis=1) / np.square(along).sum(axis=1))
    return {
        "mouth": mouth_gap(points) / eye_distance(points),
        "lids": lid_gaps(points).mean(axis=1),
        "gaze": np.mean(gaze, axis=0),
    }


def judged(frames: list[Array], face_judge: FaceJudge, eye_judge: EyeJudge) -> dict[str, Array]:
    """The independent judge's mouth and gaze, (frames,), NaN where it sees no face."""
    face, rows = None, []
    for rgb in frames:
        face = face_judge(rgb, face)
        seen = face and (mouth_opening(face.points), eye_judge(rgb, face).iris[:, 0].mean())
        rows.append(seen or (np.nan, np.nan))
    mouth, gaze = np.array(rows).T
    return {"mouth": mouth, "gaze": gaze}


def measure_clips(
    tracker: Tracker, data: Path, models: Path | None, most: int, mirrored: bool = False
) -> list[dict[str, Any]]:
    """One line of figures for each clip; without models, none by the independent judge."""
    judges = (FaceJudge(models), EyeJudge(models)) if models else None
    lines = []
    for number, (row, truth, frames) in enumerate(eval_clips(data)):
        if number == most:
            break
        points = (in_a_mirror if mirrored else follow)(tracker, frames)
        seen = np.isfinite(points[:, 0, 0])
        error, irises = point_errors(points, truth)
        line = {"id": row["id"], "frames": len(frames), "seen": int(seen.sum())}
        line |= {"error": float(np.nanmean(error)), "irises": float(np.nanmean(irises))} if seen.any() else {}
        ours, teachers, judge = signals(points), signals(truth), judged(frames, *judges) if judges else {}
        for name, least in LEAST_MOVEMENT.items():
            if teachers[name].std() >= least:
                line[f"{name}_teacher"] = correlation(ours[name], teachers[name])
            if name in judge and np.nanstd(judge[name]) >= least:
                line[f"{name}_judge"] = correlation(ours[name], judge[name])
                line[f"{name}_teacher_judge"] = correlation(teachers[name], judge[name])
        shut, truly_shut = blinks(ours["lids"]), blinks(teachers["lids"])
        line |= {"blinks": len(shut), "blinks_teacher": len(truly_shut), "blinks_both": matched(truly_shut, shut)}
        lines.append(line)
    return lines


def measure_stills(tracker: Tracker, data: Path) -> list[dict[str, Any]]:
    """One line of figures for each still."""
    lines = []
    for row, truth, rgb in eval_stills(data):
        faces = tracker.find(rgb).faces
        here = [face for face in faces if same_face(face.box, truth)]
        line = {"id": row["id"], "kind": row["kind"], "found": bool(here)}
        if here:
            error, irises = point_errors(here[0].points[None], truth[None])
            line |= {"error": float(error[0]), "irises": float(irises[0])}
        lines.append(line)
    return lines


def same_face(box: Box, truth: Array) -> bool:
    """Does a box lie on a face with these landmarks?"""
    low, high = truth[:, :2].min(axis=0), truth[:, :2].max(axis=0)
    return box.overlap(Box(*low, *(high - low))) > 0.3


def harder(rgb: Array, truth: Array, kind: str, random: np.random.Generator) -> tuple[Array, Array]:
    """A harder copy of a picture, and where its face is then: small, leaning or half covered."""
    low, high = truth[:, :2].min(axis=0), truth[:, :2].max(axis=0)
    if kind == "small":
        zoom = random.uniform(24, 48) / float(high[0] - low[0])
        small = cv2.resize(rgb, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        canvas = np.clip(random.normal(rgb.mean(axis=(0, 1)), 12, (720, 1280, 3)), 0, 255).astype(np.uint8)
        canvas = cv2.GaussianBlur(canvas, (0, 0), 2)
        x, y = random.integers(0, 1280 - small.shape[1]), random.integers(0, 720 - small.shape[0])
        canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
        return canvas, truth[:, :2] * zoom + (x, y)
    if kind == "leaning":
        angle = float(random.choice((-1, 1)) * random.uniform(25, 45))
        middle = (low + high) / 2
        turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle, 1.0)
        turned = cv2.warpAffine(rgb, turn, rgb.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        return turned, truth[:, :2] @ turn[:, :2].T + turn[:, 2]
    covered = rgb.copy()
    (x0, y0), (x1, y1) = low.astype(int), high.astype(int)
    half = [(x0, y0, (x0 + x1) // 2, y1), ((x0 + x1) // 2, y0, x1, y1), (x0, (y0 + y1) // 2, x1, y1)]
    left, top, right, bottom = half[random.integers(3)]
    covered[max(0, top) : bottom, max(0, left) : right] = random.integers(0, 256, 3)
    return covered, truth[:, :2]


def measure_harder(trackers: dict[str, Tracker], data: Path, most: int) -> dict[str, dict[str, int]]:
    """How many harder copies of some evaluation stills each tracker finds the face in."""
    random = np.random.default_rng(0)
    stills = list(eval_stills(data))
    picked = [stills[i] for i in random.permutation(len(stills))[:most]]
    found: dict[str, dict[str, int]] = {}
    for kind in ("small", "leaning", "half covered"):
        copies = [harder(rgb, truth, kind, random) for _, truth, rgb in picked]
        found[kind] = {"pictures": len(copies)} | {
            name: sum(any(same_face(f.box, at) for f in tracker.find(rgb).faces) for rgb, at in copies)
            for name, tracker in trackers.items()
        }
    return found


def false_alarms(tracker: Tracker) -> dict[str, int]:
    """Faces found in pictures without one; pictures that scikit-image would have to download are left out."""
    from skimage import data as samples

    found = {}
    for name in FACE_FREE:
        try:
            picture = np.asarray(getattr(samples, name)())
        except Exception:  # whatever a missing file raises here
            continue
        if picture.dtype == bool:
            picture = picture.astype(np.uint8) * 255
        rgb = np.dstack([picture] * 3) if picture.ndim == 2 else picture[..., :3]
        found[name] = len(tracker.find(np.ascontiguousarray(rgb, np.uint8)).faces)
    return found


def jitter(tracker: Tracker, data: Path, most: int = 8, frames: int = 40) -> list[float]:
    """Trembling of the points on stills with fresh grain in each frame: standard deviation over time, per cent."""
    random = np.random.default_rng(0)
    trembling = []
    for number, (_, truth, rgb) in enumerate(eval_stills(data)):
        if number == most:
            break
        grainy = [np.clip(rgb + random.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8) for _ in range(frames)]
        points = follow(tracker, grainy)[10:, :, :2]
        unit = np.linalg.norm(truth[EYES[0].iris[0], :2] - truth[EYES[1].iris[0], :2])
        if np.isfinite(points).all():
            trembling.append(float(100 * np.linalg.norm(points.std(axis=0), axis=1).mean() / unit))
    return trembling


def speed(folder: Path, rgb: Array) -> dict[str, float]:
    """Median CPU milliseconds of one face's landmarks, and of detection in a 1280 x 720 picture."""
    cv2.setNumThreads(1)
    detector, landmarker = (kind(folder / name) for kind, name in zip((Detector, Landmarker), NETWORKS, strict=True))
    frame = cv2.resize(rgb, (1280, 720))
    crop = Crop(rgb.shape[1] / 2, rgb.shape[0] / 2, 0.7 * rgb.shape[0], 0.0)
    return {
        "landmarks_ms": _timed(lambda: landmarker(rgb, crop)),
        "detector_320_ms": _timed(lambda: detector.at_size(frame, 320)),
        "detector_640_ms": _timed(lambda: detector.at_size(frame, 640)),
    }


def _timed(work: Callable[[], object], times: int = 60) -> float:
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return round(1000 * float(np.median(taken)), 2)


def summary(clips: list[dict[str, Any]], stills: list[dict[str, Any]]) -> dict[str, Estimate | float | int]:
    """Figures over all clips and stills."""

    def over(lines: list[dict[str, Any]], name: str) -> Estimate:
        values = [line[name] for line in lines if name in line]
        return pooled(values, [1.0] * len(values), "mean", 0)

    figures: dict[str, Any] = {f"clips: {n}, %": over(clips, n) for n in ("error", "irises")}
    for kind in sorted({line["kind"] for line in stills}):
        some = [line for line in stills if line["kind"] == kind]
        figures[f"{kind}: error, %"] = over(some, "error")
        figures[f"{kind}: irises, %"] = over(some, "irises")
        figures[f"{kind}: found, of {len(some)}"] = sum(line["found"] for line in some)
    for name in LEAST_MOVEMENT:
        figures[f"clips: {name}, correlation with the teacher"] = over(clips, f"{name}_teacher")
        both = [(c[f"{name}_teacher_judge"], c[f"{name}_judge"]) for c in clips if f"{name}_judge" in c]
        if both:
            figures[f"clips: {name}, correlation with the judge"] = over(clips, f"{name}_judge")
            teacher, ours = (list(values) for values in zip(*both, strict=True))
            figures[f"clips: {name}, the same less the teacher's"] = paired(teacher, ours, "mean", 0)
    count = {key: sum(line[key] for line in clips) for key in ("blinks", "blinks_teacher", "blinks_both")}
    figures[f"blink recall, n = {count['blinks_teacher']}"] = count["blinks_both"] / max(1, count["blinks_teacher"])
    figures[f"blink precision, n = {count['blinks']}"] = count["blinks_both"] / max(1, count["blinks"])
    frames = sum(line["frames"] for line in clips)
    figures[f"clips: frames in which the face is seen, of {frames}"] = sum(line["seen"] for line in clips)
    return figures


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tracker", type=Path, default=PACKAGED, help="a run of 'gioconda train tracker'")
    parser.add_argument("--models", type=Path, required=True, help="folder of the measuring networks")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=10**6, help="measure so many clips only")
    parser.add_argument("--harder", type=int, default=40, help="stills of which harder copies are made (default 40)")
    options = parser.parse_args()
    ours = DistilledTracker(options.tracker)
    trackers: dict[str, Tracker] = {"ours": ours, "teacher": FaceMeshTracker()}
    clips = measure_clips(ours, options.data, options.models, options.clips)
    mirrored = measure_clips(trackers["teacher"], options.data, None, options.clips, mirrored=True)
    stills = measure_stills(ours, options.data)
    results: dict[str, Any] = {
        "figures": summary(clips, stills) | {f"mirrored teacher, {k}": v for k, v in summary(mirrored, []).items()},
        "harder": measure_harder(trackers, options.data, options.harder),
        "false_alarms": {name: false_alarms(tracker) for name, tracker in trackers.items()},
        "jitter": {name: jitter(tracker, options.data) for name, tracker in trackers.items()},
        "speed": speed(options.tracker, next(eval_stills(options.data))[2]),
        "clips": clips,
        "stills": stills,
    }
    options.out.write_text(
        json.dumps(results, indent=1, default=lambda v: asdict(v) if isinstance(v, Estimate) else float(v)) + "\n"
    )
    print("| what | figure |\n|---|---|")
    for name, figure in results["figures"].items():
        shown = (
            f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}], n = {figure.n}"
            if isinstance(figure, Estimate)
            else f"{figure:.4g}"
        )
        print(f"| {name} | {shown} |")
    for kind, counts in results["harder"].items():
        print(f"| {kind}: found, of {counts['pictures']} | {counts['ours']} (teacher {counts['teacher']}) |")
    for name, tracker in (("false alarms", "ours"), ("false alarms of the teacher", "teacher")):
        found = results["false_alarms"][tracker]
        print(f"| {name} in {len(found)} pictures without a face | {sum(found.values())} |")
    for name, values in results["jitter"].items():
        print(
            f"| trembling on stills, {name}, % | {np.mean(values) if values else float('nan'):.3f}, n = {len(values)} |"
        )
    for name, value in results["speed"].items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
