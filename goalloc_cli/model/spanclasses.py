"""The span classes of a design: slots, headers and metadata of each, scan and noscan. (Go: sizeclasses.go, mheap.go)"""

from __future__ import annotations

import numpy as np

from goalloc_cli.design import Design
from goalloc_cli.sizeclass import slots


def fill_spanclasses(heap: np.record, design: Design, classes: list) -> None:
    """Fill in the span classes of a new heap, and the size class of every size."""
    size = 8
    for c, row in enumerate(classes):
        for noscan in (0, 1):
            spanclass = heap.spanclasses[2 * c + noscan]
            if c == 0:
                continue
            nelems, metadata = slots(design, row, bool(noscan))
            header = 8 if design.malloc_header and not noscan and row.size > design.header_above else 0
            spanclass.elem_size = row.size
            spanclass.npages = row.npages
            spanclass.nelems = nelems
            spanclass.header = header
            spanclass.metadata = metadata
            previous = classes[c - 1].size
            crossed = header and previous <= design.header_above
            spanclass.least = design.header_above + 1 if crossed else previous + 1 - header
        while size <= row.size:
            heap.size_to_class[size // 8] = c
            size += 8
