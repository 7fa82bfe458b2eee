"""Options that several commands share, and what the library makes of them."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gioconda.inference import AUTO, PROVIDERS
from gioconda.media.pictures import MAX_PIXELS
from gioconda.rendering.renderer import DEFAULT_RENDERER
from gioconda.tracking.tracker import TRACKERS

if TYPE_CHECKING:
    from gioconda.avatar import Avatar
    from gioconda.credentials.identity import Identity
    from gioconda.credentials.statement import Disclosure
    from gioconda.drivers import Recording
    from gioconda.performance import Performance
    from gioconda.portrait import Portrait
    from gioconda.tracking import Box, Tracker

DRIVER = "a video, a photograph, camera:0, a .motion file, or the name of a built-in performance"
"""What `drivers.open_driver` takes, for help texts."""

LARGEST = 1e9
"""Of the numbers that options take."""

Command = Callable[[argparse.Namespace], int | None]
"""Does what the options say; gives back an exit code other than 0, if any."""


class Verbs(Protocol):
    """Where a command registers itself: `argparse`'s subparsers."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:
        """A parser for the options of one command."""
        ...


def verb(verbs: Verbs, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    """A command `name` that `text` says in a line, done by `command`."""
    added = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    added.add_argument("--debug", action="store_true", help="show where an error came from")
    added.set_defaults(command=command)
    return added


def add_pictures(verb: argparse.ArgumentParser) -> None:
    """The portrait: pictures. Which face of the first, `--face`, is added by itself: not every command asks for it."""
    verb.add_argument(
        "pictures",
        nargs="+",
        type=Path,
        metavar="PICTURE",
        help="1 to 32 pictures of one person, of which the first moves; or an .avatar",
    )
    verb.add_argument("--box", type=box, metavar="X,Y,W,H", help="where the face is, in pixels, when it is not found")
    add_landmarks(verb)
    add_max_pixels(verb)
    add_tracker(verb)


def add_tracker(verb: argparse.ArgumentParser) -> None:
    """What finds the faces."""
    verb.add_argument(
        "--tracker",
        choices=TRACKERS,
        default=TRACKERS[0],
        help="what finds the faces (default: %(default)s; the other wants the extra 'mediapipe')",
    )


def add_cluster(verb: argparse.ArgumentParser) -> None:
    """Who does the work."""
    verb.add_argument(
        "--cluster",
        metavar="HOST:PORT",
        help="work on a Ray cluster in place of this machine (needs the extra 'cluster')",
    )


def add_face(verb: argparse.ArgumentParser) -> None:
    """Which face of the first picture, where one person moves."""
    verb.add_argument(
        "--face", type=int, metavar="N", help="which face of the first picture; 0, the largest, by default"
    )


def read_portrait(options: argparse.Namespace, face: int | None, tracker: Tracker) -> Portrait | Avatar:
    """What `add_pictures` asked for; `face` is the number that was given, if one was."""
    from gioconda.errors import UsageError
    from gioconda.portrait import Portrait

    if avatar := _avatar(options):
        if face is not None or options.box or options.landmarks:
            raise UsageError("an avatar knows its face: leave out --face, --box and --landmarks")
        return avatar
    portrait = Portrait.from_pictures(
        options.pictures,
        face=face,
        box=options.box,
        landmarks=options.landmarks,
        max_pixels=options.max_pixels,
        tracker=tracker,
    )
    _ask_about_strangers(options.pictures, portrait)
    return portrait


def _ask_about_strangers(pictures: Sequence[Path], portrait: Portrait) -> None:
    """Warn of pictures that may show somebody else than the others do."""
    from gioconda.likeness import ONE_PERSON, likenesses

    for path, likeness in zip(pictures, likenesses(portrait.views), strict=True):
        if likeness < ONE_PERSON:
            print(
                f"warning: {path} may show somebody else: its likeness to the other pictures is {likeness:.2f}, "
                f"and of one person mostly above {ONE_PERSON}; look again",
                file=sys.stderr,
            )


def portrait_of(subject: Portrait | Avatar) -> Portrait:
    """The pictures of what `read_portrait` read."""
    from gioconda.portrait import Portrait

    return subject if isinstance(subject, Portrait) else subject.portrait


def _avatar(options: argparse.Namespace) -> Avatar | None:
    """The avatar given in place of pictures, if one is."""
    from gioconda.avatar import Avatar
    from gioconda.errors import UsageError

    if not any(path.suffix == ".avatar" for path in options.pictures):
        return None
    if len(options.pictures) > 1:
        raise UsageError("an avatar holds its own pictures: give it alone")
    return Avatar.load(options.pictures[0], options.max_pixels)


def add_landmarks(verb: argparse.ArgumentParser) -> None:
    """Faces that were shown by hand."""
    verb.add_argument(
        "--landmarks",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.json",
        help="a face shown by hand with 'gioconda mark', in place of the one found; once for each such picture",
    )


def add_max_pixels(verb: argparse.ArgumentParser) -> None:
    """How large a picture may be."""
    verb.add_argument(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        metavar="N",
        help="read pictures of up to N pixels (default: 100 million)",
    )


def add_span(verb: argparse.ArgumentParser) -> None:
    """Which part of the driver."""
    verb.add_argument("--start", type=number, default=0.0, metavar="SECONDS", help="skip the driver's beginning")
    verb.add_argument("--end", type=number, metavar="SECONDS", help="stop at this second of the driver")


def recording(options: argparse.Namespace, tracker: Tracker) -> Recording:
    """What `add_span` and `add_max_pixels` asked for."""
    from gioconda.drivers import Recording

    return Recording(options.start, options.end, options.max_pixels, tracker)


def add_movement(verb: argparse.ArgumentParser) -> None:
    """Which part of the driver, and how its movement is taken over and drawn."""
    add_span(verb)
    add_look(verb)
    verb.add_argument("--fps", type=number, help="frames per second (default: the driver's)")


def add_look(verb: argparse.ArgumentParser) -> None:
    """How a movement is taken over and drawn."""
    for part, text in (
        ("head", "turning, nodding, tilting, moving"),
        ("mouth", "lips, jaw and the cheeks beside them"),
        ("eyes", "lids and gaze"),
        ("brows", "brows, forehead and upper cheeks"),
        ("gaze", "of what --eyes leaves of the gaze"),
    ):
        verb.add_argument(
            f"--{part}", type=number, default=1.0, metavar="GAIN", help=f"{text}: 0 none, 1 the driver's own"
        )
    verb.add_argument(
        "--absolute",
        action="store_true",
        help="turn the head as the driver's is to the camera, not from its own pose",
    )
    verb.add_argument(
        "--renderer",
        help="what draws the face: warp (default), or flow, without a network; avatars say themselves what draws them",
    )
    verb.add_argument("--weights", type=Path, metavar="FILE", help="another network for warp: a run's warp.onnx")
    verb.add_argument(
        "--device",
        choices=(AUTO, *PROVIDERS),
        default=AUTO,
        help="what the network is computed on (default: auto, the fastest that is there)",
    )
    verb.add_argument("--crop", action="store_true", help="the head alone, not the whole picture")


def add_size(verb: argparse.ArgumentParser) -> None:
    """How large the clip is."""
    verb.add_argument("--size", type=int, metavar="PIXELS", help="longer side of the clip (default: the picture's own)")


def drawing(options: argparse.Namespace, subject: Portrait | Avatar | None = None) -> dict[str, Any]:
    """What `add_movement` asked for, as `animate` takes it; an avatar says itself who draws it."""
    return {**look(options, subject), "crop": options.crop, "fps": options.fps}


def look(options: argparse.Namespace, subject: Portrait | Avatar | None = None) -> dict[str, Any]:
    """What `add_look` asked for but for the crop, as `pipeline.painter` takes it."""
    from gioconda.avatar import Avatar
    from gioconda.retarget import Gains

    renderer, weights = options.renderer or DEFAULT_RENDERER, options.weights
    if isinstance(subject, Avatar) and options.renderer in (None, subject.about.renderer):
        # It brings its own network; another renderer draws its pictures like any others.
        if weights:
            subject.check_base(weights)
        renderer, weights = subject.about.renderer, subject
    return {
        "gains": Gains(options.head, options.mouth, options.eyes, options.brows, options.gaze),
        "absolute": options.absolute,
        "renderer": renderer,
        "weights": weights,
        "device": options.device,
    }


def add_disclosure(verb: argparse.ArgumentParser) -> None:
    """What the clip says of itself."""
    verb.add_argument("--label", action="store_true", help="draw a small visible label on every frame")
    verb.add_argument(
        "--consent", metavar="NOTE", help="who agreed to this clip; it is stored in the clip for everybody to read"
    )
    verb.add_argument(
        "--certificate", type=Path, metavar="FILE.pem", help="sign with your own certificate, its chain after it"
    )
    verb.add_argument("--key", type=Path, metavar="FILE.pem", help="its private key")


def disclosure(options: argparse.Namespace) -> Disclosure:
    """What `add_disclosure` asked for."""
    from gioconda.credentials.statement import Disclosure

    return Disclosure(options.label, options.consent, identity(options.certificate, options.key))


def identity(certificate: Path | None = None, key: Path | None = None) -> Identity:
    """Who signs. The local certificate is made here if it is needed and there is none yet, and that is said."""
    from gioconda.credentials.identity import signing_identity

    found = signing_identity(certificate, key)
    if found.new:
        where = f"kept in {found.path}" if found.path else "for this time only, since it could not be kept"
        print(f"made a local certificate to sign clips with, {where}; it says nothing about who you are")
    return found


def report_gaps(performance: Performance, driver: str = "the driver") -> None:
    """Say where the driver was lost or cut."""
    lost = int((~performance.seen).sum())
    if lost:
        print(f"{driver}'s face was not seen in {lost} of {len(performance)} frames: held and eased there")
    if performance.cuts:
        print(f"{driver} has {performance.cuts} cuts: eased over")


def report_left_out(out: str, count: int, fps: float) -> None:
    """Say where a clip has fewer frames than were rendered."""
    from gioconda.media.clip import frames_in_file

    if (kept := frames_in_file(out, count, fps)) < count:
        print(f"{out}: {kept} of them are kept, since a {Path(out).suffix} is not so fast; use --fps")


def number(text: str) -> float:
    """A number from the command line, of a size that can be reckoned with."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number up to {LARGEST:g}")
    return value


def box(text: str) -> Box:
    """A box from the command line."""
    from gioconda.tracking import Box

    try:
        x, y, width, height = map(number, text.split(","))
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height in pixels") from None
    return Box(x, y, width, height)
