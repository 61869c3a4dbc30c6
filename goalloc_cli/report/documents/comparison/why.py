"""Which change of the runtime changed which figure, as a document."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.origins import origins
from goalloc_cli.design.parse import as_text, reason
from goalloc_cli.report.documents.replay import MODEL_VERSION, SCHEMA_VERSION
from goalloc_cli.report.figures.catalogue import CATALOGUES
from goalloc_cli.results.attribution import Attribution, Part, Values
from goalloc_cli.trace.trace import Header

Document = dict[str, Any]

SCHEMA = "goalloc why"

KEYS = ("peak_HeapInuse", "end_HeapInuse", "end_HeapSys", "peak_rss", "end_rss", "end_idle_backed")
"""The figures that are split among the changes."""


@dataclass(frozen=True)
class Between:
    """From one allocator to another."""

    before: Design
    after: Design
    name_before: str
    name_after: str
    release_before: str | None = None
    """The release that the first is, where it is one as it was released; so is the second."""
    release_after: str | None = None


def figures(replay: Document) -> Values:
    """The figures of a replay, in the order of KEYS."""
    by_key = {figure.key: figure for figure in CATALOGUES["goalloc replay"].figures}
    return tuple(int(by_key[key].of(replay) or 0) for key in KEYS)


def why_document(trace: str, header: Header, between: Between, found: Attribution) -> Document:
    """The whole change, and its parts, which sum to it."""
    by_key = {figure.key: figure for figure in CATALOGUES["goalloc replay"].figures}
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "model_version": MODEL_VERSION,
        "trace": {"name": trace, "go_version": header.go_version, "gomaxprocs": header.gomaxprocs},
        "before": between.name_before,
        "after": between.name_after,
        "replays": found.replays,
        "sampled": found.sampled,
        "figures": [
            {"key": key, "name": by_key[key].name, "before": before, "after": after, "change": after - before}
            for key, before, after in zip(KEYS, found.before, found.after, strict=True)
        ],
        "parts": [part_document(part, between) for part in found.parts],
        "remainder": dict(zip(KEYS, found.remainder, strict=True)),
        "notes": notes(between, found),
    }


def part_document(part: Part, between: Between) -> Document:
    return {
        "knobs": [knob(name, between) for name in part.knobs],
        "change": dict(zip(KEYS, part.change, strict=True)),
        "first": None if part.first is None else dict(zip(KEYS, part.first, strict=True)),
        "last": None if part.last is None else dict(zip(KEYS, part.last, strict=True)),
        "group": part.group,
    }


def knob(name: str, between: Between) -> Document:
    """One knob, from what to what, and what Go changed then."""
    found = origins(name, between.release_before, between.release_after)
    return {
        "name": name,
        "before": as_text(name, getattr(between.before, name)),
        "after": as_text(name, getattr(between.after, name)),
        "reason": reason(name),
        "changes": [asdict(change) | {"links": list(change.links)} for change in found],
    }


def notes(between: Between, found: Attribution) -> list[str]:
    """What a reader must know."""
    told = []
    if not found.parts:
        told.append("The two allocators are the same: whatever differs between these releases is not in the model.")
    if found.sampled:
        told.append("More than eight changes meet: their parts are means over some orders, not all; they sum all the same.")
    if between.before.growth_released != between.after.growth_released:
        told.append("RSS: the memory that a heap of Go 1.12 and older grows by counts as touched, which it need not be.")
    return told
