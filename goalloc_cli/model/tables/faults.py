"""What stops a replay, in words (`heap.fault`): bad events, snapshots that contradict themselves, and full tables."""

from __future__ import annotations

from goalloc_cli.model.tables.heap import (
    FAULT_DOUBLE_FREE,
    FAULT_GC_ORDER,
    FAULT_LATE_SNAPSHOT,
    FAULT_LIVE_HANDLE,
    FAULT_MANUAL,
    FAULT_OPEN_SNAPSHOT,
    FAULT_P,
    FAULT_PAGES,
    FAULT_QUEUE_NODES,
    FAULT_RUNS,
    FAULT_SIZE,
    FAULT_SLOT_WORDS,
    FAULT_SNAPSHOT,
    FAULT_SPANS,
    FAULT_STACK_SIZE,
    FAULT_TIME,
    FAULT_UNKNOWN_STACK,
)
from goalloc_cli.model.tables.limits import full

BAD_EVENTS = {
    FAULT_DOUBLE_FREE: "free of an object that is not live",
    FAULT_LIVE_HANDLE: "allocation with the handle of a live object",
    FAULT_UNKNOWN_STACK: "free of a goroutine stack that is not in use, or allocation of one that is",
    FAULT_STACK_SIZE: "a goroutine stack's size is not a power of two from the smallest size on",
    FAULT_GC_ORDER: "GC start and GC end do not alternate",
    FAULT_TIME: "the time goes backwards",
    FAULT_LATE_SNAPSHOT: "an event of the snapshot comes after the snapshot",
    FAULT_MANUAL: "a manual span is freed that was not allocated, allocated twice, or has no pages",
}
"""Events that contradict the ones before them: `analyses.badevents` finds the same ones without a heap."""

CONTRADICTIONS = {
    FAULT_SNAPSHOT: "the snapshot of the heap contradicts itself",
    FAULT_OPEN_SNAPSHOT: "the program's events begin before the snapshot of the heap is complete",
}
"""What only a heap can tell."""

LIMITS = {
    FAULT_PAGES: f"the heap outgrows its address space: {full('pages')}",
    FAULT_SIZE: f"the object is larger than the address space: {full('pages')}",
    FAULT_SPANS: full("spans"),
    FAULT_SLOT_WORDS: f"the bitmaps of all spans are full: {full('slot_words')}",
    FAULT_QUEUE_NODES: f"the queues of all mcentrals are full: {full('queue_places')}",
    FAULT_RUNS: full("runs"),
    FAULT_P: full("ps"),
}
"""Full tables: the limit, and what raises it."""

FAULTS = BAD_EVENTS | CONTRADICTIONS | LIMITS
