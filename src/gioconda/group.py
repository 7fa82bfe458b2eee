"""Several people of one picture, each moved by a performance of their own, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gioconda.credentials.statement import Disclosure, Statement
from gioconda.errors import UsageError
from gioconda.media.ahead import side_by_side, threads_for
from gioconda.media.clip import Sound
from gioconda.media.video import sound_origin
from gioconda.performance import Motion, Performance
from gioconda.pipeline import MOST_FPS, Animation, Frame, animate, save_scene, sound_of, statement_of
from gioconda.portrait import Portrait
from gioconda.progress import Progress, quiet
from gioconda.smoothing import EASE_OUT, HOLD, ease


@dataclass(frozen=True)
class Group:
    """Several people of one picture about to move. Iterating renders it frame by frame; `save` writes it to a file.

    Attributes:
        animations: one for each person, all of one canvas and at one rate.
    """

    animations: tuple[Animation, ...]

    @staticmethod
    def of(portraits: Sequence[Portrait], performances: Sequence[Performance], **options: Any) -> Group:
        """People of one picture (`Portrait.from_group`), each with what moves them; `options` as for `animate`.

        The frame rate is that of the fastest performance, 60 at most, unless `fps` says otherwise.

        Raises:
            UsageError: nobody, not as many performances as people, `crop`, or as `animate`.
        """
        if not portraits or len(portraits) != len(performances):
            raise UsageError(f"{len(portraits)} people and {len(performances)} performances; give one for each")
        if options.get("crop"):
            raise UsageError("a crop shows one head, and several people are to move; leave out --crop")
        if options.get("fps") is None:
            options["fps"] = min(max(p.fps for p in performances), MOST_FPS)
        first = animate(portraits[0], performances[0], **options)
        animations = [first]
        for portrait, performance in zip(portraits[1:], performances[1:], strict=True):
            other = animate(portrait, performance, **options)
            # The same pixels, resized once more: keep them only once.
            canvas = replace(
                other.portrait.views[0], rgb=first.portrait.views[0].rgb, alpha=first.portrait.views[0].alpha
            )
            animations.append(replace(other, portrait=Portrait((canvas,))))
        return Group(tuple(animations))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.animations[0].size

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.animations[0].fps

    def __len__(self) -> int:
        """Number of frames: those of the longest performance."""
        return max(map(len, self.animations))

    def __iter__(self) -> Iterator[Frame]:
        """Render the frames in order; who has finished holds the last pose, then eases to rest."""
        return self.frames()

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """The frames from some number on. A frame depends on nothing but its number."""
        canvas = self.animations[0].portrait.views[0]
        people = [(animation.performance, animation.painter()) for animation in self.animations]

        def drawn(index: int) -> Frame:
            return Frame.of(canvas, *(paint(_motion(performance, index / self.fps)) for performance, paint in people))

        yield from side_by_side(drawn, range(first, len(self)), threads_for(self.size))

    def identity(self) -> dict[str, Any]:
        """All that decides about the frames, in JSON's types."""
        return {"frames": len(self), "people": [animation.identity() for animation in self.animations]}

    def statement(self, consent: str | None = None) -> Statement:
        """What a clip of it says of itself."""
        return statement_of(self.animations, consent)

    def save(
        self,
        path: str | Path,
        *,
        sound: Path | bool = True,
        voice: int | None = None,
        disclosure: Disclosure | None = None,
        progress: Progress = quiet,
        resume: bool = False,
    ) -> Path:
        """Write the clip; as `Animation.save`, but for the sound.

        Args:
            path: where to; the format follows the ending.
            sound: True for a driver's own sound, False for none, or a file to take it from.
            voice: whose driver's sound, counted from 0; None for the first that has any.
            disclosure: what the clip says of itself beyond what every clip does.
            progress: told about every frame.
            resume: keep what is finished when interrupted, and go on from there.

        Raises:
            OutputError, UsageError, CredentialsError: as `Animation.save`.
        """
        return save_scene(path, self, self.sound(sound, voice), disclosure or Disclosure(), progress, resume)

    def sound(self, sound: Path | bool = True, voice: int | None = None) -> Sound | None:
        """What `save` makes of `sound` and `voice`: the file whose sound is heard, and from where."""
        performances = [animation.performance for animation in self.animations]
        if voice is None and sound is True:
            sources = [performance.source for performance in performances]
            voice = next((i for i, source in enumerate(sources) if source and sound_origin(source) is not None), None)
        if voice is not None and not 0 <= voice < len(performances):
            raise UsageError(f"no driver number {voice}: there are {len(performances)}, counted from 0")
        return sound_of(performances[voice or 0], sound)


def _motion(performance: Performance, time: float) -> Motion:
    """The movement at a time in seconds from the beginning; after the end it eases to rest, as a lost face's does."""
    begins, ends = performance.times[0], performance.times[-1]
    motion = performance.at(begins + time)
    over = begins + time - ends
    return motion.blend(replace(Motion.neutral(), rest=motion.rest), ease((over - HOLD) / EASE_OUT))
