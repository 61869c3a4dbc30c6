"""Size classes: how Go's table is made, and which class a request takes (allocator.md 1; Go: sizeclasses.go)."""

from __future__ import annotations

from dataclasses import dataclass

from goalloc_cli.design.allocator import Design
from goalloc_cli.errors import DesignError

MAX_CLASSES = 128
"""Room for classes in the heap's tables; Go has 68."""

STEP_CAP = 256
"""Classes are never further apart than this in the first pass."""

STRETCH_ALIGN = 128
"""A class may grow to fill its span, by multiples of this."""


@dataclass(frozen=True)
class SizeClass:
    """One size class: slot bytes and pages per span."""

    size: int
    npages: int


def size_classes(design: Design) -> list[SizeClass]:
    """The size classes of `design`, smallest first; entry 0 stands for large objects.

    Raises:
        DesignError: the knobs give a table that the allocator cannot use.
    """
    page = design.page_size
    if page < 4096 or page & (page - 1) or page > 65536:
        raise DesignError(f"page_size {page}: must be a power of two from 4096 to 65536")
    if design.waste_limit < 1:
        raise DesignError(f"waste_limit {design.waste_limit}: must be at least 1")
    if design.size_classes is not None:
        return [SizeClass(0, 0), *own_classes(design)]
    classes: list[SizeClass] = []
    step = 8
    size = 8
    while size <= design.max_small_size:
        if size & (size - 1) == 0:
            if size >= 2048:
                step = STEP_CAP
            elif size >= 128:
                step = size // 8
            elif size >= design.align_16_from:
                step = 16
        span = page
        while span % size > span // design.waste_limit:
            span += page
        merge = classes and classes[-1].npages == span // page and span // classes[-1].size == span // size
        if merge:
            classes[-1] = SizeClass(size, span // page)
        else:
            classes.append(SizeClass(size, span // page))
        size += step
    return [SizeClass(0, 0), *(_stretched(c, page) for c in classes)]


def own_classes(design: Design) -> list[SizeClass]:
    """The classes of a table that the design brings."""
    classes = [SizeClass(size, npages) for size, npages in design.size_classes or ()]
    for c, previous in zip(classes, [SizeClass(0, 0), *classes], strict=False):
        if c.size <= previous.size or c.size % 8 or not 1 <= c.npages * design.page_size // max(c.size, 1) <= 8192:
            raise DesignError(
                f"size class {c.size} of {c.npages} pages: must be above {previous.size}, of 8 byte words, and fit"
            )
    if design.tiny_size and [c.size for c in classes[1:2]] != [16]:
        raise DesignError("the second size class must be 16 bytes, a tiny block (or set tiny_size=0)")
    if not classes or classes[-1].size != design.max_small_size:
        raise DesignError(f"the largest size class must be max_small_size, {design.max_small_size} bytes")
    return classes


def _stretched(c: SizeClass, page: int) -> SizeClass:
    """The class grown as far as its span allows without losing a slot."""
    span = c.npages * page
    roomy = span // (span // c.size) // STRETCH_ALIGN * STRETCH_ALIGN
    return SizeClass(max(c.size, roomy), c.npages)


def slots(design: Design, c: SizeClass, noscan: bool) -> tuple[int, int]:
    """Slots in a span of class `c`, and the bytes at its end that hold metadata (allocator.md 3.2)."""
    span = c.npages * design.page_size
    metadata = 0
    if design.malloc_header and not noscan and c.size <= design.header_above:
        metadata += span // 8 // 8
    if design.inline_mark_bytes and 16 <= c.size <= design.header_above:
        metadata += design.inline_mark_bytes
    return (span - metadata) // c.size, metadata
