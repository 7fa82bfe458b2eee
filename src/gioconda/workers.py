"""Who works a list off: processes of this machine, or of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from gioconda import cluster, processes

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkOff(Protocol):
    """Gives each item with what a function made of it, or with what it raised, as they get done.

    `WorkerDiedError` stands for the item of a process that died. The function lies at the top of a module; items and
    results can be pickled.
    """

    def __call__(  # noqa: D102
        self, function: Callable[[Item], Result], items: Iterable[Item], /
    ) -> Generator[tuple[Item, Result | Exception], None, None]: ...


@contextmanager
def workers(jobs: int, address: str | None = None) -> Iterator[WorkOff]:
    """Those of a cluster where an address is given, else so many processes of this machine.

    Args:
        jobs: processes at a time, at least 1; of no meaning for a cluster.
        address: HOST:PORT of a Ray cluster.

    Raises:
        UsageError: nobody answers there.
        MissingExtraError: Ray is not installed.
    """
    if address is None:
        yield partial(processes.work_off, jobs)
    else:
        with cluster.cluster(address) as ray:
            yield partial(cluster.work_off, ray)
