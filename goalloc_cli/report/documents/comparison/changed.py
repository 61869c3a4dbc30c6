"""What changed most between two sides, name by name: size classes, and who has what alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from goalloc_cli.report.documents.who import NO_TYPE
from goalloc_cli.report.figures.ranks import ALPHA, mann_whitney
from goalloc_cli.report.gate.judge import middle
from goalloc_cli.results.who import NAMED

Document = dict[str, Any]
Key = tuple[Any, ...]
Told = Mapping[Key, tuple[int, ...]]
"""Some figures of each name, of which the first decides."""

MOST = 12
VIEWS = {"goroutines": "entry", "types": "type"}
"""The views of who holds the memory that are compared. Not by where a goroutine was made: that is a line, and lines move."""
MOMENTS = ("marked", "peak", "end")
"""When it is asked who has what alive: the first of them that all replays looked at says who changed most."""
NAMELESS = {*NAMED.values(), NO_TYPE}


def classes(a: Sequence[Document], b: Sequence[Document]) -> list[Document]:
    """The size classes whose span bytes changed most, and how much of that is waste, most first."""
    rows = changed([by_class(each) for each in a], [by_class(each) for each in b], ("", "waste_"), 2)
    return [{"elem_size": size, "scan": scan, **row} for (size, scan), row in rows[:MOST]]


def by_class(document: Document) -> Told:
    """Bytes of spans and of waste by size and whether it has pointers; 0 is the size of large objects."""
    return {
        (int(each["elem_size"]), bool(each["scan"])): (int(each["span_bytes"]), int(each["waste_bytes"]))
        for each in document["classes"]
    }


def owners(a: Sequence[Document], b: Sequence[Document]) -> Document | None:
    """Who has more or less alive, by the function that goroutines began in and by type; None where a side does not tell.

    `moments` are those of MOMENTS that all replays looked at.
    """
    documents = [*a, *b]
    if not all("who" in document for document in documents):
        return None
    moments = [when for when in MOMENTS if all(when in document["who"]["moments"] for document in documents)]
    views = {name: view(a, b, name, moments) for name in VIEWS if all(tells(document, name) for document in documents)}
    return {"moments": moments, **views} if views else None


def tells(document: Document, name: str) -> bool:
    """Whether a replay knows of this view more than that there were objects."""
    if name == "goroutines":
        return bool(document["trace"].get("owners"))
    return any(row["type"] not in NAMELESS for row in document["who"]["types"])


def view(a: Sequence[Document], b: Sequence[Document], name: str, moments: Sequence[str]) -> Document:
    """The names that changed most; of one replay each also all others together, so that the rows sum to what is alive."""
    sides = one, other = [[by_name(document, name, moments) for document in of] for of in (a, b)]
    names = ["", *(f"{when}_" for when in moments[1:])]
    rows = [{"name": key[0], **row} for key, row in changed(one, other, names, 1)[:MOST]]
    if len(a) + len(b) > 2:
        return {"rows": rows, "others": None, "all": None}
    whole = between([[sum(told[at] for told in of[0].values()) for of in sides] for at in range(len(moments))], names)
    left = len({key for of in sides for each in of for key in each}) - len(rows)
    others = {key: whole[key] - sum(row[key] for row in rows) for key in whole}
    return {"rows": rows, "others": {"count": left, **others}, "all": whole}


def by_name(document: Document, name: str, moments: Sequence[str]) -> Told:
    """Live bytes by name, at each moment."""
    found: dict[Key, tuple[int, ...]] = {}
    for row in document["who"][name]:
        key = (row[VIEWS[name]],)
        before = found.get(key, (0,) * len(moments))
        found[key] = tuple(n + int(row[when]["live_bytes"]) for n, when in zip(before, moments, strict=True))
    return found


def changed(a: Sequence[Told], b: Sequence[Told], names: Sequence[str], deciding: int) -> list[tuple[Key, Document]]:
    """What differs in one of the first `deciding` figures, most first: of each name the medians of all figures, and p of the
    first.

    What one document does not have is 0 there. Of several documents a change that may be chance is none.
    """
    keys = sorted({key for of in (a, b) for each in of for key in each})
    nothing = (0,) * len(names)
    found = []
    for key in keys:
        values = [[[each.get(key, nothing)[at] for each in of] for of in (a, b)] for at in range(len(names))]
        p = mann_whitney(*values[0]) if len(a) + len(b) > 2 else None
        row = {**between([[middle(side) for side in sides] for sides in values], names), "p": p}
        changes = [row[f"{name}change"] for name in names]
        if any(changes[:deciding]) if p is None else changes[0] and p < ALPHA:
            found.append((key, row))
    return sorted(found, key=lambda each: ([-abs(each[1][f"{name}change"]) for name in names], each[0]))


def between(figures: Sequence[Sequence[int]], names: Sequence[str]) -> Document:
    """Each figure of A and of B, and its change."""
    found: Document = {}
    for (before, after), name in zip(figures, names, strict=True):
        found |= {f"{name}a": before, f"{name}b": after, f"{name}change": after - before}
    return found
