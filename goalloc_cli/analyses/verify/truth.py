"""The recording's own table of heap spans, as `verify` keeps it beside the model's.

An array of i8: first a counter of spans for each span class, then the pages of all spans together, then for each page the
span that begins there, as pages << 16 | span class, or 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner
from goalloc_cli.model.loop import SNAP_SPAN
from goalloc_cli.trace.event import Kind


class Kept(NamedTuple):
    """What `verify` keeps from event to event beside a heap."""

    rows: NDArray[np.int64]
    """The score, shape (judge.ROWS, 4)."""
    seen: NDArray[np.int64]
    """The last two heapLive of the recording, then for each P by how much the model's grew at the refill whose heapLive is
    still to come, NONE for none; shape (2 + Ps,)."""
    truth: NDArray[np.int64]
    """The recording's own table of heap spans, see note_truth."""


SAW_SPAN_ALLOC = int(Kind.SAW_SPAN_ALLOC)
SAW_SPAN_FREE = int(Kind.SAW_SPAN_FREE)
LONGEST = 16
"""No span of small objects is as many pages long."""


@inner
def page_at(heap, addr):
    """The page of an address, from the heap's base."""
    return (addr - heap.base_addr) >> heap.knobs.page_shift



@inner
def note_truth(heap, truth, k, obj, size, arg, addr):
    """Keep the recording's own table of heap spans: truth[spc] counts them, truth[last] is their pages together.

    `heap.page_span` is the model's; the recording's pages are kept by page in truth, behind the counters.
    """
    counters = len(heap.by_spc) + 1
    if k in (SNAP_SPAN, SAW_SPAN_ALLOC):
        page = size - (heap.base_addr >> heap.knobs.page_shift) if k == SNAP_SPAN else page_at(heap, addr)
        npages = obj if k == SNAP_SPAN else size
        if page < 0 or counters + page >= len(truth):
            return
        truth[counters + page] = (npages << 16) | arg
        truth[arg] += 1
        truth[counters - 1] += npages
    elif k == SAW_SPAN_FREE:
        at = counters + page_at(heap, addr)
        if at < counters or at >= len(truth) or truth[at] == 0:
            return
        truth[truth[at] & 0xFFFF] -= 1
        truth[counters - 1] -= truth[at] >> 16
        truth[at] = 0



@inner
def span_start(heap, truth, page):
    """First page of the recording's span that holds a page; the page itself where the recording shows none."""
    counters = len(heap.by_spc) + 1
    for back in range(LONGEST):
        at = counters + page - back
        if at >= counters and at < len(truth) and truth[at] != 0:
            return page - back if truth[at] >> 16 > back else page
    return page
