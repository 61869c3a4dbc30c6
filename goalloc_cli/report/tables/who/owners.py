"""Who allocated, and who holds the heap: by goroutine, user task and region, type, and type within each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, called, count, size
from goalloc_cli.report.units import iec, percent, plural

Document = dict[str, Any]

MOST = 12
"""Rows shown in the terminal and in CSV."""
WITHIN = 4
"""Types shown within each of so many goroutines."""


NOT_FOLLOWED: list[Block] = [Text("Nobody followed who allocates: replay the trace with --report who.", "note")]


def who(document: Document) -> list[Block]:
    """Everything: by goroutine, by task and region, by type, by type within each goroutine."""
    found = document.get("who")
    if not found:
        return NOT_FOLLOWED
    blocks: list[Block] = [
        table(found, "goroutines", "By goroutine", (called("entry", "first function"), called("created_by", "made by", 5))),
    ]
    if any(row["task"] or row["region"] for row in found["tasks"]):
        columns = (called("task", "task"), called("region", "region"))
        blocks.append(table(found, "tasks", "By user task and region", columns))
    blocks.append(table(found, "types", "By type", (called("type", "type"),)))
    columns = (called("entry", "first function"), called("type", "type"))
    blocks.append(table(found, "types_within", "By type within each", columns))
    return blocks


def live(document: Document) -> list[Block]:
    """Which types hold the heap at its peak."""
    found = document.get("who")
    if not found:
        return NOT_FOLLOWED
    when = "peak" if "peak" in found["moments"] else "end"
    columns = (
        called("type", "type"),
        count("objects", "objects"),
        size("live_bytes", "live"),
        size("rounding_bytes", "of it rounding", 2),
        size("pinned_bytes", "pins"),
        size("dead_bytes", "dead", 1),
        size("held_bytes", "in all"),
        Column("held_per_live_byte", "held/live", "count", 3),
    )
    rows: list[Sequence[Cell]] = []
    for row in found["types"]:
        part = row[when]
        if part["held_bytes"]:
            rows.append((row["type"], *(part[name] for name in HOLDS)))
    moment = found["moments"][when]
    at = f"At the {when}, event {moment['event']:,}: HeapInuse is {iec(moment['heap_inuse'])}."
    title = f"What lives at the {when}, by type"
    return [Table("live", title, columns, [*rows[:MOST], *rest(rows)], [at, *adds_up(moment)])]


HOLDS = ("objects", "live_bytes", "rounding", "pinned_bytes", "dead_bytes", "held_bytes", "held_per_live_byte")


def rest(rows: list[Sequence[Cell]]) -> list[Sequence[Cell]]:
    """One row in place of those that are not shown."""
    left = rows[MOST:]
    if not left:
        return []
    sums = [sum(int(row[at] or 0) for row in left) for at in range(1, len(HOLDS))]
    return [(f"({plural(len(left), 'more')})".replace("mores", "more"), *sums, None)]


def adds_up(moment: Document) -> list[str]:
    """Whether the rows are the ledger."""
    if moment["sum"] == moment["heap_inuse"]:
        return ["pins: free slots, tails and metadata of the spans that it keeps in use. The rows add up to HeapInuse."]
    return ["The rows do NOT add up to HeapInuse: please report it."]


def table(found: Document, name: str, title: str, keys: tuple[Column, ...]) -> Table:
    """One view of who allocated and holds what."""
    replayed = "heap_inuse" in found["moments"]["end"]
    moments = [when for when in ("peak", "end") if when in found["moments"]]
    columns = (
        *keys,
        count("allocs", "allocations", 4),
        size("alloc_bytes", "allocated"),
        *(size(f"{when}_live_bytes", f"live, {when}") for when in moments),
        *((size("dead_bytes", "dead, end", 3), size("pinned_bytes", "pins, end", 2)) if replayed else ()),
        Column("mean_age_cycles", "mean life in GCs", "count", 6),
    )
    rows: list[Sequence[Cell]] = []
    for row in found[name][:MOST]:
        held = (row["end"]["dead_bytes"], row["end"]["pinned_bytes"]) if replayed else ()
        rows.append(
            (
                *(row[key.key] or "(none)" if key.key in ("task", "region") else row[key.key] for key in keys),
                *(row.get("allocs", 0), row.get("alloc_bytes", 0)),
                *(row[when]["live_bytes"] for when in moments),
                *held,
                row.get("mean_age_cycles"),
            )
        )
    left = len(found[name]) - len(rows)
    notes = [f"{plural(left, 'more row')}: --format json has all."] if left > 0 else []
    return Table(f"who_{name}", title, columns, rows, [*notes, *(said(found) if name == "goroutines" else ())])


def said(found: Document) -> list[str]:
    """What the reader must know of all rows."""
    end = found["moments"]["end"]
    notes = []
    if end["alloc_bytes"]:
        share = end["alloc_bytes_with_owner"] / end["alloc_bytes"]
        notes.append(f"The owner of {percent(share)} of all bytes allocated is known.")
    for when, gone in found["dead_goroutines"].items():
        if gone and gone["dead_at_most"]:
            notes.append(
                f"At the {when} there were {gone['runtime_g']:,} runtime.g ({iec(gone['bytes'])}) for "
                f"{plural(gone['goroutines'], 'goroutine')}: up to {gone['dead_at_most']:,} of goroutines that have ended "
                "(Go keeps them for others) or of threads."
            )
    return notes


