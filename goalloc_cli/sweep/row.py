"""A row of the results: the figures of `goalloc replay --format json`, or of a row of `goalloc pace`, side by side."""

from __future__ import annotations

import json

import numpy as np

from goalloc_cli import __version__
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.parse import as_text, design_diff
from goalloc_cli.report.documents.ledger import ledger
from goalloc_cli.report.documents.replay import MEMSTATS, MODEL_VERSION, design, row_of
from goalloc_cli.results.outcome import LEDGER, Outcome, Reason
from goalloc_cli.results.pacing import OFF
from goalloc_cli.sweep.columns import OK, PACED, Row
from goalloc_cli.sweep.wanted import Wanted
from goalloc_cli.trace.chosen import base_of
from goalloc_cli.trace.trace import Header

VERSIONS: Row = {"goalloc_version": __version__, "model_version": MODEL_VERSION}
FIELDS = dict(zip(PACED, ("num_gc", "peak_heap_inuse", "heap_sys", "peak_mapped"), strict=True))
"""What a document of settings calls the figures."""


def of_trace(header: Header) -> Row:
    """What is known of a trace."""
    return {
        "source": header.source,
        "recorded_go": header.go_version,
        "gomaxprocs": header.gomaxprocs,
        "sizes": header.sizes,
    }


def of_design(header: Header, wanted: Wanted, chosen: Design) -> Row:
    """What is known of an allocator: its release, and in what it differs from that."""
    base = base_of(header, wanted.go)
    knobs: Row = {name: as_text(name, getattr(chosen, name)) for name in design_diff(base, chosen)}
    if chosen.size_classes is not None:
        knobs["size_classes"] = chosen.size_classes
    version = (wanted.go or header.go_version).removeprefix("go")
    return {"go": ".".join(version.split(".")[:2]), "knobs": json.dumps(knobs, sort_keys=True)}


def of_replay(outcome: Outcome) -> Row:
    """The figures of a replay."""
    end, peak = outcome.samples[-1], row_of(outcome.peak)
    at_gcs = outcome.samples["heap_inuse"][outcome.samples["reason"] == Reason.GC]
    return {
        "status": OK,
        "mode": design(outcome)["mode"],
        "events": sum(outcome.events.values()),
        "gc_cycles": int(end["num_gc"]),
        "duration_ns": int(end["time_ns"]),
        "notes": noted([*outcome.header.notes, *outcome.notes]),
        **of_moment("peak", peak, outcome),
        **of_moment("end", end, outcome),
        "mean_HeapInuse": round(float(at_gcs.mean())) if len(at_gcs) else None,
    }


def noted(notes: list[str]) -> str | None:
    """What the reader must know of the figures, a line each."""
    return "\n".join(dict.fromkeys(notes)) or None


def of_moment(at: str, sample: np.void, outcome: Outcome) -> Row:
    """The figures of one sample."""
    requested = ledger(sample, outcome.header, outcome.lost, outcome.uncollected)[0]
    return {
        f"{at}_event": int(sample["event"]),
        **{f"{at}_{go}": int(sample[ours]) for ours, go in MEMSTATS.items()},
        **{f"{at}_{name}": int(sample[name]) for name in LEDGER},
        f"{at}_requested_low": requested["low"],
        f"{at}_requested_high": requested["high"],
    }


def of_setting(document: Row, setting: Row) -> Row:
    """The figures of a setting: ranges, and none where the limit makes the program thrash."""
    row: Row = {
        "status": OK,
        "mode": "pace",
        "events": sum(document["trace"]["events"].values()),
        "gc_cycles": document["recorded"]["num_gc"],
        "notes": noted(document["notes"]),
        "gogc": OFF if setting["gogc"] is None else setting["gogc"],
        "memory_limit": setting["memory_limit"],
        "pace_zone": setting["zone"],
        "pace_off": document["recorded"]["off"],
    }
    for name, field in FIELDS.items():
        row[f"pace_{name}_low"], row[f"pace_{name}_high"] = setting[field] or (None, None)
    row["pace_usual_peak_HeapInuse"] = setting["usual_peak_heap_inuse"]
    row["pace_gc_work_low"], row["pace_gc_work_high"] = setting["gc_work"] or (None, None)
    return row
