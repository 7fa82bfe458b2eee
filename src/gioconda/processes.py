"""A list worked off in processes of this machine, of which any may die without taking more than its own item along."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerDiedError(Exception):
    """The process that worked on an item is no more."""


def work_off(
    jobs: int, function: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """Each item with what the function made of it, or with what it raised, as they get done.

    A process that died gives `WorkerDiedError` for its item and is replaced. When the consumer stops early (or is
    interrupted), the processes are killed at once.

    Args:
        jobs: processes at a time, at least 1; they share the cores. One is started when there is work for it.
        function: a function at the top of a module, with arguments and results that can be pickled.
        items: what to do, taken one by one.
    """
    waiting = iter(items)
    free: list[_Worker[Item, Result]] = []
    busy: dict[Connection, tuple[_Worker[Item, Result], Item]] = {}
    threads = max(1, (os.cpu_count() or 1) // jobs)
    try:
        while True:
            for item in islice(waiting, jobs - len(busy)):
                while free and not free[-1].take(item):
                    free.pop().end()  # killed while it had nothing to do
                if free:
                    worker = free.pop()
                else:
                    worker = _Worker(function, threads)
                    worker.take(item)
                busy[worker.connection] = worker, item
            if not busy:
                return
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                worker, item = busy.pop(connection)
                try:
                    result = connection.recv()
                except (EOFError, OSError):
                    worker.end()
                    result = WorkerDiedError("its process was killed, or crashed")
                else:
                    free.append(worker)
                yield item, result
    finally:
        for worker in (*free, *(worker for worker, _ in busy.values())):
            worker.end()


class _Worker(Generic[Item, Result]):
    """A process that does one item after the other."""

    def __init__(self, function: Callable[[Item], Result], threads: int) -> None:
        # Not forked: the tracker has threads, which do not survive that.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function, threads), daemon=True)
        self._process.start()
        theirs.close()

    def take(self, item: Item) -> bool:
        """Give it an item; False where the process is no more."""
        with suppress(OSError):
            self.connection.send(item)
            return True
        return False

    def end(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, function: Callable[[Item], Result], threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(threads)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            connection.send(function(item))
        except Exception as error:
            _send_error(connection, error)


def _send_error(connection: Connection, error: Exception) -> None:
    """It, or what it says where it does not survive being sent."""
    try:
        copy.copy(error)  # who receives it makes it anew like this
        connection.send(error)
    except Exception:
        connection.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
