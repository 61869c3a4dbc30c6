"""How this process ends when a signal asks it to: within moments, wherever it is, with nothing left behind.

The main thread may be in a kernel or a compiler for long, and sees no signal there. So a thread of its own waits for them;
it undoes what must not stay, and ends the process. It gets its turn: kernels, NumPy, LLVM and zstandard give the interpreter
free while they work.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

INTERRUPTED = 130
"""The exit code of a process that was asked to end."""

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Those that ask."""

Taker = Callable[[int], None]
"""Is told the number of a signal that is not for this process."""


@dataclass
class _Ending:
    """What is to happen at a signal."""

    undo: list[Callable[[], object]] = field(default_factory=list)
    """Done before the process ends, last one first."""
    taker: Taker | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held for good by who ends the process: nothing new begins then."""


_ending = _Ending()


def watch() -> None:
    """From now on a signal ends this process. Python's own handlers have to wait for the main thread, and do nothing."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _noticed)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reading,), name="ending", daemon=True).start()


def unwatch() -> None:
    """The work is done; only Python itself still has to end, and is not to be disturbed."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end() -> None:
    """Undo what must not stay, and end this process."""
    with _ending.lock:
        for undo in reversed(_ending.undo):
            with suppress(Exception):
                undo()
        os._exit(INTERRUPTED)


@contextmanager
def undone_by(undo: Callable[[], object]) -> Iterator[None]:
    """Where a signal ends the process within the block, `undo` is called before. It is called from another thread."""
    with _ending.lock:
        _ending.undo.append(undo)
    try:
        yield
    finally:
        with _ending.lock:
            _ending.undo.remove(undo)


@contextmanager
def undisturbed() -> Iterator[None]:
    """The process does not end within the block. Once it is ending, no such block begins."""
    with _ending.lock:
        yield


@contextmanager
def taken_by(taker: Taker) -> Iterator[None]:
    """Within the block signals are for someone else, and end nothing here. It is called from another thread."""
    _ending.taker = taker
    try:
        yield
    finally:
        _ending.taker = None


def _noticed(number: int, frame: object) -> None:
    """A handler must be there, for the number to be written to the pipe (signal.set_wakeup_fd)."""


def _wait(reading: int) -> None:
    """Read the numbers of signals as they come."""
    while number := os.read(reading, 1):
        if number[0] not in SIGNALS:
            continue
        if _ending.taker is None:
            end()
        else:
            _ending.taker(number[0])
