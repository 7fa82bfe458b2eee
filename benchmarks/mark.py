"""The invisible mark: how often it is found after attacks, how often by mistake, and how faint it is.

    python benchmarks/mark.py marked --pictures portraits/* --out marked.json
    python benchmarks/mark.py frames --videos clips/*.mp4 --out frames.json
    python benchmarks/mark.py clips --videos clips/*.mp4 --out clips.json
    python benchmarks/mark.py table marked.json frames.json clips.json
    python benchmarks/mark.py mirror --pictures portraits/* --out mirror.json

`marked`: every picture is animated by a built-in performance and written as the command writes it; that file is
attacked. `frames`: frames of videos that this program did not make, each by itself. `clips`: those of each video
together; every video is also asked for marks of other names, which are as many independent trials, since the
patterns are random. `mirror`: pictures as the page of `gioconda live` gets them, of several sizes. What is done is
written after every clip.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image

from gioconda import GiocondaError, Performance, Portrait, animate
from gioconda.credentials import detection
from gioconda.credentials.mark import NAME, Layer
from gioconda.credentials.verification import FRAMES, verify
from gioconda.drivers import builtin, builtin_names
from gioconda.live.drawing import Look, sketcher
from gioconda.live.server import QUALITY
from gioconda.media import pictures as media_pictures
from gioconda.media.clip import ClipWriter
from gioconda.media.video import VideoReader

SECONDS, FPS = 1.5, 8.0
OTHER_NAMES = [b"not a mark %d" % number for number in range(5)]
Frames = list[np.ndarray]


def h264(frames: Frames, crf: int) -> Frames:
    """Encoded anew, with x264's default preset."""
    file = io.BytesIO()
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=round(FPS))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.options = {"crf": str(crf)}
        for rgb in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb[:height, :width]), "rgb24")))
        output.mux(stream.encode())
    file.seek(0)
    with av.open(file) as video:
        return [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]


def scaled(frames: Frames, factor: float) -> Frames:
    """Resized, as a screen or a player does it."""
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return [cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=method) for rgb in frames]


def cropped(frames: Frames, share: float) -> Frames:
    """A part of every frame, with sides of a share of the whole, off the middle."""
    height, width = frames[0].shape[:2]
    top, left = round(height * (1 - share) * 0.37), round(width * (1 - share) * 0.81)
    return [rgb[top : top + round(height * share), left : left + round(width * share)] for rgb in frames]


def jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG file and back."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def gif(frames: Frames, path: Path) -> Frames:
    """Through a GIF file and back."""
    with ClipWriter(path, frames[0].shape[1], frames[0].shape[0], FPS) as writer:
        for rgb in frames:
            writer.write(np.ascontiguousarray(rgb))
    with VideoReader(path) as video:
        return [frame.rgb for frame in video]


ATTACKS: dict[str, Callable[[Frames, Path], Frames]] = {
    "as written (H.264, crf 17)": lambda frames, work: frames,
    "H.264 again, crf 28": lambda frames, work: h264(frames, 28),
    "scaled to 50 %, H.264 crf 18": lambda frames, work: h264(scaled(frames, 0.5), 18),
    "scaled to 50 %, H.264 crf 23": lambda frames, work: h264(scaled(frames, 0.5), 23),
    "cropped to 80 %, H.264 crf 23": lambda frames, work: h264(cropped(frames, 0.8), 23),
    "GIF": lambda frames, work: gif(frames, work / "attacked.gif"),
    "one frame, screenshot x 1.37, JPEG 85": lambda frames, work: [jpeg(scaled(frames[:1], 1.37)[0], 85)],
    "one frame, screenshot x 0.83, JPEG 85": lambda frames, work: [jpeg(scaled(frames[:1], 0.83)[0], 85)],
}


def noise_ratio(picture: np.ndarray, marked: np.ndarray) -> float:
    """Peak signal-to-noise ratio in decibels."""
    return float(10 * np.log10(255**2 / np.mean((picture.astype(float) - marked) ** 2)))


def measure_marked(pictures: Sequence[Path], size: int, out: Path) -> None:
    """Scores of every picture's clip after every attack."""
    rows = []
    performances = [builtin(name).trimmed(1.0, 1.0 + SECONDS) for name in builtin_names()]
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(pictures):
            try:
                rows.append(measure_clip(path, performances[number % len(performances)], size, Path(folder)))
            except GiocondaError as error:
                print(f"{path.name}: left out: {error}")
                continue
            out.write_text(json.dumps(rows, indent=1))


def measure_clip(path: Path, performance: Performance, size: int, work: Path) -> dict[str, Any]:
    """One picture's clip: how faint the mark is where it lies, and its score after every attack."""
    animation = animate(Portrait.from_pictures([path]), performance, size=size, fps=FPS)
    frame = next(iter(animation))
    box = frame.drawn[0]
    part = np.s_[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)]
    ratio = noise_ratio(frame.rgb[part], Layer.of(frame.rgb, frame.drawn).on(frame.rgb)[part])
    clip = animation.save(work / "clip.mp4")
    if verify(clip).verdict.name != "INTACT":
        raise SystemExit(f"{path}: the clip as written does not pass 'gioconda verify'")
    with VideoReader(clip) as video:
        frames = [shown.rgb for shown in video]
    scores = {name: round(detection.detect(attack(frames, work)).score, 2) for name, attack in ATTACKS.items()}
    return {"picture": path.stem, "psnr": round(ratio, 2), "scores": scores}


def some_frames(path: Path, count: int) -> Frames:
    """Frames of a video, evenly spread."""
    with VideoReader(path, max_side=512) as video:
        step = max(1, video.frame_count_estimate // count)
        return [frame.rgb for index, frame in enumerate(video) if index % step == 0][:count]


def measure_frames(videos: Sequence[Path], each: int, out: Path) -> None:
    """Scores of single frames that have no mark."""
    rows = []
    for path in videos:
        scores = [round(detection.detect([rgb]).score, 3) for rgb in some_frames(path, each)]
        rows.append({"clip": path.stem, "scores": scores})
        out.write_text(json.dumps(rows, indent=1))


def measure_clips(videos: Sequence[Path], each: int, out: Path) -> None:
    """Scores of clips that have no mark: for the mark, and for others of other names."""
    rows = []
    for path in videos:
        frames = some_frames(path, each)
        rests: dict[int, Any] = {}
        for rgb in frames:
            for side, rest in detection.without_picture(rgb):
                rests[side] = rests.get(side, 0) + rest
        scores = detection.best_scores(rests, max(frames[0].shape), [NAME, *OTHER_NAMES])
        rows.append({"clip": path.stem, "scores": [round(float(score), 3) for score in scores]})
        out.write_text(json.dumps(rows, indent=1))


def measure_mirror(pictures: Sequence[Path], sizes: Sequence[int], out: Path) -> None:
    """Scores of every picture in the mirror at every size, while the driver is a built-in performance."""
    rows = []
    performances = [builtin(name) for name in builtin_names()]
    for number, path in enumerate(pictures):
        try:
            portrait = Portrait.from_pictures([path])
        except GiocondaError as error:
            print(f"{path.name}: left out: {error}")
            continue
        motions = list(performances[number % len(performances)].resampled(FPS))[:FRAMES]
        for size in sizes:
            draw = sketcher(portrait.framed(size=size), Look())
            shown = [as_the_page_gets(draw(motion)) for motion in motions]
            score = round(detection.detect(shown).score, 2)
            rows.append({"picture": path.stem, "size": size, "score": score})
            out.write_text(json.dumps(rows, indent=1))
    print(f"{FRAMES} pictures each\n\n| longer side | found | lowest score | median score |\n|---|---|---|---|")
    for size in sizes:
        scores = [row["score"] for row in rows if row["size"] == size]
        found = sum(score >= detection.THRESHOLD for score in scores)
        print(f"| {size} | {found} of {len(scores)} | {min(scores):.1f} | {np.median(scores):.1f} |")


def as_the_page_gets(rgb: np.ndarray) -> np.ndarray:
    """A picture of the mirror after its way to the page."""
    data = np.frombuffer(media_pictures.jpeg(rgb, QUALITY), np.uint8)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def tail(scores: Sequence[float], threshold: float) -> float:
    """Chance of a score beyond a threshold, by a Gumbel distribution of the same mean and spread."""
    scale = float(np.std(scores)) * np.sqrt(6) / np.pi
    place = float(np.mean(scores)) - 0.5772 * scale
    return float(-np.expm1(-np.exp(-(threshold - place) / scale)))


def tell(marked: Path, frames: Path, clips: Path) -> None:
    """Print the tables of docs/credentials.md."""
    threshold = detection.THRESHOLD
    rows = json.loads(marked.read_text())
    print(f"{len(rows)} clips; found means a score of {threshold} or more\n")
    print("| attack | clips found | lowest score | median score |\n|---|---|---|---|")
    for attack in ATTACKS:
        scores = [row["scores"][attack] for row in rows]
        found = sum(score >= threshold for score in scores)
        print(f"| {attack} | {found} of {len(rows)} | {min(scores):.1f} | {np.median(scores):.1f} |")
    ratios = [row["psnr"] for row in rows]
    low, middle, high = np.percentile(ratios, (0, 50, 100))
    print(f"\nPSNR in the region, dB: lowest {low:.1f}, median {middle:.1f}, highest {high:.1f}")
    for what, path in (("frames", frames), ("clips, by name of mark", clips)):
        found = json.loads(path.read_text())
        scores = [score for row in found for score in row["scores"]]
        over = sum(score >= threshold for score in scores)
        print(
            f"without a mark: {len(found)} videos, {len(scores)} {what}: {over} false alarms, highest score "
            f"{max(scores):.2f}, median {np.median(scores):.2f}; by a fitted Gumbel {tail(scores, threshold):.1e}"
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(required=True, dest="task")
    for name, what in (("marked", "pictures"), ("frames", "videos"), ("clips", "videos"), ("mirror", "pictures")):
        task = tasks.add_parser(name)
        task.add_argument(f"--{what}", type=Path, nargs="+", required=True, metavar="FILE")
        task.add_argument("--out", type=Path, required=True)
        if name == "marked":
            task.add_argument("--size", type=int, default=512, help="longer side of the clips")
        elif name == "mirror":
            task.add_argument("--sizes", type=int, nargs="+", default=[192, 256, 384, 512], help="longer sides")
        else:
            task.add_argument("--each", type=int, default=6, help="frames of a video")
    table = tasks.add_parser("table")
    for name in ("marked", "frames", "clips"):
        table.add_argument(name, type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.task == "marked":
        measure_marked(options.pictures, options.size, options.out)
    elif options.task == "frames":
        measure_frames(options.videos, options.each, options.out)
    elif options.task == "clips":
        measure_clips(options.videos, options.each, options.out)
    elif options.task == "mirror":
        measure_mirror(options.pictures, options.sizes, options.out)
    else:
        tell(options.marked, options.frames, options.clips)


if __name__ == "__main__":
    main()
