"""Cases tried in processes with limits of time and memory, watched for what no case may do.

A worker takes one case after the other and says what became of it, a line of JSON each. Its parent waits for each line
only so long. What a case may not do: raise anything but a `GiocondaError`, print a traceback, take too much memory or
time, end the process, write outside its folder, start a program, open a connection, load a pickle.
"""

from __future__ import annotations

import json
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MEMORY = 2_000_000_000
"""Bytes by which a case may grow the process: a picture of the largest size that is read takes 0.6 GB."""
SECONDS = 60.0
"""For one case, on a busy machine."""
_WATCHED = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "pickle.find_class")
_MAKING = {"open": 0, "os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.remove": 0, "os.truncate": 0}
"""What the interpreter is asked when a file is made or changed, and which argument says where."""
_NO_FILES = ("/dev/", "/proc/")
_OURS = ("concurrent.futures.", "gioconda.", "pathlib", "multiprocessing.")
"""Modules whose objects go between processes that the program itself has started."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        number: of the case; with its door's name it makes the same case again.
        verdict: `taken` (the file was of use after all), `refused` (one clear error), or what went wrong: `escaped`
            (another exception), `fault`, `traceback`, `hang`, `crash`, `memory`, `stray` (a file where none should
            be), `act` (a program started, a connection, a pickle).
        detail: the error's id, or what went wrong.
        seconds: how long it took.
        grown: bytes by which the process grew meanwhile.
    """

    number: int
    verdict: str
    detail: str = ""
    seconds: float = 0.0
    grown: int = 0

    @property
    def good(self) -> bool:
        """Whether it went as it should."""
        return self.verdict in ("taken", "refused")


@dataclass
class _Watch:
    """What the interpreter was asked to do since a case began."""

    acts: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    allowed: Path = Path("/")
    on: bool = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _MAKING and (event != "open" or _writes(arguments)):
            self._note_place(arguments[_MAKING[event]])
        if event not in _WATCHED:
            return
        between_ours = event == "pickle.find_class" and str(arguments[0]).startswith(_OURS)
        # A door that is a server on this machine is asked by the case itself.
        if not between_ours and "'127.0.0.1'" not in repr(arguments):
            self.acts.append(f"{event} {arguments!r:.200}")

    def _note_place(self, place: object) -> None:
        """Note a file that is made or changed elsewhere than below the folder where cases may."""
        if isinstance(place, str | bytes | os.PathLike):  # not a file descriptor, which was opened before
            path = os.path.realpath(os.fsdecode(place))
            if not path.startswith((f"{self.allowed}/", *_NO_FILES)) and path != str(self.allowed):
                self.made.append(path)


def _writes(arguments: tuple[Any, ...]) -> bool:
    """Whether a file is opened to be written to, by its mode or its flags."""
    mode, flags = arguments[1], arguments[2]
    by_mode = isinstance(mode, str) and bool(set(mode) & set("wax+"))
    return by_mode or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)))


@contextmanager
def watched(allowed: Path) -> Iterator[_Watch]:
    """Watch the interpreter for the rest of the process; what it does counts inside the block.

    Files may be made below a folder. What native code writes elsewhere is not seen, but for the folders that a worker
    takes for the user's own and for temporary files: those are looked through.
    """
    watch = _Watch(allowed=allowed.resolve())
    sys.addaudithook(watch)
    yield watch
    watch.on = False


def tried(case: Callable[[Path], object], number: int, folder: Path, watch: _Watch, errors: Path) -> Outcome:
    """Do one case in a folder of its own, which is removed again; `errors` is where file descriptor 2 goes."""
    from gioconda.errors import GiocondaError

    here = folder / "case"
    here.mkdir()
    before = _files(folder)
    os.truncate(errors, 0)
    base = _reset_peak()
    watch.acts.clear()
    watch.made.clear()
    began = time.monotonic()
    watch.on = True
    try:
        with redirect_stdout(sys.stderr):
            said = case(here)
        verdict, detail = "taken", str(said or "")
    except GiocondaError as error:
        verdict, detail = "refused", error.id
        if "\n" in str(error):
            verdict, detail = "escaped", f"several lines: {str(error)!r:.300}"
    except MemoryError:
        verdict, detail = "memory", "MemoryError"
    except BaseException as error:
        verdict, detail = "escaped", _where(error)
    watch.on = False
    seconds = time.monotonic() - began
    grown = _peak() - base
    sys.stderr.flush()
    shown = errors.read_text(errors="replace")
    strays = sorted(_files(folder) - before)
    if verdict in ("taken", "refused"):
        if strays := [name for name in strays if not name.startswith("case/")] + watch.made:
            verdict, detail = "stray", " ".join(strays)
        elif watch.acts:
            verdict, detail = "act", watch.acts[0]
        elif "Traceback (most recent" in shown:
            verdict, detail = "traceback", shown[-600:]
        elif "[fault]" in shown:
            verdict, detail = "fault", re.search(r".*\[fault\].*", shown)[0][:300]  # type: ignore[index]
    for path in folder.iterdir():
        if path.name != "cwd":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return Outcome(number, verdict, detail, round(seconds, 3), grown)


def _where(error: BaseException) -> str:
    """The exception and the line of ours that it came through."""
    frame, place = error.__traceback__, ""
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        if "/gioconda/" in name:
            place = f"{name.rsplit('/gioconda/', 1)[1]}:{frame.tb_lineno}"
        frame = frame.tb_next
    return f"{type(error).__name__} at {place}: {error!s:.200}"


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def _status(name: str) -> int:
    """Bytes, by a line of the process's status."""
    found = re.search(rf"{name}:\s*(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def work(
    cases: Iterable[tuple[int, Callable[[Path], object]]],
    rehearsals: Sequence[Callable[[Path], object]] = (),
    memory: int = MEMORY,
) -> None:
    """In a worker: do the cases and print a line each. Does not come back from the limits it sets.

    Rehearsals are done before, so that everything is loaded when the memory is measured and limited.
    """
    lines = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory(prefix="gioconda-case-") as place, watched(Path(place)) as watch:
        # Everything a program writes without being told where comes to lie under the folder that is looked through.
        folder, errors = Path(place) / "watched", Path(place) / "errors"
        (folder / "cwd").mkdir(parents=True)
        errors.touch()
        descriptor = os.open(errors, os.O_WRONLY | os.O_APPEND)
        os.dup2(descriptor, 2)
        os.dup2(descriptor, 1)
        tempfile.tempdir = str(folder)
        # Matplotlib, which the tracker's package loads, keeps a list of fonts for the user: not ours to prevent.
        os.environ |= {"TMPDIR": str(folder), "HOME": str(folder), "MPLCONFIGDIR": place}
        os.chdir(folder / "cwd")
        sys.dont_write_bytecode = True  # modules that are loaded late are no case's doing
        for rehearsal in rehearsals:
            tried(rehearsal, -1, folder, watch, errors)
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + memory, resource.RLIM_INFINITY))
        for number, case in cases:
            print(json.dumps(asdict(tried(case, number, folder, watch, errors))), file=lines, flush=True)


def outcomes(
    command: Callable[[int], list[str]],
    numbers: range,
    seconds: float = SECONDS,
    environment: dict[str, str] | None = None,
) -> Iterator[Outcome]:
    """The outcomes of cases, done by worker processes one after the other.

    Args:
        command: starts a worker that begins with a case of some number and prints a line for each.
        numbers: the cases.
        seconds: for one case; after as many more a worker that has not begun is given up.
        environment: of the workers, beside this process's own.
    """
    due = numbers.start
    while due < numbers.stop:
        # A worker that dies leaves its folder behind.
        place = tempfile.mkdtemp(prefix="gioconda-worker-")
        process = subprocess.Popen(
            command(due),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (environment or {}) | {"TMPDIR": place},
            start_new_session=True,
        )
        try:
            for line in _lines(process, seconds):
                yield Outcome(**json.loads(line))
                due += 1
                if due == numbers.stop:
                    return
            yield _ended(process, due, seconds)
            due += 1
        finally:
            end_with_children(process)
            shutil.rmtree(place, ignore_errors=True)


def _lines(process: subprocess.Popen[bytes], seconds: float) -> Iterator[bytes]:
    """Whole lines, as long as each comes in time; the first may take longer, since the worker has to begin."""
    assert process.stdout is not None
    rest, wait = b"", 3 * seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(wait):
            got = os.read(process.stdout.fileno(), 65536)
            if not got:
                return
            *whole, rest = (rest + got).split(b"\n")
            yield from whole
            wait = seconds


def _ended(process: subprocess.Popen[bytes], number: int, seconds: float) -> Outcome:
    """What became of the case during which a worker fell silent."""
    try:
        status = process.wait(0.5)
    except subprocess.TimeoutExpired:
        return Outcome(number, "hang", f"nothing heard for {seconds:g} s", seconds)
    assert process.stderr is not None
    said = process.stderr.read()[-300:].decode(errors="replace")
    name = signal.Signals(-status).name if status < 0 else f"exit code {status}"
    return Outcome(number, "crash", f"{name} {said}".strip())


def end_with_children(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
