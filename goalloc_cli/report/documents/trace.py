"""A described trace as one plain document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION, plain, ratio, trace_identity
from goalloc_cli.results.description import TraceStats

SCHEMA = "goalloc stats"


def trace_document(stats: TraceStats, remarks: Sequence[str] = ()) -> dict[str, Any]:
    """Everything `describe` found, in plain lists, dicts and numbers."""
    found = asdict(stats)
    for field in ("name", "header", "size_bytes", "events"):
        del found[field]
    between = [c.alloc_bytes for c in stats.cycles]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "trace": trace_identity(stats.name, stats.header, stats.size_bytes, stats.events),
        "notes": [*stats.header.notes, *remarks],
        "events": sum(stats.events.values()),
        **plain(found),
        "gc_cycles": len(stats.cycles),
        "explicit_gc_cycles": sum(c.explicit for c in stats.cycles),
        "alloc_bytes_by_cycle_mean": ratio(sum(between), len(between)),
    }
