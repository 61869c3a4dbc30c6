"""Which change did it: against Shapley's value by its definition, and allocators whose parts are known."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli.analyses.attribution.attribute import EXACT, attribute
from goalloc_cli.analyses.attribution.order import Made
from goalloc_cli.analyses.attribution.shares import exact_shares, random_orders
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.results.attribution import Attribution

NAMES = tuple("abcdefghijkl")


def split(
    count: int, value: dict[Made, int] | None = None, needs: dict[int, set[int]] | None = None, of=None
) -> Attribution:
    """The parts of `count` changes, of which some need others. `value` tells the figure of a set, or `of` does."""
    needs = needs or {}
    figure = of or (lambda made: value[made])

    def possible(made: Made) -> bool:
        return all(needs.get(change, set()) <= made for change in made)

    def measure(sets: list[Made]) -> list[tuple[int, ...]]:
        assert all(possible(made) for made in sets)
        return [(figure(made),) for made in sets]

    return attribute(NAMES[:count], possible, measure)


def parts(found: Attribution) -> dict[str, int]:
    return {"+".join(part.knobs): part.change[0] for part in found.parts}


def subsets(count: int) -> list[Made]:
    return [frozenset(i for i in range(count) if bits >> i & 1) for bits in range(1 << count)]


def by_definition(count: int, value: dict[Made, int]) -> list[Fraction]:
    """The mean of what each change does, over all orders."""
    found = [Fraction(0)] * count
    orders = list(permutations(range(count)))
    for order in orders:
        for at, change in enumerate(order):
            found[change] += Fraction(value[frozenset(order[: at + 1])] - value[frozenset(order[:at])], len(orders))
    return found


values = st.integers(1, 4).flatmap(
    lambda count: st.tuples(
        st.just(count), st.lists(st.integers(-9, 9), min_size=1 << count, max_size=1 << count)
    )
)


@given(values)
def test_shares_are_the_means_over_all_orders(given_values: tuple[int, list[int]]) -> None:
    count, numbers = given_values
    value = dict(zip(subsets(count), numbers, strict=True))
    found = exact_shares(frozenset(range(count)), [frozenset()] * count, lambda made: (value[made],))
    assert [found[change][0] for change in range(count)] == by_definition(count, value)


@given(values)
@settings(deadline=None)
def test_the_parts_sum_to_the_whole(given_values: tuple[int, list[int]]) -> None:
    count, numbers = given_values
    found = split(count, dict(zip(subsets(count), numbers, strict=True)))
    assert found.remainder == (0,)
    assert sum(part.change[0] for part in found.parts) == found.change[0]


def test_a_change_that_is_the_only_one_has_all() -> None:
    assert parts(split(1, of=lambda made: 100 + 28 * len(made))) == {"a": 28}


def test_a_change_that_does_nothing_has_none() -> None:
    found = split(5, of=lambda made: 1000 * (0 in made) + 7 * (2 in made))
    assert parts(found) == {"a": 1000, "c": 7, "b": 0, "d": 0, "e": 0}


def test_two_that_only_do_it_together_have_half_each() -> None:
    assert parts(split(2, of=lambda made: 10 * (len(made) == 2))) == {"a": 5, "b": 5}


def test_an_odd_byte_goes_to_one_of_them() -> None:
    assert sorted(parts(split(2, of=lambda made: 7 * (len(made) == 2))).values()) == [3, 4]


def test_three_of_which_no_two_meet_but_all_do_share_what_they_do() -> None:
    found = split(5, of=lambda made: 9 * ({0, 1, 2} <= made) + (3 in made) + (4 in made))
    assert found.remainder == (0,)
    assert parts(found)["a"] == 3


def test_changes_that_do_not_meet_are_not_tried_together() -> None:
    found = split(8, of=lambda made: sum(10**change for change in made))
    assert parts(found) == {NAMES[change]: 10**change for change in range(8)}
    assert found.replays < 1 << 6


def test_a_change_is_never_made_before_what_it_needs() -> None:
    found = split(4, needs={0: {1}, 3: {0, 1}}, of=lambda made: len(made) ** 2)
    assert found.change == (16,)
    assert [part.first for part in found.parts if part.knobs == ("a",)] == [None]


def test_changes_that_need_each_other_are_one() -> None:
    found = split(3, needs={0: {1}, 1: {0}}, of=lambda made: 4 * (0 in made) + (2 in made))
    assert parts(found) == {"a+b": 4, "c": 1}


def test_more_than_eight_that_meet_are_sampled_and_sum_all_the_same() -> None:
    found = split(EXACT + 2, of=lambda made: len(made) ** 3)
    assert (found.sampled, found.remainder, found.change) == (True, (0,), (1000,))


def test_sampled_orders_are_the_same_each_time() -> None:
    group, needs = frozenset(range(9)), [frozenset({8})] * 8 + [frozenset()]
    assert random_orders(group, needs, 10) == random_orders(group, needs, 10)
    assert all(order[0] == 8 for order in random_orders(group, needs, 10))


@pytest.mark.parametrize(("before", "after"), list(zip(list(RELEASES), list(RELEASES)[1:], strict=False)))
def test_between_neighbouring_releases_every_step_is_an_allocator(before: str, after: str) -> None:
    from goalloc_cli.commands.why import changes
    from goalloc_cli.design.parse import design_diff

    names = design_diff(RELEASES[before], RELEASES[after])
    made = changes(RELEASES[before], RELEASES[after], names)
    found = attribute(names, lambda some: made(some) is not None, lambda sets: [(len(some) ** 2,) for some in sets])
    assert found.remainder == (0,)
    assert {name for part in found.parts for name in part.knobs} == set(names)
