"""What is shown when no report is asked for: the answer, on one screen."""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.documents.ledger import LABELS
from goalloc_cli.report.tables import gctrace as gctrace_tables
from goalloc_cli.report.tables import memory, objects
from goalloc_cli.report.tables import trace as trace_tables
from goalloc_cli.report.tables.blocks import Block, Text
from goalloc_cli.report.units import iec, percent

Document = dict[str, Any]

SHOWN = ("HeapSys", "HeapInuse", "HeapAlloc", "HeapIdle", "HeapReleased", "StackInuse", "HeapObjects")


def replay(document: Document) -> list[Block]:
    """How much memory, where it goes, and who wastes it."""
    return [
        *head(document),
        memory.chart(document, "HeapInuse"),
        memory.memstats_table(document, SHOWN),
        memory.ledger_table(document),
        objects.worst_classes(document),
        *notes(document),
        Text(
            "More: --report fragmentation, classes, spans, released, timeline, large, tiny, mcaches, central, "
            "arenas, locks, marks, or all; --format json, csv or markdown.",
            "note",
        ),
    ]


def trace(document: Document) -> list[Block]:
    """What a trace holds."""
    return [*head(document), *trace_tables.overview(document), *notes(document)]


def gctrace(document: Document) -> list[Block]:
    """What Go printed of its collections."""
    return [*head(document), *gctrace_tables.overview(document), *notes(document)]


def head(document: Document) -> list[Block]:
    """What this is about; of a replay, the verdict."""
    if document["schema"] == "goalloc gctrace":
        return [Text(gctrace_tables.headline(document), "headline")]
    if document["schema"] != "goalloc replay":
        return [Text(trace_tables.headline(document), "headline")]
    return [
        Text(memory.headline(document), "headline"),
        Text(memory.MODES[document["design"]["mode"]], "note"),
        Text(verdict(document)),
    ]


def verdict(document: Document) -> str:
    """The answer in one sentence."""
    peak = document["fragmentation"]["peak"]
    if not peak["heap_inuse"]:
        return "No heap span was ever in use."
    asked = peak["ledger"][0]
    costs = max(peak["ledger"][1:], key=lambda row: row["bytes"])
    at_most = "at most " if asked["figure"] == "bounded" else ""
    told = (
        f"At its peak of {iec(peak['heap_inuse'])}, {at_most}{percent(asked['share'])} of HeapInuse was what "
        "the program had asked for"
    )
    if not costs["bytes"]:
        return f"{told}."
    name = LABELS[costs["name"]]
    return f"{told}; the largest cost was {name}: {iec(costs['bytes'])} ({percent(costs['share'])})."


def notes(document: Document) -> list[Block]:
    """What the reader must know about the figures."""
    return [Text(f"note: {note}", "note") for note in document["notes"]]
