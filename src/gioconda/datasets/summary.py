"""What came of a build, in words and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gioconda.datasets.layout import ClipRow, StillRow
from gioconda.datasets.work import Done

SHOWN = 10
"""Skipped files that are named; the others stand in `skipped.jsonl`."""


@dataclass(frozen=True)
class Summary:
    """What came of a build.

    Attributes:
        shots, stills, people: how many, by split.
        seconds: of shots, by split.
        licences: seconds of shots and number of stills, by licence.
        skipped: files of which nothing is used, with the reason.
        left_out: runs and faces that were not used, by reason.
        merged: names that people gave and that were found to be one person's.
        unknown: files that lists name and that are not there.
    """

    shots: dict[str, int]
    stills: dict[str, int]
    people: dict[str, int]
    seconds: dict[str, float]
    licences: dict[str, tuple[float, int]]
    skipped: list[tuple[str, str]]
    left_out: dict[str, int]
    merged: list[tuple[str, str]]
    unknown: list[str]

    @staticmethod
    def of(
        clips: Sequence[ClipRow],
        stills: Sequence[StillRow],
        used: Sequence[Done],
        skipped: list[tuple[str, str]],
        merged: list[tuple[str, str]],
        unknown: list[str],
    ) -> Summary:
        """Count."""
        seconds: dict[str, float] = {}
        by_licence: dict[str, tuple[float, int]] = {}
        for clip in clips:
            lasts = clip.frames / clip.fps
            seconds[clip.split] = seconds.get(clip.split, 0.0) + lasts
            so_far, pictures = by_licence.get(clip.licence, (0.0, 0))
            by_licence[clip.licence] = so_far + lasts, pictures
        for still in stills:
            so_far, pictures = by_licence.get(still.licence, (0.0, 0))
            by_licence[still.licence] = so_far, pictures + 1
        left_out: Counter[str] = Counter()
        for done in used:
            left_out.update(done.left_out)
        rows: list[ClipRow | StillRow] = [*clips, *stills]
        return Summary(
            shots=dict(Counter(clip.split for clip in clips)),
            stills=dict(Counter(still.split for still in stills)),
            people=dict(Counter(split for _, split in {(row.person, row.split) for row in rows})),
            seconds=seconds,
            licences=dict(sorted(by_licence.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))),
            skipped=skipped,
            left_out=dict(left_out),
            merged=merged,
            unknown=unknown,
        )

    def lines(self) -> list[str]:
        """For the terminal."""
        said = []
        for split in ("train", "eval"):
            minutes = self.seconds.get(split, 0.0) / 60
            said.append(
                f"{split}: {self.people.get(split, 0)} people, {self.shots.get(split, 0)} shots, "
                f"{minutes:.1f} minutes, {self.stills.get(split, 0)} stills"
            )
        for licence, (seconds, stills) in self.licences.items():
            said.append(f"licence {licence!r}: {seconds / 60:.1f} minutes, {stills} stills")
        said += [f"left out: {count} {reason}" for reason, count in sorted(self.left_out.items())]
        said += [f"{other!r} is {first!r}, by the look of both" for first, other in self.merged]
        said += [f"not there, though a list names it: {name}" for name in self.unknown[:SHOWN]]
        said += [f"skipped: {file}: {reason}" for file, reason in self.skipped[:SHOWN]]
        if len(self.skipped) > SHOWN:
            said.append(f"skipped: {len(self.skipped) - SHOWN} more, see skipped.jsonl")
        for split in ("train", "eval"):
            if self.people and not self.people.get(split):
                said.append(f"nobody is in the split {split!r}: give another --eval-share or --seed, or more people")
        return said
