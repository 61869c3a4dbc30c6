"""The part of `statecheck.py` about what handles stand for: slots of spans, pieces of stacks, manual spans."""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.model.saved.statelists import starts_of, walked
from goalloc_cli.model.stack import UNPLACED
from goalloc_cli.model.tables.heap import NO_SPAN, NONE, SPAN_IN_USE, SPAN_STACK, SPAN_WORKBUF
from goalloc_cli.model.tables.objects import LABEL_SHIFT, OBJECT_LIVE
from goalloc_cli.model.tables.pallocbits import ALL, ZERO, low_bits
from goalloc_cli.model.tables.slotbits import TINY_SPC, is_allocated, is_live, sharers


def wrong_slots(heap: np.record) -> str:
    """What is wrong with the bitmaps of spans."""
    s = int(first_wrong_slots(heap))
    return "" if s == NO_SPAN else f"the bitmaps of the span in row {s} contradict each other"


@kernel
def first_wrong_slots(heap):
    """The first span whose free slots, live slots and marks do not go together; NO_SPAN where all do.

    Nothing is beyond its slots; what lives is neither free nor about to be swept away.
    """
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state != SPAN_IN_USE:
            continue
        for w in range(span.nwords):
            inside = low_bits(min(64, span.nelems - (w << 6)))
            used = heap.bits[span.bits + w]
            live = heap.bits[span.bits + span.nwords + w]
            free = ~used & inside
            if w < span.alloc_word:
                free = ZERO
            if w == span.alloc_word:
                if span.alloc_cache & ~free != ZERO:
                    return s
                free = span.alloc_cache
            if (used | live) & ~inside != ZERO or live & free != ZERO:
                return s
            if span.mark_cycle == heap.gc.cycle:
                marks = heap.bits[span.bits + 2 * span.nwords + w]
                if marks & ~inside != ZERO or live & ~marks & (ALL if to_be_swept(heap, span) else ZERO) != ZERO:
                    return s
        if span.spc == TINY_SPC:
            for slot in range(span.nelems):
                if (sharers(heap, span, slot) > 0) != is_live(heap, span, slot):
                    return s
    return first_wrong_block(heap)


@inner
def to_be_swept(heap, span):
    """Whether the marks of this cycle decide what stays of the span."""
    return heap.gc.marking != 0 or (span.sweepgen != heap.gc.sweepgen and span.sweepgen != heap.gc.sweepgen + 3)


@inner
def first_wrong_block(heap):
    """The span of a P's tiny block that is none, or is free; NO_SPAN where there is no such."""
    for p in range(heap.nprocs):
        cache = heap.mcaches[p]
        if cache.tiny_span == NO_SPAN:
            continue
        span = heap.spans[cache.tiny_span]
        slot = cache.tiny_slot
        if span.state != SPAN_IN_USE or span.spc != TINY_SPC or slot >= span.nelems:
            return cache.tiny_span
        w = slot >> 6
        one = np.uint64(1) << np.uint64(slot & 63)
        if w == span.alloc_word and span.alloc_cache & one != ZERO:
            return cache.tiny_span
        if w > span.alloc_word and not is_allocated(heap, span, slot):
            return cache.tiny_span
    return NO_SPAN


def wrong_objects(heap: np.record, objects: np.ndarray, types: int) -> str:
    """Handles of objects that stand for no slot, or two for one."""
    loc, rows = objects["loc"], int(heap.span_rows)
    spans = loc >> 16
    if (loc < NONE).any() or (len(spans) and int(spans.max()) >= rows):
        return "an object lies in no span"
    if len(loc) and (int((objects["label"] >> LABEL_SHIFT).max()) >= types or int(objects["label"].min()) < 0):
        return "an object has no type that it knows"
    live = loc[(objects["label"] & OBJECT_LIVE != 0) & (loc != NONE)]
    held_by = heap.spans[live >> 16]
    if (held_by["state"] != SPAN_IN_USE).any() or ((live & 0xFFFF) >= held_by["nelems"]).any():
        return "an object lies in no slot"
    places, owners = np.unique(live, return_counts=True)
    for place, count in zip(places[owners > 1].tolist(), owners[owners > 1].tolist(), strict=True):
        span = heap.spans[place >> 16]
        if span.spc != TINY_SPC or count != sharers_of(heap, span, place & 0xFFFF):
            return "two objects lie in one slot"
    return ""


def sharers_of(heap: np.record, span: np.record, slot: int) -> int:
    """How many objects share a slot of a tiny span, by its bitmaps."""
    word = int(heap.bits[int(span.bits) + 3 * int(span.nwords) + (slot >> 3)])
    return word >> ((slot & 7) << 3) & 0xFF


def wrong_stacks(heap: np.record, stacks: np.ndarray) -> str:
    """Goroutine stacks that lie in no span of stacks of their size, or two in one piece; and pieces in lists alike."""
    least, shift, rows = int(heap.knobs.stack_min), int(heap.knobs.page_shift), int(heap.span_rows)
    used = stacks[stacks[:, 1] != 0]
    sizes = used[:, 1]
    if (sizes < least).any() or (sizes & (sizes - 1)).any() or (used[:, 0] < UNPLACED).any() or (used[:, 0] == NONE).any():
        return "a goroutine stack lies nowhere"
    placed = used[used[:, 0] >= 0]
    spans = heap.spans[:rows]
    cached = heap.mcaches["stack_list"].ravel()
    pieces = int(heap.end_page << shift) // least
    listed = walked(heap.stack_next[:pieces], starts_of(cached, spans["free_list"][1:]), NONE)
    if listed is None:
        return "a list of free stacks never ends, or meets another"
    free = np.flatnonzero(listed)
    orders = len(heap.mcaches[0].stack_list)
    in_cache = listed[free] <= len(cached)
    free_bytes = np.where(in_cache, least << (listed[free] - 1) % orders, 0)
    own_span = np.where(in_cache, 0, listed[free] - len(cached))
    piece = np.concatenate([placed[:, 0], free])
    wanted = np.concatenate([placed[:, 1], free_bytes])
    if len(piece) and (int(piece.max()) >= pieces or len(np.unique(piece)) < len(piece)):
        return "two goroutine stacks, used or free, lie in one place"
    s = heap.page_span[(piece * least) >> shift]
    span = heap.spans[s]
    wanted = np.where(wanted == 0, span["elem_size"], wanted)
    begin = piece * least - (span["start_addr"] - int(heap.base_addr))
    if (span["state"] != SPAN_STACK).any() or (span["elem_size"] != wanted).any() or (wanted < least).any():
        return "a goroutine stack lies in no span of such stacks"
    if (begin % wanted).any() or (s[len(placed) :][~in_cache] != own_span[~in_cache]).any():
        return "a goroutine stack begins nowhere in its span"
    taken = np.concatenate([np.ones(len(placed), np.bool_), in_cache])
    if (np.bincount(s[taken], minlength=rows) > spans["alloc_count"]).any():
        return "a span holds more goroutine stacks than it counts"
    return ""


def wrong_manual_spans(heap: np.record, manual_spans: np.ndarray, cursor: np.ndarray) -> str:
    """Handles of manual spans that stand for none, or two for one; and the span that a snapshot was filling in."""
    rows = int(heap.span_rows)
    if not 0 <= int(cursor[0]) < rows:
        return "its snapshot breaks off in no span"
    named = manual_spans[manual_spans != NO_SPAN]
    if len(named) and not 0 < int(named.min()) <= int(named.max()) < rows:
        return "a manual span is none"
    is_manual = np.isin(heap.spans[named]["state"], (SPAN_STACK, SPAN_WORKBUF))
    # Without hints nothing comes of these handles, and the model gives the spans back by itself.
    if heap.gc.hinted and (not is_manual.all() or len(np.unique(named)) < len(named)):
        return "a manual span is none"
    return ""
