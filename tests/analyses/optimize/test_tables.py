"""The best table of size classes: against brute force and a hull, its cost against counting object by object."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest

from goalloc_cli.analyses.optimize.occupied import WORD
from goalloc_cli.analyses.optimize.optimize import own_table
from goalloc_cli.analyses.optimize.tables import cost, fit, partition, possible_pages, slot_bytes, stretched
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import RELEASES, release
from goalloc_cli.design.sizeclass import SizeClass, size_classes, slots
from tests.kit.fitting import GO, Objects, weights_of

PAGE = GO.page_size
PARTS = (0.0, 0.25, 0.5, 1.0, 4.0)

Table = tuple[tuple[int, int], ...]


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
