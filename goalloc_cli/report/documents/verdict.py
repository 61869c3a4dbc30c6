"""The score of `goalloc verify` as a document."""

from __future__ import annotations

from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION
from goalloc_cli.results.verdict import Row, Verdict

Document = dict[str, Any]

SCHEMA = "goalloc verify"


def verdict_document(verdict: Verdict) -> Document:
    """Everything that was found, as one plain document."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "trace": {"name": verdict.trace_name, "go": verdict.go_version, "gomaxprocs": verdict.gomaxprocs},
        "design": verdict.design_name,
        "own_sweeper": verdict.own_sweeper,
        "events": verdict.events,
        "gc_cycles": verdict.cycles,
        "seconds": verdict.seconds,
        "duration_ns": verdict.duration_ns,
        "rows": {name: row_document(row) for name, row in verdict.rows.items()},
        "hints": verdict.hints,
        "notes": verdict.notes,
    }


def row_document(row: Row) -> Document:
    """One row; figures also have their errors."""
    found = {"right": row.right, "total": row.total, "percent": row.percent, "first_wrong": row.first_wrong or None}
    if row.mean_error is not None:
        found |= {"mean_error": row.mean_error, "max_error": row.max_error}
    return found
