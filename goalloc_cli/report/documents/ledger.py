"""The ledger of the heap (allocator.md 10.4): rows that sum, each with how far it can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from goalloc_cli.results.outcome import LEDGER
from goalloc_cli.trace.lost import Lost
from goalloc_cli.trace.trace import Header

EXACT, BOUNDED, UNKNOWN = "exact", "bounded", "unknown"

LABELS = {
    "requested": "requested by the program",
    "headers": "malloc headers",
    "class_rounding": "rounding to size class",
    "large_rounding": "rounding to pages",
    "tiny_waste": "unused in tiny blocks",
    "tail_waste": "span tails",
    "span_metadata": "metadata in spans",
    "dead_unswept": "dead, not yet swept",
    "dead_unfound": "dead, not yet found",
    "free_slots_cached": "free slots in mcaches",
    "free_slots": "free slots elsewhere",
}
"""What people call each row."""

MEANINGS = {
    "requested": "what the program asked for, live objects only",
    "headers": "8 bytes before each pointerful object above 512 B that name its type",
    "class_rounding": "slot size minus request and header, small objects",
    "large_rounding": "up to the next page, objects with a span of their own",
    "tiny_waste": "in 16 B blocks that small pointer-free requests share",
    "tail_waste": "what is left behind the last slot of a span",
    "span_metadata": "pointer and mark bits that sit inside the span",
    "dead_unswept": "objects the last GC found dead, their slots not reusable yet",
    "dead_unfound": "garbage that the next GC will find: the price of its pace",
    "free_slots_cached": "in the span each P holds for each class: the next allocations go here",
    "free_slots": "in partly filled spans: reusable by the same size class alone",
}
"""What each row is, in a few words."""


AT_MOST = ("tail_waste", "span_metadata", "dead_unfound")
"""Rows that a heap which collects has no more of than one that does not: it needs fewer spans."""
BY_COLLECTIONS = ("dead_unswept", "free_slots_cached", "free_slots")
"""Rows that there are only because of collections, or change by them either way."""


def ledger(sample: np.void, header: Header, lost: Lost, uncollected: bool = False) -> list[dict[str, Any]]:
    """The rows that sum to HeapInuse. A bounded one lies in `low` to `high`; `high` is None if unknown."""
    inuse = int(sample["heap_inuse"])
    rows = []
    for name in LEDGER:
        value = int(sample[name])
        known = not_collected(name, value) if uncollected else None
        figure, low, high = with_losses(*(known or certainty(name, value, sample, header)), lost)
        share = value / inuse if inuse else None
        rows.append({"name": name, "bytes": value, "share": share, "figure": figure, "low": low, "high": high})
    return rows


def certainty(name: str, value: int, sample: np.void, header: Header) -> tuple[str, int, int | None]:
    """How far a row can be trusted, and the range it lies in.

    Where only the slot of an object is known, `requested` holds the most that fits it: what it is too
    high by, the rounding is too low by.
    """
    slack = int(sample["bound_rounding"]) if sample["bound_slot_bytes"] > 0 else 0
    if name == "requested" and slack:
        return BOUNDED, value - slack, value
    if name in ("class_rounding", "large_rounding") and slack:
        return BOUNDED, value, value + slack
    if name == "tiny_waste" and header.sizes == "slot":
        return UNKNOWN, value, None
    return EXACT, value, value


def not_collected(name: str, value: int) -> tuple[str, int, int | None] | None:
    """The same of a trace that does not tell of GC; None where that makes no difference."""
    if name in AT_MOST:
        return BOUNDED, 0, value
    return (UNKNOWN, 0, None) if name in BY_COLLECTIONS else None


def with_losses(figure: str, low: int, high: int | None, lost: Lost) -> tuple[str, int, int | None]:
    """The same where events of the recording are missing: nothing is exact.

    What was inferred may be wrong by what it is about; of what was left out the size is not known.
    """
    if not lost:
        return figure, low, high
    figure = BOUNDED if figure == EXACT else figure
    if high is not None:
        high = None if lost.left_out or lost.numbers else high + lost.bytes + lost.unnamed
    return figure, max(0, low - lost.bytes), high


def heap_sys(sample: np.void) -> dict[str, int]:
    """The rows that sum to HeapSys; pages in the Ps' page caches are part of the idle ones."""
    idle, released = int(sample["heap_idle"]), int(sample["heap_released"])
    return {
        "heap_inuse": int(sample["heap_inuse"]),
        "idle_backed": idle - released,
        "idle_released": released,
        "sum": int(sample["heap_inuse"]) + idle,
        "heap_sys": int(sample["heap_sys"]),
        "of_idle_in_page_caches": int(sample["page_cache_bytes"]),
    }
