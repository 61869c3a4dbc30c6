"""Where the memory is: two bars, at the peak and at the end, and the table that they are drawn from."""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.documents.ledger import LABELS, MEANINGS
from goalloc_cli.report.pictures.layers import BACKED, HEAP_ALLOC, IN_HEAP, LAYERS, Layer, size_of
from goalloc_cli.report.tables.released import ROWS
from goalloc_cli.report.units import between, iec, percent

Document = dict[str, Any]
Moment = dict[str, int]

LABELLED = 8
"""Per cent of the bar that a part must take to have its size written in it."""
BESIDE = {
    "stacks": "stack_inuse", "gc_workbufs": "gc_workbufs", "runtime_records": "records", "not_modelled": "not_modelled",
}  # fmt: skip
"""Rows of the resident memory beside the heap, and the columns of a series that they are."""
KEY_OF = {column: layer.key for layer in LAYERS for column in layer.columns}


def moment(document: Document, when: str) -> Moment:
    """All columns of the layers at the peak or at the end, from the same figures as the reports."""
    part, beside = document["fragmentation"][when], document["released"][when]
    found = {row["name"]: int(row["bytes"]) for row in part["ledger"]}
    found |= {"idle_backed": part["heap_sys"]["idle_backed"], "heap_released": part["heap_sys"]["idle_released"]}
    rss = {row["name"]: int(row["bytes"]) for row in beside["rss"]}
    found |= {column: rss.get(name, 0) for name, column in BESIDE.items()}
    return found | {"rss_low": beside["rss_low"], "rss_high": beside["rss_high"], "heap_inuse": part["heap_inuse"]}


def where(document: Document) -> Document:
    """The section."""
    peak, end = moment(document, "peak"), moment(document, "end")
    whole = max(max(sum(size_of(layer, at) for layer in LAYERS), at["rss_high"]) for at in (peak, end)) or 1
    return {
        "bars": [bar("At the peak", peak, whole), bar("At the end", end, whole)],
        "rows": rows(document, peak, end),
        "keys": [{"key": layer.key, "name": layer.name} for layer in LAYERS],
    }


def bar(name: str, at: Moment, whole: int) -> Document:
    """One bar: its parts from the left, marks at Go's names, and the range of the RSS below it."""
    parts: list[Document] = []
    below = 0
    for layer in LAYERS:
        size = size_of(layer, at)
        if size:
            share = 100 * size / whole
            parts.append(
                {
                    "key": layer.key,
                    "x": round(100 * below / whole, 3),
                    "width": round(share, 3),
                    "middle": round(100 * (below + size / 2) / whole, 3),
                    "said": f"{layer.name}: {iec(size)}",
                    "bytes": size,
                    "label": iec(size) if share > LABELLED else "",
                }
            )
        below += size
    low, high = 100 * at["rss_low"] / whole, 100 * at["rss_high"] / whole
    return {
        "name": name,
        "heap_inuse": iec(at["heap_inuse"]),
        "parts": parts,
        "mark": round(100 * below_top(IN_HEAP, at) / whole, 3),
        "rss": {"x": round(low, 3), "end": round(high, 3), "said": f"RSS {between(at['rss_low'], at['rss_high'])}"},
        "said": f"{name}, HeapInuse is {iec(at['heap_inuse'])}: " + "; ".join(part["said"] for part in parts),
    }


def below_top(layers: tuple[Layer, ...], at: Moment) -> int:
    return sum(size_of(layer, at) for layer in layers)


def rows(document: Document, peak: Moment, end: Moment) -> list[Document]:
    """The rows of the table; those in bold are sums of what stands above them."""
    figure = {row["name"]: row["figure"] for row in document["fragmentation"]["end"]["ledger"]}
    exact = "bounded" if document["lost"] or document.get("uncollected") else "exact"
    told = {row["name"]: row["figure"] for row in document["released"]["end"]["rss"]}
    order = [name for layer in IN_HEAP for name in layer.columns]
    found = []
    for name in order:
        found.append(row(LABELS[name], KEY_OF[name], peak[name], end[name], figure[name], MEANINGS[name]))
        if name == "dead_unswept":
            allocated = [below_top(HEAP_ALLOC, at) for at in (peak, end)]
            found.append(total("= HeapAlloc", *allocated, figure=exact, meaning="objects, live or not swept yet"))
    inuse = end["heap_inuse"]
    own = [one for one in found if one["key"]]
    for one, name in zip(own, order, strict=True):
        one["share"] = percent(end[name] / inuse) if inuse else ""
    found.append(total("= HeapInuse", peak["heap_inuse"], inuse, figure=exact, meaning="spans with at least one object"))
    found.append(row("idle, backed", "idle", peak["idle_backed"], end["idle_backed"], "bounded", ROWS["idle_backed"][1]))
    kept = [below_top(BACKED, at) for at in (peak, end)]
    found.append(total("= HeapSys - HeapReleased", *kept, figure="bounded", meaning="what the heap keeps"))
    for name, column in BESIDE.items():
        found.append(row(ROWS[name][0], "rest", peak[column], end[column], told.get(name, "unknown"), ROWS[name][1]))
    rss = total("RSS", 0, 0, figure="bounded", meaning="what the OS counts: not all of the above was touched")
    found.append({**rss, **{when: between(at["rss_low"], at["rss_high"]) for when, at in (("peak", peak), ("end", end))}})
    gone, back = "free pages the OS has back", "heap_released"
    return [*found, row("idle, released", "released", peak[back], end[back], "bounded", gone)]


def row(name: str, key: str, peak: int, end: int, figure: str, meaning: str) -> Document:
    return {
        "name": name, "key": key, "peak": iec(peak), "end": iec(end), "figure": figure, "meaning": meaning, "total": False,
        "zero": not peak and not end, "share": "", "peak_bytes": peak, "end_bytes": end,
    }  # fmt: skip


def total(name: str, peak: int, end: int, *, figure: str, meaning: str) -> Document:
    return row(name, "", peak, end, figure, meaning) | {"total": True, "zero": False}
