"""Reads a document that was saved with --format msgpack, so that its reports can be shown again."""

from __future__ import annotations

import sys
from typing import Any

from goalloc_cli.report import document, gctrace_document, trace_document
from goalloc_cli.trace.event import TraceError
from goalloc_cli.trace.source import open_source

Document = dict[str, Any]

SCHEMAS = (document.SCHEMA, trace_document.SCHEMA, gctrace_document.SCHEMA)
STARTS = tuple(b"\xa6format" + bytes([0xA0 | len(schema)]) + schema.encode() for schema in SCHEMAS)
"""What msgpack writes for the first entry of such a document, behind the byte or three of the map itself."""
PEEKED = 64


def read_saved(path: str) -> Document | None:
    """The document at `path` ("-": the standard input), or None if something else is there; it stays unread.

    Raises:
        TraceError: it is a document, but damaged or of a later version.
    """
    if path == "-":
        start = sys.stdin.buffer.peek(PEEKED)[:PEEKED] if hasattr(sys.stdin.buffer, "peek") else b""
        return decoded(path, sys.stdin.buffer.read()) if is_saved(start) else None
    source = open_source(path)
    try:
        return decoded(path, source.stream.read()) if is_saved(source.peek(PEEKED)) else None
    finally:
        source.close()


def is_saved(start: bytes) -> bool:
    return start[1:].startswith(STARTS) or start[3:].startswith(STARTS)


def decoded(path: str, data: bytes) -> Document:
    import msgpack  # type: ignore[import-untyped]

    try:
        found = msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogatepass")
    except (ValueError, msgpack.UnpackException) as error:
        raise TraceError(f"{path}: this saved report is damaged or cut short ({error or 'it ends early'})") from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != document.SCHEMA_VERSION:
        raise TraceError(f"{path}: saved with schema version {version}, this goalloc reads {document.SCHEMA_VERSION}")
    return {key: value for key, value in found.items() if key != "format"}
