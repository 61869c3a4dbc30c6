"""The reports by name: from a document to what is shown of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from goalloc_cli.report.documents.names import GCTRACE_REPORTS, MEMSTATS_REPORTS, REPLAY_REPORTS, STATS_REPORTS, WHO_REPORTS
from goalloc_cli.report.tables import (
    answer,
    compared,
    explained,
    memory,
    objects,
    optimizing,
    pacing,
    released,
    systems,
    trace,
    verdict,
)
from goalloc_cli.report.tables import check as checked
from goalloc_cli.report.tables.blocks import Block, Text
from goalloc_cli.report.tables.comparison import gate, sides, swept
from goalloc_cli.report.tables.comparison import why as parted
from goalloc_cli.report.tables.printed import gctrace, logs, memstats
from goalloc_cli.report.tables.who import owners, sites

Document = dict[str, Any]
Report = Callable[[Document], list[Block]]

REPLAY: dict[str, Report] = {
    "summary": memory.summary,
    "fragmentation": memory.fragmentation,
    "classes": objects.classes,
    "spans": objects.spans,
    "large": objects.large,
    "tiny": objects.tiny,
    "mcaches": systems.mcaches,
    "central": systems.central,
    "released": released.released,
    "arenas": systems.arenas,
    "locks": systems.locks,
    "marks": systems.marks,
    "timeline": memory.timeline,
    "who": owners.who,
    "live": owners.live,
    "sites": sites.sites,
}
STATS: dict[str, Report] = {
    "events": trace.events,
    "sizes": trace.sizes,
    "lifetimes": trace.lifetimes,
    "types": trace.types,
    "sites": trace.sites,
    "stacks": trace.stacks,
    "cycles": trace.cycles,
    "who": owners.who,
}
GCTRACE: dict[str, Report] = {
    "cycles": gctrace.cycles,
    "released": gctrace.released,
    "scans": gctrace.scans,
    "pacer": gctrace.paces,
    "beside": gctrace.beside,
}
MEMSTATS: dict[str, Report] = {
    "ledger": memstats.ledger,
    "rss": memstats.resident,
    "sizes": memstats.sizes,
    "checks": memstats.checks,
    "changes": memstats.changes,
}
assert (tuple(REPLAY), tuple(STATS), tuple(GCTRACE)) == (REPLAY_REPORTS, STATS_REPORTS, GCTRACE_REPORTS)
assert tuple(MEMSTATS) == MEMSTATS_REPORTS

BY_SCHEMA = {
    "goalloc replay": (REPLAY, answer.replay),
    "goalloc stats": (STATS, answer.trace),
    "goalloc gctrace": (GCTRACE, answer.gctrace),
    "goalloc gctrace compare": ({}, logs.blocks),
    "goalloc memstats": (MEMSTATS, answer.memstats),
    "goalloc verify": ({}, verdict.blocks),
    "goalloc explain": ({}, explained.blocks),
    "goalloc compare": ({}, compared.blocks),
    "goalloc check": ({}, checked.blocks),
    "goalloc comparison": ({}, sides.blocks),
    "goalloc why": ({}, parted.blocks),
    "goalloc pace": ({}, pacing.blocks),
    "goalloc optimize": (optimizing.REPORTS, optimizing.blocks),
    "goalloc sweep": ({}, swept.blocks),
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
    reports, whole = BY_SCHEMA[document["schema"]]
    if names and "reports" in document:
        return [*whole(document), *(block for _, shown in of_releases(document, names) for block in shown)]
    if not names or not reports:
        return gate.put(whole(document), document)
    told = (name for name in reports if name not in WHO_REPORTS or WHO_SECTIONS[name] in document)
    wanted = tuple(told) if "all" in names else names
    shown = [block for name in wanted for block in reports[name](document)]
    return gate.put([*answer.head(document), *shown, *answer.notes(document)], document)


def of_releases(document: Document, names: tuple[str, ...]) -> list[tuple[str, list[Block]]]:
    """The reports of each of several releases, by its name."""
    wanted = tuple(REPLAY) if "all" in names else names
    return [
        (of["design"]["name"], [Text(of["design"]["name"], "headline"), *(b for name in wanted for b in REPLAY[name](of))])
        for of in document["reports"]
    ]


def part_of(document: Document, names: tuple[str, ...]) -> Document:
    """The document itself, or what belongs to the reports `names`."""
    if not names or "all" in names or document["schema"] != "goalloc replay":
        return document
    keys = {*ALWAYS, *names, *(section for name in names for section in SECTIONS.get(name, ()))}
    return {key: value for key, value in document.items() if key in keys}
