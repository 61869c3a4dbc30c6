"""Lays the collections of a gctrace text beside those of a replay of the same run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.allocator import Design
from goalloc_cli.results.beside import Beside, Heap, Pair
from goalloc_cli.results.gctrace import Collection, GCTrace
from goalloc_cli.results.outcome import Outcome, Reason
from goalloc_cli.trace.event import ALL_COLUMNS, KIND_MASK, Batch, Kind
from goalloc_cli.trace.trace import Trace

MIB = 1 << 20
COMPARED = 512
"""Collections whose times are compared to find out which belong together."""
SAME_TIME_NS = 20_000_000
"""Collections of one run begin within this of each other in both, once the start of the recording is taken off."""


@dataclass
class Marks:
    """Where the samples were taken: the event number of each, and whether a collection starts or ends there."""

    at: dict[int, bool]
    events: int = 0


def lay_beside(
    text: GCTrace, trace: Trace, design: Design, design_name: str, progress: Callable[[int], None] | None = None
) -> Beside:
    """Replay `trace`, and pair its collections with those of `text`.

    Raises:
        ReplayError, TraceError: as `replay` does.
    """
    marks = Marks({})
    marked = replace(trace, batches=with_marks(trace.batches, marks))
    outcome = replay(marked, design, design_name=design_name, progress=progress)
    heaps, times = modelled(outcome, marks)
    printed, notes = longest_run(text)
    printed = [c for c in printed if c.start_ns is not None]  # before Go 1.5 nothing tells when
    shift, spread = aligned([c.start_ns or 0 for c in printed], times)
    pairs = [
        Pair(c.number, Heap(c.start_bytes, c.end_bytes, c.live_bytes or 0, c.goal_bytes or 0), heaps[i])
        for i in range(len(heaps))
        if 0 <= i + shift < len(printed)
        for c in [printed[i + shift]]
    ]
    notes += doubts(printed, heaps, pairs, spread)
    if "snap_object" in outcome.events and pairs:
        notes.append(
            f"The model's start and end of collection {pairs[0].number} leave out what was there before the recording."
        )
    return Beside(outcome, pairs, notes)


def with_marks(batches: Iterator[Batch], marks: Marks) -> Iterator[Batch]:
    """The same events, with a sample before the start and before the end of every collection."""
    for batch in batches:
        kind = batch.kind & np.uint8(KIND_MASK)
        at = np.flatnonzero((kind == Kind.GC_START) | (kind == Kind.GC_END))
        for number, i in enumerate(at.tolist()):
            marks.at[marks.events + i + number + 1] = bool(kind[i] == Kind.GC_START)
        marks.events += len(batch) + len(at)
        yield inserted(batch, at) if len(at) else batch


def inserted(batch: Batch, at: NDArray[np.intp]) -> Batch:
    """The batch with a CHECKPOINT without a name before each of the events `at`."""
    fill = {"kind": int(Kind.CHECKPOINT)}
    columns: dict[str, Any] = {
        name: np.insert(column, at, fill.get(name, 0))
        for name in ALL_COLUMNS
        if (column := getattr(batch, name)) is not None
    }
    return replace(batch, **columns)


def modelled(outcome: Outcome, marks: Marks) -> tuple[list[Heap], list[int]]:
    """The heap at each collection of the replay, and when each began."""
    heaps: list[Heap] = []
    times: list[int] = []
    start = goal = end = 0
    for row in outcome.samples:
        starts = marks.at.get(int(row["event"])) if row["reason"] == Reason.CHECKPOINT else None
        if starts:
            start, goal = int(row["heap_live"]), int(row["next_gc"])
            times.append(int(row["time_ns"]))
        elif starts is False:
            end = int(row["heap_live"])
        elif row["reason"] == Reason.GC:
            heaps.append(Heap(start, end, int(row["heap_live"]), goal))
    return heaps, times[: len(heaps)]


def longest_run(text: GCTrace) -> tuple[list[Collection], list[str]]:
    """The program with most collections, where the text holds several."""
    if text.runs <= 1:
        return text.collections, []
    run, most = Counter(c.run for c in text.collections).most_common(1)[0]
    note = f"The text holds the lines of {text.runs} programs; compared is the one with most collections ({most})."
    return [c for c in text.collections if c.run == run], [note]


def aligned(printed: list[int], replayed: list[int]) -> tuple[int, int]:
    """Which printed collection the first replayed one is, and how far the times then lie apart.

    Each counts from a moment of its own, so that only differences can be compared. Without times in the trace both are
    taken to start together.
    """
    many = min(len(printed), len(replayed), COMPARED)
    if not many or not any(replayed):
        return 0, 0
    long, short = np.array(printed, np.int64), np.array(replayed, np.int64)
    sign = 1
    if len(long) < len(short):
        long, short, sign = short, long, -1
    best = (1 << 62, 0)
    for shift in range(len(long) - len(short) + 1):
        apart = long[shift : shift + many] - short[:many]
        spread = int(np.mean(np.abs(apart - np.median(apart))))
        best = min(best, (spread, shift))
    return sign * best[1], best[0]


def doubts(printed: list[Collection], heaps: list[Heap], pairs: list[Pair], spread: int) -> list[str]:
    """What the reader must know of the comparison."""
    notes = []
    if len(printed) != len(heaps):
        told = f"collections {pairs[0].number} to {pairs[-1].number} are in both" if pairs else "none is in both"
        notes.append(f"The text has {len(printed):,} collections, the trace {len(heaps):,}: by their times, {told}.")
    if spread > SAME_TIME_NS:
        notes.append("The collections do not happen at the same times: is the trace of the same run?")
    return notes


__all__ = ["Beside", "Heap", "Pair", "lay_beside"]
