"""The figures of a replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from goalloc_cli.report.documents.compared import FIGURES as SIDE_BY_SIDE
from goalloc_cli.report.documents.ledger import LABELS
from goalloc_cli.report.figures.figure import Catalogue, Document, Figure, Owned, Value
from goalloc_cli.report.figures.owners import by_owner

GROUPS = {
    "requested": ("requested by the program", ("requested",)),
    "rounding": ("headers + rounding", ("headers", "class_rounding", "large_rounding", "tiny_waste")),
    "fixed": ("tails + metadata", ("tail_waste", "span_metadata")),
    "dead": ("dead, not yet free", ("dead_unswept", "dead_unfound")),
    "free": ("free slots", ("free_slots_cached", "free_slots")),
    "tracer": ("execution tracer", ("tracer",)),
}
"""The ledger in as many rows as a sentence can hold: they sum to HeapInuse, too."""

SHORT = {
    "HeapInuse": "peak_HeapInuse",
    "HeapAlloc": "peak_HeapAlloc",
    "HeapSys": "peak_HeapSys",
    "RSS": "peak_rss",
    "requested_share": "peak_requested_share",
}
"""What grows to a peak is watched there; all else at the end."""

WHEN = {"peak": "at the peak", "end": "at the end"}


def ledger_rows(when: str, *names: str) -> Callable[[Document], Value]:
    """The sum of some rows of the ledger."""

    def rows(document: Document) -> Value:
        held = {row["name"]: row["bytes"] for row in document["fragmentation"][when]["ledger"]}
        return sum(int(held.get(name, 0)) for name in names)

    return rows


def rss(when: str) -> Callable[[Document], Value]:
    return lambda document: document["released"][when]["rss_sum"]


def rss_range(when: str) -> Callable[[Document], tuple[int, int]]:
    return lambda document: (document["released"][when]["rss_low"], document["released"][when]["rss_high"])


def backed(when: str) -> Callable[[Document], Value]:
    return lambda document: document["fragmentation"][when]["heap_sys"]["idle_backed"]


def named(key: str, name: str) -> str:
    """The name of a figure of the table side by side, which says once for all what is at the end."""
    return f"{name} at the end" if key.startswith("end_") else name


def at_checkpoints(field: str) -> Callable[[Document], Mapping[str, Value]]:
    """A field of MemStats by the name of the point; the last of several points of a name."""
    return lambda document: {point["name"]: point["memstats"].get(field) for point in document["checkpoints"]}


def pinned_by_type(document: Document) -> Mapping[str, Value]:
    """Bytes of nearly empty spans by the type that holds them."""
    return {row["type_name"]: row["span_bytes"] for row in document["spans"]["pins"]}


UNUSED = ("dead_unswept", "dead_unfound", "free_slots_cached", "free_slots")
"""What no live object is in: how much of it is dead and how much free, who sweeps decides."""

GROUPED = tuple(
    Figure(f"{when}_{key}", f"{name} {WHEN[when]}", "bytes", ledger_rows(when, *rows))
    for when in ("end", "peak")
    for key, (name, rows) in GROUPS.items()
    if key not in LABELS or when == "peak"
)

REPLAY = Catalogue(
    (
        *(Figure(key, named(key, name), unit, get) for key, name, unit, get in SIDE_BY_SIDE),
        Figure("end_requested", "requested by the program at the end", "bytes", ledger_rows("end", "requested")),
        *GROUPED,
        Figure("end_unused", "dead + free slots at the end", "bytes", ledger_rows("end", *UNUSED)),
        *(
            Figure(f"peak_{row}", f"{label} at the peak", "bytes", ledger_rows("peak", row))
            for row, label in LABELS.items()
            if row not in GROUPS
        ),
        Figure("peak_rss", "RSS at the peak, as modelled", "bytes", rss("peak"), range=rss_range("peak")),
        Figure("end_rss", "RSS at the end, as modelled", "bytes", rss("end"), range=rss_range("end")),
        Figure("end_idle_backed", "idle and backed at the end", "bytes", backed("end")),
        Figure("TotalAlloc", "TotalAlloc", "bytes", lambda d: d["summary"]["end"]["memstats"]["TotalAlloc"]),
        Figure("duration", "time", "ns", lambda d: d["summary"]["duration_ns"]),
        Figure("nearly_empty", "spans nearly empty at the end", "bytes", lambda d: d["spans"]["nearly_empty"]["bytes"]),
    ),
    SHORT,
    (
        Owned("live", "live bytes of {} at the end", "bytes", by_owner("end", "live_bytes"), 0, "live"),
        Owned("peak_live", "live bytes of {} at the peak", "bytes", by_owner("peak", "live_bytes"), 0, "live"),
        Owned("marked_live", "live bytes of {} when a GC found most", "bytes", by_owner("marked", "live_bytes"), 0, "live"),
        Owned("held", "bytes that {} holds at the end", "bytes", by_owner("end", "held_bytes"), 0, "live"),
        Owned("pinned", "bytes in nearly empty spans that {} holds", "bytes", pinned_by_type, 0),
        *(
            Owned(field, f"{field} at {{}}", "bytes", at_checkpoints(field))
            for field in ("HeapInuse", "HeapAlloc", "HeapIdle", "HeapReleased", "StackInuse")
        ),
    ),
)
