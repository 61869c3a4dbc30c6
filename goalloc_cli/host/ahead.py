"""Reading ahead: the next batches are read and decoded in a thread of their own while one is replayed; or anything else.

Kernels, NumPy and zstandard give the interpreter free while they work, so the two run on two cores.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

AHEAD = 4
"""Most batches that wait: memory stays bounded by them."""
LEFT_SECONDS = 0.2
"""How long an iterator that is closed waits for its reader."""


T = TypeVar("T")


def later(work: Callable[[], T]) -> Callable[[], T]:
    """Begin some work in a thread; what is returned waits for its result, or raises its error."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="working ahead", daemon=True)
    thread.start()

    def result() -> T:
        thread.join()
        if errors:
            raise errors[0]
        return results.pop()

    return result


def ahead(batches: Iterator[T], most: int = AHEAD) -> Iterator[T]:
    """The same batches, and at the end the same error; what is left unread is closed when this iterator is."""
    # Two queues of C, for batches and for room: one with an end is written in Python, and slower.
    ready: queue.SimpleQueue[T | BaseException | None] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(most):
        room.put(None)
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(batches, ready, room, stop), name="reading ahead", daemon=True)
    reader.start()
    try:
        while (found := ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            room.put(None)
            yield found
    finally:
        stop.set()
        room.put(None)  # a reader that waits for room goes on, and sees that nobody wants more
        # One that waits for a pipe is left behind: it ends with the process.
        reader.join(LEFT_SECONDS)


def _read(
    batches: Iterator[T],
    ready: queue.SimpleQueue[T | BaseException | None],
    room: queue.SimpleQueue[None],
    stop: threading.Event,
) -> None:
    last: BaseException | None = None
    try:
        for batch in batches:
            room.get()
            if stop.is_set():
                break
            ready.put(batch)
    except BaseException as error:
        last = error
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()
    ready.put(last)
