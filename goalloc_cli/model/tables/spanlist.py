"""Doubly linked lists of spans. (Go: mheap.go, mSpanList)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.tables.heap import NO_SPAN


@inner
def insert(heap, spans, s):
    """Put span s at the front of a list."""
    span = heap.spans[s]
    span.next = spans.first
    span.prev = NO_SPAN
    if spans.first == NO_SPAN:
        spans.last = s
    else:
        heap.spans[spans.first].prev = s
    spans.first = s


@inner
def insert_back(heap, spans, s):
    """Put span s at the end of a list."""
    span = heap.spans[s]
    span.next = NO_SPAN
    span.prev = spans.last
    if spans.last == NO_SPAN:
        spans.first = s
    else:
        heap.spans[spans.last].next = s
    spans.last = s


@inner
def remove(heap, spans, s):
    """Take span s out of a list."""
    span = heap.spans[s]
    if span.prev == NO_SPAN:
        spans.first = span.next
    else:
        heap.spans[span.prev].next = span.next
    if span.next == NO_SPAN:
        spans.last = span.prev
    else:
        heap.spans[span.next].prev = span.prev
    span.next = NO_SPAN
    span.prev = NO_SPAN
