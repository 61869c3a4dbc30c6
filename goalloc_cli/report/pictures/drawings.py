"""A replay's document as drawings for a terminal."""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.pictures.heapmap import unpacked
from goalloc_cli.report.pictures.layers import BACKED, Layer, mixed, size_of
from goalloc_cli.report.pictures.series import REASONS, columns_of
from goalloc_cli.report.tables.blocks import Areas, Bars, Block, Cells
from goalloc_cli.report.units import iec
from goalloc_cli.results.pictures import KINDS, LARGE, PLANES, SMALL

Document = dict[str, Any]

FREE_OF = {
    "closed": Layer("closed", "", "not in the heap", (), "#22282e", " ", " "),
    "free": Layer("free", "", "free", (), "#5d6b78", ".", "."),
    "released": Layer("released", "", "released", (), "#39424b", ",", ","),
    "cached": Layer("cached", "", "in a page cache", (), "#8a7f78", "c", "c"),
    "stack": Layer("stack", "", "stacks", (), "#57b5a4", "s", "s"),
    "workbuf": Layer("workbuf", "", "GC", (), "#b47bc0", "w", "w"),
    "large": Layer("large", "", "large", (), "#b9d5f3", "L", "L"),
}
FULL, LITTLE = "#4e97e0", "#f16b5d"
FILL = (
    Layer("empty", "", "nothing live", (), "#7a3a36", "x", "x"),
    Layer("little", "", "below 1/4 live", (), LITTLE, "-", "░"),
    Layer("some", "", "below 1/2", (), mixed(LITTLE, FULL, 1 / 3), "=", "▒"),
    Layer("more", "", "below 3/4", (), mixed(LITTLE, FULL, 2 / 3), "%", "▓"),
    Layer("full", "", "more", (), FULL, "#", "█"),
)
"""How full a cell in spans of small objects is."""
CELL_KEYS = (*(FREE_OF.get(kind, FILL[0]) for kind in KINDS), *FILL)


def ledger_bars(document: Document) -> list[Block]:
    """HeapInuse, and what is idle, at the peak and at the end."""
    rows = []
    for name, when in (("at the peak", "peak"), ("at the end", "end")):
        part = document["fragmentation"][when]
        found = {row["name"]: int(row["bytes"]) for row in part["ledger"]}
        found["idle_backed"] = part["heap_sys"]["idle_backed"]
        rows.append((name, [size_of(layer, found) for layer in BACKED], iec(part["heap_inuse"])))
    return [Bars("", BACKED, rows)]


def layers_over_time(document: Document) -> list[Block]:
    """The same over bytes allocated; over events, where nothing is known to be allocated."""
    columns = columns_of(document)
    axis = columns["total_alloc"] if columns["total_alloc"][-1] > columns["total_alloc"][0] else columns["event"]
    span = axis[-1] - axis[0]
    if len(axis) < 2 or span <= 0:
        return []
    at = [(value - axis[0]) / span for value in axis]
    ends = [place for place, reason in zip(at, columns["reason"], strict=True) if reason == REASONS.index("gc")]
    sizes = [[sum(values) for values in zip(*(columns[name] for name in layer.columns), strict=True)] for layer in BACKED]
    over = "bytes allocated" if axis is columns["total_alloc"] else "events"
    return [Areas(f"The heap over {over}", BACKED, at, sizes, ends, "GC")]


def map_at_the_end(document: Document) -> list[Block]:
    """What lies on the heap's pages, where the document has maps."""
    if "map" not in document:
        return []
    found = document["map"]
    last = dict(zip(PLANES, unpacked(found)[-1].tolist(), strict=False))  # there may be one more, of who
    kinds = [
        LARGE if kind == LARGE else len(KINDS) + fill(full) if kind == SMALL else kind
        for kind, full in zip(last["kind"], last["occupancy"], strict=True)
    ]
    return [Cells("Heap map at the end", CELL_KEYS, kinds, found["cell_pages"] * found["page_bytes"])]


def fill(percent: int) -> int:
    """The place in FILL of so many per cent live."""
    return 0 if not percent else 1 + min(percent // 25, 3)
