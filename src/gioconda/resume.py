"""Long work that survives an interruption: a clip made in segments that are kept until it is whole.

The segments lie in a hidden folder beside the clip, `.NAME.resume`, each a clip of its own that
begins with a key frame; `scene.json` there says of what. Whoever makes the same clip again goes on
after the last whole segment. At the end they are joined without being encoded anew. Because a
frame depends on nothing but its number, and segments begin at fixed numbers, an interrupted clip
has the frames of an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gioconda.credentials.marking import Marking
from gioconda.errors import OutputError, UsageError, VideoError
from gioconda.media.ahead import ahead, depth_for
from gioconda.media.clip import ClipWriter, Seal, Sound, check_output, is_folder
from gioconda.media.files import partial_path, spoken_os_error, whole_file
from gioconda.media.pictures import write_png
from gioconda.media.video import open_media
from gioconda.progress import Progress
from gioconda.untrusted import parse_json

if TYPE_CHECKING:
    from gioconda.credentials.statement import Statement
    from gioconda.pipeline import Frame

SEGMENT = 4.0
"""Seconds of a segment: what an interruption may cost. Shorter ones would make the clip larger."""
JOINED = (".mp4", ".mov", ".webm")
"""Formats that can be joined from segments; the others are encoded as a whole."""
_ABOUT, _PARTS = "scene.json", "segments"


class Scene(Protocol):
    """What can be rendered from any frame on, and comes out the same every time."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        ...

    @property
    def fps(self) -> float:
        """Frames per second."""
        ...

    def __len__(self) -> int:
        """Number of frames."""
        ...

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """The frames from some number on."""
        ...

    def identity(self) -> dict[str, Any]:
        """All that decides about the frames, in JSON's types; large things by their `digest`."""
        ...

    def statement(self, consent: str | None = None) -> Statement:
        """What a clip of it says of itself."""
        ...


def digest(*parts: NDArray[Any]) -> str:
    """SHA-256 of arrays."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{part.dtype}{part.shape}".encode())
        whole.update(np.ascontiguousarray(part).data)
    return whole.hexdigest()


def resume_folder(path: str | Path) -> Path:
    """Where the segments of an unfinished clip are kept."""
    return Path(path).with_name(f".{Path(path).name}.resume")


def check_resumable(path: str | Path) -> None:
    """See to it, before any work is done, that a clip of this name can be made in segments.

    Raises:
        OutputError: it cannot be written at all.
        UsageError: its format is encoded as a whole.
    """
    check_output(path)
    if not is_folder(path) and Path(path).suffix.lower() not in JOINED:
        raise UsageError(
            f"{path}: {Path(path).suffix} is encoded as a whole and cannot be resumed; "
            f"use {', '.join(JOINED)} or a folder/ of PNG pictures, or leave out --resume"
        )


@dataclass(frozen=True)
class Unfinished:
    """A clip of which some frames may have been made before.

    Attributes:
        path: the clip.
        scene: what it shows.
        label: whether a visible label is drawn.
        pictures: whether it is a folder of numbered pictures; then each is a segment by itself.
        made: segments that are finished.
        changed: in what an earlier attempt, now discarded, was of something else; empty if there was none.
    """

    path: Path
    scene: Scene
    label: bool
    pictures: bool
    made: int
    changed: tuple[str, ...]

    @staticmethod
    def of(path: str | Path, scene: Scene, label: bool) -> Unfinished:
        """Look for what is finished; what was made of something else is removed.

        Raises:
            OutputError, UsageError: as `check_resumable`.
        """
        check_resumable(path)
        pictures = is_folder(path)
        folder = resume_folder(path)
        about = {"pictures": pictures, "segment": SEGMENT, "label": label, **scene.identity()}
        try:
            before = _read(folder / _ABOUT)
            changed = tuple(name for name in about if before and before.get(name) != about[name])
            if not before or changed:
                shutil.rmtree(folder / _PARTS, ignore_errors=True)
                (folder / _PARTS).mkdir(parents=True)
                with whole_file(folder / _ABOUT) as file:
                    file.write(json.dumps(about, indent=1).encode())
            for litter in (folder / _PARTS).glob(".*.part-*"):
                litter.unlink()
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {spoken_os_error(error)}") from error
        fresh = Unfinished(Path(path), scene, label, pictures, 0, changed)
        return replace(fresh, made=sum(1 for _ in takewhile(_is_whole, fresh._segments())))

    @property
    def done(self) -> int:
        """Frames that are finished."""
        return min(self.made * self._step, len(self.scene))

    def _frames(self) -> Iterator[Frame]:
        """What is missing, marked as if it had never been interrupted: by the first frame."""
        if self.done < len(self.scene):
            marking = Marking.of(next(self.scene.frames()), self.label)
            yield from map(marking.on, self.scene.frames(self.done))

    @property
    def _step(self) -> int:
        return 1 if self.pictures else max(1, round(SEGMENT * self.scene.fps))

    def _segments(self) -> list[Path]:
        """The files of all segments, made or not, in order; named by their first frames."""
        folder = resume_folder(self.path) / _PARTS
        suffix = ".png" if self.pictures else self.path.suffix
        return [folder / f"{first:06d}{suffix}" for first in range(0, len(self.scene), self._step)]

    def finish(self, sound: Sound | None, seal: Seal, progress: Progress) -> None:
        """Render what is missing, join all segments, sign the whole, and remove them.

        Raises:
            OutputError: segments or clip cannot be written; what is finished is kept.
        """
        size, fps = self.scene.size, self.scene.fps
        with (
            closing(ahead(self._frames(), depth_for(size))) as frames,
            progress(f"writing {self.path.name}", len(self.scene) - self.done) as tick,
        ):
            for segment in self._segments()[self.made :]:
                if self.pictures:
                    frame = next(frames)
                    # Signed before it has its name: what has one is finished.
                    part = partial_path(segment)
                    write_png(part, frame.rgb, frame.alpha, effort=1)
                    seal(part)
                    part.replace(segment)
                    tick()
                    continue
                with ClipWriter(segment, *size, fps) as clip:
                    for frame in islice(frames, self._step):
                        clip.write(frame.rgb, frame.alpha)
                        tick()
        if self.pictures:
            try:
                (resume_folder(self.path) / _PARTS).replace(self.path)
            except OSError as error:
                raise OutputError(f"cannot write {self.path}: {spoken_os_error(error)}") from error
        else:
            with ClipWriter(self.path, *size, fps, sound, seal) as clip:
                for segment in self._segments():
                    clip.append(segment)
        shutil.rmtree(resume_folder(self.path), ignore_errors=True)


def _is_whole(segment: Path) -> bool:
    """Whether a segment is there and can be joined with others."""
    if not segment.is_file():
        return False
    if segment.suffix == ".png":
        return True
    try:
        with open_media(segment) as container:
            return bool(container.streams.video) and container.streams.video[0].codec_context is not None
    except VideoError:
        return False


def _read(path: Path) -> dict[str, Any]:
    """What a file of JSON says; nothing where there is none that can be read."""
    try:
        said = parse_json(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
