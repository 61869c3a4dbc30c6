"""Over time: the layers of the heap one on the other, GC cycles, the goal; and the moment that is read off at their side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.forms.html.svg import WIDE, along, band, height, line, steps, ticks
from goalloc_cli.report.pictures.layers import LAYERS, TOPS, size_of
from goalloc_cli.report.pictures.series import REASONS, Series, at, columns_of, index_of, stacked
from goalloc_cli.report.units import between, duration, iec, plural

Document = dict[str, Any]

AXES = {"total_alloc": "bytes allocated", "time_ns": "time", "event": "events"}
"""What moments can be laid out by, the best one first."""
APART = 8
"""An axis on which fewer moments than this are apart tells nothing."""
ROOM = 1.04
"""The highest point lies so far below the top."""
SUMS = {"unswept": "heap_alloc", "free": "heap_inuse", "idle": "kept"}


def axes(columns: Series) -> list[str]:
    """The axes that tell moments apart, the best one first."""
    least = min(APART, len(columns["event"]))
    return [name for name in AXES if len(set(columns[name])) >= least] or ["event"]


def overtime(document: Document) -> Document | None:
    """The section, or None where there is nothing to draw."""
    columns = columns_of(document)
    if len(columns["event"]) < 2 or not max(columns["heap_sys"]):
        return None
    found = axes(columns)
    xs = along(columns[found[0]])
    tops = stacked(columns)
    # What the OS has back may be far more than all the rest: it is cut off at the top then.
    top = round(max(int(tops[-2].max()) * ROOM, min(int(tops[-1].max()), 1.3 * int(tops[-2].max()))))
    lines = [[height(int(v), top) for v in layer] for layer in tops]
    floor = [WIDE] * len(xs)
    peak = index_of(columns, document["summary"]["peak"]["event"])
    goals = [(x, height(goal, top)) for x, goal in zip(xs, columns["next_gc"], strict=True) if 0 < goal <= 4 * top]
    return {
        "axes": [{"name": name, "label": AXES[name]} for name in found],
        "layers": [
            {"key": layer.key, "d": band(xs, below, above)}
            for layer, below, above in zip(LAYERS, [floor, *lines[:-1]], lines, strict=True)
        ],
        "inuse": line(zip(xs, (height(v, top) for v in columns["heap_inuse"]), strict=True)),
        "goal": line(steps(goals)),
        "peak": xs[peak],
        "marks": [xs[i] for i in ends(columns)],
        "marks_said": marks_said(document, columns),
        "y": [{"at": round(height(size, top) / 10, 2), "label": iec(size)} for size in ticks(top)],
        "x": labels(columns, found[0]),
        "top": top,
        "readout": readout(columns, -1),
        "samples": len(xs),
        "said": said(columns, AXES[found[0]]),
    }


def ends(columns: Series) -> list[int]:
    """The samples at which a GC cycle ended."""
    return [i for i, reason in enumerate(columns["reason"]) if reason == REASONS.index("gc")]


def marks_said(document: Document, columns: Series) -> str:
    """What the marks below the picture are."""
    shown, cycles = len(ends(columns)), document["summary"]["gc_cycles"]
    return f"{plural(shown, 'end')} of GC cycles" + (f", of {cycles:,}" if shown < cycles else "")


def labels(columns: Series, axis: str) -> list[Document]:
    """Five values along the axis."""
    low, high = columns[axis][0], columns[axis][-1]
    anchors = ("start", "middle", "middle", "middle", "end")
    values = [low + (high - low) * i // 4 for i in range(5)]
    return [
        {"at": 25 * i, "label": shown(value, axis), "anchor": anchor}
        for i, (value, anchor) in enumerate(zip(values, anchors, strict=True))
    ]


def shown(value: int, axis: str) -> str:
    return duration(value) if axis == "time_ns" else iec(value) if axis == "total_alloc" else f"{value:,}"


def readout(columns: Series, index: int) -> list[Document]:
    """One moment, from the top of the picture down; the script fills in any other."""
    sample = at(columns, index)
    rows: list[Document] = []
    for layer in reversed(LAYERS):
        if layer.key == "rest":
            rss = between(sample["rss_low"], sample["rss_high"])
            rows.append({"id": "rss", "name": "RSS", "key": "", "value": rss})
        if layer.key in TOPS:
            name = SUMS[layer.key]
            size = sample["heap_sys"] - sample["heap_released"] if name == "kept" else sample[name]
            rows.append({"id": name, "name": TOPS[layer.key], "key": "", "value": iec(size)})
        rows.append({"id": layer.key, "name": layer.name, "key": layer.key, "value": iec(size_of(layer, sample))})
    return [*rows, {"id": "next_gc", "name": "heap goal (NextGC)", "key": "", "value": iec(sample["next_gc"])}]


def said(columns: Series, axis: str) -> str:
    """The picture in words."""
    inuse: Sequence[int] = columns["heap_inuse"]
    told = f"HeapInuse goes from {iec(inuse[0])} to {iec(inuse[-1])}, at most {iec(max(inuse))}"
    return f"The heap in layers over {axis}: {told}. The table beside it has the rows."
