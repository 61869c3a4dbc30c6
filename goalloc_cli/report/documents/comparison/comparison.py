"""Two sides, each of one or several replays, logs or MemStats, as one document."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from goalloc_cli import __version__
from goalloc_cli.report.documents.comparison.changed import classes, owners
from goalloc_cli.report.documents.comparison.fit import remarks, unfit
from goalloc_cli.report.documents.replay import MODEL_VERSION, SCHEMA_VERSION
from goalloc_cli.report.figures.catalogue import CATALOGUES
from goalloc_cli.report.figures.figure import Figure, Value
from goalloc_cli.report.figures.ranks import ALPHA, least_p, mann_whitney
from goalloc_cli.report.gate.judge import middle
from goalloc_cli.results.outcome import LEDGER

Document = dict[str, Any]

SCHEMA = "goalloc comparison"

REPLAY_ROWS = (
    "peak_HeapInuse",
    "peak_HeapAlloc",
    "peak_rss",
    "end_HeapInuse",
    "end_requested",
    "end_rounding",
    "end_fixed",
    "end_dead",
    "end_free",
    "end_tracer",
    "end_idle_backed",
    "end_HeapReleased",
    "end_HeapSys",
    "end_StackInuse",
    "end_rss",
    "NumGC",
    "TotalAlloc",
    "Mallocs",
)
"""What is laid side by side of replays; the rows from `end_requested` to `end_tracer` sum to `end_HeapInuse`."""
MIXED = ("end_unused",)
"""Comes before the parts that it is the sum of, where they cannot be compared."""
MOST_POINTS = 600


@dataclass(frozen=True)
class Side:
    """What stands on one side."""

    documents: list[Document]
    label: str = ""
    """What sets it apart, where that is no name of a file: a release, knobs."""
    names: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.documents)


def comparison(a: Side, b: Side, cross: Document | None = None) -> Document:
    """What differs between two sides, from A to B."""
    reasons = unfit(a.documents, b.documents)
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "model_version": MODEL_VERSION,
        "sides": {"a": side(a), "b": side(b)},
        "least_p": least_p(len(a), len(b)) if several(a, b) else None,
        "figures": [row(figure, other, a, b, reasons) for figure, other in pairs(a, b, reasons)],
        "ledger": ledger(a, b),
        "classes": classes(a.documents, b.documents) if is_replay(a) and is_replay(b) else [],
        "owners": owners(a.documents, b.documents),
        "curves": {name: curve(of.documents[0]) for name, of in (("a", a), ("b", b))},
        "cross": cross,
        "notes": remarks(a.documents, b.documents),
    }


def several(a: Side, b: Side) -> bool:
    """Whether chance is asked: of one each every byte is a difference."""
    return len(a) + len(b) > 2


def side(of: Side) -> Document:
    """What stands there."""
    return {
        "label": of.label,
        "recordings": len(of),
        "inputs": [
            {
                "name": name_of(document),
                "kind": document["schema"].removeprefix("goalloc "),
                "design": document.get("design", {}).get("name"),
                "mode": document.get("design", {}).get("mode"),
            }
            for document in of.documents
        ],
    }


def name_of(document: Document) -> str:
    """The name of what a document is about."""
    return str((document.get("trace") or document.get("text") or {}).get("name", ""))


def pairs(a: Side, b: Side, reasons: dict[str, str]) -> list[tuple[Figure | None, Figure | None]]:
    """The figures to lay side by side: those of A in its order, and what B has beside them."""
    of_a, of_b = (catalogue(of) for of in (a, b))
    keys = [key for key in dict.fromkeys([*of_a, *of_b]) if key in of_a or key in of_b]
    if is_replay(a) and is_replay(b):
        keys = [*REPLAY_ROWS]
        if "end_dead" in reasons:
            keys[keys.index("end_dead") : keys.index("end_dead")] = MIXED
    return [(of_a.get(key), of_b.get(key)) for key in keys if is_told(of_a.get(key), a) or is_told(of_b.get(key), b)]


def is_replay(of: Side) -> bool:
    return all(document["schema"] == "goalloc replay" for document in of.documents)


def catalogue(of: Side) -> dict[str, Figure]:
    """What all documents of a side can tell."""
    found = [{figure.key: figure for figure in CATALOGUES[document["schema"]].figures} for document in of.documents]
    return {key: figure for key, figure in found[0].items() if all(key in each for each in found)}


def is_told(figure: Figure | None, of: Side) -> bool:
    return figure is not None and all(figure.of(document) is not None for document in of.documents)


def row(one: Figure | None, other: Figure | None, a: Side, b: Side, reasons: dict[str, str]) -> Document:
    """One figure: all values, medians, the change, and the chance that it is none."""
    figure = one or other
    assert figure is not None
    values_a, values_b = values(one, a), values(other, b)
    found: Document = {
        "key": figure.key, "name": figure.name, "unit": figure.unit, "a": values_a, "b": values_b,
        "median_a": middle(values_a), "median_b": middle(values_b),
        "spread_a": spread(values_a), "spread_b": spread(values_b),
        "range_a": bounds(one, a), "range_b": bounds(other, b),
        "change": None, "share": None, "p": None, "differs": False, "why_not": reasons.get(figure.key),
    }  # fmt: skip
    if not values_a or not values_b:
        lacking = "A" if not values_a else "B"
        return found | {"why_not": f"{lacking} does not tell it"}
    if found["why_not"]:
        return found
    before, after = found["median_a"], found["median_b"]
    p = mann_whitney(values_a, values_b) if several(a, b) else None
    return found | {
        "change": after - before,
        "share": (after - before) / before if before else None,
        "p": p,
        "differs": after != before and (p is None or p < ALPHA) and not meet(found),
    }


def values(figure: Figure | None, of: Side) -> list[Any]:
    """The figure in each document; none where one does not tell it."""
    found: list[Value] = [] if figure is None else [figure.of(document) for document in of.documents]
    return [] if None in found else [*found]


def bounds(figure: Figure | None, of: Side) -> list[Any] | None:
    """Of what is bounded only, the medians of the least and of the most that it may be; None of what is exact."""
    found = [None] if figure is None else [figure.bounds(document) for document in of.documents]
    known = [each for each in found if each is not None]
    return [middle(each) for each in zip(*known, strict=True)] if len(known) == len(found) else None


def meet(row: Document) -> bool:
    """Whether a figure that is bounded only may be the same on both sides: nobody knows then where it is larger."""
    if row["range_a"] is None and row["range_b"] is None:
        return False
    a, b = (row[f"range_{which}"] or [row[f"median_{which}"]] * 2 for which in ("a", "b"))
    return bool(a[0] <= b[1] and b[0] <= a[1])


def spread(found: list[Any]) -> float | None:
    """The value farthest from the median, as a part of it."""
    if not found:
        return None
    center = median(found)
    return max(abs(value - center) for value in found) / center if center else 0.0


def ledger(a: Side, b: Side) -> list[Document]:
    """The rows of the ledger at the end; of one replay each they sum to HeapInuse, and their changes to its change."""
    if not is_replay(a) or not is_replay(b):
        return []
    found = []
    for name in LEDGER:
        before, after = (middle([held(document, name) for document in of.documents]) for of in (a, b))
        found.append({"name": name, "a": before, "b": after, "change": after - before})
    return found


def held(document: Document, name: str) -> int:
    return sum(int(line["bytes"]) for line in document["fragmentation"]["end"]["ledger"] if line["name"] == name)


def curve(document: Document) -> Document | None:
    """HeapInuse over bytes allocated, at most so many points; None of what has no samples."""
    samples = document.get("timeline")
    if not samples:
        return None
    step = -(-len(samples) // MOST_POINTS)
    kept = [*samples[:-1:step], samples[-1]]
    return {
        name: [int(sample["memstats"][field]) for sample in kept]
        for name, field in (("total_alloc", "TotalAlloc"), ("heap_inuse", "HeapInuse"))
    }
