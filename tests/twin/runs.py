"""The page heaps before Go 1.14: runs of free pages, chosen by length or by address (mheap.go; allocator.md 6.6).

What a run is follows from the pages alone: neighbours that are free, all backed or all released; until Go 1.11 neighbours
that are free. So every question is answered by walking all pages.
"""

from __future__ import annotations

from dataclasses import dataclass

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import GrowthScavenge, Pages
from tests.twin.pages import PageHeap
from tests.twin.releasing import round_up

LISTED = 128
"""Runs shorter than this are kept in lists, the latest first (Go 1.10, 1.11)."""


@dataclass(frozen=True)
class Run:
    """Free pages as far as they reach."""

    first: int
    npages: int
    released: bool

    def end(self) -> int:
        return self.first + self.npages


class RunHeap(PageHeap):
    """All pages of such a heap."""

    def __init__(self, design: Design, nprocs: int) -> None:
        super().__init__(design, nprocs)
        self.latest: list[Run] = []
        """All runs, the one that became what it is last in front."""
        self.credit = 0
        self.since: list[int] = []
        """For each page: when any page of its run was last freed."""

    def runs(self) -> list[Run]:
        """Every run, by address."""
        found: list[Run] = []
        for page in self.free_pages():
            released = self.design.pages != Pages.LISTS_AND_TREAP and self.scavenged[page - self.base]
            if found and found[-1].end() == page and found[-1].released == released:
                found[-1] = Run(found[-1].first, found[-1].npages + 1, released)
            else:
                found.append(Run(page, 1, released))
        return found

    def note(self) -> None:
        """Pages changed: runs that were not there before come to the front."""
        runs = self.runs()
        self.latest = [r for r in runs if r not in self.latest] + [r for r in self.latest if r in runs]

    def take(self, p: int, npages: int) -> int:
        """Take the low part of the run that the design chooses."""
        run = self.choose(npages)
        if run is None:
            self.count_growth(npages)
            self.grow(npages)
            run = self.choose(npages)
        assert run is not None
        used = range(run.first, run.first + npages)
        whole = self.design.pages == Pages.LISTS_AND_TREAP  # of which all is backed when a part is used
        for page in range(run.first, run.end()) if whole else used:
            self.scavenged[page - self.base] = False
        for page in used:
            self.allocated[page - self.base] = True
        self.note()
        return run.first

    def choose(self, npages: int) -> Run | None:
        """The run to take `npages` pages from."""
        enough = [r for r in self.runs() if r.npages >= npages]
        if not enough:
            return None
        match self.design.pages:
            case Pages.ADDRESS_TREAP:
                return enough[0]
            case Pages.TWO_TREAPS:
                return min(enough, key=lambda r: (r.npages, r.released, r.first))
        shortest = min(r.npages for r in enough)
        if shortest < LISTED:
            return next(r for r in self.latest if r.npages == shortest)
        return next(r for r in enough if r.npages == shortest)

    def free(self, first: int, npages: int) -> None:
        super().free(first, npages)
        self.touch(first)
        self.note()

    def touch(self, page: int) -> None:
        """Pages were freed in the run of `page`."""
        run = next(r for r in self.runs() if r.first <= page < r.end())
        for each in range(run.first, run.end()):
            self.since[each - self.base] = self.now

    def grow(self, npages: int) -> None:
        """Add pages at the end of the heap."""
        ask = max(self.design.growth_least_pages, round_up(npages, self.design.growth_pages))
        if self.design.growth_scavenge == GrowthScavenge.LARGEST:
            self.release_largest(ask)
        self.note_growth(ask)
        if len(self.allocated) + ask > self.reserved:
            self.reserved += round_up(ask, self.design.arena_pages)
        self.allocated += [False] * ask
        self.scavenged += [bool(self.design.growth_released)] * ask
        self.since += [self.now] * ask
        self.touch(self.end() - 1)
        self.note()

    def release_pages(self, first: int, end: int) -> int:
        """Take the memory of free pages away; return how many bytes that is."""
        backed = sum(self.is_backed(page) for page in range(first, end))
        for page in range(first, end):
            self.scavenged[page - self.base] = True
        self.note()
        return backed * self.design.page_size

    def release_all(self) -> None:
        for run in self.runs():
            self.released_by["forced"] += self.release_pages(run.first, run.end())

    def release_idle(self, until: int) -> None:
        """Release the runs in which nothing was freed at `until` or later."""
        for run in self.runs():
            if self.since[run.first - self.base] < until:
                self.released_by["idle"] += self.release_pages(run.first, run.end())

    def release_largest(self, npages: int) -> None:
        """Release whole runs, the longest first, until `npages` pages are; what is too much counts next time."""
        backed = sorted((r for r in self.runs() if not r.released), key=lambda r: (r.npages, r.first))
        wanted = npages - self.credit
        while wanted > 0 and backed:
            run = backed.pop()
            self.released_by["growth"] += self.release_pages(run.first, run.end())
            wanted -= run.npages
        self.credit = max(0, -wanted)

    def release(self, wanted: int, force: bool, cause: str) -> int:
        """Release so many bytes: from runs with a huge page, then from others, the highest first."""
        left = wanted
        for huge in (True, False):
            for run in reversed(self.runs()):
                if run.released or left <= 0 or self.has_huge_page(run) != huge:
                    continue
                left -= self.release_pages(self.first_to_release(run, left), run.end())
        self.released_by[cause] += wanted - left
        return wanted - left

    def has_huge_page(self, run: Run) -> bool:
        """Whether the run holds an aligned huge page as a whole."""
        pages = self.design.huge_page_bytes // self.design.page_size
        return pages > 0 and round_up(run.first, pages) + pages <= run.end()

    def first_to_release(self, run: Run, wanted: int) -> int:
        """Where the part of the run begins that gives `wanted` bytes; a huge page is not broken."""
        page_size = self.design.page_size
        first = run.end() - round_up(wanted, page_size) // page_size
        if first <= run.first:
            return run.first
        pages = self.design.huge_page_bytes // page_size
        whole = first // pages * pages if pages else first
        return whole if whole >= run.first else first
