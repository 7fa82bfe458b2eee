"""What the page has made: clips, reels, stills and avatars, all by the library's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gioconda.credentials.statement import Disclosure
from gioconda.credentials.verification import Finding, verify
from gioconda.drivers import Recording, builtin, open_driver
from gioconda.errors import MissingExtraError, UsageError, VideoError
from gioconda.media.video import probe_video
from gioconda.performance import Performance
from gioconda.pipeline import Reel, animate
from gioconda.portrait import Portrait
from gioconda.preview import save_preview
from gioconda.progress import Progress
from gioconda.retarget import Gains
from gioconda.studio.jobs import Job
from gioconda.studio.limits import Limits
from gioconda.studio.subject import Subject, of_avatar

if TYPE_CHECKING:
    from gioconda.learning.fine_tuning import Look

ENDINGS = {"MP4": ".mp4", "WebM": ".webm", "WebP": ".webp"}
SIZES = {"256": 256, "512": 512, "1024": 1024, "1920": 1920, "the picture's own": None}
"""Longer side of a clip in pixels, by the word for it."""
MOST_DRIVERS = 3
"""Of a reel."""


@dataclass(frozen=True)
class Driver:
    """Who is to move the picture: a built-in performance by its name, or a video."""

    name: str
    video: Path | None = None

    def performance(self, limits: Limits, progress: Progress) -> Performance:
        """The movement, at most `limits.seconds` of it.

        Raises:
            VideoError, PictureError, NoFaceError: the video is of no use.
        """
        if self.video is None:
            return builtin(self.name)
        facts = probe_video(self.video)
        if facts.width * facts.height > limits.pixels:
            raise VideoError(
                f"{self.video}: {facts.width} x {facts.height} pixels, more than {limits.pixels / 1e6:g} million; "
                "make the video smaller"
            )
        return open_driver(str(self.video), Recording(end=limits.seconds), progress=progress)

    def shown(self, performance: Performance, folder: Path) -> Path:
        """A video of the driver to show beside the clip."""
        if self.video is not None:
            return self.video
        path = folder / "driver.mp4"
        save_preview(performance, path, 256)
        return path


@dataclass(frozen=True)
class Wishes:
    """How a clip is wanted.

    Attributes:
        gains: how much of each part of the movement.
        ending: of the file, one of the values of `ENDINGS`.
        size: longer side in pixels; None for the picture's own.
        told: what the clip says of itself.
    """

    gains: Gains = field(default_factory=Gains)
    ending: str = ".mp4"
    size: int | None = 512
    told: Disclosure = field(default_factory=Disclosure)


def wishes_of(ending: object, size: object, gains: Gains, label: bool, consent: str | None) -> Wishes:
    """Wishes in the page's words. Raises UsageError: there is no such word."""
    for word, words in ((ending, ENDINGS), (size, SIZES)):
        if not isinstance(word, str) or word not in words:
            raise UsageError(f"choose one of {', '.join(words)}, not {word!r}")
    return Wishes(gains, ENDINGS[str(ending)], SIZES[str(size)], Disclosure(label, (consent or "").strip() or None))


@dataclass(frozen=True)
class Made:
    """What came out.

    Attributes:
        files: the clip, and the sidecar of one that cannot hold its own credentials.
        finding: what the clip says of itself.
        driver: the driver's video, to be shown beside it; None for a reel, which needs none, and a still.
        notes: what a visitor should know about the driver.
    """

    files: tuple[Path, ...]
    finding: Finding
    driver: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def clip(self) -> Path:
        """The clip itself."""
        return self.files[0]


def make_clip(subject: Subject, driver: Driver, wishes: Wishes, folder: Path, limits: Limits, job: Job[Made]) -> Made:
    """The person makes the driver's movements."""
    performance = driver.performance(limits, job.progress)
    scene = animate(known_portrait(subject), performance, gains=wishes.gains, size=wishes.size, **drawn_by(subject))
    path = folder / f"{subject.paths[0].stem} {driver.name}{wishes.ending}"
    scene.save(path, disclosure=wishes.told, progress=job.progress, watch=lambda frame: job.show(frame.rgb))
    return _finished(path, driver.shown(performance, folder), _gaps(driver.name, performance))


def make_reel(
    subject: Subject,
    drivers: Sequence[Driver],
    height: int,
    wishes: Wishes,
    folder: Path,
    limits: Limits,
    job: Job[Made],
) -> Made:
    """The picture beside its living portraits; the first driver that has a voice is heard."""
    if not 1 <= len(drivers) <= MOST_DRIVERS:
        raise UsageError(f"{len(drivers)} drivers are chosen; a reel has 1 to {MOST_DRIVERS}")
    performances = [driver.performance(limits, job.progress) for driver in drivers]
    options: dict[str, Any] = {"gains": wishes.gains, **drawn_by(subject)}
    reel = Reel.of(known_portrait(subject), performances, height=height, **options)
    path = folder / f"{subject.paths[0].stem} reel{wishes.ending}"
    voice = next((n for n, performance in enumerate(performances) if performance.source), None)
    reel.save(path, sound=voice, disclosure=wishes.told, progress=job.progress, watch=lambda frame: job.show(frame.rgb))
    notes = (note for d, p in zip(drivers, performances, strict=True) for note in _gaps(d.name, p))
    return _finished(path, None, tuple(notes))


def make_still(subject: Subject, performance: Performance, wishes: Wishes, folder: Path, job: Job[Made]) -> Made:
    """One picture, in full size, of a performance of one frame."""
    scene = animate(known_portrait(subject), performance, size=wishes.size, **drawn_by(subject))
    path = folder / f"{subject.paths[0].stem} still.png"
    scene.save(path, disclosure=wishes.told, progress=job.progress)
    return _finished(path)


@dataclass(frozen=True)
class Personalised:
    """An avatar's file, and its person."""

    path: Path
    subject: Subject


def make_avatar(
    subject: Subject,
    renderer: str,
    weights: Path | None,
    fidelity: float,
    consent: str,
    folder: Path,
    job: Job[Personalised],
) -> Personalised:
    """The renderer fine-tuned to the person, from other weights than the package's where some are given.

    `job.shown` becomes every look taken on the way.

    Raises:
        MissingExtraError: the extra 'learn' is not installed.
    """
    try:
        from gioconda.learning.personalize import personalize
    except ImportError as error:
        raise MissingExtraError("personalising needs the extra 'learn': pip install 'gioconda[learn]'") from error
    looks: list[Look] = []

    def look(taken: Look) -> None:
        looks.append(taken)
        job.show(tuple(looks))

    avatar = personalize(
        known_portrait(subject),
        weights,
        renderer=renderer,
        fidelity=fidelity,
        consent=consent,
        progress=job.progress,
        watch=look,
    )
    path = avatar.save(folder / f"{subject.paths[0].stem}.avatar")
    return Personalised(path, of_avatar(avatar, path))


def drawn_by(subject: Subject) -> dict[str, Any]:
    """Who draws the subject, as `animate` takes it: avatars bring their own network."""
    if subject.avatar is None:
        return {}
    return {"renderer": subject.avatar.about.renderer, "weights": subject.avatar}


def known_portrait(subject: Subject) -> Portrait:
    """The person of a subject. Raises UsageError where no face is known yet."""
    if subject.portrait is None:
        raise UsageError("no face is known yet: choose one, click its points or draw a box around it")
    return subject.portrait


def _finished(path: Path, driver: Path | None = None, notes: tuple[str, ...] = ()) -> Made:
    sidecar = path.with_name(f"{path.name}.c2pa")
    return Made((path, sidecar) if sidecar.exists() else (path,), verify(path), driver, notes)


def _gaps(name: str, performance: Performance) -> tuple[str, ...]:
    lost = int((~performance.seen).sum())
    notes = []
    if lost:
        notes.append(f"{name}: the face was not seen in {lost} of {len(performance)} frames; held and eased there")
    if performance.cuts:
        notes.append(f"{name}: {performance.cuts} cuts were eased over")
    return tuple(notes)
