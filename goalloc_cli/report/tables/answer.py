"""What is shown when no report is asked for: the answer, on one screen."""

from __future__ import annotations

from typing import Any

from goalloc_cli.host.late import late
from goalloc_cli.report.documents.ledger import LABELS
from goalloc_cli.report.pictures.drawings import ledger_bars
from goalloc_cli.report.tables import compared, memory, objects
from goalloc_cli.report.tables.blocks import Block, Text
from goalloc_cli.report.units import iec, percent

Document = dict[str, Any]

HEADS = {
    "goalloc stats": (("trace:headline", "headline"),),
    "goalloc gctrace": (("printed.gctrace:headline", "headline"), ("printed.gctrace:verdict", "verdict")),
    "goalloc memstats": (("printed.memstats:headline", "headline"), ("printed.reading:sentences", "verdict")),
    "goalloc optimize": (("optimizing:headline", "headline"), ("optimizing:verdict", "verdict")),
}
"""What tells what a document is about, and what it comes to."""
GARBAGE = ("dead_unswept", "dead_unfound")
"""Rows of the ledger that a collection and its sweep take away."""
SHOWN = ("HeapSys", "HeapInuse", "HeapAlloc", "HeapIdle", "HeapReleased", "StackInuse", "HeapObjects")


def replay(document: Document) -> list[Block]:
    """How much memory, where it goes, and who wastes it."""
    return [
        *head(document),
        *ledger_bars(document),
        memory.chart(document, "HeapInuse"),
        memory.memstats_table(document, SHOWN),
        *compared.change(document),
        memory.ledger_table(document),
        objects.worst_classes(document),
        *notes(document),
        Text(
            "More: --report fragmentation, classes, spans, released, timeline, large, tiny, mcaches, central, "
            "arenas, locks, marks, who, live, sites, or all; --format html, json, csv or markdown.",
            "note",
        ),
    ]


def trace(document: Document) -> list[Block]:
    """What a trace holds."""
    from goalloc_cli.report.tables.trace import overview

    return [*head(document), *overview(document), *notes(document)]


def gctrace(document: Document) -> list[Block]:
    """What Go printed of its collections."""
    from goalloc_cli.report.tables.printed.gctrace import overview

    return [*head(document), *overview(document), *notes(document)]


def memstats(document: Document) -> list[Block]:
    """Where the memory is that MemStats counts, and that it does not."""
    from goalloc_cli.report.tables.printed.memstats import overview

    return [*head(document), *overview(document), *notes(document)]


def head(document: Document) -> list[Block]:
    """What this is about; of a replay, the verdict."""
    if document["schema"] == "goalloc replay":
        return [
            Text(memory.headline(document), "headline"),
            Text(memory.MODES[document["design"]["mode"]], "note"),
            Text(verdict(document), "verdict"),
        ]
    return [Text(late(f"report.tables.{name}")(document), style) for name, style in HEADS[document["schema"]]]


def verdict(document: Document) -> str:
    """The answer in one sentence."""
    peak = document["fragmentation"]["peak"]
    if not peak["heap_inuse"]:
        return "No heap span was ever in use."
    asked = peak["ledger"][0]
    costs = {row["name"]: row["bytes"] for row in peak["ledger"][1:] if row["name"] != "tracer"}
    garbage = {name: costs.pop(name, 0) for name in GARBAGE}
    costs["garbage"] = sum(garbage.values())
    name = max(costs, key=lambda name: costs[name])
    part = f"{iec(costs[name])} ({percent(costs[name] / peak['heap_inuse'])})"
    at_most = "at most " if asked["figure"] == "bounded" else ""
    told = (
        f"At its peak of {iec(peak['heap_inuse'])}, {at_most}{percent(asked['share'])} of HeapInuse was what "
        "the program had asked for"
    )
    if not costs[name]:
        return f"{told}."
    if name == "garbage":
        why = "for which the trace has no GC cycle (see the notes)" if document.get("uncollected") else blame(
            garbage, document["summary"]["peak"]
        )
        return f"{told}; the largest cost was garbage: {part}, {why}."
    return f"{told}; the largest cost was {LABELS[name]}: {part}."


def blame(garbage: dict[str, int], at: Document) -> str:
    """Why the garbage of the peak was still there: GC's pace, or sweeping. `at` is the moment of the peak."""
    if garbage["dead_unfound"] >= garbage["dead_unswept"]:
        return "which the next GC was to find (its pace: GOGC)"
    found_by = at["memstats"]["NumGC"]
    if at.get("peak_gc", found_by) < found_by:
        return f"which had piled up until GC {found_by} found it (its pace: GOGC)"
    return "which the last GC had found and sweeping had not reached yet"


def notes(document: Document) -> list[Block]:
    """What the reader must know about the figures."""
    return [Text(f"note: {note}", "note") for note in document["notes"]]
