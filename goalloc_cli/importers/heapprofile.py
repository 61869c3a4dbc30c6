"""Reads a heap profile that a Go program wrote with MemProfileRate=1: runtime/pprof's protocol buffers, packed.

(github.com/google/pprof, proto/profile.proto; Go: runtime/pprof/protomem.go.) At that rate every allocation is in it, and Go
files each by its stack and the size of its slot (label "bytes").
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import PurePath

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import at_most, open_source
from goalloc_cli.results.exported.heapprofile import HeapProfile, ProfileSample
from goalloc_cli.trace.event import Call, Function
from goalloc_cli.trace.ranges import MAX_BYTES, MAX_STACKS

MOST_BYTES = 256 << 20
"""Of a profile, unpacked."""
TOO_MUCH = f"unpacks to more than {MOST_BYTES >> 20} MiB, which no heap profile does"
MOST_OBJECTS = 1 << 40
"""In a sample."""

Value = int | memoryview
Fields = dict[int, list[Value]]


def read_heap_profile(path: str) -> HeapProfile:
    """The profile in a file.

    Raises:
        TraceError: it is no heap profile, is damaged, or holds samples only (MemProfileRate is not 1).
        OSError: it cannot be opened.
    """
    source = open_source(path)
    try:
        data = at_most(source.stream, MOST_BYTES)
    finally:
        source.close()
    if data is None:
        raise TraceError(f"{path}: {TOO_MUCH}")
    return heap_profile(path, data)


def heap_profile(name: str, data: bytes) -> HeapProfile:
    """The profile in some bytes, which are unpacked; raise TraceError as `read_heap_profile`."""
    try:
        return _Reader(name, memoryview(data)).profile()
    except _DamagedError as error:
        raise TraceError(f"{name}: is no heap profile, or is damaged: {error}; take it from /debug/pprof/heap") from None


def packed_heap_profile(name: str, data: bytes) -> HeapProfile:
    """The profile in some bytes, as Go packs them; raise TraceError as `read_heap_profile`."""
    try:
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise TraceError(f"{name}: is no heap profile, or is damaged: {error}") from None
    if len(unpacked) > MOST_BYTES:
        raise TraceError(f"{name}: {TOO_MUCH}")
    return heap_profile(name, unpacked)


class _DamagedError(Exception):
    """What is wrong with the bytes."""


class _Reader:
    """The tables of a profile, and the calls that its stacks become."""

    def __init__(self, path: str, data: memoryview) -> None:
        self.path = path
        self.top = _fields(data)
        self.texts = [bytes(_bytes(text)).decode("utf-8", "backslashreplace") for text in self.top.get(6, [])]
        self.functions = [Function("", "")]
        self.calls = [Call(0, 0, 0)]
        self._function_numbers: dict[int, int] = {}
        self._call_numbers: dict[Call, int] = {}
        self._lines: dict[int, list[tuple[int, int]]] = {}
        """By id of a location: function and line of each call, the innermost first."""

    def profile(self) -> HeapProfile:
        kinds = [self.text(_one(_fields(_bytes(kind)), 1)) for kind in self.top.get(1, [])]
        if "inuse_objects" not in kinds:
            raise _DamagedError("it has no inuse_objects")
        rate = _one(self.top, 12)
        if rate != 1:
            raise TraceError(
                f"{self.path}: was sampled every {rate:,} bytes; set runtime.MemProfileRate = 1 before the first "
                "allocation, so that every object is in it"
            )
        for data in self.top.get(5, []):
            function = _fields(_bytes(data))
            self._function_numbers[_one(function, 1)] = len(self.functions)
            self.functions.append(Function(self.text(_one(function, 2)), self.text(_one(function, 4))))
        for data in self.top.get(4, []):
            location = _fields(_bytes(data))
            lines = [_fields(_bytes(line)) for line in location.get(4, [])]
            self._lines[_one(location, 1)] = [(self.function(_one(line, 1)), _one(line, 2) & 0x7FFFFFFF) for line in lines]
        at = kinds.index("inuse_objects")
        samples = [self.sample(_fields(_bytes(data)), at) for data in self.top.get(2, [])]
        live = [sample for sample in samples if sample.objects]
        return HeapProfile(PurePath(self.path).name, live, self.functions, self.calls)

    def sample(self, fields: Fields, at: int) -> ProfileSample:
        """One sample; its value number `at` counts the objects."""
        values = _numbers(fields.get(2, []))
        objects = values[at] if at < len(values) else -1
        if not 0 <= objects <= MOST_OBJECTS:
            raise _DamagedError(f"a sample of {objects} objects")
        slot = 0
        for data in fields.get(3, []):
            label = _fields(_bytes(data))
            if self.text(_one(label, 1)) == "bytes":
                slot = _one(label, 3)
        if objects and not 0 < slot <= MAX_BYTES:
            raise _DamagedError("a sample without the size of its objects")
        return ProfileSample(self.stack(_numbers(fields.get(1, []))) if objects else 0, slot, objects)

    def stack(self, locations: list[int]) -> int:
        """The number of a stack, given by its locations, the innermost first."""
        number = 0
        for location in reversed(locations):
            if location not in self._lines:
                raise _DamagedError(f"a sample names location {location}, which is not there")
            for function, line in reversed(self._lines[location]):
                number = self.call(Call(function, line, number))
        return number

    def call(self, call: Call) -> int:
        if call not in self._call_numbers:
            if len(self.calls) >= MAX_STACKS:
                raise _DamagedError(f"more than {MAX_STACKS} calls")
            self._call_numbers[call] = len(self.calls)
            self.calls.append(call)
        return self._call_numbers[call]

    def function(self, number: int) -> int:
        if number not in self._function_numbers:
            raise _DamagedError(f"a location names function {number}, which is not there")
        return self._function_numbers[number]

    def text(self, number: int) -> str:
        if number >= len(self.texts):
            raise _DamagedError(f"text {number} is not there")
        return self.texts[number]


def _one(fields: Fields, number: int) -> int:
    """The number in a field that is there at most once; 0 where it is not."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise _DamagedError(f"field {number} is no number")
    return value


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise _DamagedError("a number where a message should be")
    return value


def _numbers(values: list[Value]) -> list[int]:
    """Repeated numbers, packed or not."""
    out: list[int] = []
    for value in values:
        if isinstance(value, int):
            out.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            out.append(number)
    return out


def _fields(data: memoryview) -> Fields:
    """The fields of a message, by number."""
    found: Fields = {}
    for number, value in _walk(data):
        found.setdefault(number, []).append(value)
    return found


def _walk(data: memoryview) -> Iterator[tuple[int, Value]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise _DamagedError(f"a field of wire type {kind}")
        if length > len(data) - at:
            raise _DamagedError("a field is longer than what it stands in")
        if kind == 2:
            yield tag >> 3, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _DamagedError("a number is cut short or too long")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
        shift += 7
