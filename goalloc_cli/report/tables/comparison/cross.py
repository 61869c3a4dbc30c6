"""Program or allocator, as a sentence and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, text
from goalloc_cli.report.tables.comparison.gate import signed

Document = dict[str, Any]

NOTE = (
    "At the end, where no peak is named. "
    "allocator: the same trace under the other allocator, mean of A's trace and B's; program: the other trace under the "
    "same allocator. Both with the model's own sweeper; sweeping: what the recordings tell of theirs. The three sum to the "
    "change."
)


def blocks(document: Document) -> list[Block]:
    """What the program did and what the allocator did, where it was asked."""
    cross = document["cross"]
    if cross is None:
        return []
    rows: list[Sequence[Cell]] = [
        (
            row["name"].removesuffix(" at the end"),
            *(signed(row[key], row["unit"]) for key in ("program", "allocator", "sweeping", "change")),
            *(row[key] for key in MACHINE),
        )
        for row in cross["rows"]
    ]  # fmt: skip
    columns = (
        text("figure", "figure"),
        Column("shown_program", "program", "people"),
        Column("shown_allocator", "allocator", "people"),
        Column("shown_sweeping", "sweeping", "people"),
        Column("shown_change", "= change", "people"),
        *(Column(key, "", "machine") for key in MACHINE),
    )
    return [Text(sentence(cross), "verdict"), Table("cross", "Program or allocator", columns, rows, (NOTE,))]


MACHINE = ("program", "allocator", "sweeping", "change", "allocator_of_a", "allocator_of_b", "a_under_a", "a_under_b",
           "b_under_a", "b_under_b", "key")  # fmt: skip


def sentence(cross: Document) -> str:
    """Of +56.0 KiB HeapInuse at the end the program made ..."""
    row = next(row for row in cross["rows"] if row["key"] == "end_HeapInuse")
    if cross["allocator_a"] == cross["allocator_b"]:
        return f"Both sides have the same allocator, {cross['allocator_a']}: what differs is the program."
    told = (signed(row[key], "bytes") for key in ("program", "allocator", "sweeping", "change"))
    program, allocator, sweeping, change = told
    more = f", and when spans were swept {sweeping}" if row["sweeping"] else ""
    return (
        f"Of the change of HeapInuse at the end, {change}, the program made {program}, the allocator "
        f"({cross['allocator_a']} to {cross['allocator_b']}) {allocator}{more}."
    )
