"""Memory given back, in a document: in what range HeapReleased lies, who gave back, and the range of the RSS.

(allocator.md 9)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from goalloc_cli.design.choices import Scavenger
from goalloc_cli.report.documents.ledger import BOUNDED, EXACT, UNKNOWN
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.results.resident import GIVEN_BACK, heap_released, resident, total

CAUSES = dict(
    zip(("background", "growth", "memory limit", "debug.FreeOSMemory", "idle for five minutes"), GIVEN_BACK, strict=True)
)
"""Who gave memory back, and the field of a sample that counts it."""

RSS = (
    "heap_inuse",
    "idle_backed",
    "idle_lazy",
    "stacks",
    "gc_workbufs",
    "untouched",
    "huge_pages",
    "runtime_records",
    "not_modelled",
)
"""The rows that sum to the resident memory, in the order of the report."""


def given_back(outcome: Outcome) -> dict[str, Any]:
    """The section `released`."""
    end, peak = outcome.samples[-1], np.asarray(outcome.peak).reshape(-1)[0]
    return {
        "scavenger": Scavenger(outcome.design.scavenger).name.lower(),
        "figure": BOUNDED,
        "paced_by": paced_by(outcome),
        "from_start": outcome.header.from_start or not outcome.header.hints,
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


def moment(outcome: Outcome, sample: np.void) -> dict[str, Any]:
    """HeapReleased and its range, what is kept, and the range of the RSS."""
    design, ps, recorded = outcome.design, outcome.header.gomaxprocs, bool(outcome.hints)
    released = heap_released(sample, design, ps, recorded)
    rows = resident(sample, design, ps, recorded)
    whole = total(rows)
    return {
        "heap_released": released.model,
        "figure": BOUNDED,
        "low": released.low,
        "high": released.high,
        "retained": int(sample["heap_sys"]) - released.model,
        "retained_goal": int(sample["retained_goal"]),
        "rss": [
            {"name": name, "bytes": rows[name].model, "low": rows[name].low, "high": rows[name].high, "figure": trust(name)}
            for name in RSS
            if name in rows
        ],
        "rss_sum": whole.model,
        "rss_low": whole.low,
        "rss_high": whole.high,
    }


def trust(name: str) -> str:
    """How far a row can be trusted."""
    return UNKNOWN if name == "not_modelled" else EXACT if name == "gc_workbufs" else BOUNDED


def rate(outcome: Outcome) -> float | None:
    """Bytes a second that the background scavenger gives back at its full share of CPU time; None where there is none."""
    design = outcome.design
    if design.scavenger != Scavenger.PACED:
        return None
    ps = outcome.header.gomaxprocs if design.scavenge_controller else 1
    return design.scavenge_bytes_per_ms * 1000 * design.scavenge_percent / 100 * ps
