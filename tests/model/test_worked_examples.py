"""The worked examples of the specification (allocator.md 12.2, go1.22+), on every implementation.

W13 (the scavenger's goal) is in `test_scavenge`. Numbers are those measured on real
toolchains, but where an example starts from a program's own heap the story starts from an empty one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import GO_1_22, GO_1_25, GO_1_26, GO_1_27
from tests.kit.runners import IMPLEMENTATIONS, Result

PAGE = 8192
STACK_SPAN = 32768


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda runner: runner.name)
def run(request):
    """The `run(text, design)` of each implementation."""
    return request.param.run


def offsets(result: Result, names: str) -> list[tuple[int, int]]:
    """The tiny block (numbered from 0) and the offset in it of each of the objects `names`."""
    blocks = sorted({result.addr[name] // 16 for name in names})
    return [(blocks.index(result.addr[name] // 16), result.addr[name] % 16) for name in names]


def tiny(*sizes: int) -> str:
    """Tiny requests named a, b, c, ..."""
    return "; ".join(f"alloc {name} {size} noscan" for name, size in zip("abcd", sizes, strict=False))


def slots_of_first_span(run, size: int, noscan: str, design: Design) -> int:
    """How many objects fit in the first span of a class."""
    result = run(f"alloc a {size} {noscan} x 600", design)
    first = result.heap.spans()[0]
    return first[3]


# W1, W2: the tiny allocator.


def test_w1_a_tiny_request_that_does_not_fit_opens_a_block(run):
    result = run(tiny(1, 8, 5), GO_1_27)
    assert offsets(result, "abc") == [(0, 0), (0, 8), (1, 0)]


def test_w1_three_requests_in_two_blocks_count_as_two_objects_and_one_packed(run):
    heap = run(tiny(1, 8, 5), GO_1_27).heap
    assert (heap.mallocs, heap.tiny_allocs, heap.heap_alloc) == (2, 1, 32)


def test_w1_the_emptier_block_becomes_the_current_one(run):
    result = run(tiny(1, 8, 5), GO_1_27)
    assert result.heap.tiny(0) == (result.addr["c"], 5)


@pytest.mark.parametrize(
    ("sizes", "places"),
    [
        ((12, 9, 7), [(0, 0), (1, 0), (1, 9)]),
        ((9, 12, 7), [(0, 0), (1, 0), (0, 9)]),
        ((15, 15, 1), [(0, 0), (1, 0), (0, 15)]),
        ((3, 2, 4, 1), [(0, 0), (0, 4), (0, 8), (0, 12)]),
    ],
)
def test_w2_of_two_blocks_the_one_with_more_room_is_kept(run, sizes, places):
    result = run(tiny(*sizes), GO_1_27)
    assert offsets(result, "abcd"[: len(sizes)]) == places


def test_where_packing_is_told_no_cycle_keeps_a_block_for_being_the_current_one():
    """A full recording tells when a block dies; which one is current in Go, the model does not know."""
    _naive, kernels = IMPLEMENTATIONS
    told = replace(GO_1_27, tiny_as_told=1)
    addr = kernels.run("alloc a 4 noscan; alloc b 8 noscan; free a; gc; alloc c 4 noscan", told).addr
    assert addr["c"] == addr["a"]


# W3 to W7: classes, headers, large objects.


def test_w3_thirty_three_bytes_take_forty_eight(run):
    assert run("alloc a 33 noscan", GO_1_27).heap.heap_alloc == 48


@pytest.mark.parametrize(
    ("design", "noscan_slots", "scan_slots"),
    [(GO_1_22, 170, 168), (GO_1_25, 170, 168), (GO_1_26, 168, 165), (GO_1_27, 168, 165)],
)
def test_w3_a_span_keeps_its_bitmap_and_its_marks_at_its_end(run, design, noscan_slots, scan_slots):
    assert slots_of_first_span(run, 33, "noscan", design) == noscan_slots
    assert slots_of_first_span(run, 40, "", design) == scan_slots


@pytest.mark.parametrize(("size", "slot"), [(512, 512), (520, 576), (1024, 1152)])
def test_w4_above_512_bytes_a_header_changes_the_class(run, size, slot):
    assert run(f"alloc a {size}", GO_1_27).heap.heap_alloc == slot


def test_w4_1024_bytes_with_pointers_are_seven_to_a_span(run):
    assert slots_of_first_span(run, 1024, "", GO_1_27) == 7
    assert slots_of_first_span(run, 1024, "noscan", GO_1_27) == 8


@pytest.mark.parametrize("noscan", ["", "noscan"])
def test_w5_a_large_object_counts_its_pages(run, noscan):
    heap = run(f"alloc a 40000 {noscan}", GO_1_27).heap
    assert (heap.heap_inuse, heap.heap_alloc) == (40960, 40960)
    assert heap.spans()[0][2] == (1 if noscan else 0)


@pytest.mark.parametrize(("request_", "inuse"), [("28672 noscan", 57344), ("28672", 32768), ("28664", 57344)])
def test_w6_a_header_may_cost_a_class(run, request_, inuse):
    assert run(f"alloc a {request_}", GO_1_27).heap.heap_inuse == inuse


@pytest.mark.parametrize(("size", "spc"), [(32760, 135), (32761, 1), (32768, 1)])
def test_w7_small_objects_end_eight_bytes_below_the_largest_class(run, size, spc):
    assert run(f"alloc a {size} noscan", GO_1_27).heap.spans()[0][2] == spc


# W8, W9: pages.

FORTY = "alloc a 40000 noscan x 40"
LEFTOVERS = "alloc b 8192 noscan x 6"
SIXTEEN_PAGES = "alloc c 131072 noscan x 4"


def test_w8_objects_of_five_pages_leave_four_in_the_page_cache(run):
    result = run(FORTY, GO_1_27)
    in_block, beyond = list(range(0, 60, 5)), list(range(64, 200, 5))
    assert [result.page(f"a{i}") for i in range(40)] == in_block + beyond


def test_w8_single_pages_use_the_leftovers_then_a_block_with_room(run):
    result = run(f"{FORTY}; {LEFTOVERS}", GO_1_27)
    assert [result.page(f"b{i}") for i in range(6)] == [60, 61, 62, 63, 204, 205]


def test_w8_sixteen_pages_do_not_touch_the_page_cache(run):
    result = run(f"{FORTY}; {LEFTOVERS}; {SIXTEEN_PAGES}", GO_1_27)
    assert [result.page(f"c{i}") for i in range(4)] == [256, 272, 288, 304]


W9 = f"alloc z 2097152 noscan; {FORTY}; {LEFTOVERS}"


def test_w9_the_heap_grows_by_four_mebibytes(run):
    assert run(W9, GO_1_27).heap.heap_sys == 512 * PAGE
    result = run(f"{W9}; {SIXTEEN_PAGES}", GO_1_27)
    assert result.page("c0") == 512
    assert result.heap.heap_sys == 1024 * PAGE


def test_w9_growth_does_not_count_the_free_tail_but_first_fit_uses_it(run):
    result = run(f"{W9}; {SIXTEEN_PAGES}; alloc d 5242880 noscan; alloc e 5242880 noscan", GO_1_27)
    assert [result.page("d"), result.page("e")] == [576, 1216]
    assert result.heap.heap_sys + result.heap.stack_inuse == 2048 * PAGE


def test_padding_stays_released_and_unused(run):
    result = run("alloc a 40000 noscan", replace(GO_1_27, heap_padding_pages=100))
    assert result.page("a") == 100
    assert result.heap.heap_released == (512 - 5) * PAGE


# W10, W15: what a sweep leaves behind.


def test_w10_the_span_that_was_cached_is_refilled_first_then_the_others_in_order(run):
    text = "alloc a 1024 noscan x 96; free " + " ".join(f"a{i}" for i in range(96) if i % 8 != 3)
    result = run(f"{text}; gc!; alloc b 1024 noscan x 84; alloc c 1024 noscan", GO_1_27)
    order = [(result.span_start(f"b{i}") - result.addr["a0"]) // PAGE for i in range(0, 84, 7)]
    assert order == [11, *range(11)]
    assert result.page("c") not in range(12)


def test_w10_freed_slots_are_taken_in_ascending_order(run):
    text = "alloc a 1024 noscan x 8; free a0..a2 a4..a7; gc!; alloc b 1024 noscan x 7"
    result = run(text, GO_1_27)
    assert [result.addr[f"b{i}"] % PAGE // 1024 for i in range(7)] == [0, 1, 2, 4, 5, 6, 7]


def test_w10_old_partial_spans_come_after_new_ones(run):
    """Ten full spans: 2 and 5 get a hole in one cycle, 1, 3 and 8 in the next."""
    text = (
        "alloc a 1024 noscan x 80; free a16 a40; gc!; free a8 a24 a64; gc!;"
        "alloc b 1024 noscan x 5; alloc c 1024 noscan"
    )
    result = run(text, GO_1_27)
    assert [result.page(f"b{i}") for i in range(5)] == [1, 3, 8, 2, 5]
    assert result.page("c") > 10


@pytest.mark.parametrize(("hole", "fresh_spans"), [(100, 0), (101, 1), (201, 1), (202, 2)])
def test_a_refill_sweeps_at_most_a_hundred_and_one_spans(run, hole, fresh_spans):
    """Of 250 full spans one has a hole: each refill that does not get there takes a fresh span."""
    design = replace(GO_1_27, background_turns=0, gogc=-1)
    text = f"alloc a 4096 noscan x 500; free a{2 * hole}; gc; alloc b 4096 noscan x 10"
    result = run(text, design)
    where = [result.addr[f"b{i}"] for i in range(10)]
    assert where.index(result.addr[f"a{2 * hole}"]) == 2 * fresh_spans


LAZY = replace(GO_1_27, background_turns=0, gogc=-1)
"""No background sweeper and no sweep debt: only refills and the reclaimer sweep."""


def test_a_stale_span_is_swept_when_its_p_next_allocates(run):
    """P1 ends the cycle and is flushed at once; P0 keeps its half-used span until it allocates again."""
    text = "P0 alloc a 2048 noscan x 3; P1 alloc b 2048 noscan; free a0; P1 gc"
    assert run(text, LAZY).heap.frees == 0
    result = run(f"{text}; P0 alloc c 40000 noscan; P0 alloc d 2048 noscan", LAZY)
    assert result.heap.frees == 1
    assert result.addr["d"] == result.addr["b"] + 2048


def test_the_next_cycle_does_not_start_before_every_p_is_flushed(run):
    heap = run("P0 alloc a 2048 noscan; free a; P1 gc; P1 mark", LAZY).heap
    assert (heap.frees, heap.spans()) == (1, [])


def test_a_dead_object_keeps_its_slot_until_the_cycle_after_its_death_is_swept(run):
    """It dies while the cycle marks, so that cycle still finds it live."""
    text = "alloc a 8192 noscan; alloc b 8192 noscan; mark; free a; sweep!"
    assert run(text, GO_1_27).heap.heap_objects == 2
    assert run(f"{text}; gc!", GO_1_27).heap.heap_objects == 1


def test_the_current_tiny_block_survives_one_cycle_without_a_live_object_in_it(run):
    text = "alloc a 8 noscan; free a; gc!"
    assert run(text, GO_1_27).heap.heap_objects == 1
    assert run(f"{text}; gc!", GO_1_27).heap.heap_objects == 0


def test_work_buffers_are_held_until_the_background_sweeper_is_done(run):
    thirty_spans = "alloc a 8192 noscan x 30"
    assert run(f"{thirty_spans}; gc", GO_1_27).heap.workbufs == 32768
    assert run(f"{thirty_spans}; gc; gc", GO_1_27).heap.workbufs == 32768
    assert run(f"{thirty_spans}; gc!", GO_1_27).heap.workbufs == 0


def test_a_large_object_reclaims_dead_spans_before_new_pages_are_taken(run):
    result = run("alloc a 131072 noscan; alloc b 131072 noscan; free a; gc; alloc c 131072 noscan", LAZY)
    assert result.addr["c"] == result.addr["a"]


@pytest.mark.parametrize(("design", "unswept"), [(GO_1_25, 2), (GO_1_27, 0)])
def test_green_tea_hides_live_pointer_free_objects_from_the_reclaimer(run, design, unswept):
    """The reclaimer of 1.26+ sweeps spans of small pointer-free objects full of live ones.

    Their marks sit in the span, and no page mark is set (mgcmark_greenteagc.go, tryDeferToSpanScan).
    """
    per_span = 15 if design.inline_mark_bytes else 16
    full_spans = f"alloc a 512 noscan x {3 * per_span}; gc; alloc b 131072 noscan"
    heap = run(full_spans, replace(design, background_turns=0, gogc=-1)).heap
    swept_by_flush_or_reclaim = heap.central(53)[2]
    assert len(heap.central(53)[3]) == unswept
    assert len(swept_by_flush_or_reclaim) == 3 - unswept


def test_w15_an_empty_span_goes_back_to_the_page_heap_and_serves_another_class(run):
    result = run("alloc a 1024 noscan x 8; free a; gc!; alloc b 1152 noscan x 430", GO_1_27)
    assert result.addr["a0"] in [result.addr[f"b{i}"] for i in range(430)]


# W11, W12: pacing.


def test_w11_the_first_cycle_starts_below_four_mebibytes(run):
    heap = run("", GO_1_27).heap
    assert (heap.next_gc, heap.trigger) == (4194304, 3997696)


def test_w11_half_the_percentage_halves_the_first_goal(run):
    heap = run("", replace(GO_1_27, gogc=50)).heap
    assert (heap.next_gc, heap.trigger) == (2097152, 1998848)


@pytest.mark.parametrize(("gogc", "goal"), [(100, 25_878_442), (50, 19_365_829)])
def test_w12_the_goal_counts_globals_beside_what_was_marked(run, gogc, goal):
    """12,853,216 bytes are marked; the stacks of the example are put with the globals."""
    design = replace(GO_1_27, gogc=gogc, globals_scan_bytes=13_888 + 158_122)
    heap = run("alloc a 12845056 noscan; alloc b 32 noscan x 255; gc!", design).heap
    assert heap.heap_live == 12_853_216
    assert heap.next_gc == goal


# W14: stacks.


def test_w14_a_thousand_small_stacks_take_sixty_three_spans(run):
    assert run("stack s 2048 x 1000", GO_1_27).heap.stack_inuse == 63 * STACK_SPAN


def test_w14_pooled_pieces_save_a_span(run):
    assert run("stack r 2048; stack s 2048 x 1000", GO_1_27).heap.stack_inuse == (1 + 62) * STACK_SPAN


def test_w14_a_stack_that_doubles_to_128_kib_leaves_the_small_ones_in_caches(run):
    sizes = [2048 << order for order in range(7)]
    grow = "; ".join(
        f"stack s{size} {size}; unstack s{size // 2}" if size > 2048 else "stack s2048 2048" for size in sizes
    )
    pooled = "; ".join(f"stack w{size} {size}; unstack w{size}" for size in sizes[:4])
    before, after = run(pooled, GO_1_27).heap, run(f"{pooled}; {grow}", GO_1_27).heap
    assert after.stack_inuse - before.stack_inuse == 131072


def test_a_new_stack_span_is_used_from_its_middle_up(run):
    """The cache takes the upper eight pieces, highest first, and hands out the last one taken."""
    result = run("stack s 2048 x 9", GO_1_27)
    first_span = result.addr["s0"] // STACK_SPAN * STACK_SPAN
    pieces = [(result.addr[f"s{i}"] - first_span) // 2048 for i in range(9)]
    assert pieces == [*range(8, 16), 0]


def test_a_large_stack_that_is_freed_while_marking_is_used_again(run):
    result = run("stack s 65536; mark; unstack s; stack t 65536", GO_1_27)
    assert result.addr["t"] == result.addr["s"]


# W16: flushes.


@pytest.mark.parametrize(("between", "same_block"), [("", True), ("flush;", False), ("gc!;", False)])
def test_w16_a_flush_drops_the_tiny_block(run, between, same_block):
    result = run(f"alloc a 8 noscan; {between} alloc b 8 noscan", GO_1_27)
    assert (result.addr["b"] == result.addr["a"] + 8) == same_block


def test_w16_a_flush_empties_the_stack_caches_too(run):
    heap = run("stack s 2048; unstack s; flush", GO_1_27).heap
    assert heap.stack_inuse == 0
