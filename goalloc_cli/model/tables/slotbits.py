"""The bitmaps of a span's slots, side by side in `heap.bits` (Go: mbitmap.go, allocBits and gcmarkBits).

| words                | a bit is set when its slot |
|----------------------|----------------------------|
| 0 .. w-1             | was found in use by the last sweep |
| w .. 2w-1            | holds a live object, by the trace's own truth: set by an allocation, cleared by a free |
| 2w .. 3w-1           | is marked in `mark_cycle`, where that differs from the live bits |
| 3w .. (tiny spans)   | bytes, one a slot: live objects that share it |

A mark phase marks what is live when it starts and what is allocated while it runs. The live bits say just that until the
first free; so only that free, if the span is still to be swept, copies them aside (`keep_marks`).
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.compiled.words import popcount
from goalloc_cli.model.tables.heap import FAULT_SLOT_WORDS, HEAP, NONE, SLOT_WORDS, SPAN
from goalloc_cli.model.tables.pallocbits import ZERO, bit, low_bits

TINY_SPC = 5
"""The span class whose slots are blocks of tiny objects: class 2 (16 bytes), noscan."""


@inner
def words_of(span):
    """Words that the bitmaps of a span take in `heap.bits`."""
    n = 3 * span.nwords
    if span.spc == TINY_SPC:
        n += (span.nelems + 7) >> 3
    return n


@inner
def new_slot_bits(heap, span):
    """Give a span its bitmaps, all clear."""
    span.nwords = (span.nelems + 63) >> 6
    n = words_of(span)
    first = heap.free_words[n] if n < 256 else NONE
    if first != NONE:
        heap.free_words[n] = np.int64(heap.bits[first])
    else:
        first = heap.slot_words
        if first + n > SLOT_WORDS:
            heap.fault = FAULT_SLOT_WORDS
            span.nwords = 0
            return
        heap.slot_words = first + n
    span.bits = first
    for w in range(first, first + n):
        heap.bits[w] = ZERO


@inner
def drop_slot_bits(heap, span):
    """Take a span's bitmaps back."""
    n = words_of(span)
    if n == 0:
        return
    following = heap.free_words[n]
    heap.bits[span.bits] = np.uint64(following)
    heap.free_words[n] = span.bits


@inner
def set_live(heap, span, slot):
    """Slot `slot` holds a live object from here on."""
    heap.bits[span.bits + span.nwords + (slot >> 6)] |= bit(slot & 63)


@inner
def clear_live(heap, span, slot):
    """The object in slot `slot` is dead from here on."""
    heap.bits[span.bits + span.nwords + (slot >> 6)] &= ~bit(slot & 63)


@inner
def is_live(heap, span, slot):
    """True where slot `slot` holds a live object."""
    return heap.bits[span.bits + span.nwords + (slot >> 6)] & bit(slot & 63) != ZERO


@inner
def set_allocated(heap, span, slot):
    """Slot `slot` is in use since before the last sweep (snapshots only)."""
    heap.bits[span.bits + (slot >> 6)] |= bit(slot & 63)


@inner
def is_allocated(heap, span, slot):
    """True where slot `slot` was found in use by the last sweep, or by the snapshot."""
    return heap.bits[span.bits + (slot >> 6)] & bit(slot & 63) != ZERO


@apart
def keep_marks(heap: HEAP, span: SPAN, cycle) -> None:
    """Copy the live bits aside: they are what `cycle` marked."""
    live = span.bits + span.nwords
    for w in range(span.nwords):
        heap.bits[live + span.nwords + w] = heap.bits[live + w]
    span.mark_cycle = cycle


@inner
def set_mark(heap, span, slot):
    """Mark slot `slot` in the cycle whose marks are kept."""
    heap.bits[span.bits + 2 * span.nwords + (slot >> 6)] |= bit(slot & 63)


@inner
def marks_word(heap, span, cycle):
    """Index in heap.bits of the first word that says what `cycle` marked."""
    if span.mark_cycle == cycle:
        return span.bits + 2 * span.nwords
    return span.bits + span.nwords


@inner
def count_marked(heap, span, cycle):
    """Number of slots of the span that `cycle` marked."""
    first = marks_word(heap, span, cycle)
    n = 0
    for w in range(first, first + span.nwords):
        n += popcount(heap.bits[w])
    return n


@inner
def adopt_marks(heap, span, cycle):
    """What `cycle` marked becomes what is allocated; return the number of those slots (Go: mgcsweep.go, sweep)."""
    first = marks_word(heap, span, cycle)
    n = 0
    for w in range(span.nwords):
        word = heap.bits[first + w]
        heap.bits[span.bits + w] = word
        n += popcount(word)
    return n


@inner
def load_alloc_cache(heap, span, w):
    """Point the alloc cache at word w of the bitmap: its set bits are the free slots."""
    free = ~heap.bits[span.bits + w]
    left = span.nelems - (w << 6)
    if left < 64:
        free &= low_bits(left)
    span.alloc_word = w
    span.alloc_cache = free


@inner
def sharers(heap, span, slot):
    """How many live objects share slot `slot` of a tiny span."""
    shift = np.uint64((slot & 7) << 3)
    return np.int64((heap.bits[span.bits + 3 * span.nwords + (slot >> 3)] >> shift) & np.uint64(0xFF))


@inner
def add_sharer(heap, span, slot):
    """One more live object shares slot `slot` of a tiny span."""
    heap.bits[span.bits + 3 * span.nwords + (slot >> 3)] += np.uint64(1) << np.uint64((slot & 7) << 3)


@inner
def drop_sharer(heap, span, slot):
    """One live object less shares slot `slot` of a tiny span; return how many are left."""
    heap.bits[span.bits + 3 * span.nwords + (slot >> 3)] -= np.uint64(1) << np.uint64((slot & 7) << 3)
    return sharers(heap, span, slot)
