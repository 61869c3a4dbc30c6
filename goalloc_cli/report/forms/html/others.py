"""What lies beside the replay itself: other releases, lifetimes, the frontier of the pacer, and who pins."""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.documents.compared import FIGURES
from goalloc_cli.report.forms.html.alltables import shown_table
from goalloc_cli.report.pictures.heapmap import shortened
from goalloc_cli.report.tables.blocks import Table
from goalloc_cli.report.tables.pacing import frontier, named, settings
from goalloc_cli.report.units import for_people, iec, percent, plural

Document = dict[str, Any]

WANTED = (
    "peak_HeapInuse", "end_HeapInuse", "peak_requested_share", "end_free_slots", "end_dead_unswept", "end_class_rounding",
    "end_headers", "end_HeapReleased", "end_rss_low", "end_rss_high", "NumGC", "locks",
)  # fmt: skip
"""Figures of other releases that are shown; the table below has them all."""
MORE_IS_BETTER = ("peak_requested_share", "end_HeapReleased")
NO_COLOUR = ("NumGC", "locks")
NEAR_X, NEAR_Y = 10, 6
"""Per cent of the picture that a label takes."""
VISIBLE = 0.0005
"""A change of less is not told."""
BAR = 42
"""Height of a lifetime, its name above its bar."""
FEW_CYCLES = 6
"""Lifetimes of more GC cycles are put together."""


def releases(document: Document) -> Document:
    """The same program under other releases, against its own with the model's own sweeper."""
    found = document["releases"]
    base = next((one for one in found if one["design"]["name"].endswith(" own")), found[0])
    rows = []
    for key, name, unit, _ in FIGURES:
        if key in WANTED:
            rows.append({"name": name, "cells": [change(one, base, key, unit) for one in found]})
    best = min(found, key=lambda one: one["figures"]["peak_HeapInuse"])
    return {
        "names": [shortened(one["design"]["name"]) for one in found],
        "rows": rows,
        "base": base["design"]["name"],
        "best": best["design"]["name"],
        "best_size": iec(best["figures"]["peak_HeapInuse"]),
    }


def change(one: Document, base: Document, key: str, unit: str) -> Document:
    """A figure, and how far it is from that of the base."""
    value, before = one["figures"][key], base["figures"][key]
    told = {"text": for_people(value, unit), "change": "", "good": ""}
    if one is base or not value or not before:
        return told
    part = value / before - 1
    if abs(part) < VISIBLE:
        return told
    good = "" if key in NO_COLOUR else "good" if (part > 0) == (key in MORE_IS_BETTER) else "bad"
    return told | {"change": f"{100 * part:+.1f}%", "good": good}


def what_if(document: Document) -> Document | None:
    """A single what-if beside its base."""
    if "base" not in document:
        return None
    rows = []
    for row in document["base"]["figures"].values():
        part = row["what_if"] / row["base"] - 1 if row["base"] else 0
        told = f"{100 * part:+.1f}%" if abs(part) >= VISIBLE else ""
        rows.append({"name": row["name"], "base": iec(row["base"]), "what_if": iec(row["what_if"]), "change": told})
    base, name = (shortened(part["design"]["name"]) for part in (document["base"], document))
    return {"base": base, "name": name, "rows": rows}


def lifetimes(document: Document) -> Document | None:
    """How many GC cycles objects live, by their bytes."""
    if "lifetimes" not in document:
        return None
    found = document["lifetimes"]
    buckets = found["cycles"]
    rows = [(lived(row["upto"]), row["objects"], row["object_bytes"]) for row in buckets if row["upto"] < FEW_CYCLES]
    late = [row for row in buckets if row["upto"] >= FEW_CYCLES]
    if late:
        both = (sum(row["objects"] for row in late), sum(row["object_bytes"] for row in late))
        rows.append((f"{lived(FEW_CYCLES)} and more", *both))
    rows.append(("alive at the end", found["live_objects"], found["live_bytes"]))
    rows = [row for row in rows if row[1]]
    whole = sum(size for _, _, size in rows)
    if not whole:
        return None
    most = max(size for _, _, size in rows)
    first = sum(row["object_bytes"] for row in buckets if row["upto"] == 0)
    return {
        "first": percent(first / whole),
        "height": BAR * len(rows),
        "bars": [
            {
                "y": BAR * at,
                "name": name,
                "width": round(100 * size / most, 2),
                "size": f"{iec(size)}, {percent(size / whole)}",
                "objects": plural(objects, "object"),
            }
            for at, (name, objects, size) in enumerate(rows)
        ],
        "said": "Bytes by lifetime: " + "; ".join(f"{name}: {iec(size)}" for name, _, size in rows),
    }


def lived(cycles: int) -> str:
    return "dead at the first GC" if cycles == 0 else f"lived through {plural(cycles, 'GC')}"


def pace(document: Document) -> Document | None:
    """Memory against GC work, a point for each setting of GOGC; and the tables of `goalloc pace`."""
    found = document if document["schema"] == "goalloc pace" else document.get("pace")
    if found is None:
        return None
    known = [row for row in found["settings"] if row["gc_work"] is not None and not row["with_tracer"]]
    tables = [shown_table(block) for block in (settings(found), *frontier(found)) if isinstance(block, Table)]
    if len(known) < 2:
        return {"points": [], "tables": tables, "x": [], "y": []}
    most_bytes = max(row["usual_peak_mapped"] for row in known) * 1.1 or 1
    most_work = max(row["gc_work"][1] for row in known) * 1.1 or 1
    points = [
        {
            "x": round(100 * row["usual_peak_mapped"] / most_bytes, 2),
            "y": round(100 - 100 * row["gc_work"][1] / most_work, 2),
            "name": named(row),
            "best": bool(row["pareto"]),
            "said": f"{named(row)}: at most {iec(row['usual_peak_mapped'])}, GC work {row['gc_work'][1]:.2f}",
        }
        for row in known
    ]
    return {
        "points": with_labels(points),
        "x": [{"at": 100 * i / 4, "label": iec(most_bytes * i / 4)} for i in range(5)],
        "y": [{"at": 100 - 100 * i / 4, "label": f"{most_work * i / 4:.2f}"} for i in range(5)],
        "tables": tables if document.get("pace") else [],
        "said": "Memory against GC work: " + "; ".join(point["said"] for point in points),
    }


def with_labels(points: list[Document]) -> list[Document]:
    """Each point with the `label` beside it; points that lie too near for one each share that of the first."""
    out: list[Document] = []
    for point in points:
        near = (p for p in out if p["label"] and abs(p["x"] - point["x"]) < NEAR_X and abs(p["y"] - point["y"]) < NEAR_Y)
        first = next(near, None)
        if first is not None:
            first["label"] += ", " + point["name"].removeprefix("GOGC=")
        out.append({**point, "label": "" if first is not None else point["name"]})
    return out
