"""Several gctrace texts side by side: a column for each, a row for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, text
from goalloc_cli.report.units import percent

Document = dict[str, Any]

NOTE = "A share is of all Ps, from the end of the cycle before each cycle on. Sizes are whole MiB, as Go prints them."


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """The table; of two texts, with what changed."""
    texts = document["texts"]
    names = titles([one["text"]["name"] for one in texts])
    rows: list[Sequence[Cell]] = []
    for figure in document["figures"]:
        values = [one["figures"][figure["key"]] for one in texts]
        if any(values):
            rows.append((figure["name"], *values, change(values), figure["unit"], figure["key"]))
    columns = (
        text("figure", "figure"),
        *(Column(name, name, "by unit", max(n - 1, 0)) for n, name in enumerate(names)),
        text("change", "change"),
        Column("unit", "unit", "machine"),
        Column("key", "key", "machine"),
    )
    told = [Text(f"note: {note}", "note") for note in document["notes"]]
    headline = ", ".join(one["text"]["name"] for one in texts)
    return [Text(headline, "headline"), Table("logs", "Side by side", columns, rows, (NOTE,)), *told]


def titles(paths: list[str]) -> list[str]:
    """The files' names, or the whole paths where these are alike, or both with their number."""
    short = [PurePath(path).name for path in paths]
    for names in (short, paths):
        if len(set(names)) == len(names):
            return names
    return [f"{n}: {name}" for n, name in enumerate(short, 1)]


def change(values: list[Any]) -> str | None:
    """From the first to the last, as a part of the first."""
    first, last = values[0], values[-1]
    if not first or last is None:
        return None
    part = last / first - 1
    return f"{'+' if part >= 0 else '-'}{percent(abs(part))}"
