"""What is wrong with a trace, as `analyses.badevents` found it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from goalloc_cli.trace.event import FREED_ID
from goalloc_cli.trace.ranges import MAX_PROCS
from goalloc_cli.trace.trace import Header


class Wrong(IntEnum):
    """What is wrong with an event."""

    NOTHING = 0
    DOUBLE_FREE = 1
    UNKNOWN_FREE = 2
    LIVE_HANDLE = 3
    GC_END_ALONE = 4
    GC_START_TWICE = 5
    STACK_SIZE = 6
    STACK_LIVE = 7
    STACK_UNKNOWN = 8
    TIME_BACK = 9
    MANUAL_UNKNOWN = 10
    LATE_SNAPSHOT = 11
    UNKNOWN_KIND = 12
    SIZE = 13
    P = 14
    ARG = 15
    HANDLE = 16
    MANUAL_LIVE = 17
    CALL_STACK = 18
    ADDRESS = 19


@dataclass(frozen=True)
class Meaning:
    """A mistake in words."""

    name: str
    """Of one, for counts: a plural `s` follows."""
    problem: str
    advice: str


_OTHER_TRACE = "the part that allocated it may be missing, or the events of two programs are mixed"

MEANINGS = {
    Wrong.DOUBLE_FREE: Meaning("double free", "the object was freed before", "look for what recorded the free twice"),
    Wrong.UNKNOWN_FREE: Meaning("free of an unknown object", "no event allocated the object", _OTHER_TRACE),
    Wrong.LIVE_HANDLE: Meaning(
        "allocation on a live handle", "another object has the handle and is alive", "its free is missing, or comes too late"
    ),
    Wrong.GC_END_ALONE: Meaning(
        "GC end without a start", "no GC cycle is under way", "write a GC start before each GC end"
    ),
    Wrong.GC_START_TWICE: Meaning(
        "GC start within a cycle", "a GC cycle is under way already", "write a GC end before the next GC start"
    ),
    Wrong.STACK_SIZE: Meaning(
        "impossible stack size", "a stack has a power of two of bytes, 2048 at least", "round the size up as Go does"
    ),
    Wrong.STACK_LIVE: Meaning(
        "stack on a live handle", "another stack has the handle and is in use", "its free is missing, or comes too late"
    ),
    Wrong.STACK_UNKNOWN: Meaning(
        "free of an unknown stack", "no event allocated the stack, or it was freed before", _OTHER_TRACE
    ),
    Wrong.TIME_BACK: Meaning(
        "time going backwards", "it is earlier than the time before", "sort the events by time before they are written"
    ),
    Wrong.MANUAL_UNKNOWN: Meaning("free of an unknown manual span", "no event allocated the span", _OTHER_TRACE),
    Wrong.MANUAL_LIVE: Meaning(
        "manual span on a live handle", "another manual span has the handle", "its free is missing, or comes too late"
    ),
    Wrong.LATE_SNAPSHOT: Meaning(
        "late event of the snapshot", "the program's events have begun", "the snapshot stands before all other events"
    ),
    Wrong.UNKNOWN_KIND: Meaning("unknown kind", "no such kind of event is known", "a newer goalloc may know it"),
    Wrong.SIZE: Meaning("impossible size", "it is beyond what Go can address", "sizes are bytes, pages or nanoseconds"),
    Wrong.P: Meaning("impossible P", "there is no such P", f"Ps count from 0, and are at most {MAX_PROCS}"),
    Wrong.HANDLE: Meaning("impossible handle", f"handles end at {FREED_ID - 1}", "count from 0, and use them again"),
    Wrong.CALL_STACK: Meaning(
        "impossible call stack", "the trace has told no such stack", "tell calls before use; only allocations have one"
    ),
    Wrong.ADDRESS: Meaning(
        "allocation at a live address", "another object lives at the address", "its free is missing, or comes too late"
    ),
    Wrong.ARG: Meaning("impossible arg", "it names nothing that the trace has told", "tell types and names before use"),
}


@dataclass(frozen=True)
class BadEvent:
    """An event with what is wrong with it."""

    event: int
    """Its number in the trace, from 0."""
    kind: str
    p: int | None
    handle: int | None
    size: int
    wrong: Wrong


@dataclass
class Findings:
    """What a walk over a trace found out so far."""

    header: Header
    events: int = 0
    counts: dict[Wrong, int] = field(default_factory=dict)
    first: list[BadEvent] = field(default_factory=list)
    """The first ones."""
    refused: str = ""
    """What the model refuses though no event is bad by itself, in a line; "" where it takes all (`analyses.examine`)."""
    cycles: int = 0
    """GC cycles that ended."""
    empty: int = 0
    """Allocations of no size."""
    highest_p: int = 0
    """The highest P of a good event."""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong so far."""
        return not self.total and not self.refused

    @property
    def total(self) -> int:
        """Bad events so far."""
        return sum(self.counts.values())
