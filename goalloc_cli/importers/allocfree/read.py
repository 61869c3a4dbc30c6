"""Recordings of Go 1.20 and earlier: what GODEBUG=allocfreetrace=1 prints on the standard error.

Read in one pass, `MOST_HELD` events in memory at most, beside a row for each live object. The steps, one file each:
`scan` (text to records), `types` (types, sites and stacks), `follow` (handles, deaths).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.allocfree.follow import (
    ALLOCS,
    CERTAIN,
    EVENT,
    LOST_FREES,
    MOST_HELD,
    MOST_UNKNOWN,
    SIZED,
    UNKNOWN_FREES,
    Follower,
)  # fmt: skip
from goalloc_cli.importers.allocfree.scan import (
    FOUND,
    FULL,
    FUNCTION,
    MOST_RECORD,
    NEED,
    NEW,
    NEW_STACK,
    PAGES,
    PLACE,
    RECORD,
    SLACK,
    STACK,
    TYPE,
    Known,
    Texts,
    scan,
)  # fmt: skip
from goalloc_cli.importers.allocfree.types import entry_name, frames_of, pointers_in
from goalloc_cli.importers.common.calls import CallTable
from goalloc_cli.importers.common.unwrap import plainly
from goalloc_cli.importers.rows.fields import enter
from goalloc_cli.trace.event import ALL_COLUMNS, BATCH, Batch, Kind, TypeInfo
from goalloc_cli.trace.trace import Header, Trace

BLOCK = 1 << 20
"""Bytes read at once."""
BEGUN = re.compile(rb"(?<!\.)trace(?:alloc\(0x|free\(0x|gc\(\)\s)")
"""With what a record begins, whole or torn; frames of a stack are called runtime.tracealloc."""
FEW = 3
"""Records that may be torn without much ado: other output broke into them."""
MOST_ENTRIES = 1 << 18
"""Most types at different sites, and most stacks; what comes later has no type, or no stack."""
ARENA_BYTES = 64 << 20
GO_VERSION = "1.19"
"""The text does not name the release; 1.20 is the last that has this option."""

NOTES = (
    "The text names no P: everything is done by P 0. It names no release: Go 1.19 is assumed (replay --go changes that).",
    "Allocations that were packed into a tiny block already open are not in the text; neither are goroutine stacks.",
    "Objects that the runtime made before it read GODEBUG are left out.",
)


def read_allocfree(stream: BinaryIO, name: str) -> Trace:
    """Read the text; the first records are read now, to know what the header has to say."""
    reader = _Reader(stream, name)
    batches = reader.batches()
    first = next(batches, None)
    counts = reader.follower.counts
    allocs, sized, certain = (int(counts[what]) for what in (ALLOCS, SIZED, CERTAIN))
    if not allocs:
        raise TraceError(f"{name}: no allocation could be read; was the text of allocfreetrace damaged?")
    sure = f"Whether it holds pointers is known of {certain / allocs:.1%} of the first {allocs:,} allocations"
    others = "" if certain == allocs else "; the others, of named types, are taken to hold some"
    header = Header(
        go_version=GO_VERSION,
        sizes="requested" if sized == allocs else "slot",
        source="allocfreetrace",
        heap_base=reader.first_addr // ARENA_BYTES * ARENA_BYTES,
        witnesses=True,
        notes=(*NOTES, f"{sure}{others}."),
    )
    trace = Trace(name, header, _chained(first, batches))
    reader.remarks = trace.remarks
    return trace


def _no_texts() -> Texts:
    return Texts(np.zeros(4 * MOST_ENTRIES, np.uint64), np.zeros(4 * MOST_ENTRIES, np.int64))


def _chained(first: Batch | None, others: Iterator[Batch]) -> Iterator[Batch]:
    if first is not None:
        yield first
    yield from others


class _Reader:
    """Reads a text block by block, cycle by cycle."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.follower = Follower()
        self.first_addr = 0
        self.remarks: list[str] = []
        self._stream = plainly(stream, BEGUN)
        self._name = name
        self._begun = self._whole = 0
        self._known = Known(
            entries=_no_texts(), types=_no_texts(), stacks=_no_texts(), full=np.zeros(2, np.bool_),
            learned=np.zeros(MOST_ENTRIES + 2, np.uint8), pages=np.zeros((PAGES, 4), np.int64),
            cycle=np.zeros(1, np.int64), found=np.zeros(FOUND, np.int64),
        )  # fmt: skip
        self._known_types: dict[str, int] = {}
        self._entries = self._stacks = 0
        self._calls = CallTable()
        self._new: list[TypeInfo] = []
        self._told = 0, 0

    def batches(self) -> Iterator[Batch]:
        """The events; those of a cycle are handed out when the next one begins."""
        cycle = 0
        held: list[Any] = []
        nheld = 0
        waits = False  # whether a cycle's GC events are still to come, behind the deaths it found
        for records in self._records():
            at = 0
            while at < len(records):
                at, dead, more = self.follower.follow(records, at, cycle)
                yield from self._batches(dead)
                held.append(more)
                nheld += len(more)
                at_gc = at < len(records)
                if at_gc or not waits or nheld > MOST_HELD:
                    yield from self._batches(*([CYCLE] if waits else []), *held)
                    held, nheld, waits = [], 0, at_gc
                if at_gc:
                    cycle += 1
                    at += 1
            self._check()
        self._tell_torn()
        yield from self._batches(*([CYCLE] if waits else []), *held)

    def _records(self) -> Iterator[Any]:
        """RECORD rows, block by block."""
        out = np.zeros(BATCH, RECORD)
        rest = b""
        final = False
        while not final:
            piece = self._stream.read(BLOCK)
            final = len(piece) < BLOCK
            self._begun += sum(1 for _ in BEGUN.finditer(piece))
            text = b"".join((rest, piece, bytes(SLACK)))
            end = len(text) - SLACK
            at, why = 0, FULL
            while why != NEED:
                at, n, why = self._scan(text, at, end, final, out)
                self._whole += n
                if n:
                    self.first_addr = self.first_addr or int(out["addr"][0])
                    yield out[:n]
            rest = text[at:end] if end - at <= 2 * MOST_RECORD else b""

    def _scan(self, text: bytes, at: int, end: int, final: bool, out: Any) -> tuple[int, int, int]:
        """Fill `out` as far as can be; return where that stopped, the number of records, and why."""
        data = np.frombuffer(text, np.uint8)
        n, why = 0, NEW
        while why in (NEW, NEW_STACK):
            at, n, why, type_hash, new_hash = scan(data, at, end, final, out, n, self._known)
            if why == NEW:
                self._enter(text, type_hash, new_hash)
            elif why == NEW_STACK:
                self._enter_stack(text, new_hash)
        return at, n, why

    def _enter(self, text: bytes, type_hash: int, entry_hash: int) -> None:
        """Number a type at a site."""
        known, found = self._known, self._known.found
        type_name, function, place = (
            text[found[part] : found[part + 1]].decode(errors="backslashreplace") for part in (TYPE, FUNCTION, PLACE)
        )
        if type_name not in self._known_types:
            number = self._known_types[type_name] = len(self._known_types) + 1
            known.learned[number] = pointers_in(type_name)
            enter(*known.types, np.uint64(type_hash), number)
        self._entries += 1
        known.full[0] = self._entries >= MOST_ENTRIES
        enter(*known.entries, np.uint64(entry_hash), self._entries)
        self._new.append(TypeInfo(entry_name(type_name, function, place), 0, 0))

    def _enter_stack(self, text: bytes, stack_hash: int) -> None:
        """Number a stack."""
        known = self._known
        number = self._calls.stack(frames_of(text[known.found[STACK] : known.found[STACK + 1]]))
        self._stacks += 1
        known.full[1] = self._stacks >= MOST_ENTRIES
        enter(*known.stacks, np.uint64(stack_hash), number + 1)

    def _check(self) -> None:
        """Raise TraceError where frees do not fit the allocations."""
        counts = self.follower.counts
        unknown, allocs = int(counts[UNKNOWN_FREES]), int(counts[ALLOCS])
        if unknown > MOST_UNKNOWN + allocs // 10:
            raise TraceError(
                f"{self._name}: {unknown:,} frees of objects whose allocation is not in it ({allocs:,} are); "
                "its start is missing: record from the start of the program"
            )
        if int(counts[LOST_FREES]) > MOST_UNKNOWN + allocs // 10:
            raise TraceError(
                f"{self._name}: {counts[LOST_FREES]:,} objects are allocated where another one lives; "
                "frees are missing: is it the text of a single process?"
            )

    def _tell_torn(self) -> None:
        """Say how many records could not be read; raise TraceError where those are most."""
        torn = self._begun - self._whole
        if torn > max(FEW, self._whole):
            raise TraceError(
                f"{self._name}: {self._begun:,} events of allocfreetrace begin in it, and {torn:,} of them cannot be read; "
                "was their text wrapped or cut by what wrote it down?"
            )
        if torn > FEW:
            self.remarks.append(f"{torn:,} of {self._begun:,} events were torn apart by other output, and left out.")

    def _batches(self, *parts: Any) -> Iterator[Batch]:
        """Events as batches."""
        events = np.concatenate(parts) if parts else CYCLE[:0]
        for start in range(0, len(events), BATCH):
            part = events[start : start + BATCH]
            new, self._new = self._new, []
            functions, calls = self._calls.functions[self._told[0] :], self._calls.calls[self._told[1] :]
            self._told = len(self._calls.functions), len(self._calls.calls)
            columns: dict[str, Any] = {name: np.ascontiguousarray(part[name]) for name in ALL_COLUMNS if name != "p"}
            p = np.zeros(len(part), np.uint16)
            yield Batch(**columns, p=p, new_types=new, new_functions=functions, new_calls=calls)


CYCLE = np.zeros(2, EVENT)
CYCLE["kind"] = Kind.GC_START, Kind.GC_END
