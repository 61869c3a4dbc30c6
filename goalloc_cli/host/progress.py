"""A progress line on the standard error: how far, how fast, how long to go. On a terminal alone."""

from __future__ import annotations

import sys
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
BAR_WIDTH = 24

Tick = Callable[[int], None]
"""Is told how many events are done so far."""


@contextmanager
def progress_line(verb: str, total: int | None, quiet: bool = False) -> Iterator[Tick | None]:
    """Yield what to call with the number of events done so far; None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    start = time.monotonic()
    due = start + FIRST_SECONDS
    shown = False

    def tick(done: int) -> None:
        nonlocal due, shown
        now = time.monotonic()
        if now < due:
            return
        due, shown = now + STEP_SECONDS, True
        sys.stderr.write(f"\r\x1b[K{line(verb, done, total, now - start)}")
        sys.stderr.flush()

    def clear() -> None:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    with undone_by(clear):
        try:
            yield tick
        finally:
            clear()


def ticking(batches: Iterable[Batch], tick: Tick | None) -> Iterator[Batch]:
    """The same batches; `tick` is told of each when the next one is asked for."""
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        if tick is not None:
            tick(done)


def line(verb: str, done: int, total: int | None, seconds: float) -> str:
    """replay [#####     ] 41%  12.3 M events  25.1 M events/s  0:12 left"""
    speed = done / seconds if seconds > 0 else 0.0
    counted = f"{done / 1e6:,.1f} M events  {speed / 1e6:,.1f} M events/s"
    if not total:
        return f"{verb}  {counted}"
    part = min(done / total, 1.0)
    left = round(max(total - done, 0) / speed) if speed else 0
    bar = "#" * round(part * BAR_WIDTH)
    return f"{verb} [{bar:{BAR_WIDTH}}] {part:4.0%}  {counted}  {left // 60}:{left % 60:02} left"
