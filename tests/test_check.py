"""`check` finds nothing in a sound heap, and the right thing in one that was tampered with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from goalloc_cli.design import GO_1_27, RELEASES
from goalloc_cli.model.check import BROKEN, check
from tests.kernels import Kernels
from tests.story import events
from tests.strategies import MAX_PROCS, seeded

BUSY = (
    "alloc t 8 noscan; P1 alloc a 24 x 400; alloc b 1024 x 20; alloc c 40000; stack s 2048 x 20; "
    "free a0 b3; gc; P1 alloc d 1024"
)


def busy() -> Kernels:
    """A heap with something in every system."""
    kernels = Kernels(GO_1_27, MAX_PROCS)
    for event in events(BUSY):
        kernels.apply(*event)
    return kernels


def cached(heap: np.record) -> int:
    """A span that P 1 caches."""
    return int(next(s for s in heap.mcaches[1].alloc if s))


def free_page(heap: np.record) -> int:
    """A page that is free in the bitmap."""
    return next(p for p in range(512) if not int(heap.allocated_bits[p // 64]) >> (p % 64) & 1)


def flip(words: np.ndarray, i: int) -> None:
    words[i // 64] ^= np.uint64(1 << (i % 64))


TAMPERED: list[tuple[int, Callable[[np.record], object]]] = [
    (1, lambda heap: flip(heap.allocated_bits, 0)),
    (2, lambda heap: flip(heap.allocated_bits, free_page(heap))),
    (4, lambda heap: heap.stats.__setitem__("free", heap.stats.free + 8192)),
    (7, lambda heap: heap.stats.__setitem__("released", heap.stats.released + 8192)),
    (8, lambda heap: flip(heap.scavenged_bits, 0)),
    (9, lambda heap: heap.page_span.__setitem__(0, 3)),
    (10, lambda heap: heap.spans[cached(heap)].__setitem__("alloc_count", 1)),
    (12, lambda heap: heap.spans[cached(heap)].__setitem__("owner", 3)),
    (15, lambda heap: heap.by_spc[6].__setitem__("frees", 7)),
    (20, lambda heap: heap.gc.__setitem__("trigger", heap.gc.goal + 1)),
    (21, lambda heap: heap.__setitem__("search_page", 511)),
    (22, lambda heap: heap.chunks[0].__setitem__("longest_run", 3)),
    (25, lambda heap: heap.chunks[0].__setitem__("pages_in_use", 1)),
    (23, lambda heap: heap.mcaches[0].stack_bytes.__setitem__(0, 1)),
]


def test_a_sound_heap_passes():
    kernels = busy()
    assert check(kernels.heap, kernels.objects) == ""


@pytest.mark.parametrize("number, tamper", TAMPERED, ids=[BROKEN[n] for n, _ in TAMPERED])
def test_what_is_broken_is_named(number, tamper):
    kernels = busy()
    tamper(kernels.heap)
    assert check(kernels.heap, kernels.objects) == BROKEN[number]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("seed", range(2))
def test_a_random_program_leaves_a_sound_heap_after_every_event(seed, release):
    kernels = Kernels(RELEASES[release], MAX_PROCS)
    for event in seeded(seed, 25):
        kernels.apply(*event)
        assert check(kernels.heap, kernels.objects) == ""
