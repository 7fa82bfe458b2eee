"""Work in processes of their own, one job at a time each, so that a decoder that crashes takes one job with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

import cv2

J = TypeVar("J")
R = TypeVar("R")


def each(work: Callable[[J], R], jobs: Iterable[J], processes: int) -> Generator[tuple[J, R | None], None, None]:
    """Do the jobs and give each with its result as soon as it is done; None where its process died.

    When the caller stops, or something is raised, the processes are ended where they are.

    Args:
        work: a function at the top of a module; jobs and results can be pickled between processes.
        jobs: taken one by one as processes are free.
        processes: how many at a time.

    Raises:
        Exception: whatever `work` raises.
    """
    waiting = iter(jobs)
    free: list[_Worker[J, R]] = []
    busy: dict[Connection, tuple[_Worker[J, R], J]] = {}
    try:
        while True:
            while len(busy) < processes and (job := next(waiting, None)) is not None:
                worker = free.pop() if free else _Worker(work)
                busy[worker.connection] = worker, job
                worker.connection.send(job)
            if not busy:
                return
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                worker, job = busy.pop(connection)
                try:
                    result, error = connection.recv()
                except (EOFError, ConnectionResetError):
                    worker.end()
                    yield job, None
                    continue
                free.append(worker)
                if error is not None:
                    raise error
                yield job, result
    finally:
        for worker in (*free, *(worker for worker, _ in busy.values())):
            worker.end()


class _Worker(Generic[J, R]):
    """A process that does one job after the other."""

    def __init__(self, work: Callable[[J], R]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        self._process.start()
        theirs.close()

    def end(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, work: Callable[[J], R]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            connection.send((work(job), None))
        except Exception as error:
            connection.send((None, error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
