"""One event of a trace: the replay up to it, and what it changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from goalloc_cli.analyses.explain import rules
from goalloc_cli.analyses.explain.alloc import explain_alloc
from goalloc_cli.analyses.explain.moment import Change, look
from goalloc_cli.analyses.explain.others import compared, tell
from goalloc_cli.analyses.explain.workers import Workers
from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.allocator import Design
from goalloc_cli.errors import EventError
from goalloc_cli.trace.event import BOUND, KIND_MASK, NO_P, NOSCAN, SNAP_KINDS, Batch, Kind
from goalloc_cli.trace.trace import Trace

Document = dict[str, Any]


def explain_event(
    trace: Trace, design: Design, number: int, *, hints: bool, progress: Callable[[int], None] | None = None
) -> Document:
    """Replay a trace up to event `number` (the first is 0), apply that one, and tell what it did.

    Raises:
        EventError: the trace ends before it.
        ReplayError, TraceError: as `replay`.
    """
    run = Run(trace, design, hints, "gc", check=False)
    workers, events = Workers(), 0
    for batch in trace.batches:
        if number < events + len(batch):
            at = number - events
            run.feed(batch.part(0, at))
            workers.add(batch.part(0, at))
            return explained(run, batch.part(at, at + 1).without_news(), number, workers)
        run.feed(batch)
        workers.add(batch)
        events += len(batch)
        if progress:
            progress(events)
    raise EventError(f"{trace.name}: there is no event {number}; there are {events:,}, and the first is 0")


def explained(run: Run, event: Batch, number: int, workers: Workers) -> Document:
    """Apply one event, and tell what it did."""
    flags, p, handle, size, arg = (int(column[0]) for column in (event.kind, event.p, event.id, event.size, event.arg))
    kind = Kind(flags & KIND_MASK)
    before = look(run.heap)
    was = run.tables.objects[handle].copy() if handle < len(run.tables.objects) else None
    run.feed(event)
    change = Change(before, look(run.heap))
    who = 0 if p == NO_P else p
    found: Document = {
        "event": number,
        "kind": kind.name.lower(),
        "p": None if p == NO_P or kind in SNAP_KINDS else p,
        "heap_inuse": {"before": before.stats["in_use"], "after": change.after.stats["in_use"]},
        "heap_released": {"before": before.stats["released"], "after": change.after.stats["released"]},
        "stack_inuse": {"before": before.stats["stacks"], "after": change.after.stats["stacks"]},
        "locks": change.locks(),
        "swept": change.swept(),
        "spans_freed": change.spans_freed(),
    }
    if kind in (Kind.ALLOC, Kind.TINY):
        found["owner"] = workers.of(p)
    if kind is Kind.WORKS_FOR:
        owner = workers.named(arg)
        told = owner["in_words"] if owner else "an owner that is not known"
        return found | {"steps": [f"From here on this P allocates for {told}. It changes nothing."]}
    if kind is not Kind.ALLOC:
        return found | tell(run, change, kind, who, handle, size, arg, was, witness(event))
    asked = rules.request(run.design, size, bool(flags & NOSCAN))
    made = explain_alloc(run, change, who, handle, asked)
    return found | {
        "object": handle,
        "type": run.types[arg].name or None if arg < len(run.types) else None,
        "size_known": not flags & BOUND,
        **rules.facts(asked, run.design),
        **made,
        **compared(made["address"], witness(event)),
    }


def witness(event: Batch) -> int | None:
    """The address that the real runtime chose, where the recording has it."""
    return int(event.addr[0]) or None if event.addr is not None else None
