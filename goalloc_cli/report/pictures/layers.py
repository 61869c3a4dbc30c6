"""The heap in layers, from what the program asked for up to what the OS has back: the same in every picture.

Their boundaries are Go's names: the first five layers are HeapAlloc, the first eight HeapInuse, the first nine
HeapSys - HeapReleased. Above lie what the runtime has beside the heap, and the pages that the OS has back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Layer:
    """One layer."""

    key: str
    name: str
    short: str
    """For a terminal."""
    columns: tuple[str, ...]
    """The columns of a series that it is the sum of."""
    colour: str
    """On a terminal's dark ground: that of the page's dark theme."""
    letter: str
    shade: str
    """Without colour: in ASCII, and where there is Unicode."""


LAYERS = (
    Layer("requested", "requested by the program", "requested", ("requested",), "#4e97e0", "#", "█"),
    Layer("tracer", "execution tracer", "tracer", ("tracer",), "#2a5c96", "t", "t"),
    Layer("rounding", "rounding and headers", "rounding",
          ("headers", "class_rounding", "large_rounding", "tiny_waste"), "#d9cdfb", "%", "%"),
    Layer("unfound", "dead, not yet found", "dead, unfound", ("dead_unfound",), "#926d1a", "u", "▚"),
    Layer("unswept", "dead, not yet swept", "dead, unswept", ("dead_unswept",), "#efc04a", "d", "▒"),
    Layer("metadata", "span tails and metadata", "tails, metadata", ("tail_waste", "span_metadata"), "#5e594a", "=", "="),
    Layer("cached", "free slots in mcaches", "free in mcaches", ("free_slots_cached",), "#f8cfae", "+", "+"),
    Layer("free", "free slots elsewhere", "free slots", ("free_slots",), "#f16b5d", "f", "▓"),
    Layer("idle", "idle, backed", "idle, backed", ("idle_backed",), "#758391", ".", "░"),
    Layer("rest", "stacks and runtime", "stacks, runtime", ("stack_inuse", "gc_workbufs", "records", "not_modelled"),
          "#a7b1bb", "r", "r"),
    Layer("released", "idle, released", "released", ("heap_released",), "#3a424a", "-", "-"),
)  # fmt: skip
HEAP_ALLOC = LAYERS[:5]
"""Those of objects, live or not swept yet."""
IN_HEAP = LAYERS[:8]
"""Those of HeapInuse."""
BACKED = LAYERS[:9]
"""Those of what the heap keeps: HeapSys - HeapReleased."""
TOPS = {"unswept": "HeapAlloc", "free": "HeapInuse", "idle": "HeapSys - HeapReleased"}
"""What the boundary above a layer is called."""

def size_of(layer: Layer, at: Mapping[str, Any]) -> int:
    """Bytes of a layer at one moment, by the columns of a series."""
    return sum(int(at[name]) for name in layer.columns)


def mixed(one: str, other: str, part: float) -> str:
    """A colour between two."""
    a, b = bytes.fromhex(one[1:]), bytes.fromhex(other[1:])
    return "#" + bytes(round(x + (y - x) * part) for x, y in zip(a, b, strict=True)).hex()
