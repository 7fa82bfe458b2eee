"""What is measured on what: the `self` and the `cross` track.

`self`: a person's earlier frames are the portrait, their later frames the truth; the landmarks of each true frame
are given to the renderer as they are. `cross`: every portrait is driven by every driver, the way a user does it.
Both keep their figures as they go (:mod:`gioconda.evaluation.store`); a clip that fails is listed and loses
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from gioconda.avatar import Avatar
from gioconda.capture import capture
from gioconda.datasets.layout import read_lines
from gioconda.errors import GiocondaError, UsageError
from gioconda.evaluation import cards, grading, shots
from gioconda.evaluation.catalogue import BY_NAME
from gioconda.evaluation.grading import Grades, Watched
from gioconda.evaluation.judges import Array, Judges, Picture
from gioconda.evaluation.renderers import FINE_TUNED, STILL, Contender, drawer, painted, product
from gioconda.evaluation.shots import Plan, Shot, Source, evenly, find_sources, plan
from gioconda.evaluation.store import Album, ClipFolder, Kept, fingerprint
from gioconda.face import (
    BROWS,
    EYES,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    OVAL,
    Points,
)
from gioconda.media.files import sha256_of
from gioconda.media.pictures import PICTURE_SUFFIXES
from gioconda.media.video import VIDEO_SUFFIXES, VideoReader
from gioconda.performance import Performance
from gioconda.pipeline import animate
from gioconda.portrait import Portrait, View
from gioconda.progress import Progress, quiet
from gioconda.rendering import make_renderer
from gioconda.tracking import Tracker
from gioconda.tracking.tracker import TRACKERS

NETWORKS = (
    *("lm_model0_opt.onnx", "mnv3_detection_opt.onnx", "mnv3_gaze32_split_opt.onnx"),
    *("fsanet-1x1-iter-688590.onnx", "fsanet-var-iter-688590.onnx", "mobilefacenet.onnx"),
)
SHOWCASE = 6
"""Clips of which enough is kept to be seen moving."""
SHOWN_FRAMES = 24
STUDIED = 4
"""Frames of each clip kept for the study."""
LARGE_POSE = 25.0
"""Degrees of yaw from which a pose is large."""
GREY = 5.0
"""Mean distance of a picture's colours from grey, in 8-bit levels, below which it is grey."""
SOFT = 1.5
"""Crop pixels per source pixel above which a shot is soft."""
LABELS = ("kind", "grey", "glasses", "beard", "large_pose", "skin_tone")
"""Labels of a manifest or of portraits.jsonl by which figures are given apart."""
LOOKED = 2.4
"""Side of the square that is shown of a portrait or driver, in face heights: a face in a large painting would be
too small to judge."""
KINDS = {
    "photo": ("photo", "photograph"),
    "painting": ("painting",),
    "drawing": ("drawing", "sketch", "cartoon", "engraving"),
}


@dataclass(frozen=True)
class Size:
    """How much is measured; None: without limit.

    Attributes:
        name: quick, default or full.
        tests: test frames of a shot (self).
        shots: shots, one a person (self).
        seconds: of each driver (cross).
        footage: seconds read of each plain video (self).
        side: longest side of a portrait in pixels (cross).
        portraits, drivers: how many of each, evenly spread (cross).
        tuned: people, evenly spread, on whom fine-tuned renderers are measured: a shot each, or a portrait.
    """

    name: str
    tests: int | None
    shots: int | None
    seconds: float | None
    footage: float | None
    side: int | None
    portraits: int | None
    drivers: int | None
    tuned: int | None


SIZES = {
    "quick": Size("quick", 16, 16, 2.0, 10.0, 512, 6, 3, 3),
    "default": Size("default", 48, None, 4.0, 20.0, 768, None, None, 8),
    "full": Size("full", None, None, None, None, None, None, None, None),
}


@dataclass(frozen=True)
class Failure:
    """A clip that could not be measured, and why."""

    clip: str
    reason: str


@dataclass
class Run:
    """What a run found; the figures themselves are in the store.

    Attributes:
        track: self or cross.
        root: folder of the store.
        kept: every clip's figures for every renderer and number of views.
        failed: what could not be measured.
        warnings: what a reader must know.
        showcase: clips that can be seen moving.
        weights: sha256 of every network used: of the judges by file name, of the renderers and of the measures
            whose networks only a user can give by "warp", "lpips alex", "fid inception".
        fingerprint: of code, networks and settings.
    """

    track: str
    root: Path
    weights: dict[str, str]
    fingerprint: str
    kept: list[Kept] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    showcase: list[str] = field(default_factory=list)


def kept_views(renderer: str, views: int) -> int:
    """Under which number of views a clip is kept: the baseline shows the first view, however many there are."""
    return 1 if renderer == STILL else views


def network_hashes(models: Path) -> dict[str, str]:
    """The sha256 of each measuring network that is there."""
    return {name: sha256_of(models / name) for name in NETWORKS if (models / name).is_file()}


def start(
    track: str, models: Path, out: Path, size: Size, given: Mapping[str, Path] | None = None, tracker: str = TRACKERS[0]
) -> Run:
    """An empty run, with the folder where its figures are kept; ``given``: networks by name, beside the judges'."""
    weights = network_hashes(models) | {name: sha256_of(path) for name, path in (given or {}).items()}
    mark = fingerprint({"track": track, "tracker": tracker, **asdict(size)}, weights)
    return Run(track, out / "runs" / mark, weights, mark)


# self


def run_self(
    data: Path,
    renderers: Sequence[Contender],
    views: Sequence[int],
    judges: Judges,
    run: Run,
    size: Size,
    jobs: int = 2,
    progress: Progress = quiet,
) -> None:
    """Measure renderers on a dataset's evaluation split, or on a folder of videos.

    Raises:
        UsageError: the data cannot be used, or leaks.
    """
    sources = find_sources(data)
    if size.shots is not None:
        sources = shots.one_per_person(sources, size.shots)
    run.warnings += _training_warnings(renderers, sources)
    if any(source.person is None for source in sources):
        run.warnings.append(
            "these videos say nothing of who is in them, so nobody can rule out that a renderer was trained on them"
        )
    long = [source for source in sources if not source.frames or source.frames >= shots.LEAST_FRAMES]
    run.showcase += [source.id for source in evenly(long or sources, SHOWCASE)]
    wanted = list(dict.fromkeys((one, kept_views(one.name, number)) for one in renderers for number in views))

    chosen = sources if size.tuned is None else shots.one_per_person(long or sources, size.tuned)
    tuned = {source.id for source in chosen}

    def measure(source: Source) -> list[Kept]:
        asked = [(one, number) for one, number in wanted if one.name not in FINE_TUNED or source.id in tuned]
        return measure_shot(source, asked, run.root, judges, size, source.id in run.showcase)

    found = _in_order(sources, measure, lambda source: source.id, run, jobs, progress)
    for kept in found:
        for number in views:
            if kept.renderer == STILL and number <= kept.facts["most_views"]:
                run.kept.append(replace(kept, views=number))
            elif kept.renderer != STILL and number == kept.views:
                run.kept.append(kept)


def measure_shot(
    source: Source,
    wanted: Iterable[tuple[Contender, int]],
    root: Path,
    judges: Judges,
    size: Size,
    shown: bool = False,
) -> list[Kept]:
    """Measure one shot; figures that are kept already are taken from there.

    Args:
        source: the shot.
        wanted: renderers and numbers of views; numbers that the shot does not serve are passed over.
        root: folder of the store.
        judges: the judges.
        size: how much is measured.
        shown: keep enough frames to see the clip moving.

    Raises:
        GiocondaError: the shot cannot be read, or is too short.
    """
    folder = ClipFolder(root, source.id, source.fingerprint)
    before = folder.load("truth", 0)
    found, missing = [], []
    for renderer, views in wanted:
        if before is not None and views > before.facts["most_views"]:
            continue
        kept = folder.load(renderer.name, views)
        if kept is None or (shown and not kept.facts["shown"]):
            missing.append((renderer, views))
        else:
            found.append(kept)
    if not missing and before is not None:
        return found
    shot = shots.load_shot(source, size.footage)
    parts = plan(len(shot.frames), shot.fps, size.tests)
    if not parts.tests:
        raise UsageError(
            f"{len(shot.frames)} frames at {shot.fps:g} a second: none is a second later than the first view"
        )
    truth = Truth.of(shot, parts, judges, folder, shown, source.labels)
    folder.save("truth", 0, Grades({}, {}, truth.watched), truth.facts)
    for renderer, views in missing:
        if parts.serves(views):
            found.append(_measure_renderer(renderer, views, shot, parts, truth, folder, judges))
    return found


@dataclass(frozen=True, eq=False)
class Truth:
    """The true side of a shot: test frames, their landmarks, the judges' word, what is kept, what is known."""

    true: list[Picture]
    points: Points
    watched: Watched
    facts: dict[str, Any]
    album: Album
    sketches: Album

    @staticmethod
    def of(
        shot: Shot, parts: Plan, judges: Judges, folder: ClipFolder, shown: bool, labels: Mapping[str, Any]
    ) -> Truth:
        """Judge the true frames, and keep those that the study and the report will show."""
        true = [shot.frames[i] for i in parts.tests]
        points = shot.points[list(parts.tests)]
        times = map(float, grading.times_of(parts.tests, shot.fps))
        watched = grading.watch(zip(times, true, strict=True), judges)
        album, sketches = Album(), Album()
        for rgb, face in zip(true, points, strict=True):
            album.add(rgb)
            sketches.add(sketch(face, *rgb.shape[:2]))
        places = set(evenly(range(len(true)), STUDIED)) | set(evenly(range(len(true)), SHOWN_FRAMES) if shown else [])
        facts = {
            "tests": list(parts.tests),
            "most_views": len(parts.views),
            "step": parts.step,
            "fps": shot.fps,
            "conditions": conditions_of(labels, true[0], watched.signals.yaw),
            "places": sorted(places),
            "shown": shown,
            "picture": parts.views[0],
        }
        picture = Album()
        picture.add(shot.frames[parts.views[0]])
        picture.keep(folder, "picture", {0: 0})
        album.keep(folder, "truth", {i: i for i in places})
        sketches.keep(folder, "driver", {i: i for i in places})
        return Truth(true, points, watched, facts, album, sketches)


def _measure_renderer(
    renderer: Contender, views: int, shot: Shot, parts: Plan, truth: Truth, folder: ClipFolder, judges: Judges
) -> Kept:
    pictures = [View(shot.frames[i], shot.points[i]) for i in parts.views[:views]]
    if renderer.name == STILL:
        grades = grading.grade_still_self(pictures[0].rgb, truth.true, truth.watched, truth.points, judges, parts.step)
        return folder.save(STILL, views, grades, truth.facts)
    draw, album = drawer(renderer, pictures), Album()

    def made() -> Iterator[Picture]:
        for face in truth.points:
            rgb = draw(face)
            album.add(rgb)
            yield rgb

    grades = grading.grade_self(made(), truth.true, truth.watched, truth.points, judges, parts.step)
    worst = worst_places(grades)
    places = {i: i for i in {*truth.facts["places"], *worst.values()}}
    album.keep(folder, f"{renderer.name}-{views}", places)
    truth.album.keep(folder, "truth", places)
    truth.sketches.keep(folder, "driver", places)
    return folder.save(renderer.name, views, grades, truth.facts | {"worst": worst})


# cross


@dataclass(frozen=True, eq=False)
class Ready:
    """A renderer made ready for a portrait.

    Attributes:
        name, network: see :func:`renderers.product`.
        box: left, top, right, bottom of what it paints on the first view; None: it paints nothing, the baseline.
    """

    name: str
    network: Path | Avatar | None
    box: tuple[int, int, int, int] | None

    @staticmethod
    def of(contender: Contender, views: Sequence[View]) -> Ready:
        """Make it ready; a fine-tuned one is fine-tuned here."""
        name, network = product(contender, views)
        still = contender.name == STILL
        return Ready(name, network, None if still else painted(make_renderer(name, views, network), views[0]))


@dataclass(frozen=True, eq=False)
class Sitting:
    """A portrait, framed; what the judges say of its picture; what is known of it."""

    name: str
    portrait: Portrait
    person: Watched
    conditions: list[str]
    source: str
    _ready: dict[Contender, Ready] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def ready(self, contender: Contender) -> Ready:
        """A renderer made ready for the portrait: once, however many drivers move it."""
        with self._lock:
            if contender not in self._ready:
                self._ready[contender] = Ready.of(contender, self.portrait.views)
            return self._ready[contender]


@dataclass(frozen=True, eq=False)
class Driving:
    """A driver: its movement, what the judges say of it, its frames to be looked at."""

    name: str
    performance: Performance
    watched: Watched
    album: Album
    source: str


def run_cross(
    portraits: Path,
    drivers: Path,
    renderers: Sequence[Contender],
    judges: Judges,
    run: Run,
    size: Size,
    labels: Path | None = None,
    tracker: Tracker | None = None,
    jobs: int = 2,
    progress: Progress = quiet,
) -> None:
    """Drive every portrait of a folder with every driver of another, and measure the clips.

    ``labels``: one JSON object a line, with the picture's file name as ``file`` and what is known of it;
    ``portraits.jsonl`` in the folder of portraits unless told otherwise. ``tracker``: what finds the faces; None for
    the default.

    Raises:
        UsageError: a folder is missing or holds nothing of use.
    """
    run.warnings += _training_warnings(renderers, [])
    if any(renderer.weights for renderer in renderers):
        run.warnings.append(
            "nobody says who is in these portraits and drivers, so nobody can rule out that a network learned from them"
        )
    pictures = evenly(_files(portraits, PICTURE_SUFFIXES, "picture"), size.portraits or 10**9)
    videos = evenly(_files(drivers, VIDEO_SUFFIXES, "video"), size.drivers or 10**9)
    known = _labels(labels, portraits)

    def named(path: Path) -> str:
        return path.name

    def sit(path: Path) -> list[Sitting]:
        return [_sit(path, known, judges, run, size, tracker)]

    def drive(path: Path) -> list[Driving]:
        return [_drive(path, judges, run, size, tracker)]

    prepared = _in_order(pictures, sit, named, run, 1, progress, "portraits")
    ready = _in_order(videos, drive, named, run, 1, progress, "drivers")
    for sitting in prepared:
        if not sitting.person.signals.valid.any():
            run.warnings.append(f"{sitting.name}: the judge sees no face in the portrait, so identity is not measured")
    pairs = [(sitting, driving) for sitting in prepared for driving in ready]
    run.showcase += [clip_name(*pair) for pair in _diagonal(pairs, len(prepared), len(ready))]

    tuned = {sitting.name for sitting in evenly(prepared, size.tuned or len(prepared))}

    def measure(pair: tuple[Sitting, Driving]) -> list[Kept]:
        asked = [one for one in renderers if one.name not in FINE_TUNED or pair[0].name in tuned]
        return _measure_pair(*pair, asked, run.root, judges, clip_name(*pair) in run.showcase)

    run.kept += _in_order(pairs, measure, lambda pair: clip_name(*pair), run, jobs, progress, "clips")


def clip_name(sitting: Sitting, driving: Driving) -> str:
    """How a clip of the cross track is called."""
    return f"{sitting.name}--{driving.name}"


def _sit(
    path: Path, known: Mapping[str, dict[str, Any]], judges: Judges, run: Run, size: Size, tracker: Tracker | None
) -> Sitting:
    portrait = Portrait.from_pictures([path], tracker=tracker)
    canvas = portrait.views[0]
    if size.side is not None and max(canvas.rgb.shape[:2]) > size.side:
        portrait = portrait.framed(size=size.side)
    rgb = portrait.views[0].rgb
    person = grading.watch([(0.0, rgb)], judges)
    labels = {"kind": kind_of(path.stem), **(known.get(path.name) or known.get(path.stem) or {})}
    conditions = conditions_of(labels, rgb, person.signals.yaw)
    source = sha256_of(path) + ",".join(conditions)
    sitting = Sitting(path.stem, portrait, person, conditions, source)
    ClipFolder(run.root / "portraits", path.stem).save_watched("truth", 0, person)
    return sitting


def _drive(path: Path, judges: Judges, run: Run, size: Size, tracker: Tracker | None) -> Driving:
    performance = capture(path, end=size.seconds, tracker=tracker)
    album = Album()
    with VideoReader(path, max_side=960) as video:

        def frames() -> Iterator[tuple[float, Picture]]:
            for frame in video:
                if size.seconds is not None and frame.time >= size.seconds:
                    return
                yield frame.time, frame.rgb

        part: tuple[slice, slice] = np.s_[:, :]

        def look(index: int, rgb: Picture) -> None:
            nonlocal part
            if index == 0:
                face = judges.face(rgb)
                part = part if face is None else head_square(face.points, rgb)
            album.add(rgb[part])

        watched = grading.watch(frames(), judges, look)
    if not watched.signals.valid.any():
        raise UsageError("the judge finds no face in it")
    ClipFolder(run.root / "drivers", path.stem).save_watched("truth", 0, watched)
    return Driving(path.stem, performance, watched, album, sha256_of(path))


def _measure_pair(
    sitting: Sitting, driving: Driving, renderers: Sequence[Contender], root: Path, judges: Judges, shown: bool
) -> list[Kept]:
    folder = ClipFolder(root, clip_name(sitting, driving), sitting.source + driving.source)
    found = []
    for renderer in renderers:
        kept = folder.load(renderer.name, 1)
        if kept is None or (shown and not kept.facts["shown"]):
            kept = _measure_clip(sitting, driving, renderer, folder, judges, shown)
        found.append(kept)
    return found


def _measure_clip(
    sitting: Sitting, driving: Driving, renderer: Contender, folder: ClipFolder, judges: Judges, shown: bool
) -> Kept:
    canvas = sitting.portrait.views[0]
    still = renderer.name == STILL
    ready = sitting.ready(renderer)
    animation = animate(sitting.portrait, driving.performance, renderer=ready.name, weights=ready.network)
    times = np.arange(len(animation)) / animation.fps
    album = Album()
    part = head_square(sitting.person.signals.points[0], canvas.rgb)

    def frames() -> Iterator[tuple[float, Picture]]:
        pictures: Iterable[Picture] = (frame.rgb for frame in animation)
        if still:
            pictures = (canvas.rgb for _ in times)
        yield from zip(map(float, times), pictures, strict=True)

    grades = grading.grade_cross(
        frames(),
        canvas.rgb,
        sitting.person,
        driving.watched,
        judges,
        ready.box,
        still=still,
        also=None if still else lambda index, rgb: album.add(rgb[part]),
    )
    places = set(evenly(range(len(times)), SHOWN_FRAMES) if shown else [])
    worst = {} if still else worst_places(grades)
    facts = {
        "portrait": sitting.name,
        "driver": driving.name,
        "conditions": sitting.conditions,
        "shown": shown,
        "places": sorted(places),
        "most_views": 1,
        "fps": animation.fps,
        "worst": worst,
    }
    picture = Album()
    picture.add(canvas.rgb[part])
    picture.keep(folder, "picture", {0: 0})
    looked = sorted(places | set(worst.values()))
    theirs = driving.watched.signals.times
    nearest = {i: int(np.abs(theirs - times[i]).argmin()) for i in looked}
    driving.album.keep(folder, "driver", nearest)
    if not still:
        album.keep(folder, f"{renderer.name}-1", {i: i for i in looked})
    return folder.save(renderer.name, 1, grades, facts)


# both


def _training_warnings(renderers: Iterable[Contender], sources: Sequence[Source]) -> list[str]:
    """Refuse networks trained on what they are measured on; warn where nobody can tell."""
    files = dict.fromkeys(renderer.weights for renderer in renderers if renderer.weights is not None)
    return [text for weights in files for text in cards.check(weights, sources)]


def worst_places(grades: Grades) -> dict[str, int]:
    """The number of the worst frame by each measure that was taken frame by frame."""
    found = {}
    for name, row in grades.frames.items():
        if name not in BY_NAME or not np.isfinite(row).any():
            continue
        lowest = BY_NAME[name].better in ("higher", "none")
        found[name] = int(np.nanargmin(row) if lowest else np.nanargmax(row))
    return found


def sketch(points: Points, height: int, width: int) -> Picture:
    """Landmarks (478, 3) as a drawing, light on dark: what a driver gives to a renderer."""
    picture = np.full((height, width, 3), 24, np.uint8)
    thick = max(1, round(min(height, width) / 200))
    lines: list[tuple[Sequence[int], bool]] = [(OVAL, True), *((brow, False) for brow in (BROWS[0][:5], BROWS[1][:5]))]
    lines += [(lip, False) for lip in (LIPS_INNER_LOWER, LIPS_INNER_UPPER, LIPS_OUTER_LOWER, LIPS_OUTER_UPPER)]
    lines += [(eye.outline, True) for eye in EYES] + [(eye.iris[1:], True) for eye in EYES]
    for line, closed in lines:
        corners = np.rint(points[list(line), :2]).astype(np.int32)
        cv2.polylines(picture, [corners], closed, (236, 226, 208), thick, cv2.LINE_AA)
    return picture


def head_square(points: Array, rgb: Picture) -> tuple[slice, slice]:
    """The part of a picture around judged landmarks (66, 2) that is shown, as much as there is; all without a face."""
    if not np.isfinite(points).all():
        return np.s_[:, :]
    height, width = rgb.shape[:2]
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    side = min(max(16, round(LOOKED * (y1 - y0))), height, width)
    left = int(np.clip((x0 + x1 - side) / 2, 0, width - side))
    # The landmarks end at the brows: the head's middle is above theirs.
    top = int(np.clip((y0 + y1 - side) / 2 - 0.12 * side, 0, height - side))
    return np.s_[top : top + side, left : left + side]


def is_grey(rgb: Picture) -> bool:
    """Whether a picture has no colour to speak of."""
    small = rgb[::4, ::4].astype(np.int16)
    return bool((small.max(axis=2) - small.min(axis=2)).mean() < GREY)


def kind_of(name: str) -> str | None:
    """Photograph, painting or drawing, where a file's name says so."""
    words = name.lower().replace("-", "_").split("_")
    for kind, said in KINDS.items():
        if any(word in said for word in words):
            return kind
    return None


def conditions_of(labels: Mapping[str, Any], rgb: Picture, yaw: Array) -> list[str]:
    """The conditions of a clip, sorted: `painting`, `glasses`, `large pose`, `skin tone 4`, `soft`.

    What its labels say, and where they do not say it, what the picture shows: whether it is grey, and whether the
    head's judged yaw (T,) in degrees is large.
    """
    turned = float(np.abs(yaw[np.isfinite(yaw)]).max(initial=0.0))
    labels = {"grey": is_grey(rgb), "large_pose": turned > LARGE_POSE, **labels}
    found = []
    for label in LABELS:
        value, name = labels.get(label), label.replace("_", " ")
        if value is True:
            found.append(name)
        elif isinstance(value, str) and value:
            found.append(value if label == "kind" else f"{name} {value}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append(f"{name} {value:g}")
    upscale = labels.get("upscale")
    if isinstance(upscale, int | float) and upscale > SOFT:
        found.append("soft")
    return sorted(found)


def _labels(path: Path | None, portraits: Path) -> dict[str, dict[str, Any]]:
    path = path or portraits / "portraits.jsonl"
    if not path.is_file():
        return {}
    rows = read_lines(path)
    return {str(row.get("file") or row.get("id")): row for row in rows}


def _files(folder: Path, endings: Sequence[str], what: str) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give a folder of {what}s")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    if not found:
        raise UsageError(f"{folder} holds no {what} ({', '.join(sorted(endings))})")
    return found


def _diagonal(pairs: Sequence[tuple[Sitting, Driving]], rows: int, columns: int) -> list[tuple[Sitting, Driving]]:
    """A few pairs that show as many different portraits and drivers as possible."""
    if not pairs:
        return []
    return [pairs[row * columns + k % columns] for k, row in enumerate(evenly(range(rows), SHOWCASE))]


def _in_order(
    items: Sequence[Any],
    work: Callable[[Any], list[Any]],
    name: Callable[[Any], str],
    run: Run,
    jobs: int,
    progress: Progress,
    stage: str = "measuring",
) -> list[Any]:
    """Do the work for each item, several at a time; results in the items' order. What fails is listed."""
    results: dict[int, list[Any]] = {}
    failed: dict[int, Failure] = {}
    with progress(stage, len(items)) as tick, ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        waiting = {pool.submit(work, item): index for index, item in enumerate(items)}
        try:
            for done in as_completed(waiting):
                index = waiting[done]
                try:
                    results[index] = done.result()
                except GiocondaError as error:
                    failed[index] = Failure(name(items[index]), str(error))
                except Exception as error:  # one bad clip must not lose the others, whatever is wrong with it
                    failed[index] = Failure(name(items[index]), f"{type(error).__name__}: {error}")
                tick()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    run.failed += [failed[index] for index in sorted(failed)]
    return [entry for index in sorted(results) for entry in results[index]]
