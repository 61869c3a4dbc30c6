"""The places in queues and stacks of spans: a span may stand in several at once, some of them stale."""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.tables.heap import FAULT_QUEUE_NODES, NONE, QUEUE_NODES


@inner
def new_node(heap, s):
    """A place for span s, or NONE after a fault."""
    n = heap.free_nodes
    if n != NONE:
        heap.free_nodes = heap.nodes[n].next
    else:
        n = heap.node_rows
        if n >= QUEUE_NODES:
            heap.fault = FAULT_QUEUE_NODES
            return NONE
        heap.node_rows = n + 1
    heap.nodes[n].span = s
    heap.nodes[n].next = NONE
    return n


@inner
def free_node(heap, n):
    """Give a place back."""
    heap.nodes[n].next = heap.free_nodes
    heap.free_nodes = n
