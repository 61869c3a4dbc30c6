"""The worked examples of the specification for every release since 1.10 (allocator.md 12.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Scavenger
from goalloc_cli.design.releases import (
    GO_1_10,
    GO_1_11,
    GO_1_12,
    GO_1_13,
    GO_1_14,
    GO_1_15,
    GO_1_16,
    GO_1_17,
    GO_1_18,
    GO_1_19,
    GO_1_21,
    GO_1_22,
    RELEASES,
)
from tests.kit.runners import IMPLEMENTATIONS

MIB = 1 << 20
PAGE = 8192

NAMES = list(RELEASES)
ALL = list(RELEASES.values())


def until(last: str) -> list[Design]:
    """The releases up to one."""
    return ALL[: NAMES.index(last) + 1]


def since(first: str, last: str = NAMES[-1]) -> list[Design]:
    """The releases from one to another."""
    return ALL[NAMES.index(first) : NAMES.index(last) + 1]


def go(design: Design) -> str:
    """A design's release, for the name of a test."""
    return next(name for name, each in RELEASES.items() if each is design)


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda runner: runner.name)
def run(request):
    """The `run(text, design)` of each implementation."""
    return request.param.run


def for_releases(designs: list[Design]):
    return pytest.mark.parametrize("design", designs, ids=go)


def pages(result, names: list[str]) -> list[int]:
    """The pages that objects start in, counted from the heap's base."""
    base = result.heap.heap.design.heap_base if hasattr(result.heap.heap, "design") else int(result.heap.heap.base_addr)
    return [(result.addr[name] - base) // PAGE for name in names]


# W1, W2, W16: alike in all.


@for_releases(ALL)
@pytest.mark.parametrize(
    ("sizes", "places"),
    [
        ((1, 8, 5), [(0, 0), (0, 8), (1, 0)]),
        ((12, 9, 7), [(0, 0), (1, 0), (1, 9)]),
        ((9, 12, 7), [(0, 0), (1, 0), (0, 9)]),
        ((15, 15, 1), [(0, 0), (1, 0), (0, 15)]),
    ],
)
def test_w1_w2_tiny_blocks_fill_alike(run, design, sizes, places):
    names = "abc"[: len(sizes)]
    result = run("; ".join(f"alloc {name} {size} noscan" for name, size in zip(names, sizes, strict=True)), design)
    blocks = sorted({result.addr[name] // 16 for name in names})
    assert [(blocks.index(result.addr[name] // 16), result.addr[name] % 16) for name in names] == places


@for_releases(ALL)
@pytest.mark.parametrize(("between", "same_block"), [("", True), ("flush;", False), ("gc!;", False)])
def test_w16_a_flush_drops_the_tiny_block(run, design, between, same_block):
    result = run(f"alloc a 8 noscan; {between} alloc b 8 noscan", design)
    assert (result.addr["b"] == result.addr["a"] + 8) == same_block


# W3 to W7: classes.


@for_releases(until("1.21"))
def test_w3_a_span_of_48_byte_slots_had_170_of_either_kind(run, design):
    for noscan in ("noscan", ""):
        assert run(f"alloc a 40 {noscan} x 200", design).heap.spans()[0][3] == 170


@for_releases(ALL)
def test_the_class_of_24_bytes_came_with_1_16(run, design):
    wanted = 24 if design in since("1.16") else 32
    assert run("alloc a 24 noscan", design).heap.heap_alloc == wanted


@for_releases(ALL)
def test_w4_w6_headers_came_with_1_22(run, design):
    header = design in since("1.22")
    assert run("alloc a 1024", design).heap.heap_alloc == (1152 if header else 1024)
    assert run("alloc a 28672", design).heap.heap_inuse == (32768 if header else 57344)
    assert run("alloc a 28664", design).heap.heap_inuse == 57344
    assert run("alloc a 28672 noscan", design).heap.heap_inuse == 57344


@for_releases(ALL)
def test_w5_a_large_object_counts_its_pages(run, design):
    heap = run("alloc a 40000", design).heap
    assert (heap.heap_inuse, heap.heap_alloc, heap.spans()[0][2]) == (40960, 40960, 0)


@for_releases(ALL)
@pytest.mark.parametrize("size", [32760, 32761, 32768])
def test_w7_small_objects_ended_at_32768_bytes_until_1_21(run, design, size):
    largest = 2 * (67 if design in since("1.16") else 66) + 1
    wanted = 1 if design in since("1.22") and size > 32760 else largest
    assert run(f"alloc a {size} noscan", design).heap.spans()[0][2] == wanted


# W8, W9: pages.

W8 = "alloc a 40000 noscan x 40; alloc b 8192 noscan x 8; alloc c 131072 noscan x 4"
GIANTS = f"alloc z 2097152 noscan; {W8}; alloc d 5242880 noscan; alloc e 5242880 noscan"


@for_releases(until("1.13"))
def test_w8_without_page_caches_pages_are_handed_out_in_a_row(run, design):
    result = run(W8, design)
    assert pages(result, [f"a{i}" for i in range(40)]) == list(range(0, 200, 5))
    assert pages(result, [f"b{i}" for i in range(8)]) == list(range(200, 208))
    assert pages(result, [f"c{i}" for i in range(4)]) == [208, 224, 240, 256]


@for_releases(since("1.14"))
def test_w8_a_page_cache_leaves_its_rest_to_smaller_spans(run, design):
    result = run(W8, design)
    assert pages(result, [f"a{i}" for i in range(40)]) == [*range(0, 60, 5), *range(64, 200, 5)]
    assert pages(result, [f"b{i}" for i in range(8)]) == [*range(60, 64), *range(204, 208)]
    assert pages(result, [f"c{i}" for i in range(4)]) == [256, 272, 288, 304]


@for_releases(ALL)
def test_w9_a_giant_straddles_old_and_new_memory(run, design):
    wanted = [272, 912] if design in until("1.13") else [320, 960]
    result = run(GIANTS, design)
    assert [page - 256 for page in pages(result, ["d", "e"])] == wanted


@pytest.mark.parametrize(
    ("design", "start", "grown"),
    [
        (GO_1_10, MIB, 15 * MIB),
        (GO_1_11, 64 * MIB, 64 * MIB),
        (GO_1_12, 64 * MIB, 64 * MIB),
        (GO_1_13, 64 * MIB, 64 * MIB),
        (GO_1_14, 64 * MIB, 64 * MIB),
        (GO_1_16, 64 * MIB, 64 * MIB),
        (GO_1_17, 4 * MIB, 16 * MIB),
    ],
    ids=lambda value: go(value) if isinstance(value, Design) else None,
)
def test_the_heap_grows_by_steps_of_its_release(run, design, start, grown):
    assert run("alloc a 8192 noscan", design).heap.heap_sys == start
    assert run(GIANTS, design).heap.heap_sys == grown


@for_releases(ALL)
def test_what_the_heap_grows_by_counts_as_released_since_1_13(run, design):
    heap = run("alloc a 131072 noscan", design).heap
    idle = heap.heap_sys - heap.heap_inuse
    assert heap.heap_released == (idle if design in since("1.13") else 0)


def test_in_1_12_a_growth_releases_what_is_left_of_the_old_arena(run):
    """It is then preferred, as the shorter run."""
    text = "alloc a 1048576 noscan x 63; alloc b 2097152 noscan; alloc c 524288 noscan"
    result = run(text, GO_1_12)
    assert pages(result, ["b", "c"]) == [8192, 63 * 128]
    assert result.heap.heap_released == 512 << 10


def test_in_1_11_a_growth_joins_what_is_left_of_the_old_arena(run):
    text = "alloc a 1048576 noscan x 63; alloc b 2097152 noscan; alloc c 524288 noscan"
    result = run(text, GO_1_11)
    assert pages(result, ["b", "c"]) == [63 * 128, 65 * 128]


def test_in_1_11_the_run_that_was_freed_last_is_used_first(run):
    text = "alloc a 131072 noscan x 9; free a1; gc!; free a5; gc!; alloc b 131072 noscan x 2"
    result = run(text, replace(GO_1_11, gc_workbuf_spans=0))
    assert pages(result, ["b0", "b1"]) == [5 * 16, 16]
    # The scavenger of Go 1.13 would release a page of the first, which then is too short.
    by_address = run(text, replace(GO_1_13, gc_workbuf_spans=0, scavenger=Scavenger.NONE))
    assert pages(by_address, ["b0", "b1"]) == [16, 5 * 16]


# W10, W15: what a sweep leaves behind.


@for_releases(ALL)
def test_w10_refills_take_spans_in_the_order_of_their_release(run, design):
    text = "alloc a 1024 noscan x 96; free " + " ".join(f"a{i}" for i in range(96) if i % 8 != 3)
    result = run(f"{text}; gc!; alloc b 1024 noscan x 84", design)
    order = [(result.span_start(f"b{i}") - result.addr["a0"]) // PAGE for i in range(0, 84, 7)]
    assert order == ([*range(12)] if design in until("1.14") else [11, *range(11)])


@for_releases(ALL)
def test_w10_the_second_sweep_of_a_pile_runs_the_other_way(run, design):
    """Ten full spans: 2 and 5 get a hole in one cycle, 1, 3 and 8 in the next."""
    text = "alloc a 1024 noscan x 80; free a16 a40; gc!; free a8 a24 a64; gc!; alloc b 1024 noscan x 5"
    result = run(text, design)
    found = [(result.span_start(f"b{i}") - result.addr["a0"]) // PAGE for i in range(5)]
    assert found == ([8, 3, 1, 2, 5] if design in until("1.14") else [1, 3, 8, 2, 5])


@for_releases(ALL)
def test_w10_freed_slots_are_taken_in_ascending_order(run, design):
    result = run("alloc a 1024 noscan x 8; free a0..a2 a4..a7; gc!; alloc b 1024 noscan x 7", design)
    assert [result.addr[f"b{i}"] % PAGE // 1024 for i in range(7)] == [0, 1, 2, 4, 5, 6, 7]


@for_releases(ALL)
def test_w15_an_empty_span_serves_another_class(run, design):
    result = run("alloc a 1024 noscan x 8; free a; gc!; alloc b 1152 noscan x 430", design)
    assert result.addr["a0"] in [result.addr[f"b{i}"] for i in range(430)]


@pytest.mark.parametrize("design", [GO_1_14, GO_1_15], ids=go)
def test_with_lists_a_refill_sweeps_as_long_as_it_takes(run, design):
    """Of 250 full spans number 200 has a hole; with sets a refill gives up after 101."""
    lazy = replace(design, background_turns=0, gogc=-1)
    result = run("alloc a 4096 noscan x 500; free a400; gc; alloc b 4096 noscan", lazy)
    assert (result.addr["b"] == result.addr["a400"]) == (design is GO_1_14)


@pytest.mark.parametrize("design", [GO_1_11, GO_1_12], ids=go)
def test_until_1_11_the_cached_span_is_swept_in_its_turn(run, design):
    """Mark termination empties the mcaches before spans become unswept; since 1.12 a P sweeps what it had first."""
    lazy = replace(design, background_turns=0, gogc=-1)
    heap = run("alloc a 2048 noscan x 2; free a0; gc", lazy).heap
    assert heap.frees == (0 if design is GO_1_11 else 1)


@pytest.mark.parametrize("design", [GO_1_11, GO_1_12], ids=go)
def test_until_1_11_the_reclaimer_looks_at_large_spans_only_at_first(run, design):
    """A large dead span serves; small dead spans below it are left unswept. Windows free those too."""
    lazy = replace(design, background_turns=0, gogc=-1, gc_workbuf_spans=0)
    text = "alloc a 8192 noscan x 20; alloc l 131072 noscan; free a0..a18 l; gc; alloc b 131072 noscan"
    heap = run(text, lazy).heap
    assert heap.frees == (1 if design is GO_1_11 else 20)


# W11, W12: pacing.


@pytest.mark.parametrize(
    ("design", "gogc", "goal", "trigger"),
    [
        (GO_1_10, 100, 4473924, 4194304),
        (GO_1_15, 100, 4473924, 4194304),
        (GO_1_17, 100, 4473924, 4194304),
        (GO_1_12, 50, 3355443, 3299518),
        (GO_1_17, 50, 3355443, 3299518),
        (GO_1_16, 200, 8388608, 8388608),
        (GO_1_18, 100, 4194304, 4194304),
        (GO_1_19, 100, 4194304, 3997696),
        (GO_1_21, 50, 2097152, 1998848),
        (GO_1_22, 200, 8388608, 7995392),
    ],
    ids=lambda value: go(value) if isinstance(value, Design) else str(value),
)
def test_w11_the_first_cycle(run, design, gogc, goal, trigger):
    heap = run("", replace(design, gogc=gogc)).heap
    assert (heap.next_gc, heap.trigger) == (goal, trigger)


@for_releases(until("1.17"))
def test_w12_until_1_17_the_goal_counts_what_was_marked_alone(run, design):
    heap = run("alloc a 12845056 noscan; alloc b 32 noscan x 255; gc!", design).heap
    assert (heap.heap_live, heap.next_gc) == (12_853_216, 25_706_432)


# W14: stacks.


@for_releases(ALL)
def test_w14_a_thousand_small_stacks_take_sixty_three_spans(run, design):
    assert run("stack s 2048 x 1000", design).heap.stack_inuse == 63 * 32768
