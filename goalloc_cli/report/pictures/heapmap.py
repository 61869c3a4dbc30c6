"""Maps of the heap's pages in a document: frames of bytes, one behind the other, packed.

Each frame is told by its difference to the one before, byte by byte; all of them are deflated together. A browser unpacks
that by itself.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.report.units import clean
from goalloc_cli.results.pictures import KINDS, MOST_CELLS, MOST_FRAMES, MOST_TYPES, PLANES, Frame, PageMap

Document = dict[str, Any]
Planes = NDArray[np.uint8]

MOST_PACKED = 700 << 10
"""Bytes of all frames, packed; of too many every other one is left out."""
LEVEL = 6
CODING = "delta, deflate-raw, base64"
OTHER = 255
"""A type that is on fewer cells than those in `types`."""
NAME = 120
"""A type's name is cut to so many characters."""
TYPE_PLANE = PLANES.index("type")


def heap_map(found: PageMap) -> Document:
    """The frames, packed."""
    numbers = place_of_types(found)
    planes = [frame_planes(frame, numbers) for frame in found.frames]
    frames = found.frames
    data = packed(planes)
    while len(data) > MOST_PACKED and len(frames) > 2:
        # The last is the end, which is kept.
        planes, frames = planes[(len(planes) - 1) % 2 :: 2], frames[(len(frames) - 1) % 2 :: 2]
        data = packed(planes)
    order = sorted(numbers, key=lambda type_id: numbers[type_id])
    return {
        "cells": found.cells,
        "cell_pages": 1 << found.shift,
        "page_bytes": found.page_bytes,
        "first_addr": found.base_addr + (found.first_cell << found.shift) * found.page_bytes,
        "kinds": list(KINDS),
        "planes": list(PLANES),
        "types": ["", *(shortened(found.type_names[type_id]) for type_id in order)],
        "frames": [told(frame) for frame in frames],
        "coding": CODING,
        "data": base64.b64encode(data).decode(),
    }


def told(frame: Frame) -> Document:
    """When a frame was taken, and exact sums of its pages."""
    return {
        "event": frame.event, "time_ns": frame.time_ns, "total_alloc": frame.total_alloc, "why": frame.why,
        "pages": list(frame.pages[: len(KINDS)]), "thin_pages": frame.pages[len(KINDS)],
    }  # fmt: skip


def place_of_types(found: PageMap) -> dict[int, int]:
    """The number, from 1 on, of each type that is on many cells."""
    ids, counts = np.unique(np.concatenate([frame.types for frame in found.frames]), return_counts=True)
    known = [(-int(n), int(i)) for i, n in zip(ids, counts, strict=True) if i > 0]
    return {type_id: number for number, (_, type_id) in enumerate(sorted(known)[:MOST_TYPES], 1)}


def frame_planes(frame: Frame, numbers: dict[int, int]) -> Planes:
    """All PLANES of a frame, shape (planes, cells)."""
    ids, where = np.unique(frame.types, return_inverse=True)
    table = np.array([numbers.get(int(i), OTHER if i > 0 else 0) for i in ids], np.uint8)
    return np.insert(frame.planes, TYPE_PLANE, table[where.reshape(-1)], axis=0)


def packed(planes: list[Planes]) -> bytes:
    """Frames as one string of bytes."""
    whole = np.stack(planes)
    change = np.diff(whole, axis=0, prepend=np.zeros_like(whole[:1]))
    pack = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    return pack.compress(change.tobytes()) + pack.flush()


def unpacked(document: Document) -> NDArray[np.uint8]:
    """All frames of a document's map, shape (frames, planes, cells); raise ValueError where they are not what it says."""
    frames, planes, cells = len(document["frames"]), len(document["planes"]), int(document["cells"])
    if not 0 < cells <= MOST_CELLS or not 0 < frames <= MOST_FRAMES + 1 or planes != len(PLANES):
        raise ValueError("the map is larger than any that goalloc makes")
    size = frames * planes * cells
    unpack = zlib.decompressobj(-15)
    try:
        raw = unpack.decompress(base64.b64decode(document["data"], validate=True), size + 1)
    except zlib.error as error:
        raise ValueError(f"the map cannot be unpacked: {error}") from None
    if len(raw) != size:
        raise ValueError("the map has not as many bytes as it says")
    change = np.frombuffer(raw, np.uint8).reshape(frames, planes, cells)
    return np.cumsum(change, axis=0, dtype=np.uint8)


def shortened(name: str) -> str:
    """A name that can be shown anywhere, of no more than NAME characters."""
    safe = clean(name)
    return safe if len(safe) <= NAME else safe[: NAME - 1] + "\u2026"
