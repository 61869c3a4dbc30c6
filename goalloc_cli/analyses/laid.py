"""Lays the heap at a moment on the stacks of a heap profile of the same run.

A recording without stacks knows the slot of every object, and so does the profile. Within a slot size everything is laid on
the profile's stacks in proportion to their live objects: an estimate, whose sums are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.exported.heapprofile import HeapProfile
from goalloc_cli.results.exported.held import HOLDING, LIVES, Held

SHARED = ("objects", "space", "live", "rounding", "dead", "free_slots", "tails", "metadata", "tracer")


def laid_on(held: Held, profile: HeapProfile) -> Held:
    """The same bytes by stack; what has no partner in the profile stays as it is."""
    by_slot: dict[int, dict[int, int]] = {}
    for sample in profile.samples:
        stacks = by_slot.setdefault(sample.slot, {})
        stacks[sample.stack] = stacks.get(sample.stack, 0) + sample.objects
    rows = [new for slot_rows in groups(held.holdings) for new in spread(slot_rows, by_slot)]
    holdings = np.array([tuple(int(row[name]) for name in HOLDING.names or ()) for row in rows], HOLDING)
    holdings["owner"] = 0
    return replace(
        held,
        holdings=holdings,
        functions=profile.functions,
        calls=profile.calls,
        owners=held.owners[:1],
        lacks_caller=False,
        estimated=profile.name,
    )


def groups(holdings: NDArray[np.void]) -> Iterator[NDArray[np.void]]:
    """The rows of each span class and slot, which stand together; those where nothing lives stand apart."""
    key = [holdings["spc"], holdings["slot"], holdings["place"] < 0]
    changes = np.flatnonzero(np.any([column[1:] != column[:-1] for column in key], axis=0)) + 1
    return iter(np.split(holdings, changes)) if len(holdings) else iter(())


def spread(rows: NDArray[np.void], by_slot: dict[int, dict[int, int]]) -> Iterator[np.void]:
    """What these rows hold, a row for each stack of their slot size."""
    stacks = by_slot.get(int(rows["slot"][0]))
    if not stacks:
        yield from rows
        return
    counts = np.array(list(stacks.values()), object)
    upto = np.cumsum(counts)
    out = np.zeros(len(stacks), HOLDING)
    out["spc"], out["slot"], out["place"], out["stack"] = rows["spc"][0], rows["slot"][0], LIVES, list(stacks)
    for name in SHARED:
        total = int(rows[name].sum())
        # In whole bytes; the parts sum to the total.
        ends = [total * int(end) // int(upto[-1]) for end in upto]
        out[name] = np.diff(ends, prepend=0)
    yield from out
