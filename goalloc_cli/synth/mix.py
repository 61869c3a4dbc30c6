"""What is allocated: shapes with weights, by hand or from the histogram of a real trace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import read_whole
from goalloc_cli.synth.world import MAX_SHAPES
from goalloc_cli.trace.event import NOSCAN, TypeInfo

ALWAYS = 1 << 32
"""A chance that no draw of 32 bits reaches."""
LARGEST = 1 << 40
"""Largest object that a histogram may hold."""
MOST_SIZES = 16 << 20
"""Bytes of what `goalloc stats` prints as JSON."""


@dataclass(frozen=True)
class Shape:
    """Objects of one type: `least` to `most` bytes in steps of `step`."""

    type_name: str
    """As in a recording: for a slice, the type of its elements."""
    least: int
    most: int
    step: int = 1
    pointers: bool = True
    weight: float = 1.0

    @property
    def info(self) -> TypeInfo:
        size = self.step if self.most > self.least else self.least
        return TypeInfo(self.type_name, size, size // 8 * 8 if self.pointers else 0)


def struct(type_name: str, size: int, weight: float = 1.0, pointers: bool = True) -> Shape:
    """Objects of one size."""
    return Shape(type_name, size, size, 1, pointers, weight)


OBJECTS = (
    struct("main.Node", 48, 30),
    struct("main.Item", 96, 15),
    struct("main.Record", 240, 5),
    struct("main.Point", 24, 8, pointers=False),
    struct("map.group[string]int", 200, 5),
    Shape("uint8", 1, 64, 1, pointers=False, weight=25),
    Shape("uint8", 65, 1024, 1, pointers=False, weight=5),
    Shape("*main.Node", 8, 512, 8, weight=6),
    Shape("float64", 1024, 8192, 8, pointers=False, weight=1),
)
"""A program's usual small objects: 100 bytes on average, a third of them without pointers."""


def types_of(shapes: Sequence[Shape]) -> list[TypeInfo]:
    """The types of a mix, each once."""
    return list({shape.type_name: shape.info for shape in shapes}.values())


def set_shapes(world: np.record, shapes: Sequence[Shape]) -> None:
    """Let the world draw from a mix."""
    names = [new.name for new in types_of(shapes)]
    for row, shape in zip(world.shapes, shapes, strict=False):
        row.least, row.step, row.steps = shape.least, shape.step, (shape.most - shape.least) // shape.step + 1
        row.flag = 0 if shape.pointers else NOSCAN
        row.type_id = names.index(shape.type_name) + 1
    world.nshapes = len(shapes)
    for at, (chance, other) in enumerate(aliases([shape.weight for shape in shapes])):
        world.shapes[at].chance, world.shapes[at].other = chance, other


def aliases(weights: Sequence[float]) -> list[tuple[int, int]]:
    """For each weight the chance (of 2**32) to stay with it, and the one to go to otherwise. (Walker, Vose)"""
    total = sum(weights)
    left = [weight * len(weights) / total for weight in weights]
    found = [(ALWAYS, at) for at in range(len(weights))]
    poor = [at for at, part in enumerate(left) if part < 1]
    rich = [at for at, part in enumerate(left) if part >= 1]
    while poor and rich:
        at, giver = poor.pop(), rich[-1]
        found[at] = (int(left[at] * ALWAYS), giver)
        left[giver] -= 1 - left[at]
        if left[giver] < 1:
            poor.append(rich.pop())
    return found


def read_sizes(path: str) -> tuple[Shape, ...]:
    """The sizes of a real trace, from what `goalloc stats TRACE --format json` printed.

    Raises:
        TraceError: the file is something else.
    """
    try:
        found = json.loads(read_whole(path, MOST_SIZES))
        if found["schema"] != "goalloc stats":
            raise ValueError(f"its schema is {found['schema']!r}")
        return shapes_of(found)
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        told = f"it has no {error}" if isinstance(error, KeyError) else error
        raise TraceError(f"{path}: not what `goalloc stats TRACE --format json` prints ({told})") from error


def shapes_of(document: dict[str, Any]) -> tuple[Shape, ...]:
    """Two shapes for each bucket of the histogram, with and without pointers; objects and bytes come out the same."""
    buckets = [bucket for bucket in document["sizes"] if bucket["objects"]]
    if not buckets or 2 * len(buckets) > MAX_SHAPES:
        raise ValueError("it counts no allocations" if not buckets else "it has too many sizes")
    noscan = document["noscan_allocs"] / document["allocs"]
    if not 0 <= noscan <= 1:
        raise ValueError("more allocations without pointers than allocations")
    shapes = []
    for bucket in buckets:
        least, most = bounds(int(bucket["upto"]), bucket["object_bytes"] / bucket["objects"])
        for pointers, part in ((True, 1 - noscan), (False, noscan)):
            told = f"{least:,} to {most:,} bytes" if most > least else f"{most:,} bytes"
            name = f"main.{'Object' if pointers else 'Data'} of {told}"
            shapes.append(Shape(name, least, most, 1, pointers, bucket["objects"] * part))
    return tuple(shapes)


def bounds(upto: int, mean: float) -> tuple[int, int]:
    """The widest range of sizes within a bucket that has this mean."""
    lowest = upto // 2 + 1
    if not 1 <= upto <= LARGEST or not lowest - 1 <= mean <= upto:
        raise ValueError(f"sizes up to {upto} cannot be {mean:.1f} bytes on average")
    reach = min(round(mean) - lowest, upto - round(mean))
    return max(round(mean) - max(reach, 0), 1), max(round(mean) + max(reach, 0), 1)
