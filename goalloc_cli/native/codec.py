"""Columns of integers as bytes: narrow, as differences where that pays, and compressed.

Each column of a chunk is stored alone, so that a reader can leave out the ones it does not know or need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from reprlib import repr as brief
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from goalloc_cli.trace.event import ALL_COLUMNS, OPTIONAL

WIDTHS = (1, 2, 4, 8)
"""Bytes that one value may be stored in."""

DELTA_COLUMNS = frozenset({"id", "addr"})
"""Columns stored as differences. Handles mostly count up: 2.3 bytes an event become 0.4. In columns that
repeat patterns differences cost 20 %. Byte planes would save another 0.1 bytes (0.4 of `addr`)."""

ZSTD_LEVEL = 3
"""zstd's default. Level 9 would save 5 to 25 % and take five times as long."""

MAX_VALUE = (1 << 63) - 1
"""The highest value of any column: even the 8-byte ones are signed in memory, and no value is negative."""

DESCRIPTOR_KEYS = frozenset({"value", "width", "delta", "at", "bytes"})

Compress = Callable[[bytes], bytes]
Decompress = Callable[[memoryview, int], "bytes | memoryview"]
"""Takes the stored bytes and the length they must have in the end; raises ValueError if they do not."""


def compressor(codec: str) -> Compress:
    """What compresses a column; raise ValueError for a codec that is not known."""
    if codec == "zstd":
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
    if codec == "none":
        return lambda data: data
    raise ValueError(f"codec {codec!r} is not known; choose zstd or none")


def decompressor(codec: object) -> Decompress:
    """The way back, for one thread; raise ValueError for a codec that is not known."""
    if codec == "zstd":
        return partial(_unzstd, zstandard.ZstdDecompressor())
    if codec == "none":
        return _plain
    raise ValueError(f"codec {brief(codec)} is not known; a newer goalloc may know it")


def _plain(stored: memoryview, length: int) -> memoryview:
    if len(stored) != length:
        raise ValueError(f"{len(stored)} bytes are stored, but {length} are needed")
    return stored


def _unzstd(context: zstandard.ZstdDecompressor, stored: memoryview, length: int) -> bytes:
    # zstandard makes room for whatever length the frame claims, so the claim is checked first.
    try:
        claimed = zstandard.frame_content_size(stored)
        if claimed != length:
            raise ValueError(f"the zstd frame says {claimed} bytes, but {length} are needed")
        return context.decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def encode_column(name: str, values: NDArray[Any], at: int, compress: Compress) -> tuple[dict[str, Any], bytes]:
    """The descriptor of a column of integers >= 0, and its bytes, which will be stored from byte `at` on."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if low < 0:
        raise ValueError(f"column {name} holds {low}; values cannot be negative")
    if low == high:
        return {"value": low}, b""
    width = next(width for width in WIDTHS if high < 1 << 8 * width)
    numbers = values.astype(f"<u{width}")
    descriptor: dict[str, Any] = {"width": width}
    if name in DELTA_COLUMNS:
        descriptor["delta"] = True
        numbers[1:] -= numbers[:-1]  # modulo 2 ** (8 * width)
    stored = compress(numbers.tobytes())
    return descriptor | {"at": at, "bytes": len(stored)}, stored


def decode_column(name: str, descriptor: object, data: memoryview, events: int, decompress: Decompress) -> NDArray[Any]:
    """The column as a writable array of `events` values in its dtype; raise ValueError if that cannot be."""
    if not isinstance(descriptor, dict):
        raise ValueError("its descriptor is no map")
    if unknown := descriptor.keys() - DESCRIPTOR_KEYS:
        # Skipping it would misread the values.
        raise ValueError(f"its descriptor has unknown keys {brief(unknown)}; a newer goalloc may know them")
    dtype = np.dtype(ALL_COLUMNS[name])
    if "value" in descriptor:
        value = whole_number(descriptor, "value", min(MAX_VALUE, (1 << 8 * dtype.itemsize) - 1))
        return np.full(events, value, dtype)
    width = whole_number(descriptor, "width", dtype.itemsize)
    if width not in WIDTHS:
        raise ValueError(f"its width is {width}; it can be 1, 2, 4 or 8, and at most {dtype.itemsize}")
    start = whole_number(descriptor, "at", len(data))
    end = start + whole_number(descriptor, "bytes", len(data) - start)
    numbers = np.frombuffer(decompress(data[start:end], events * width), f"<u{width}")
    delta = descriptor.get("delta", False)
    if type(delta) is not bool:
        raise ValueError(f"its 'delta' is {brief(delta)}; it must be true or false")
    if delta:
        numbers = np.cumsum(numbers, dtype=numbers.dtype)
    if width == 8 and events and numbers.max() > MAX_VALUE:
        raise ValueError(f"it holds {numbers.max()}; values end at {MAX_VALUE}")
    return numbers.astype(dtype, copy=not numbers.flags.writeable)


def whole_number(record: Mapping[Any, Any], key: str, most: int) -> int:
    """The integer from 0 to `most` under a key; raise ValueError if there is none."""
    value = record.get(key)
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"its {key!r} is {brief(value)}; it must be a whole number from 0 to {most}")
    return value


def encode_columns(columns: Mapping[str, NDArray[Any]], compress: Compress) -> tuple[dict[str, Any], bytes]:
    """Descriptors by name, and all their stored bytes one after another."""
    descriptors: dict[str, Any] = {}
    data = bytearray()
    for name, values in columns.items():
        descriptors[name], stored = encode_column(name, values, len(data), compress)
        data += stored
    return descriptors, bytes(data)


def decode_columns(descriptors: object, data: bytes, events: int, codec: object) -> dict[str, NDArray[Any]]:
    """The columns that this version knows; raise ValueError naming the one that is wrong."""
    if not isinstance(descriptors, dict):
        raise ValueError("its columns are no map")
    decompress = decompressor(codec)
    columns = {}
    for name in ALL_COLUMNS:
        if name not in descriptors:
            if name in OPTIONAL:
                continue
            raise ValueError(f"column {name!r} is missing")
        try:
            columns[name] = decode_column(name, descriptors[name], memoryview(data), events, decompress)
        except ValueError as error:
            raise ValueError(f"column {name!r}: {error}") from error
    return columns
