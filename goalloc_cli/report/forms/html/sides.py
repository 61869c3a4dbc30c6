"""Two sides: the ledger as a stair from A to B, both curves of HeapInuse, and what is laid side by side."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from goalloc_cli.report.documents.ledger import LABELS
from goalloc_cli.report.forms.html.alltables import shown_table
from goalloc_cli.report.forms.html.svg import WIDE, height, line, ticks
from goalloc_cli.report.tables.blocks import Table
from goalloc_cli.report.tables.comparison import changed
from goalloc_cli.report.tables.comparison.cross import sentence as of_cross
from goalloc_cli.report.tables.comparison.gate import signed
from goalloc_cli.report.tables.comparison.sides import figures, heading
from goalloc_cli.report.units import clean, iec

Document = dict[str, Any]

MARGIN = 0.15
"""Room beside the outermost step of the stair, as a part of what lies between the outermost."""
ROOM = 1.04
MORE, LESS, WHOLE = "free", "requested", "rest"
"""Colours of a step up, a step down, and of the two ends."""


def sides(document: Document) -> Document | None:
    """The section; None of another document."""
    if document["schema"] != "goalloc comparison":
        return None
    tables = (figures(document), *changed.owners(document), *changed.classes(document))
    return {
        "a": clean(heading(document, "a", folders=False)),
        "b": clean(heading(document, "b", folders=False)),
        "stair": stair(document),
        "curves": curves(document),
        "cross": None if document["cross"] is None else of_cross(document["cross"]),
        "tables": [shown_table(block) for block in tables if isinstance(block, Table)],
    }


def both(document: Document) -> str:
    """before.msgpack, go1.24 to after.msgpack, go1.27"""
    a, b = (heading(document, which, folders=False).split("  ", 1)[1] for which in ("a", "b"))
    return f"{a} to {b}"


def stair(document: Document) -> Document | None:
    """HeapInuse at the end: of A, what each row of the ledger adds or takes, of B; None where there is no ledger."""
    steps = [row for row in document["ledger"] if row["change"]]
    if not document["ledger"]:
        return None
    whole_a, whole_b = (sum(row[which] for row in document["ledger"]) for which in ("a", "b"))
    levels = list(accumulate((row["change"] for row in steps), initial=whole_a))
    low, high = min(levels), max(levels)
    margin = max(int(MARGIN * (high - low)), 1)
    first, last = max(low - margin, 0), high + margin
    rows = [
        {"name": LABELS[row["name"]], "size": signed(row["change"], "bytes"), "key": MORE if row["change"] > 0 else LESS,
         **bar(before, after, first, last)}
        for row, before, after in zip(steps, levels, levels[1:], strict=False)
    ]  # fmt: skip
    a, b = (
        {"name": name, "size": iec(whole), "key": WHOLE, **bar(first, whole, first, last)}
        for name, whole in (("A", whole_a), ("B", whole_b))
    )
    return {"rows": [a, *rows, b], "first": iec(first), "last": iec(last), "is_cut": first > 0}


def bar(before: int, after: int, first: int, last: int) -> Document:
    """Where a bar between two levels begins and how wide it is, in per cent of a picture from `first` to `last`."""
    left, right = sorted(100 * (level - first) / (last - first) for level in (before, after))
    return {"x": round(left, 2), "width": round(max(right - left, 0.3), 2)}


def curves(document: Document) -> Document | None:
    """HeapInuse of both over the bytes that each had allocated; None where one has no samples."""
    both = [document["curves"][which] for which in ("a", "b")]
    if any(curve is None or len(curve["heap_inuse"]) < 2 for curve in both):
        return None
    most = max(max(curve["total_alloc"]) for curve in both)
    top = round(max(max(curve["heap_inuse"]) for curve in both) * ROOM)
    if not most or not top:
        return None
    paths = [
        line(
            (min(round(WIDE * x / most), WIDE), height(y, top))
            for x, y in zip(curve["total_alloc"], curve["heap_inuse"], strict=True)
        )
        for curve in both
    ]
    return {
        "a": paths[0],
        "b": paths[1],
        "y": [{"at": round(height(size, top) / 10, 2), "label": iec(size)} for size in ticks(top)],
        "x": [{"at": 25 * i, "label": iec(most * i // 4)} for i in range(5)],
    }
