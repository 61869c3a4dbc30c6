"""Strings, stacks and types of an execution trace. Their ids hold within one generation only.

Go: runtime/tracestring.go, tracestack.go, tracetype.go. A table is indexed when it is read; an entry is decoded when
it is asked for, which few are.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.words import trailing_zeros, word_at
from goalloc_cli.importers.exectrace.wire.damage import DamageError
from goalloc_cli.trace.event import TypeInfo
from goalloc_cli.trace.ranges import MAX_BYTES

STRING, STACK = 5, 3
"""First byte of an entry of either table."""
MAX_FRAMES = 128
"""Frames of a stack (tracev2.MaxFramesPerStack)."""
MAX_STRING = 1 << 10
"""Bytes of a string (tracev2.MaxEventTrailerDataSize); Go cuts longer ones."""

Index = NDArray[np.int64]


HIGH_BITS = np.uint64(0x8080808080808080)
"""Of each byte of a word, the bit that says that the number goes on."""


@inner
def uvarint_at(data, at, stop):
    """The number at `at` and the offset behind it; an offset of -1 where `stop` cuts it off."""
    if 0 <= at <= len(data) - 8:
        word = word_at(data, at)
        ends = ~word & HIGH_BITS
        if ends:
            behind = at + (trailing_zeros(ends) >> 3) + 1
            return (packed(word & (ends ^ (ends - np.uint64(1)))), behind) if behind <= stop else (np.int64(0), -1)
    return uvarint_bytewise(data, at, stop)


@inner
def packed(word):
    """The number whose seven bits a byte are those of a word."""
    word = (word & np.uint64(0x007F007F007F007F)) | (word & np.uint64(0x7F007F007F007F00)) >> np.uint64(1)
    word = (word & np.uint64(0x00003FFF00003FFF)) | (word & np.uint64(0x3FFF00003FFF0000)) >> np.uint64(2)
    return np.int64((word & np.uint64(0x0FFFFFFF)) | (word & np.uint64(0x0FFFFFFF00000000)) >> np.uint64(4))


@inner
def uvarint_bytewise(data, at, stop):
    """The same, for long numbers and near the end."""
    value = np.uint64(0)
    shift = np.uint64(0)
    for i in range(at, min(at + 10, stop)):
        byte = data[i]
        value |= np.uint64(byte & 0x7F) << shift
        if byte < 0x80:
            return np.int64(value), i + 1
        shift += np.uint64(7)
    return np.int64(0), -1


@kernel
def index_strings(data, at, stop, out):
    """Write (id, first byte, length) of each string; return their number, or -(offset of the damage) - 1."""
    count = 0
    while at < stop:
        first = at
        if data[at] != STRING:
            return -first - 1
        key, at = uvarint_at(data, at + 1, stop)
        if at < 0:
            return -first - 1
        length, at = uvarint_at(data, at, stop)
        if at < 0 or not 0 <= length <= min(MAX_STRING, stop - at):
            return -first - 1
        out[count, 0] = key
        out[count, 1] = at
        out[count, 2] = length
        at += length
        count += 1
    return count


@kernel
def index_stacks(data, at, stop, out):
    """Write (id, first byte, frames) of each stack; return their number, or -(offset of the damage) - 1."""
    count = 0
    while at < stop:
        first = at
        if data[at] != STACK:
            return -first - 1
        key, at = uvarint_at(data, at + 1, stop)
        if at < 0:
            return -first - 1
        frames, at = uvarint_at(data, at, stop)
        if at < 0 or frames < 0 or frames > MAX_FRAMES:
            return -first - 1
        out[count, 0] = key
        out[count, 1] = at
        out[count, 2] = frames
        for _ in range(4 * frames):
            _value, at = uvarint_at(data, at, stop)
            if at < 0:
                return -first - 1
        count += 1
    return count


@kernel
def index_types(data, at, stop, out):
    """Write (id, size, pointer bytes, first byte of the name, length) of each type; return as `index_strings`."""
    count = 0
    while at < stop:
        first = at
        key, at = uvarint_at(data, at, stop)
        if at < 0:
            return -first - 1
        _addr, at = uvarint_at(data, at, stop)
        if at < 0:
            return -first - 1
        size, at = uvarint_at(data, at, stop)
        if at < 0:
            return -first - 1
        pointer_bytes, at = uvarint_at(data, at, stop)
        if at < 0:
            return -first - 1
        length, at = uvarint_at(data, at, stop)
        if at < 0 or not 0 <= length <= stop - at or not (0 <= size <= MAX_BYTES and 0 <= pointer_bytes <= MAX_BYTES):
            return -first - 1
        out[count, 0] = key
        out[count, 1] = size
        out[count, 2] = pointer_bytes
        out[count, 3] = at
        out[count, 4] = length
        at += length
        count += 1
    return count


@kernel
def read_frames(data, at, out):
    """PC, function, file and line of the frames of a stack whose first is at `at`; out: i8, shape (frames, 4)."""
    for i in range(len(out)):
        for j in range(4):
            out[i, j], at = uvarint_at(data, at, len(data))


class Tables:
    """The tables of all generations, keyed by (generation, id)."""

    def __init__(self) -> None:
        self._strings: dict[int, dict[int, tuple[bytes, int, int]]] = {}
        self._stacks: dict[tuple[int, int], tuple[bytes, int, int]] = {}
        self._functions: dict[tuple[int, int], tuple[str, ...]] = {}
        self._texts: dict[tuple[int, int], str] = {}
        self._types: dict[int, list[tuple[bytes, Index]]] = {}

    def add_strings(self, data: bytes, generation: int) -> None:
        """Index the strings of a generation.

        Raises:
            DamageError: the bytes are not a table of strings.
        """
        strings = self._strings.setdefault(generation, {})
        for key, first, length in self._index(index_strings, data, 3, "strings").tolist():
            strings[key] = (data, first, length)

    def add_stacks(self, data: bytes, generation: int) -> None:
        """Index the stacks of a generation, as `add_strings`."""
        for key, first, frames in self._index(index_stacks, data, 3, "stacks").tolist():
            self._stacks[generation, key] = (data, first, frames)

    def add_types(self, data: bytes, generation: int) -> None:
        """Index the types of a generation, as `add_strings`."""
        self._types.setdefault(generation, []).append((data, self._index(index_types, data, 5, "types")))

    def _index(self, index_table: object, data: bytes, width: int, what: str) -> Index:
        out = np.zeros((len(data) // 3 + 1, width), np.int64)
        count = int(index_table(np.frombuffer(data, np.uint8), 0, len(data), out))  # type: ignore[operator]
        if count < 0:
            raise DamageError(f"the table of {what} is damaged at its byte {-count - 1}")
        return out[:count]

    def are_missing(self, generation: int) -> bool:
        """Whether no string and no stack of a generation is known."""
        return generation not in self._strings

    def string(self, generation: int, key: int) -> str:
        """The string with this id, "" where there is none."""
        known = self._texts.get((generation, key))
        if known is None:
            data, first, length = self._strings.get(generation, {}).get(key, (b"", 0, 0))
            known = self._texts[generation, key] = data[first : first + length].decode("utf-8", "replace")
        return known

    def stack(self, generation: int, key: int) -> tuple[str, ...]:
        """The names of the functions on this stack, innermost first; empty where there is none."""
        known = self._functions.get((generation, key))
        if known is not None:
            return known
        ids = self.frames(generation, key)[:, 1].tolist()
        names = self._functions[generation, key] = tuple(self.string(generation, i) for i in ids)
        return names

    def frames(self, generation: int, key: int) -> Index:
        """PC, function, file and line (ids of strings) of every frame of a stack, innermost first; shape (n, 4)."""
        data, at, frames = self._stacks.get((generation, key), (b"", 0, 0))
        found = np.zeros((frames, 4), np.int64)
        read_frames(np.frombuffer(data, np.uint8), at, found)
        return found

    def string_with(self, generation: int, start: bytes) -> int:
        """The id of a string of a generation that begins so; -1: none does."""
        for key, (data, first, length) in self._strings.get(generation, {}).items():
            if length >= len(start) and data.startswith(start, first):
                return key
        return -1

    def types(self, generation: int) -> tuple[Index, list[TypeInfo]]:
        """The ids of a generation's types, and the types."""
        parts = self._types.get(generation)
        if not parts:
            return np.zeros(0, np.int64), []
        infos = [
            TypeInfo(data[first : first + length].decode("utf-8", "replace"), size, pointer_bytes)
            for data, rows in parts
            for size, pointer_bytes, first, length in rows[:, 1:].tolist()
        ]
        return np.concatenate([rows[:, 0] for _data, rows in parts]), infos
