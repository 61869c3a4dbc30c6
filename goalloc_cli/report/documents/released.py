"""Memory given back, in a document: how far HeapReleased can be trusted, who gave back, and an estimate of the RSS.

(allocator.md 9)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from goalloc_cli.design.choices import Scavenger
from goalloc_cli.report.documents.ledger import BOUNDED, EXACT, UNKNOWN
from goalloc_cli.results.outcome import Outcome

NEAR = "near"

CAUSES = {
    "background": "released_background",
    "growth": "released_growth",
    "memory limit": "released_limit",
    "debug.FreeOSMemory": "released_forced",
    "idle for five minutes": "released_idle",
}
"""Who gave memory back, and the field of a sample that counts it."""

RSS = ("heap_inuse", "idle_backed", "idle_lazy", "stacks", "gc_workbufs", "runtime_records", "not_modelled")
"""The rows that sum to the estimate."""


def given_back(outcome: Outcome) -> dict[str, Any]:
    """The section `released`."""
    end, peak = outcome.samples[-1], np.asarray(outcome.peak).reshape(-1)[0]
    return {
        "scavenger": Scavenger(outcome.design.scavenger).name.lower(),
        "figure": figure(outcome),
        "paced_by": paced_by(outcome),
        "peak": moment(outcome, peak),
        "end": moment(outcome, end),
        "by_cause": {cause: int(end[name]) for cause, name in CAUSES.items()},
        "bytes_per_second": rate(outcome),
    }


def paced_by(outcome: Outcome) -> str:
    """What told the background scavenger when to run: "recording", "time" or "cycles"."""
    if outcome.hints:
        return "recording"
    return "time" if outcome.events.get("time") else "cycles"


def figure(outcome: Outcome) -> str:
    """How far HeapReleased can be trusted."""
    if outcome.header.hints and not outcome.header.from_start:
        return UNKNOWN
    timeless = paced_by(outcome) == "cycles" and outcome.design.scavenger != Scavenger.NONE
    return BOUNDED if timeless else NEAR


def moment(outcome: Outcome, sample: np.void) -> dict[str, Any]:
    """HeapReleased and its range, what is kept, and the estimate of the RSS."""
    released, backed = int(sample["heap_released"]), int(sample["heap_idle"] - sample["heap_released"])
    trust = figure(outcome)
    high = {BOUNDED: released + int(sample["releasable"]), UNKNOWN: released + backed}.get(trust, released)
    rows = rss(outcome, sample)
    return {
        "heap_released": released,
        "figure": trust,
        "low": 0 if trust == UNKNOWN else released,
        "high": high,
        "retained": int(sample["heap_inuse"]) + backed,
        "retained_goal": int(sample["retained_goal"]),
        "rss": rows,
        "rss_sum": sum(row["bytes"] for row in rows),
    }


def rss(outcome: Outcome, sample: np.void) -> list[dict[str, Any]]:
    """The rows of the estimate. `figure` says of each how near it is to what is resident."""
    released = int(sample["heap_released"])
    given = sum(int(sample[name]) for name in CAUSES.values())
    trust = figure(outcome)
    records = int(sample["span_records"]) + int(sample["mcache_records"]) + int(sample["arena_records"])
    bytes_of = {
        "heap_inuse": (int(sample["heap_inuse"]), BOUNDED),
        "idle_backed": (int(sample["heap_idle"]) - released, trust),
        "idle_lazy": (min(released, given) if outcome.design.release_lazily else 0, BOUNDED),
        "stacks": (int(sample["stack_inuse"]), BOUNDED),
        "gc_workbufs": (int(sample["gc_workbufs"]), EXACT),
        "runtime_records": (records, BOUNDED),
        "not_modelled": (outcome.design.other_bytes, UNKNOWN),
    }
    rows = RSS if outcome.design.release_lazily else tuple(name for name in RSS if name != "idle_lazy")
    return [{"name": name, "bytes": bytes_of[name][0], "figure": bytes_of[name][1]} for name in rows]


def rate(outcome: Outcome) -> float | None:
    """Bytes a second that the background scavenger gives back at its full share of CPU time; None where there is none."""
    design = outcome.design
    if design.scavenger != Scavenger.PACED:
        return None
    ps = outcome.header.gomaxprocs if design.scavenge_controller else 1
    return design.scavenge_bytes_per_ms * 1000 * design.scavenge_percent / 100 * ps
