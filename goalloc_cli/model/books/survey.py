"""The state of every system at the end of a replay, as plain tables: Python reads the heap here, and only here."""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.words import popcount
from goalloc_cli.model.tables.heap import (
    FULL,
    LOCKS,
    NO_SPAN,
    PARTIAL,
    SPAN_IN_USE,
    SPAN_STACK,
    SWEEP_CAUSES,
)
from goalloc_cli.model.tables.objects import LABEL_SHIFT, OBJECT_LIVE
from goalloc_cli.model.tables.slotbits import TINY_SPC
from goalloc_cli.results.outcome import (
    ARENA,
    CENTRAL,
    CLASS,
    MARK,
    MCACHE,
    SPAN,
    Checkpoint,
    External,
    Large,
    PinRow,
    Tiny,
    nearly_empty,
)

NO_SLOT = 1 << 16
BY_SIZE = 61
"""Entries of runtime.MemStats.BySize."""


def plain(table: np.recarray) -> np.ndarray:
    """The same rows without the columns as attributes: reading one costs a tenth then."""
    return np.asarray(table).view(np.dtype((np.void, table.dtype)))


def memstats(heap: np.record, sample: np.void) -> dict[str, object]:
    """runtime.MemStats as ReadMemStats would report it (allocator.md 10.2), from a sample just taken."""
    by, classes = plain(heap.by_spc), plain(heap.spanclasses)
    return {
        "Alloc": int(sample["heap_alloc"]),
        "TotalAlloc": int(sample["total_alloc"]),
        "Mallocs": int(sample["mallocs"]),
        "Frees": int(sample["frees"]),
        "HeapAlloc": int(sample["heap_alloc"]),
        "HeapSys": int(sample["heap_sys"]),
        "HeapIdle": int(sample["heap_idle"]),
        "HeapInuse": int(sample["heap_inuse"]),
        "HeapReleased": int(sample["heap_released"]),
        "HeapObjects": int(sample["heap_objects"]),
        "StackInuse": int(sample["stack_inuse"]),
        "NextGC": int(sample["next_gc"]),
        "NumGC": int(sample["num_gc"]),
        "BySize": [
            {
                "Size": int(classes[2 * c]["elem_size"]),
                "Mallocs": int(by[2 * c]["mallocs"] + by[2 * c + 1]["mallocs"]) if c else 0,
                "Frees": int(by[2 * c]["frees"] + by[2 * c + 1]["frees"]) if c else 0,
            }
            for c in range(BY_SIZE)
        ],
    }


def checkpoint(heap: np.record, name: str, sample: np.void) -> Checkpoint:
    """The heap at a named point."""
    return Checkpoint(name, memstats(heap, sample))


@kernel
def survey_spans(heap, rows):
    """Fill in SPAN rows, all but pin_type, for the heap spans in use; return how many there are."""
    n = 0
    for s in range(1, heap.span_rows):
        span = heap.spans[s]
        if span.state != SPAN_IN_USE:
            continue
        row = rows[n]
        row.start_addr = span.start_addr
        row.npages = span.npages
        row.spc = span.spc
        row.elem_size = span.elem_size
        row.nelems = span.nelems
        row.used = span.alloc_count
        row.live = 0
        for w in range(span.bits + span.nwords, span.bits + 2 * span.nwords):
            row.live += popcount(heap.bits[w])
        row.age = heap.gc.cycle - span.born_cycle
        row.place = place_of(heap, span)
        row.pin_type = s
        n += 1
    return n


@inner
def place_of(heap, span):
    """Which cache or queue holds a heap span (outcome.Place)."""
    if span.spc < 2:
        return 5
    if span.owner >= 0:
        return 0
    full = span.alloc_count == span.nelems
    if span.sweepgen == heap.gc.sweepgen:
        return 2 if full else 1
    return 4 if full else 3


def spans(heap: np.record) -> np.ndarray:
    """SPAN rows of the heap spans in use, by address; pin_type still holds the span's row number."""
    # Counted here: the heap's own count is a number of a saved state, which may lie.
    states = plain(heap.spans)["state"][: int(heap.span_rows)]
    rows = np.zeros(int(np.count_nonzero(states[1:] == SPAN_IN_USE)), SPAN)
    survey_spans(heap, rows)
    return rows[np.argsort(rows["start_addr"])]


def name_pins(rows: np.ndarray, objects: np.ndarray) -> None:
    """Write the type id of each span's first live object in place of the row numbers in `rows`; -1 where there is none."""
    numbers = rows["pin_type"]
    place = np.zeros(int(numbers.max(initial=0)) + 1, np.int64)
    place[numbers] = np.arange(len(rows))
    type_of = np.full(len(rows), -1, np.int64)
    survey_objects(objects, place, np.full(len(rows), NO_SLOT), type_of)
    rows["pin_type"] = type_of


@kernel
def survey_objects(objects, place, first, type_of):
    """Find the first live object of every span.

    Args:
        objects: OBJECT rows.
        place: position of each span row in the tables by span.
        first: (n,) i8 by span, NO_SLOT; changed.
        type_of: out, (n,) i8 by span: type id of its live object with the lowest address.
    """
    for i in range(len(objects)):
        if objects[i].label & OBJECT_LIVE == 0 or objects[i].loc < 0:
            continue
        at, slot = place[objects[i].loc >> 16], objects[i].loc & 0xFFFF
        if slot < first[at]:
            first[at] = slot
            type_of[at] = objects[i].label >> LABEL_SHIFT


def pins(heap: np.record, rows: np.ndarray, type_names: list[str]) -> list[PinRow]:
    """Nearly empty spans by the type that holds them, most span bytes first."""
    page = 1 << int(heap.knobs.page_shift)
    nearly = rows[nearly_empty(rows)]
    out: list[PinRow] = []
    for type_id in sorted(set(nearly["pin_type"].tolist())):
        held = nearly[nearly["pin_type"] == type_id]
        name = type_names[type_id] if 0 <= type_id < len(type_names) else ""
        live_bytes = int((held["live"] * held["elem_size"]).sum())
        out.append(PinRow(name, len(held), int(held["npages"].sum()) * page, live_bytes))
    return sorted(out, key=lambda row: -row.span_bytes)


def classes(heap: np.record, rows: np.ndarray) -> np.ndarray:
    """One CLASS row per span class that was ever used."""
    by, all_of = plain(heap.by_spc), plain(heap.spanclasses)
    used = np.flatnonzero((by["mallocs"] > 0) | (by["span_allocs"] > 0))
    b, one = by[used], all_of[used]
    # The spans of a class side by side, the youngest first; first and last of each.
    mine = rows[np.lexsort((rows["age"], rows["spc"]))]
    first, end = np.searchsorted(mine["spc"], used), np.searchsorted(mine["spc"], used, "right")

    def total(column: np.ndarray) -> np.ndarray:
        sums = np.concatenate(([0], np.cumsum(column)))
        return np.asarray(sums[end] - sums[first])

    out = np.zeros(len(used), CLASS)
    out["spc"] = used
    for name in ("elem_size", "npages", "nelems"):
        out[name] = one[name]
    out["spans"] = end - first
    out["span_bytes"] = total(mine["npages"]) << int(heap.knobs.page_shift)
    out["slots"] = total(mine["nelems"])
    live = b["mallocs"] - b["died"]
    out["used_slots"], out["live_objects"], out["requested_bytes"] = b["mallocs"] - b["frees"], live, b["requested"]
    out["bound_objects"] = b["bound"]
    for name in ("mallocs", "frees", "span_allocs", "span_frees"):
        out[name] = b[name]
    out["age_sum"] = total(mine["age"])
    there = first < end
    age, youngest, oldest = mine["age"], first[there], end[there] - 1
    out["age_min"][there], out["age_max"][there] = age[youngest], age[oldest]
    out["age_median"][there] = (age[(youngest + oldest) // 2] + age[(youngest + oldest + 1) // 2]) // 2
    slot_bytes = total(mine["nelems"] * mine["elem_size"])
    live_bytes = np.where(used < 2, b["large_live_bytes"], live * one["elem_size"])
    out["metadata_bytes"] = out["spans"] * one["metadata"]
    out["tail_bytes"] = out["span_bytes"] - slot_bytes - out["metadata_bytes"]
    out["unused_bytes"] = slot_bytes - live_bytes
    out["internal_bytes"] = live_bytes - b["requested"]
    return out


def mcaches(heap: np.record) -> np.ndarray:
    """One MCACHE row per P."""
    out = np.zeros(int(heap.nprocs), MCACHE)
    for p, row in enumerate(out):
        cache = heap.mcaches[p]
        cached = np.asarray(cache.alloc)
        cached = cached[cached != NO_SPAN]
        held = heap.spans[cached]
        row["p"] = p
        row["refills"], row["flushes"], row["tiny_allocs"] = cache.refills, cache.flushes, cache.tiny_allocs
        row["cached_spans"] = len(cached)
        row["cached_free_bytes"] = ((held["nelems"] - held["alloc_count"]) * held["elem_size"]).sum()
        row["page_cache_pages"] = int(cache.page_cache_bits).bit_count()
        row["stack_cache_bytes"] = np.asarray(cache.stack_bytes).sum()
    return out


def central(heap: np.record) -> np.ndarray:
    """One CENTRAL row per span class that was ever used."""
    used = np.flatnonzero(heap.by_spc["span_allocs"] > 0)
    one = plain(heap.central)[used]
    out = np.zeros(len(used), CENTRAL)
    swept = int(heap.gc.parity)
    out["spc"] = used
    out["partial_swept"], out["full_swept"] = one["count"][:, PARTIAL, swept], one["count"][:, FULL, swept]
    out["partial_unswept"], out["full_unswept"] = one["count"][:, PARTIAL, 1 - swept], one["count"][:, FULL, 1 - swept]
    for name in ("from_partial_swept", "from_partial_unswept", "from_full_unswept", "from_heap", "swept_for_refill"):
        out[name] = one[name]
    return out


def arenas(heap: np.record) -> np.ndarray:
    """One ARENA row per reserved arena that the heap has grown into, in pages."""
    size = int(heap.knobs.arena_pages)
    first, end = int(heap.first_page), int(heap.end_page)
    state = np.zeros(heap.span_rows, np.int64)
    state[:] = heap.spans["state"][: heap.span_rows]
    out = []
    for start in range(first // size * size, end, size):
        lo, hi = max(start, first), min(start + size, end)
        owner = state[np.asarray(heap.page_span[lo:hi])]
        released = bits_of(heap.scavenged_bits, lo, hi)
        inuse = int((owner == SPAN_IN_USE).sum())
        stacks = int((owner == SPAN_STACK).sum())
        taken = int((owner != 0).sum())
        gone = int(released.sum())
        addr = int(heap.base_addr) + (start << int(heap.knobs.page_shift))
        out.append((addr, hi - lo, inuse, stacks, hi - lo - taken - gone, gone))
    return np.array(out, ARENA)


def bits_of(words: np.ndarray, lo: int, hi: int) -> np.ndarray:
    """Bits lo .. hi-1 of a bitmap, as an array of 0 and 1."""
    first, last = lo // 64, (hi + 63) // 64
    flat = np.unpackbits(np.asarray(words[first:last]).view(np.uint8), bitorder="little")
    return flat[lo - 64 * first : hi - 64 * first]


def external(heap: np.record) -> External:
    """How the free pages of the heap lie."""
    free = 1 - bits_of(heap.allocated_bits, int(heap.first_page), int(heap.end_page)).astype(np.int8)
    edges = np.diff(np.concatenate([[0], free, [0]]))
    runs = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    histogram = np.bincount(np.log2(runs).astype(int)) if len(runs) else np.zeros(0, int)
    return External(
        free_pages=int(runs.sum()),
        free_runs=len(runs),
        largest_run=int(runs.max()) if len(runs) else 0,
        growths=int(heap.stats.growths),
        blocked_growths=int(heap.stats.blocked_growths),
        run_histogram=tuple(int(n) for n in histogram),
    )


def large(heap: np.record) -> Large:
    """Objects with a span of their own."""
    by = heap.by_spc[:2]
    live_bytes = int(by["large_live_bytes"].sum())
    return Large(
        live_objects=int((by["mallocs"] - by["died"]).sum()),
        live_bytes=live_bytes,
        rounding=live_bytes - int(by["requested"].sum()),
        allocs=int(by["mallocs"].sum()),
        frees=int(by["frees"].sum()),
        alloc_bytes=int(by["large_alloc_bytes"].sum()),
    )


def tiny(heap: np.record) -> Tiny:
    """The tiny allocator."""
    by = heap.by_spc[TINY_SPC]
    size, live = int(heap.spanclasses[TINY_SPC]["elem_size"]), int(by["mallocs"] - by["died"])
    return Tiny(
        blocks=int(heap.stats.tiny_blocks),
        live_blocks=live,
        packed=int(heap.stats.tiny_packed),
        live_waste=live * size - int(by["requested"]),
    )


def marks(heap: np.record) -> np.ndarray:
    """One MARK row per span class in which a mark phase found anything."""
    found = np.flatnonzero(heap.marks["all_objects"])
    out = np.zeros(len(found), MARK)
    out["spc"], out["elem_size"] = found, heap.spanclasses["elem_size"][found]
    for name in heap.marks.dtype.names:
        out[name] = heap.marks[name][found]
    return out


def locks(heap: np.record) -> dict[str, int]:
    """Acquisitions of the heap lock by cause."""
    return {name: int(n) for name, n in zip(LOCKS, heap.stats.locks, strict=True)}


def sweeps(heap: np.record) -> dict[str, int]:
    """Spans swept, by who swept them."""
    return {name: int(n) for name, n in zip(SWEEP_CAUSES, heap.stats.swept, strict=True)}
