"""Maps of the heap's pages in a document: frames of bytes, one behind the other, packed.

Each frame is told by its difference to the one before, byte by byte; all of them are deflated together. A browser unpacks
that by itself.
"""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.report.units import clean
from goalloc_cli.results.pictures import KINDS, MOST_CELLS, MOST_FRAMES, MOST_TYPES, PLANES, WHO, Frame, PageMap

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
    frames, has_who = found.frames, bool(found.owner_names)
    types, type_names = places([frame.types for frame in frames], ["", *found.type_names])
    owners, owner_names = places([frame.owners for frame in frames], found.owner_names)
    planes = [frame_planes(frame, types, owners if has_who else None) for frame in frames]
    data = packed(planes)
    while len(data) > MOST_PACKED and len(frames) > 2:
        # The last is the end, which is kept.
        planes, frames = planes[(len(planes) - 1) % 2 :: 2], frames[(len(frames) - 1) % 2 :: 2]
        data = packed(planes)
    return {
        "cells": found.cells,
        "cell_pages": 1 << found.shift,
        "page_bytes": found.page_bytes,
        "first_addr": found.base_addr + (found.first_cell << found.shift) * found.page_bytes,
        "kinds": list(KINDS),
        "planes": [*PLANES, *([WHO] if has_who else [])],
        "types": type_names,
        **({WHO: owner_names} if has_who else {}),
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


def places(numbers: list[NDArray[np.int32]], names: list[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """Which names are on most cells.

    Args:
        numbers: of each frame a number for each cell, -1 or more.
        names: by number + 1; "" and what is beyond: not known.

    Returns:
        By number + 1, the place of its name: from 1 on, OTHER where it is on few cells, 0 where it has none; and the names
        by place.
    """
    most = max(int(one.max(initial=0)) for one in numbers)
    counts = np.sum([np.bincount(one + 1, minlength=most + 2) for one in numbers], axis=0)
    names = [*names[: most + 2], *[""] * (most + 2 - len(names))]
    found: Counter[str] = Counter()
    for name, count in zip(names, counts.tolist(), strict=True):
        found[name] += count
    order = sorted((name for name in found if name and found[name]), key=lambda name: (-found[name], name))[:MOST_TYPES]
    place = {name: at for at, name in enumerate(order, 1)}
    told = np.array([place.get(name, OTHER) if name else 0 for name in names], np.uint8)
    return told, ["", *(shortened(name) for name in order)]


def frame_planes(frame: Frame, types: NDArray[np.uint8], owners: NDArray[np.uint8] | None) -> Planes:
    """All PLANES of a frame, and that of owners where there is one; shape (planes, cells)."""
    planes = np.insert(frame.planes, TYPE_PLANE, types[frame.types + 1], axis=0)
    return planes if owners is None else np.concatenate([planes, [owners[frame.owners + 1]]])


def packed(planes: list[Planes]) -> bytes:
    """Frames as one string of bytes."""
    whole = np.stack(planes)
    change = np.diff(whole, axis=0, prepend=np.zeros_like(whole[:1]))
    # Most changes are none: runs of zeros alone are looked for, which is five times as fast, and no worse.
    pack = zlib.compressobj(LEVEL, zlib.DEFLATED, -15, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return pack.compress(change.tobytes()) + pack.flush()


def unpacked(document: Document) -> NDArray[np.uint8]:
    """All frames of a document's map, shape (frames, planes, cells); raise ValueError where they are not what it says."""
    frames, planes, cells = len(document["frames"]), len(document["planes"]), int(document["cells"])
    if not 0 < cells <= MOST_CELLS or not 0 < frames <= MOST_FRAMES or not 0 <= planes - len(PLANES) <= 1:
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
