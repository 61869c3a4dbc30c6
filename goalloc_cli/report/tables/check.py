"""The bad events of a trace as a document, and as tables."""

from __future__ import annotations

from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION, trace_identity
from goalloc_cli.report.tables.blocks import Block, Column, Table, Text, count, text
from goalloc_cli.report.units import plural
from goalloc_cli.results.badevents import MEANINGS, Findings
from goalloc_cli.trace.trace import Trace

Document = dict[str, Any]

SCHEMA = "goalloc check"


def check_document(trace: Trace, bad: Findings) -> Document:
    """All that is wrong with a trace that was walked to its end."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "trace": trace_identity(trace.name, trace.header, trace.size_bytes, {}),
        "notes": [*trace.header.notes, *trace.remarks],
        "events": bad.events,
        "gc_cycles": bad.cycles,
        "good": bad.is_good,
        "bad_events": bad.total,
        "by_problem": {MEANINGS[wrong].name: n for wrong, n in sorted(bad.counts.items())},
        "first": [
            {
                "event": found.event,
                "kind": found.kind,
                "p": found.p,
                "handle": found.handle,
                "size": found.size,
                "problem": MEANINGS[found.wrong].problem,
                "advice": MEANINGS[found.wrong].advice,
            }
            for found in bad.first
        ],
        "refused": bad.refused or None,
        "warnings": warnings(bad),
    }


def warnings(bad: Findings) -> list[str]:
    """What is no mistake, but seldom meant."""
    told = []
    if bad.events < 2:
        told.append("The trace has no events." if bad.events == 0 else "The trace has a single event.")
    elif bad.cycles == 0:
        told.append("No GC cycle ends in the trace: what dies is never swept, and its memory is not used again.")
    if bad.highest_p >= bad.header.gomaxprocs:
        told.append(
            f"There are events of P {bad.highest_p}, though GOMAXPROCS is {bad.header.gomaxprocs} in the trace: "
            f"a replay goes on with {bad.highest_p + 1} Ps."
        )
    if bad.empty:
        told.append(
            f"{plural(bad.empty, 'allocation')} of no size: Go gives all of them the same address, outside the heap, and "
            "counts none."
        )
    return told


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
    rows = [
        (row["event"], row["kind"], row["p"], row["handle"], row["size"], row["problem"])
        for row in document["first"]
    ]
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
