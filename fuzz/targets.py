"""The doors: each reader as a function of bytes, which returns what it found or raises TraceError."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from goalloc_cli.errors import TraceError
from goalloc_cli.native.native import write_native
from goalloc_cli.trace.trace import Trace

Target = Callable[[bytes], object]

MOST_BATCHES = 4096
"""More than any small input can become: a reader that goes on is hung."""


def walked(trace: Trace) -> int:
    """Walk all events of a trace; whatever a reader has accepted can be written as a trace. Return their number."""
    seen = 0

    def limited() -> Any:
        nonlocal seen
        for batch in trace.batches:
            seen += 1
            assert seen <= MOST_BATCHES, "the reader does not end"
            yield batch

    return write_native(trace.header, limited(), io.BytesIO(), "none")


def opened(data: bytes) -> int:
    """Read anything, by its first bytes, packed or not."""
    from goalloc_cli.host.source import _source
    from goalloc_cli.importers.sniff import _opened

    return walked(_opened(_source("input", io.BytesIO(data), lambda: None)))


def replayed(data: bytes) -> int:
    """What comes of anything that a reader takes: replayed by the model of its release, walked by its checks, and verified.

    Raises:
        TraceError: `goalloc replay` or `goalloc verify` would refuse it.
    """
    from goalloc_cli.analyses.replay import replay
    from goalloc_cli.analyses.verify.verify import verify
    from goalloc_cli.design.releases import RELEASES, release
    from goalloc_cli.errors import ReplayError
    from goalloc_cli.host.source import _source
    from goalloc_cli.importers.sniff import _opened

    def trace() -> Trace:
        return _opened(_source("input", io.BytesIO(data), lambda: None))

    header = trace().header
    design = release(header.go_version if header.go_version in RELEASES else "1.27")
    try:
        events = sum(replay(trace(), design, design_name="", check=True).events.values())
        if header.witnesses:
            verify(trace(), design, design_name="")
    except ReplayError as error:
        raise TraceError(str(error)) from error
    return events


def through(module: str, function: str) -> Target:
    """A reader of traces, whatever the first bytes say."""

    def target(data: bytes) -> int:
        from importlib import import_module

        from goalloc_cli.importers.sniff import _checked

        read = getattr(import_module(f"goalloc_cli.{module}"), function)
        trace = read(io.BytesIO(data), "input")
        return walked(replace(trace, batches=_checked(trace)))

    return target


def gctrace(data: bytes) -> int:
    """A text of gctrace, and what is made of it."""
    from goalloc_cli.analyses.pressure import pressure
    from goalloc_cli.host.source import Source
    from goalloc_cli.importers.gctrace.read import read_gctrace
    from goalloc_cli.report.documents.printed.gctrace import gctrace_document

    source = Source("input", io.BufferedReader(io.BytesIO(data)), lambda: None, len(data), b"")  # type: ignore[type-var]
    found = read_gctrace(source)
    return rendered(gctrace_document(found, pressure(found)))


def memstats(data: bytes) -> int:
    """An input with MemStats, and what is made of it beside smaps."""
    from goalloc_cli.analyses.memstats.describe import describe
    from goalloc_cli.host.source import Source
    from goalloc_cli.importers.memstats.process import process_in
    from goalloc_cli.importers.memstats.read import read_memstats
    from goalloc_cli.report.documents.printed.memstats import memstats_document

    text, _, smaps = data.partition(b"\n\n\n")
    source = Source("input", io.BufferedReader(io.BytesIO(text)), lambda: None, len(text), b"")  # type: ignore[type-var]
    process = process_in("input", smaps.decode("utf-8", "replace")) if smaps else None
    found = describe([read_memstats(source)], rss_bytes=None, process=process, cgroup={}, version=None, seconds=None)
    return rendered(memstats_document(found))


def heapprofile(data: bytes) -> int:
    """A heap profile, unpacked: the number of its samples."""
    from goalloc_cli.importers.heapprofile import heap_profile

    return len(heap_profile("input", data).samples)


def saved(data: bytes) -> int:
    """A saved document, with whatever checksum."""
    from goalloc_cli.report.documents.saved import decoded, shown

    document = decoded("input", data)
    return shown("input", lambda: rendered(document))


def saved_resealed(data: bytes) -> int:
    """The same, by a stranger who knows how checksums are made."""
    from goalloc_cli.report.documents.saved import sealed

    return saved(sealed(data))


def rendered(document: dict[str, Any]) -> int:
    """The bytes of a document in every format."""
    from goalloc_cli.report.forms.output import encoded

    asked = [(names, form) for names in ((), ("all",)) for form in ("table", "csv", "markdown", "json")]
    return sum(len(encoded(document, names, form)) for names, form in asked)


TARGETS: dict[str, Target] = {
    "native": through("native.native", "read_native"),
    "exectrace": through("importers.exectrace.read", "read_exectrace"),
    "allocfree": through("importers.allocfree.read", "read_allocfree"),
    "jsonl": through("importers.rows.read", "read_jsonl"),
    "csv": through("importers.rows.read", "read_csv"),
    "rows": through("importers.rows.read", "read_rows"),
    "malloclab": through("importers.malloclab", "read_malloclab"),
    "addrlog": through("importers.addrlog", "read_addrlog"),
    "gctrace": gctrace,
    "memstats": memstats,
    "heapprofile": heapprofile,
    "saved": saved,
    "packed": opened,
}
"""Every reader; `packed` is the way in of them all."""


def outcome(target: Target, data: bytes) -> object:
    """What comes of an input: what the target returns, or the one line that refuses it."""
    try:
        return target(data)
    except TraceError as error:
        message = str(error)
        assert message and "\n" not in message, f"not one line: {message!r}"
        return message


class Right(int):
    """A checksum that is always right."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


def without_checksums() -> None:
    """Take away what keeps changed bytes from the readers behind it, for a fuzzer: it cannot make checksums."""
    from goalloc_cli.native import records

    records.crc32 = lambda data, start=0: Right()  # type: ignore[assignment]
    TARGETS["saved"] = saved_resealed
