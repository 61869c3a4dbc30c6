"""Who holds the heap at one moment of a trace: a replay up to it, and a look at every live object."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.replay import Run
from goalloc_cli.analyses.tracer import BUFFERS
from goalloc_cli.analyses.who.follow import Followed
from goalloc_cli.analyses.who.moment import feed
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.heapprofile import lacks_caller
from goalloc_cli.errors import EventError
from goalloc_cli.model.books import survey
from goalloc_cli.model.tables.objects import LABEL_SHIFT, OBJECT_LIVE
from goalloc_cli.results.exported.held import HOLDING, LEDGER_OF, LIVES, OF_TRACER, Held
from goalloc_cli.results.outcome import Place, Reason
from goalloc_cli.trace.event import KIND_MASK, Batch, Kind
from goalloc_cli.trace.trace import Trace

MOST_NAMES = 8
"""Checkpoints that are listed where one is not found."""

Rows = NDArray[np.void]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Moment:
    """Where a replay stops."""

    kind: str
    """"end"; "peak", "gc" or "event" with a number; "checkpoint" with a name."""
    number: int = 0
    """Of a GC cycle, counted from 1; of events before the moment."""
    name: str = ""
    row: np.void | None = None
    """The SAMPLE row of the moment, where that is known ("peak")."""

    def __str__(self) -> str:
        if self.kind == "checkpoint":
            return f"checkpoint {self.name!r}"
        counted = {"gc": f"GC {self.number}", "event": f"event {self.number}", "peak": f"the peak (event {self.number})"}
        return counted.get(self.kind, f"the {self.kind}")


def moment_of(word: str) -> Moment:
    """What --at says: peak, end, gc:N, event:N, or the name of a checkpoint."""
    if word in ("peak", "end"):
        return Moment(word)
    found = re.fullmatch(r"(gc|event):(\d{1,18})", word, re.ASCII)
    return Moment(found[1], int(found[2])) if found else Moment("checkpoint", name=word)


def stopped(
    trace: Trace,
    design: Design,
    moment: Moment,
    *,
    hints: bool,
    progress: Callable[[int], None] | None = None,
) -> tuple[Run, Followed]:
    """Replay a trace up to a moment.

    Raises:
        EventError: the trace has no such moment.
        ReplayError, TraceError: as `replay`.
    """
    run, followed = Run(trace, design, hints, "gc", check=False), Followed(design)
    for batch in trace.batches:
        stop = stop_in(batch, moment, run)
        if stop is not None:
            feed(run, followed, batch, 0, stop)
            if missed(run, moment):
                # What that one event does first makes the heap as large as it ever was.
                feed(run, followed, batch, stop, stop + 1)
            return run, followed
        feed(run, followed, batch, 0, len(batch))
        if progress:
            progress(run.events)
    refuse_beyond(run, moment)
    return run, followed


def missed(run: Run, moment: Moment) -> bool:
    """Whether HeapInuse is not what it is at the moment."""
    return moment.row is not None and int(run.heap.stats.in_use) != int(moment.row["heap_inuse"])


def stop_in(batch: Batch, moment: Moment, run: Run) -> int | None:
    """How many events of a batch come before the moment; None where it lies behind them."""
    kinds = batch.kind & np.uint8(KIND_MASK)
    if moment.kind in ("event", "peak"):
        left = moment.number - run.events
        return left if left < len(batch) else None
    if moment.kind == "gc":
        ends = np.flatnonzero(kinds == Kind.GC_END)
        left = moment.number - int(run.counts[Kind.GC_END])
        return int(ends[left - 1]) + 1 if 0 < left <= len(ends) else None
    if moment.kind == "checkpoint":
        names = [*run.names, *batch.new_names]
        mine = [number for number, name in enumerate(names) if name == moment.name and number]
        found = np.flatnonzero((kinds == Kind.CHECKPOINT) & np.isin(batch.arg, mine))
        return int(found[0]) + 1 if len(found) else None
    return None


def refuse_beyond(run: Run, moment: Moment) -> None:
    """Raise EventError where the trace has ended before the moment."""
    there = f"{run.trace.name}: there is no {moment}"
    if moment.kind == "gc":
        cycles = int(run.counts[Kind.GC_END])
        raise EventError(f"{there}; the trace has {cycles:,} GC cycles, and the first is 1")
    if moment.kind in ("event", "peak") and moment.number > run.events:
        raise EventError(f"{there}; there are {run.events:,}, and the first is 0")
    if moment.kind == "checkpoint":
        names = list(dict.fromkeys(point.name for point in run.checkpoints))
        known = ", ".join(map(repr, names[:MOST_NAMES])) + (", ..." if len(names) > MOST_NAMES else "")
        raise EventError(f"{there}; it has {known}" if names else f"{there}; it has none; peak, end, gc:N and event:N go")


def last_explicit_cycle(trace: Trace) -> int:
    """The number of the last GC cycle that the program asked for (runtime.GC), 0 where there is none."""
    cycles = found = 0
    for batch in trace.batches:
        asked = batch.arg[batch.kind & np.uint8(KIND_MASK) == Kind.GC_END]
        if asked.any():
            found = cycles + int(np.flatnonzero(asked)[-1]) + 1
        cycles += len(asked)
    return found


def held(run: Run, followed: Followed, design_name: str, moment: Moment) -> Held:
    """Who holds the heap of a replay that was stopped at a moment."""
    # First of all: it sees whether the tracer's buffers still live.
    now = sample_of(run)
    spans = survey.spans(run.heap)
    rest = rest_of(run, spans)
    if moment.row is not None:
        sweep_until(rest, spans, moment.row)
    return Held(
        trace_name=run.trace.name,
        design_name=design_name,
        at=str(moment),
        sample=now if moment.row is None else moment.row,
        holdings=np.concatenate([of_objects(run, spans, rest, followed), of_empty_spans(spans, rest)]),
        types=[entry.name for entry in run.types],
        functions=followed.functions,
        calls=followed.calls,
        owners=followed.owners,
        lacks_caller=lacks_caller(run.trace.header.go_version),
    )


def sample_of(run: Run) -> np.void:
    """The SAMPLE row of a replay now."""
    sample = np.array([run.sample(Reason.EVERY)])
    run.tracer.take_out(sample, run.design.page_size)
    row: np.void = sample[0]
    return row


def rest_of(run: Run, spans: Rows) -> dict[str, Numbers]:
    """What each span holds beside live objects, in bytes."""
    span_bytes = spans["npages"] << int(run.heap.knobs.page_shift)
    metadata = np.where(spans["spc"] < 2, 0, survey.plain(run.heap.spanclasses)["metadata"][spans["spc"]])
    return {
        "dead": (spans["used"] - spans["live"]) * spans["elem_size"],
        "free_slots": (spans["nelems"] - spans["used"]) * spans["elem_size"],
        "tails": span_bytes - metadata - spans["nelems"] * spans["elem_size"],
        "metadata": metadata,
    }


def sweep_until(rest: dict[str, Numbers], spans: Rows, row: np.void) -> None:
    """Make dead objects free slots until as many are left as at a moment within the next event.

    The peak is such a moment: a GC's end flushes the mcaches, whose spans are swept, by class in each, until one goes in
    which nothing lives. With one P these are the very spans.
    """
    more = int(rest["dead"].sum()) - sum(int(row[name]) for name in LEDGER_OF["dead"])
    order = np.lexsort([spans["spc"], spans["place"] != Place.MCACHE, spans["live"] == 0])
    swept = np.diff(np.minimum(np.cumsum(rest["dead"][order]), max(more, 0)), prepend=0)
    rest["dead"][order] -= swept
    rest["free_slots"][order] += swept


def of_objects(run: Run, spans: Rows, rest: dict[str, Numbers], followed: Followed) -> Rows:
    """HOLDING rows of live objects."""
    objects = survey.plain(run.tables.objects.view(np.recarray))
    handles = np.flatnonzero((objects["label"] & OBJECT_LIVE != 0) & (objects["loc"] >= 0))
    handles = handles[np.argsort(objects["loc"][handles], kind="stable")]
    loc = objects["loc"][handles]
    if not len(loc):
        return np.zeros(0, HOLDING)
    place = np.zeros(int(spans["pin_type"].max()) + 1, np.int64)
    place[spans["pin_type"]] = np.arange(len(spans))
    span = place[loc >> 16]
    slot = spans["elem_size"][span]
    tracer = of_tracer(run, handles)
    born = followed.rows_of(handles)
    groups = Groups(
        spc=spans["spc"][span],
        slot=slot,
        type=(objects["label"][handles] >> LABEL_SHIFT).astype(np.int64),
        # Where a trace tells of no owners, nobody is told from those before it.
        owner=born["owner"].astype(np.int64) * (len(followed.owners) > 1),
        stack=born["stack"].astype(np.int64),
        place=np.where(tracer, OF_TRACER, LIVES),
    )
    live = slot - objects["unused"][handles]
    # Tiny objects may share a slot: what it has beyond all of them is laid on the first.
    first = np.append(True, loc[1:] != loc[:-1])
    at = np.flatnonzero(first)
    rounding = np.zeros(len(loc), np.int64)
    rounding[at] = slot[at] - np.add.reduceat(live, at)
    groups.sum("objects", first.astype(np.int64))
    groups.sum("space", live + rounding)
    groups.sum("tracer", np.where(tracer, live + rounding, 0))
    groups.sum("live", np.where(tracer, 0, live))
    groups.sum("rounding", np.where(tracer, 0, rounding))
    lives = np.bincount(span, minlength=len(spans))[span]
    begins = np.flatnonzero(np.append(True, span[1:] != span[:-1]))
    number = np.arange(len(span)) - np.repeat(begins, np.diff(begins, append=len(span)))
    for name, total in rest.items():
        # In whole bytes, so that the parts sum to the total.
        groups.sum(name, total[span] * (number + 1) // lives - total[span] * number // lives)
    return groups.rows


def of_tracer(run: Run, handles: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which objects are the tracer's buffers, as the ledger counts them; any two as large weigh the same."""
    found, tracer = np.zeros(len(handles), np.bool_), run.tracer
    if tracer.since <= run.events <= tracer.until:
        for candidates in tracer.candidates.values():
            found[np.flatnonzero(np.isin(handles, candidates))[:BUFFERS]] = True
    return found


def of_empty_spans(spans: Rows, rest: dict[str, Numbers]) -> Rows:
    """HOLDING rows of spans in which nothing lives."""
    empty = spans["live"] == 0
    if not empty.any():
        return np.zeros(0, HOLDING)
    nothing = np.zeros(int(empty.sum()), np.int64)
    mine = spans[empty]
    keys = {"spc": mine["spc"], "slot": mine["elem_size"], **dict.fromkeys(("type", "owner", "stack"), nothing)}
    groups = Groups(**keys, place=mine["place"])
    for name, total in rest.items():
        groups.sum(name, total[empty])
    return groups.rows


class Groups:
    """HOLDING rows, one for all things that have the same keys."""

    def __init__(self, **keys: Numbers) -> None:
        """The keys of each thing, in the order that rows are sorted by; there is at least one."""
        self.order = np.lexsort([*reversed(keys.values())])
        differs = np.zeros(len(self.order) - 1, np.bool_)
        for column in keys.values():
            ordered = column[self.order]
            differs |= ordered[1:] != ordered[:-1]
        self.at = np.flatnonzero(np.append(True, differs))
        self.rows = np.zeros(len(self.at), HOLDING)
        for name, column in keys.items():
            self.rows[name] = column[self.order[self.at]]

    def sum(self, name: str, values: Numbers) -> None:
        """Fill in a column: the sums of what each thing has."""
        self.rows[name] = np.add.reduceat(values[self.order], self.at)
