"""The loop of `verify`: each decision of the model against what the real runtime did."""

from __future__ import annotations


from goalloc_cli.jit import kernel
from goalloc_cli.model.loop import ALLOC, CHECKPOINT, GC_END, GC_START, KIND_MASK, SNAP_END, STACK_ALLOC, apply


@kernel
def run_free(heap, objects, stacks, manual_spans, cursor, kind, p, handle, size, arg, addr, start, rows):
    for i in range(start, len(kind)):
        heap.event_in_batch = i
        k = kind[i] & KIND_MASK
        apply(heap, objects, stacks, manual_spans, cursor, kind[i], p[i], handle[i], size[i], arg[i])
        if heap.fault:
            return i
        if k == ALLOC and addr[i] != 0:
            loc = objects[handle[i]].loc
            span = heap.spans[loc >> 16]
            ok = span.start_addr + (loc & 0xFFFF) * span.elem_size == addr[i]
            rows[0, 0] += 1
            if ok:
                rows[0, 1] += 1
            elif rows[0, 2] == 0:
                rows[0, 2] = heap.event + i
        elif k == STACK_ALLOC and addr[i] != 0:
            rows[1, 0] += 1
            if heap.base_addr + stacks[handle[i], 0] * heap.knobs.stack_min == addr[i]:
                rows[1, 1] += 1
            elif rows[1, 2] == 0:
                rows[1, 2] = heap.event + i
        if k == GC_END or k == GC_START or k == CHECKPOINT or k == SNAP_END:
            return i + 1
    return len(kind)
