"""What is done to a small input: it is cut, changed byte by byte, spliced, and told to be very long."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import msgpack

from fuzz.seeds import uvarint

NEAR = (0x00, 0x01, 0x7F, 0x80, 0x81, 0xFF)
"""Bytes that mean most: none, one, the ends of numbers with and without a sign, and of those that go on."""
HUGE = (
    b"\xff" * 9 + b"\x01",  # 2^64 - 1, and ten bytes of it, as Go writes numbers
    b"\xff" * 8 + b"\x7f",  # 2^63 - 1
    b"\xff" * 12,
    b"\xcf" + b"\xff" * 8,  # 2^64 - 1, as msgpack does
    b"\xc6\xff\xff\xff\xff",  # a bin, a list, a map and a text of 4 GiB
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"0xffffffffffffffff",
    b"-1",
    b"1e999",
)
DEEP = (b"\x91" * 2000, b"\x81\xa1a" * 2000, b"[" * 20_000, b'{"a":' * 20_000, b"struct { a " * 2000, b"map.bucket[" * 2000)
FORMS: tuple[Callable[[int], bytes], ...] = (uvarint, msgpack.packb, lambda n: b"%d" % n, lambda n: b"%#x" % n)
"""How numbers are written in what goalloc reads."""


def cuts(data: bytes) -> Iterator[bytes]:
    """The input cut short at every byte."""
    for end in range(len(data)):
        yield data[:end]


def changes(data: bytes, values: tuple[int, ...] | range = range(256)) -> Iterator[bytes]:
    """Every byte changed to each of the values, and each of its bits flipped."""
    for at, byte in enumerate(data):
        for value in sorted({*values, *(byte ^ 1 << bit for bit in range(8))} - {byte}):
            yield data[:at] + bytes([value]) + data[at + 1 :]


def insertions(data: bytes, step: int = 1) -> Iterator[bytes]:
    """Numbers beyond all bounds and very deep nesting, in place of every byte and before it."""
    for piece in HUGE:
        for at in range(0, len(data) + 1, step):
            yield data[:at] + piece + data[at:]
            yield data[:at] + piece + data[at + 1 :]
    for piece in DEEP:
        for at in range(0, len(data) + 1, max(1, len(data) // 16)):
            yield data[:at] + piece + data[at:]


def splices(data: bytes, times: int, seed: int = 1) -> Iterator[bytes]:
    """Pieces cut out, repeated, swapped, or put elsewhere; a second header; bytes behind the end."""
    yield data + data
    yield data + b"\0"
    yield data + data[: len(data) // 2]
    yield data[: len(data) // 2] + data
    chance = random.Random(seed)
    for _ in range(times):
        a, b, c, d = sorted(chance.randrange(len(data) + 1) for _ in range(4))
        match chance.randrange(5):
            case 0:
                yield data[:a] + data[b:]
            case 1:
                yield data[:b] + data[a:]
            case 2:
                yield data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]
            case 3:
                yield data[:a] + data[a:b] * 40 + data[b:]
            case _:
                noise = chance.randbytes(chance.randrange(1, 9))
                yield data[:a] + noise + data[a + len(noise) * chance.randrange(2) :]


def numbers(inputs: Sequence[bytes], times: int, seed: int = 1) -> Iterator[bytes]:
    """Up to three numbers next to powers of two laid over what is there: large, but not beyond what can be."""
    chance = random.Random(seed)
    for _ in range(times):
        data = bytearray(chance.choice(inputs))
        form = chance.choice(FORMS)
        for _ in range(chance.choice((1, 1, 2, 3))):
            piece = form((1 << chance.randrange(8, 48)) - chance.randrange(2))
            at = chance.randrange(len(data) + 1)
            data[at : at + len(piece)] = piece
        yield bytes(data)
