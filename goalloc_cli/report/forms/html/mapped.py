"""The heap map: what lies on each page, at the frame of the peak and at the end; the script shows the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.report.forms.html.svg import picture
from goalloc_cli.report.pictures.heapmap import shortened, unpacked
from goalloc_cli.report.pictures.layers import mixed
from goalloc_cli.report.tables.objects import spc_name
from goalloc_cli.report.units import iec, percent, short_size
from goalloc_cli.results.pictures import KINDS, LARGE, PLANES, SMALL, WHO

Document = dict[str, Any]
Frames = NDArray[np.uint8]

NAMES = {
    "closed": "not in the heap", "free": "free, backed", "released": "free, released", "cached": "in a page cache",
    "small": "spans of small objects", "large": "large objects", "stack": "goroutine stacks", "workbuf": "GC work buffers",
}  # fmt: skip
COLOURS = {
    "closed": "#eceeef", "free": "#c3cdd7", "released": "#e0e4e8", "cached": "#dbbfae", "small": "#2767ad",
    "large": "#1b4a80", "stack": "#3f9a8a", "workbuf": "#94589f",
}  # fmt: skip
"""Of the pictures for paper and for browsers without scripts; on the screen the style decides."""
DEAD, EMPTY, LITTLE = "#d99a14", "#e8b4ae", "#c93a2c"
SHADES = 10
OF_CLASS = ("elem_size", "nelems", "npages")
FEW_CELLS = 2048
"""A map of no more has 64 cells in a row, a larger one 128."""


def mapped(document: Document) -> Document | None:
    """The section, or None where the document has no map."""
    if "map" not in document:
        return None
    found = document["map"]
    frames = unpacked(found)
    moments = found["frames"]
    peak = document["summary"]["peak"]["event"]
    at_peak = min(range(len(moments)), key=lambda i: abs(moments[i]["event"] - peak))
    columns = 64 if found["cells"] <= FEW_CELLS else 128
    pictures = [
        picture_of(frames[at_peak], columns, f"At event {moments[at_peak]['event']:,}, the frame nearest to the peak"),
        picture_of(frames[-1], columns, "At the end"),
    ]
    cell_bytes = found["cell_pages"] * found["page_bytes"]
    end = moments[-1]
    return {
        "cell": short_size(cell_bytes),
        "pictures": pictures if at_peak < len(moments) - 1 else pictures[1:],
        "first": f"{int(found['first_addr']):#x}",
        "frames": len(moments),
        "says": says(end),
        "kinds": [
            {"key": kind, "name": NAMES[kind], "size": iec(pages * found["page_bytes"])}
            for kind, pages in zip(KINDS, end["pages"], strict=True)
        ],
        "has_who": WHO in found["planes"],
    }


def says(frame: Document) -> str:
    """How many pages are held by little."""
    small = frame["pages"][SMALL]
    if not small:
        return "There is no span of small objects."
    return f"{percent(frame['thin_pages'] / small)} of the pages in spans of small objects are less than half live."


def picture_of(frame: Frames, columns: int, name: str) -> Document:
    """A map as a picture: by how full each cell is."""
    kind, full, dead = (frame[PLANES.index(plane)] for plane in ("kind", "occupancy", "dead"))
    shade = np.minimum(full // SHADES, SHADES) + len(KINDS)
    empty = np.where(dead > 0, len(KINDS) + SHADES + 1, len(KINDS) + SHADES + 2)
    pixels = np.where(kind == SMALL, np.where(full > 0, shade, empty), kind)
    palette = [
        *(COLOURS[kind] for kind in KINDS), *(mixed(LITTLE, COLOURS["small"], i / SHADES) for i in range(SHADES + 1)),
        DEAD, EMPTY,
    ]  # fmt: skip
    rows = -(-len(pixels) // columns)
    whole = np.zeros(rows * columns, np.uint8)
    whole[: len(pixels)] = pixels
    return {"name": name, "src": picture(whole.tobytes(), columns, palette), "width": columns, "height": rows}


def data(document: Document) -> Document | None:
    """What the script needs of the map, each value of its kind."""
    if "map" not in document:
        return None
    found = document["map"]
    unpacked(found)
    return {
        **{name: int(found[name]) for name in ("cells", "cell_pages", "page_bytes", "first_addr")},
        "planes": [*PLANES, WHO][: len(found["planes"])],
        "types": [shortened(str(name)) for name in found["types"]],
        "who": [shortened(str(name)) for name in found.get(WHO, ())],
        "names": [NAMES[kind] for kind in KINDS],
        "frames": [
            {
                **{name: int(frame[name]) for name in ("event", "time_ns", "total_alloc", "thin_pages")},
                "why": str(frame["why"]),
                "pages": [int(n) for n in frame["pages"]],
            }
            for frame in found["frames"]
        ],
        "data": str(found["data"]),
        "small": SMALL,
        "large": LARGE,
        "classes": {
            str(row["spc"]): [spc_name(row["spc"], row["elem_size"]), *(int(row[name]) for name in OF_CLASS)]
            for row in document["classes"]
        },
    }
