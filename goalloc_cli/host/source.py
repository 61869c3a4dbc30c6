"""Opens a path or "-" as a stream of bytes, through gzip and zstd, whose first bytes can be looked at."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from weakref import finalize

import zstandard

from goalloc_cli.errors import TraceError, TruncatedTrace

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE = 1 << 16
"""Bytes asked of the input, or of gzip, at once."""

ZSTD_PIECE = 256
"""Compressed bytes given to zstd at once. Four can become 128 KiB, so this keeps a hostile file to 8 MiB. More
would hardly be faster."""

FREE_BYTES = 256 << 20
"""Any packed input may unpack to this."""
MOST_RATIO = 200
"""Beyond that, times its packed size. Recordings are packed to a fifth, rows of synthetic traces to a twentieth."""
MOST_UNPACKED = 64 << 30
"""And to this in all."""

MOST_HELD = 2 << 30
"""Bytes of an input that is no plain file, where all of it has to be held at once."""

MARKED = 64
"""First bytes of a file, which tell what it is."""

TAIL = 4096
"""Bytes at the end of a plain file that are kept, for formats that end with a summary."""


class Bytes:
    """All bytes of a stream. Those of a plain file stay there until they are asked for."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """The stream is at its beginning, and stays open.

        Raises:
            TraceError: it is no plain file, and has more bytes than can be held.
        """
        raw = getattr(stream, "raw", None)
        self._file = -1
        if isinstance(raw, _Pieces) and raw.plain and hasattr(os, "pread"):
            # Its own: whoever reads ahead may still do so when the stream has been closed, and its number given away.
            self._file = os.dup(raw.plain.fileno())
            finalize(self, os.close, self._file)
        self._seen: dict[int, tuple[int, int]] = {}
        found = b"" if self._file >= 0 else at_most(stream, MOST_HELD)
        if found is None:
            raise TraceError(
                f"{name}: is longer than {MOST_HELD >> 30} GiB, and comes packed or through a pipe; unpack it to a file: "
                "of that no more is held than is needed"
            )
        self._data = found
        self.length = os.fstat(self._file).st_size if self._file >= 0 else len(self._data)

    def piece_again(self, at: int, length: int) -> bytes:
        """As `piece`; but asked for a second time it is what it was the first time, and as long.

        What was found right in it then is right still.

        Raises:
            TraceError: the file has been changed.
        """
        length, before = self._seen.get(at, (length, -1))
        found = self.piece(at, length)
        if self._file >= 0:
            now = zlib.crc32(found)
            self._seen[at] = length, now
            if before not in (-1, now):
                raise TraceError(f"byte {at}: the {length:,} bytes from here on were changed while the file was read")
        return found

    def piece(self, at: int, length: int) -> bytes:
        """So many bytes from offset `at` on, or all that there are.

        Raises:
            TraceError: the file has become shorter.
        """
        if self._file < 0:
            return self._data[at : at + length]
        wanted = max(0, min(length, self.length - at))
        parts: list[bytes] = []
        while wanted and (part := os.pread(self._file, wanted, at)):
            parts.append(part)
            at, wanted = at + len(part), wanted - len(part)
        if wanted:
            raise TraceError(f"byte {at}: the file ends here, and was longer before: it was changed while it was read")
        return parts[0] if len(parts) == 1 else b"".join(parts)


def at_most(stream: BinaryIO, most: int) -> bytes | None:
    """All bytes of a stream; None if there are more than `most`, of which no more are read."""
    pieces, length = [], 0
    while piece := stream.read(PIECE):
        pieces.append(piece)
        length += len(piece)
        if length > most:
            return None
    return b"".join(pieces)


def read_whole(path: str, most: int, mark: bytes = b"") -> bytes:
    """All bytes of a file that goes beside a trace.

    Args:
        path: where it is.
        most: the most bytes that it can have.
        mark: stands in its first bytes. Where it does not, no more than those are read: they tell what the file is not.

    Raises:
        TraceError: it is a device, or longer than that.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            raise TraceError(f"{path}: is a device; name a file")
        head = file.read(MARKED)
        if mark not in head:
            return head
        rest = at_most(file, most - len(head)) if status.st_size <= most else None
    if rest is None:
        raise TraceError(f"{path}: is longer than {most >> 20:,} MiB, which no such file is")
    return head + rest


@dataclass
class Limit:
    """How much a packed input may unpack to."""

    chosen: int | None = None
    """Bytes, where the user has said so (--max-unpacked)."""

    def most(self, packed_bytes: int) -> int:
        """Bytes that may come of so many."""
        if self.chosen is not None:
            return self.chosen
        return min(max(FREE_BYTES, MOST_RATIO * packed_bytes), MOST_UNPACKED)


limit = Limit()
"""The one of this process."""


@dataclass(frozen=True)
class Source:
    """An input that has been opened; its stream is past any gzip or zstd."""

    name: str
    """The path, or "-" for the standard input."""
    stream: io.BufferedReader
    close: Callable[[], None]
    size_bytes: int | None
    """Length of the input as it is stored; None for pipes."""
    tail: bytes
    """The last bytes of a plain file; empty for pipes and compressed files."""
    cut: list[str] = field(default_factory=list)
    """Where what is cut short is taken as far as it goes: what was, once that shows."""

    def peek(self, length: int) -> bytes:
        """The first bytes, which stay to be read: `length` of them (at most `PIECE`), or all there are."""
        return self.stream.peek(length)[:length]


def open_source(path: str | Path, partial: bool = False) -> Source:
    """Open a file, or the standard input for "-"; raise OSError or TraceError.

    With `partial`, compressed data that was cut short ends where it was cut.
    """
    name = str(path)
    if name == "-":
        return _source(name, sys.stdin.buffer, lambda: None, partial)
    file = Path(path).open("rb")  # noqa: SIM115 (the Source closes it)
    try:
        return _source(name, file, file.close, partial)
    except BaseException:
        file.close()
        raise


def _source(name: str, file: BinaryIO, close: Callable[[], None], partial: bool = False) -> Source:
    if file.isatty():
        raise TraceError(f"{name}: is a terminal; name a file, or pipe a trace in")
    size_bytes, tail = _size_and_tail(file)
    pieces = _Pieces(name, iter(lambda: file.read(PIECE), b""), None)
    if size_bytes is not None and not file.tell():
        pieces.plain = file
    plain = _buffered(pieces)
    for magic, unpack in _PACKERS.items():
        if plain.peek(len(magic)).startswith(magic):
            cut: list[str] = []
            unpacked = _Pieces(name, _bounded(name, unpack(plain), pieces), cut if partial else None)
            return Source(name, _buffered(unpacked), close, size_bytes, b"", cut)
    return Source(name, plain, close, size_bytes, tail)


def _buffered(pieces: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(pieces, PIECE)


def _bounded(name: str, unpacked: Iterator[bytes], packed: _Pieces) -> Iterator[bytes]:
    """The same pieces, up to what may come of what was read so far."""
    total = 0
    for piece in unpacked:
        total += len(piece)
        if total > limit.most(packed.bytes_read):
            most = -(-limit.most(packed.bytes_read) >> 20)
            raise TraceError(
                f"{name}: its first {packed.bytes_read:,} bytes unpack to more than {most:,} MiB, which no recording does; "
                f"if it is meant to, raise the limit: goalloc --max-unpacked {4 * most}MiB ..."
            )
        yield piece


class _Pieces(io.RawIOBase):
    """A raw stream made of pieces. It gives less than was asked only at its end, so a peek sees enough."""

    def __init__(self, name: str, pieces: Iterator[bytes], cut: list[str] | None) -> None:
        """`cut` takes the message where the pieces end too early; None: that is raised."""
        self._name = name
        self._cut = cut
        self.plain: BinaryIO | None = None
        """The regular file that this is, from its first byte on."""
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        wanted = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(wanted) and self._next():
            take = min(len(wanted) - filled, len(self._rest))
            wanted[filled : filled + take] = self._rest[:take]
            self._rest = self._rest[take:]
            filled += take
        return filled

    def _next(self) -> bool:
        """Have bytes in `_rest`; return False at the end of the input."""
        while not self._rest:
            try:
                piece = next(self._pieces, None)
            except EOFError as error:
                message = f"{self._name}: its compressed data was cut short"
                if self._cut is None:
                    raise TruncatedTrace(message) from error
                self._cut.append(message)
                return False
            except (zlib.error, zstandard.ZstdError, gzip.BadGzipFile) as error:
                raise TraceError(f"{self._name}: its compressed data is damaged ({error})") from error
            if piece is None:
                return False
            self._rest = memoryview(piece)
            self.bytes_read += len(piece)
        return True


def _gunzip(packed: BinaryIO) -> Iterator[bytes]:
    """Raise EOFError where the data ends within a member."""
    with gzip.GzipFile(fileobj=packed) as file:
        while piece := file.read1(PIECE):
            yield piece


def _unzstd(packed: BinaryIO) -> Iterator[bytes]:
    """Raise EOFError where the data ends within a frame; zstandard's own stream reader would not tell."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    while piece := packed.read(ZSTD_PIECE):
        while piece:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(piece)
            piece = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError


_PACKERS: dict[bytes, Callable[[BinaryIO], Iterator[bytes]]] = {
    b"\x1f\x8b\x08": _gunzip,
    b"\x28\xb5\x2f\xfd": _unzstd,
}
"""What unpacks a stream, by the bytes that it starts with."""


def _size_and_tail(file: BinaryIO) -> tuple[int | None, bytes]:
    """Length and last bytes of a regular file; (None, b"") for anything else."""
    try:
        descriptor = file.fileno()
    except OSError:  # not a file of the system: a test's BytesIO
        return None, b""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return None, b""
    start = file.tell()
    file.seek(max(start, status.st_size - TAIL))
    tail = file.read(TAIL)
    file.seek(start)
    return status.st_size, tail
