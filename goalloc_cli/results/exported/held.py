"""Who holds the heap at one moment: every byte of HeapInuse beside what keeps it there.

All sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.outcome import table
from goalloc_cli.trace.event import Call, Function, Owner

IN_USE = ("live", "rounding", "dead", "free_slots", "tails", "metadata", "tracer")
"""Columns of HOLDING that sum to HeapInuse."""

LIVES, OF_TRACER = -1, -2

HOLDING = table(
    "spc",  # span class: 2 * size class + noscan
    "slot",  # bytes of a slot; of a large object, of its span
    "type",  # of the objects: index into Held.types, 0 where it is not known
    "owner",  # who allocated them: a number of Held.owners, 0 where it is not known, or who.BEFORE
    "stack",  # where they were allocated: a number of Held.calls, 0 where it is not known
    "place",  # of spans in which nothing lives (outcome.Place); LIVES where something does; or OF_TRACER
    "objects",  # live slots
    "space",  # and their bytes, as Go's heap profile counts them
    "live",  # what the program asked for
    "rounding",  # what its slots have beyond that: headers, rounding, unused in tiny blocks
    # What the same spans hold beside, laid on the objects that live in them in equal parts:
    "dead",
    "free_slots",
    "tails",
    "metadata",
    "tracer",  # what the recording's own tracer holds: no part of `live` and `rounding`
)
"""A row for all objects that are alike, and one for spans in which nothing lives."""

LEDGER_OF = {
    "live": ("requested",),
    "rounding": ("headers", "class_rounding", "large_rounding", "tiny_waste"),
    "dead": ("dead_unswept", "dead_unfound"),
    "free_slots": ("free_slots_cached", "free_slots"),
    "tails": ("tail_waste",),
    "metadata": ("span_metadata",),
    "tracer": ("tracer",),
}
"""The rows of the ledger (outcome.LEDGER) that each column sums up to."""


@dataclass(frozen=True)
class Held:
    """The heap at one moment, and who holds it."""

    trace_name: str
    design_name: str
    at: str
    """Which moment: "the end", "the peak", "GC 12", "event 900", "checkpoint 'warm'"."""
    sample: np.void
    """The SAMPLE row of the moment."""
    holdings: NDArray[np.void]
    """HOLDING rows, by span class, slot, type, owner and stack."""
    types: list[str]
    """Names by type id; the first is that of the unknown type."""
    functions: list[Function]
    calls: list[Call]
    owners: list[Owner]
    """By number; the first is not known. Their functions and stacks are numbers of `functions` and `calls`."""
    lacks_caller: bool = False
    """Whether the recorded release's own heap profile leaves out who called mallocgc."""
    estimated: str = ""
    """Where the stacks are those of a heap profile, and so an estimate: its name."""


@dataclass(frozen=True)
class Measured:
    """The heap at some moments of a replay."""

    trace_name: str
    design_name: str
    moments: dict[str, np.void]
    """SAMPLE rows, in order of time or of interest, by the name of the moment."""
