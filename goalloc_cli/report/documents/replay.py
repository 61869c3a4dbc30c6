"""An Outcome as one plain document: what JSON and msgpack hold, and what every table is made from.

Fields are only ever added. Sizes are bytes, shares lie between 0 and 1, and `runtime.MemStats` fields keep
Go's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli import __version__
from goalloc_cli.design.allocator import KNOBS
from goalloc_cli.report.documents.ledger import heap_sys, ledger
from goalloc_cli.report.documents.released import given_back
from goalloc_cli.report.documents.spans import spans
from goalloc_cli.report.documents.who import sites_document, who_document
from goalloc_cli.results.outcome import LEDGER, Outcome, Reason
from goalloc_cli.results.who import Sites, Who
from goalloc_cli.trace.trace import Header

Document = dict[str, Any]

SCHEMA = "goalloc replay"
SCHEMA_VERSION = 1
"""Raised only if a field had to change its meaning; a new field does not raise it."""
MODEL_VERSION = 2
"""Raised when the same trace and the same design give other figures than before."""

MEMSTATS = {
    "heap_alloc": "HeapAlloc",
    "total_alloc": "TotalAlloc",
    "heap_sys": "HeapSys",
    "heap_idle": "HeapIdle",
    "heap_inuse": "HeapInuse",
    "heap_released": "HeapReleased",
    "heap_objects": "HeapObjects",
    "stack_inuse": "StackInuse",
    "mallocs": "Mallocs",
    "frees": "Frees",
    "next_gc": "NextGC",
    "num_gc": "NumGC",
}
"""Fields of a sample that runtime.MemStats has too."""

OTHERS = ("peak_gc", "heap_live", "gc_workbufs", "page_cache_bytes", "spans", "retained_goal", "releasable", "untouched")
"""Fields of a sample that it has not."""


def document(
    outcome: Outcome, trace_bytes: int | None = None, who: Who | None = None, who_before: Mapping[str, Who] | None = None,
    sites: Sites | None = None,
) -> Document:  # fmt: skip
    """All that a replay found out, in plain lists, dicts and numbers; `series` and `map` where pictures were taken, `who`
    and `sites` where who allocates was followed."""
    end, peak = outcome.samples[-1], row_of(outcome.peak)
    total = sum(outcome.events.values())
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "model_version": MODEL_VERSION,
        "trace": trace_identity(outcome.trace_name, outcome.header, trace_bytes, outcome.events),
        "design": design(outcome),
        "notes": list(dict.fromkeys([*outcome.header.notes, *outcome.notes])),
        "skipped": plain(outcome.skipped),
        "lost": outcome.lost.counts(),
        "uncollected": outcome.uncollected,
        "run": {
            "seconds": outcome.seconds,
            "events_per_second": total / outcome.seconds if outcome.seconds else 0.0,
        },
        "summary": {
            "events": total,
            "gc_cycles": int(end["num_gc"]),
            "duration_ns": int(end["time_ns"]),
            "peak": moment(outcome, peak),
            "end": moment(outcome, end),
        },
        "memstats": plain(outcome.memstats),
        "checkpoints": [{"name": c.name, "memstats": plain(c.memstats)} for c in outcome.checkpoints],
        "fragmentation": {
            "end": fragmentation(outcome, end),
            "peak": fragmentation(outcome, peak),
            "external": external(outcome),
        },
        "classes": classes(outcome),
        "spans": spans(outcome),
        "large": asdict(outcome.large),
        "tiny": tiny(outcome),
        "released": given_back(outcome),
        "mcaches": records(outcome.mcaches),
        "central": [span_class(int(row["spc"])) | record(row) for row in outcome.central],
        "arenas": records(outcome.arenas),
        "locks": plain(outcome.locks),
        "sweep": plain(outcome.sweep),
        "marks": marks(outcome),
        "timeline": [moment(outcome, row) | {"ledger": pick(row, LEDGER)} for row in outcome.samples],
        **pictures(outcome),
        **({} if who is None else {"who": who_document(who, who_before or {})}),
        **({} if sites is None else {"sites": sites_document(sites)}),
    }


def pictures(outcome: Outcome) -> dict[str, Any]:
    """The samples, maps and lifetimes that were taken along for pictures."""
    taken = outcome.pictures
    if taken is None:
        return {}
    from goalloc_cli.report.pictures.heapmap import heap_map
    from goalloc_cli.report.pictures.series import series

    return {
        "series": series(outcome, taken),
        **({} if taken.pages is None else {"map": heap_map(taken.pages)}),
        **({} if taken.lifetimes is None else {"lifetimes": plain(asdict(taken.lifetimes))}),
    }


def trace_identity(name: str, header: Header, trace_bytes: int | None, events: dict[str, int]) -> dict[str, Any]:
    """What tells one trace from another."""
    known = {f.name: getattr(header, f.name) for f in fields(Header) if f.name not in ("notes", "extra", "knobs")}
    return {"name": name, "bytes": trace_bytes, **known, "events": plain(events)}


def design(outcome: Outcome) -> dict[str, Any]:
    """The allocator that was replayed, and who decided what a trace of objects leaves open.

    `mode` is "recorded" (the recording's hints were followed), "what-if" (the trace has hints, but they were
    not used) or "model" (it has none).
    """
    knobs = {f.name: int(getattr(outcome.design, f.name)) for f in KNOBS}
    mode = "recorded" if outcome.hints else "what-if" if outcome.header.hints else "model"
    return {"name": outcome.design_name, "mode": mode, "hints": plain(outcome.hints), "knobs": knobs}


def moment(outcome: Outcome, sample: np.void) -> dict[str, Any]:
    """One sample, without its ledger."""
    name = outcome.names[int(sample["name"])] if sample["reason"] == Reason.CHECKPOINT else None
    return {
        "event": int(sample["event"]),
        "time_ns": int(sample["time_ns"]),
        "reason": Reason(int(sample["reason"])).name.lower(),
        "checkpoint": name,
        "memstats": {go: int(sample[ours]) for ours, go in MEMSTATS.items()},
        **pick(sample, OTHERS),
    }


def fragmentation(outcome: Outcome, sample: np.void) -> dict[str, Any]:
    """Where the bytes of the heap are at one moment."""
    inuse = int(sample["heap_inuse"])
    requested = int(sample["requested"])
    retained = int(sample["heap_sys"]) - int(sample["heap_released"])
    return {
        "event": int(sample["event"]),
        "ledger": ledger(sample, outcome.header, outcome.lost, outcome.uncollected),
        "ledger_sum": sum(int(sample[row]) for row in LEDGER),
        "heap_inuse": inuse,
        "heap_sys": heap_sys(sample),
        "requested_of_heap_inuse": ratio(requested, inuse),
        "requested_of_retained": ratio(requested, retained),
    }


def external(outcome: Outcome) -> dict[str, Any]:
    """How scattered the free pages are at the end."""
    found = asdict(outcome.external)
    histogram = outcome.external.run_histogram
    found["largest_run_share"] = ratio(outcome.external.largest_run, outcome.external.free_pages)
    found["run_histogram"] = [
        {"from_pages": 1 << i, "to_pages": (2 << i) - 1, "runs": int(runs)} for i, runs in enumerate(histogram)
    ]
    return plain(found)  # type: ignore[no-any-return]


def classes(outcome: Outcome) -> list[dict[str, Any]]:
    """golang/go#11890's list, a row per size class and scan or noscan."""
    return [class_row(row) for row in outcome.classes]


def class_row(row: np.void) -> dict[str, Any]:
    spans_in_use = int(row["spans"])
    waste = int(row["unused_bytes"] + row["internal_bytes"] + row["tail_bytes"] + row["metadata_bytes"])
    return {
        **span_class(int(row["spc"])),
        **record(row),
        "occupancy": ratio(int(row["live_objects"]), int(row["slots"])),
        "age_mean": int(row["age_sum"]) / spans_in_use if spans_in_use else None,
        "waste_bytes": waste,
        "waste_share": ratio(waste, int(row["span_bytes"])),
    }


def marks(outcome: Outcome) -> dict[str, Any]:
    """What mark phases scan and what they skip, in the last cycle and in all, as a whole and by class."""
    whole = {}
    for name, noscan in (("scanned", 0), ("skipped", 1)):
        part = outcome.marks[outcome.marks["spc"] % 2 == noscan]
        for column in ("slot_bytes", "all_slot_bytes"):
            whole[column.replace("slot", name)] = int(part[column].sum())
    by_class = [{**span_class(int(row["spc"])), **record(row)} for row in outcome.marks]
    return {"cycles": int(outcome.samples[-1]["num_gc"]), **whole, "classes": by_class}


def tiny(outcome: Outcome) -> dict[str, Any]:
    found = asdict(outcome.tiny)
    requests = outcome.tiny.blocks + outcome.tiny.packed
    return found | {"requests": requests, "packed_share": ratio(outcome.tiny.packed, requests)}


def span_class(spc: int) -> dict[str, Any]:
    return {"size_class": spc >> 1, "scan": not spc & 1}


def row_of(sample: NDArray[np.void]) -> np.void:
    """The row itself, whether it came as a row or as an array of one."""
    row: np.void = np.asarray(sample).reshape(-1)[0]
    return row


def pick(row: np.void, names: tuple[str, ...]) -> dict[str, int]:
    return {name: int(row[name]) for name in names}


def record(row: np.void) -> dict[str, int]:
    return pick(row, row.dtype.names or ())


def records(rows: Any) -> list[dict[str, int]]:
    return [record(row) for row in rows]


def ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def plain(value: Any) -> Any:
    """`value` in types that JSON and msgpack know."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    return value
