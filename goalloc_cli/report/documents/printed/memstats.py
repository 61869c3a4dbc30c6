"""What was made of MemStats as one plain document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION
from goalloc_cli.results.memstats import Identity, Memory, Moment, Reading, Row

Document = dict[str, Any]

SCHEMA = "goalloc memstats"


def memstats_document(found: Memory) -> Document:
    """Everything that is known of the memory of a program at one moment, or at several."""
    last = found.dump.last
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "text": {"name": found.dump.name, "bytes": found.dump.size_bytes, "form": found.dump.form},
        "go_version": found.version,
        "notes": [*contradictions(found.identities), *found.notes],
        "summary": summary(last, found.rss_bytes),
        "reading": None if found.reading is None else read(found.reading),
        "ledger": shared(found.ledger),
        "resident": shared(found.resident),
        "process": process(found),
        "sizes": [asdict(row) for row in found.sizes],
        "checks": [asdict(check) for check in found.identities],
        "changes": [{**asdict(change), "change": change.after - change.before} for change in found.changes],
        "seconds": found.seconds,
        "cgroup": found.cgroup,
        "values": {name: amount._asdict() for name, amount in last.values.items()},
    }


def summary(moment: Moment, rss_bytes: int | None) -> Document:
    """The figures that one would ask for first."""
    names = ("Sys", "HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased", "StackInuse", "NextGC", "NumGC")
    return {**{name: moment.get(name) for name in names}, "RSS": rss_bytes}


def read(reading: Reading) -> Document:
    return {**asdict(reading), "share": reading.bytes / reading.of_bytes}


def shared(rows: list[Row]) -> list[Document]:
    """The rows of a ledger, with the share of its last row that each is."""
    total = rows[-1].amount.value if rows else 0
    return [
        {
            "name": row.name,
            "bytes": row.amount.value,
            "low": row.amount.low,
            "high": row.amount.high,
            "share": row.amount.value / total if total else None,
            "how": row.how,
        }
        for row in rows
    ]


def process(found: Memory) -> Document | None:
    told = found.process
    if told is None:
        return None
    return {**asdict(told), "kinds": [asdict(kind) for kind in told.kinds]}


def contradictions(identities: list[Identity]) -> list[str]:
    """The sums that are not what they must be."""
    return [
        f"These numbers cannot be of one moment of one program: {check.left} is {check.left_bytes:,}, which is not "
        f"{'' if check.relation == '=' else 'at most '}{check.right}, {check.right_bytes:,}."
        for check in identities
        if not check.holds
    ]
