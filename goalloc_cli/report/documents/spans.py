"""How full the spans are, where they sit, and what holds the nearly empty ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.outcome import Outcome, Place, nearly_empty

BINS = (
    "0%",
    "<10%",
    "10-20%",
    "20-30%",
    "30-40%",
    "40-50%",
    "50-60%",
    "60-70%",
    "70-80%",
    "80-90%",
    "90-<100%",
    "100%",
)
"""Live objects of a span's slots: the deciles, and the two ends by themselves."""

def spans(outcome: Outcome) -> dict[str, Any]:
    """The document's part about spans. Those of large objects are in `places` alone: they are always full."""
    small = outcome.spans[outcome.spans["place"] != Place.LARGE]
    nearly = outcome.spans[nearly_empty(outcome.spans)]
    return {
        "bins": list(BINS),
        "histogram": histogram(small),
        "histogram_bytes": histogram(small, small["npages"] * outcome.design.page_size),
        "by_class": [
            {
                "spc": int(spc),
                "elem_size": int(rows["elem_size"][0]),
                "spans": len(rows),
                "histogram": histogram(rows),
            }
            for spc, rows in by_class(small)
        ],
        "places": places(outcome),
        "nearly_empty": {
            "spans": len(nearly),
            "bytes": int(nearly["npages"].sum()) * outcome.design.page_size,
            "live_bytes": int((nearly["live"] * nearly["elem_size"]).sum()),
        },
        "pins": [asdict(pin) for pin in outcome.pins],
    }


def by_class(small: NDArray[np.void]) -> list[tuple[int, NDArray[np.void]]]:
    return [(int(spc), small[small["spc"] == spc]) for spc in sorted(set(small["spc"].tolist()))]


def bin_of(rows: NDArray[np.void]) -> NDArray[np.int64]:
    """The index into BINS of each span."""
    live, slots = rows["live"], np.maximum(rows["nelems"], 1)
    decile = np.minimum(live * 10 // slots, 9) + 1
    bins: NDArray[np.int64] = np.where(live == 0, 0, np.where(live >= slots, len(BINS) - 1, decile))
    return bins


def histogram(rows: NDArray[np.void], weights: NDArray[np.int64] | None = None) -> list[int]:
    counts = np.zeros(len(BINS), np.int64)
    np.add.at(counts, bin_of(rows), 1 if weights is None else weights)
    return [int(c) for c in counts]


def places(outcome: Outcome) -> list[dict[str, Any]]:
    """Spans and bytes by where the span is."""
    found = []
    for place in Place:
        there = outcome.spans[outcome.spans["place"] == place]
        pages = int(there["npages"].sum())
        found.append({"place": place.name.lower(), "spans": len(there), "bytes": pages * outcome.design.page_size})
    return found
