"""Goroutine stacks: pools of pieces, each P's cache, and stacks with a span of their own (stack.go)."""

from __future__ import annotations

from tests.twin.heap import Heap, StackSpan

LARGE = -1
"""The order of a stack that has a span to itself."""


def stack_alloc(h: Heap, p: int, size: int) -> int:
    """The address of a stack of `size` bytes, a power of two."""
    if size >= h.design.stack_span_bytes:
        return large_stack_alloc(h, p, size)
    order = order_of(h, size)
    pieces = h.mcaches[p].stacks.setdefault(order, [])
    if not pieces:
        stack_cache_refill(h, p, order)
    return pieces.pop()


def stack_free(h: Heap, p: int, addr: int, size: int) -> None:
    """Give a stack back: to the cache of `p`, or to the page heap if it is large and no cycle is marking."""
    if size >= h.design.stack_span_bytes:
        large_stack_free(h, addr)
        return
    order = order_of(h, size)
    pieces = h.mcaches[p].stacks.setdefault(order, [])
    if len(pieces) * piece_bytes(h, order) >= h.design.stack_cache_bytes:
        stack_cache_release(h, p, order)
    pieces.append(addr)


def order_of(h: Heap, size: int) -> int:
    """How often the smallest stack is doubled to give `size`."""
    order = 0
    while h.design.stack_min << order < size:
        order += 1
    return order


def piece_bytes(h: Heap, order: int) -> int:
    """The size of the stacks of an order."""
    return h.design.stack_min << order


def stack_cache_refill(h: Heap, p: int, order: int) -> None:
    """Fill half the cache from the pool; the piece that comes last is used first (stackcacherefill)."""
    pieces = h.mcaches[p].stacks[order]
    while len(pieces) * piece_bytes(h, order) < h.design.stack_cache_bytes // 2:
        pieces.append(stack_pool_alloc(h, p, order))


def stack_cache_release(h: Heap, p: int, order: int) -> None:
    """Give back pieces, the latest first, until half the cache is left (stackcacherelease)."""
    pieces = h.mcaches[p].stacks[order]
    while len(pieces) * piece_bytes(h, order) > h.design.stack_cache_bytes // 2:
        stack_pool_free(h, pieces.pop(), order)


def stack_cache_clear(h: Heap, p: int) -> None:
    """Give back every piece that `p` holds (stackcache_clear)."""
    for order, pieces in sorted(h.mcaches[p].stacks.items()):
        while pieces:
            stack_pool_free(h, pieces.pop(), order)


def stack_pool_alloc(h: Heap, p: int, order: int) -> int:
    """The piece that the first span of the pool got last; a new span gives its highest (stackpoolalloc)."""
    pool = h.stack_pool.setdefault(order, [])
    if not pool:
        s = new_stack_span(h, p, h.design.stack_span_bytes, order)
        size = piece_bytes(h, order)
        s.free = [s.addr + i for i in range(0, h.design.stack_span_bytes, size)]
        pool.insert(0, s)
    s = pool[0]
    addr = s.free.pop()
    s.used += 1
    if not s.free:
        pool.remove(s)
    return addr


def stack_pool_free(h: Heap, addr: int, order: int) -> None:
    """Give a piece back to its span, and the span to the page heap if that was its last (stackpoolfree)."""
    s = span_of(h, addr)
    pool = h.stack_pool[order]
    if not s.free:
        pool.insert(0, s)
    s.free.append(addr)
    s.used -= 1
    if s.used == 0 and not h.marking:
        pool.remove(s)
        free_stack_span(h, s)


def large_stack_alloc(h: Heap, p: int, size: int) -> int:
    """A stack with a span to itself: one that was freed in this cycle, or a new one."""
    parked = h.stack_parked.setdefault(size, [])
    s = parked.pop() if parked else new_stack_span(h, p, size, LARGE)
    s.used = 1
    return s.addr


def large_stack_free(h: Heap, addr: int) -> None:
    """Free the span, or park it until the cycle ends."""
    s = span_of(h, addr)
    s.used = 0
    if h.marking:
        h.stack_parked.setdefault(s.npages * h.design.page_size, []).append(s)
    else:
        free_stack_span(h, s)


def free_stack_spans(h: Heap) -> None:
    """At the end of a cycle: free what became empty during it, by size, the latest first (freeStackSpans)."""
    for _, pool in sorted(h.stack_pool.items()):
        for s in list(pool):
            if s.used == 0:
                pool.remove(s)
                free_stack_span(h, s)
    for _, parked in sorted(h.stack_parked.items()):
        for s in reversed(parked):
            free_stack_span(h, s)
        parked.clear()


def new_stack_span(h: Heap, p: int, size: int, order: int) -> StackSpan:
    """A manual span; unlike a heap span it is not paid for by sweeping (mheap.go, allocManual)."""
    npages = size // h.design.page_size
    first = h.pages.alloc(p, npages)
    s = StackSpan(first * h.design.page_size, npages, order)
    h.stack_spans[s.addr] = s
    h.stack_inuse += npages * h.design.page_size
    return s


def free_stack_span(h: Heap, s: StackSpan) -> None:
    """Give the pages of a span without stacks back."""
    del h.stack_spans[s.addr]
    h.pages.free(s.addr // h.design.page_size, s.npages)
    h.stack_inuse -= s.npages * h.design.page_size


def span_of(h: Heap, addr: int) -> StackSpan:
    """The stack span that `addr` lies in."""
    for s in h.stack_spans.values():
        if s.addr <= addr < s.addr + s.npages * h.design.page_size:
            return s
    raise AssertionError(f"no stack span at {addr:#x}")
