"""What `goalloc explain` found, as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION
from goalloc_cli.trace.trace import Trace

Document = dict[str, Any]

SCHEMA = "goalloc explain"


def sizes_document(sizes: list[Document], design_name: str) -> Document:
    """What becomes of each size (`goalloc_cli.analyses.explain.size`)."""
    return head(design_name) | {"sizes": sizes}


def event_document(event: Document, trace: Trace, design_name: str) -> Document:
    """What one event did (`goalloc_cli.analyses.explain.event`)."""
    told = {"name": trace.name, "go": trace.header.go_version, "gomaxprocs": trace.header.gomaxprocs}
    return head(design_name, list(trace.header.notes)) | {"trace": told, "event": event}


def head(design_name: str, notes: Sequence[str] = ()) -> Document:
    """What every document begins with."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "design": design_name,
        "notes": list(notes),
    }
