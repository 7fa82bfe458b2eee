"""How much of what a face does does a photograph of it tell?

    python benchmarks/photo_drivers.py VIDEOS
    python benchmarks/photo_drivers.py DATA --each 15

VIDEOS is a folder of videos, each of one person; DATA a dataset folder, of which the evaluation split is taken. A video
is recorded as a performance; some of its frames, evenly spread, are then taken one by one as if they were photographs,
and what is made of each is compared with what the whole video says of that frame. Videos with cuts are left out: a
photograph shows its largest face, whoever that is.

The errors are mean differences: of the control landmarks of lips and brows in eye distances, of lids in openings of a
relaxed eye, of the gaze in eye widths. Strength is that of a movement beside the video's: the slope of the line through
the origin that fits best.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gioconda import GiocondaError, Motion, Performance
from gioconda.expression import controls
from gioconda.face import BROWS, LIPS
from gioconda.media.video import VideoReader
from gioconda.photo import believed, difference_from_mean
from gioconda.tracking import Tracker, default_tracker

LIP, BROW = (np.isin(controls(), numbers) for numbers in (LIPS, (*BROWS[0], *BROWS[1])))
SHUT = 0.4
"""Opening below which a lid counts as nearly shut."""
GUESSES = "no movement", "all of the difference from the mean face", "what is done"
Guesses = tuple[Motion, Motion, Motion]


def videos_in(folder: Path) -> list[Path]:
    """The files of a folder, or the shots of a dataset's evaluation split."""
    shots = folder / "clips.jsonl"
    if not shots.is_file():
        return sorted(folder.iterdir())
    rows = map(json.loads, shots.read_text().splitlines())
    return sorted(folder / "clips" / f"{row['id']}.mp4" for row in rows if row["split"] == "eval")


def guessed(video: Path, performance: Performance, count: int, tracker: Tracker) -> Iterator[tuple[Motion, Guesses]]:
    """What the whole of a video says of some of its frames, and what can be made of each by itself."""
    seen = np.flatnonzero(performance.seen)
    wanted = set(seen[np.unique(np.linspace(0, len(seen) - 1, count).round().astype(int))].tolist())
    with VideoReader(video) as frames:
        for number, frame in enumerate(frames):
            faces = tracker.find(frame.rgb).faces if number in wanted else []
            if faces:
                difference = difference_from_mean(faces[0].points)
                yield performance.at(frame.time), (Motion.neutral(), difference, believed(difference))


def stacked(motions: list[Motion]) -> Motion:
    """Many instants as one motion with a leading axis."""
    return Motion(*(np.stack([getattr(motion, name) for motion in motions]) for name in vars(motions[0])))


def errors(truth: Motion, guess: Motion) -> dict[str, float]:
    """The rows of the table."""
    shut = truth.lids < SHUT
    lids, gaze = np.abs(guess.lids - truth.lids), np.abs(guess.gaze - truth.gaze)
    off = np.linalg.norm(guess.offsets - truth.offsets, axis=-1)
    return {
        "lips": off[:, LIP].mean(),
        "brows": off[:, BROW].mean(),
        f"lids, when nearly shut (0 to {SHUT})": lids[shut].mean(),
        "lids, all": lids.mean(),
        "gaze to the sides": gaze[:, 0].mean(),
        "gaze up and down": gaze[:, 1].mean(),
        "strength: lips": strength(truth.offsets[:, LIP], guess.offsets[:, LIP]),
        "strength: brows": strength(truth.offsets[:, BROW], guess.offsets[:, BROW]),
    }


def strength(truth: np.ndarray, guess: np.ndarray) -> float:
    """How large a movement is beside the true one."""
    return float((truth * guess).sum() / np.square(truth).sum())


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, metavar="FOLDER")
    parser.add_argument("--each", type=int, default=80, metavar="N", help="frames of a video (default: 80)")
    options = parser.parse_args()
    tracker = default_tracker()
    found: list[tuple[Motion, Guesses]] = []
    videos = 0
    for path in videos_in(options.videos):
        try:
            performance = Performance.from_video(path, tracker=tracker)
        except GiocondaError as error:
            print(f"left out: {error}", flush=True)
            continue
        if performance.cuts:
            print(f"left out: {path.name} has {performance.cuts} cuts", flush=True)
            continue
        found += guessed(path, performance, options.each, tracker)
        videos += 1
    truth = stacked([true for true, _ in found])
    columns = [errors(truth, stacked([guesses[n] for _, guesses in found])) for n in range(len(GUESSES))]
    shut = int((truth.lids < SHUT).sum())
    print(f"{len(found)} frames of {videos} videos, {shut} lids nearly shut\n\n| | {' | '.join(GUESSES)} |")
    print("|" + "---|" * (1 + len(GUESSES)))
    for row in columns[0]:
        print(f"| {row} | " + " | ".join(f"{column[row]:.3f}" for column in columns) + " |")


if __name__ == "__main__":
    main()
