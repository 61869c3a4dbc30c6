"""The loops over all objects: who made what dies, and when it may have died."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.trace.event import KIND_MASK, Kind

ALLOC, FREE, TINY, SNAP_OBJECT = int(Kind.ALLOC), int(Kind.FREE), int(Kind.TINY), int(Kind.SNAP_OBJECT)


@kernel
def link(kind, handle, born, of, last):
    """For each FREE the event of its object's birth, else -1; for each birth the last event that used the object.

    Args:
        kind, handle: columns of a trace that was checked, shape (n,).
        born: to work in, -1, as many as there are handles of objects.
        of, last: out, -1, shape (n,).
    """
    for i in range(len(kind)):
        k = kind[i] & KIND_MASK
        if k not in (ALLOC, FREE, TINY, SNAP_OBJECT):
            continue
        h = np.int64(handle[i])
        if h >= len(born):
            continue
        if k in (ALLOC, SNAP_OBJECT):
            born[h] = i
            last[i] = i
        elif born[h] >= 0 and k == TINY:
            last[born[h]] = i
        elif born[h] >= 0:
            of[i] = born[h]
            born[h] = -1

@kernel
def turnbull(counts, rounds, p, room):
    """The distribution of what is known as intervals of bins only, by expectation and maximisation.

    Args:
        counts: f8, how many lie between bin l and bin r, shape (bins, bins + 1); bin `bins` is beyond all others.
        rounds: how often the estimate is bettered.
        p: f8, the probability of each bin, all alike, shape (bins + 1,); bettered.
        room: to work in, f8, zeros, shape (2, bins + 2).
    """
    bins = counts.shape[0]
    below, change = room[0], room[1]
    for _ in range(rounds):
        for b in range(bins + 1):
            below[b + 1] = below[b] + p[b]
            change[b] = 0.0
        change[bins + 1] = 0.0
        for lo in range(bins):
            for hi in range(lo, bins + 1):
                if counts[lo, hi] > 0.0:
                    share = counts[lo, hi] / max(below[hi + 1] - below[lo], 1e-300)
                    change[lo] += share
                    change[hi + 1] -= share
        weight, total = 0.0, 0.0
        for b in range(bins + 1):
            weight += change[b]
            p[b] *= max(weight, 0.0)
            total += p[b]
        for b in range(bins + 1):
            p[b] /= max(total, 1e-300)


@kernel
def draw_ages(least, most, group, curves, edges, chance, ages):
    """Draw an age for each object from its group's curve, between the least and the most that it can be.

    Args:
        least, most: f8, bytes allocated, shape (n,).
        group: i8, row of `curves`, shape (n,).
        curves: f8, probability of an age below each edge, shape (groups, bins + 1).
        edges: f8, shape (bins + 1,).
        chance: f8 in [0, 1), shape (n,).
        ages: f8, what was drawn, shape (n,); infinite where the object outlives all edges.
    """
    bins = len(edges) - 1
    for i in range(len(least)):
        curve = curves[group[i]]
        low = position(curve, edges, least[i])
        high = 1.0 if most[i] == np.inf else position(curve, edges, most[i])
        if high - low < 1e-12:
            ages[i] = least[i] + chance[i] * (most[i] - least[i]) if most[i] != np.inf else np.inf
            continue
        wanted = low + chance[i] * (high - low)
        if wanted >= curve[bins]:
            ages[i] = np.inf
            continue
        b = last_not_above(curve, wanted, bins)
        inside = (wanted - curve[b]) / max(curve[b + 1] - curve[b], 1e-300)
        ages[i] = min(max(edges[b] + inside * (edges[b + 1] - edges[b]), least[i]), most[i])


@inner
def position(curve, edges, age):
    """The probability of an age below this one, on a line between two edges."""
    bins = len(edges) - 1
    if age >= edges[bins]:
        return curve[bins]
    b = last_not_above(edges, age, bins)
    inside = (age - edges[b]) / (edges[b + 1] - edges[b])
    return curve[b] + inside * (curve[b + 1] - curve[b])


@inner
def last_not_above(values, wanted, n):
    """The last of the first n values, which rise, that is not above the one wanted; 0 where all are."""
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) >> 1
        if values[middle] <= wanted:
            low = middle
        else:
            high = middle
    return low
