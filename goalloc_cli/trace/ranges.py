"""Checks that every event stays within what its kind allows: the door that a foreign trace comes in by.

Which handles are alive is for the replay to find out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.errors import TraceError
from goalloc_cli.trace.event import BATCH, BOUND, KIND_MASK, NO_P, NOSCAN, Batch, Kind

MAX_BYTES = 1 << 48
"""Most bytes in a size: what Go can address on a 64-bit machine (malloc.go, maxAlloc)."""

MAX_PAGE = 1 << 35
"""Highest page number, and most pages: `MAX_BYTES` in pages of 8 KiB."""

MAX_NS = (1 << 62) - 1
"""Latest time, 146 years, and most of what is counted; behind it lies the model's "never" (pacing/scavenger.py, PARKED)."""

MAX_PROCS = 1024
"""Most Ps: Go's own limit up to 1.9 (runtime2.go, _MaxGomaxprocs); it has none since, but the model has (tables/heap.py)."""

MAX_PERCENT = (1 << 31) - 1
"""Highest GOGC: Go keeps it in an int32."""

MAX_SPAN_CLASS = 255
"""Highest span class: Go keeps it in a byte."""

MAX_TABLE_BYTES = 64 << 20
"""Most bytes of types and names, each with `ENTRY_BYTES` more: it bounds memory, far beyond any program."""

MAX_STACKS = 1 << 20
"""Most stacks, as calls: a hundred times what a large program has."""

MAX_OWNERS = 1 << 16
"""Most owners: those of a program that makes up names of tasks and regions are counted as one."""

ENTRY_BYTES = 64
"""Roughly what an entry takes beside its text."""

FLAGS = {
    Kind.ALLOC: NOSCAN | BOUND,
    Kind.SNAP_OBJECT: NOSCAN | BOUND,
    Kind.TINY: BOUND,
}
"""Flags that the kinds may carry; all others carry none."""

_TYPED = (Kind.ALLOC, Kind.TINY, Kind.SNAP_OBJECT, Kind.SNAP_DEAD)
_STACKED = (Kind.ALLOC, Kind.TINY)
_YES_NO = (Kind.GC_START, Kind.GC_END, Kind.SET_GOGC, Kind.MANUAL_ALLOC, Kind.SCAVENGE, Kind.GC_CPU)
_SPAN_CLASSED = (Kind.SNAP_SPAN, Kind.MCACHE_FLUSH, Kind.REFILL, Kind.SAW_SPAN_ALLOC)
_SIZED_IN_PAGES = (
    Kind.SNAP_RANGE,
    Kind.SNAP_SPAN,
    Kind.SNAP_STACK_SPAN,
    Kind.SNAP_PAGE_CACHE,
    Kind.SNAP_PADDING,
    Kind.MANUAL_ALLOC,
    Kind.SAW_SPAN_ALLOC,
)
_COUNTED = (Kind.TIME, Kind.SWEEP_COUNT, Kind.GOROUTINES, Kind.GC_CPU)
_BY_OWNER = (Kind.SNAP_SPAN, Kind.SNAP_PAGE_CACHE)
"""Kinds whose `p` is a P of the snapshot: one of those that the header counts. All others may name a later one."""
_IN_SLOT = (Kind.SNAP_OBJECT, Kind.SNAP_DEAD)
"""Kinds whose `p` is a slot."""


def _all_flags(kind: Kind) -> list[int]:
    """Every byte that may stand for this kind in the column `kind`."""
    return [kind | flags for flags in (0, NOSCAN, BOUND, NOSCAN | BOUND) if not flags & ~FLAGS.get(kind, 0)]


_IS_KNOWN = np.zeros(256, np.bool_)
_IS_KNOWN[[byte for kind in Kind for byte in _all_flags(kind)]] = True

_USUAL = bytes((Kind.ALLOC, Kind.ALLOC | NOSCAN, Kind.FREE))
"""The bytes of `kind` that nearly all events have."""


class RangeCheck:
    """Follows a trace, batch by batch, and knows how many types and names it has brought so far."""

    def __init__(self, gomaxprocs: int, lenient: bool = False) -> None:
        """With `lenient`, events out of range are left to who asks for `beyond`; types and names are still counted."""
        self.events = 0
        self.lenient = lenient
        self._table_bytes = 0
        # Entry 0 of both tables means "not known".
        self._types = 1
        self._names = 1
        self._functions = 1
        self._stacks = 1
        self._owners = 1
        # The most that a kind allows, by the whole byte of the column `kind`.
        self._most: dict[str, NDArray[np.unsignedinteger]] = {
            "size": np.full(256, MAX_BYTES, "u8"),
            "arg": np.full(256, (1 << 32) - 1, "u4"),
            "p": np.full(256, max(gomaxprocs, MAX_PROCS), "u2"),  # of p + 1, where NO_P has become 0
            "stack": np.zeros(256, "u4"),
        }
        self._set("size", _SIZED_IN_PAGES, MAX_PAGE)
        self._set("size", _COUNTED, MAX_NS)
        self._set("arg", _YES_NO, 1)
        self._set("arg", _SPAN_CLASSED, MAX_SPAN_CLASS)
        self._set("size", (Kind.SET_GOGC,), MAX_PERCENT)
        self._set("p", _BY_OWNER, gomaxprocs)
        self._set("p", _IN_SLOT, NO_P)
        self._set("p", (Kind.SNAP_STACK_SPAN,), 2)
        self._set_table_limits()

    def check(self, batch: Batch, where: str) -> None:
        """Raise TraceError, with `where` in front, at the first event of the batch that is out of range."""
        if len(batch) > BATCH:
            raise TraceError(f"{where}: {len(batch)} events in one batch; at most {BATCH} are allowed")
        self._learn(batch, where)
        if not self.lenient:
            self._check_values(batch, where)
        self.events += len(batch)

    def beyond(self, batch: Batch) -> dict[str, NDArray[np.bool_]]:
        """Which events are out of range, by the column that is: kind, size, arg or p.

        Raise TraceError where the batch is too long, or its types and names are too many.
        """
        self.check(batch, f"event {self.events}")
        found = {}
        present = _kinds_in(batch)
        if not _IS_KNOWN[present].all():
            found["kind"] = ~_IS_KNOWN[batch.kind]
        return found | dict(self._over(batch, present))

    def _check_values(self, batch: Batch, where: str) -> None:
        """Raise TraceError at the first event that is out of range."""
        present = _kinds_in(batch)
        if not _IS_KNOWN[present].all():
            first = int(np.argmin(_IS_KNOWN[batch.kind]))
            unknown = _describe(int(batch.kind[first]))
            self._refuse(where, first, f"unknown kind {unknown}; a newer goalloc may know it")
        for column, over in self._over(batch, present):
            first = int(over.argmax())
            limit = int(self._most[column][batch.kind[first]])
            self._refuse(where, first, _problem(batch, column, first, limit))

    def _over(self, batch: Batch, present: NDArray[np.intp]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Which events are out of range, for each column that has such; `present` are the bytes of `kind` that there are."""
        for column, values in self._columns(batch):
            most = self._most[column]
            # Most columns hold nothing that any kind here forbids, which their highest value shows.
            if len(values) and values.max() > most[present].min():
                over = values > most[batch.kind]
                if over.any():
                    yield column, over

    @staticmethod
    def _columns(batch: Batch) -> Iterator[tuple[str, NDArray[np.unsignedinteger]]]:
        """Each column that has limits."""
        # Seen as unsigned, a negative size is a very large one.
        yield "size", batch.size.view(np.uint64)
        yield "arg", batch.arg
        yield "p", batch.p + np.uint16(1)
        if batch.stack is not None:
            yield "stack", batch.stack

    def _learn(self, batch: Batch, where: str) -> None:
        """Count the new types and names; raise TraceError if they are too many."""
        self._learn_stacks(batch, where)
        self._learn_owners(batch, where)
        if not batch.new_types and not batch.new_names and not batch.new_functions and not batch.new_owners:
            return
        self._types += len(batch.new_types)
        self._names += len(batch.new_names)
        self._set_table_limits()
        names = [*batch.new_names, *(new.name for new in batch.new_types)]
        names += [new.name + new.file for new in batch.new_functions]
        names += [new.task + new.region for new in batch.new_owners]
        self._table_bytes += sum(map(len, names)) + ENTRY_BYTES * len(names)
        if self._table_bytes > MAX_TABLE_BYTES:
            raise TraceError(f"{where}: more than {MAX_TABLE_BYTES >> 20} MiB of types and names so far")

    def _learn_stacks(self, batch: Batch, where: str) -> None:
        """Count the new functions and stacks; raise TraceError for one that names another that is not there yet."""
        self._functions += len(batch.new_functions)
        for call in batch.new_calls:
            if not 0 < call.function < self._functions or call.caller >= self._stacks:
                raise TraceError(f"{where}: stack {self._stacks} names a function or caller that has not come yet")
            self._stacks += 1
        if self._stacks > MAX_STACKS:
            raise TraceError(f"{where}: more than {MAX_STACKS} stacks so far")
        if batch.new_calls:
            self._set("stack", _STACKED, self._stacks - 1)

    def _learn_owners(self, batch: Batch, where: str) -> None:
        """Count the new owners; raise TraceError for one whose function or stack is not there yet."""
        for owner in batch.new_owners:
            if not 0 <= owner.entry < self._functions or not 0 <= owner.creator < self._stacks:
                raise TraceError(f"{where}: owner {self._owners} names a function or stack that has not come yet")
            self._owners += 1
        if self._owners > MAX_OWNERS:
            raise TraceError(f"{where}: more than {MAX_OWNERS} owners so far")

    def _set_table_limits(self) -> None:
        self._set("arg", _TYPED, self._types - 1)
        self._set("arg", (Kind.CHECKPOINT,), self._names - 1)
        self._set("arg", (Kind.WORKS_FOR,), self._owners - 1)

    def _refuse(self, where: str, index: int, problem: str) -> None:
        raise TraceError(f"{where}: event {index} (event {self.events + index} of the trace): {problem}")

    def _set(self, column: str, kinds: tuple[Kind, ...], value: int) -> None:
        for kind in kinds:
            self._most[column][_all_flags(kind)] = value


def _kinds_in(batch: Batch) -> NDArray[np.intp]:
    """The bytes that stand in the column `kind`, in order."""
    data = batch.kind.tobytes()
    # To drop the usual ones and to look for each is several times as fast as to count all.
    found = {*data.translate(None, _USUAL), *(byte for byte in _USUAL if byte in data)}
    return np.array(sorted(found), np.intp)


def _problem(batch: Batch, column: str, index: int, limit: int) -> str:
    """What is wrong with the value in a column, in words."""
    kind = Kind(int(batch.kind[index]) & KIND_MASK)
    value = int(getattr(batch, column)[index])
    if column == "stack":
        reason = f"the trace has only {limit} stacks so far" if kind in _STACKED else "it has none"
    elif column == "arg" and kind in _TYPED:
        reason = f"the trace has only {limit} types so far"
    elif column == "arg" and kind == Kind.CHECKPOINT:
        reason = f"the trace has only {limit} names so far"
    elif column == "arg" and kind == Kind.WORKS_FOR:
        reason = f"the trace has only {limit} owners so far"
    elif column == "p" and kind in _BY_OWNER:
        reason = f"the header says gomaxprocs {limit}"
    elif column == "p" and kind != Kind.SNAP_STACK_SPAN:
        reason = f"there are at most {limit} Ps"
    else:
        reason = f"it can be 0 to {limit if column != 'p' else limit - 1}"
    return f"{kind.name} with {column} {value}, but {reason}"


def _describe(byte: int) -> str:
    """The number of a kind, and its flags if these are what is wrong."""
    number = byte & KIND_MASK
    flags = [name for name, flag in (("NOSCAN", NOSCAN), ("BOUND", BOUND)) if byte & flag]
    return " with ".join([str(number), *([" and ".join(flags)] if flags else [])])
