"""Which chunk of the bitmap the scavenger looks at next. (Go: mgcscavenge.go, scavengeIndex; allocator.md 9.2)

Always the highest first, below a cursor: one for the background, which since Go 1.21 rises once a cycle, and one for
releases that are forced, which rises with every free.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.choices import ScavengeIndex
from goalloc_cli.model.tables.heap import CHUNK_PAGES, NONE

NOTHING_RELEASED = 1 << 40
"""Above every page: the lowest page released of none."""


@inner
def begin_index(heap):
    """Before any page: nothing can be released."""
    scav = heap.scavenge
    scav.cursor = scav.force_cursor = scav.free_high = NONE
    scav.released_low = NOTHING_RELEASED


@inner
def note_in_use(heap, chunk, pages):
    """So many pages of a chunk are allocated now. At the first change of a generation the old number is kept."""
    if pages == chunk.pages_in_use:
        return
    if chunk.generation != heap.scavenge.generation:
        chunk.last_in_use = chunk.pages_in_use
        chunk.generation = heap.scavenge.generation
    chunk.pages_in_use = pages
    if pages == CHUNK_PAGES:
        chunk.has_free = 0


@inner
def note_free(heap, page, npages):
    """Pages became free: there may be something to release again."""
    scav = heap.scavenge
    last = page + npages - 1
    scav.free_high = max(scav.free_high, last)
    if scav.force_cursor < last:
        scav.force_cursor = last
        scav.force_raised = 1
    for c in range(page // CHUNK_PAGES, last // CHUNK_PAGES + 1):
        heap.chunks[c].has_free = 1


@inner
def may_scavenge(heap, chunk, force):
    """True for a chunk that pages may be released of: not while it is dense, or was in the cycle before."""
    if heap.knobs.scavenge_index < ScavengeIndex.MARKED:
        return True
    if chunk.has_free == 0:
        return False
    if force or heap.knobs.scavenge_index == ScavengeIndex.MARKED:
        return True
    dense = heap.knobs.dense_pages
    if chunk.generation == heap.scavenge.generation and chunk.last_in_use >= dense:
        return False
    return chunk.pages_in_use < dense


@inner
def find_chunk(heap, force):
    """Where to look for pages to release: the highest such page, or NONE. Lowers the cursor that it went by."""
    scav = heap.scavenge
    index = heap.knobs.scavenge_index
    forced = index == ScavengeIndex.MARKED or (force and index == ScavengeIndex.DENSITY)
    cursor = scav.force_cursor if forced else scav.cursor
    if cursor == NONE:
        return NONE
    first = cursor // CHUNK_PAGES
    c = first
    while c >= heap.first_page // CHUNK_PAGES and not may_scavenge(heap, heap.chunks[c], force):
        c -= 1
    if c == first:
        return cursor
    raised = scav.force_raised if forced else scav.raised
    cursor = NONE
    if c >= heap.first_page // CHUNK_PAGES:
        cursor = (c + 1) * CHUNK_PAGES - 1
    elif raised:
        # Nothing yet: it stays where it was raised to. (Go: mranges.go, atomicOffAddr.Clear)
        return NONE
    if forced:
        scav.force_cursor = cursor
        scav.force_raised = 0
    else:
        scav.cursor = cursor
        scav.raised = 0
    return cursor


@inner
def note_nothing(heap, page):
    """The chunk of a page has nothing to release, at or below it."""
    scav = heap.scavenge
    c = page // CHUNK_PAGES
    heap.chunks[c].has_free = 0
    if heap.knobs.scavenge_index < ScavengeIndex.MARKED:
        scav.cursor = c * CHUNK_PAGES - 1 if c > heap.first_page // CHUNK_PAGES else NONE


@inner
def note_scavenged(heap, page):
    """Pages from this one on were released: a cursor that only goes down is below them now."""
    scav = heap.scavenge
    if heap.knobs.scavenge_index < ScavengeIndex.MARKED:
        scav.cursor = page - 1 if page > heap.first_page else NONE
        scav.released_low = min(scav.released_low, page)


@inner
def next_generation(heap):
    """A cycle's marking has ended. (Go 1.21: nextGen)"""
    scav = heap.scavenge
    if heap.knobs.scavenge_index != ScavengeIndex.DENSITY:
        return
    scav.generation += 1
    if scav.cursor < scav.free_high:
        scav.cursor = scav.free_high
        scav.raised = 1
    scav.free_high = NONE


@inner
def start_generation(heap):
    """Sweeping is done, or everything is to be released: look at all that can have changed. (Go 1.15: scavengeStartGen)"""
    scav = heap.scavenge
    if heap.knobs.scavenge_index == ScavengeIndex.CURSOR:
        restart(heap)
    elif heap.knobs.scavenge_index == ScavengeIndex.GENERATIONS:
        scav.cursor = min(heap.end_page, scav.released_low) - 1
        scav.cursor = max(scav.cursor, scav.free_high)
        scav.free_high = NONE
        scav.released_low = NOTHING_RELEASED


@inner
def restart(heap):
    """The cursor goes back to the top. (Go 1.14: resetScavengeAddr)"""
    heap.scavenge.cursor = heap.end_page - 1
