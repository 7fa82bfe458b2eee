"""How well do clips follow their drivers and keep the portrait's face? Judged by networks that do not drive.

    python benchmarks/follow.py --portraits DIR --drivers DIR --models DIR --out DIR

Animates every portrait with every driver, judges driver and clip with the same measuring networks
(``gioconda.evaluation.judges``), writes ``results.json`` and the clips into the output folder, and prints the
medians over all clips in which the driver has the signal at all. What fails is listed and stops nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from gioconda.evaluation.following import FOLLOWED, follow, follow_blinks
from gioconda.evaluation.judges import Array, Judges, Picture, Signals, csim, five_points, judge_frames

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}


@dataclass(frozen=True)
class Settings:
    """How clips are made: ``seconds`` of each driver, ``max_size`` in pixels of a clip's longer side."""

    seconds: float
    max_size: int


@dataclass
class Results:
    """All that was measured; ``signals`` has an entry for each clip and signal, ``clips`` for each clip."""

    settings: Settings
    signals: list[dict[str, Any]] = field(default_factory=list)
    clips: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)


def make_clip(picture: Path, video: Path, target: Path, settings: Settings) -> None:
    """Animate one picture with the start of one video: the only place that knows the product's API."""
    from gioconda import Performance, Portrait, animate

    portrait = Portrait.from_pictures([picture])
    performance = Performance.from_video(video, end=settings.seconds)
    animate(portrait, performance, size=settings.max_size).save(target)


def frames(video: Path, seconds: float = math.inf) -> Iterator[tuple[float, Picture]]:
    """Yield the video's start as (seconds since its first frame, RGB picture)."""
    with av.open(str(video)) as container:
        start = None
        for frame in container.decode(video=0):
            start = frame.time if start is None else start
            if frame.time - start >= seconds:
                return
            yield frame.time - start, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def judge_video(video: Path, judges: Judges, seconds: float = math.inf) -> Signals:
    """Judge the video's start; ``ValueError`` if no frame has a face."""
    signals = judge_frames(frames(video, seconds), judges)
    if not signals.valid.any():
        raise ValueError(f"the judge finds no face in {video.name}")
    return signals


def identity(picture: Path, judges: Judges) -> Array:
    """Return the identity vector (128,) of a picture; ``ValueError`` if it cannot be had."""
    bgr = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{picture.name} cannot be read")
    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    face = judges.face(rgb)
    if face is None:
        raise ValueError(f"the judge finds no face in {picture.name}")
    return judges.identity.embed(rgb, five_points(face.points))


def likeness(clip: Path, signals: Signals, person: Array, judges: Judges) -> Array:
    """Return the CSIM to the person of each of the clip's frames in which a face was found."""
    seen = zip(frames(clip), signals.points, signals.valid, strict=False)
    return np.array(
        [csim(person, judges.identity.embed(rgb, five_points(points))) for (_, rgb), points, valid in seen if valid]
    )


def measure(results: Results, picture: Path, video: Path, driver: Signals, judges: Judges, out: Path) -> None:
    """Make one clip, judge it and add what was found to the results."""
    clip = out / f"{picture.stem}--{video.stem}.mp4"
    make_clip(picture, video, clip, results.settings)
    output = judge_video(clip, judges)
    similar = likeness(clip, output, identity(picture, judges), judges)
    names = {"portrait": picture.stem, "driver": video.stem}
    results.signals += [
        {**names, "signal": signal, **asdict(following)} for signal, following in follow(driver, output).items()
    ]
    blinking = follow_blinks(driver, output)
    results.clips.append(
        {
            **names,
            "csim_median": float(np.median(similar)),
            "csim_worst": float(similar.min()),
            "frames": len(output.times),
            "frames_with_face": int(output.valid.sum()),
            "blinks_driver": blinking.in_driver,
            "blinks_output": blinking.in_output,
            "blinks_matched": blinking.matched,
        }
    )


def attempt(results: Results, names: dict[str, str], work: Callable[..., Any], *given: Any) -> Any:
    """Return what the work returns; note whatever goes wrong under the given names and return None."""
    try:
        return work(*given)
    except Exception as error:  # a benchmark reports what fails, whatever it is, and goes on
        reason = f"{type(error).__name__}: {error}"
        results.failed.append({**names, "reason": reason})
        print(f"failed: {' x '.join(names.values())}: {reason}", file=sys.stderr, flush=True)
        return None


def run(pictures: list[Path], videos: list[Path], judges: Judges, out: Path, settings: Settings) -> Results:
    """Animate and judge every pair; keeps no more in memory than one driver's signals."""
    results = Results(settings)
    for video in videos:
        driver = attempt(results, {"driver": video.stem}, judge_video, video, judges, settings.seconds)
        for picture in pictures if driver is not None else []:
            pair = {"portrait": picture.stem, "driver": video.stem}
            attempt(results, pair, measure, results, picture, video, driver, judges, out)
            save(results, out / "results.json")
    save(results, out / "results.json")
    return results


def save(results: Results, path: Path) -> None:
    """Write the results as JSON, undefined figures as null."""
    path.write_text(json.dumps(_plain(asdict(results)), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def table(results: Results) -> str:
    """Return the medians over clips as text."""
    lines = [f"{'signal':8} {'clips':>5} {'correlation':>12} {'amplitude':>10}"]
    for signal in FOLLOWED:
        rows = [row for row in results.signals if row["signal"] == signal and row["counted"]]
        figures = (_median(row["correlation"] for row in rows), _median(row["amplitude"] for row in rows))
        lines.append(f"{signal:8} {len(rows):5} {figures[0]:12.2f} {figures[1]:10.2f}")
    there, ours, both = (
        sum(clip[key] for clip in results.clips) for key in ("blinks_driver", "blinks_output", "blinks_matched")
    )
    lines += [
        f"blinks   recall {_share(both, there)} of n={there}, precision {_share(both, ours)} of n={ours}",
        f"csim     median {_median(clip['csim_median'] for clip in results.clips):.2f} "
        f"over {len(results.clips)} clips, "
        f"worst frame {min((clip['csim_worst'] for clip in results.clips), default=math.nan):.2f}"
        "  (MobileFaceNet, trained on MS-Celeb-1M)",
    ]
    lines += [f"failed   {' x '.join(v for k, v in f.items() if k != 'reason')}: {f['reason']}" for f in results.failed]
    return "\n".join(lines)


def _median(values: Iterable[float]) -> float:
    """Return the median of the finite values, NaN if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan


def _share(part: int, whole: int) -> str:
    """Return a part of a whole with two decimals, or a dash."""
    return f"{part / whole:.2f}" if whole else "-"


def _plain(value: Any) -> Any:
    """Return the value with every figure that JSON cannot say replaced by None."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _files(folder: Path, endings: set[str], wanted: list[str] | None) -> list[Path]:
    """Return the folder's files with these endings, only those named (with or without ending) if any are."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    return found if not wanted else [path for path in found if path.stem in wanted or path.name in wanted]


def main() -> int:
    """Run from the command line; 0 if every pair was measured, 1 if some failed, 2 if there are none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--portraits", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--drivers", type=Path, required=True, help="folder of videos")
    parser.add_argument("--models", type=Path, required=True, help="folder of the measuring networks")
    parser.add_argument("--out", type=Path, required=True, help="folder for clips and results.json")
    parser.add_argument("--seconds", type=float, default=4.0, help="length taken of each driver (default 4)")
    parser.add_argument("--portrait", action="extend", nargs="+", metavar="NAME", help="only these portraits")
    parser.add_argument("--driver", action="extend", nargs="+", metavar="NAME", help="only these drivers")
    parser.add_argument("--max-size", type=int, default=768, help="longer side of the clips (default 768)")
    options = parser.parse_args()
    pictures = _files(options.portraits, PICTURES, options.portrait)
    videos = _files(options.drivers, VIDEOS, options.driver)
    if not pictures or not videos:
        print("no portrait or no driver of that name", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    settings = Settings(options.seconds, options.max_size)
    results = run(pictures, videos, Judges.load(options.models), options.out, settings)
    print(table(results))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
