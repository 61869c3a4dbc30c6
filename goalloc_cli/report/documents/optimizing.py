"""Whether other size classes would serve a program better, as one plain document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import MODEL_VERSION, SCHEMA_VERSION, trace_identity
from goalloc_cli.results.optimizing import WORTH, Candidate, Change, Optimizing, Seen, change

Document = dict[str, Any]

SCHEMA = "goalloc optimize"


def optimizing_document(found: Optimizing) -> Document:
    """The candidates, Go's own table first; the recordings, with the chosen table beside Go's; and the verdict."""
    seen = [*found.trained, *found.against]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "model_version": MODEL_VERSION,
        "trace": trace_identity(seen[0].trace_name, seen[0].header, None, seen[0].events),
        "design": seen[0].design_name,
        "align": found.align,
        "most_classes": found.most,
        "notes": list(dict.fromkeys(note for each in seen for note in each.notes)),
        "candidates": [candidate(found, number) for number in range(len(found.candidates))],
        "chosen": found.best,
        "recordings": [
            *(recording(each, trained=True) for each in found.trained),
            *(recording(each, trained=False) for each in found.against),
        ],
        "gain": {
            "bytes": found.gained,
            "per_object_bytes": found.per_object,
            "per_class_bytes": found.gained - found.per_object,
        },
        "verdict": {"answer": found.verdict, "worth": WORTH},
    }


def candidate(found: Optimizing, number: int) -> Document:
    """One table, and what it comes to in the recordings that it was made for."""
    this: Candidate = found.candidates[number]
    changes = [change(base, other) for base, other in zip(found.own.figures, this.figures, strict=True)]
    return {
        "name": this.name,
        "part_of_span": this.part,
        "chosen": number == found.best,
        "classes": [list(row) for row in this.table],
        "model_bytes": this.cost,
        "change": sum(each.objective for each in changes) / len(changes),
        "figures": [asdict(each) for each in this.figures],
    }


def recording(seen: Seen, trained: bool) -> Document:
    """One recording, with Go's own table and with the chosen one."""
    return {
        "name": seen.trace_name,
        "trained": trained,
        "design": seen.design_name,
        "gomaxprocs": seen.header.gomaxprocs,
        "own": asdict(seen.base),
        "chosen": asdict(seen.chosen),
        "resized": {sizes: asdict(each) for sizes, each in seen.resized.items()},
        "changes": {sizes: shares(each) for sizes, each in seen.changes.items()},
        "bounded_share": seen.bounded,
    }


def shares(found: Change) -> dict[str, float]:
    return {"peak": found.peak, "mean": found.mean}
