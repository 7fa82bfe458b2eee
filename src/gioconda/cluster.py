"""Other machines: a Ray cluster, the only way in which Gioconda reaches them. Needs the extra `cluster`.

Paths mean the same everywhere: what is read and written lies where all machines see it.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import Any, TypeVar

from gioconda.errors import MissingExtraError, UsageError
from gioconda.processes import WorkerDiedError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Items that are given out for each processor."""
PATIENCE = 5.0
"""Seconds to wait for a cluster's answer: Ray would go on asking for minutes."""


@contextmanager
def cluster(address: str | None) -> Iterator[ModuleType]:
    """Ray, connected.

    Args:
        address: HOST:PORT of a cluster; None starts one on this machine and ends it afterwards.

    Raises:
        UsageError: nobody answers there, or Ray does not start.
        MissingExtraError: Ray is not installed.
    """
    # It reports to its makers unless it is told not to before it starts.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("other machines need the extra 'cluster': pip install 'gioconda[cluster]'") from error
    if address is not None:
        _check(address)
    try:
        # What it draws on the terminal is for its own developers.
        ray.init(address or "local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"Ray does not start: {str(error).splitlines()[0]}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def work_off(
    ray: ModuleType, function: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """Each item with what the function made of it, or with what it raised, as they get done on some machine.

    A process that died gives `WorkerDiedError` for its item.

    Args:
        ray: from `cluster`.
        function: a function of a module, with arguments and results that can be pickled.
        items: what to do.
    """
    remote = ray.remote(max_retries=0)(function)
    most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting = iter(items)
    running: dict[Any, Item] = {}
    try:
        while True:
            for item in islice(waiting, most - len(running)):
                running[remote.remote(item)] = item
            if not running:
                return
            (done, *_), _ = ray.wait(list(running))
            item = running.pop(done)
            try:
                yield item, ray.get(done)
            except ray.exceptions.RayTaskError as error:
                cause = error.cause
                if not isinstance(cause, Exception):
                    raise
                yield item, cause
            except ray.exceptions.RayError as error:
                yield item, WorkerDiedError(str(error).splitlines()[0])
    finally:
        for each in running:
            ray.cancel(each, force=True)


def _check(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PATIENCE):
            return
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster at {address}; give the HOST:PORT that 'ray start --head' told, or leave it out"
        ) from error
