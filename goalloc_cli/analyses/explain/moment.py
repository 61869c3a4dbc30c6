"""The heap at one moment, and what one event changed in it. It is looked at from outside: the loop knows nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.design.choices import Central
from goalloc_cli.model.tables.heap import FULL, LOCKS, NO_SPAN, PARTIAL, SPAN_IN_USE, SWEEP_CAUSES

STATS = ("in_use", "free", "released", "stacks", "workbufs", "growths", "spans", "tiny_packed")
GC = ("cycle", "marking", "sweepgen", "parity", "sweeping", "heap_live", "heap_marked", "marked", "goal", "trigger", "gogc")
SPANS = ("start_addr", "npages", "spc", "elem_size", "nelems", "alloc_count", "sweepgen", "state", "owner")
SERVED = ("from_partial_swept", "from_partial_unswept", "from_full_unswept", "from_heap", "swept_for_refill")


@dataclass(frozen=True)
class Moment:
    """Copies of the counters and small tables, and of the spans' columns that tell a decision."""

    stats: dict[str, int]
    locks: NDArray[np.int64]
    swept: NDArray[np.int64]
    gc: dict[str, int]
    central: NDArray[np.void]
    mcaches: NDArray[np.void]
    spans: dict[str, NDArray[np.int64]]
    end_page: int
    span_frees: int
    """Heap spans ever given back."""
    has_lists: bool
    """Whether mcentrals have lists, not sets."""
    listed: dict[int, tuple[int, int]]
    """Spans in `nonempty` and in `empty` of each span class that has any, where mcentrals have lists."""

    def span(self, s: int) -> dict[str, int]:
        """The columns of span row s; all 0 for one that was not there yet."""
        return {name: int(column[s]) if s < len(column) else 0 for name, column in self.spans.items()}

    def cached(self, p: int, spc: int) -> int:
        """The span that P holds for a span class, or NO_SPAN."""
        return int(self.mcaches["alloc"][p, spc]) if p < len(self.mcaches) else NO_SPAN

    def in_sets(self, spc: int) -> dict[str, int]:
        """How many spans each set of an mcentral holds; of unswept ones, entries of spans swept meanwhile included."""
        count = self.central["count"][spc]
        swept = self.gc["parity"]
        return {
            "partial swept": int(count[PARTIAL, swept]),
            "partial unswept": int(count[PARTIAL, 1 - swept]),
            "full unswept": int(count[FULL, 1 - swept]),
            "full swept": int(count[FULL, swept]),
        }


def look(heap: np.record) -> Moment:
    """The heap as it is now."""
    rows = int(heap.span_rows)
    return Moment(
        stats={name: int(heap.stats[name]) for name in STATS},
        locks=np.array(heap.stats.locks),
        swept=np.array(heap.stats.swept),
        gc={name: int(heap.gc[name]) for name in GC},
        central=np.array(heap.central),
        mcaches=np.array(heap.mcaches[: int(heap.nprocs)]),
        spans={name: np.array(heap.spans[name][:rows]) for name in SPANS},
        end_page=int(heap.end_page),
        span_frees=int(heap.by_spc["span_frees"].sum()),
        has_lists=int(heap.knobs.central) == Central.SPAN_LISTS,
        listed=listed(heap),
    )


def listed(heap: np.record) -> dict[int, tuple[int, int]]:
    """Spans in the two lists of each span class."""
    spans = heap.spans[: int(heap.span_rows)]
    small = (spans["state"] == SPAN_IN_USE) & (spans["spc"] >= 2)
    counts = [np.bincount(spans["spc"][small & (spans["listed"] == where)], minlength=2) for where in (1, 2)]
    length = max(len(count) for count in counts)
    nonempty, empty = (np.pad(count, (0, length - len(count))) for count in counts)
    return {spc: (int(nonempty[spc]), int(empty[spc])) for spc in range(2, length) if nonempty[spc] or empty[spc]}


@dataclass(frozen=True)
class Change:
    """What lies between two moments."""

    before: Moment
    after: Moment

    def stat(self, name: str) -> int:
        """By how much a counter of the heap moved."""
        return self.after.stats[name] - self.before.stats[name]

    def locks(self) -> dict[str, int]:
        """Acquisitions of the heap lock, by cause."""
        return moved(LOCKS, self.before.locks, self.after.locks)

    def swept(self) -> dict[str, int]:
        """Spans swept, by who swept them."""
        return moved(SWEEP_CAUSES, self.before.swept, self.after.swept)

    def served(self, spc: int) -> dict[str, int]:
        """What the mcentral of a span class counted."""
        one, other = self.before.central[spc], self.after.central[spc]
        return {name: int(other[name] - one[name]) for name in SERVED}

    def refilled(self, p: int) -> bool:
        """Whether P's mcache asked an mcentral for a span."""
        return self.mcache(p, "refills") > 0

    def mcache(self, p: int, name: str) -> int:
        """By how much a counter of P's mcache moved."""
        before = int(self.before.mcaches[name][p]) if p < len(self.before.mcaches) else 0
        return int(self.after.mcaches[name][p]) - before

    def page_cache(self, p: int) -> tuple[int, int]:
        """Pages in P's page cache, before and after."""
        before, after = (m.mcaches["page_cache_bits"] for m in (self.before, self.after))
        return int(before[p]).bit_count() if p < len(before) else 0, int(after[p]).bit_count()

    def spans_freed(self) -> int:
        """Heap spans that were given back."""
        return self.after.span_frees - self.before.span_frees


def moved(names: tuple[str, ...], before: NDArray[np.int64], after: NDArray[np.int64]) -> dict[str, int]:
    """Counters that moved, by name."""
    return {name: int(n) for name, n in zip(names, after - before, strict=True) if n}
