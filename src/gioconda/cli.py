"""The command line: one verb per command, thin. Everything it does the library does too."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gioconda import __version__
from gioconda.errors import GiocondaError, MissingExtraError, UsageError, VideoError
from gioconda.media.pictures import MAX_PIXELS
from gioconda.progress import bar

if TYPE_CHECKING:
    from gioconda.performance import Performance
    from gioconda.portrait import Portrait
    from gioconda.tracking import Box

Command = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives back the exit code: 0 done, 2 bad input, 130 interrupted, 1 a fault of ours."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        command(options)
    except GiocondaError as error:
        if options.debug:
            traceback.print_exc()
        print(f"gioconda: error [{error.id}]: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gioconda: interrupted; nothing half-written was left behind", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone: keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        print(
            f"gioconda: error [fault]: {type(error).__name__}: {error}; this is a fault in the program, "
            "please report it with the output of the same command and --debug",
            file=sys.stderr,
        )
        return 1
    return 0


def _animate(options: argparse.Namespace) -> None:
    from gioconda.drivers import open_driver
    from gioconda.media.clip import check_output
    from gioconda.pipeline import animate

    check_output(options.out)
    if options.sound and not options.sound.is_file():
        raise VideoError(f"{options.sound}: no such file to take the sound from")
    portrait = _portrait(options)
    performance = open_driver(options.driver, start=options.start, end=options.end, progress=bar)
    animation = animate(
        portrait,
        performance,
        size=options.size,
        **_drawing(options),
    )
    animation.save(options.out, sound=options.sound or not options.mute, progress=bar)
    width, height = animation.size
    print(f"{options.out}: {len(animation)} frames, {width} x {height}, {animation.fps:g} per second")
    _report_gaps(performance)


def _report_gaps(performance: Performance) -> None:
    lost = int((~performance.seen).sum())
    if lost:
        print(f"the driver's face was not seen in {lost} of {len(performance)} frames: held and eased there")
    if performance.cuts:
        print(f"the driver has {performance.cuts} cuts: eased over")


def _capture(options: argparse.Namespace) -> None:
    from gioconda.capture import capture
    from gioconda.motion_file import check_motion_path

    check_motion_path(options.out)
    performance = capture(options.video, start=options.start, end=options.end, progress=bar)
    performance.save(options.out)
    print(f"{options.out}: {len(performance)} frames, {performance.duration:.2f} s, {options.out.stat().st_size} bytes")
    _report_gaps(performance)


def _reel(options: argparse.Namespace) -> None:
    from gioconda.drivers import open_driver
    from gioconda.media.clip import check_output
    from gioconda.pipeline import Reel

    check_output(options.out)
    if options.sound is not None and not 0 <= options.sound < len(options.drivers):
        raise UsageError(f"--sound {options.sound}: the drivers are numbered 0 to {len(options.drivers) - 1}")
    portrait = _portrait(options)
    performances = [
        open_driver(driver, start=options.start, end=options.end, progress=bar) for driver in options.drivers
    ]
    reel = Reel.of(
        portrait,
        performances,
        height=options.height,
        **_drawing(options),
    )
    reel.save(options.out, sound=options.sound, progress=bar)
    print(f"{options.out}: {len(reel)} frames, {len(performances)} performances")


def _faces(options: argparse.Namespace) -> None:
    from gioconda.errors import NoFaceError, OutputError
    from gioconda.faces import draw_faces
    from gioconda.media.pictures import read_picture, write_png
    from gioconda.tracking import default_tracker

    if options.out and options.out.suffix != ".png":
        raise OutputError(f"{options.out}: the faces are drawn on a PNG picture; let the name end in .png")
    picture = read_picture(options.picture, options.max_pixels)
    search = default_tracker().find(picture.rgb)
    if not search.faces:
        raise NoFaceError(
            f"{options.picture}: no face found (tried {'; '.join(search.tried)}); "
            "to animate it all the same, give the face's place with --box x,y,width,height"
        )
    for number, face in enumerate(search.faces):
        x, y, width, height = (round(v) for v in vars(face.box).values())
        print(f"{number}: --box {x},{y},{width},{height}")
    if options.out:
        write_png(options.out, draw_faces(picture.rgb, search.faces))
        print(f"drawn on {options.out}")


def _performances(options: argparse.Namespace) -> None:
    from gioconda.drivers import builtin, builtin_names

    for name in builtin_names():
        performance = builtin(name)
        print(f"{name}: {performance.duration:.1f} s, {performance.fps:g} frames per second")


def _demo(options: argparse.Namespace) -> None:
    from gioconda.demo import make_demo

    for path in make_demo(options.out, progress=bar):
        print(path)


def _evaluate(options: argparse.Namespace) -> None:
    from gioconda.evaluation import command, results, study

    if options.study is not None:
        count = study.write(options.study, options.out, options.seed)
        print(f"{options.out}: {count} triplets; open it in a browser")
        return
    if options.models is None:
        raise UsageError("--models is missing: the folder of the measuring networks")
    run = command.evaluate(
        options.out,
        options.models,
        track=options.track,
        data=options.data,
        portraits=options.portraits,
        drivers=options.drivers,
        labels=options.labels,
        renderer_names=options.renderer,
        views=options.views,
        size=options.size,
        seed=options.seed,
        jobs=options.jobs,
        command=results.command_line(),
        progress=bar,
    )
    print(command.summary(options.out, options.track))
    for failure in run.failed:
        print(f"not measured: {failure.clip}: {failure.reason}")
    for warning in run.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{options.out}: report.html, results.json, results.md")


def _score(options: argparse.Namespace) -> None:
    from gioconda.evaluation import scoring

    grades = scoring.score(options.clip, options.portrait, options.driver, options.models, options.start)
    print(scoring.table(grades))
    if options.out:
        given = {name: str(getattr(options, name)) for name in ("clip", "portrait", "driver")}
        scoring.write(options.out, grades, options.models, given)
        print(options.out)


def _train_warp(options: argparse.Namespace) -> None:
    try:
        from gioconda.learning.export import export_warp
        from gioconda.learning.train_warp import WarpTraining, train_warp
    except ImportError as error:
        raise MissingExtraError("training needs the extra 'learn': pip install 'gioconda[learn]'") from error
    settings = WarpTraining(samples=options.samples, batch=options.batch, seed=options.seed)
    train_warp(options.data, options.out, settings, options.minutes, progress=bar)
    export_warp(options.out, options.out / "warp.onnx", {"name": "warp", "data": str(options.data.name)})
    print(f"{options.out / 'warp.onnx'} written; curves in {options.out / 'log.jsonl'}")


def _doctor(options: argparse.Namespace) -> None:
    from gioconda.doctor import examine

    broken = 0
    for finding in examine():
        print(f"{finding.state:8} {finding.what:22} {finding.detail}")
        broken += finding.state == "broken"
    if broken:
        raise UsageError(f"{broken} of the above is broken; the line says how to mend it")


def _portrait(options: argparse.Namespace) -> Portrait:
    from gioconda.portrait import Portrait

    return Portrait.from_pictures(options.pictures, face=options.face, box=options.box, max_pixels=options.max_pixels)


def _drawing(options: argparse.Namespace) -> dict[str, Any]:
    """What `_add_movement` asks for, as `animate` takes it."""
    from gioconda.retarget import Gains

    return {
        "gains": Gains(head=options.head, mouth=options.mouth, eyes=options.eyes, brows=options.brows),
        "absolute": options.absolute,
        "renderer": options.renderer,
        "weights": options.weights,
        "crop": options.crop,
        "fps": options.fps,
    }


def _box(text: str) -> Box:
    from gioconda.tracking import Box

    try:
        x, y, width, height = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height in pixels") from None
    return Box(x, y, width, height)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gioconda", description="Brings portraits to life: a picture moves like somebody else's face."
    )
    parser.add_argument("--version", action="version", version=f"gioconda {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    def verb(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.add_argument("--debug", action="store_true", help="show where an error came from")
        added.set_defaults(command=command)
        return added

    animate = verb("animate", _animate, "a picture and a driver in, a living portrait out")
    _add_pictures(animate)
    animate.add_argument(
        "--driver", required=True, help="a video, a .motion file, or the name of a built-in performance"
    )
    animate.add_argument(
        "--out", required=True, help="the clip: .mp4 .mov .webm .webp .gif .apng, or a new folder/ of PNGs"
    )
    _add_movement(animate)
    animate.add_argument(
        "--size", type=int, metavar="PIXELS", help="longer side of the clip (default: the picture's own)"
    )
    animate.add_argument(
        "--sound", type=Path, metavar="FILE", help="take the sound from this file, not from the driver"
    )
    animate.add_argument("--mute", action="store_true", help="no sound")

    reel = verb("reel", _reel, "the picture beside its living portraits, one per driver")
    _add_pictures(reel)
    reel.add_argument(
        "--drivers", nargs="+", required=True, metavar="DRIVER", help="as --driver of animate, one or more"
    )
    reel.add_argument("--out", required=True, help="the clip, as for animate")
    _add_movement(reel)
    reel.add_argument("--height", type=int, default=480, metavar="PIXELS", help="height of the reel (default: 480)")
    reel.add_argument(
        "--sound", type=int, metavar="N", help="hear the voice of driver N, counted from 0 (default: silent)"
    )

    capture = verb("capture", _capture, "record a performance once, use it many times")
    capture.add_argument("video", type=Path, help="a video of somebody's face")
    capture.add_argument("--out", type=Path, required=True, help="where to keep it; ends in .motion")
    _add_span(capture)

    faces = verb("faces", _faces, "show the faces of a picture, numbered")
    faces.add_argument("picture", type=Path)
    faces.add_argument("--out", type=Path, metavar="FILE.png", help="draw them on a copy of the picture")
    _add_max_pixels(faces)

    verb("performances", _performances, "list the built-in performances")

    demo = verb("demo", _demo, "a built-in portrait under three built-in performances")
    demo.add_argument("--out", type=Path, default=Path("demo"), metavar="FOLDER", help="default: demo/")

    _add_evaluation(verb)

    train = verbs.add_parser("train", help="teach a network from footage (needs the extra 'learn')")
    networks = train.add_subparsers(required=True, metavar="NETWORK")
    warp = networks.add_parser(
        "warp", help="the painter of mouths and eyes", description="Teach the painter of mouths and eyes."
    )
    warp.add_argument(
        "--data", type=Path, required=True, help="a dataset folder: clips.jsonl, clips/, stills.jsonl, stills/"
    )
    warp.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the run; an unfinished one goes on")
    warp.add_argument(
        "--minutes", type=float, default=60.0, help="how long to learn, the making of pairs apart (default: 60)"
    )
    warp.add_argument("--samples", type=int, default=6000, help="pairs to learn from (default: 6000)")
    warp.add_argument("--batch", type=int, default=16, help="windows a step (default: 16)")
    warp.add_argument("--seed", type=int, default=0)
    warp.add_argument("--debug", action="store_true", help="show where an error came from")
    warp.set_defaults(command=_train_warp)

    verb("doctor", _doctor, "what is installed, what runs where, what is missing and how to get it")
    return parser


def _add_evaluation(verb: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    evaluate = verb("evaluate", _evaluate, "measure how real the clips are, and write a report")
    evaluate.add_argument(
        "data", nargs="?", type=Path, metavar="DATA", help="a dataset folder or a folder of videos (self)"
    )
    evaluate.add_argument("--out", type=Path, required=True, help="folder for the report; with --study the page")
    evaluate.add_argument("--models", type=Path, metavar="DIR", help="folder of the measuring networks")
    evaluate.add_argument(
        "--track",
        choices=("self", "cross"),
        default="self",
        help="self: remake true frames; cross: anyone drives anyone (default: self)",
    )
    evaluate.add_argument(
        "--views", type=int, nargs="+", default=[1], metavar="K", help="pictures of each person (default: 1)"
    )
    evaluate.add_argument(
        "--renderer", nargs="+", default=["flow"], metavar="NAME", help="measured beside 'still' (default: flow)"
    )
    evaluate.add_argument("--portraits", type=Path, metavar="DIR", help="folder of pictures (cross)")
    evaluate.add_argument("--drivers", type=Path, metavar="DIR", help="folder of videos (cross)")
    evaluate.add_argument(
        "--labels", type=Path, metavar="FILE", help="what the portraits are (default: portraits.jsonl beside them)"
    )
    size = evaluate.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", dest="size", action="store_const", const="quick", default="default", help="under 2 minutes"
    )
    size.add_argument("--full", dest="size", action="store_const", const="full", help="everything, however long")
    evaluate.add_argument("--seed", type=int, default=0, help="of the intervals and of the study (default: 0)")
    evaluate.add_argument("--jobs", type=int, default=2, metavar="N", help="clips at a time (default: 2)")
    evaluate.add_argument(
        "--study", type=Path, metavar="REPORT", help="make a page that asks people, from a folder of results"
    )

    score = verb("score", _score, "grade one clip")
    score.add_argument("clip", type=Path)
    score.add_argument("--portrait", type=Path, required=True, help="the picture it was made from")
    score.add_argument("--driver", type=Path, required=True, help="the video that drove it")
    score.add_argument("--models", type=Path, required=True, metavar="DIR", help="folder of the measuring networks")
    score.add_argument(
        "--start", type=float, default=0.0, metavar="SECONDS", help="second of the driver at which the clip begins"
    )
    score.add_argument("--out", type=Path, metavar="FILE.json", help="write the grades there too")


def _add_pictures(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "pictures",
        nargs="+",
        type=Path,
        metavar="PICTURE",
        help="1 to 32 pictures of one person; the first one moves",
    )
    verb.add_argument(
        "--face",
        type=int,
        default=0,
        metavar="N",
        help="which face of the first picture; 0, the largest, by default",
    )
    verb.add_argument("--box", type=_box, metavar="X,Y,W,H", help="where the face is, in pixels, when it is not found")
    _add_max_pixels(verb)


def _add_max_pixels(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        metavar="N",
        help="read pictures of up to N pixels (default: 100 million)",
    )


def _add_span(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="skip the driver's beginning")
    verb.add_argument("--end", type=float, metavar="SECONDS", help="stop at this second of the driver")


def _add_movement(verb: argparse.ArgumentParser) -> None:
    _add_span(verb)
    for part, text in (
        ("head", "turning, nodding, tilting, moving"),
        ("mouth", "lips, jaw and the cheeks beside them"),
        ("eyes", "lids and gaze"),
        ("brows", "brows, forehead and upper cheeks"),
    ):
        verb.add_argument(
            f"--{part}", type=float, default=1.0, metavar="GAIN", help=f"{text}: 0 none, 1 the driver's own"
        )
    verb.add_argument(
        "--absolute",
        action="store_true",
        help="turn the head as the driver's is to the camera, not from its own pose",
    )
    verb.add_argument("--renderer", default="flow", help="what draws the face: flow (default), or warp with --weights")
    verb.add_argument("--weights", type=Path, metavar="FILE", help="the network of warp: warp.onnx of a training run")
    verb.add_argument("--crop", action="store_true", help="the head alone, not the whole picture")
    verb.add_argument("--fps", type=float, help="frames per second (default: the driver's)")


if __name__ == "__main__":
    sys.exit(main())
