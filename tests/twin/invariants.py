"""What must hold of a naive heap after every event (allocator.md 12.1, whose numbers are in brackets)."""

from __future__ import annotations

from itertools import pairwise

from goalloc_cli.trace.event import KIND_MASK, NOSCAN, Kind
from tests.twin import Naive, lists
from tests.twin.heap import Heap, Span
from tests.twin.pages import BLOCK
from tests.twin.sizeclasses import slots_per_span


class Watch:
    """A naive heap with its invariants checked after each event; it keeps what they need from the past."""

    def __init__(self, naive: Naive) -> None:
        self.naive = naive
        self.taken: dict[int, tuple[int, int]] = {}
        self.pages_at_mark_end = 0
        self.bytes_since_cycle = 0

    def apply(self, kind: int, p: int, id: int, size: int, arg: int) -> int | None:
        """Do the event and check the heap."""
        h = self.naive.heap
        live_before, mallocs_before = h.heap_live, h.mallocs
        self.pages_at_mark_end = h.pages_in_use if kind == Kind.GC_END else self.pages_at_mark_end
        addr = self.naive.apply(kind, p, id, size, arg)
        if kind & KIND_MASK == Kind.ALLOC and size > 0 and addr is not None:
            self.check_new_object(id, addr, size, bool(kind & NOSCAN))
        elif kind == Kind.FREE:
            self.taken.pop(id, None)
        if kind == Kind.GC_END:
            self.bytes_since_cycle = 0
            check_pacing(h)
        elif kind & KIND_MASK == Kind.ALLOC:
            assert h.heap_live >= live_before  # 20
            if h.mallocs > mallocs_before:
                self.bytes_since_cycle += h.objects[id][0].elem_bytes
        if h.last_goal:  # before the first cycle what was marked may be made up
            assert self.bytes_since_cycle <= h.heap_live - h.heap_marked  # 20
        check_pages(h)
        check_spans(h)
        check_places(h)
        check_sweep_states(h, self.pages_at_mark_end)
        check_counters(h)
        check_stacks(h)
        check_tiny_blocks(h)
        return addr

    def check_new_object(self, id: int, addr: int, size: int, noscan: bool) -> None:
        """No live object is overlapped (22), and the slot fits the request (10)."""
        h = self.naive.heap
        for other, (start, end) in self.taken.items():
            assert end <= addr or addr + size <= start, f"objects {other} and {id} overlap"
        place = h.objects[id]
        assert place is not None
        s, slot = place
        offset = addr - s.addr - slot * s.elem_bytes
        assert 0 <= slot < s.nelems
        assert offset + size <= s.elem_bytes
        assert offset == 0 or (noscan and size < h.design.tiny_size)
        assert s.spc % 2 == noscan
        self.taken[id] = (addr, addr + size)


def used_bytes(h: Heap) -> int:
    """Bytes of the slots in use."""
    return sum(s.alloc_count * s.elem_bytes for s in h.spans)


def check_pages(h: Heap) -> None:
    """Every page has one owner, and the counters are the sums of what is owned (1 to 6, 24)."""
    pages = h.pages
    owner: dict[int, str] = {pages.base + i: "padding" for i in range(pages.padding)}

    def own(first: int, npages: int, who: str) -> None:
        for page in range(first, first + npages):
            assert page not in owner, f"page {page} belongs to {owner[page]} and {who}"
            assert not pages.is_free(page)
            assert not pages.scavenged[page - pages.base]
            owner[page] = who

    for s in h.spans:
        own(s.first_page, s.npages, "heap span")
    for stack_span in h.stack_spans.values():
        own(stack_span.addr // h.design.page_size, stack_span.npages, "stack span")
    for first in h.workbuf_spans:
        own(first, 4, "work buffers")
    for cache in pages.caches:
        assert cache.scavenged <= cache.free
        assert all(page // BLOCK == cache.first // BLOCK for page in cache.free)
        for page in cache.free:
            own(page, 1, "page cache")
    free = pages.free_pages()
    assert len(owner) + len(free) == len(pages.allocated)
    assert len(pages.allocated) % h.design.growth_pages == 0
    released = pages.released_pages()
    idle = len(free) + sum(len(cache.free) for cache in pages.caches) + pages.padding
    assert 0 <= released <= idle
    held = h.heap_inuse + h.stack_inuse + h.workbufs
    assert held + idle * h.design.page_size == len(pages.allocated) * h.design.page_size


def check_spans(h: Heap) -> None:
    """Each span counts its slots right (7, 8, 9), and every live object has one (22)."""
    for s in h.spans:
        assert 0 <= s.alloc_count <= s.nelems
        assert s.free_index <= s.nelems
        assert s.alloc_count == s.free_index + sum(slot >= s.free_index for slot in s.alloc_bits)
        if s.spc > 1:
            size, npages = h.classes[s.spc // 2]
            assert (s.elem_bytes, s.npages) == (size, npages)
            assert s.nelems == slots_per_span(h.design, size, npages, s.spc % 2 == 1)
        assert all(slot < s.free_index or slot in s.alloc_bits for slot in s.live)
        assert all(slot < s.free_index or slot in s.alloc_bits for slot in s.marks)
    for first, second in pairwise(sorted(h.spans, key=lambda s: s.first_page)):
        assert first.first_page + first.npages <= second.first_page


def check_places(h: Heap) -> None:
    """Every span is in one mcache or in one queue that fits its state (11, 12, 15)."""
    places: dict[Span, int] = {}
    for cache in h.mcaches:
        for spc, s in cache.alloc.items():
            flushed = cache.flush_gen == h.sweepgen
            assert spc == s.spc > 1
            assert s.sweepgen == h.sweepgen + (3 if flushed else 1)
            places[s] = places.get(s, 0) + 1
    if lists.has_lists(h):
        check_lists(h, places)
        return
    for spc, central in h.central.items():
        swept, unswept = h.swept_side(), h.unswept_side()
        for s in central.partial[swept] + central.full[swept]:
            assert s.in_use and s.spc == spc and s.sweepgen == h.sweepgen
            assert s.is_full() == (s in central.full[swept])
            places[s] = places.get(s, 0) + 1
        for s in central.partial[unswept] + central.full[unswept]:
            if h.needs_sweep(s):
                assert s.spc == spc
                assert s.is_full() == (s in central.full[unswept])
                places[s] = places.get(s, 0) + 1
    assert places == dict.fromkeys(h.spans, 1)


def check_lists(h: Heap, cached: dict[Span, int]) -> None:
    """Every small span is in one list that fits its state; a cached one, and a full one, in `empty` (11)."""
    linked: dict[Span, int] = {}
    for spc, central in h.central.items():
        for s in central.nonempty:
            assert not s.is_full() and s not in cached
        for s in central.empty:
            assert s.is_full() or s in cached
        for s in central.nonempty + central.empty:
            assert s.in_use and s.spc == spc
            linked[s] = linked.get(s, 0) + 1
    assert linked == dict.fromkeys((s for s in h.spans if s.spc > 1), 1)
    assert set(cached) <= set(linked)
    waiting = h.piles[h.swept_side()]
    assert len(waiting) == len(set(waiting))
    assert {s for s in h.spans if s.sweepgen in (h.sweepgen, h.sweepgen + 3)} == set(waiting)


def check_sweep_states(h: Heap, pages_at_mark_end: int) -> None:
    """While nothing is to be swept no span says it is (13, 14), and all pages were counted (16)."""
    flushed = all(cache.flush_gen == h.sweepgen for cache in h.mcaches)
    assert h.pages_swept <= pages_at_mark_end
    if h.marking:
        assert h.drained and flushed
    if h.drained:
        assert not any(h.needs_sweep(s) for s in h.spans)
    if h.drained and flushed:
        assert all(s.sweepgen in (h.sweepgen, h.sweepgen + 3) for s in h.spans)
        assert h.pages_swept == pages_at_mark_end


def check_counters(h: Heap) -> None:
    """Counters are sums over the spans (4, 17, 18)."""
    assert h.pages_in_use == sum(s.npages for s in h.spans)
    assert h.heap_inuse == h.pages_in_use * h.design.page_size
    assert h.mallocs - h.frees == sum(s.alloc_count for s in h.spans)
    assert h.heap_alloc == used_bytes(h)
    assert 0 <= h.frees <= h.mallocs


def check_pacing(h: Heap) -> None:
    """A cycle starts between what was marked and the goal (21)."""
    assert h.heap_marked <= h.heap_live
    assert h.heap_marked <= h.trigger <= h.goal


def check_stacks(h: Heap) -> None:
    """A piece of a stack span is in use, in one P's cache, or free in its span (27)."""
    size_of = {s.addr: s.npages * h.design.page_size for s in h.stack_spans.values()}
    assert h.stack_inuse == sum(size_of.values())
    cached = [addr for cache in h.mcaches for pieces in cache.stacks.values() for addr in pieces]
    used = [addr for addr, _ in h.stacks.values()]
    parked = [s.addr for spans in h.stack_parked.values() for s in spans]
    free = [addr for s in h.stack_spans.values() for addr in s.free]
    everything = cached + used + parked + free
    assert len(everything) == len(set(everything))
    assert not parked or h.marking
    for order, pool in h.stack_pool.items():
        for s in pool:
            assert s.free and s.order == order and (s.used > 0 or h.marking)
    for s in h.stack_spans.values():
        if s.order >= 0:
            pieces = h.design.stack_span_bytes // (h.design.stack_min << s.order)
            assert s.used + len(s.free) == pieces
            assert (s in h.stack_pool[s.order]) == bool(s.free)


def check_tiny_blocks(h: Heap) -> None:
    """The current tiny block of a P is a used slot (23)."""
    for cache in h.mcaches:
        if cache.tiny is not None:
            s, slot = cache.tiny
            assert s.in_use and s.spc == h.tiny_spc
            assert slot < s.free_index or slot in s.alloc_bits
            assert 0 < cache.tiny_offset <= h.design.tiny_size
