"""What stops a replay, in words: impossible states and full tables (`heap.fault`)."""

from __future__ import annotations

from goalloc_cli.model.heap import (
    FAULT_DOUBLE_FREE,
    FAULT_GC_ORDER,
    FAULT_LIVE_HANDLE,
    FAULT_MANUAL,
    FAULT_OBJECTS,
    FAULT_P,
    FAULT_PAGES,
    FAULT_QUEUE_NODES,
    FAULT_RUNS,
    FAULT_SIZE,
    FAULT_SLOT_WORDS,
    FAULT_SNAPSHOT,
    FAULT_SPANS,
    FAULT_STACK_SIZE,
    FAULT_UNKNOWN_STACK,
    PAGES,
    PS,
    QUEUE_NODES,
    RUNS,
    SLOT_WORDS,
    SPANS,
)

FAULTS = {
    FAULT_PAGES: f"the heap outgrew the {PAGES} pages that the model holds",
    FAULT_SPANS: f"more than {SPANS - 1} spans",
    FAULT_SLOT_WORDS: f"the bitmaps of all spans outgrew {SLOT_WORDS} words",
    FAULT_QUEUE_NODES: f"more than {QUEUE_NODES} spans wait in mcentral queues",
    FAULT_OBJECTS: "a handle is larger than any before it by more than one batch",
    FAULT_DOUBLE_FREE: "free of an object that is not live",
    FAULT_LIVE_HANDLE: "allocation with the handle of a live object",
    FAULT_UNKNOWN_STACK: "free of a goroutine stack that is not in use, or allocation of one that is",
    FAULT_SIZE: "an object is larger than the address space of the model",
    FAULT_P: f"P number beyond {PS - 1}",
    FAULT_SNAPSHOT: "the snapshot of the heap contradicts itself",
    FAULT_MANUAL: "a manual span is freed that was not allocated",
    FAULT_GC_ORDER: "GC start and GC end do not alternate",
    FAULT_RUNS: f"more than {RUNS - 1} runs of free pages",
    FAULT_STACK_SIZE: "a goroutine stack's size is not a power of two from the smallest size on",
}
