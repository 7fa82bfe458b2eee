"""Work ahead of the consumer in a thread of its own: decoding, rendering and encoding side by side."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
_END = object()
FRAMES, FRAME_BYTES = 4, 256_000_000
"""Most frames of a clip that are made before they are asked for, and the memory that they may take."""


def depth_for(size: tuple[int, int]) -> int:
    """How many frames of a width and height in pixels to make ahead, at least one."""
    return max(1, min(FRAMES, FRAME_BYTES // (3 * size[0] * size[1])))


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
