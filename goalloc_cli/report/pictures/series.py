"""Samples over time in a document: columns of numbers, at most `MOST_SAMPLES` long."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.report.pictures.layers import LAYERS
from goalloc_cli.results.outcome import LEDGER, SAMPLE, Outcome, Reason
from goalloc_cli.results.pictures import MOST_SAMPLES, Pictures
from goalloc_cli.results.resident import resident, total

Document = dict[str, Any]
Series = dict[str, list[int]]

REASONS = tuple(reason.name.lower() for reason in Reason)
"""By the number in the column `reason`."""
PLAIN = (
    "event", "time_ns", "total_alloc", "num_gc", "reason", *LEDGER, "heap_alloc", "heap_inuse", "heap_idle", "heap_released",
    "heap_sys", "next_gc", "stack_inuse", "gc_workbufs",
)  # fmt: skip
MADE = ("idle_backed", "records", "not_modelled", "rss_low", "rss_high")
"""Columns that follow from others of a sample."""
COLUMNS = (*PLAIN, *MADE)


def series(outcome: Outcome, taken: Pictures) -> Document:
    """The samples by column, and of how many GC cycles one is among them."""
    rows = taken.series
    columns: Series = {name: rows[name].tolist() for name in PLAIN}
    records = rows["span_records"] + rows["mcache_records"] + rows["arena_records"]
    columns["idle_backed"] = (rows["heap_idle"] - rows["heap_released"]).tolist()
    columns["records"] = records.tolist()
    columns["not_modelled"] = [outcome.design.other_bytes] * len(rows)
    # A row of a table is slow to ask, column by column.
    ranges = [residence(outcome, dict(zip(SAMPLE.names or (), row, strict=True))) for row in rows.tolist()]
    columns["rss_low"], columns["rss_high"] = [low for low, _ in ranges], [high for _, high in ranges]
    return {"columns": columns, "reasons": list(REASONS), "cycles_kept": taken.cycles_kept}


def residence(outcome: Outcome, row: dict[str, int]) -> tuple[int, int]:
    """In what range the RSS lies."""
    found = total(resident(row, outcome.design, outcome.header.gomaxprocs, bool(outcome.hints)))
    return found.low, found.high


def columns_of(document: Document) -> Series:
    """The samples of a replay's document; of one without pictures, those of its timeline, every so many."""
    if "series" in document:
        columns: Series = document["series"]["columns"]
        lengths = {len(columns[name]) for name in COLUMNS}
        if len(lengths) != 1 or not 0 < min(lengths) <= MOST_SAMPLES + 1:
            raise ValueError("the samples are not as many as goalloc takes")
        if not all(type(value) is int for name in COLUMNS for value in columns[name]):
            raise ValueError("a sample is no number")
        return {name: columns[name] for name in COLUMNS}
    timeline = document["timeline"]
    step = -(-len(timeline) // MOST_SAMPLES) or 1
    peak = document["summary"]["peak"]["event"]
    some = [row for at, row in enumerate(timeline) if at % step == 0 or row is timeline[-1] or row["event"] == peak]
    return {name: [value_of(document, row, name) for row in some[: MOST_SAMPLES + 2]] for name in COLUMNS}


def value_of(document: Document, row: Document, name: str) -> int:
    """A column of a sample, by a row of the timeline."""
    stats = row["memstats"]
    found = {
        **row["ledger"], "event": row["event"], "time_ns": row["time_ns"], "total_alloc": stats["TotalAlloc"],
        "num_gc": stats["NumGC"], "reason": REASONS.index(row["reason"]), "heap_alloc": stats["HeapAlloc"],
        "heap_inuse": stats["HeapInuse"], "heap_idle": stats["HeapIdle"], "heap_released": stats["HeapReleased"],
        "heap_sys": stats["HeapSys"], "next_gc": stats["NextGC"], "stack_inuse": stats["StackInuse"],
        "gc_workbufs": row["gc_workbufs"], "idle_backed": stats["HeapIdle"] - stats["HeapReleased"],
        "not_modelled": document["design"]["knobs"]["other_bytes"],
    }  # fmt: skip
    return int(found.get(name, 0))


def at(columns: Series, index: int) -> dict[str, int]:
    """One sample."""
    return {name: values[index] for name, values in columns.items()}


def index_of(columns: Series, event: int) -> int:
    """The sample nearest to an event."""
    return min(range(len(columns["event"])), key=lambda i: abs(columns["event"][i] - event))


def stacked(columns: Series) -> NDArray[np.int64]:
    """Bytes below and including each layer, at each sample: shape (layers, samples)."""
    sizes = [np.sum([columns[name] for name in layer.columns], axis=0, dtype=np.int64) for layer in LAYERS]
    return np.cumsum(np.stack(sizes), axis=0)
