"""How exactly the model reproduces what the real runtime did: the replay against what the recording saw."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.badevents import without
from goalloc_cli.analyses.replay import Run, refuse
from goalloc_cli.analyses.verify import follow, judge
from goalloc_cli.analyses.verify.truth import Kept
from goalloc_cli.analyses.verify.witnesses import astray_in_words, strays
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Central, Pages
from goalloc_cli.errors import ReplayError, TraceError
from goalloc_cli.host.ahead import ahead, later
from goalloc_cli.host.source import read_whole
from goalloc_cli.model.tables.columns import Columns
from goalloc_cli.model.tables.limits import PAGES, PS
from goalloc_cli.results.outcome import Checkpoint, Reason
from goalloc_cli.results.resident import heap_released
from goalloc_cli.results.verdict import Row, Verdict
from goalloc_cli.trace.event import HINT_KINDS, KIND_MASK, NO_P, SNAP_KINDS, Batch, Kind
from goalloc_cli.trace.trace import Trace

ROWS = (
    *("integrity", "geometry", "slot", "refill", "page", "free_running"),
    *("heap", "memstats", "released", "heap_live", "stack"),
)
"""What is scored, in the order of the report."""

GAUGES = ("HeapAlloc", "HeapInuse", "HeapIdle", "HeapObjects", "StackInuse")
"""MemStats that are compared as they are."""
COUNTERS = ("Mallocs", "Frees")
"""MemStats that are compared by how far they moved since the first checkpoint."""
MOST_MEMSTATS = 64 << 20
"""Bytes of a file of MemStats: ten thousand points."""


def read_memstats(path: str) -> dict[str, dict[str, Any]]:
    """The MemStats of each point in a JSON file: {"snaps": [{"Point": ..., "M": {MemStats}}]}.

    Raises:
        TraceError: the file is no such JSON; the message says what is missing.
    """
    try:
        snaps = json.loads(read_whole(path, MOST_MEMSTATS))["snaps"]
        points = {str(snap["Point"]): dict(snap["M"]) for snap in snaps}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise TraceError(f'{path}: not MemStats by point; write {{"snaps": [{{"Point": ..., "M": ...}}]}}') from None
    for point, told in points.items():
        if missing := not_numbers(told):
            raise TraceError(f"{path}: point {brief(point)}: {missing} of its MemStats is no number; write them whole")
    return points


def not_numbers(told: dict[str, Any]) -> str:
    """The first figure of MemStats that is compared and is not there, or is no integer; "" where all are."""
    by_size = told.get("BySize", [])
    if not isinstance(by_size, list) or not all(isinstance(row, dict) for row in by_size):
        return "BySize"
    figures = {name: told.get(name) for name in (*GAUGES, *COUNTERS)}
    figures |= {f"BySize[{i}].{name}": row.get(name) for i, row in enumerate(by_size) for name in COUNTERS}
    return next((name for name, figure in figures.items() if type(figure) is not int), "")


def verify(
    trace: Trace,
    design: Design,
    *,
    design_name: str,
    memstats: dict[str, dict[str, Any]] | None = None,
    own_sweeper: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Replay a recording twice at once, free-running and set right after each wrong decision, and score both.

    Args:
        trace: a recording with witnesses.
        design: the allocator of its release.
        design_name: what reports call it.
        memstats: runtime.MemStats by checkpoint, to hold the free-running replay against.
        own_sweeper: leave out what the recording tells about sweeping; the model's own sweeper decides.
        progress: called with the number of events so far.

    Raises:
        ReplayError: an event that the model cannot take.
        TraceError: the trace holds no addresses, or has a bad event.
    """
    if not trace.header.witnesses:
        raise TraceError(f"{trace.name}: holds no addresses; verify a recording, or its import without --no-witnesses")
    started = time.perf_counter()
    run = Follower(trace, design, own_sweeper)
    set_right: Callable[[], None] | None = None  # waits until the batch before is, in a thread of its own
    try:
        for batch in ahead(trace.batches):
            passed = run.run_free(without_sweep_hints(batch) if own_sweeper else batch)
            if set_right:
                set_right()
            set_right = later(partial(run.set_right, passed))
            if progress:
                progress(run.events)
    finally:
        if set_right:
            set_right()  # what it refuses stands before all else that was found wrong
    return Verdict(
        trace_name=trace.name,
        go_version=trace.header.go_version,
        gomaxprocs=trace.header.gomaxprocs,
        design_name=design_name,
        events=run.events,
        cycles=int(run.free.heap.gc.cycle),
        seconds=time.perf_counter() - started,
        duration_ns=int(run.free.heap.time_ns),
        rows=run.rows(memstats),
        hints=run.hints(),
        own_sweeper=own_sweeper,
        notes=run.notes(),
    )


SWEEP_HINTS = np.array(
    [
        Kind.SWEEP_TO, Kind.SWEEP_COUNT, Kind.SWEEP_DRAINED, Kind.SWEEP_CREDIT, Kind.SWEEP_RECLAIM, Kind.RECLAIM_BYTES,
        Kind.SWEEP_END, Kind.REFILL, Kind.SWEEP_PAID, Kind.SWEPT_NEXT,
    ],
    np.uint8,
)


def without_sweep_hints(batch: Batch) -> Batch:
    """The batch without what the recording tells about sweeping."""
    return without(batch, np.isin(batch.kind & KIND_MASK, SWEEP_HINTS))


_IS_BY_P = np.isin(np.arange(KIND_MASK + 1), [Kind.ALLOC, Kind.STACK_ALLOC])
"""Kinds that a P does."""


class Passed(NamedTuple):
    """A batch that the free-running replay has taken."""

    batch: Batch
    first: int
    """The number of its first event."""
    handles: tuple[int, int]
    """The tables must have room for them."""
    columns: Columns
    addr: NDArray[np.int64]


class Follower:
    """The two replays of a recording, side by side."""

    def __init__(self, trace: Trace, design: Design, own_sweeper: bool) -> None:
        if trace.header.hints and (design.central != Central.SPAN_SETS or design.pages != Pages.BITMAP):
            raise TraceError(
                f"{trace.name}: says that Go {trace.header.go_version} made it, which cannot be recorded with hints and "
                "addresses; its header is wrong"
            )
        self.trace = trace
        self.free = Run(trace, design, placed=True, every="gc", check=False)
        self.right = Run(trace, design, placed=True, every="gc", check=False)
        for run in (self.free, self.right):
            run.heap.gc.own_sweeper = int(own_sweeper)
        # Each replay has its own: they run at the same time.
        self.score, self.free_score = (np.zeros((judge.ROWS, 4), np.int64) for _ in range(2))
        self.score[:, judge.FIRST_WRONG] = self.free_score[:, judge.FIRST_WRONG] = -1
        counters = len(self.free.heap.by_spc) + 1
        self.truth = np.zeros(counters + PAGES, np.int64)
        self.true_spans = np.zeros(counters + PAGES, np.int64)
        self.seen = np.full(2 + PS, -1, np.int64)
        self.events = 0
        self.unplaced = 0
        self.errors: list[float] = []
        self.heap_wrong = ""
        self.heap_right = 0
        self.mallocs: dict[str, int] = {}

    def feed(self, batch: Batch) -> None:
        """Apply one batch to both."""
        self.set_right(self.run_free(batch))

    def run_free(self, batch: Batch) -> Passed:
        """Apply one batch to the replay that is never corrected; what it has passed can be given to the other."""
        if batch.addr is None:
            raise TraceError(f"{self.trace.name}: says that it holds addresses; from event {self.events} on there are none")
        kinds = batch.kind & np.uint8(KIND_MASK)
        columns = Columns(*map(np.ascontiguousarray, (batch.kind, batch.p, batch.id, batch.size, batch.arg)))
        passed = Passed(batch, self.events, self.free.note(batch), columns, np.ascontiguousarray(batch.addr))
        self.free.tables.fit(*passed.handles)
        self.free.heap.event = self.events
        self.refuse_misplaced(batch, kinds)
        real_p = (batch.p != NO_P) | ~_IS_BY_P[kinds]
        self.unplaced += len(batch) - int(np.count_nonzero(real_p))
        kept = Kept(self.free_score, self.seen, self.truth)
        at = 0
        while at < len(batch):
            at = int(follow.run_free(self.free.heap, self.free.tables.handles, columns, passed.addr, at, kept))
            self.fail(self.free, passed, at)
            kind = Kind(int(kinds[at - 1]))
            if kind in (Kind.GC_START, Kind.CHECKPOINT):
                self.compare_heap(at)
            self.free.events = self.events + at
            self.free.take_due_samples(kind, int(batch.arg[at - 1]))
        self.events += len(batch)
        return passed

    def set_right(self, passed: Passed) -> None:
        """Apply one batch to the replay that is set right; it may still be under way while `run_free` takes the next."""
        run = self.right
        run.tables.fit(*passed.handles)
        run.heap.event = passed.first
        kept = Kept(self.score, self.seen, self.true_spans)
        at = int(follow.run_set_right(run.heap, run.tables.handles, passed.columns, passed.addr, 0, kept))
        self.fail(run, passed, at)

    def refuse_misplaced(self, batch: Batch, kinds: NDArray[np.uint8]) -> None:
        """Raise at an event on the wrong side of the snapshot's end, and at a witness that is astray (`witnesses.py`)."""
        end, fault = self.free.end_of_snapshot(kinds)
        if fault:
            refuse(self.trace.name, self.events + end, batch, end, fault)
        if not self.trace.header.hints:
            return
        astray = np.flatnonzero(strays(batch, kinds, self.free.heap))
        if len(astray):
            at = int(astray[0])
            raise ReplayError(f"{self.trace.name}: event {self.events + at} {astray_in_words(batch, at, self.free.heap)}")

    def fail(self, run: Run, passed: Passed, at: int) -> None:
        """Raise where a kernel stopped at a fault."""
        if run.heap.fault:
            refuse(self.trace.name, passed.first + at, passed.batch, at, int(run.heap.fault))

    def compare_heap(self, at: int) -> None:
        """Hold the free-running heap against the recording's own table of spans, where it has one."""
        if not self.trace.header.hints:
            return
        heap = self.free.heap
        counters = len(heap.by_spc)
        shift = int(heap.knobs.page_shift)
        true_inuse = int(self.truth[counters]) << shift
        own_inuse = int(heap.stats.in_use)
        same_spans = bool((heap.by_spc["spans"] == self.truth[:counters]).all())
        self.errors.append(abs(own_inuse - true_inuse) / true_inuse if true_inuse else 0.0)
        if same_spans and own_inuse == true_inuse:
            self.heap_right += 1
        elif not self.heap_wrong:
            self.heap_wrong = f"event {self.events + at}: HeapInuse {own_inuse}, recorded {true_inuse}"

    def rows(self, memstats: dict[str, dict[str, Any]] | None) -> dict[str, Row]:
        """All rows of the score."""
        self.score[judge.FREE_RUNNING] = self.free_score[judge.FREE_RUNNING]
        rows = {
            "integrity": self.integrity(memstats),
            "geometry": self.geometry(),
            "slot": self.scored("slot", judge.SLOT),
            "refill": self.scored("span taken", judge.REFILL),
            "page": self.scored("page", judge.PAGE, judge.MANUAL_PAGE),
            "free_running": self.scored("address", judge.FREE_RUNNING),
            "heap": Row(
                self.heap_right,
                len(self.errors),
                self.heap_wrong,
                float(np.mean(self.errors)) if self.errors else None,
                float(np.max(self.errors)) if self.errors else None,
            ),
            "memstats": compare_memstats(self.free.checkpoints, memstats),
            "released": self.released(memstats),
            "heap_live": self.scored("heapLive", judge.HEAP_LIVE),
            "stack": self.scored("stack", judge.STACK),
        }
        return {name: rows[name] for name in ROWS}

    def scored(self, what: str, *rows: int) -> Row:
        """A row from the kernels' score."""
        picked: NDArray[np.int64] = self.score[list(rows)]
        wrong = [int(event) for event in picked[:, judge.FIRST_WRONG] if event >= 0]
        return Row(
            int(picked[:, judge.RIGHT].sum()),
            int(picked[:, judge.TOTAL].sum()),
            f"event {min(wrong)}: another {what}" if wrong else "",
        )

    def geometry(self) -> Row:
        """Objects that lie in a slot of a span of their class."""
        total, lost = int(self.score[judge.SLOT, judge.TOTAL]), int(self.score[judge.SLOT, judge.LOST])
        return Row(total - lost, total)

    def integrity(self, memstats: dict[str, dict[str, Any]] | None) -> Row:
        """Events that fit together; with MemStats also the number of allocations between checkpoints."""
        right, total, wrong = self.events - self.unplaced, self.events, ""
        if self.unplaced:
            wrong = f"{self.unplaced} allocations by no P"
        points = [c for c in self.free.checkpoints if memstats and c.name in memstats]
        for before, after in pairwise(points):
            total += 1
            found = _int(after.memstats["Mallocs"]) - _int(before.memstats["Mallocs"])
            assert memstats is not None
            told = memstats[after.name]["Mallocs"] - memstats[before.name]["Mallocs"]
            if found == told:
                right += 1
            elif not wrong:
                wrong = f"{before.name} to {after.name}: {found} allocations, MemStats.Mallocs says {told}"
        return Row(right, total, wrong)

    def released(self, memstats: dict[str, dict[str, Any]] | None) -> Row:
        """HeapReleased at every checkpoint that both know: right where it lies in the range that a replay tells."""
        errors: list[float] = []
        right, wrong = 0, ""
        for sample in np.concatenate(self.free.samples) if self.free.samples else ():
            name = self.free.names[int(sample["name"])] if sample["reason"] == Reason.CHECKPOINT else None
            told = memstats.get(name, {}).get("HeapReleased") if memstats and name else None
            if not isinstance(told, int):
                continue
            found = heap_released(sample, self.free.design, self.trace.header.gomaxprocs, True)
            errors.append(abs(found.model - told) / max(int(sample["heap_idle"]), 1))
            if found.low <= told <= found.high:
                right += 1
            elif not wrong:
                wrong = f"{name}: HeapReleased {found.low} to {found.high}, MemStats says {told}"
        return Row(right, len(errors), wrong, *((float(np.mean(errors)), max(errors)) if errors else (None, None)))

    def hints(self) -> dict[str, int]:
        """What was taken from the recording, by name."""
        counts = self.free.counts
        return {k.name.lower(): int(counts[k]) for k in (*SNAP_KINDS, *HINT_KINDS) if counts[k]}

    def notes(self) -> list[str]:
        """What the reader must know."""
        notes = [*self.trace.header.notes, *self.trace.remarks]
        if not self.trace.header.from_start:
            notes.append(
                "The recording starts late in the program's life: the order of its lists and what its caches held are "
                "not in it, so free-running figures mean little; decision by decision they do."
            )
        return notes


def compare_memstats(checkpoints: list[Checkpoint], memstats: dict[str, dict[str, Any]] | None) -> Row:
    """Every cell of MemStats at every checkpoint that both know."""
    if not memstats:
        return Row()
    points = [c for c in checkpoints if c.name in memstats]
    right = total = 0
    wrong = ""
    first = points[0] if points else None
    for point in points:
        told = memstats[point.name]
        assert first is not None
        base, told_base = first.memstats, memstats[first.name]
        cells = [(name, _int(point.memstats[name]), told[name]) for name in GAUGES if name in told]
        cells += [
            (name, _int(point.memstats[name]) - _int(base[name]), told[name] - told_base[name])
            for name in COUNTERS
            if name in told
        ]
        cells += [cell for own in _by_size(point, first, told, told_base) for cell in own]
        for name, found, expected in cells:
            total += 1
            if found == expected:
                right += 1
            elif not wrong:
                wrong = f"{point.name}: {name} {found}, MemStats says {expected}"
    return Row(right, total, wrong)


def _by_size(
    point: Checkpoint, first: Checkpoint, told: dict[str, Any], told_base: dict[str, Any]
) -> list[list[tuple[str, int, int]]]:
    """The cells of BySize, each as far as it moved since the first checkpoint."""
    own: Any = point.memstats["BySize"]
    own_base: Any = first.memstats["BySize"]
    out = []
    for a, a0, b, b0 in zip(own, own_base, told.get("BySize", []), told_base.get("BySize", []), strict=False):
        out.append([(f"BySize[{a['Size']}].{name}", a[name] - a0[name], b[name] - b0[name]) for name in COUNTERS])
    return out


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
