"""What do the thresholds of `gioconda portrait check` find and miss?

    python benchmarks/portrait_check.py DATA

DATA is a dataset folder with stills and clips. Thresholds were chosen on the training split where there is one to
choose on; everything printed here is about the evaluation split, unless it says otherwise.
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path

import cv2
import numpy as np

from gioconda.face import eye_distance, face_model
from gioconda.geometry import angles
from gioconda.likeness import ONE_PERSON, signature
from gioconda.media.pictures import read_picture
from gioconda.media.video import VideoReader
from gioconda.neutral import head_pose, lid_gaps
from gioconda.portrait import View
from gioconda.portrait_check import (
    ALIKE,
    ALIKE_MOUTH,
    ALIKE_TURN,
    BLURRED,
    DARK,
    FACE_PIXELS,
    SHUT_EYES,
    blur,
    brightness,
    face_print,
    measure,
)
from gioconda.tracking import Box, default_tracker

FRAMES = 6
"""Frames taken of each clip for the question who it is."""
MOST_YAW = 25.0
"""Degrees within which those frames are taken."""


def rows(path: Path) -> list[dict]:
    """Lines of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def track(data: Path, clip: str) -> np.ndarray:
    """Landmarks of a clip, (frames, 478, 3) pixels."""
    with lzma.open(data / "clips" / f"{clip}.npy.xz") as file:
        steps = np.load(file)
    return np.cumsum(steps, axis=1, dtype=np.int32).transpose(1, 2, 0) / 4.0


def stills(data: Path) -> list[tuple[dict, View]]:
    """The evaluation stills with their landmarks."""
    archive = np.load(data / "stills.npz", allow_pickle=False)
    points = {str(i): p / np.float32(8) for i, p in zip(archive["ids"], archive["landmarks"], strict=True)}
    return [
        (row, View(read_picture(data / "stills" / f"{row['id']}.jpg").rgb, points[row["id"]]))
        for row in rows(data / "stills.jsonl")
        if row["split"] == "eval"
    ]


def sharpness(pictures: list[tuple[dict, View]]) -> None:
    """Stills that were scaled down to their crop, and the same softened."""
    sharp = [view for row, view in pictures if row["upscale"] < 0.7]
    flagged = np.mean([blur(view) > BLURRED for view in sharp])
    print(f"blur above {BLURRED}: {flagged:.0%} of {len(sharp)} stills as they are")
    for sigma in (1.0, 1.5, 2.0):
        soft = [View(cv2.GaussianBlur(v.rgb, (0, 0), sigma * v.box.height / FACE_PIXELS), v.points) for v in sharp]
        print(f"  softened by {sigma} px of a {FACE_PIXELS} px face: {np.mean([blur(v) > BLURRED for v in soft]):.0%}")


def darkness(pictures: list[tuple[dict, View]]) -> None:
    """Brightness of all stills."""
    light = np.array([brightness(view) for _, view in pictures])
    least, low = light.min(), np.percentile(light, 1)
    print(f"brightness: least {least:.0f}, 1 % below {low:.0f}; {np.mean(light < DARK):.0%} dark")


def size(pictures: list[tuple[dict, View]]) -> None:
    """Landmarks of a face that was scaled down, against those at full size."""
    tracker, margin = default_tracker(), 20
    chosen = [view for row, view in pictures if row["upscale"] < 0.7][:30]
    for height in (24, 32, 48, 64, 96):
        errors = []
        for view in chosen:
            scale = height / view.box.height
            small = cv2.resize(view.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            small = cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
            place = np.array([view.box.x, view.box.y, view.box.width, view.box.height]) * scale + (margin, margin, 0, 0)
            faces = tracker.find_in(small, Box(*map(float, place))).faces
            if faces:
                back = (faces[0].points[:, :2] - margin + 0.5) / scale - 0.5
                off = np.linalg.norm(back - view.points[:, :2], axis=1).mean()
                errors.append(off / float(eye_distance(view.points[:, :2])))
        found, error = f"{len(errors)} of {len(chosen)} found", np.median(errors)
        print(f"face of {height} px: {found}, median error {error:.3f} eye distances")


def eyes(data: Path) -> None:
    """Frames in which the lids are less than half as far apart as usual in the clip, and those above four fifths."""
    shut, wide = [], []
    for row in rows(data / "clips.jsonl"):
        if row["split"] == "eval":
            points = track(data, row["id"])
            gaps = lid_gaps(head_pose(face_model().shape, points).undo(points)).max(axis=1)
            shut += list(gaps[gaps < 0.5 * np.median(gaps)])
            wide += list(gaps[gaps > 0.8 * np.median(gaps)])
    print(
        f"lids below {SHUT_EYES}: {np.mean(np.array(shut) < SHUT_EYES):.0%} of {len(shut)} blinking frames, "
        f"{np.mean(np.array(wide) < SHUT_EYES):.2%} of {len(wide)} others"
    )


def people(data: Path) -> None:
    """Pairs of frames of one person, from different shots, and of two people."""
    random = np.random.default_rng(0)
    signatures, persons, clips = [], [], []
    for row in [r for r in rows(data / "clips.jsonl") if r["split"] == "eval"]:
        points = track(data, row["id"])
        wanted = random.choice(len(points), min(FRAMES, len(points)), replace=False).tolist()
        with VideoReader(data / "clips" / f"{row['id']}.mp4") as video:
            seen = [View(f.rgb, points[n].astype(np.float32)) for n, f in enumerate(video) if n in wanted]
        for view in seen:
            if abs(angles(head_pose(face_model().shape, view.points).rotation)[0]) < MOST_YAW:
                signatures.append(signature(view))
                persons.append(row["person"])
                clips.append(row["id"])
    person, clip = np.array(persons), np.array(clips)
    one, other = np.triu_indices(len(signatures), 1)
    alike = (np.array(signatures) @ np.array(signatures).T)[one, other]
    same = alike[(person[one] == person[other]) & (clip[one] != clip[other])]
    different = alike[person[one] != person[other]]
    print(f"alike by less than {ONE_PERSON}:")
    print(f"  {np.mean(same < ONE_PERSON):.1%} of {len(same)} pairs of one person in two shots")
    print(f"  {np.mean(different < ONE_PERSON):.0%} of {len(different)} pairs of two people")


def doubles(data: Path) -> None:
    """Frames of one shot: beside each other, and a second or more apart."""
    beside, apart = [], []
    for row in [r for r in rows(data / "clips.jsonl") if r["split"] == "eval"][:20]:
        points = track(data, row["id"])
        with VideoReader(data / "clips" / f"{row['id']}.mp4") as video:
            views = [View(f.rgb, p.astype(np.float32)) for f, p in zip(video, points, strict=False)][:60]
        prints = [(face_print(v), measure(Path(), v)) for v in views]

        def alike(i: int, j: int, prints: list = prints) -> bool:
            (a, m), (b, n) = prints[i], prints[j]
            turn = max(abs(m.yaw - n.yaw), abs(m.pitch - n.pitch))
            return bool(a @ b > ALIKE and turn < ALIKE_TURN and abs(m.mouth - n.mouth) < ALIKE_MOUTH)

        far = round(row["fps"])
        beside += [alike(i, i + 1) for i in range(0, len(prints) - 1, 5)]
        apart += [alike(i, i + far) for i in range(0, len(prints) - far, 5)]
    print(f"shows the same: {np.mean(beside):.0%} of {len(beside)} pairs of neighbouring frames,")
    print(f"  {np.mean(apart):.0%} of {len(apart)} pairs a second apart")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    pictures = stills(data)
    sharpness(pictures)
    darkness(pictures)
    size(pictures)
    eyes(data)
    people(data)
    doubles(data)


if __name__ == "__main__":
    main()
