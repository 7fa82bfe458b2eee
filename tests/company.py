"""How much of the machine others use while something is timed: a slow answer may be theirs."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

TICK = 1 / os.sysconf("SC_CLK_TCK")
QUIET = 0.3
"""Cores that others may use on a machine that is called quiet."""


class Company:
    """Watches the machine for as long as something is timed."""

    cores = 0.0
    """Cores that others used meanwhile, in the mean; known at the end."""

    def __enter__(self) -> Company:
        self._began, self._busy, self._own = time.monotonic(), _busy(), _own(os.getpid())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        others = (_busy() - self._busy) - (_own(os.getpid()) - self._own)
        self.cores = max(others, 0.0) / (time.monotonic() - self._began)


def _busy() -> float:
    """Seconds that all cores have worked since the machine was started; of no use where there is no /proc."""
    with suppress(OSError):
        user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
        return (user + nice + system + sum(rest)) * TICK
    return 0.0


def _own(process: int) -> float:
    """Seconds that a process and all that it started have worked."""
    total = 0.0
    with suppress(OSError):
        total = sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15])) * TICK
        for task in Path(f"/proc/{process}/task").iterdir():
            total += sum(map(_own, map(int, (task / "children").read_text().split())))
    return total
