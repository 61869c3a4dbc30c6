"""All tables of a document as data for the page: what people read in each cell, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.forms.layout import people
from goalloc_cli.report.pictures.heapmap import shortened
from goalloc_cli.report.tables.blocks import Cell, Table
from goalloc_cli.report.units import clean

Document = dict[str, Any]

MOST_CELLS = 6_000
"""Cells of all tables together: a page with more of them is slow to show."""
MOST_ROWS = (120, 80, 50, 30, 20, 12)
"""Rows of one table, the most that leaves no more cells."""
HIDDEN = ("bar", "machine")


def tables_of(tables: Sequence[Table]) -> list[Document]:
    """Every table that has rows; of long ones some rows, and a note that says so."""
    found = [table for table in tables if table.rows]
    most = next((rows for rows in MOST_ROWS if cells(found, rows) <= MOST_CELLS), MOST_ROWS[-1])
    return [shown_table(table, most) for table in found]


def cells(tables: Sequence[Table], most: int) -> int:
    return sum(min(len(table.rows), most) * len(shown(table)) for table in tables)


def shown(table: Table) -> list[int]:
    """The columns that people read."""
    return [at for at, column in enumerate(table.columns) if column.unit not in HIDDEN]


def shown_table(table: Table, most: int = MOST_ROWS[0]) -> Document:
    """One table."""
    columns, (rows, left_out) = shown(table), some(table, most)
    return {
        "title": clean(table.title),
        "columns": [{"title": clean(c.title), "is_text": c.unit == "text"} for c in (table.columns[at] for at in columns)],
        "rows": [[cell(table, row, at) for at in columns] for row in rows],
        "count": len(table.rows),
        "notes": [*(clean(note) for note in table.notes), *left_out],
        "total": table.total,
    }


def some(table: Table, most: int) -> tuple[list[Sequence[Cell]], list[str]]:
    """At most so many rows, evenly spread, and the last one where it is the sum."""
    rows = list(table.rows)
    if len(rows) <= most:
        return rows, []
    body, total = (rows[:-1], rows[-1:]) if table.total else (rows, [])
    step = -(-len(body) // most)
    # Of types, sites and classes the first rows are those that count; of samples over time all are alike.
    first = bool(table.columns and table.columns[0].unit == "text")
    kept = body[:most] if first else body[::step]
    which = f"The first {len(kept)}" if first else f"Every {step}th"
    return [*kept, *total], [f"{which} of {len(rows):,} rows; --format csv has them all."]


def cell(table: Table, row: Sequence[Cell], at: int) -> Document:
    """What is read, and the number that it is sorted by, None for a text."""
    value = row[at]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_text = table.columns[at].unit == "text"
    text = people(table, row, at)
    return {"text": shortened(text) if is_text and table.columns[at].names else text, "value": value if is_number else None}
