"""A sweep over many traces: each design against the first, the distribution of what it changes, and the worst traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Chart, Column, Table, Text, called, count, size, text
from goalloc_cli.report.units import plural

Document = dict[str, Any]

QUANTILES = ("p05", "p25", "p50", "p75", "p95")


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """All of it."""
    traces, designs = plural(document["traces"], "trace"), plural(len(document["designs"]), "design")
    others = [each for each in document["designs"] if each["change"]]
    shown: list[Block] = [Text(f"{document['folder']}, {traces}, {designs}, {plural(document['rows'], 'row')}", "headline")]
    shown.append(by_design(document))
    if others:
        shown += [changes(others), *charts(others), ranges(document, others), worst(document)]
    if document["failures"]:
        shown.append(failures(document))
    return [*shown, *(Text(f"note: {note}", "note") for note in document["notes"])]


def by_design(document: Document) -> Table:
    """What became of each design, and the figure itself."""
    has_work = any(each["gc_work"] is not None for each in document["designs"])
    columns = (
        text("design", "design"),
        count("ok", "ok"),
        count("failed", "failed"),
        count("lost", "lost"),
        size("mean_bytes", "mean"),
        size("p05_bytes", "5 %", 2),
        size("p50_bytes", "median"),
        size("p95_bytes", "95 %", 1),
        size("most_bytes", "most"),
        *((Column("gc_work", "GC work", "count", 3),) if has_work else ()),
    )
    rows: list[Sequence[Cell]] = []
    for each in document["designs"]:
        found = each["figure"]
        cells = [each["name"], each["ok"], each["failed"], each["lost"]]
        cells += [found[name] for name in ("mean", "p05", "p50", "p95", "most")]
        rows.append([*cells, *((None if each["gc_work"] is None else round(each["gc_work"], 2),) if has_work else ())])
    notes = ["GC work: bytes scanned by those of the recorded setting, at most; the median."] if has_work else []
    return Table("designs", "Peak HeapInuse, by design", columns, rows, notes)


def changes(others: list[Document]) -> Table:
    """How the traces change, by design."""
    columns = (
        text("design", "design"),
        count("traces", "traces"),
        *(signed(key, title, rank) for key, title, rank in (
            ("mean", "mean", 0), ("least", "least", 3), ("p05", "5 %", 1), ("p25", "25 %", 2), ("p50", "median", 0),
            ("p75", "75 %", 2), ("p95", "95 %", 1), ("most", "most", 0),
        )),
        *(Column(f"{key}_change", "", "machine") for key in ("mean", "least", *QUANTILES, "most")),
    )  # fmt: skip
    rows: list[Sequence[Cell]] = []
    for each in others:
        found = [each["change"][key] for key in ("mean", "least", *QUANTILES, "most")]
        rows.append([each["name"], each["change"]["count"], *(as_change(value) for value in found), *found])
    bases = list(dict.fromkeys(each["base"] for each in others))
    return Table("changes", f"What changes, against {' and '.join(bases)}", columns, rows)


def signed(key: str, title: str, rank: int) -> Column:
    return Column(f"shown_{key}", title, "people", rank)


def as_change(value: float | None) -> str | None:
    """+12.3%, -0.4%, 0."""
    return None if value is None else f"{100 * value:+.1f}%" if value else "0"


def charts(others: list[Document]) -> list[Block]:
    """The distribution of each design, from half as much to half as much again."""
    width = max(len(each["name"]) for each in others)
    return [Chart(f"{each['name']:{width}}  ", each["change"]["fine"], "count") for each in others]


def ranges(document: Document, others: list[Document]) -> Table:
    """The same in numbers: how many traces change by how much."""
    edges = document["edges"]
    titles = [f"<{edges[0]:+.0%}", *(f"{low:+.0%}.." for low in edges)]
    keys = [f"below_{name(edges[0])}", *(f"from_{name(low)}" for low in edges)]
    columns = (text("design", "design"), *(count(key, title) for key, title in zip(keys, titles, strict=True)))
    rows = [(each["name"], *each["change"]["ranges"]) for each in others]
    note = "Each column from its figure to that of the next; drawn from -50 % to +50 %."
    return Table("ranges", "Traces by what changes", columns, rows, (note,))


def name(edge: float) -> str:
    """minus_20, plus_5: for the name of a column."""
    return f"{'minus' if edge < 0 else 'plus'}_{abs(round(100 * edge))}"


def worst(document: Document) -> Table:
    """The traces that grow most."""
    columns = (
        called("trace", "trace"),
        text("design", "design"),
        text("against", "against", 1),
        size("base_bytes", "was"),
        size("bytes", "is"),
        Column("shown_change", "change", "people"),
        Column("change", "", "machine"),
    )
    rows = [
        (row["trace"], row["design"], row["against"], row["base"], row["figure"], as_change(row["change"]), row["change"])
        for row in document["worst"]
    ]
    return Table("worst", "The traces that grow most", columns, rows)


def failures(document: Document) -> Table:
    """What went wrong."""
    columns = (
        text("status", "status"),
        text("kind", "error"),
        count("rows", "rows"),
        count("traces", "traces"),
        text("example", "such as", 1),
    )
    rows = [tuple(row[key] for key in ("status", "kind", "rows", "traces", "example")) for row in document["failures"]]
    return Table("failures", "Without figures", columns, rows)
