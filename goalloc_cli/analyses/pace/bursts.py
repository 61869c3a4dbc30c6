"""Deaths that came together: a table that is dropped, a queue that is emptied.

Of each object by itself only an interval is known, and drawing each moment by itself spreads such a drop over the whole
interval: the heap sinks slowly where it fell, and its peak before is too low. Where a collection finds more dead than the
program has made since the one before, what is more is taken to have died at one moment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pace.events import Events
from goalloc_cli.trace.event import Kind

LEAST_SHARE = 0.15
"""Of the dead that were old, which must be beyond what was made: less is the noise of a steady program."""


def drop_together(
    moments: NDArray[np.float64],
    events: Events,
    slots_dead: NDArray[np.int64],
    after: NDArray[np.int64],
    clock: NDArray[np.int64],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """The moments of deaths, with those that came together at one moment of their interval.

    Args:
        moments: of each FREE, shape (n,).
        slots_dead: bytes of each.
        after: the last event at which each was surely alive.
        clock: bytes allocated until each event.
    """
    starts, frees = events.at(Kind.GC_START), events.at(Kind.FREE)
    number = np.searchsorted(starts, frees)
    bounds = np.concatenate([[0], starts, [len(clock) - 1]])
    begin, end = bounds[:-1], bounds[1:]
    old = after <= begin[number]  # the collection before still found them alive
    cycles = len(begin)
    dead = np.bincount(number, slots_dead, cycles)
    dead_old = np.bincount(number[old], slots_dead[old], cycles)
    made = clock[end] - clock[begin]
    share = np.clip((dead - made) / np.maximum(dead_old, 1), 0, 1)
    share[share < LEAST_SHARE] = 0
    # The middle is, of all moments, on average the nearest to the true one.
    at = np.searchsorted(clock, clock[begin] + made / 2) + 0.5
    falls = old & (random.random(len(frees)) < share[number])
    return np.where(falls, np.clip(at[number], after + 0.5, np.maximum(frees, after + 0.5)), moments)
