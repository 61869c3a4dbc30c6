"""One trace under several releases, side by side: a column for each, a row for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.documents.compared import FIGURES
from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, size, text
from goalloc_cli.report.units import iec, many, plural

Document = dict[str, Any]


def change(document: Document) -> list[Block]:
    """A what-if beside its base: what another allocator changes, without what the model's own sweeper changes."""
    if "base" not in document:
        return []
    name = document["base"]["design"]["name"]
    rows: list[Sequence[Cell]] = [
        (row["name"], row["base"], row["what_if"], signed(row["what_if"] - row["base"]), row["what_if"] - row["base"], key)
        for key, row in document["base"]["figures"].items()
    ]
    columns = (
        text("figure", "figure"),
        size("base_bytes", name),
        size("what_if_bytes", "what if"),
        Column("shown_change", "change", "people"),
        Column("change_bytes", "", "machine"),
        Column("key", "", "machine"),
    )
    return [Table("change", "What it changes", columns, rows, (f"At the end, where no peak is named. {OWN.format(name)}",))]


OWN = "{}: the recording's release, but the model's own sweeper decides, as in a what-if."


def signed(nbytes: int) -> str:
    """A difference of bytes, with its sign."""
    return "0 B" if not nbytes else f"{'+' if nbytes > 0 else '-'}{iec(abs(nbytes))}"


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
    own = [release["design"]["name"] for release in releases if release["design"]["name"].endswith(" own")]
    notes += [OWN.format(name) for name in own]
    if recorded:
        notes.append(f"{recorded[0]} follows the recording's sweeping; in the others the model's own sweeper decides.")
    told = [Text(f"note: {note}", "note") for note in document["notes"]]
    return [Text(title, "headline"), Table("releases", "Release by release", columns, rows, notes), *told]
