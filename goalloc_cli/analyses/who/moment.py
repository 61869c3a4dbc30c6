"""Who holds the heap at a moment of a replay: at its end, or after so many events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from goalloc_cli.analyses.replay import Run
from goalloc_cli.analyses.who.follow import COUNTED, Followed
from goalloc_cli.design.allocator import Design
from goalloc_cli.model.books.holders import holders
from goalloc_cli.model.tables.objects import OBJECT_LIVE
from goalloc_cli.results.outcome import SAMPLE, Outcome, Reason
from goalloc_cli.results.who import NO_OBJECT, OWN, ROW, TRACER, Who, added
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.trace import Trace


class Watch:
    """What a replay is watched by: `trace` is to be replayed, and `look` to be called at its end."""

    def __init__(self, trace: Trace, design: Design) -> None:
        self.followed = Followed(design)
        self.trace = replace(trace, batches=self._followed(trace.batches))
        self.found: Who | None = None
        """Who holds the heap at the end."""

    def _followed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self.followed.add(batch)
            yield batch

    def look(self, run: Run) -> None:
        """See who holds what."""
        self.found = who_now(run, self.followed)


def who_at(
    trace: Trace, design: Design, event: int, *, hints: bool, progress: Callable[[int], None] | None = None
) -> Who:
    """Who holds the heap once the first `event` events are replayed, or all of them.

    Raises:
        ReplayError, TraceError: as `replay`.
    """
    return whos_at(trace, design, [event], hints=hints, progress=progress)[0]


def whos_at(
    trace: Trace, design: Design, events: Sequence[int], *, hints: bool, progress: Callable[[int], None] | None = None
) -> list[Who]:
    """The same of several moments, in one replay; in the order in which they are asked for."""
    run, followed = Run(trace, design, hints, "gc", check=False), Followed(design)
    waiting = sorted(set(events))
    found: dict[int, Who] = {}
    for batch in run.trace.batches:
        at = 0
        while waiting and waiting[0] <= run.events + len(batch) - at:
            at = feed(run, followed, batch, at, at + waiting[0] - run.events)
            found[waiting.pop(0)] = who_now(run, followed)
        if not waiting:
            break
        feed(run, followed, batch, at, len(batch))
        if progress:
            progress(run.events)
    found |= dict.fromkeys(waiting, who_now(run, followed)) if waiting else {}
    return [found[event] for event in events]


def feed(run: Run, followed: Followed, batch: Batch, at: int, stop: int) -> int:
    """Have a part of a batch replayed and followed; return where it ends. The first part brings what the batch brings."""
    part = batch if (at, stop) == (0, len(batch)) else batch.part(at, stop)
    part = part.without_news() if at else part
    run.feed(part)
    followed.add(part)
    return stop


def moments(outcome: Outcome) -> dict[str, int]:
    """The moments at which a replay is looked at besides its end, by the number of events before them.

    "peak" is that of HeapInuse. "marked" is the start of the GC that found most alive: nothing is garbage there that nobody
    has found, so two replays are alike in it, while one peak lies before a GC and another behind it. A recording tells what
    died by sweeping it, so in the last cycle, which may not be swept to its end, nobody knows.
    """
    found = {"peak": int(np.asarray(outcome.peak).reshape(-1)[0]["event"])}
    samples = outcome.samples
    starts = samples[samples["reason"] == Reason.GC_START]
    if outcome.header.hints:
        starts = starts[np.isin(starts["num_gc"], samples["num_gc"][samples["reason"] == Reason.SWEPT])]
    if len(starts):
        found["marked"] = int(starts["event"][added(starts, OWN).argmax()])
    return found


def who_now(run: Run, followed: Followed) -> Who:
    """Who holds the heap as it is now."""
    births = followed.books.births
    row_of = np.abs(births["row"].astype(np.int64)) - 1
    sample = run.sampled(Reason.END)
    run.tracer.take_out(sample, run.design.page_size)
    rows = with_tracer(run, sample[0], laid(run, row_of, births["number"], followed.rows), row_of)
    return Who(
        event=run.events,
        sample=sample,
        rows=rows[used(rows)],
        owners=followed.owners,
        types=followed.types,
        functions=followed.functions,
        calls=followed.calls,
        goroutines=int(followed.books.state[COUNTED]),
    )


def without_replay(followed: Followed, events: int, peak_event: int) -> tuple[Who, Who]:
    """What a trace alone tells: who holds what lives at the end of it, and when all live bytes were highest."""
    rows = followed.rows
    end = Who(
        event=events,
        sample=np.zeros(0, SAMPLE),
        rows=rows[used(rows)],
        owners=followed.owners,
        types=followed.types,
        functions=followed.functions,
        calls=followed.calls,
        goroutines=int(followed.books.state[COUNTED]),
    )
    then = end.rows.copy()
    then["live"], then["live_bytes"] = then["peak_live"], then["peak_bytes"]
    return end, replace(end, event=peak_event, rows=then, goroutines=-1)


def laid(run: Run, row_of: np.ndarray, number: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows of objects, and two for each span class behind them, with all of HeapInuse (`model.books.holders`)."""
    classes = len(run.heap.spanclasses)
    whole = np.concatenate([rows, np.zeros(2 * classes, ROW)])
    whole["spc"][len(rows) :] = np.tile(np.arange(classes), 2)
    whole["owner"][len(rows) + classes :] = NO_OBJECT
    objects = run.tables.objects
    rows_of, numbers = np.full(len(objects), -1, np.int64), np.zeros(len(objects), np.int64)
    known = min(len(objects), len(row_of))
    rows_of[:known], numbers[:known] = row_of[:known], number[:known]
    rows_of[(objects["label"] & OBJECT_LIVE != 0) & (rows_of < 0)] = 0
    holders(run.heap, objects, rows_of, numbers, whole, len(rows))
    return whole


def used(rows: np.ndarray) -> np.ndarray:
    """Which rows hold anything."""
    said = [name for name in ROW.names or () if name not in ("owner", "type", "spc", "stack")]
    found: np.ndarray = np.logical_or.reduce([rows[name] != 0 for name in said])
    return found


def with_tracer(run: Run, sample: np.void, rows: np.ndarray, row_of: np.ndarray) -> np.ndarray:
    """The same rows, with what the ledger counts as the tracer's own in a row of its own."""
    if not sample["tracer"]:
        return rows
    tracer, objects, spans = run.tracer, run.tables.objects, run.heap.spans
    own = np.zeros(1, ROW)
    own["owner"], own["spc"], own["tracer"] = TRACER, 1, sample["tracer"]
    for handle in tracer.handles:
        row, loc = rows[row_of[handle]], int(objects[handle]["loc"])
        held, unused = int(spans[loc >> 16]["elem_size"]), int(objects[handle]["unused"])
        own["objects"] += 1
        row["objects"] -= 1
        row["requested"] -= held - unused
        row["large_rounding"] -= unused
        for name in ("live", "live_bytes"):
            row[name] -= 1 if name == "live" else held - unused
            own[name] += 1 if name == "live" else held - unused
    return np.concatenate([rows, own])
