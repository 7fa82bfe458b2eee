"""A list worked off in processes, of which any may die without taking more than its own item along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_off(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """Each item with what the function made of it, or with what it raised, as they get done.

    A process that was killed gives `BrokenProcessPool` for its item and is replaced. When the consumer stops early
    (or is interrupted), the processes are killed at once.

    Args:
        function: a function of a module, with arguments and results that can be pickled.
        items: what to do.
        jobs: processes at a time.
    """
    # A pool of one process each: when a process of a larger pool dies, nobody knows over which item.
    pools = [_pool(jobs) for _ in range(jobs)]
    running: dict[Future[Result], tuple[int, Item]] = {}
    others = set(multiprocessing.active_children())
    waiting = iter(items)

    def begin(slot: int) -> None:
        for item in waiting:
            running[pools[slot].submit(function, item)] = slot, item
            return

    try:
        for slot in range(jobs):
            begin(slot)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                slot, item = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    pools[slot].shutdown(wait=False)
                    pools[slot] = _pool(jobs)
                if error is not None and not isinstance(error, Exception):
                    raise error
                begin(slot)
                yield item, future.result() if error is None else error
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        raise
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Not forked: the tracker has threads, which do not survive that.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, _begin, (max(1, (os.cpu_count() or 1) // jobs),))


def _begin(threads: int) -> None:
    """In a new process: leave Ctrl-C to the parent, do not outlive it, and share the cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(threads)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
