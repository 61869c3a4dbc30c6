"""Replays side by side, as a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.ledger import LABELS
from goalloc_cli.report.documents.replay import MODEL_VERSION, SCHEMA_VERSION

Document = dict[str, Any]

Figure = tuple[str, str, str, Callable[[Document], Any]]
"""Key, name, unit, and how it is got from the document of a replay."""

SCHEMA = "goalloc compare"

AT_END = ("HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased", "HeapSys", "StackInuse")

AT_PEAK = ("HeapInuse", "HeapAlloc", "HeapSys")


def memstat(when: str, name: str) -> Figure:
    """A field of runtime.MemStats."""
    shown = f"{name} at the peak" if when == "peak" else name
    return f"{when}_{name}", shown, "bytes", lambda replay: replay["summary"][when]["memstats"][name]


def counted(name: str) -> Figure:
    """A counter of runtime.MemStats at the end."""
    return name, name, "count", lambda replay: replay["summary"]["end"]["memstats"][name]


def ledger_row(number: int, name: str) -> Figure:
    """What a part of HeapInuse has at the end."""
    return f"end_{name}", LABELS[name], "bytes", lambda replay: replay["fragmentation"]["end"]["ledger"][number]["bytes"]


def rss_row(name: str) -> Callable[[Document], int]:
    """What a row of the resident memory has at most, at the end; 0 where there is no such row."""
    return lambda replay: sum(row["high"] for row in replay["released"]["end"]["rss"] if row["name"] == name)


def column(section: str, key: str) -> Callable[[Document], int]:
    """The sum of a column of a table."""
    return lambda replay: sum(row[key] for row in replay[section])


def requested(when: str) -> Callable[[Document], float | None]:
    """The part of HeapInuse that the program had asked for."""
    return lambda replay: replay["fragmentation"][when]["requested_of_heap_inuse"]


def total(section: str) -> Callable[[Document], int]:
    """The sum of a table of counters."""
    return lambda replay: sum(replay[section].values())


FIGURES: tuple[Figure, ...] = (
    *(memstat("peak", name) for name in AT_PEAK),
    ("peak_requested_share", "requested / HeapInuse, peak", "share", requested("peak")),
    *(memstat("end", name) for name in AT_END),
    ("end_rss_low", "RSS, at least", "bytes", lambda replay: replay["released"]["end"]["rss_low"]),
    ("end_rss_high", "RSS, at most", "bytes", lambda replay: replay["released"]["end"]["rss_high"]),
    ("end_rss_lazy", "given back, kept by the OS", "bytes", rss_row("idle_lazy")),
    ("end_requested_share", "requested / HeapInuse", "share", requested("end")),
    *(ledger_row(number, name) for number, name in enumerate(LABELS) if name != "requested"),
    ("spans", "spans in use", "count", lambda r: r["summary"]["end"]["spans"]),
    ("span_allocs", "spans ever made", "count", column("classes", "span_allocs")),
    *(counted(name) for name in ("HeapObjects", "Mallocs", "Frees", "NumGC")),
    ("refills", "refills of mcaches", "count", column("mcaches", "refills")),
    ("refills_from_heap", "of them with a new span", "count", column("central", "from_heap")),
    ("swept", "spans swept", "count", total("sweep")),
    ("growths", "growths of the heap", "count", lambda r: r["fragmentation"]["external"]["growths"]),
    ("locks", "heap lock acquisitions", "count", total("locks")),
    ("free_runs", "runs of free pages", "count", lambda r: r["fragmentation"]["external"]["free_runs"]),
)


CHANGES = (
    *(f"peak_{name}" for name in AT_PEAK),
    *(f"end_{name}" for name in ("HeapInuse", "HeapIdle", "HeapReleased", "StackInuse", "rss_low", "rss_high")),
)
"""The figures of a what-if that are laid beside those of its base."""


def with_base(replay: Document, base: Document) -> Document:
    """The document of a what-if with the same figures of the recording's own release, its hints set aside too."""
    figures = {
        key: {"name": name, "base": get(base), "what_if": get(replay)} for key, name, _, get in FIGURES if key in CHANGES
    }
    return {**replay, "base": {"design": base["design"], "figures": figures}}


def compared_document(replays: list[Document]) -> Document:
    """The documents of several replays of one trace as one."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "model_version": MODEL_VERSION,
        "trace": replays[0]["trace"],
        "notes": list(dict.fromkeys(note for replay in replays for note in replay["notes"])),
        "events": replays[0]["summary"]["events"],
        "releases": [
            {
                "design": replay["design"],
                "seconds": replay["run"]["seconds"],
                "figures": {key: get(replay) for key, _, _, get in FIGURES},
            }
            for replay in replays
        ],
    }
