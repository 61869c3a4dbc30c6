"""Reads a document that was saved with --format msgpack, so that its reports can be shown again."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as brief
from typing import Any, TypeVar
from zlib import crc32

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import Source
from goalloc_cli.report.documents.names import REPORTS_OF
from goalloc_cli.report.documents.replay import SCHEMA_VERSION

Document = dict[str, Any]
T = TypeVar("T")

SCHEMAS = tuple(REPORTS_OF)
AGAIN = "save it again"
STARTS = tuple(b"\xa6format" + bytes([0xA0 | len(schema)]) + schema.encode() for schema in SCHEMAS)
"""What msgpack writes for the first entry of such a document, behind the byte or three of the map itself."""
PEEKED = 64
MAX_SAVED = 256 << 20
"""Most bytes of a document: half a million samples. Unpacked, it takes at most some thirty times as much."""
CHECK = (1 << 32) - 1
"""What stands for the checksum until it is known: as long as any that msgpack writes in five bytes."""
CHECK_BYTES = 4


def read_saved(source: Source) -> Document | None:
    """The document in an input, which is closed then, or None if something else is there; it stays unread.

    Raises:
        TraceError: it is a document, but damaged or of a later version.
    """
    try:
        if not is_saved(source.peek(PEEKED)):
            return None
        document = decoded(source.name, source.stream.read(MAX_SAVED + 1))
    except BaseException:
        source.close()
        raise
    source.close()
    return document


def is_saved(start: bytes) -> bool:
    return start[1:].startswith(STARTS) or start[3:].startswith(STARTS)


def decoded(path: str, data: bytes) -> Document:
    import msgpack  # type: ignore[import-untyped]

    if len(data) > MAX_SAVED:
        most = MAX_SAVED >> 20
        raise TraceError(f"{path}: this saved report has more than {most} MiB; save one with fewer samples (--every)")
    try:
        found = msgpack.unpackb(data, unicode_errors="surrogatepass", max_ext_len=0)
    except (ValueError, msgpack.UnpackException) as error:
        reason = brief(str(error)) if str(error) else "it ends early"
        raise TraceError(f"{path}: this saved report is damaged or cut short ({reason}); {AGAIN}") from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise TraceError(f"{path}: saved with schema version {brief(version)}, this goalloc reads {SCHEMA_VERSION}")
    if sealed(data) != data or found.get("check") is None or found.get("schema") not in SCHEMAS:
        raise TraceError(f"{path}: this saved report is damaged (wrong checksum); {AGAIN}")
    return {key: value for key, value in found.items() if key not in ("format", "check")}


def sealed(data: bytes) -> bytes:
    """A packed document with the CRC-32 of all before it in its last bytes, the value of its last key."""
    return data[:-CHECK_BYTES] + crc32(data[:-CHECK_BYTES]).to_bytes(CHECK_BYTES)


def shown(path: str, render: Callable[[], T]) -> T:
    """What `render` makes of a saved document; raise TraceError where it is none that goalloc wrote."""
    try:
        return render()
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise TraceError(f"{path}: this saved report is damaged ({brief(error)}); {AGAIN}") from error
