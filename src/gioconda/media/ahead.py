"""Work ahead of the consumer in threads of its own: decoding, rendering and encoding side by side."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2

T = TypeVar("T")
U = TypeVar("U")
_END = object()
FRAMES, FRAME_BYTES = 4, 256_000_000
"""Most frames of a clip that are made before they are asked for, and the memory that they may take."""

DRAWN, DRAWING_BYTES, DRAWING = 4, 800_000_000, 34
"""Most frames that are drawn at once, the memory that this may take, and what one takes, in its own size."""


def depth_for(size: tuple[int, int]) -> int:
    """How many frames of a width and height in pixels to make ahead, at least one."""
    return max(1, min(FRAMES, FRAME_BYTES // (3 * size[0] * size[1])))


def threads_for(size: tuple[int, int]) -> int:
    """How many frames of a width and height in pixels to draw at once: no more than OpenCV may use threads."""
    return max(1, min(DRAWN, cv2.getNumThreads(), DRAWING_BYTES // (DRAWING * 3 * size[0] * size[1])))


def side_by_side(work: Callable[[T], U], items: Iterable[T], threads: int) -> Generator[U, None, None]:
    """What `work` makes of each item, in the items' order, made in so many threads at once.

    An error of `work`, or of the source, is raised in its turn; when the consumer stops early, nothing more is begun.
    """
    if threads == 1:
        yield from map(work, items)
        return
    begun: deque[Future[U]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def ahead(items: Iterable[T], depth: int = FRAMES) -> Generator[T, None, None]:
    """The same items in the same order, up to `depth` of them made before they are asked for.

    An error in the source is raised where the items are consumed; when the consumer stops early,
    the source is closed.
    """
    waiting: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        source = iter(items)
        try:
            for item in source:
                if not put(item):
                    break
        except BaseException as error:
            failure.append(error)
        finally:
            if hasattr(source, "close"):
                source.close()
            put(_END)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not _END:
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
    if failure:
        raise failure[0]
