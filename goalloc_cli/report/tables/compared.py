"""One trace under several releases, side by side: a column for each, a row for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.documents.compared import FIGURES
from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, text
from goalloc_cli.report.units import many, plural

Document = dict[str, Any]


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """The table."""
    trace, releases = document["trace"], document["releases"]
    title = f"{trace['name']}, {many(document['events'], 'event')}, {plural(trace['gomaxprocs'], 'P')}"
    rows: list[Sequence[Cell]] = [
        (name, *(release["figures"][key] for release in releases), unit, key) for key, name, unit, _ in FIGURES
    ]
    columns = (
        text("figure", "figure"),
        *(Column(release["design"]["name"], release["design"]["name"], "by unit", n) for n, release in enumerate(releases)),
        Column("unit", "unit", "machine"),
        Column("key", "key", "machine"),
    )
    recorded = [release["design"]["name"] for release in releases if release["design"]["mode"] == "recorded"]
    notes = ["At the end, where no peak is named. GC runs where the trace has it, under every release."]
    if recorded:
        notes.append(f"{recorded[0]} follows the recording's sweeping; in the others the model's own sweeper decides.")
    told = [Text(f"note: {note}", "note") for note in document["notes"]]
    return [Text(title, "headline"), Table("releases", "Release by release", columns, rows, notes), *told]
