"""`gioconda performance`: performances as material, one verb each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gioconda.commands.options import DRIVER, Verbs, add_max_pixels, add_span, number, verb
from gioconda.progress import bar

if TYPE_CHECKING:
    from gioconda.performance import Performance


def add(verbs: Verbs) -> None:
    """Register the command."""
    text = "performances as material: edit, mix, curves, preview"
    made = verbs.add_parser("performance", help=text, description=text).add_subparsers(required=True, metavar="VERB")

    edit = verb(made, "edit", _edit, "take a part, mirror it, change its speed, make it a loop; in this order")
    edit.add_argument("driver", help=DRIVER)
    _add_out(edit)
    add_span(edit)
    edit.add_argument("--mirror", action="store_true", help="exchange left and right")
    edit.add_argument("--speed", type=number, metavar="FACTOR", help="2 is twice as fast; 0.1 to 10")
    edit.add_argument("--loop", action="store_true", help="let the end flow into the beginning")

    mix = verb(made, "mix", _mix, "the mouth of one, the head of another")
    mix.add_argument("driver", help="gives every part that is not named: " + DRIVER)
    _add_out(mix)
    for part in ("head", "mouth", "eyes", "brows"):
        mix.add_argument(f"--{part}", metavar="DRIVER", help=f"take the {part} from this one")

    export = verb(made, "export", _export, "write the curves of a performance to a table")
    export.add_argument("driver", help=DRIVER)
    export.add_argument("--out", type=Path, required=True, metavar="FILE.csv")

    back = verb(made, "import", _import, "put an edited table back onto the performance it came from")
    back.add_argument("driver", help="what the table was exported from")
    back.add_argument("table", type=Path, metavar="FILE.csv")
    _add_out(back)

    show = verb(made, "preview", _preview, "draw the movement of a performance, without a picture")
    show.add_argument("driver", help=DRIVER)
    show.add_argument("--out", required=True, help="as --out of animate")

    for parser in (edit, mix, export, back, show):
        add_max_pixels(parser)


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="where to keep it; ends in .motion")


def _opened(options: argparse.Namespace, driver: str, start: float = 0.0, end: float | None = None) -> Performance:
    from gioconda.drivers import Recording, open_driver

    return open_driver(driver, Recording(start, end, options.max_pixels), progress=bar)


def _edit(options: argparse.Namespace) -> None:
    from gioconda.editing import faster, looped, mirrored
    from gioconda.motion_file import check_motion_path

    check_motion_path(options.out)
    performance = _opened(options, options.driver, options.start, options.end)
    if options.mirror:
        performance = mirrored(performance)
    if options.speed is not None:
        performance = faster(performance, options.speed)
    if options.loop:
        performance = looped(performance)
    _keep(performance, options.out)


def _mix(options: argparse.Namespace) -> None:
    from gioconda.editing import mixed
    from gioconda.motion_file import check_motion_path

    check_motion_path(options.out)
    named = {part: getattr(options, part) for part in ("head", "mouth", "eyes", "brows") if getattr(options, part)}
    opened = {driver: _opened(options, driver) for driver in {options.driver, *named.values()}}
    parts = {part: opened[driver] for part, driver in named.items()}
    _keep(mixed(opened[options.driver], **parts), options.out)


def _export(options: argparse.Namespace) -> None:
    from gioconda.curve_file import check_curves_path, write_curves

    check_curves_path(options.out)
    performance = _opened(options, options.driver)
    write_curves(performance, options.out)
    print(f"{options.out}: {len(performance)} rows")


def _import(options: argparse.Namespace) -> None:
    from gioconda.curve_file import apply_curves
    from gioconda.motion_file import check_motion_path

    check_motion_path(options.out)
    _keep(apply_curves(_opened(options, options.driver), options.table), options.out)


def _preview(options: argparse.Namespace) -> None:
    from gioconda.media.clip import check_output
    from gioconda.preview import save_preview

    check_output(options.out)
    save_preview(_opened(options, options.driver), options.out)
    print(options.out)


def _keep(performance: Performance, out: Path) -> None:
    performance.save(out)
    print(f"{out}: {len(performance)} frames, {performance.duration:.2f} s")
