"""The figures of what is not a replay: MemStats, gctrace, a trace that was described, a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from goalloc_cli.report.documents.printed.logs import figures as figures_of_log
from goalloc_cli.report.documents.printed.logs import names as names_of_log
from goalloc_cli.report.figures.figure import Catalogue, Document, Figure, Owned, Value
from goalloc_cli.report.figures.owners import by_owner
from goalloc_cli.report.tables.verdict import MEANING

SUMMED = ("Sys", "HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased", "StackInuse", "NextGC")
MORE = (
    "HeapSys", "StackSys", "MSpanInuse", "MCacheInuse", "BuckHashSys", "GCSys", "OtherSys", "TotalAlloc",
)  # fmt: skip
COUNTED = ("HeapObjects", "Mallocs", "Frees", "NumForcedGC")


def summed(key: str) -> Callable[[Document], Value]:
    return lambda document: document["summary"][key]


def told(name: str) -> Callable[[Document], Value]:
    """A number of MemStats as it was printed."""
    return lambda document: document["values"][name]["value"]


MEMSTATS = Catalogue(
    (
        *(Figure(f"end_{name}", name, "bytes", summed(name)) for name in SUMMED),
        *(Figure(f"end_{name}" if name != "TotalAlloc" else name, name, "bytes", told(name)) for name in MORE),
        Figure("end_rss", "RSS", "bytes", summed("RSS")),
        Figure("NumGC", "GC cycles", "count", summed("NumGC")),
        *(Figure(name, name, "count", told(name)) for name in COUNTED),
        Figure("PauseTotalNs", "pauses in all", "ns", told("PauseTotalNs")),
    ),
    {"RSS": "end_rss"},
)


def of_log(key: str) -> Callable[[Document], Value]:
    return lambda document: figures_of_log(document)[key]


GCTRACE = Catalogue(
    (
        *(Figure("NumGC" if key == "gc_cycles" else key, name, unit, of_log(key)) for key, name, unit in names_of_log()),
        Figure("peak_heap", "heap at its largest", "bytes", summed("peak_bytes")),
        Figure("peak_live", "live heap at its largest", "bytes", summed("peak_live_bytes")),
        Figure("pause_max", "longest pause", "ns", summed("pause_max_ns")),
    ),
    {"gc_cycles": "NumGC"},
)


def by_type(field: str) -> Callable[[Document], Mapping[str, Value]]:
    """A column of the types of a trace."""
    return lambda document: {row["name"]: row[field] for row in document["types"]}


def by_site(document: Document) -> Mapping[str, Value]:
    """Bytes that each function allocated by itself."""
    found: dict[str, Value] = {}
    for row in document["sites"]:
        found[row["function"]] = (found.get(row["function"]) or 0) + row["alloc_bytes"]
    return found


TRACE = Catalogue(
    (
        Figure("TotalAlloc", "bytes allocated", "bytes", lambda d: d["alloc_bytes"] + d["tiny_packed_bytes"]),
        Figure("Mallocs", "allocations", "count", lambda d: d["allocs"] + d["tiny_packed"]),
        Figure("Frees", "deaths", "count", lambda d: d["frees"]),
        Figure("NumGC", "GC cycles", "count", lambda d: d["gc_cycles"]),
        Figure("end_live", "live bytes at the end", "bytes", lambda d: d["live_bytes"]),
        Figure("peak_live", "live bytes at most", "bytes", lambda d: d["peak_live_bytes"]),
        Figure("end_HeapObjects", "live objects at the end", "count", lambda d: d["live_objects"]),
        Figure("size_p99", "99 % of allocations are at most", "bytes", lambda d: d["size_p99"]),
        Figure("size_max", "largest allocation", "bytes", lambda d: d["size_max"]),
        Figure("peak_stacks", "goroutine stacks at most", "bytes", lambda d: d["stacks"]["peak_bytes"]),
        Figure("duration", "time", "ns", lambda d: d["duration_ns"]),
    ),
    {"live_bytes": "end_live"},
    (
        Owned("allocated", "bytes of {} allocated", "bytes", by_type("alloc_bytes"), 0),
        Owned("allocs", "allocations of {}", "count", by_type("allocs"), 0),
        Owned("allocated_by", "bytes that {} allocated", "bytes", by_site, 0),
        Owned("live", "live bytes of {} at the end", "bytes", by_owner("end", "live_bytes"), 0, "who"),
        Owned("peak_live", "live bytes of {} when most was alive", "bytes", by_owner("peak", "live_bytes"), 0, "who"),
    ),
)


def right(row: str) -> Callable[[Document], Value]:
    """How much of a row is right; None where it has no case."""
    return lambda document: document["rows"][row]["percent"]


VERIFY = Catalogue(tuple(Figure(row, meaning, "percent", right(row)) for row, meaning in MEANING.items()), {})
