"""The bad events of a trace as a document."""

from __future__ import annotations

from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION, trace_identity
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
