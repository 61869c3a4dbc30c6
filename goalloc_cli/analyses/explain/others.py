"""What an event does that is no allocation of an object: a death, a collection, a stack, a hint; in a sentence or two."""

from __future__ import annotations

from typing import Any

import numpy as np

from goalloc_cli.analyses.explain.moment import Change
from goalloc_cli.analyses.explain.rules import many
from goalloc_cli.analyses.replay import Run
from goalloc_cli.model.tables.heap import NONE
from goalloc_cli.model.tables.objects import OBJECT_LIVE
from goalloc_cli.model.tables.slotbits import TINY_SPC
from goalloc_cli.trace.event import HINT_KINDS, SNAP_KINDS, WITNESS_KINDS, Kind

Document = dict[str, Any]

SNAPSHOT = {
    Kind.SNAP_RANGE: "a range of addresses that the heap had been given",
    Kind.SNAP_SPAN: "a heap span",
    Kind.SNAP_UNSWEPT: "the span before it waited to be swept",
    Kind.SNAP_OBJECT: "an object in the span before it",
    Kind.SNAP_STACK_SPAN: "a span of goroutine stacks, or of GC work buffers",
    Kind.SNAP_STACK: "a goroutine stack",
    Kind.SNAP_PAGE_CACHE: "the page cache of a P",
    Kind.SNAP_END: "it is complete",
    Kind.SNAP_PADDING: "pages at the start of the heap that are never used",
    Kind.SNAP_DEAD: "a dead object in an unswept span",
}
"""What each kind tells of the heap as it was when the recording began."""

WITNESS = {
    Kind.SAW_SPAN_ALLOC: "a heap span was allocated",
    Kind.SAW_SPAN_FREE: "a heap span was given back",
    Kind.SAW_HEAP_LIVE: "heapLive changed",
}
"""What the recording saw; only `verify` reads it."""

HINT = {
    Kind.SWEEP_TO: "a sweeper has come to the span of object {id}",
    Kind.SWEEP_COUNT: "a sweeper has swept {size:,} spans since it last said so",
    Kind.SWEEP_DRAINED: "the background sweeper found nothing left",
    Kind.SWEEP_CREDIT: "the next refill of P{p} sweeps {size:,} B of spans first",
    Kind.SWEEP_RECLAIM: "the page reclaimer swept the span of object {id}",
    Kind.SWEPT_NEXT: "the next cycle sweeps the span of object {id} after those told before",
    Kind.MCACHE_FLUSH: "the mcache of P{p} was flushed",
    Kind.PAGE_CACHE_FLUSH: "the page cache of P{p} was given back",
    Kind.MANUAL_ALLOC: "a span of {size:,} pages for stacks or GC work buffers was taken",
    Kind.MANUAL_FREE: "a span of stacks or GC work buffers was given back",
    Kind.RECLAIM_BYTES: "the next call of the page reclaimer accounts for {size:,} B",
}
"""What the recording tells of what no model can know."""


def tell(
    run: Run, change: Change, kind: Kind, p: int, handle: int, size: int, arg: int, was: np.void | None, recorded: int | None
) -> Document:
    """What the event did: steps, and where it has one, an address."""
    shown = kind.name.lower().replace("_", " ")
    if kind is Kind.FREE:
        return free(run, handle, was)
    if kind in (Kind.STACK_ALLOC, Kind.STACK_FREE):
        return stack(run, change, kind, p, handle, size, recorded)
    if kind is Kind.GC_START:
        return steps(*gc_start(run, change, arg))
    if kind is Kind.GC_END:
        return steps(*gc_end(change, arg))
    if kind in SNAP_KINDS:
        anew = "" if run.heap.gc.placed else "Another allocator is replayed: its objects and stacks are allocated anew."
        return steps(f"Part of the snapshot of the heap when the recording began: {SNAPSHOT.get(kind, shown)}.", anew)
    if kind in WITNESS_KINDS:
        seen = WITNESS.get(kind, shown)
        return steps(f"A witness: the recording saw that {seen}. Only verify reads it; it changes nothing.")
    if kind in HINT_KINDS:
        told = steps(*hint(run, change, HINT.get(kind, shown).format(id=handle, size=size, p=p)))
        return told | manual(run, handle, recorded) if kind is Kind.MANUAL_ALLOC and run.heap.gc.hinted else told
    return steps(*plain(run, change, kind, size, arg))


def steps(*told: str) -> Document:
    """What happened, sentence by sentence."""
    return {"steps": [step for step in told if step]}


def free(run: Run, handle: int, was: np.void | None) -> Document:
    """An object died."""
    if was is None or not was["label"] & OBJECT_LIVE or int(was["loc"]) == NONE:
        return steps(f"Object {handle} is dead. It had no size, and took no memory.")
    s, slot = int(was["loc"]) >> 16, int(was["loc"]) & 0xFFFF
    span = run.heap.spans[s]
    base, size = int(span["start_addr"]), int(span["elem_size"])
    where = f"slot {slot} of span {base:#x}, of {size:,} B" if int(span["spc"]) >= 2 else f"span {base:#x}, its own"
    told = [f"Object {handle} of {size - int(was['unused']):,} B is dead from here on. It lies in {where}."]
    live = run.heap.bits[int(span["bits"]) + int(span["nwords"]) + (slot >> 6)]
    if int(span["spc"]) == TINY_SPC and int(live) >> (slot & 63) & 1:
        told.append("Its tiny block still holds a live object, so the slot stays in use.")
    else:
        told.append("Nothing moves: the slot is free again when its span is swept after the next cycle that starts.")
    return {"object": handle, "address": base + slot * size, "slot": slot} | steps(*told)


def stack(run: Run, change: Change, kind: Kind, p: int, handle: int, size: int, recorded: int | None) -> Document:
    """A goroutine stack came or went."""
    locks = change.locks().get("stack", 0)
    lock = f"; it took the heap lock {many(locks, 'time')}" if locks else "; no heap lock was needed"
    if kind is Kind.STACK_FREE:
        return {"stack": handle} | steps(f"Goroutine stack {handle} is given back{lock}.")
    piece = int(run.tables.stacks[handle, 0])
    if piece < 0:
        return {"stack": handle, "address": None} | steps(
            f"Goroutine stack {handle} of {size:,} B begins; the recording does not tell in which span."
        )
    address = int(run.heap.base_addr) + piece * int(run.heap.knobs.stack_min)
    taken = change.stat("stacks")
    source = f"a new span of {taken:,} B" if taken else f"what P{p} or the stack pools had free"
    return {
        "stack": handle,
        "address": address,
        **compared(address, recorded),
        "steps": [f"Goroutine stack {handle} of {size:,} B begins, from {source}{lock}."],
    }


def gc_start(run: Run, change: Change, explicit: int) -> list[str]:
    """A mark phase begins."""
    marks = run.heap.marks
    scan, noscan = int(marks["slot_bytes"][0::2].sum()), int(marks["slot_bytes"][1::2].sum())
    why = "runtime.GC was called" if explicit else "the heap reached its trigger, or so the trace says"
    return [
        f"GC cycle {change.after.gc['cycle']} starts to mark: {why}. heapLive is {change.before.gc['heap_live']:,} B.",
        swept(change, "Before that sweeping had to be finished: "),
        f"{int(marks['objects'].sum()):,} objects are live: {scan:,} B of slots with pointers are scanned, "
        f"{noscan:,} B without are skipped.",
    ]


def gc_end(change: Change, explicit: int) -> list[str]:
    """Marking is done."""
    gc = change.after.gc
    goal = "GC is off" if gc["gogc"] < 0 else f"the next goal is {gc['goal']:,} B (GOGC={gc['gogc']})"
    return [
        f"GC cycle {gc['cycle']} ends with {gc['heap_marked']:,} B marked; {goal}.",
        "Every span is to be swept from here on: what is not marked becomes free slots.",
        swept(change, "So far: "),
        "runtime.GC returns only when all is swept." if explicit else "",
    ]


def swept(change: Change, before: str) -> str:
    """Who swept how much in this event."""
    told = [f"{many(spans, 'span')} ({who})" for who, spans in change.swept().items()]
    if not told:
        return ""
    return f"{before}swept {', '.join(told)}, gave {many(change.spans_freed(), 'span')} back."


def hint(run: Run, change: Change, what: str) -> list[str]:
    """The recording tells something."""
    if not run.heap.gc.hinted:
        return [f"A hint of the recording: {what}. It is set aside: another allocator is replayed, or none was recorded."]
    return [f"A hint of the recording: {what}.", swept(change, "Done: ")]


def manual(run: Run, handle: int, recorded: int | None) -> Document:
    """Where a span for stacks or work buffers was taken."""
    address = int(run.heap.spans[int(run.tables.manual_spans[handle])]["start_addr"])
    return {"address": address, **compared(address, recorded)}


def compared(address: int | None, recorded: int | None) -> Document:
    """The recorded address, and whether the model came to the same."""
    return {"recorded_address": recorded, "equal": None if recorded is None or address is None else address == recorded}


def plain(run: Run, change: Change, kind: Kind, size: int, arg: int) -> list[str]:
    """The other events."""
    if kind is Kind.TINY:
        asked = f"of {size:,} B" if size else "below 16 B"
        return [f"A request {asked} was packed into a tiny block: it took no slot."]
    if kind is Kind.FLUSH:
        return ["runtime.ReadMemStats stops the world: every P's mcache is flushed.", swept(change, "")]
    if kind is Kind.CHECKPOINT:
        name = run.names[arg] if arg < len(run.names) else ""
        return [f"The program named this point {name!r}. It changes nothing."]
    if kind is Kind.TIME:
        return [f"It is {size:,} ns since the start of the trace."]
    if kind is Kind.GOROUTINES:
        return [f"There are {size:,} goroutines. It changes nothing."]
    if kind is Kind.GC_CPU:
        return [f"In the cycle that ends next {'assists' if arg else 'mark workers'} ran {size:,} ns. It changes nothing."]
    if kind is not Kind.SET_GOGC:
        return ["What it did to the heap stands below."]
    set_to = "off" if arg else f"{size} percent"
    return [f"The program set GOGC to {set_to}: the goal of the next cycle is {change.after.gc['goal']:,} B."]
