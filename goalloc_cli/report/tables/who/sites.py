"""Which lines allocate, hold and waste."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Table, Text, called, count, share, size, text
from goalloc_cli.report.units import iec, percent, plural

Document = dict[str, Any]

MOST_SITES = 20
"""Rows shown in the terminal and in CSV."""


def sites(document: Document) -> list[Block]:
    """Which lines allocate, hold and waste."""
    found = document.get("sites")
    if not found or not found["rows"]:
        return [Text("No call stack is known: record with --full (docs/recording.md).", "note")]
    columns = (
        called("site", found["group_by"] if found["group_by"] != "func" else "function"),
        count("allocs", "allocations", 5),
        size("alloc_bytes", "allocated"),
        size("cumulative_bytes", "with callees"),
        size("live_bytes", "live"),
        size("dead_bytes", "dead", 4),
        size("pinned_bytes", "pins", 2),
        size("rounding_bytes", "rounding", 1),
        share("rounding_share", "of slots"),
        text("sizes", "size asked", 3),
    )
    rows: list[Sequence[Cell]] = []
    for row in found["rows"][:MOST_SITES]:
        flat = row["flat"]
        sizes = " to ".join(f"{n:,}" for n in dict.fromkeys((flat["least"], flat["most"]))) if flat["allocs"] else ""
        rows.append(
            (
                *(site_name(row), flat["allocs"], flat["alloc_bytes"], row["cumulative"]["alloc_bytes"]),
                *(flat[name] for name in SITE_HOLDS),
                sizes,
            )
        )
    notes = ["allocated: by the innermost call outside of the runtime. live, dead, pins: at the end. rounding: of all."]
    if found["unknown_bytes"]:
        notes.append(f"{iec(found['unknown_bytes'])} were allocated by stacks that are not known.")
    left = len(found["rows"]) - len(rows)
    if left > 0:
        notes.append(f"{plural(left, 'more row')}: --format json has all.")
    return [Table("sites", "Call sites", columns, rows, notes), *worst(found)]


SITE_HOLDS = ("live_bytes", "dead_bytes", "pinned_bytes", "rounding_bytes", "rounding_share")


def worst(found: Document) -> list[Block]:
    """The site that wastes most by rounding, in a sentence."""
    rows = [row for row in found["rows"] if row["flat"]["rounding_bytes"]]
    if not rows:
        return []
    row = max(rows, key=lambda row: int(row["flat"]["rounding_bytes"]))
    flat = row["flat"]
    mean = flat["alloc_bytes"] // flat["allocs"]
    told = f"{site_name(row)} asks for {mean:,} B on average, and wastes {percent(flat['rounding_share'])} of its slots"
    return [Text(f"Most rounding: {told}, {iec(flat['rounding_bytes'])} in all.", "verdict")]


def site_name(row: Document) -> str:
    """Function and line, as far as the group tells them."""
    return f"{row['function']}:{row['line']}" if row["line"] else str(row["function"])
