"""An empty heap of a design."""

from __future__ import annotations

import numpy as np

from goalloc_cli.design.allocator import Design, contradiction
from goalloc_cli.design.sizeclass import MAX_CLASSES, size_classes
from goalloc_cli.errors import DesignError
from goalloc_cli.model.tables.heap import CACHE_LINE, HEAP, KNOB_NAMES, NO_SPAN, NONE, PAGES, STACK_PIECES
from goalloc_cli.model.tables.spanclasses import fill_spanclasses


def new_heap(design: Design, nprocs: int, base_addr: int | None = None) -> np.record:
    """An empty heap of the given design: no page grown, no span.

    Raises:
        DesignError: knobs that make no allocator.
    """
    if problem := contradiction(design):
        raise DesignError(problem)
    classes = size_classes(design)
    if len(classes) > MAX_CLASSES:
        raise DesignError(f"{len(classes)} size classes; the model holds {MAX_CLASSES}")
    room = np.zeros(HEAP.itemsize + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    heap = room[start : start + HEAP.itemsize].view(HEAP).view(np.recarray)[0]
    for name in KNOB_NAMES:
        heap.knobs[name] = getattr(design, name)
    heap.knobs.page_shift = design.page_size.bit_length() - 1
    heap.knobs.small_limit = design.max_small_size - (8 if design.malloc_header else 0)
    heap.by_noscan["least_small"] = 1, max(1, design.tiny_size)
    heap.by_noscan["most_bare"] = design.max_small_size
    if design.malloc_header:
        heap.by_noscan[0]["most_bare"] = design.header_above
    fill_spanclasses(heap, design, classes)
    heap.base_addr = design.heap_base if base_addr is None else base_addr
    # Pieces of stacks are numbered, too: where pages are large, the numbers end first.
    heap.most_pages = min(PAGES, STACK_PIECES * design.stack_min // design.page_size)
    heap.nprocs = nprocs
    heap.first_page = heap.end_page = heap.search_page = 0
    heap.span_rows = heap.run_rows = 1
    heap.gc.sweepgen = 2
    heap.gc.parity = 1
    heap.gc.reclaim_page = NONE
    heap.gc.reclaim_bytes = NONE
    heap.gc.hinted = 0
    heap.mcaches["sweep_credit"] = NONE
    heap.mcaches["stack_list"] = NONE
    heap.mcaches["flush_gen"] = 2
    heap.stacks.pool[:] = NO_SPAN
    heap.central["head"] = NONE
    heap.central["tail"] = NONE
    heap.free_nodes = NONE
    heap.sweep_stacks[:] = NONE
    heap.free_words[:] = NONE
    return heap
