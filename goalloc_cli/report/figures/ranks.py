"""The exact Mann-Whitney test: do two groups of recordings differ, or is it chance?"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

ALPHA = 0.05
"""A difference that chance makes less often than this counts as one."""
MOST = 64
"""Recordings of a side: the exact distribution is summed up in well under a second."""


def mann_whitney(a: Sequence[float], b: Sequence[float]) -> float:
    """The chance, two-sided, that groups without a difference are as far apart as these, or farther.

    Exact for any number of values and any ties: of all ways to deal the ranks to the two groups, those whose sum of ranks is
    at least as far from its mean. Equal values share the mean of their ranks.
    """
    ranks = doubled_ranks([*a, *b])
    n, whole = len(a), sum(ranks)
    sums = deals(ranks, n)
    # Ranks are doubled, and distances multiplied by the number of ranks, so that all stay whole.
    middle = whole * n
    off = abs(sum(ranks[:n]) * len(ranks) - middle)
    distances = np.abs(np.arange(len(sums)) * len(ranks) - middle)
    return min(1.0, float(sums[distances >= off].sum() / sums.sum()))


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value, from 2 on; equal ones share the mean."""
    ordered = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(ordered)))}
    last = {value: at for at, value in enumerate(ordered)}
    return [first[value] + last[value] + 2 for value in values]


def deals(ranks: Sequence[int], n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How many ways there are to take n of the ranks, by their sum."""
    most = sum(sorted(ranks)[-n:]) if n else 0
    ways = np.zeros((n + 1, most + 1))
    ways[0, 0] = 1
    for rank in ranks:
        # From many to few, so that no rank is taken twice.
        for taken in range(n, 0, -1):
            ways[taken, rank:] += ways[taken - 1, : most + 1 - rank]
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = ways[n]
    return found


def least_p(n: int, m: int) -> float:
    """The least chance that groups of these sizes can show: all values of one below all of the other."""
    return min(1.0, 2 / comb(n + m, n))
