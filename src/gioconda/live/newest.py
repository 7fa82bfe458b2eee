"""Handing things from thread to thread so that nothing queues up: whoever is slow misses some, and is never late."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")


class EndError(Exception):
    """There will be nothing newer."""


class Newest(Generic[T]):
    """Holds the newest of what was put there, for any number of readers.

    Iterating gives the newest, waits for a newer one, and ends when it was closed; an error with which it was
    closed is raised.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._item: T
        self._end: BaseException | None = None

    def put(self, item: T) -> bool:
        """Replace what is held; False: it was closed."""
        with self._changed:
            if self._end is None:
                self._item, self._count = item, self._count + 1
                self._changed.notify_all()
            return self._end is None

    def close(self, error: BaseException | None = None) -> None:
        """Nothing newer will come, perhaps because of an error. Only the first call counts."""
        with self._changed:
            self._end = self._end or error or EndError()
            self._changed.notify_all()

    def after(self, count: int, timeout: float | None = None) -> tuple[int, T] | None:
        """The newest item and how many there were, if that is more than `count`, waiting for it some seconds.

        Raises:
            EndError, or the error with which it was closed: there is none, and will be none.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._count > count or self._end, timeout):
                return None
            if self._count > count:
                return self._count, self._item
            assert self._end is not None
            raise self._end

    def __iter__(self) -> Iterator[T]:
        """The newest, again and again."""
        count = 0
        while True:
            try:
                # Waiting for ever cannot be interrupted on every system.
                found = self.after(count, timeout=1.0)
            except EndError:
                return
            if found:
                count, item = found
                yield item


def relay(source: Iterable[In], work: Callable[[In], Out], out: Newest[Out]) -> threading.Thread:
    """Start a thread that puts `work` of everything from a source; the end of the source, or an error, goes on too."""

    def run() -> None:
        items = iter(source)
        end: BaseException | None = None
        try:
            for item in items:
                if not out.put(work(item)):
                    break
        except BaseException as error:
            end = error
        finally:
            out.close(end)
            if hasattr(items, "close"):
                items.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
