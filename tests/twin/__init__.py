"""The allocator of Go 1.10 to 1.27 in plain dicts, lists and ints: the judge of the fast model.

Written from the specification and Go's source, not from the kernels, and never optimised. `Naive.apply` does
one event; everything else only looks.
"""

from __future__ import annotations

from goalloc_cli.design.allocator import Design
from goalloc_cli.trace.event import KIND_MASK, NO_P, NOSCAN, Kind
from tests.twin import lists
from tests.twin.cache import ZERO_ADDR, flush_mcache, malloc, prepare_for_sweep
from tests.twin.cycle import gc_end, gc_start, request, rest, take_turn
from tests.twin.heap import Heap, Span
from tests.twin.paced import tick
from tests.twin.pacing import preset, set_goal_and_trigger, set_sweep_pace
from tests.twin.scavenging import advance
from tests.twin.stacks import stack_alloc, stack_free

SpanRow = tuple[int, int, int, int, int, int]
"""start_addr, npages, spc, alloc_count, free_index (nelems in a full span), sweepgen less the heap's."""


class Naive:
    """One heap and its Ps."""

    def __init__(self, design: Design, nprocs: int, shares: tuple[float, float, int, float, int] | None = None) -> None:
        self.heap = Heap(design, nprocs)
        self.heap.shares = shares
        preset(self.heap)

    def apply(self, kind: int, p: int, id: int, size: int, arg: int) -> int | None:
        """Do one event; return the address that it chose, if it chose one."""
        h = self.heap
        noscan = bool(kind & NOSCAN)
        kind &= KIND_MASK
        p = 0 if p == NO_P else p
        if kind in (Kind.ALLOC, Kind.STACK_ALLOC, Kind.STACK_FREE):
            prepare_for_sweep(h, p)
        if kind == Kind.ALLOC:
            address = self._alloc(p, id, size, noscan)
            take_turn(self.heap, p)
            return address
        if kind == Kind.STACK_ALLOC:
            h.stacks[id] = (stack_alloc(h, p, size), size)
            return h.stacks[id][0]
        if kind == Kind.STACK_FREE:
            stack_free(h, p, *h.stacks.pop(id))
        elif kind == Kind.FREE:
            self._free(id)
        elif kind == Kind.TINY:
            h.tiny_allocs += 1
        elif kind == Kind.GC_START:
            request(h, p)
            gc_start(h, p)
        elif kind == Kind.GC_END:
            gc_end(h, p, explicit=arg == 1)
            h.asked_for = False
        elif kind == Kind.SET_GOGC:
            h.gogc = -1 if arg else size
            set_goal_and_trigger(h)
            set_sweep_pace(h)
        elif kind == Kind.TIME:
            rest(h, size)
            advance(h, size)
            tick(h)
        elif kind == Kind.FREE_OS_MEMORY:
            h.pages.release_all()
        elif kind == Kind.FLUSH:
            for q in range(h.nprocs):
                flush_mcache(h, q)
        return None

    def _alloc(self, p: int, id: int, size: int, noscan: bool) -> int:
        if size == 0:
            self.heap.objects[id] = None
            return ZERO_ADDR
        s, slot, offset = malloc(self.heap, p, size, noscan)
        s.live[slot] = s.live.get(slot, 0) + 1
        if not noscan:
            self.heap.sizes[id] = size
            self.heap.pointer_bytes += size
        self.heap.objects[id] = (s, slot)
        return s.addr + slot * s.elem_bytes + offset

    def _free(self, id: int) -> None:
        place = self.heap.objects.pop(id)
        self.heap.pointer_bytes -= self.heap.sizes.pop(id, 0)
        if place is None:
            return
        s, slot = place
        s.live[slot] -= 1
        if s.live[slot] == 0:
            del s.live[slot]

    # What there is to compare.

    def spans(self) -> list[SpanRow]:
        """Every heap span, by address."""
        return sorted(self._row(s) for s in self.heap.spans)

    def _row(self, s: Span) -> SpanRow:
        free_index = s.nelems if s.is_full() else s.free_index
        return (s.addr, s.npages, s.spc, s.alloc_count, free_index, s.sweepgen - self.heap.sweepgen)

    def mcache(self, p: int) -> dict[int, int]:
        """Span class -> address of the span that `p` holds."""
        return {spc: s.addr for spc, s in self.heap.mcaches[p].alloc.items()}

    def central(self, spc: int) -> tuple[list[int], list[int], list[int], list[int]]:
        """Addresses of the spans that are partial swept, partial unswept, full swept, full unswept, in order.

        What the reclaimer swept and left in an unswept queue is not shown.
        """
        h = self.heap
        if lists.has_lists(h):
            return [s.addr for s in h.central[spc].nonempty], [s.addr for s in h.central[spc].empty], [], []
        partial, full = h.central[spc].partial, h.central[spc].full
        swept, unswept = h.swept_side(), h.unswept_side()
        return (
            [s.addr for s in partial[swept]],
            [s.addr for s in partial[unswept] if h.needs_sweep(s)],
            [s.addr for s in full[swept]],
            [s.addr for s in full[unswept] if h.needs_sweep(s)],
        )

    def piles(self) -> tuple[list[int], list[int]]:
        """Addresses of the spans that wait for the next sweep, and of those that wait for this one, the top first."""
        h = self.heap
        swept, unswept = h.piles[h.swept_side()], h.piles[h.unswept_side()]
        return [s.addr for s in reversed(swept)], [s.addr for s in reversed(unswept) if h.needs_sweep(s)]

    def tiny(self, p: int) -> tuple[int, int]:
        """Address of the tiny block of `p` and the offset of its free rest; (0, 0) without one."""
        cache = self.heap.mcaches[p]
        if cache.tiny is None:
            return 0, 0
        s, slot = cache.tiny
        return s.addr + slot * s.elem_bytes, cache.tiny_offset

    def page_cache(self, p: int) -> tuple[int, int, int]:
        """First page of the block of `p`, mask of its free pages, of those the released; zeros if empty."""
        cache = self.heap.pages.caches[p]
        if not cache.free:
            return 0, 0, 0
        return cache.first, mask(cache.free, cache.first), mask(cache.scavenged, cache.first)

    def free_pages(self) -> list[int]:
        """Every page that is free and in no page cache."""
        return self.heap.pages.free_pages()

    def stack_cache(self, p: int) -> dict[int, list[int]]:
        """Order -> addresses of the free stacks that `p` holds, the next to be taken last."""
        return {order: list(pieces) for order, pieces in self.heap.mcaches[p].stacks.items() if pieces}

    @property
    def heap_inuse(self) -> int:
        """Bytes of heap spans."""
        return self.heap.heap_inuse

    @property
    def heap_live(self) -> int:
        """The pacer's count of bytes, which takes a cached span for used up."""
        return self.heap.heap_live

    @property
    def heap_alloc(self) -> int:
        """Bytes of slots in use, dead ones that are not swept included."""
        return self.heap.heap_alloc

    @property
    def dead_unswept(self) -> int:
        """Bytes of dead slots that the last cycle found, in spans that wait to be swept."""
        h = self.heap
        waiting = (s for s in h.spans if s.sweepgen - h.sweepgen not in (0, 3))
        return sum((s.alloc_count - len(s.marks)) * s.elem_bytes for s in waiting)

    @property
    def dead_unfound(self) -> int:
        """Bytes of dead slots that no cycle has found yet."""
        live = sum(len(s.live) * s.elem_bytes for s in self.heap.spans)
        return self.heap.heap_alloc - live - self.dead_unswept

    @property
    def heap_objects(self) -> int:
        """Slots in use."""
        return self.heap.mallocs - self.heap.frees

    @property
    def mallocs(self) -> int:
        """Slots ever taken; tiny requests that were packed are not in it."""
        return self.heap.mallocs

    @property
    def frees(self) -> int:
        """Slots ever swept free; tiny requests that were packed are not in it."""
        return self.heap.frees

    @property
    def tiny_allocs(self) -> int:
        """Tiny requests that were packed in an open block."""
        return self.heap.tiny_allocs

    @property
    def stack_inuse(self) -> int:
        """Bytes of stack spans."""
        return self.heap.stack_inuse

    @property
    def workbufs(self) -> int:
        """Bytes of work-buffer spans."""
        return self.heap.workbufs

    @property
    def heap_sys(self) -> int:
        """Bytes given to the heap, stacks and work buffers left out."""
        grown = len(self.heap.pages.allocated) * self.heap.design.page_size
        return grown + self.reserved_bytes() - self.heap.stack_inuse - self.heap.workbufs

    @property
    def heap_released(self) -> int:
        """Bytes that no memory backs."""
        return self.heap.pages.released_pages() * self.heap.design.page_size + self.reserved_bytes()

    def reserved_bytes(self) -> int:
        """Bytes of arenas that the heap has not grown into, where they count."""
        pages = self.heap.pages
        unused = pages.reserved - len(pages.allocated)
        return unused * self.heap.design.page_size if self.heap.design.count_reserved else 0

    @property
    def released_by(self) -> list[int]:
        """Bytes ever released, by cause."""
        return list(self.heap.pages.released_by.values())

    @property
    def retained_goal(self) -> int:
        """What the heap should keep."""
        return self.heap.pages.retained_goal

    @property
    def pages_in_use(self) -> int:
        """Pages of heap spans."""
        return self.heap.pages_in_use

    @property
    def pages_swept(self) -> int:
        """Pages of the spans swept in this cycle."""
        return self.heap.pages_swept

    @property
    def growths(self) -> list[int]:
        """How often the heap grew, and how often though as many pages were free."""
        return [self.heap.pages.growths, self.heap.pages.blocked_growths]

    @property
    def next_gc(self) -> int:
        """The heap goal."""
        return self.heap.goal

    @property
    def trigger(self) -> int:
        """The heap_live at which a cycle would start."""
        return self.heap.trigger


def mask(pages: set[int], first: int) -> int:
    """The bits of `pages`, bit 0 for the page `first`."""
    return sum(1 << (page - first) for page in pages)
