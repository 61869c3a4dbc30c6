"""Address logs: what our own `addrlog` program prints, on any Go since 1.10 (traces/programs/addrlog).

JSON Lines. The first is the header; then come `warm` lines, the spans that the program filled before it began, in order;
then its events, with the address of each object. All pages below `first_free` are in use when it begins, all above are
free. What is known of the heap at that moment becomes a snapshot; pages of no known span hold stacks, or the runtime's own
objects.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, compress, islice
from reprlib import repr as brief
from typing import Any, BinaryIO

import numpy as np

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import release
from goalloc_cli.design.sizeclass import SizeClass, size_classes, slots
from goalloc_cli.errors import DesignError, TraceError
from goalloc_cli.trace.event import BATCH, COLUMNS, NO_P, NOSCAN, Batch, Kind
from goalloc_cli.trace.ranges import MAX_BYTES
from goalloc_cli.trace.trace import Header, Trace

Row = tuple[int, int, int, int, int, int]
"""kind, p, id, size, arg, addr."""
Span = tuple[int, int, bool]
"""First page, class, noscan."""

PAGE = 8192
TINY = 16
HEADER = 8
STACK_PAGES = 4
"""Pages of a span of small stacks, or of one stack of 32 KiB, which every thread has for signals."""
GLOBALS = (400_000 + 40_000) * 8
"""The program's two arrays of pointers."""
LEFT_OUT = (8192, 8)
"""Class, and number of its spans without pointers, that the program by which the first logs were made does not name."""
OWN_CLASS = (1, True)
"""Class and noscan of the pages that the runtime's own objects fill: the one class that no program's objects take."""
MOST_START = 1 << 25
"""Bytes of the heap when the recording began, at most: all that lies in them becomes a snapshot."""
MOST_UNKNOWN = 1 << 8
"""Pages of them that are in no warm span: stacks and the runtime's own, a few dozen."""
MOST_LINE = 1 << 16
MOST_ID = 1 << 24
"""Far more than the program ever has alive."""
GOGC = {"off": -1, "100": 100, "explicit": 100_000_000}
"""GOGC when the recording began: "explicit" is high enough to never start a cycle by itself."""


@dataclass
class Start:
    """The heap when the recording began."""

    design: Design
    base_page: int
    end_page: int
    first_logs: bool
    """By the program that made the first logs, which tells more in the header, and names its spans worse: see mend_warm."""
    warm: list[Span] = field(default_factory=list)
    """Every span that was filled, in order."""


def read_addrlog(stream: BinaryIO, name: str) -> Trace:
    """The trace of an address log; raise TraceError where it is none, or is damaged."""
    lines = Lines(stream, name)
    try:
        header, start = read_header(next(lines), name)
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise TraceError(f"{name}: line 1: this is no header of an address log ({short(error)})") from error
    return Trace(name, header, batches(events(lines, start, name)))


class Lines:
    """Each line's object; raises TraceError at the first that holds none."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.number = 0
        self._stream = stream
        self._name = name

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        line = self._stream.readline(MOST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TraceError(f"{self._name}: line {self.number}: no JSON: {short(error)}") from error
        if not isinstance(entry, dict):
            raise TraceError(f"{self._name}: line {self.number}: no JSON object")
        return entry


def short(error: Exception) -> str:
    """What an error says, in a hundred characters."""
    return f"{type(error).__name__}: {error}"[:100]


def whole(entry: dict[str, Any], key: str, most: int) -> int:
    """The number from 0 to `most` under a key; raise ValueError where there is none. Addresses are hexadecimal texts."""
    value = entry[key]
    number = int(value, 16) if type(value) is str else value
    if type(number) is not int or not 0 <= number <= most:
        raise ValueError(f"{key} is {brief(value)}; it can be 0 to {most}")
    return number


def read_header(head: dict[str, Any], name: str) -> tuple[Header, Start]:
    """The trace's header, and the heap as far as the header tells."""
    try:
        design = release(head["go"])
    except DesignError as error:
        raise TraceError(f"{name}: {error}") from error
    base, end = whole(head, "base", MAX_BYTES), whole(head, "first_free", MAX_BYTES)
    if not 0 <= end - base <= MOST_START:
        raise ValueError(f"{(end - base) // PAGE} pages are in use when it begins")
    # The program's objects with pointers are one list: marking meets them one at a time.
    globals_scan = GLOBALS + design.globals_scan_bytes
    knobs = (("gogc", GOGC[head["gogc"]]), ("marks_that_meet", 0), ("globals_scan_bytes", globals_scan))
    header = Header(
        go_version=head["go"].removeprefix("go"),
        gomaxprocs=max(1, whole(head, "gomaxprocs", NO_P - 1)),
        source="address log",
        from_start=False,
        heap_base=base,
        witnesses=True,
        knobs=knobs,
    )
    return header, Start(design, base // PAGE, end // PAGE, first_logs="heapsys_start" in head)


def events(lines: Lines, start: Start, name: str) -> Iterator[Row]:
    """All events: the snapshot, made of the warm lines, then those of the program."""
    offset = 0
    try:
        for entry in lines:
            if entry["op"] != "warm":
                offset = yield from snapshot(start)
                yield from program_event(entry, start, offset)
                break
            start.warm.append(warm_span(entry, start))
        for entry in lines:
            yield from program_event(entry, start, offset)
    except (KeyError, TypeError, ValueError) as error:
        raise TraceError(
            f"{name}: line {lines.number}: it lacks something, or is of a later kind ({short(error)})"
        ) from error


def warm_span(entry: dict[str, Any], start: Start) -> Span:
    """First page, class and noscan of a span that was filled before the recording."""
    sizes = [c.size for c in size_classes(start.design)]
    size = whole(entry, "size", sizes[-1])
    number = next(i for i, most in enumerate(sizes) if most >= max(size, 1))
    page = whole(entry, "addr", MAX_BYTES) // PAGE
    if not start.base_page <= page < start.end_page:
        raise ValueError(f"addr is {brief(entry['addr'])}; it lies outside the heap")
    return page, number, not entry["scan"]


def snapshot(start: Start) -> Generator[Row, None, int]:
    """The events that place the warm spans and what lies between them; returns the first handle that is left."""
    design = start.design
    step = max(design.growth_pages, design.growth_least_pages)
    npages = (start.end_page - start.base_page + step - 1) // step * step
    yield Kind.SNAP_RANGE, NO_P, npages, start.base_page, 0, 0
    classes = size_classes(design)
    warm = list(dict.fromkeys(start.warm))
    unknown = unnamed_pages(start, warm, classes)
    if start.first_logs:
        warm = mend_warm(warm, unknown, classes)
        unknown = unnamed_pages(start, warm, classes)
    cached = {(number, noscan): page for page, number, noscan in warm}
    handle = 0
    if len(unknown) > MOST_UNKNOWN:
        raise ValueError(f"{len(unknown)} pages below first_free are in no span")
    stacks = stack_pages(sorted(unknown))
    own = [(page, *OWN_CLASS) for page in sorted(unknown - set(stacks))]
    for page, number, noscan in own + oldest_first(warm):
        c = classes[number]
        p = 0 if cached.get((number, noscan)) == page else NO_P
        yield Kind.SNAP_SPAN, p, c.npages, page, 2 * number + noscan, 0
        size = c.size - header_bytes(design, c.size - HEADER, noscan)
        for slot in range(slots(design, c, noscan)[0]):
            yield Kind.SNAP_OBJECT | (NOSCAN if noscan else 0), slot, handle, size, 0, 0
            handle += 1
    for manual, page in enumerate(stacks):
        yield Kind.SNAP_STACK_SPAN, 0, manual, page, 1, 0
    yield Kind.SNAP_END, NO_P, 0, 0, 0, 0
    return handle


def unnamed_pages(start: Start, warm: list[Span], classes: list[SizeClass]) -> set[int]:
    """The pages in use that are in none of the warm spans."""
    unknown = set(range(start.base_page, start.end_page))
    for page, number, _ in warm:
        unknown -= set(range(page, page + classes[number].npages))
    return unknown


def mend_warm(warm: list[Span], unknown: set[int], classes: list[SizeClass]) -> list[Span]:
    """The warm spans of a first log, each from its first page on, and with those that it leaves out.

    It names a span by the page of the first object that the program got there, though others may lie before that one. And of
    the class of 8 KiB it leaves out the spans that it fills just before it goes on to the next class.
    """
    mended = []
    for page, number, noscan in warm:
        before = next(n for n in range(len(unknown) + 1) if page - n - 1 not in unknown)
        size, npages = classes[number].size, classes[number].npages
        first_slots = {first // PAGE for first in range(0, npages * PAGE - size + 1, size)}
        mended.append((page - before if before in first_slots else page, number, noscan))
    size, count = LEFT_OUT
    number = next(i for i, c in enumerate(classes) if c.size == size)
    following = next((i for i, span in enumerate(mended) if span[1] > number), len(mended))
    mended[following:following] = [(page, number, True) for page in sorted(unknown)[-count:]]
    return mended


def oldest_first(warm: list[Span]) -> list[Span]:
    """The warm spans as they wait to be swept: new ones come by ascending page, so one that does not was there before."""
    highest = accumulate((page for page, _, _ in warm), max)
    is_new = [page == top for (page, _, _), top in zip(warm, highest, strict=True)]
    return [span for span, new in zip(warm, is_new, strict=True) if not new] + list(compress(warm, is_new))


def stack_pages(unknown: list[int]) -> list[int]:
    """Of pages in no known span those that are taken for stacks: all that make whole spans of stacks."""
    runs: list[list[int]] = []
    for page in unknown:
        if runs and runs[-1][-1] == page - 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    return [page for run in runs for page in run[: len(run) // STACK_PAGES * STACK_PAGES]]


def header_bytes(design: Design, size: int, noscan: bool) -> int:
    """Bytes between the start of a slot and the object in it."""
    fits = design.header_above < size <= design.max_small_size - HEADER
    return HEADER if design.malloc_header and not noscan and fits else 0


def program_event(entry: dict[str, Any], start: Start, offset: int) -> Iterator[Row]:
    """The events of one line. Handles count on from those of the snapshot; `addr` is that of the slot."""
    match entry["op"]:
        case "alloc":
            size, noscan, addr = whole(entry, "size", MAX_BYTES), not entry["scan"], whole(entry, "addr", MAX_BYTES)
            addr -= header_bytes(start.design, size, noscan)
            addr -= addr % TINY if noscan and size < TINY else 0
            yield Kind.ALLOC | (NOSCAN if noscan else 0), 0, offset + whole(entry, "id", MOST_ID), size, 0, max(addr, 0)
        case "free":
            yield Kind.FREE, 0, offset + whole(entry, "id", MOST_ID), 0, 0, 0
        case "gc":
            explicit = int("sweep" not in entry)
            yield Kind.GC_START, 0, 0, 0, explicit, 0
            yield Kind.GC_END, 0, 0, 0, explicit, 0
        case "setgc":
            yield Kind.SET_GOGC, 0, 0, whole(entry, "percent", MAX_BYTES), 0, 0
        case other:
            raise ValueError(f"op {brief(other)}")


def batches(rows: Iterable[Row]) -> Iterator[Batch]:
    """The rows as batches of columns."""
    waiting = iter(rows)
    while some := list(islice(waiting, BATCH)):
        kind, p, handle, size, arg, addr = (
            np.array(column, dtype) for column, dtype in zip(zip(*some, strict=True), COLUMNS.values(), strict=True)
        )
        yield Batch(kind, p, handle, size, arg, addr)
