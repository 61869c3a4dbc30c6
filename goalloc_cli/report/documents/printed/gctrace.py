"""A gctrace text as one plain document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import SCHEMA_VERSION, design, trace_identity
from goalloc_cli.report.units import plural
from goalloc_cli.results.beside import Beside
from goalloc_cli.results.gctrace import Collection, GCTrace
from goalloc_cli.results.pressure import Pressure

Document = dict[str, Any]

SCHEMA = "goalloc gctrace"

HEAP_NOTE = "Heap sizes are whole MiB, rounded down: Go prints no more."
OLD_NOTE = "Lines of Go 1.4 and older tell neither times nor goals; the world was stopped from start to end."


def gctrace_document(text: GCTrace, pressure: Pressure, beside: Beside | None = None) -> Document:
    """Everything that was found in a text and, where there is one, beside a replay of the same run."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "text": {"name": text.name, "bytes": text.size_bytes, "lines": text.lines, "torn_lines": text.torn},
        "notes": [*notes(text), *(beside.notes if beside else [])],
        "summary": summary(text),
        "pressure": {name: value for name, value in vars(pressure).items() if name != "shares"},
        "collections": [
            {**vars(c), "pause_ns": c.pause_ns, **vars(share)}  # quicker than asdict: there may be a million
            for c, share in zip(text.collections, pressure.shares, strict=True)
        ],
        "releases": [asdict(release) for release in text.releases],
        "scans": [asdict(text.scans[size]) for size in sorted(text.scans)],
        "paces": [{**asdict(pace), "over_bytes": pace.end_bytes - pace.goal_bytes} for pace in text.paces],
        "beside": side(beside) if beside else None,
    }


def notes(text: GCTrace) -> list[str]:
    found = [HEAP_NOTE] if text.collections else []
    if any(c.start_ns is None for c in text.collections):
        found.append(OLD_NOTE)
    if text.torn:
        lines = "1 line of gctrace was" if text.torn == 1 else f"{text.torn:,} lines of gctrace were"
        found.append(f"{lines} torn apart by other output, or cut off, and left out; the first: {text.first_torn}")
    if not text.collections:
        found.append(
            f"The text holds no whole line of a GC cycle, but {plural(text.torn + text.other + len(text.releases), 'line')} "
            "of a Go program with gctrace or scavtrace: none had ended yet, or the text is a part of it."
        )
    if text.runs > 1:
        found.append(f"The text holds the lines of {text.runs:,} programs, told apart by their collections' numbers.")
    if lost := missing(text.collections):
        found.append(f"{lost:,} collections are missing between those that were printed.")
    return found


def missing(collections: list[Collection]) -> int:
    """Collections whose numbers are skipped."""
    numbers: dict[int, list[int]] = {}
    for c in collections:
        numbers.setdefault(c.run, []).append(c.number)
    return sum(max(run) - min(run) + 1 - len(run) for run in numbers.values())


def summary(text: GCTrace) -> Document:
    """The figures that one would ask for first."""
    all_of, releases = text.collections, text.releases
    work = [(r.background_bytes or 0) + (r.eager_bytes or 0) for r in releases]
    ends: dict[int, int] = {}
    for c in all_of:
        ends[c.run] = max(ends.get(c.run, 0), (c.start_ns or 0) + c.pause_ns + c.mark_ns) if c.start_ns is not None else 0
    lives = [c.live_bytes for c in all_of if c.live_bytes is not None]
    return {
        "programs": text.runs,
        "gc_cycles": len(all_of),
        "forced_gc_cycles": sum(c.forced for c in all_of),
        "periodic_gc_cycles": sum(c.periodic for c in all_of),
        "duration_ns": max(ends.values(), default=0),
        "procs": max((c.procs for c in all_of), default=None),
        "gc_cpu_ns": sum(c.gc_cpu_ns for c in all_of),
        "assist_cpu_ns": sum(c.assist_cpu_ns for c in all_of),
        "pause_total_ns": sum(c.pause_ns for c in all_of),
        "pause_max_ns": max((c.pause_ns for c in all_of), default=None),
        "peak_bytes": max((max(c.start_bytes, c.end_bytes) for c in all_of), default=None),
        "peak_live_bytes": max(lives, default=None),
        "cpu_percent": all_of[-1].cpu_percent if all_of else None,
        "released_work_bytes": sum(work) if releases else None,
        "released_bytes": releases[-1].released_bytes if releases else None,
        "released_max_bytes": max((r.released_bytes for r in releases), default=None),
        "idle_bytes": releases[-1].idle_bytes if releases else None,
    }


def sizes(heap: Any) -> Document:
    return {f"{name}_bytes": size for name, size in asdict(heap).items()}


def side(beside: Beside) -> Document:
    """The comparison, a row per collection that is in both."""
    outcome = beside.outcome
    rows = [
        {"number": pair.number, "go": sizes(pair.go), "model": sizes(pair.model), "off_bytes": pair.off_bytes}
        for pair in beside.pairs
    ]
    return {
        "trace": trace_identity(outcome.trace_name, outcome.header, None, outcome.events),
        "design": design(outcome),
        "collections": rows,
        "same": sum(not row["off_bytes"] for row in rows),
    }
