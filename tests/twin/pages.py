"""Pages: which are free, which are released, and the 64 that each P keeps to itself.

Every page is an entry of two lists, and every search walks them from the start.
Go's files: mpagealloc.go, mpagecache.go, and grow of mheap.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from goalloc_cli.design.allocator import Design
from tests.twin.releasing import Releasing, round_up

BLOCK = 64
"""Pages in a page cache."""


@dataclass
class PageCache:
    """The block of pages that a P allocates from without the heap lock."""

    first: int = 0
    free: set[int] = field(default_factory=set)
    scavenged: set[int] = field(default_factory=set)


class PageHeap(Releasing):
    """All pages of the heap; page numbers are counted from address 0."""

    def __init__(self, design: Design, nprocs: int) -> None:
        self.design = design
        self.base = design.heap_base // design.page_size
        self.allocated: list[bool] = []
        self.scavenged: list[bool] = []
        self.reserved = 0
        self.padding = 0
        self.caches = [PageCache() for _ in range(nprocs)]
        self.growths = self.blocked_growths = 0
        self.begin_releasing()

    def end(self) -> int:
        """The page after the last one that the heap was given."""
        return self.base + len(self.allocated)

    def is_free(self, page: int) -> bool:
        """Whether `page` is in the heap and free in the bitmap."""
        return self.base <= page < self.end() and not self.allocated[page - self.base]

    def free_pages(self) -> list[int]:
        """Every page that is free in the bitmap; pages in a cache are not."""
        return [page for page in range(self.base, self.end()) if self.is_free(page)]

    def released_pages(self) -> int:
        """Pages that are not backed by memory."""
        return sum(self.scavenged) + sum(len(cache.scavenged) for cache in self.caches)

    def backed(self) -> int:
        pages = sum(self.is_backed(page) for page in range(self.base, self.end()))
        return (pages + sum(len(cache.free - cache.scavenged) for cache in self.caches)) * self.design.page_size

    def alloc(self, p: int, npages: int) -> int:
        """Take `npages` pages for P `p`; return the first, once others are released in exchange (mheap.go, allocSpan)."""
        released = self.released_pages()
        grown = len(self.allocated)
        first = self.take(p, npages)
        self.assist(npages, released - self.released_pages() + len(self.allocated) - grown)
        self.spans += 1
        self.most_spans = max(self.most_spans, self.spans)
        return first

    def take(self, p: int, npages: int) -> int:
        """The pages, from P's cache or the heap."""
        if self.design.page_cache and npages < self.design.page_cache_limit:
            cache = self.caches[p]
            if not cache.free:
                self.refill_cache(p)
            first = self.alloc_from_cache(cache, npages)
            if first is not None:
                return first
        first = self.first_fit(npages)
        while first is None:  # the padding may leave too little of the first growth
            self.count_growth(npages)
            self.grow(npages)
            first = self.first_fit(npages)
        self.before_change(first, npages)
        for page in range(first, first + npages):
            self.allocated[page - self.base] = True
            self.scavenged[page - self.base] = False
        return first

    def count_growth(self, npages: int) -> None:
        """No run of `npages` pages is free; it may be that so many are, here and there."""
        idle = len(self.free_pages()) + sum(len(cache.free) for cache in self.caches)
        self.growths += 1
        self.blocked_growths += idle >= npages

    def alloc_from_cache(self, cache: PageCache, npages: int) -> int | None:
        """Take the lowest `npages` neighbours in the block `cache`, if there are so many."""
        for first in range(cache.first, cache.first + BLOCK):
            wanted = set(range(first, first + npages))
            if cache.free & wanted == wanted:
                cache.free -= wanted
                cache.scavenged -= wanted
                return first
        return None

    def refill_cache(self, p: int) -> None:
        """Give P `p` what is free in the block of the lowest free page (mpagecache.go, allocToCache)."""
        cache = self.caches[p]
        lowest = self.first_fit(1)
        if lowest is None:
            return
        cache.first = lowest // BLOCK * BLOCK
        self.before_change(cache.first, BLOCK)
        for page in range(cache.first, cache.first + BLOCK):
            if not self.is_free(page):
                continue
            cache.free.add(page)
            self.allocated[page - self.base] = True
            if self.scavenged[page - self.base]:
                cache.scavenged.add(page)
                self.scavenged[page - self.base] = False

    def first_fit(self, npages: int) -> int | None:
        """The lowest page that begins `npages` free ones; for several, with best fit, that of the shortest run."""
        if self.design.best_fit and npages > 1:
            return self.best_fit(npages)
        run = 0
        for i, allocated in enumerate(self.allocated):
            run = 0 if allocated else run + 1
            if run == npages:
                return self.base + i + 1 - npages
        return None

    def best_fit(self, npages: int) -> int | None:
        """Where the shortest run of free pages begins that is long enough, the lowest of those."""
        runs, start = [], 0
        for i, allocated in enumerate([*self.allocated, True]):
            if allocated:
                runs.append((i - start, self.base + start))
                start = i + 1
        return min((run for run in runs if run[0] >= npages), default=(0, None))[1]

    def grow(self, npages: int) -> None:
        """Add free and released pages at the end of the heap (mheap.go, grow)."""
        first_growth = not self.allocated
        ask = round_up(npages, self.design.growth_pages)
        self.note_growth(ask)
        if len(self.allocated) + ask > self.reserved:
            self.reserved += round_up(ask, self.design.arena_pages)
        self.allocated += [False] * ask
        self.scavenged += [bool(self.design.growth_released)] * ask
        if first_growth:
            self.padding = min(self.design.heap_padding_pages, ask)
            if self.padding:
                self.before_change(self.base, self.padding)
            for i in range(self.padding):
                self.allocated[i] = True

    def free(self, first: int, npages: int) -> None:
        """Give back pages; they stay backed, and never go to a page cache."""
        self.spans -= 1
        self.before_change(first, npages)
        for page in range(first, first + npages):
            if not self.allocated[page - self.base] or self.scavenged[page - self.base]:
                raise AssertionError(f"page {page} is freed but was not in use")
            self.allocated[page - self.base] = False
        self.after_free(first, npages)
