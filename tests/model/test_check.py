"""`check` finds nothing in a sound heap, and the right thing in one that was tampered with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import GO_1_12, GO_1_27, RELEASES
from goalloc_cli.model.proof.check import BROKEN, check
from goalloc_cli.model.tables.heap import NONE, SPAN_IN_USE
from tests.kit.kernels import Kernels
from tests.kit.story import events
from tests.kit.strategies import MAX_PROCS, seeded

BUSY = (
    "alloc t 8 noscan; P1 alloc a 24 x 400; alloc b 1024 x 20; alloc c 40000; stack s 2048 x 20; "
    "free a0 b3; gc; P1 alloc d 1024; alloc u 8 noscan"
)


def busy(design: Design = GO_1_27) -> Kernels:
    """A heap with something in every system."""
    kernels = Kernels(design, MAX_PROCS)
    for event in events(BUSY):
        kernels.apply(*event)
    return kernels


def cached(heap: np.record) -> int:
    """A span that P 1 caches."""
    return int(next(s for s in heap.mcaches[1].alloc if s))


def uncached(heap: np.record) -> int:
    """A span of small objects that no P caches."""
    rows = heap.spans[1 : heap.span_rows]
    return 1 + int(np.flatnonzero((rows["state"] == SPAN_IN_USE) & (rows["owner"] == NONE) & (rows["spc"] > 1))[0])


def free_page(heap: np.record) -> int:
    """A page that is free in the bitmap."""
    return next(p for p in range(512) if not int(heap.allocated_bits[p // 64]) >> (p % 64) & 1)


def flip(words: np.ndarray, i: int) -> None:
    words[i // 64] ^= np.uint64(1 << (i % 64))


def hold_a_free_page(kernels: Kernels) -> None:
    cache, page = kernels.heap.mcaches[3], free_page(kernels.heap)
    cache.page_cache_base, cache.page_cache_bits = page // 64 * 64, np.uint64(1 << page % 64)


def move(kernels: Kernels, less: str, more: str, amount: int) -> None:
    kernels.heap.stats[less] -= amount
    kernels.heap.stats[more] += amount


def leave_unswept(kernels: Kernels) -> None:
    kernels.heap.spans[uncached(kernels.heap)].sweepgen = kernels.heap.gc.sweepgen - 2
    kernels.heap.gc.sweeping = 0


def lose_the_queues(kernels: Kernels) -> None:
    kernels.heap.central["head"] = NONE
    kernels.heap.central["count"] = 0


def mark_early(kernels: Kernels) -> None:
    kernels.heap.gc.marking = kernels.heap.gc.sweeping = 1


def add(row: np.record, column: str, amount: int = 1) -> None:
    row[column] += amount


TAMPERED: list[tuple[int, Callable[[Kernels], object]]] = [
    (1, lambda k: flip(k.heap.allocated_bits, 0)),
    (2, lambda k: flip(k.heap.allocated_bits, free_page(k.heap))),
    (3, hold_a_free_page),
    (4, lambda k: add(k.heap.stats, "free", 8192)),
    (5, lambda k: move(k, "free", "in_use", 1)),
    (6, lambda k: move(k, "free", "in_use", 8192)),
    (7, lambda k: add(k.heap.stats, "released", 8192)),
    (8, lambda k: flip(k.heap.scavenged_bits, 0)),
    (9, lambda k: k.heap.page_span.__setitem__(0, 3)),
    (10, lambda k: k.heap.spans[cached(k.heap)].__setitem__("alloc_count", 1)),
    (11, lambda k: add(k.heap.spans[cached(k.heap)], "nelems", 1000)),
    (12, lambda k: k.heap.spans[cached(k.heap)].__setitem__("owner", 3)),
    (13, lose_the_queues),
    (14, lambda k: add(k.heap.spans[uncached(k.heap)], "sweepgen", -4)),
    (15, lambda k: k.heap.by_spc[6].__setitem__("frees", 7)),
    (17, lambda k: k.objects[5].__setitem__("loc", cached(k.heap) << 16 | 9999)),
    (18, lambda k: k.objects[5].__setitem__("label", 0)),
    (19, lambda k: k.heap.mcaches[0].__setitem__("tiny_offset", 99)),
    (20, lambda k: k.heap.gc.__setitem__("trigger", k.heap.gc.goal + 1)),
    (21, lambda k: k.heap.__setitem__("search_page", 511)),
    (22, lambda k: k.heap.chunks[0].__setitem__("longest_run", 3)),
    (23, lambda k: k.heap.mcaches[0].stack_bytes.__setitem__(0, 1)),
    (24, leave_unswept),
    (25, lambda k: add(k.heap.by_spc[6], "span_frees")),
    (26, lambda k: add(k.heap.mcaches[1], "refills")),
    (27, lambda k: add(k.heap.by_spc[6], "requested")),
    (28, mark_early),
    (29, lambda k: k.heap.page_run.__setitem__(slice(None), 0)),
    (30, lambda k: k.heap.central["count"].__setitem__(6, 5)),
    (31, lambda k: add(k.heap, "node_rows")),
    (32, lambda k: k.heap.chunks[0].__setitem__("pages_in_use", 1)),
    (33, lambda k: add(k.heap.by_spc[6], "died")),
    (34, lambda k: add(k.heap.by_spc[6], "found_bytes")),
]


def test_each_invariant_has_a_heap_that_breaks_it():
    assert [number for number, _ in TAMPERED] == list(BROKEN)


def test_a_sound_heap_passes():
    kernels = busy()
    assert check(kernels.heap, kernels.objects) == ""


@pytest.mark.parametrize("number, tamper", TAMPERED, ids=[BROKEN[n] for n, _ in TAMPERED])
def test_what_is_broken_is_named(number, tamper):
    kernels = busy(GO_1_12 if number == 29 else GO_1_27)
    tamper(kernels)
    assert check(kernels.heap, kernels.objects) == BROKEN[number]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("seed", range(2))
def test_a_random_program_leaves_a_sound_heap_after_every_event(seed, release):
    kernels = Kernels(RELEASES[release], MAX_PROCS)
    for event in seeded(seed, 25):
        kernels.apply(*event)
        assert check(kernels.heap, kernels.objects) == ""
