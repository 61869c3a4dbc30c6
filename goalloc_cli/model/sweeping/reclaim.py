"""The seam to the page reclaimer: before pages are taken, sweeping must free as many. (Go: mheap.go, reclaim)"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart
from goalloc_cli.design.choices import Reclaim
from goalloc_cli.model.sweeping import reclaim_busy, reclaim_windows
from goalloc_cli.model.tables.heap import HEAP


@apart
def reclaim(heap: HEAP, npages) -> None:
    """Sweep until npages pages are freed, or nothing is left that may free any."""
    if heap.knobs.reclaim == Reclaim.WINDOWS:
        reclaim_windows.reclaim(heap, npages)
    else:
        reclaim_busy.reclaim(heap, npages)
