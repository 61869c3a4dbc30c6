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
    "released",
    "arenas",
    "locks",
    "marks",
    "timeline",
    "who",
    "live",
    "sites",
)
WHO_REPORTS = ("who", "live", "sites")
"""Those for which a replay has to follow who allocates."""
STATS_REPORTS = ("events", "sizes", "lifetimes", "types", "sites", "stacks", "cycles", "who")
GCTRACE_REPORTS = ("cycles", "released", "scans", "pacer", "beside")
MEMSTATS_REPORTS = ("ledger", "rss", "sizes", "checks", "changes")
REPORTS_OF = {
    "goalloc replay": REPLAY_REPORTS,
    "goalloc stats": STATS_REPORTS,
    "goalloc gctrace": GCTRACE_REPORTS,
    "goalloc memstats": MEMSTATS_REPORTS,
}
"""By the schema of the document that they are made from."""
FORMATS = ("table", "json", "csv", "markdown", "html", "msgpack")
TABLE_FORMATS = FORMATS[:4]
"""Of a table that stands by itself."""
