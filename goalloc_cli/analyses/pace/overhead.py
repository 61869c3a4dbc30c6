"""What the runtime maps beside the heap, stacks and all records that are modelled: it takes room under a memory limit.

Its parts are the runtime's; how much of each there is was measured in five programs, one and four Ps, Go 1.21 to 1.27. It
meets their sums to 0.2 MiB, but for one that took 0.3 MiB more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pace.events import Events
from goalloc_cli.design.allocator import Design
from goalloc_cli.trace.event import NOSCAN

AT_FIRST_BYTES = (11 << 20) // 8 - (3 << 20)
"""For the first arena: a table of chunks (1 MiB), summaries of pages (0.15 MiB), a list of spans. It is told from
`other_bytes`, which is 3 MiB where these are all. (Go: mpagealloc.go, grow; mpagealloc_64bit.go, sysGrow)"""
CLASS_BYTES = 20 << 10
"""For each span class in use: up to four sets of spans, each with a spine of 2 KiB and a block of 4 KiB at least.
(Go: mcentral.go; mspanset.go, spanSetInitSpineCap, spanSetBlockEntries)"""
P_BYTES = 160 << 10
"""For each P but the first: of a chunk of 256 KiB for what is never freed, so much is taken. (Go: malloc.go,
persistentalloc1)"""
SPAN_BYTES = 80
"""For each span beside its record: its places in the list of all and in two sets, and mark bits of three cycles.
(Go: mheap.go, allspans, gcBitsArenas)"""


def overhead(events: Events, slots: NDArray[np.int64], design: Design) -> int:
    """Bytes mapped beside all that is modelled, but for what comes with each span.

    Args:
        slots: bytes of the slot that each event's allocation takes, shape (n,); 0 for what is none.
    """
    small = (slots > 0) & (slots <= design.max_small_size)
    noscan = events.columns["kind"][small] & np.uint8(NOSCAN) != 0
    classes = len(np.unique(2 * slots[small] + noscan))
    parts = (
        design.other_bytes + AT_FIRST_BYTES, design.profile_table_bytes, classes * CLASS_BYTES,
        (events.header.gomaxprocs - 1) * P_BYTES,
    )  # fmt: skip
    return max(sum(parts), 0)
