"""Writes protocol buffers: the four kinds of fields that profiles and traces are made of.

(https://protobuf.dev/programming-guides/encoding.)
"""

from __future__ import annotations

from collections.abc import Iterable

WORD = (1 << 64) - 1

VARINT, LENGTH_DELIMITED = 0, 2
"""Wire types."""


def varint(value: int) -> bytes:
    """A whole number in seven bits a byte, lowest first; one below 0 as the 64 bits of its two's complement."""
    value &= WORD
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field of type int64, uint64, int32, enum or bool."""
    return varint(field << 3 | VARINT) + varint(value)


def raw(field: int, data: bytes) -> bytes:
    """A field of type bytes, or a message that is already encoded."""
    return varint(field << 3 | LENGTH_DELIMITED) + varint(len(data)) + data


def text(field: int, value: str) -> bytes:
    """A field of type string. What UTF-8 cannot hold (half a surrogate pair) is written as an escape."""
    return raw(field, value.encode("utf-8", "backslashreplace"))


def packed(field: int, values: Iterable[int]) -> bytes:
    """A repeated field of numbers, packed."""
    return raw(field, b"".join(map(varint, values)))
