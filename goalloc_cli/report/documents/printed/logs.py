"""Several gctrace texts side by side, as a document."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION

Document = dict[str, Any]

SCHEMA = "goalloc gctrace compare"

SUMMED = (
    ("gc_cycles", "GC cycles", "count"),
    ("forced_gc_cycles", "of them forced", "count"),
    ("periodic_gc_cycles", "of them periodic", "count"),
    ("duration_ns", "until the last ended", "ns"),
    ("gc_cpu_ns", "processor time of GC", "ns"),
    ("assist_cpu_ns", "of it assists", "ns"),
)
PRESSED = (("whole", "share of all Ps", "share"), ("last_ten", "in the last ten cycles", "share"))
SPREAD = (
    ("live_bytes", "live heap", "bytes"),
    ("goal_bytes", "goal", "bytes"),
    ("end_bytes", "heap when marked", "bytes"),
    ("gc_cpu_ns", "processor time of a cycle", "ns"),
    ("mark_ns", "marking", "ns"),
    ("pause_ns", "pause", "ns"),
)
CLOSING = (
    ("pause_total_ns", "pauses in all", "ns"),
    ("released_bytes", "given back, at the end", "bytes"),
    ("procs", "Ps", "count"),
)


def logs_document(texts: list[Document]) -> Document:
    """The figures of each text, from its document."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "notes": [f"{text['text']['name']}: {note}" for text in texts for note in text["notes"] if "whole MiB" not in note],
        "texts": [{"text": text["text"], "figures": figures(text)} for text in texts],
        "figures": [{"key": key, "name": name, "unit": unit} for key, name, unit in names()],
    }


def names() -> list[tuple[str, str, str]]:
    """Key, name and unit of each figure."""
    spread = [(f"{key}_{what}", f"{name}, {what}", unit) for key, name, unit in SPREAD for what in ("median", "most")]
    return [*SUMMED, *PRESSED, *spread, *CLOSING]


def figures(text: Document) -> Document:
    """All of one text."""
    ways: tuple[tuple[str, Callable[[list[int]], float]], ...] = (("median", median), ("most", max))
    found = {key: text["summary"][key] for key, *_ in (*SUMMED, *CLOSING)}
    found |= {key: text["pressure"][key] for key, *_ in PRESSED}
    for key, *_ in SPREAD:
        values = [c[key] for c in text["collections"] if c[key] is not None]
        found |= {f"{key}_{what}": round(of(values)) if values else None for what, of in ways}
    return found
