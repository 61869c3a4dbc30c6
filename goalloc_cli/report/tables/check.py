"""The bad events of a trace as a document, and as tables."""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.tables.blocks import Block, Column, Table, Text, count, text
from goalloc_cli.report.units import plural
from goalloc_cli.results.badevents import MEANINGS

Document = dict[str, Any]


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """The answer, the first bad events, how many there are of each kind, and warnings."""
    n = document["bad_events"]
    name, events = document["trace"]["name"], plural(document["events"], "event")
    told = f"{name}: {events}, none of them bad" if n == 0 else f"{name}: {n:,} bad of {events}"
    found: list[Block] = [Text(told, "headline")]
    if document["refused"]:
        found.append(Text(f"But they cannot all be true: {document['refused']}"))
    if n:
        found += [first(document), by_problem(document)]
        found.append(Text("goalloc replay --lenient leaves them out, and counts them."))
    return [*found, *(Text(f"note: {told}", "note") for told in [*document["warnings"], *document["notes"]])]


def first(document: Document) -> Table:
    """The first bad events, each in full."""
    rows = [(row["event"], row["kind"], row["p"], row["handle"], row["size"], row["problem"]) for row in document["first"]]
    columns = (
        count("event", "event"),
        text("kind", "kind"),
        Column("p", "P", rank=2),
        Column("handle", "handle", rank=1),
        Column("size", "size", rank=1),
        text("problem", "what is wrong", 1),
    )
    more = document["bad_events"] - len(rows)
    return Table("first", "The first bad events", columns, rows, (f"and {more:,} more",) if more else ())


def by_problem(document: Document) -> Table:
    """How many there are of each kind, and what to do."""
    advice = {meaning.name: meaning.advice for meaning in MEANINGS.values()}
    rows = [(name, n, advice[name]) for name, n in document["by_problem"].items()]
    columns = (text("problem", "problem"), count("events", "events"), text("advice", "what to do", 1))
    return Table("by_problem", "Bad events by kind", columns, rows)
