"""Progress of long work, told to whoever asked: a bar on a terminal, a web page, or nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class Progress(Protocol):
    """Opens a stage of known length and gives back a function to call once a frame."""

    def __call__(self, stage: str, total: int) -> AbstractContextManager[Callable[[], object]]:
        """Begin a stage; `total` may be an estimate."""
        ...


@contextlib.contextmanager
def quiet(stage: str, total: int) -> Iterator[Callable[[], object]]:
    """Tell nobody."""
    yield lambda: None


@contextlib.contextmanager
def bar(stage: str, total: int, unit: str = "") -> Iterator[Callable[[], object]]:
    """A bar on standard error with speed and time left; nothing where that is not a terminal."""
    from tqdm import tqdm

    with tqdm(
        total=total, desc=stage, unit=unit and f" {unit}", disable=None, leave=False, dynamic_ncols=True
    ) as shown:
        yield shown.update


def say(line: str) -> None:
    """A line on standard output, above a bar where there is one."""
    from tqdm import tqdm

    tqdm.write(line)
