"""mcentral since Go 1.15: for each span class, partial and full spans, swept and unswept, each a FIFO queue.

The queues swap roles when a cycle ends: parity tells which of the two is swept. A span that the page reclaimer sweeps leaves
its entry behind; whoever pops it sees by the sweepgen that it is stale. (Go: mcentral.go, mspanset.go; allocator.md 5.2)
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.spans.sweep import is_unswept, sweep_span
from goalloc_cli.model.tables.heap import FULL, NO_SPAN, NONE, PARTIAL, SWEPT_REFILL
from goalloc_cli.model.tables.nodes import free_node, new_node


@inner
def push(heap, spc, fill, parity, s):
    """Put span s at the end of a queue; at its front where span sets are stacks."""
    if heap.knobs.lifo_sets:
        push_front(heap, spc, fill, parity, s)
        return
    n = new_node(heap, s)
    if n == NONE:
        return
    central = heap.central[spc]
    last = central.tail[fill, parity]
    if last == NONE:
        central.head[fill, parity] = n
    else:
        heap.nodes[last].next = n
    central.tail[fill, parity] = n
    central.count[fill, parity] += 1


@inner
def push_front(heap, spc, fill, parity, s):
    """Put span s at the front of a queue."""
    n = new_node(heap, s)
    if n == NONE:
        return
    central = heap.central[spc]
    first = central.head[fill, parity]
    heap.nodes[n].next = first
    central.head[fill, parity] = n
    if first == NONE:
        central.tail[fill, parity] = n
    central.count[fill, parity] += 1


@inner
def pop(heap, spc, fill, parity):
    """Take the span at the front of a queue, or NO_SPAN where it is empty."""
    central = heap.central[spc]
    n = central.head[fill, parity]
    if n == NONE:
        return NO_SPAN
    node = heap.nodes[n]
    s = node.span
    central.head[fill, parity] = node.next
    if node.next == NONE:
        central.tail[fill, parity] = NONE
    central.count[fill, parity] -= 1
    free_node(heap, n)
    return s


@inner
def file_swept(heap, s):
    """Put a swept span where it belongs: partial or full."""
    span = heap.spans[s]
    fill = FULL if span.alloc_count == span.nelems else PARTIAL
    push(heap, span.spc, fill, heap.gc.parity, s)


@inner
def file_found(heap, s):
    """Put a span that a snapshot found where it belongs: each queue is found from its front on."""
    span = heap.spans[s]
    fill = FULL if span.alloc_count == span.nelems else PARTIAL
    push(heap, span.spc, fill, 1 - heap.gc.parity if is_unswept(heap, span) else heap.gc.parity, s)


@inner
def cache_span(heap, spc):
    """A swept span of the class with a free slot, or NO_SPAN: then the class has to grow. (Go: mcentral.go, cacheSpan)"""
    s = pop(heap, spc, PARTIAL, heap.gc.parity)
    if s != NO_SPAN:
        heap.central[spc].from_partial_swept += 1
        return s
    if not heap.gc.sweeping:
        return NO_SPAN
    return sweep_for(heap, spc)


@inner
def sweep_for(heap, spc):
    """Sweep unswept spans of the class until one has a free slot; NO_SPAN where none of the first hundred has."""
    central = heap.central[spc]
    swept = heap.gc.parity
    unswept = 1 - swept
    budget = heap.knobs.span_budget
    while budget >= 0:
        s = pop(heap, spc, PARTIAL, unswept)
        if s == NO_SPAN:
            break
        if is_queued_unswept(heap, s, spc):
            sweep_span(heap, s, SWEPT_REFILL)
            central.swept_for_refill += 1
            central.from_partial_unswept += 1
            return s
        budget -= 1
    while budget >= 0:
        s = pop(heap, spc, FULL, unswept)
        if s == NO_SPAN:
            break
        if is_queued_unswept(heap, s, spc):
            sweep_span(heap, s, SWEPT_REFILL)
            central.swept_for_refill += 1
            span = heap.spans[s]
            if span.alloc_count < span.nelems:
                central.from_full_unswept += 1
                return s
            push(heap, spc, FULL, swept, s)
        budget -= 1
    return NO_SPAN


@inner
def is_queued_unswept(heap, s, spc):
    """True where a popped entry still stands for the span that it was made for."""
    span = heap.spans[s]
    return is_unswept(heap, span) and span.spc == spc


@inner
def next_unswept(heap):
    """The next span that sweeping in order would take, or NO_SPAN when none is left. (Go: mgcsweep.go, nextSpanForSweep)

    The order: for each span class the full queue, then the partial one, each from its front.
    """
    gc = heap.gc
    last = 2 * len(heap.central)
    while gc.sweep_class < last:
        spc = gc.sweep_class >> 1
        fill = PARTIAL if gc.sweep_class & 1 else FULL
        s = pop(heap, spc, fill, 1 - gc.parity)
        if s == NO_SPAN:
            gc.sweep_class += 1
        elif is_queued_unswept(heap, s, spc):
            return s
    return NO_SPAN
