"""Size classes that fit a program: the best table against brute force, its cost and its weights against counting by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from goalloc_cli.analyses.optimize.bounded import as_low_as_can_be, evenly, spread
from goalloc_cli.analyses.optimize.occupied import WORD, Occupied, occupied
from goalloc_cli.analyses.optimize.optimize import (
    OWN,
    Asked,
    Recording,
    Replays,
    figures,
    one_layout,
    optimize,
    own_table,
    pooled,
)
from goalloc_cli.analyses.optimize.tables import cost, fit, partition, possible_pages, slot_bytes, stretched
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.gosizes import HEADER_ABOVE, HEADER_BYTES, LARGEST_SMALL, SLOT_OF, TINY_BYTES
from goalloc_cli.design.releases import RELEASES, release
from goalloc_cli.design.sizeclass import SizeClass, size_classes, slots
from goalloc_cli.errors import DesignError
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.native.kept import kept
from goalloc_cli.results.optimizing import (
    NO,
    ONLY_HERE,
    UNKNOWN,
    YES,
    Candidate,
    Figures,
    Optimizing,
    Seen,
    change,
)
from goalloc_cli.trace.event import BOUND, KIND_MASK, NOSCAN, Batch, Kind
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch, equal
from tests.kit.root import ROOT

GO = release("1.27")
PAGE = GO.page_size
WORDS = GO.max_small_size // WORD + 1
SAMPLES = sorted(path.stem for path in (ROOT / "traces").glob("*.msgpack"))
PARTS = (0.0, 0.25, 0.5, 1.0, 4.0)
FINE = Asked(align="8")
"""Classes of any size: so that a few made-up sizes can be fitted."""

Table = tuple[tuple[int, int], ...]
Objects = list[tuple[int, bool, int]]
"""Bytes needed, whether there are no pointers, and how many."""


def weights_of(objects: Objects) -> np.ndarray:
    weights = np.zeros((2, WORDS))
    for size, noscan, many in objects:
        weights[int(noscan), size // WORD] += many
    return weights


def naive_cost(objects: Objects, table: Table, part: Fraction, design: Design = GO) -> Fraction:
    """Object by object: its share of a span; class by class: a part of one, for each kind of object in it."""
    total, used = Fraction(0), set()
    for size, noscan, many in objects:
        place = next(number for number, (most, _) in enumerate(table) if size <= most)
        largest, npages = table[place]
        slots_in_span = slots(design, SizeClass(largest, npages), noscan)[0]
        total += Fraction(many * npages * PAGE, slots_in_span)
        used.add((place, noscan))
    return total + sum((part * table[place][1] * PAGE for place, _ in used), Fraction(0))


def some_objects(chance: random.Random) -> Objects:
    """A few sizes, near each other or far, with pointers or without or both; few of some, many of others."""
    sizes = chance.sample(range(24, chance.choice((512, 2048, GO.max_small_size)), 8), chance.randint(3, 9))
    kinds = [(size, noscan) for size in sizes for noscan in chance.choice(((True,), (False,), (True, False)))]
    return [(size, noscan, round(10 ** chance.uniform(0, 4))) for size, noscan in kinds]


def cheapest(objects: Objects, most: int, part: Fraction) -> Fraction:
    """By trying every set of classes that end at a size that is needed, and every number of pages of each."""
    ends = sorted({size for size, _, _ in objects} - {512, GO.max_small_size})

    @cache
    def best_class(above: int, upto: int) -> Fraction:
        inside = [each for each in objects if above < each[0] <= upto]
        below = ((above, 1),) if above else ()
        return min(naive_cost(inside, (*below, (upto, n)), part) for n in possible_pages(GO, upto))

    found = []
    for number in range(min(most - 4, len(ends)) + 1):
        for chosen in combinations(ends, number):
            classes = sorted((0, *chosen, 512, GO.max_small_size))
            found.append(sum(best_class(low, high) for low, high in pairwise(classes)))
    return min(found)


@pytest.mark.parametrize("seed", range(30))
def test_no_table_is_cheaper_than_the_one_that_is_found(seed: int) -> None:
    """Ten cases each."""
    chance = random.Random(seed)
    for _ in range(10):
        objects, part = some_objects(chance), chance.choice(PARTS)
        most = chance.randint(4, len(objects) + 5)
        table = fit(weights_of(objects), GO, part, most, "8")
        found, least = naive_cost(objects, table, Fraction(part)), cheapest(objects, most, Fraction(part))
        assert len(table) <= most
        assert abs(found - least) <= least * Fraction(1, 10**12)


def test_the_cheapest_way_is_that_of_the_lines_below_a_hull() -> None:
    """Of one kind, where classes are free and a larger one costs no less, a way's last step is a line in the cost of a slot;
    of lines whose slopes fall, the lowest is found without trying all."""
    chance = np.random.default_rng(1)
    ends, most = 4096, 12
    objects = np.concatenate([[0], np.cumsum(chance.integers(0, 1000, ends))]).astype(float)
    sizes = WORD * np.arange(1, ends + 1)
    each = np.array([min(slot_bytes(GO, int(size), n)[1] for n in possible_pages(GO, int(size))) for size in sizes])
    each = np.concatenate([[0.0], np.minimum.accumulate(each[::-1])[::-1]])
    way = partition(ends, most, lambda b: (objects[b] - objects[:b]) * each[b])
    found = sum((objects[b] - objects[a]) * each[b] for a, b in way)
    assert found == pytest.approx(hull(objects.tolist(), each.tolist(), most), rel=1e-12)


def hull(objects: list[float], each: list[float], most: int) -> float:
    """The cost of the cheapest way in exactly `most` steps, each round over a hull of lines."""
    ends = len(objects) - 1
    before = [0.0] + [float("inf")] * ends
    for _ in range(most):
        now, lines, head = [float("inf")] * (ends + 1), [], 0
        for b in range(1, ends + 1):
            if before[b - 1] < float("inf"):
                add_line(lines, head, objects[b - 1], before[b - 1])
            x = each[b]
            while len(lines) - head >= 2 and below(lines[head + 1], x) <= below(lines[head], x):
                head += 1
            if len(lines) > head:
                now[b] = below(lines[head], x) + objects[b] * x
        before = now
    return before[ends]


def below(line: tuple[float, float], x: float) -> float:
    slope, height = line
    return height - slope * x


def add_line(lines: list[tuple[float, float]], head: int, slope: float, height: float) -> None:
    """Add a line that falls more steeply than all others, and take out those that are nowhere the lowest any more."""
    while len(lines) - head >= 2:
        (s1, h1), (s2, h2) = lines[-2:]
        if (height - h1) * (s2 - s1) > (h2 - h1) * (slope - s1):
            break
        lines.pop()
    lines.append((slope, height))


@pytest.mark.parametrize("version", ["1.15", "1.21", "1.25", "1.27"])
def test_a_table_costs_what_its_objects_cost_one_by_one(version: str) -> None:
    design, chance = release(version), random.Random(version)
    objects = [(8 * chance.randint(1, 4096), chance.random() < 0.5, chance.randint(1, 99)) for _ in range(300)]
    for table in (own_table(design), fit(weights_of(objects), design, 0.5, 67, "go")):
        for part in (0.0, 0.5):
            exact = float(naive_cost(objects, table, Fraction(part), design))
            assert cost(weights_of(objects), table, design, part) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("version", list(RELEASES))
def test_every_table_is_one_that_go_could_be_built_with(version: str) -> None:
    """By sizeclasses.go and mallocinit: fine steps up to 1,024 bytes, coarse ones above; one page up to 512 bytes, where
    headers begin and a class has to end."""
    design, chance = release(version), random.Random(version)
    for most in (4, 20, 67):
        objects = [(8 * chance.randint(1, 4096), chance.random() < 0.5, chance.randint(1, 99)) for _ in range(900)]
        weights = weights_of(objects)
        table = stretched(fit(weights, design, 0.25, most, "go"), weights, design, "go")
        sizes = [size for size, _ in table]
        assert len(table) <= most
        assert size_classes(design.__class__(**{**vars(design), "size_classes": table}))  # raises where it is refused
        assert [size for size in sizes if size % (8 if size <= 1024 else 128)] == []
        assert {npages for size, npages in table if size <= 512} == {1}
        assert 512 in sizes or not design.malloc_header
        assert sizes[:2] == [8, 16]
        assert sizes[-1] == 32768


def test_a_class_that_grows_loses_no_slot_and_passes_no_other() -> None:
    table = ((8, 1), (16, 1), (48, 1), (496, 1), (512, 1), (3000 // 128 * 128, 1), (32768, 4))
    grown = stretched(table, weights_of([]), GO, "go")
    assert grown == ((8, 1), (16, 1), (48, 1), (496, 1), (512, 1), (4096, 1), (32768, 4))


def test_a_class_grows_over_no_size_that_is_needed() -> None:
    table = ((8, 1), (16, 1), (512, 1), (2944, 1), (32768, 4))
    assert stretched(table, weights_of([(3400, True, 1)]), GO, "go") == ((8, 1), (16, 1), (512, 1), (3328, 1), (32768, 4))


@pytest.mark.parametrize("seed", range(5))
def test_growing_costs_nothing(seed: int) -> None:
    weights = weights_of(some_objects(random.Random(seed)))
    table = fit(weights, GO, 0.5, 67, "go")
    assert cost(weights, stretched(table, weights, GO, "go"), GO, 0.5) == cost(weights, table, GO, 0.5)


def told(text: str) -> list[Batch]:
    """Objects a, b, ...: "+a 24" is born with so many bytes and without pointers ("*" with some), "-a" dies, "[" and "]" are
    the start and the end of a cycle."""
    rows = []
    for word in text.split("; "):
        handle = ord(word[1]) - ord("a") if len(word) > 1 else 0
        if word[0] in "+*":
            flags = NOSCAN if word[0] == "+" else 0
            rows.append((Kind.ALLOC | flags, 0, handle, int(word.split()[1]), 0, 0))
        else:
            rows.append(({"-": Kind.FREE, "[": Kind.GC_START, "]": Kind.GC_END}[word[0]], 0, handle, 0, 0, 0))
    return [batch(rows, addr=False)]


def held(found: np.ndarray) -> dict[tuple[int, bool], int]:
    """What of exact sizes is held: by bytes and whether there are pointers."""
    return {(WORD * int(words), not noscan): int(found[0, noscan, words]) for noscan, words in np.argwhere(found[0])}


def test_a_slot_is_held_until_the_end_of_the_cycle_after_the_death() -> None:
    text = "+a 24; [; ]; -a; +b 48; [; ]; [; ]"
    found = occupied(told(text), GO, peak_event=5)
    assert held(found.peak) == {(24, False): 1, (48, False): 1}
    assert held(found.total) == {(24, False): 2, (48, False): 2}
    assert found.starts == 3


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("+a 512", {(512, False): 1}), ("*a 512", {(512, True): 1}), ("*a 513", {(528, True): 1}),
        ("+a 513", {(520, False): 1}), ("+a 7", {(16, False): 1}), ("*a 7", {(8, True): 1}), ("+a 0", {}),
        ("+a 32760", {(32760, False): 1}),
        ("*a 32760", {(32768, True): 1}), ("+a 32761", {}), ("+a 100000", {}),
    ],
)  # fmt: skip
def test_what_a_slot_must_hold(text: str, needs: dict[tuple[int, bool], int]) -> None:
    """A header above 512 bytes with pointers; a tiny block below 16 without; nothing, where there is no slot."""
    assert held(occupied(told(text), GO, 1).peak) == needs


def test_a_handle_may_be_used_again_while_the_slot_still_waits() -> None:
    found = occupied(told("+a 24; -a; +a 48; ["), GO, 9)
    assert held(found.total) == {(24, False): 1, (48, False): 1}


@pytest.mark.parametrize("name", ["orders-go1.27", "web-go1.27-p4"])
def test_slots_are_counted_as_one_by_one(name: str) -> None:
    """Of a whole recording, in a loop over its events."""
    trace = open_trace(str(ROOT / "traces" / f"{name}.msgpack"))
    batches = list(trace.batches)
    peak_event = sum(map(len, batches)) * 2 // 3
    found = occupied(batches, GO, peak_event)
    at_peak, total, starts = counted_one_by_one(batches, peak_event)
    assert (found.peak.tolist(), found.total.tolist(), found.starts) == (at_peak.tolist(), total.tolist(), starts)


def counted_one_by_one(batches: list[Batch], peak_event: int) -> tuple[np.ndarray, np.ndarray, int]:
    now, total = (np.zeros((2, 2, WORDS), np.int64) for _ in range(2))
    objects: dict[int, tuple[int, int, int]] = {}
    dying: list[tuple[int, int, int]] = []
    starts = event = 0
    at_peak = now
    for each in batches:
        for flags, handle, size in zip(each.kind.tolist(), each.id.tolist(), each.size.tolist(), strict=True):
            if event == peak_event:
                at_peak = now.copy()
            event += 1
            kind, noscan = flags & KIND_MASK, bool(flags & NOSCAN)
            if kind in (Kind.ALLOC, Kind.SNAP_OBJECT):
                need = 16 if noscan and 0 < size < 16 else size + 8 * (not noscan and size > 512)
                objects[handle] = (int(bool(flags & BOUND)), int(noscan), (need + 7) // 8 if 0 < size <= 32760 else 0)
                now[objects[handle]] += objects[handle][2] > 0
            elif kind == Kind.FREE:
                dying.append(objects.pop(handle))
            elif kind == Kind.GC_START:
                total += now
                starts += 1
            elif kind == Kind.GC_END:
                for gone in dying:
                    now[gone] -= gone[2] > 0
                dying = []
    return at_peak, total, starts


def test_a_bounded_size_is_laid_over_all_sizes_of_its_slot() -> None:
    """A slice without pointers in a slot of 288 bytes asked for 257 to 288."""
    weights = np.zeros((2, 2, WORDS))
    weights[0, 1, 5] = 3.0
    weights[1, 1, 288 // 8] = 8.0
    found = spread(weights, GO)
    assert {int(word) * 8: found[1, word] for word in np.flatnonzero(found[1])} == {40: 3, 264: 2, 272: 2, 280: 2, 288: 2}
    assert not found[0].any()


def test_a_header_is_part_of_what_a_bounded_object_needs() -> None:
    """With pointers, in a slot of 576 bytes: 513 to 568 were asked for."""
    weights = np.zeros((2, 2, WORDS))
    weights[1, 0, 576 // 8] = 7.0
    found = spread(weights, GO)[0]
    assert {int(word) * 8: found[word] for word in np.flatnonzero(found)} == dict.fromkeys(range(528, 577, 8), 1.0)


def test_as_low_as_can_be_is_the_lowest_that_takes_the_same_slot() -> None:
    rows = [(Kind.ALLOC | BOUND | NOSCAN, 0, 1, 288, 0, 0), (Kind.ALLOC | BOUND, 0, 2, 568, 0, 0),
            (Kind.ALLOC | BOUND, 0, 3, 632, 0, 0), (Kind.ALLOC | BOUND | NOSCAN, 0, 4, 16, 0, 0),
            (Kind.ALLOC | NOSCAN, 0, 5, 288, 0, 0), (Kind.ALLOC | BOUND | NOSCAN, 0, 6, 40960, 0, 0),
            (Kind.SNAP_OBJECT | BOUND, 0, 7, 48, 0, 0)]  # fmt: skip
    (found,) = as_low_as_can_be(iter([batch(rows)]), GO)
    assert found.size.tolist() == [257, 513, 569, 16, 288, 40960, 33]


def sample(name: str, folder: Path = ROOT / "traces") -> Recording:
    path = str(folder / f"{name}.msgpack")
    design, design_name, _ = choose_design(open_trace(path).header, None, ())
    return Recording(lambda: open_trace(path), design, design_name)


def test_evenly_is_from_the_lowest_to_the_largest() -> None:
    rows = [(Kind.ALLOC | BOUND | NOSCAN, 0, handle, 288, 0, 0) for handle in range(3200)]
    (found,) = evenly(iter([batch(rows)]), GO)
    assert {257, 288} <= set(found.size.tolist()) <= set(range(257, 289))
    assert {int(n) for n in np.bincount(found.size)[257:]} <= set(range(97, 104))


@pytest.mark.parametrize("name", SAMPLES)
def test_whatever_bounded_sizes_are_go_s_own_table_gives_the_same_heap(name: str) -> None:
    known = sample(name)
    one, *others = (Replays(None).run(known, own_table(known.design), sizes) for sizes in (None, evenly, as_low_as_can_be))
    for other in others:
        assert other.samples["heap_inuse"].tolist() == one.samples["heap_inuse"].tolist()


def test_recordings_count_alike_whatever_their_size() -> None:
    small, large = (weights_of([(size, True, many)]) for size, many in ((48, 10), (480, 100)))
    found = pooled([small, large])
    words = np.arange(WORDS) * WORD
    assert (found[1, 6] * 48, found[1, 60] * 480) == pytest.approx((12120, 12120))
    assert (found * words).sum() == pytest.approx((48 * 10 + 480 * 100) / 2)


def test_recordings_of_allocators_that_lay_spans_out_differently_make_no_table() -> None:
    with pytest.raises(DesignError, match=r"malloc_header.*--go"):
        one_layout([sample("orders-go1.27"), Recording(lambda: Trace("", Header(), iter(())), release("1.21"), "go1.21")])


def rows_of(objects: Objects) -> list[Batch]:
    """Objects that all live, and a cycle at the end."""
    rows, handle = [], 0
    for size, noscan, many in objects:
        for _ in range(many):
            handle += 1
            rows.append((Kind.ALLOC | (NOSCAN if noscan else 0), 0, handle, size, 0, 0))
    return [batch([*rows, (Kind.GC_START, 0, 0, 0, 0, 0), (Kind.GC_END, 0, 0, 0, 0, 0)], addr=False)]


def recording(batches: list[Batch]) -> Recording:
    return Recording(lambda: Trace("made up", Header(), iter(batches)), GO, "go1.27")


def test_a_program_of_sizes_just_above_go_s_classes_gains() -> None:
    objects = [(40, True, 6000), (136, True, 3000), (1048, True, 1500), (4104, True, 240)]
    found = optimize([recording(rows_of(objects))], [], FINE)
    assert found.chosen.name != OWN
    assert found.trained[0].change.worst < -0.08
    assert found.verdict == UNKNOWN


def test_a_program_whose_sizes_are_go_s_own_does_not() -> None:
    """Of each class as many objects as fill four spans."""
    of_class = [(size, True, 4 * slots(GO, SizeClass(size, n), True)[0]) for size, n in own_table(GO) if size < 32760]
    assert optimize([recording(rows_of(of_class))], [], Asked()).verdict == NO


def test_what_fits_one_program_may_cost_another() -> None:
    here = recording(rows_of([(40, True, 9000), (1048, True, 900)]))
    there = recording(rows_of([(64, True, 9000), (128, True, 9000), (704, True, 900)]))
    found = optimize([here], [there], FINE)
    assert found.verdict == ONLY_HERE
    assert found.against[0].change.worst > 0.1


def test_another_run_of_the_same_kind_says_yes() -> None:
    runs = [recording(rows_of([(40, True, n), (136, True, n // 2), (1048, True, n // 8)])) for n in (6000, 6500)]
    assert optimize(runs[:1], runs[1:], FINE).verdict == YES


def test_a_table_of_ones_own_is_judged_as_well() -> None:
    mine = ((8, 1), (16, 1), (48, 1), (512, 1), (32768, 4))
    found = optimize([recording(rows_of([(40, True, 3000)]))], [], Asked(yours=mine))
    assert [each.table for each in found.candidates if each.name == "yours"] == [mine]


def test_no_more_classes_than_asked_for() -> None:
    found = optimize([sample("orders-go1.27")], [], Asked(most=12))
    assert max(len(each.table) for each in found.candidates[1:]) <= 12


FIGURES = {"end_heap_inuse": 0, "rounding": 0, "tails": 0, "free_slots": 0, "cached": 0, "dead": 0}


def judged(*changes: float, trained: int = 1, best: int = 1, low: float | None = None) -> str:
    """The verdict where peak and mean changed so in each recording."""

    def of(change: float) -> Figures:
        return Figures(peak_heap_inuse=round(1000 * (1 + change)), mean_heap_inuse=1000 * (1 + change), **FIGURES)

    others = {} if low is None else {"lowest": of(low)}
    seen = [Seen("a", Header(), {}, "go1.27", of(0), of(change), others) for change in changes]
    tables = [Candidate(OWN, (), [], 0.0), Candidate("made", (), [], 0.0)]
    return Optimizing(seen[:trained], seen[trained:], tables, best, "go", 67).verdict


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ((-0.05,), UNKNOWN), ((-0.05, -0.03), YES), ((-0.05, -0.01), NO), ((-0.05, 0.01), ONLY_HERE),
        ((-0.01,), NO), ((-0.01, 0.05), NO), ((-0.05, -0.04, 0.01), ONLY_HERE), ((-0.05, -0.04, -0.01), NO),
    ],
)  # fmt: skip
def test_the_verdict_rests_on_the_worst_of_all_recordings(changes: tuple[float, ...], verdict: str) -> None:
    assert judged(*changes) == verdict


def test_two_recordings_that_the_table_was_made_for_are_no_test_of_it() -> None:
    assert judged(-0.05, -0.05, trained=2) == UNKNOWN


def test_sizes_that_are_perhaps_lower_can_take_a_gain_away() -> None:
    assert judged(-0.05, -0.05, low=-0.01) == NO


def test_where_go_s_own_table_is_the_best_the_answer_is_no() -> None:
    assert judged(0.0, 0.0, best=0) == NO


def test_a_trace_is_read_again_as_often_as_one_likes(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"op":"alloc","id":{i},"size":{i},"pointers":false}}\n' for i in range(1, 100)))
    first = list(open_trace(str(rows)).batches)
    with kept(open_trace(str(rows))) as again:
        for _ in range(2):
            assert all(map(equal, again().batches, first))


def test_nothing_held_weighs_nothing() -> None:
    nothing = np.zeros((2, 2, WORDS), np.int64)
    assert not Occupied(nothing, nothing, 0).weights.any()
    assert optimize([recording(rows_of([]))], [], Asked()).verdict == NO


def as_recorded_without_sizes(batches: Iterator[Batch]) -> Iterator[Batch]:
    """What an ordinary recording knows of a full one: a type whose values need the slot that was taken has been asked for;
    of all else the slot is known (`importers.exectrace.slots.sizes`)."""
    types = [0]
    for each in batches:
        types += [found.size for found in each.new_types]
        kind, noscan, size = each.kind & KIND_MASK, each.kind & NOSCAN != 0, each.size
        of_type = np.array(types)[each.arg * ((kind == Kind.ALLOC) | (kind == Kind.SNAP_OBJECT))]
        needed, of_slot = (slot_of(asked, noscan) for asked in (of_type, size))
        is_small = ((kind == Kind.ALLOC) | (kind == Kind.SNAP_OBJECT)) & (size > 0) & (size <= LARGEST_SMALL)
        is_known = is_small & (of_type > 0) & (needed == of_slot)
        largest = np.minimum(of_slot - HEADER_BYTES * (~noscan & (of_slot > HEADER_ABOVE)), LARGEST_SMALL)
        of_type = np.where(noscan & (of_slot == TINY_BYTES), TINY_BYTES, of_type)
        flags = np.where(is_known, each.kind & ~np.uint8(BOUND), np.where(is_small, each.kind | BOUND, each.kind))
        yield replace(
            each, size=np.where(is_known, of_type, np.where(is_small, largest, size)), kind=flags.astype(np.uint8)
        )


def slot_of(asked: np.ndarray, noscan: np.ndarray) -> np.ndarray:
    needed = np.where(noscan & (asked < 16), 16, asked + HEADER_BYTES * (~noscan & (asked > HEADER_ABOVE)))
    return SLOT_OF[np.minimum((needed + 7) // 8, len(SLOT_OF) - 1)]


@pytest.mark.parametrize("name", ["http-go1.27", "json-go1.27"])
def test_what_is_said_without_knowing_sizes_holds_for_the_sizes_that_were_asked_for(name: str) -> None:
    """Full recordings of benchmarks of net/http and encoding/json: what is known less of them, and the truth."""
    known = sample(name, ROOT / "tests" / "data" / "full")

    def bounded() -> Trace:
        trace = known.again()
        return replace(trace, batches=as_recorded_without_sizes(trace.batches))

    found = optimize([replace(known, again=bounded)], [], Asked())
    (seen,) = found.trained
    own, truth = (figures(Replays(None).run(known, table)) for table in (own_table(GO), found.chosen.table))
    assert own.peak_heap_inuse == seen.base.peak_heap_inuse  # it takes the same slots
    true = change(own, truth)
    for name in ("peak", "mean"):
        told = [getattr(each, name) for each in seen.changes.values()]
        assert min(told) <= getattr(true, name) <= max(told)
