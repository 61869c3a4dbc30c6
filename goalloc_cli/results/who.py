"""Who holds the heap at one moment: a row for each owner, type, span class and call stack that allocated.

The columns named as rows of the ledger (`outcome.LEDGER`) sum, over all rows, to that ledger to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.outcome import LEDGER, table
from goalloc_cli.trace.event import Call, Function, Owner

BEFORE, NO_OBJECT, TRACER = -1, -2, -3
"""Owners that are none: of what lived before the recording began; of spans in which nothing lives; of the recording's own
tracer, whose two buffers the ledger counts apart. Owner 0 is not known."""

EVER = (
    "allocs",  # so far; what was packed into a tiny block counts too
    "alloc_bytes",  # as asked for, as far as the trace tells
    "slot_bytes",  # of the slots taken for them; none for what was packed
    "bound",  # of them, those whose requested size is not known
    "deaths",
    "death_bytes",
    "age_cycles",  # GC cycles that the dead lived through, added up
    "age_bytes",  # bytes that were allocated while they lived, added up
)
"""Columns that a trace alone gives, without a heap."""
LIVING = ("live", "live_bytes", "peak_live", "peak_bytes")
"""Live objects and bytes as the trace tells, at the end of what was read, and when all live bytes were highest."""

ROW = table(
    "owner", "type", "spc", "stack", *EVER, *LIVING,
    "least", "most",  # of the sizes asked for
    "objects",  # live in the heap
    "dead_objects",  # dead ones whose slots are still taken
    *LEDGER,
)  # fmt: skip
"""`owner`, `type` and `stack` are numbers of the tables of `Who`. Of the ledger: requested to tiny_waste are the row's own
live objects, dead_* its own dead ones; tail_waste, span_metadata and free slots are of the spans that its live objects keep
in use, shared out evenly among all objects that live there."""

OWN = ("requested", "headers", "class_rounding", "large_rounding", "tiny_waste")
"""Rows of the ledger that are slots of live objects."""
DEAD = ("dead_unswept", "dead_unfound")
PINNED = ("tail_waste", "span_metadata", "free_slots_cached", "free_slots")
"""Rows of the ledger that live objects keep from being given back, by living in the span."""


@dataclass(frozen=True)
class Who:
    """Who holds what at one moment, and had allocated up to it."""

    event: int
    """Events before it."""
    sample: NDArray[np.void]
    """One SAMPLE row, whose ledger the rows sum to; none where there was no replay."""
    rows: NDArray[np.void]
    """ROW rows."""
    owners: list[Owner]
    """By number; the first for "not known". Their functions and stacks are numbers of `functions` and `calls`."""
    types: list[str]
    """Names, by number; "" is not known."""
    functions: list[Function]
    calls: list[Call]
    goroutines: int
    """How many there were when last told; -1: never."""


class SiteRow(NamedTuple):
    """A call site: ROW rows of what it allocated itself, and with all that it called."""

    function: str
    file: str
    line: int
    flat: np.void
    cumulative: np.void


@dataclass(frozen=True)
class Sites:
    """Who allocated, by call site."""

    group_by: str
    """"line", "func" or "package"."""
    focus: str | None
    rows: list[SiteRow]
    """Most bytes allocated first."""
    unknown_bytes: int
    """Allocated with a stack that is not known."""


class Named(Protocol):
    """What names owners."""

    @property
    def owners(self) -> list[Owner]: ...
    @property
    def functions(self) -> list[Function]: ...
    @property
    def calls(self) -> list[Call]: ...


NAMED = {
    0: "(not known)", BEFORE: "(live before the recording)", NO_OBJECT: "(no live object)", TRACER: "(execution tracer)"
}  # fmt: skip
"""Owners that are none."""
SCHEDULER = "(runtime, no goroutine)"


def goroutine(known: Named, owner: int) -> tuple[str, str, bool]:
    """The function that an owner began in, the one that made it, and whether the runtime works for itself."""
    if owner <= 0 or owner >= len(known.owners):
        return NAMED.get(owner, NAMED[0]), "", owner == TRACER
    found = known.owners[owner]
    entry = known.functions[found.entry].name if found.entry else SCHEDULER if found.runtime else NAMED[0]
    return entry, made_by(known, found.creator), bool(found.runtime)


def made_by(known: Named, stack: int) -> str:
    """The function and line that made a goroutine, "" where it is not known."""
    if not 0 < stack < len(known.calls):
        return ""
    call = known.calls[stack]
    return f"{known.functions[call.function].name}:{call.line}"


def task(known: Named, owner: int) -> tuple[str, str]:
    """The user task and region of an owner."""
    if 0 < owner < len(known.owners):
        return known.owners[owner].task, known.owners[owner].region
    return "", ""


def grouped(rows: NDArray[np.void], *keys: str) -> NDArray[np.void]:
    """ROW rows summed up by some of the first four columns; the others of these are 0 then."""
    if not len(rows):
        return rows.copy()
    key = np.stack([rows[name] for name in keys], axis=1) if keys else np.zeros((len(rows), 1), np.int64)
    found, group = np.unique(key, axis=0, return_inverse=True)
    return summed(rows, group.reshape(-1), {name: found[:, column] for column, name in enumerate(keys)})


def summed(rows: NDArray[np.void], group: NDArray[np.int64], keys: dict[str, NDArray[np.int64]]) -> NDArray[np.void]:
    """ROW rows summed up by group, 0, 1, ...; `keys` are columns of the result."""
    out = np.zeros(int(group.max(initial=-1)) + 1, ROW)
    for name in ROW.names or ():
        if name in ("owner", "type", "spc", "stack", "least", "most"):
            continue
        np.add.at(out[name], group, rows[name])
    out["least"] = np.iinfo(np.int64).max
    told = rows["allocs"] > 0
    np.minimum.at(out["least"], group[told], rows["least"][told])
    np.maximum.at(out["most"], group[told], rows["most"][told])
    out["least"][out["allocs"] == 0] = 0
    for name, column in keys.items():
        out[name] = column
    return out


def live_bytes(rows: NDArray[np.void]) -> NDArray[np.int64]:
    """Bytes of the slots of live objects, row by row."""
    return added(rows, (*OWN, "tracer"))


def added(rows: NDArray[np.void], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Some columns added up, row by row."""
    total: NDArray[np.int64] = np.sum([rows[name] for name in names], axis=0)
    return total


def held(rows: NDArray[np.void]) -> NDArray[np.int64]:
    """All bytes of HeapInuse that a row stands for."""
    return added(rows, LEDGER)
