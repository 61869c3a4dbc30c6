"""What an allocator does with a request, by its knobs and tables alone: the path, the class, and where it looks for room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Central, GrowthScavenge, Pages, Reclaim
from goalloc_cli.design.sizeclass import size_classes, slots

HEADER = 8
"""Bytes of a malloc header (Go: malloc.go, mallocHeaderSize)."""
TINY_BLOCK = 16
"""Bytes in a block of tiny objects (Go: malloc.go, maxTinySize)."""
PAGE_CACHE = 64
"""Pages in a block of the page cache (Go: mpagecache.go)."""


@dataclass(frozen=True)
class Request:
    """An allocation of `size` bytes, and what the allocator's tables make of it."""

    size: int
    noscan: bool
    path: str
    """ "zero", "tiny", "small" or "large"."""
    size_class: int
    slot_bytes: int
    header_bytes: int
    npages: int
    nelems: int
    metadata_bytes: int
    tail_bytes: int

    @property
    def spc(self) -> int:
        """The span class."""
        return 2 * self.size_class + self.noscan

    @property
    def internal_bytes(self) -> int:
        """Bytes of the slot that are neither asked for nor header; of a tiny block that is not known."""
        return 0 if self.path in ("zero", "tiny") else self.slot_bytes - self.header_bytes - self.size

    @property
    def span_bytes(self) -> int:
        """Bytes of a span."""
        return self.nelems * self.slot_bytes + self.metadata_bytes + self.tail_bytes


def small_limit(design: Design) -> int:
    """The largest request that takes a size class: a header still has to fit."""
    return design.max_small_size - (HEADER if design.malloc_header else 0)


def request(design: Design, size: int, noscan: bool) -> Request:
    """What becomes of a request (Go: malloc.go, mallocgc)."""
    if size == 0:
        return Request(0, noscan, "zero", 0, 0, 0, 0, 0, 0, 0)
    if size > small_limit(design):
        npages = -(-size // design.page_size)
        return Request(size, noscan, "large", 0, npages * design.page_size, 0, npages, 1, 0, 0)
    header = HEADER if design.malloc_header and not noscan and size > design.header_above else 0
    classes = size_classes(design)
    tiny = noscan and size < design.tiny_size
    wanted = TINY_BLOCK if tiny else size + header
    number, found = next((n, c) for n, c in enumerate(classes) if c.size >= wanted)
    nelems, metadata = slots(design, found, noscan)
    tail = found.npages * design.page_size - metadata - nelems * found.size
    path = "tiny" if tiny else "small"
    return Request(size, noscan, path, number, found.size, header, found.npages, nelems, metadata, tail)


def path(asked: Request, design: Design) -> str:
    """Why the request takes its path."""
    limit = small_limit(design)
    if asked.path == "zero":
        return "zero: every object without size has the same address, and takes no memory"
    if asked.path == "tiny":
        return f"tiny: below {design.tiny_size} B without pointers, several share a block of {asked.slot_bytes} B"
    if asked.path == "small":
        return f"small: up to {limit:,} B, a slot of the smallest size class that holds it"
    return f"large: above {limit:,} B, a span of its own, in whole pages"


def header(asked: Request, design: Design) -> str:
    """Where the type of the object stands, for the garbage collector."""
    if asked.noscan or asked.path == "zero":
        return "none: without pointers nothing has to be known of the object"
    if not design.malloc_header:
        return "none: the pointers are marked in the arena's heap bitmap, outside of the span"
    if asked.path == "large":
        return "none: the span itself names the type (largeType)"
    if asked.header_bytes:
        return f"the first {asked.header_bytes} B of the slot: the object lies behind them"
    bitmap = asked.npages * design.page_size // 64
    return f"none: up to {design.header_above} B the span keeps a pointer bitmap, {bitmap} B at its end"


def metadata(asked: Request, design: Design) -> str:
    """What of a span holds no object though it is not waste."""
    parts = []
    small = asked.path in ("tiny", "small") and asked.slot_bytes <= design.header_above
    if small and design.malloc_header and not asked.noscan:
        parts.append(f"{asked.npages * design.page_size // 64} B pointer bitmap")
    if small and design.inline_mark_bytes and asked.slot_bytes >= 16:
        parts.append(f"{design.inline_mark_bytes} B inline mark bits")
    return " and ".join(parts) or "none"


FINDS: dict[int, str] = {
    Pages.LISTS_AND_TREAP: "a list for each length below 128 pages, the shortest that suffices first; longer runs by best "
    "fit in a treap",
    Pages.TWO_TREAPS: "best fit in two treaps, of runs that memory backs and of released ones",
    Pages.ADDRESS_TREAP: "first fit by address in one treap of runs",
    Pages.BITMAP: "first fit by address in a bitmap with summaries above it",
}
"""How each page heap finds room."""


def search(asked: Request, design: Design) -> list[str]:
    """Where an allocator of this design looks for room, in order, once the P's own span is full."""
    if asked.path == "zero":
        return []
    if asked.path == "large":
        return [debt(asked), *reclaim(asked, design), *pages(asked, design)]
    return [*central(asked, design), *reclaim(asked, design), *pages(asked, design)]


def debt(asked: Request) -> str:
    """The price of taking memory while sweeping is unfinished."""
    return f"While sweeping is unfinished, pay the sweep debt of {asked.span_bytes:,} B: sweep spans in order."


def central(asked: Request, design: Design) -> list[str]:
    """What a refill does up to the point where its mcentral has nothing."""
    if design.central == Central.SPAN_SETS:
        return [
            "Hand the full span to mcentral: its full swept set.",
            debt(asked),
            "Take a span of mcentral's partial swept set.",
            "While sweeping is unfinished: sweep spans of the partial unswept set, then of the full unswept one, until one "
            f"has a free slot; give up after {design.span_budget + 1:,} in vain.",
        ]
    return [
        "Leave the full span in mcentral's list `empty`, where it is linked already.",
        debt(asked),
        "Take the first span of mcentral's list `nonempty`; sweep it if it was not.",
        "Else sweep the unswept spans at the front of `empty`, one after the other and without limit, until one has a free "
        "slot.",
    ]


def reclaim(asked: Request, design: Design) -> list[str]:
    """What is swept before pages are taken."""
    wanted = many(asked.npages, "page")
    if design.reclaim == Reclaim.WINDOWS:
        how = f"walks the heap in windows of {design.reclaim_chunk_pages:,} pages and sweeps the spans without a page mark"
    else:
        how = "sweeps large spans that are long enough, then shorter ones, then everything in order"
    return [f"While sweeping is unfinished, the reclaimer must first free {wanted}: it {how}."]


def pages(asked: Request, design: Design) -> list[str]:
    """Where the pages of a new span come from."""
    steps = []
    wanted = many(asked.npages, "page")
    if design.page_cache and asked.npages < design.page_cache_limit:
        filled = f"an empty one is filled from a block of {PAGE_CACHE}"
        steps.append(f"Take {wanted} of the P's page cache, without the heap lock; {filled}.")
    elif design.page_cache:
        steps.append(f"Bypass the page cache: {wanted}, and it serves fewer than {design.page_cache_limit}.")
    steps.append(f"Take {wanted} of the page heap, under the heap lock: {FINDS[design.pages]}.")
    ask = growth_pages(asked.npages, design)
    grown = f"Grow the heap by {ask:,} pages, {ask * design.page_size:,} B"
    steps.append(f"{grown}, where no run is long enough{RELEASES.get(design.growth_scavenge, '')}.")
    return steps


RELEASES: dict[int, str] = {
    GrowthScavenge.LARGEST: "; as many pages are released, from the longest free runs",
    GrowthScavenge.GOAL: "; what exceeds the goal of the last cycle is released",
}
"""What growth gives back in exchange."""


def growth_pages(npages: int, design: Design) -> int:
    """Pages that the heap grows by when no run holds `npages` (Go: mheap.go, grow)."""
    step = design.growth_pages
    return max(design.growth_least_pages, -(-npages // step) * step)


def many(number: int, noun: str) -> str:
    """1 page, 12 pages."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def facts(asked: Request, design: Design) -> dict[str, Any]:
    """The request as plain data."""
    return {
        "request_bytes": asked.size,
        "pointers": not asked.noscan,
        "path": asked.path,
        "size_class": asked.size_class if asked.path in ("tiny", "small") else None,
        "span_class": asked.spc,
        "slot_bytes": asked.slot_bytes,
        "header_bytes": asked.header_bytes,
        "pages": asked.npages,
        "slots": asked.nelems,
        "metadata_bytes": asked.metadata_bytes,
        "tail_bytes": asked.tail_bytes,
        "internal_bytes": asked.internal_bytes,
    }
