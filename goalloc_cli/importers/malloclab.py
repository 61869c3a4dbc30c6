"""Traces of the malloc lab of CS:APP: four numbers, then lines `a id size`, `f id` and `r id size`.

A C program's memory comes back at once, Go's when a collection finds it dead. So collections are put in (`common.cycles`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

import numpy as np

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.common.cycles import collecting
from goalloc_cli.trace.event import BATCH, NOSCAN, Batch, Kind
from goalloc_cli.trace.ranges import MAX_BYTES
from goalloc_cli.trace.trace import Header, Trace

MOST_LINE = 100
HEADER_NUMBERS = 4

NOTES = (
    "A C program says nothing of pointers: all objects are taken to hold none.",
    "A realloc is a new object, then the death of the old one.",
)

Event = tuple[int, int, int]
"""kind, handle, size."""


def read_malloclab(stream: BinaryIO, name: str) -> Trace:
    """Read a trace of the malloc lab."""
    header = Header(source="malloc lab", notes=NOTES)
    return collecting(Trace(name, header, _batches(_Lines(stream, name).events())))


def _batches(events: Iterator[Event]) -> Iterator[Batch]:
    while rows := list(islice(events, BATCH)):
        kind, handle, size = zip(*rows, strict=True)
        zeros = np.zeros(len(rows), np.uint32)
        yield Batch(
            np.array(kind, np.uint8), zeros.astype(np.uint16), np.array(handle, np.uint32), np.array(size, np.int64), zeros
        )


class _Lines:
    """Reads line by line, and knows what lives."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._line = 0
        self._live: dict[int, Event] = {}
        self._free: list[int] = []
        self._handles = 0

    def events(self) -> Iterator[Event]:
        numbers = 0
        while words := self._words():
            if numbers < HEADER_NUMBERS and words[0].isdigit():
                numbers += len(words)
                continue
            yield from self._event(words)

    def _words(self) -> list[bytes]:
        """The words of the next line that has some; none at the end."""
        while line := self._stream.readline(MOST_LINE):
            self._line += 1
            if words := line.split():
                return words
        return []

    def _event(self, words: list[bytes]) -> Iterator[Event]:
        op = words[0]
        numbers = [int(word) for word in words[1:] if word.isdigit()]
        if op not in (b"a", b"f", b"r") or len(numbers) != len(words) - 1 or len(numbers) != (1 if op == b"f" else 2):
            raise TraceError(f"{self._where()}: {b' '.join(words)!r} is none of 'a id size', 'f id', 'r id size'")
        number = numbers[0]
        old = self._live.pop(number, None)
        if op == b"a" and old:
            raise TraceError(f"{self._where()}: id {number} is in use already; free it first")
        if op == b"f" and not old:
            raise TraceError(f"{self._where()}: id {number} is not in use here; was it freed before?")
        if op != b"f":
            yield self._born(number, numbers[1])
        if old:
            self._free.append(old[1])
            yield Kind.FREE, old[1], 0

    def _born(self, number: int, size: int) -> Event:
        if size > MAX_BYTES:
            raise TraceError(f"{self._where()}: size is {size}; it can be 0 to {MAX_BYTES}")
        if self._free:
            handle = self._free.pop()
        else:
            handle, self._handles = self._handles, self._handles + 1
        self._live[number] = Kind.ALLOC | NOSCAN, handle, size
        return self._live[number]

    def _where(self) -> str:
        return f"{self._name}: line {self._line}"
