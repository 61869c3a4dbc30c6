"""The exact Mann-Whitney test, against published tables of its distribution, and against counting by hand."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalloc_cli.report.figures.ranks import least_p, mann_whitney

# P(U <= u) for groups of n and m, in thousandths: H. B. Mann, D. R. Whitney, "On a test of whether one of two random
# variables is stochastically larger than the other", Annals of Mathematical Statistics 18 (1947), table I on page 52. Held
# against the copy in scipy's tests (TestMannWhitneyU, found by search), which has the last number of (6, 4) as 543: the
# paper prints 545, which is no number of ways.
CUMULATED = {
    (3, 2): (100, 200, 400, 600),
    (3, 3): (50, 100, 200, 350, 500, 650),
    (4, 2): (67, 133, 267, 400, 600),
    (4, 3): (28, 57, 114, 200, 314, 429, 571),
    (4, 4): (14, 29, 57, 100, 171, 243, 343, 443, 557),
    (5, 2): (47, 95, 190, 286, 429, 571),
    (5, 3): (18, 36, 71, 125, 196, 286, 393, 500, 607),
    (5, 4): (8, 16, 32, 56, 95, 143, 206, 278, 365, 452, 548),
    (5, 5): (4, 8, 16, 28, 48, 75, 111, 155, 210, 274, 345, 421, 500, 579),
    (6, 2): (36, 71, 143, 214, 321, 429, 571),
    (6, 3): (12, 24, 48, 83, 131, 190, 274, 357, 452, 548),
    (6, 4): (5, 10, 19, 33, 57, 86, 129, 176, 238, 305, 381, 457, 543),
    (6, 5): (2, 4, 9, 15, 26, 41, 63, 89, 123, 165, 214, 268, 331, 396, 465, 535),
    (6, 6): (1, 2, 4, 8, 13, 21, 32, 47, 66, 90, 120, 155, 197, 242, 294, 350, 409, 469, 531),
}
# The highest sums of ranks of the smaller group that are significant two-sided at 20, 10, 5 and 1 %, by the sizes of the
# larger and the smaller group; as in "Critical values of the smallest rank sum for the Wilcoxon-Mann-Whitney test"
# (scribd.com, document 227785581, found by search).
CRITICAL = {
    (5, 5): (20, 19, 17, 15),
    (6, 4): (15, 13, 12, 10),
    (7, 7): (41, 39, 36, 32),
    (8, 6): (34, 31, 29, 25),
    (8, 8): (55, 51, 49, 43),
    (9, 9): (70, 66, 62, 56),
    (10, 6): (38, 35, 32, 27),
    (10, 10): (87, 82, 78, 71),
    (11, 11): (106, 100, 96, 87),
    (12, 8): (66, 62, 58, 51),
    (12, 12): (127, 120, 115, 105),
}
LEVELS = (0.2, 0.1, 0.05, 0.01)

some = st.lists(st.integers(0, 9), min_size=1, max_size=6)


def with_u(u: int, n: int, m: int) -> tuple[list[int], list[int]]:
    """Groups of n and m without ties, with so many pairs of which the one of the first group is the larger."""
    below = [min(max(u - m * larger, 0), m) for larger in range(n)]
    a = [10 * b + 5 - larger for larger, b in enumerate(below)]
    return a, [10 * value + 9 for value in range(m)]


def wins(a: list[int], b: list[int]) -> int:
    return sum(x > y for x in a for y in b)


@pytest.mark.parametrize("sizes", CUMULATED)
def test_the_distribution_is_that_of_mann_and_whitney(sizes: tuple[int, int]) -> None:
    n, m = sizes
    for u, thousandths in enumerate(CUMULATED[sizes]):
        a, b = with_u(u, n, m)
        assert wins(a, b) == u
        assert mann_whitney(a, b) == pytest.approx(min(1, 2 * thousandths / 1000), abs=0.002)


@pytest.mark.parametrize("sizes", CRITICAL)
def test_sums_up_to_the_critical_ones_are_significant(sizes: tuple[int, int]) -> None:
    m, n = sizes
    for most, alpha in zip(CRITICAL[sizes], LEVELS, strict=True):
        critical = most - n * (n + 1) // 2
        assert mann_whitney(*with_u(critical, n, m)) <= alpha < mann_whitney(*with_u(critical + 1, n, m))


@given(some, some)
def test_it_is_the_share_of_all_ways_to_deal_that_are_as_far_apart(a: list[int], b: list[int]) -> None:
    def apart(first: list[int], second: list[int]) -> float:
        return abs(sum((x > y) - (x < y) for x in first for y in second))

    both = [*a, *b]
    deals = [set(chosen) for chosen in combinations(range(len(both)), len(a))]
    as_far = sum(
        apart([both[i] for i in deal], [both[i] for i in range(len(both)) if i not in deal]) >= apart(a, b) for deal in deals
    )
    assert mann_whitney(a, b) == pytest.approx(as_far / len(deals))


@given(some, some)
def test_it_does_not_matter_which_side_is_which(a: list[int], b: list[int]) -> None:
    assert mann_whitney(a, b) == pytest.approx(mann_whitney(b, a))


@given(some, some, st.integers(10, 10**12))
def test_one_outlier_counts_as_no_more_than_the_largest(a: list[int], b: list[int], far: int) -> None:
    assert mann_whitney([*a, 10], b) == mann_whitney([*a, 10 + far], b)


def test_values_that_are_all_the_same_differ_in_nothing() -> None:
    assert mann_whitney([7] * 5, [7] * 5) == 1


@pytest.mark.parametrize(("n", "least"), [(3, 0.1), (4, 0.0286)])
def test_three_and_three_can_never_tell_and_four_and_four_can(n: int, least: float) -> None:
    assert least_p(n, n) == pytest.approx(least, abs=1e-4)
    assert mann_whitney(range(n), range(10, 10 + n)) == pytest.approx(least_p(n, n))


def test_large_groups_are_exact_too() -> None:
    assert mann_whitney(range(64), range(64, 128)) == pytest.approx(least_p(64, 64))
