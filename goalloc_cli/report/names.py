"""The names of all reports, apart from what makes them, so that --help need not load it."""

from __future__ import annotations

REPLAY_REPORTS = (
    "summary",
    "fragmentation",
    "classes",
    "spans",
    "large",
    "tiny",
    "mcaches",
    "central",
    "arenas",
    "locks",
    "timeline",
)
STATS_REPORTS = ("events", "sizes", "lifetimes", "types", "stacks", "cycles")
FORMATS = ("table", "json", "csv", "markdown", "msgpack")
