"""A progress line on the standard error: how far, how fast, how long to go. On a terminal alone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goalloc_cli.host.ending import undone_by

if TYPE_CHECKING:
    from goalloc_cli.trace.event import Batch

FIRST_SECONDS = 0.5
"""Work shorter than this shows nothing."""
STEP_SECONDS = 0.1
"""Time between two updates."""
KNOWN_SECONDS = 0.5
"""Events have to be done for so long before their speed is told."""
BAR_WIDTH = 24

Tick = Callable[[int], None]
"""Is told how many events are done so far."""


@contextmanager
def progress_line(verb: str, total: int | None, quiet: bool = False) -> Iterator[Tick | None]:
    """Yield what to call with the number of events done so far; None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    shown = _Line(verb, total)
    with undone_by(shown.clear):
        try:
            yield shown.tick
        finally:
            shown.clear()


@contextmanager
def text_line(verb: str, quiet: bool = False) -> Iterator[Callable[[str], None] | None]:
    """The same of a line that says what it is given, for work that is not counted in events."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    shown = _Line(verb, None)
    with undone_by(shown.clear):
        try:
            yield shown.tell
        finally:
            shown.clear()


class _Line:
    """The line, and what is known of the speed: that of the events, without what came before the first of them."""

    def __init__(self, verb: str, total: int | None) -> None:
        self._verb, self._total = verb, total
        self._first: tuple[float, int] | None = None
        """When the first events were done, and how many."""
        self._due = time.monotonic() + FIRST_SECONDS
        self._lock = threading.Lock()
        self._shown = self._over = False
        self._waiting = threading.Timer(FIRST_SECONDS, self._wait)
        self._waiting.daemon = True
        self._waiting.start()

    def tick(self, done: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
            self._waiting.cancel()
        if now < self._due:
            return
        self._due = now + STEP_SECONDS
        began, before = self._first
        self._show(line(self._verb, done, self._total, now - began, before))

    def tell(self, text: str) -> None:
        now = time.monotonic()
        self._first = self._first or (now, 0)
        self._waiting.cancel()
        if now >= self._due:
            self._due = now + STEP_SECONDS
            self._show(text)

    def clear(self) -> None:
        self._waiting.cancel()
        with self._lock:
            self._over = True
            if self._shown:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()

    def _wait(self) -> None:
        """Said while nothing is done yet: all of the input is read first, or kernels are compiled."""
        if self._first is None:
            self._show(f"{self._verb}  reading ...")

    def _show(self, text: str) -> None:
        with self._lock:
            if not self._over:
                self._shown = True
                sys.stderr.write(f"\r\x1b[K{text}")
                sys.stderr.flush()


def ticking(batches: Iterable[Batch], tick: Tick | None) -> Iterator[Batch]:
    """The same batches; `tick` is told of each when the next one is asked for."""
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        if tick is not None:
            tick(done)


def line(verb: str, done: int, total: int | None, seconds: float, before: int = 0) -> str:
    """replay [#####     ] 41%  12.3 M events  25.1 M events/s  0:12 left; of the events, `before` took other seconds."""
    speed = (done - before) / seconds if seconds > 0 else 0.0
    counted = f"{done / 1e6:,.1f} M events  {speed / 1e6:,.1f} M events/s"
    if not total:
        return f"{verb}  {counted}"
    part = min(done / total, 1.0)
    bar = "#" * round(part * BAR_WIDTH)
    told = f"{verb} [{bar:{BAR_WIDTH}}] {part:4.0%}"
    if seconds < KNOWN_SECONDS or not speed:  # too short for a speed
        return f"{told}  {done / 1e6:,.1f} M events"
    left = round(max(total - done, 0) / speed)
    return f"{told}  {counted}  {left // 60}:{left % 60:02} left"
