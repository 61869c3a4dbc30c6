"""The span classes of a design: slots, headers and metadata of each, scan and noscan. (Go: sizeclasses.go, mheap.go)"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.sizeclass import slots

COLUMNS = ("elem_size", "npages", "nelems", "header", "metadata", "least")


def fill_spanclasses(heap: np.record, design: Design, classes: list) -> None:
    """Fill in the span classes of a new heap, and the size class of every size."""
    sizes = np.array([row.size for row in classes])
    largest = int(sizes[-1]) // 8
    heap.size_to_class[1 : largest + 1] = np.searchsorted(sizes, np.arange(1, largest + 1) * 8)
    rows = [(0,) * len(COLUMNS)] * 2
    for smaller, row in pairwise(classes):
        for noscan in (False, True):
            nelems, metadata = slots(design, row, noscan)
            header = 8 if design.malloc_header and not noscan and row.size > design.header_above else 0
            crossed = header and smaller.size <= design.header_above
            least = design.header_above + 1 if crossed else smaller.size + 1 - header
            rows.append((row.size, row.npages, nelems, header, metadata, least))
    for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        heap.spanclasses[name][: len(rows)] = column
