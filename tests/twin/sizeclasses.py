"""Size classes: the table that Go's mksizeclasses.go writes, and the smallest class that holds a request."""

from __future__ import annotations

from goalloc_cli.design.allocator import Design

Class = tuple[int, int]
"""The size of a slot and the pages of a span."""


def size_classes(design: Design) -> list[Class]:
    """Every class, class 0 (large objects) first (mksizeclasses.go, makeClasses; allocator.md 1.3)."""
    if design.size_classes is not None:
        return [(0, 0), *design.size_classes]
    classes: list[Class] = []
    step = 8
    size = 8
    while size <= design.max_small_size:
        if is_power_of_two(size):
            if size >= 2048:
                step = 256
            elif size >= 128:
                step = size // 8
            elif size >= design.align_16_from:
                step = 16
        npages = pages_of_class(design, size)
        if classes and same_count_as(design, classes[-1], size, npages):
            classes[-1] = (size, npages)
        else:
            classes.append((size, npages))
        size += step
    return [(0, 0), *(stretched(design, size, npages) for size, npages in classes)]


def is_power_of_two(size: int) -> bool:
    """Whether `size` is a power of two."""
    return size & (size - 1) == 0


def pages_of_class(design: Design, size: int) -> int:
    """The fewest pages that waste at most one part in `waste_limit` at the tail."""
    npages = 1
    while (npages * design.page_size) % size > npages * design.page_size // design.waste_limit:
        npages += 1
    return npages


def same_count_as(design: Design, last: Class, size: int, npages: int) -> bool:
    """Whether slots of `size` are as many per span as those of the class before."""
    last_size, last_npages = last
    span_bytes = npages * design.page_size
    return last_npages == npages and span_bytes // last_size == span_bytes // size


def stretched(design: Design, size: int, npages: int) -> Class:
    """The class widened to a multiple of 128 as far as its span still holds as many slots."""
    span_bytes = npages * design.page_size
    widest = span_bytes // (span_bytes // size) // 128 * 128
    return max(size, widest), npages


def class_of(classes: list[Class], size: int) -> int:
    """The smallest class whose slots hold `size` bytes."""
    for number, (slot_bytes, _) in enumerate(classes):
        if number > 0 and slot_bytes >= size:
            return number
    raise ValueError(f"no size class holds {size} bytes")


def slots_per_span(design: Design, slot_bytes: int, npages: int, noscan: bool) -> int:
    """How many slots a span has beside what it keeps for the garbage collector (mheap.go, initSpan)."""
    span_bytes = npages * design.page_size
    reserved = 0
    if has_inline_marks(design, slot_bytes):
        reserved += design.inline_mark_bytes
    if design.malloc_header and not noscan and slot_bytes <= design.header_above:
        reserved += span_bytes // 8 // 8
    return (span_bytes - reserved) // slot_bytes


def has_inline_marks(design: Design, slot_bytes: int) -> bool:
    """Whether such slots are marked in the span (mgcmark_greenteagc.go, gcUsesSpanInlineMarkBits)."""
    return design.inline_mark_bytes > 0 and 16 <= slot_bytes <= design.header_above
