"""Paths, ticks and small pictures: what the charts of the page are drawn with."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

WIDE = 1000
"""Charts are drawn in a square of so many units, which the browser stretches."""
NICE = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MOST_TICKS = 5

Point = tuple[int, int]


def along(values: Sequence[int | float]) -> list[int]:
    """Where values lie between the first and the last, from 0 to WIDE; spread evenly where they are all alike."""
    low, high = values[0], values[-1]
    if high <= low:
        return [WIDE * i // max(len(values) - 1, 1) for i in range(len(values))]
    return [min(max(round(WIDE * (value - low) / (high - low)), 0), WIDE) for value in values]


def height(value: int | float, top: int | float) -> int:
    """How far below the top edge a value is drawn."""
    return min(max(round(WIDE - WIDE * value / top), 0), WIDE) if top else WIDE


def line(points: Iterable[Point]) -> str:
    """A path through points, by steps from each to the next; a point that repeats the one before is left out."""
    found = [point for point, _ in groupby(points)]
    if not found:
        return ""
    parts = [f"M{found[0][0]} {found[0][1]}", *(f"l{bx - ax} {by - ay}" for (ax, ay), (bx, by) in pairwise(found))]
    return "".join(parts).replace(" -", "-")


def band(xs: Sequence[int], lows: Sequence[int], highs: Sequence[int]) -> str:
    """The area between two lines, both given by their heights in the picture."""
    there, back = zip(xs, highs, strict=True), reversed(list(zip(xs, lows, strict=True)))
    return line([*there, *back]) + "z"


def steps(points: Sequence[Point]) -> list[Point]:
    """The same points with corners: a value holds until the next one."""
    out: list[Point] = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        if y != before:
            out += [(x, before), (x, y)]
    return [*out, (points[-1][0], out[-1][1])] if points else out


def ticks(top: int | float) -> list[int]:
    """Round numbers of bytes from 0 up to `top`, few of them."""
    step = next((n << unit for unit in range(0, 70, 10) for n in NICE if top <= MOST_TICKS * (n << unit)), 1 << 70)
    return list(range(0, int(top) + 1, step))


def picture(pixels: bytes, width: int, colours: Sequence[str]) -> str:
    """An indexed PNG as a data: address. `pixels`: a byte each, an index into `colours`, which are "#rrggbb"."""
    rows = [b"\0" + pixels[start : start + width] for start in range(0, len(pixels), width)]
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    palette = b"".join(bytes.fromhex(colour[1:]) for colour in colours)
    parts = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)
    return "data:image/png;base64," + base64.b64encode(data).decode()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
