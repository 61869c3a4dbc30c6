"""Each decision of the model, held against the recording: what `follow.run_set_right` does at an allocation.

The model decides first, by its own rules; then the decision is scored, and what differs is set right.
"""

from __future__ import annotations

from goalloc_cli.analyses.verify.setright import cache_true_span, give_up, offered_wrongly, take_slots_to
from goalloc_cli.analyses.verify.setright_pages import claim_pages, hold_offered, move_span, undo_pages
from goalloc_cli.analyses.verify.truth import page_at, span_start
from goalloc_cli.compiled.jit import inner
from goalloc_cli.compiled.words import trailing_zeros
from goalloc_cli.model.loop import BOUND, NOSCAN
from goalloc_cli.model.malloc import TINY_SPC, born, malloc_large
from goalloc_cli.model.mcache import find_free_word, prepare_for_sweep, refill
from goalloc_cli.model.pages.pagealloc_radix import free_range
from goalloc_cli.model.spans.mheap import alloc_span, free_span, page_of
from goalloc_cli.model.spans.sweep import is_stale
from goalloc_cli.model.tables.heap import LOCK_SMALL, NO_SPAN, NONE, SPAN_IN_USE
from goalloc_cli.model.tables.objects import name_object
from goalloc_cli.model.tables.pallocbits import ZERO
from goalloc_cli.model.tables.slotbits import is_live

# Rows of the score, and its columns.
SLOT = 0
REFILL = 1
PAGE = 2
FREE_RUNNING = 3
HEAP_LIVE = 4
STACK = 5
MANUAL_PAGE = 6
ROWS = 7
TOTAL = 0
RIGHT = 1
FIRST_WRONG = 2
LOST = 3
"""Wrong cases after which the model could not be set right."""

LATE_SLOTS = 3
"""A span that its P left with at most this many slots free was full: their events come late."""


@inner
def score(heap, rows, row, right):
    """Count one case; remember the event of the first that is wrong."""
    rows[row, TOTAL] += 1
    if right:
        rows[row, RIGHT] += 1
    elif rows[row, FIRST_WRONG] < 0:
        rows[row, FIRST_WRONG] = heap.event + heap.event_in_batch


@inner
def page_cache_of(heap, p):
    """P's page cache: base, bits, released ones."""
    cache = heap.mcaches[p]
    return cache.page_cache_base, cache.page_cache_bits, cache.page_cache_scav


@inner
def place_at(heap, rows, row, p, s, page, was):
    """Move a span just made to the page where the real one is; P's page cache was as it `was` before."""
    base, bits, scav = was
    span = heap.spans[s]
    old = page_of(heap, span)
    for i in range(old, old + span.npages):
        heap.page_span[i] = NO_SPAN
    free_range(heap, old, span.npages)
    undo_pages(heap, p, old, span.npages, base, bits, scav)
    if old >> 6 != page >> 6 and (bits == ZERO or old >> 6 != base >> 6):
        hold_offered(heap, old >> 6)
    if claim_pages(heap, p, page, span.npages):
        move_span(heap, s, page)
        return
    # Something of the model's still stands there: the span stays where the model put it.
    rows[row, LOST] += 1
    claim_pages(heap, p, old, span.npages)
    move_span(heap, s, old)


@inner
def alloc(heap, row, kept, p, size, flags, type_id, addr):
    """One allocation, decision by decision; `row` is the object's."""
    prepare_for_sweep(heap, p)
    noscan = flags & NOSCAN != 0
    if size > heap.knobs.small_limit:
        loc = large(heap, kept.rows, p, size, noscan, page_at(heap, addr))
    else:
        loc = small(heap, kept, p, spanclass_of(heap, size, noscan), addr)
    if heap.fault:
        return
    if loc == NONE:
        name_object(row, NONE, 0, flags & BOUND != 0, type_id)
        return
    span = heap.spans[loc >> 16]
    name_object(row, loc, span.elem_size - size, flags & BOUND != 0, type_id)
    by = heap.by_spc[span.spc]
    by.requested += size
    if flags & BOUND:
        by.bound += 1


@inner
def spanclass_of(heap, size, noscan):
    """The span class of a small request (malloc.malloc, malloc_tiny)."""
    if noscan and size < heap.knobs.tiny_size:
        return TINY_SPC
    header = 0
    if not noscan and heap.knobs.malloc_header and size > heap.knobs.header_above:
        header = 8
    return 2 * heap.size_to_class[(size + header + 7) >> 3] + (1 if noscan else 0)


@inner
def large(heap, rows, p, size, noscan, page):
    """A large object: score the page of its span, and set it right."""
    was = page_cache_of(heap, p)
    loc = malloc_large(heap, p, size, noscan)
    if heap.fault:
        return NONE
    s = loc >> 16
    right = page_of(heap, heap.spans[s]) == page
    score(heap, rows, PAGE, right)
    if not right:
        place_at(heap, rows, PAGE, p, s, page, was)
    return loc


@inner
def small(heap, kept, p, spc, addr):
    """A small object: score the refill, if there is one, and the slot; set each right."""
    rows, truth = kept.rows, kept.truth
    s = heap.mcaches[p].alloc[spc]
    true_page = span_start(heap, truth, page_at(heap, addr))
    if is_late(heap, p, spc, true_page, addr):
        return judged_slot(heap, rows, heap.page_span[true_page], addr)
    if s == NO_SPAN or not find_free_word(heap, s):
        s = judged_refill(heap, kept, p, spc, true_page)
    elif heap.page_span[true_page] != s:
        # The real P had left this span already.
        score(heap, rows, REFILL, False)
        s = to_truth(heap, rows, p, spc, true_page)
    if heap.fault:
        return NONE
    return judged_slot(heap, rows, s, addr)


@inner
def grown(heap, kept, p, spc, page):
    """The real P refilled and found no span of this class: score whether the model grows too, and where; set it right."""
    rows, seen = kept.rows, kept.seen
    prepare_for_sweep(heap, p)
    cache = heap.mcaches[p]
    s = cache.alloc[spc]
    if s != NO_SPAN and find_free_word(heap, s):
        if heap.spans[s].nelems - heap.spans[s].alloc_count > LATE_SLOTS:
            # The real P had left this span already.
            score(heap, rows, REFILL, False)
            give_up(heap, p, spc)
            make_at(heap, rows, p, spc, page)
            return
        # The events of its last objects are late.
        take_slots_to(heap, s, heap.spans[s].nelems - 1)
    was = page_cache_of(heap, p)
    grown = heap.central[spc].from_heap
    live = heap.gc.heap_live
    refill(heap, p, spc)
    if heap.fault:
        return
    is_new = heap.central[spc].from_heap > grown
    score(heap, rows, REFILL, is_new)
    if is_new:
        seen[2 + p] = heap.gc.heap_live - live
        right = page_of(heap, heap.spans[cache.alloc[spc]]) == page
        score(heap, rows, PAGE, right)
        if not right:
            place_at(heap, rows, PAGE, p, cache.alloc[spc], page, was)
        return
    offered_wrongly(heap, p, spc)
    make_at(heap, rows, p, spc, page)


@inner
def is_late(heap, p, spc, true_page, addr):
    """True where the object is the next one of a span that another P holds: its event came late, or on another P."""
    s = heap.page_span[true_page]
    if s == NO_SPAN or s == heap.mcaches[p].alloc[spc]:
        return False
    span = heap.spans[s]
    if span.state != SPAN_IN_USE or span.spc != spc or span.owner == NONE or span.owner == p or is_stale(heap, span):
        return False
    if not find_free_word(heap, s):
        return False
    return span.start_addr + ((span.alloc_word << 6) + trailing_zeros(span.alloc_cache)) * span.elem_size == addr


@inner
def judged_refill(heap, kept, p, spc, true_page):
    """Let P refill where the real one found a span, score and set right what it took; return P's span then."""
    rows, seen = kept.rows, kept.seen
    cache = heap.mcaches[p]
    was = page_cache_of(heap, p)
    grown = heap.central[spc].from_heap
    live = heap.gc.heap_live
    refill(heap, p, spc)
    if heap.fault:
        return NO_SPAN
    s = cache.alloc[spc]
    if seen[0] != NONE:
        score(heap, rows, HEAP_LIVE, heap.gc.heap_live - live == seen[1] - seen[0])
    right = heap.page_span[true_page] == s
    score(heap, rows, REFILL, right)
    if right:
        return s
    if heap.central[spc].from_heap > grown:
        abandon_new(heap, p, s, was)
        cache.alloc[spc] = NO_SPAN
    else:
        offered_wrongly(heap, p, spc)
    return to_truth(heap, rows, p, spc, true_page)


@inner
def abandon_new(heap, p, s, was):
    """Undo a span that should not have been made, without a trace of its pages."""
    span = heap.spans[s]
    heap.gc.heap_live -= span.npages << heap.knobs.page_shift
    page = page_of(heap, span)
    npages = span.npages
    span.owner = NONE
    free_span(heap, s)
    base, bits, scav = was
    undo_pages(heap, p, page, npages, base, bits, scav)


@inner
def to_truth(heap, rows, p, spc, true_page):
    """Give P the span that the real one has: an existing one, or one made there whose making the recording lost."""
    if heap.mcaches[p].alloc[spc] != NO_SPAN:
        give_up(heap, p, spc)
    s = heap.page_span[true_page]
    if s == NO_SPAN or heap.spans[s].state != SPAN_IN_USE or heap.spans[s].spc != spc:
        return make_at(heap, rows, p, spc, true_page)
    cache_true_span(heap, p, spc, s)
    return s


@inner
def make_at(heap, rows, p, spc, page):
    """Give P a new span at a page, and score where the model would have made it."""
    cache = heap.mcaches[p]
    was = page_cache_of(heap, p)
    npages = heap.spanclasses[spc].npages
    s = alloc_span(heap, p, npages, spc, LOCK_SMALL)
    if heap.fault:
        return NO_SPAN
    right = page_of(heap, heap.spans[s]) == page
    score(heap, rows, PAGE, right)
    if not right:
        place_at(heap, rows, PAGE, p, s, page, was)
    span = heap.spans[s]
    span.owner = p
    span.sweepgen = heap.gc.sweepgen + 3
    cache.alloc[spc] = s
    heap.gc.heap_live += npages << heap.knobs.page_shift
    return s


@inner
def judged_slot(heap, rows, s, addr):
    """Take the next slot of span s, score it, and set it right: the object's place; NONE where another lives there."""
    span = heap.spans[s]
    true_slot = (addr - span.start_addr) // span.elem_size
    if true_slot < 0 or true_slot >= span.nelems or not find_free_word(heap, s):
        # The span could not be set right: any slot will do, so that the counts stay whole.
        score(heap, rows, SLOT, False)
        rows[SLOT, LOST] += 1
        if not find_free_word(heap, s):
            return NONE
        true_slot = (span.alloc_word << 6) + trailing_zeros(span.alloc_cache)
        take_slots_to(heap, s, true_slot)
        born(heap, span, span.spc, true_slot)
        return (s << 16) | true_slot
    next_slot = (span.alloc_word << 6) + trailing_zeros(span.alloc_cache)
    # A slot that was passed before is the late event of one that was counted as taken then.
    if true_slot >= next_slot:
        score(heap, rows, SLOT, next_slot == true_slot)
        take_slots_to(heap, s, true_slot)
    elif is_live(heap, span, true_slot):
        # Two handles for one slot: it would be free as soon as one of them is dead.
        score(heap, rows, SLOT, False)
        rows[SLOT, LOST] += 1
        return NONE
    loc = (s << 16) | true_slot
    born(heap, span, span.spc, true_slot)
    return loc
