"""Opens a trace of any kind: what it is shows in its first bytes, never in its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from goalloc_cli.errors import TraceError, TruncatedTrace
from goalloc_cli.host.late import late
from goalloc_cli.host.source import Source, open_source
from goalloc_cli.importers.common.unwrap import LOOKED_AT, start_of
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.ranges import RangeCheck
from goalloc_cli.trace.trace import Trace

HEAD = 512
"""Bytes that are looked at."""

Reader = Callable[..., Trace]
"""Of a stream (BinaryIO), its name, and what `Form.ways` says."""


class NotATraceError(TraceError):
    """The input is something else than a trace of allocations."""


class SavedReplayError(NotATraceError):
    """The input is a replay, or statistics, that goalloc saved: it holds the outcome, no events."""


@dataclass(frozen=True)
class Form:
    """A form of input, and how to read it."""

    what: str
    first_bytes: re.Pattern[bytes]
    read: str
    """"module:function" in this package, imported when it is needed; it takes a stream and its name."""
    ways: tuple[str, ...] = ()
    """What else it can be told, by keyword: "partial", "lenient"."""
    checks: bool = False
    """The reader checks the range of its events itself, and names their place."""


@dataclass(frozen=True)
class Other:
    """A form of input that is known, but is no trace."""

    what: str
    first_bytes: re.Pattern[bytes]
    advice: str
    error: type[NotATraceError] = NotATraceError


def _starts(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


_MSGPACK_MAP = rb"(?:[\x80-\x8f]|\xde..|\xdf....)"

ALLOCFREE = Form(
    "the text of allocfreetrace", _starts(rb".*?tracealloc\(0x[0-9a-f]+, 0x"), "importers.allocfree.read:read_allocfree"
)
FORMS = (
    Form(
        "a goalloc trace",
        _starts(_MSGPACK_MAP + rb"\xa6format\xadgoalloc trace"),
        "native.native:read_native",
        ("lenient",),
        checks=True,
    ),
    Form("an address log", _starts(rb"""\{[^\n]{0,500}"first_free":"0x"""), "importers.addrlog:read_addrlog"),
    Form("a Go execution trace", _starts(rb"go 1\.\d+ trace\0"), "importers.exectrace.read:read_exectrace", ("partial",)),
    ALLOCFREE,
    Form(
        "JSON Lines",
        _starts(rb"(?:\xef\xbb\xbf)?\s*\{[^\n]*\"op\"\s*:"),
        "importers.rows.read:read_jsonl",
        ("lenient", "partial"),
        checks=True,
    ),
    Form(
        "CSV",
        _starts(rb"(?:\xef\xbb\xbf)?(?:[\w \"]+[,;\t])*\"?op\"? *[,;\t\r\n]"),
        "importers.rows.read:read_csv",
        ("lenient", "partial"),
        checks=True,
    ),
    Form(
        "msgpack rows",
        _starts(_MSGPACK_MAP + rb"(?!\xa6format).*?\xa2op|[\x91-\x97](?:[\x01-\x7f]|\xcc.|[\xa2-\xaf]\w)"),
        "importers.rows.read:read_rows",
        ("lenient",),
        checks=True,
    ),
    Form("a malloc-lab trace", _starts(rb"\s*(?:\d+\s+){4}[afr] \d"), "importers.malloclab:read_malloclab"),
)
"""What can be read. The first form whose pattern matches is taken."""

_BESIDE = "it goes beside MemStats: goalloc stats memstats.json --smaps FILE"
_RECORD = "record the program with GODEBUG=traceallocfree=1 and runtime/trace"
_PROFILE = f"it shows the call stacks of samples, and goalloc needs every allocation; {_RECORD}"

OTHERS = (
    Other(
        "a result saved by goalloc",
        _starts(_MSGPACK_MAP + rb"\xa6format.goalloc (?:replay|stats|gctrace|memstats)"),
        "give it to a report, or give this the trace that it was made from",
        SavedReplayError,
    ),
    Other(
        "a saved state", _starts(_MSGPACK_MAP + rb"\xa6format.goalloc state"), "go on with it by goalloc replay --load-state"
    ),
    Other("a Go heap dump", _starts(rb"go1\.\d+ heap dump\n"), _RECORD),
    Other("a Go heap profile in text", _starts(rb"heap profile: "), f"goalloc stats shows its MemStats; {_PROFILE}"),
    Other("a pprof profile", _starts(rb"\x0a[\x02-\x10]\x08[^\0]\x10"), _PROFILE),
    Other("/proc/PID/smaps", _starts(rb"[0-9a-f]{4,16}-[0-9a-f]{4,16} [-rwxsp]{4} "), _BESIDE),
    Other("/proc/PID/status", _starts(rb"Name:\t[^\n]*\nUmask:"), _BESIDE),
    Other("a program", _starts(rb"\x7fELF|MZ|\xcf\xfa\xed\xfe|#!"), f"run it; {_RECORD}"),
    Other("something packed twice", _starts(rb"\x1f\x8b\x08|\x28\xb5\x2f\xfd"), "unpack it once"),
    Other(
        "a packed file",
        _starts(rb"PK\x03\x04|BZh|\xfd7zXZ"),
        "unpack it first; goalloc unpacks gzip and zstd",
    ),
    Other("output of GODEBUG=gctrace=1", _starts(rb".{0,400}?gc \d+ @[\d.]+s "), f"goalloc stats shows it; {_RECORD}"),
    Other(
        "a log of malloc and free",
        _starts(rb"= Start\n|@ \S*\[0x|v \d+ \d+\n[XI] |.{0,400}?\b(?:malloc|calloc|realloc|free)\([^()\n]{0,80}\)\s*="),
        "write a row for each call (docs/rows.md), and replay them with --gc gogc=100",
    ),
    Other("JSON", _starts(rb"\s*[\[{]"), _RECORD),
    Other("text", _starts(rb"[\t\n\r\x20-\x7e]{16}"), _RECORD),
)
"""What is known well enough to say what it is."""


PRINTED = {"gctrace": "importers.gctrace.read:is_gctrace", "memstats": "importers.memstats.read:is_memstats"}
"""Texts that `goalloc stats` describes, though they are no traces."""


def open_trace(path: str | Path, partial: bool = False, lenient: bool = False) -> Trace:
    """Open the trace at a path, or on the standard input for "-".

    Args:
        path: where it is.
        partial: of an input that was cut short, take what is whole, and say so in a note or a remark.
        lenient: hand on events that contradict others, for `badevents` to find, where they can be read at all.

    Raises:
        TraceError: it is none that goalloc reads.
        OSError: it cannot be opened.
    """
    return _opened(open_source(path, partial), partial, lenient)


@dataclass(frozen=True)
class Printed:
    """A text that Go, or a program with Go's numbers, has printed; still to be read."""

    kind: str
    """"gctrace" or "memstats"."""
    source: Source


def trace_or_printed(source: Source, partial: bool = False) -> Trace | Printed:
    """The trace in an input that was opened; but a text of gctrace or with MemStats in it is returned as it is."""
    return printed(source) or _opened(source, partial)


def printed(source: Source) -> Printed | None:
    """The text of gctrace or with MemStats in it that an input is, still to be read; None of a trace."""
    try:
        if _form_of(source) is None:
            for kind, is_kind in PRINTED.items():
                if late(is_kind)(source.peek(LOOKED_AT)):
                    return Printed(kind, source)
    except BaseException:
        source.close()
        raise
    return None


def _opened(source: Source, partial: bool = False, lenient: bool = False) -> Trace:
    try:
        form = _form(source)
        reader = cast(Reader, late(form.read))
        told = {"partial": partial, "lenient": lenient}
        trace = reader(source.stream, source.name, **{way: True for way in form.ways if told[way]})
    except BaseException:
        source.close()
        raise
    batches = trace.batches if form.checks else _checked(trace, lenient)
    return replace(
        trace,
        batches=_closing(_whole(trace, batches, source) if partial else batches, source),
        size_bytes=source.size_bytes,
        events=_events(trace, source),
    )


def _form(source: Source) -> Form:
    form = _form_of(source)
    if form is None:
        raise _not_a_trace(source.name, source.peek(HEAD))
    return form


def _form_of(source: Source) -> Form | None:
    """The form of an input. Events of allocfreetrace may come after other output, and in a wrapping of logs."""
    head = source.peek(HEAD)
    for form in FORMS:
        if form.first_bytes.match(head):
            return form
    text = source.peek(LOOKED_AT)
    if b"tracealloc" in text.replace(b"\0", b"") and ALLOCFREE.first_bytes.match(start_of(text)):
        return ALLOCFREE
    return None


def _checked(trace: Trace, lenient: bool = False) -> Iterator[Batch]:
    """The same batches; raise TraceError at an event out of range."""
    ranges = RangeCheck(trace.header.gomaxprocs, lenient)
    for number, batch in enumerate(trace.batches):
        ranges.check(batch, f"{trace.name}: batch {number}")
        yield batch


def _not_a_trace(name: str, head: bytes) -> NotATraceError:
    if not head:
        return NotATraceError(f"{name}: is empty; was the recording stopped properly?")
    if late(PRINTED["memstats"])(head) and not head.startswith(b"heap profile: "):
        return NotATraceError(
            f"{name}: looks like MemStats or a scrape, which is no allocation trace; goalloc stats shows it; {_RECORD}"
        )
    for other in OTHERS:
        if other.first_bytes.match(head):
            return other.error(f"{name}: looks like {other.what}, which is no allocation trace; {other.advice}")
    readable = " and ".join(form.what for form in FORMS)
    return NotATraceError(f"{name}: starts with {head[:16]!r}, which is nothing that goalloc knows; it reads {readable}")


def _whole(trace: Trace, batches: Iterator[Batch], source: Source) -> Iterator[Batch]:
    """The batches before the place where the input was cut short; that it was becomes a remark."""
    events = 0
    try:
        for batch in batches:
            events += len(batch)
            yield batch
    except TruncatedTrace:
        source.cut.append(f"{source.name}: was cut short")
    if source.cut:
        trace.remarks.append(f"The input was cut short: these are the {events:,} events that are whole.")


def _closing(batches: Iterator[Batch], source: Source) -> Iterator[Batch]:
    try:
        yield from batches
    finally:
        source.close()


def _events(trace: Trace, source: Source) -> int | None:
    """How many events there will be, if the trace says so or its last bytes do."""
    if trace.events is not None or not source.tail:
        return trace.events
    from goalloc_cli.native.records import footer_head

    footer = footer_head(source.tail) or {}
    events = footer.get("events")
    return events if type(events) is int else None
