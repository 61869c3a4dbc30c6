"""The score of `goalloc verify` as a document, and as a table."""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.tables.blocks import Block, Column, Table, Text, count, text
from goalloc_cli.report.units import duration, many, plural

Document = dict[str, Any]

MEANING = {
    "integrity": "events that fit together",
    "geometry": "objects in a slot of their span",
    "slot": "the slot, in the true span",
    "refill": "the span that a P takes next",
    "page": "the page of a new span",
    "free_running": "addresses, never set right",
    "heap": "HeapInuse, spans by class",
    "memstats": "cells of runtime.MemStats",
    "released": "HeapReleased within its range",
    "heap_live": "what a refill adds to heapLive",
    "stack": "addresses of goroutine stacks",
}
"""What each row counts."""


def headline(document: Document) -> str:
    """What was scored."""
    trace, lasted = document["trace"], document["duration_ns"]
    parts = [
        trace["name"],
        document["design"],
        many(document["events"], "event"),
        plural(document["gc_cycles"], "GC cycle"),
        plural(trace["gomaxprocs"], "P"),
        *([duration(lasted)] if lasted else []),
    ]
    return ", ".join(parts)


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """The score, what went wrong first, and the hints."""
    sweeper = "the model's own sweeper" if document["own_sweeper"] else "sweeping, flushes and manual spans as recorded"
    return [
        Text(headline(document), "headline"),
        Text(f"with {sweeper}", "note"),
        score(document),
        *wrong(document),
        hints(document),
        *(Text(f"note: {note}", "note") for note in document["notes"]),
    ]


def score(document: Document) -> Table:
    """All rows; a row without a case says so."""
    rows = [
        (name, MEANING[name], row["right"], row["total"], _percent(row), row["percent"])
        for name, row in document["rows"].items()
    ]
    columns = (
        text("row", "row"),
        text("meaning", "what is judged", 1),
        count("right", "right"),
        count("total", "of"),
        Column("shown_percent", "per cent", "people"),
        Column("percent", "per cent", "machine"),
    )
    return Table(
        "verify",
        "How exactly the model reproduces the recording",
        columns,
        rows,
        ("slot, refill, page, heap_live and stack: set right after each miss. The others: never.",),
    )


def _percent(row: Document) -> str:
    if row["percent"] is None:
        return "-"
    shown = f"{row['percent']:.3f}"
    # Never 100 for what is not whole.
    return "100" if row["right"] == row["total"] else "99.999+" if shown == "100.000" else shown


def wrong(document: Document) -> list[Block]:
    """The first case of each row that went wrong, and how far figures were off."""
    rows = [(name, row["first_wrong"]) for name, row in document["rows"].items() if row["first_wrong"]]
    heap = document["rows"]["heap"]
    found: list[Block] = []
    if rows:
        found.append(Table("first_wrong", "First cases that went wrong", (text("row", "row"), text("case", "case")), rows))
    if heap.get("max_error"):
        found.append(Text(f"HeapInuse is off by {heap['mean_error']:.3%} on average, {heap['max_error']:.3%} at most."))
    return found


def hints(document: Document) -> Table:
    """What was taken from the recording."""
    rows = [(name, n) for name, n in document["hints"].items()]
    return Table("hints", "Taken from the recording", (text("hint", "hint"), count("times", "times")), rows)
