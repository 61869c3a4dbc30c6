"""The reports by name: from a document to what is shown of it. A table's module is imported when it is shown."""

from __future__ import annotations

from typing import Any

from goalloc_cli.host.late import late
from goalloc_cli.report.documents.names import GCTRACE_REPORTS, MEMSTATS_REPORTS, REPLAY_REPORTS, STATS_REPORTS, WHO_REPORTS
from goalloc_cli.report.tables.blocks import Block, Text

Document = dict[str, Any]

REPLAY: dict[str, str] = {
    "summary": "memory:summary",
    "fragmentation": "memory:fragmentation",
    "classes": "objects:classes",
    "spans": "objects:spans",
    "large": "objects:large",
    "tiny": "objects:tiny",
    "mcaches": "systems:mcaches",
    "central": "systems:central",
    "released": "released:released",
    "arenas": "systems:arenas",
    "locks": "systems:locks",
    "marks": "systems:marks",
    "timeline": "memory:timeline",
    "who": "who.owners:who",
    "live": "who.owners:live",
    "sites": "who.sites:sites",
}
STATS: dict[str, str] = {
    "events": "trace:events",
    "sizes": "trace:sizes",
    "lifetimes": "trace:lifetimes",
    "types": "trace:types",
    "sites": "trace:sites",
    "stacks": "trace:stacks",
    "cycles": "trace:cycles",
    "who": "who.owners:who",
}
GCTRACE: dict[str, str] = {
    "cycles": "printed.gctrace:cycles",
    "released": "printed.gctrace:released",
    "scans": "printed.gctrace:scans",
    "pacer": "printed.gctrace:paces",
    "beside": "printed.gctrace:beside",
}
MEMSTATS: dict[str, str] = {
    "ledger": "printed.memstats:ledger",
    "rss": "printed.memstats:resident",
    "sizes": "printed.memstats:sizes",
    "checks": "printed.memstats:checks",
    "changes": "printed.memstats:changes",
}
OPTIMIZE: dict[str, str] = {
    "candidates": "optimizing:candidates",
    "recordings": "optimizing:recordings",
    "classes": "optimizing:classes",
}
assert (tuple(REPLAY), tuple(STATS), tuple(GCTRACE)) == (REPLAY_REPORTS, STATS_REPORTS, GCTRACE_REPORTS)
assert tuple(MEMSTATS) == MEMSTATS_REPORTS

BY_SCHEMA: dict[str, tuple[dict[str, str], str]] = {
    "goalloc replay": (REPLAY, "answer:replay"),
    "goalloc stats": (STATS, "answer:trace"),
    "goalloc gctrace": (GCTRACE, "answer:gctrace"),
    "goalloc gctrace compare": ({}, "printed.logs:blocks"),
    "goalloc memstats": (MEMSTATS, "answer:memstats"),
    "goalloc verify": ({}, "verdict:blocks"),
    "goalloc explain": ({}, "explained:blocks"),
    "goalloc compare": ({}, "compared:blocks"),
    "goalloc check": ({}, "check:blocks"),
    "goalloc comparison": ({}, "comparison.sides:blocks"),
    "goalloc why": ({}, "comparison.why:blocks"),
    "goalloc pace": ({}, "pacing:blocks"),
    "goalloc optimize": (OPTIMIZE, "optimizing:blocks"),
    "goalloc sweep": ({}, "comparison.swept:blocks"),
}
"""The reports of a document, and what is shown without any."""

SECTIONS = {
    "summary": ("memstats", "checkpoints"),
    "released": ("timeline",),
    "arenas": ("mcaches",),
    "locks": ("sweep",),
    "central": ("classes",),
    "live": ("who",),
}
"""Parts of a replay's document that belong to a report beside the one of its own name."""

WHO_SECTIONS = {"who": "who", "live": "who", "sites": "sites"}
"""Parts of a document that are there only where they were asked for."""

ALWAYS = (
    "schema",
    "schema_version",
    "goalloc_version",
    "model_version",
    "trace",
    "design",
    "base",
    "gate",
    "notes",
    "skipped",
    "run",
    "summary",
    "series",
    "map",
    "lifetimes",
    "releases",
    "pace",
)


def blocks(document: Document, names: tuple[str, ...]) -> list[Block]:
    """What is shown of `names`; of none, the answer that fits a screen; of "all", everything."""
    from goalloc_cli.report.tables.comparison import gate

    reports, whole = BY_SCHEMA[document["schema"]]
    if names and "reports" in document:
        return [*shown(whole, document), *(block for _, each in of_releases(document, names) for block in each)]
    if not names or not reports:
        return gate.put(shown(whole, document), document)
    told = (name for name in reports if name not in WHO_REPORTS or WHO_SECTIONS[name] in document)
    wanted = tuple(told) if "all" in names else names
    found = [block for name in wanted for block in shown(reports[name], document)]
    return gate.put([*shown("answer:head", document), *found, *shown("answer:notes", document)], document)


def shown(name: str, document: Document) -> list[Block]:
    """What a report, "module:function" of `tables/`, shows of a document."""
    found = late(f"report.tables.{name}")(document)
    return found if isinstance(found, list) else [found]


def of_releases(document: Document, names: tuple[str, ...]) -> list[tuple[str, list[Block]]]:
    """The reports of each of several releases, by its name."""
    wanted = tuple(REPLAY) if "all" in names else names
    return [
        (name, [Text(name, "headline"), *(block for each in wanted for block in shown(REPLAY[each], of))])
        for of in document["reports"]
        for name in [of["design"]["name"]]
    ]


def part_of(document: Document, names: tuple[str, ...]) -> Document:
    """The document itself, or what belongs to the reports `names`."""
    if not names or "all" in names or document["schema"] != "goalloc replay":
        return document
    keys = {*ALWAYS, *names, *(section for name in names for section in SECTIONS.get(name, ()))}
    return {key: value for key, value in document.items() if key in keys}
