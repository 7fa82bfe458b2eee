"""The command line: one verb per command, thin. Everything it does the library does too."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from gioconda import __version__
from gioconda.commands import (
    animate,
    batch,
    capture,
    dataset,
    demo,
    doctor,
    evaluate,
    faces,
    live,
    mark,
    performance,
    performances,
    personalize,
    portrait,
    reel,
    score,
    studio,
    train,
    verify,
)
from gioconda.commands.options import Command
from gioconda.errors import FileError, GiocondaError, MemoryShortError, UsageError
from gioconda.media.files import spoken_os_error
from gioconda.untrusted import one_line, printable

COMMANDS = (
    animate,
    reel,
    live,
    studio,
    batch,
    capture,
    faces,
    mark,
    portrait,
    performances,
    performance,
    personalize,
    demo,
    evaluate,
    score,
    dataset,
    train,
    verify,
    doctor,
)
"""In the order in which `--help` lists them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives back the exit code.

    0 done, 2 bad input, 3 some of a batch failed, 130 interrupted, 143 ended by SIGTERM, 1 a fault of ours;
    `verify` has codes of its own.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        with _ended_properly():
            code = command(options) or 0
            sys.stdout.flush()
            return code
    except GiocondaError as error:
        return _refused(error, options.debug)
    except KeyboardInterrupt:
        print("gioconda: interrupted; nothing half-written was left behind", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _let_go_of_output()
        return 1
    except OSError as error:
        _let_go_of_output()
        named = f"{error.filename}: " if error.filename else ""
        return _refused(FileError(f"{named}{spoken_os_error(error)}"), options.debug)
    except MemoryError:
        told = MemoryShortError("there is not enough memory; use a smaller picture or --size, or close other programs")
        return _refused(told, options.debug)
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        print(
            f"gioconda: error [fault]: {type(error).__name__}: {one_line(error)}; this is a fault in the program, "
            "please report it with the output of the same command and --debug",
            file=sys.stderr,
        )
        return 1


def _let_go_of_output() -> None:
    """Where nobody takes what was printed, keep Python from complaining about it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error: GiocondaError, debug: bool) -> int:
    """Say in one line what is wrong; of what a file says of itself, nothing that steers a terminal."""
    if debug:
        traceback.print_exc()
    print(_line(error), file=sys.stderr)
    return 2


def _line(error: GiocondaError) -> str:
    return f"gioconda: error [{error.id}]: {printable(str(error))}"


@contextmanager
def _ended_properly() -> Iterator[None]:
    """Let SIGTERM clear up as Ctrl-C does: what is half-written goes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Parser(argparse.ArgumentParser):
    """Says what it cannot read in the words of all errors, and not with a page of options before it."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2."""
        self.exit(2, f"{_line(UsageError(message))}; see '{self.prog} --help'\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gioconda", description="Brings portraits to life: a picture moves like somebody else's face."
    )
    parser.add_argument("--version", action="version", version=f"gioconda {__version__}")
    parser.set_defaults(command=lambda options: parser.print_help(), debug=False)
    verbs = parser.add_subparsers(metavar="COMMAND")
    for command in COMMANDS:
        command.add(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
