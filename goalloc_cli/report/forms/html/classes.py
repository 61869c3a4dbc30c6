"""Size classes as areas, and spans by class and by how full they are."""

from __future__ import annotations

import math
from typing import Any

from goalloc_cli.report.pictures.heapmap import shortened
from goalloc_cli.report.tables.objects import class_name, spc_name
from goalloc_cli.report.units import iec, percent, plural

Document = dict[str, Any]

LEAST = 0.004
"""A class with less of all span bytes than this is counted with the others that are as small."""
NAMED, NOTED = 3.4, 9.0
"""Per cent of the width that a column must have to be named, and to have its waste told."""
ROWS = 14
TYPES = 12
SHADES = 5
MIB = 1 << 20
PARTS = (
    ("requested", "requested, live", ("requested_bytes",)),
    ("rounding", "rounding and headers", ("internal_bytes",)),
    ("metadata", "tails and metadata", ("tail_bytes", "metadata_bytes")),
    ("free", "slots without a live object", ("unused_bytes",)),
)
"""What a column is made of, from the bottom."""
SUMMED = ("spans", "span_bytes", "slots", "live_objects", "waste_bytes", *(name for _, _, names in PARTS for name in names))


def classes(document: Document) -> Document | None:
    """A column for each size class, as wide as its spans are; None where there is no span of small objects."""
    rows = [row for row in document["classes"] if row["span_bytes"] and row["elem_size"]]
    if not rows:
        return None
    whole = sum(row["span_bytes"] for row in rows)
    shown = [row for row in rows if row["span_bytes"] >= LEAST * whole] or rows[:1]
    rest = [row for row in rows if row not in shown]
    shown = sorted(shown, key=lambda row: (row["elem_size"], row["spc"]))
    worst = sorted(shown, key=lambda row: -row["waste_bytes"])
    columns, x = [], 0.0
    for row in [*shown, *([together(rest)] if rest else [])]:
        width = 100 * row["span_bytes"] / whole
        columns.append(column(row, x, width, row in worst[:3]))
        x += width
    return {
        "columns": columns,
        "keys": [{"key": key, "name": name} for key, name, _ in PARTS],
        "worst": worst_of(worst[0]),
        "said": "Span bytes by size class. " + "; ".join(said(row) for row in worst[:5]),
    }


def said(row: Document) -> str:
    return f"{name_of(row)}: {iec(row['span_bytes'])} in spans, {iec(row['waste_bytes'])} wasted"


def together(rows: list[Document]) -> Document:
    """Classes that are too small for columns of their own."""
    return {"name": f"{len(rows)} others", **{name: sum(row[name] for row in rows) for name in SUMMED}}


def name_of(row: Document) -> str:
    return str(row["name"]) if "name" in row else class_name(row["elem_size"], row["scan"])


def column(row: Document, x: float, width: float, is_worst: bool) -> Document:
    """One class. Heights are per cent, from the top."""
    parts, y = [], 100.0
    for key, _, names in PARTS:
        share = 100 * sum(row[name] for name in names) / row["span_bytes"]
        y -= share
        if share > 0.05:
            parts.append({"key": key, "y": round(max(y, 0), 2), "height": round(share, 2)})
    occupancy = row["live_objects"] / row["slots"] if row["slots"] else 0
    name = name_of(row)
    return {
        "x": round(10 * x, 2),
        "width": round(10 * width, 2),
        "middle": round(x + width / 2, 2),
        "parts": parts,
        "label": name.replace(" noscan", "\u00b0").replace(" scan", "") if width > NAMED else "",
        "note": f"{iec(row['waste_bytes'])} wasted" if width > NOTED and row["waste_bytes"] else "",
        "worst": is_worst,
        "said": f"{name}: {plural(row['spans'], 'span')}, {iec(row['span_bytes'])}, {percent(occupancy)} of slots live, "
        f"{iec(row['waste_bytes'])} wasted",
    }


def worst_of(row: Document) -> Document:
    """The class that wastes most, in a sentence."""
    occupancy = row["live_objects"] / row["slots"] if row["slots"] else 0
    return {
        "name": name_of(row), "spans": plural(row["spans"], "span"), "live": percent(occupancy),
        "waste": iec(row["waste_bytes"]),
    }  # fmt: skip


def spans(document: Document) -> Document | None:
    """The table of spans by class and decile: MiB in each, the deeper the more."""
    found = document["spans"]
    about = {row["spc"]: row for row in document["classes"]}
    rows = sorted(found["by_class"], key=lambda row: -about[row["spc"]]["waste_bytes"])[:ROWS]
    if not rows:
        return None
    page = document["design"]["knobs"]["page_size"]
    sizes = {row["spc"]: about[row["spc"]]["npages"] * page for row in rows}
    most = max((count * sizes[row["spc"]] for row in rows for count in row["histogram"]), default=0) or 1
    return {
        "bins": ["0", "<10", *(str(10 * d) for d in range(1, 10)), "100"],
        "rows": [
            {
                "name": spc_name(row["spc"], row["elem_size"]),
                "cells": [cell(count, sizes[row["spc"]], at, most) for at, count in enumerate(row["histogram"])],
            }
            for row in rows
        ],
        "left": len(found["by_class"]) - len(rows),
        "nearly": {
            "spans": plural(found["nearly_empty"]["spans"], "span"),
            "bytes": iec(found["nearly_empty"]["bytes"]),
            "live": iec(found["nearly_empty"]["live_bytes"]),
        },
        "pins": [
            {
                "name": shortened(row["type_name"]) or "(type not known)",
                "spans": row["spans"], "bytes": row["span_bytes"], "size": iec(row["span_bytes"]),
                "live_bytes": row["live_bytes"], "live": iec(row["live_bytes"]),
            }
            for row in found["pins"][:TYPES]
        ],
    }  # fmt: skip


def cell(count: int, span_bytes: int, at: int, most: int) -> Document:
    """One cell: red on the left, where little lives, blue on the right."""
    size = count * span_bytes
    if not size:
        return {"shade": "", "text": "", "said": ""}
    shade = min(SHADES, 1 + int((SHADES - 0.01) * math.sqrt(size / most)))
    text = f"{size / MIB:.2f}" if size < 10 * MIB else f"{size / MIB:,.0f}"
    return {"shade": f"{'low' if at <= 6 else 'high'}{shade}", "text": text, "said": f"{plural(count, 'span')}, {iec(size)}"}
