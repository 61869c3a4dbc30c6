"""The records that a goalloc trace is made of, between a stream of bytes and checked maps.

A record is a msgpack map. Its `head` is a msgpack map in a bin; a chunk has its columns in a second bin,
`data`; `check` is the CRC-32 of both. So nothing is believed before its checksum was right, and the part that
becomes objects, which take many times their bytes, is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any, BinaryIO
from zlib import crc32

import msgpack  # type: ignore[import-untyped]

from goalloc_cli.errors import TraceError, TruncatedTrace

FORMAT = "goalloc trace"
VERSION = (1, 2)
"""A reader knows one major version; it skips what a newer minor version has added."""

MAX_HEAD = 256 << 10
"""Most bytes of a head."""

MAX_DATA = 2 << 20
"""Most bytes of a chunk's columns: 64 Ki events of 27 bytes, and what zstd may add."""

MAX_ENTRIES = 4096
"""Most entries of a list or map in a head. Lists are given room for as many entries as they claim."""

READ_BYTES = 1 << 18
"""Bytes asked of the stream at once."""


@dataclass(frozen=True)
class Record:
    """A record whose checksum was right."""

    where: str
    """The trace and the byte where the record starts, for errors."""
    fields: dict[Any, Any]
    """What stands beside the head: format, version, chunk, footer."""
    head: dict[Any, Any]
    data: bytes


class RecordReader:
    """Reads one record after another; counts what it read, so that a cut can be reported."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self.chunks = 0
        self.events = 0
        # A record is a map of scalars and bins, and so are the keys that a later version may add.
        self._unpacker = msgpack.Unpacker(
            stream,
            read_size=READ_BYTES,
            max_buffer_size=MAX_HEAD + MAX_DATA + READ_BYTES,
            max_bin_len=MAX_DATA,
            max_str_len=MAX_HEAD,
            max_array_len=16,
            max_map_len=16,
            max_ext_len=0,
        )

    def next(self) -> Record:
        """The next record; raise TruncatedTrace where the input ends, TraceError where it is damaged."""
        return _checked(*self._unpack())

    def header(self) -> Record:
        """The first record; raise TraceError also for another format or version."""
        where, fields = self._unpack()
        if fields.get("format") != FORMAT:
            raise TraceError(f"{where}: this is no {FORMAT}")
        _check_version(self.name, fields.get("version"))
        return _checked(where, fields)

    def _unpack(self) -> tuple[str, dict[Any, Any]]:
        where = f"{self.name}: byte {self._unpacker.tell()}"
        try:
            fields = self._unpacker.unpack()
        except msgpack.OutOfData as error:
            raise self._cut_short(f"{self.name}: ends without its footer: it was cut short") from error
        except TruncatedTrace as error:
            raise self._cut_short(str(error)) from error
        except (ValueError, msgpack.UnpackException) as error:
            raise TraceError(f"{where}: no record starts here ({_reason(error)}); it is damaged") from error
        if not isinstance(fields, dict):
            raise TraceError(f"{where}: no record starts here; it is damaged")
        return where, fields

    def expect_end(self) -> None:
        """Raise TraceError unless the input ends here."""
        end = self._unpacker.tell()
        try:
            more = self._unpacker.read_bytes(1)
        except TruncatedTrace as error:
            raise self._cut_short(str(error)) from error
        if more:
            raise TraceError(f"{self.name}: byte {end}: more follows the footer; a file holds one trace")

    def _cut_short(self, problem: str) -> TruncatedTrace:
        read = f"{self.chunks} whole chunks with {self.events} events could be read; --partial takes those"
        return TruncatedTrace(f"{problem}; {read}", self.chunks, self.events)


def _check_version(name: str, version: object) -> None:
    if not isinstance(version, list) or [type(number) for number in version] != [int, int]:
        raise TraceError(f"{name}: its version is {brief(version)}; it must be a list of two numbers")
    if version[0] != VERSION[0]:
        raise TraceError(
            f"{name}: this is {FORMAT} version {version[0]}; this goalloc reads {VERSION[0]}; use a goalloc of its time"
        )


def _checked(where: str, fields: dict[Any, Any]) -> Record:
    head = fields.pop("head", None)
    data = fields.pop("data", b"")
    check = fields.pop("check", None)
    if not isinstance(head, bytes) or not isinstance(data, bytes):
        raise TraceError(f"{where}: the record has no head; it is damaged")
    if check != crc32(data, crc32(head)):
        raise TraceError(f"{where}: wrong checksum of {_title(fields)}; it is damaged")
    return Record(where, fields, unpack_head(where, head), data)


def _title(fields: dict[Any, Any]) -> str:
    if "format" in fields:
        return "the header"
    return f"chunk {brief(fields['chunk'])}" if "chunk" in fields else "the footer"


def unpack_head(where: str, head: bytes) -> dict[Any, Any]:
    """The map that a head holds."""
    if len(head) > MAX_HEAD:
        raise TraceError(f"{where}: a head of {len(head)} bytes; at most {MAX_HEAD} are allowed")
    try:
        fields = msgpack.unpackb(head, max_array_len=MAX_ENTRIES, max_map_len=MAX_ENTRIES, max_ext_len=0)
    except (ValueError, msgpack.UnpackException) as error:
        raise TraceError(f"{where}: its head cannot be unpacked ({_reason(error)})") from error
    if not isinstance(fields, dict):
        raise TraceError(f"{where}: its head is no map")
    return fields


def _reason(error: Exception) -> str:
    """What msgpack found wrong."""
    if isinstance(error, msgpack.BufferFull):
        return "it claims to be longer than a record can be"
    return str(error) or type(error).__name__


def pack_record(fields: dict[str, Any], head: dict[str, Any], data: bytes = b"") -> bytes:
    """The bytes of a record; raise TraceError if its head is too long for a reader."""
    packed = msgpack.packb(head)
    if len(packed) > MAX_HEAD:
        raise TraceError(f"{len(packed)} bytes of names or notes in one record; at most {MAX_HEAD} fit")
    record = {**fields, "check": crc32(data, crc32(packed)), "head": packed}
    if data:
        record["data"] = data
    return bytes(msgpack.packb(record))


def pack_header(head: dict[str, Any], minor: int = 0) -> bytes:
    """The first record. Its first key is the format: by these bytes a trace is recognised."""
    return pack_record({"format": FORMAT, "version": [VERSION[0], minor]}, head)


def footer_head(tail: bytes) -> dict[Any, Any] | None:
    """The head of the footer that a file's last bytes end with; None where they do not."""
    start = tail.rfind(b"\xa6footer") - 1  # before the key stands the byte that starts the map
    if start < 0:
        return None
    try:
        fields = msgpack.unpackb(tail[start:])
        return _checked("", fields).head if isinstance(fields, dict) else None
    except (ValueError, msgpack.UnpackException, TraceError):
        return None
