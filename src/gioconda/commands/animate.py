"""`gioconda animate`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gioconda.commands.options import (
    DRIVER,
    Verbs,
    add_disclosure,
    add_movement,
    add_pictures,
    add_size,
    disclosure,
    drawing,
    portrait_of,
    read_portrait,
    recording,
    report_gaps,
    report_left_out,
    verb,
)
from gioconda.errors import UsageError, VideoError
from gioconda.progress import bar

if TYPE_CHECKING:
    from gioconda.credentials.statement import Disclosure
    from gioconda.group import Group
    from gioconda.media.clip import Sound
    from gioconda.performance import Performance
    from gioconda.pipeline import Animation
    from gioconda.tracking import Tracker

Person = tuple[int, str | None]
"""A face's number, and the driver given for it."""


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "animate", _run, "a picture and a driver in, a living portrait out")
    add_pictures(added)
    added.add_argument(
        "--face",
        type=_person,
        action="append",
        default=[],
        metavar="N[=DRIVER]",
        help="which face of the first picture; 0, the largest, by default. Several people: N=DRIVER for each",
    )
    added.add_argument("--driver", help=DRIVER)
    added.add_argument(
        "--out",
        required=True,
        help="the clip: .mp4 .mov .webm .webp .gif .apng, a new folder/ of PNGs, or the last frame: .png .jpg",
    )
    add_movement(added)
    add_size(added)
    added.add_argument("--sound", type=Path, metavar="FILE", help="take the sound from this file, not from the driver")
    added.add_argument(
        "--voice",
        type=int,
        metavar="N",
        help="several people: hear the driver of face N (default: the first that has sound)",
    )
    added.add_argument("--mute", action="store_true", help="no sound")
    added.add_argument(
        "--resume", action="store_true", help="keep what is finished when interrupted; the same command goes on"
    )
    add_disclosure(added)


def _run(options: argparse.Namespace) -> None:
    from gioconda.group import Group
    from gioconda.media.clip import check_output, is_still_output, size_in_file
    from gioconda.media.files import is_file
    from gioconda.pipeline import animate, save_scene, sound_of
    from gioconda.portrait import Portrait
    from gioconda.resume import check_resumable
    from gioconda.tracking import tracker_named

    people = _people(options)
    if options.resume:
        check_resumable(options.out)
    else:
        check_output(options.out)
    if options.sound and not is_file(options.sound):
        raise VideoError(f"{options.sound}: no such file to take the sound from")
    told = disclosure(options)
    tracker = tracker_named(options.tracker)
    scene: Animation | Group
    if options.driver is None:
        portraits = Portrait.from_group(
            options.pictures[0], list(people), max_pixels=options.max_pixels, tracker=tracker
        )
        performances = _performances(options, people.values(), tracker)
        movements = [performances[driver] for driver in people.values()]
        scene = Group.of(portraits, movements, size=options.size, **drawing(options))
        voice = None if options.voice is None else list(people).index(options.voice)
        sound = scene.sound(options.sound or not options.mute, voice)
    else:
        subject = read_portrait(options, options.face[0][0] if options.face else None, tracker)
        performances = _performances(options, people.values(), tracker)
        performance = performances[options.driver]
        scene = animate(portrait_of(subject), performance, size=options.size, **drawing(options, subject))
        sound = sound_of(scene.performance, options.sound or not options.mute)
    if options.resume:
        _resume(options.out, scene, sound, told)
    else:
        save_scene(options.out, scene, sound, told, bar, resume=False)
    width, height = size_in_file(options.out, *scene.size)
    if is_still_output(options.out):
        print(f"{options.out}: {width} x {height}")
    else:
        print(f"{options.out}: {len(scene)} frames, {width} x {height}, {scene.fps:g} per second")
        report_left_out(options.out, len(scene), scene.fps)
    for driver, performance in performances.items():
        report_gaps(performance, driver if len(performances) > 1 else "the driver")


def _person(text: str) -> Person:
    """`N` or `N=DRIVER`."""
    number, equals, driver = text.partition("=")
    try:
        if bool(equals) != bool(driver):
            raise ValueError
        return int(number), driver or None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a face, or NUMBER=DRIVER") from None


def _people(options: argparse.Namespace) -> dict[int, str]:
    """The drivers, by the numbers of the faces they move.

    Raises:
        UsageError: options that contradict each other.
    """
    faces = dict(options.face)
    bare = [number for number, driver in options.face if driver is None]
    if len(faces) < len(options.face):
        raise UsageError("--face names the same face twice; a face has one driver")
    if bare and (len(faces) > 1 or options.driver is None):
        raise UsageError("either one --face N with --driver, or --face N=DRIVER for everybody who is to move")
    if not faces:
        if options.driver is None:
            raise UsageError("--driver is missing: a video, a .motion file, or one of 'gioconda performances'")
        faces = {0: None}
    elif not bare and options.driver is not None:
        raise UsageError("--driver and --face N=DRIVER both say who drives; leave one of them out")
    if options.driver is None:
        if len(options.pictures) > 1 or options.box or options.landmarks:
            raise UsageError(
                "--face N=DRIVER takes one picture, and neither --box nor --landmarks: its faces are found by number"
            )
        if options.voice is not None and options.voice not in faces:
            raise UsageError(f"--voice {options.voice}: that face has no driver")
    elif options.voice is not None:
        raise UsageError("--voice chooses among several drivers; give them with --face N=DRIVER")
    if options.voice is not None and (options.sound or options.mute):
        raise UsageError("--voice, --sound and --mute exclude each other")
    return {number: driver or options.driver for number, driver in faces.items()}


def _performances(options: argparse.Namespace, drivers: Iterable[str], tracker: Tracker) -> dict[str, Performance]:
    """Each driver's performance; who drives several people is tracked once."""
    from gioconda.drivers import open_driver
    from gioconda.resume import resume_folder
    from gioconda.tracked import kept_performance

    opened = partial(kept_performance, resume_folder(options.out)) if options.resume else open_driver
    how = recording(options, tracker)
    return {driver: opened(driver, how, progress=bar) for driver in dict.fromkeys(drivers)}


def _resume(out: str, scene: Animation | Group, sound: Sound | None, told: Disclosure) -> None:
    from gioconda.credentials.identity import signing_identity
    from gioconda.credentials.signing import Seal
    from gioconda.resume import Unfinished

    unfinished = Unfinished.of(out, scene, told.label)
    if unfinished.changed:
        print(f"what was unfinished was made with another {', '.join(unfinished.changed)}: begun anew")
    elif unfinished.made:
        print(f"going on after frame {unfinished.done} of {len(scene)}")
    try:
        seal = Seal(scene.statement(told.consent), told.identity or signing_identity())
        unfinished.finish(sound, seal, bar)
    except KeyboardInterrupt:
        print(f"gioconda: what is finished of {out} is kept; the same command goes on", file=sys.stderr)
        raise
