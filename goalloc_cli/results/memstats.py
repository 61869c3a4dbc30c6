"""What people have in hand of a program, as `importers.memstats` found it, and what `analyses.memstats` makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Amount(NamedTuple):
    """A number that was printed, and the range that the print leaves open: "11 MiB" is 11 to 12 MiB."""

    value: int
    low: int
    high: int

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def plus(self, other: Amount) -> Amount:
        return Amount(self.value + other.value, self.low + other.low, self.high + other.high)

    def minus(self, other: Amount) -> Amount:
        return Amount(self.value - other.value, self.low - other.high, self.high - other.low)


def exactly(value: int) -> Amount:
    return Amount(value, value, value)


ZERO = exactly(0)


@dataclass
class Moment:
    """The numbers of one moment, under their names in MemStats; what that has not, under those of runtime/metrics."""

    values: dict[str, Amount] = field(default_factory=dict)
    by_size: list[tuple[int, int, int]] = field(default_factory=list)
    """Size, mallocs and frees of each size class."""
    version: str | None = None
    """Of Go, where the input names it."""
    since: str | None = None
    """Else the oldest release that can have printed this."""
    time_s: float | None = None
    """When it was taken, in seconds since 1970."""
    time_from: str = ""
    """Where that stands."""

    def get(self, name: str) -> int | None:
        found = self.values.get(name)
        return None if found is None else found.value


@dataclass
class Dump:
    """One input."""

    name: str
    size_bytes: int | None
    form: str
    """What it is, for people."""
    first: Moment
    last: Moment
    moments: int
    """How many it holds; the same one is first and last where there is one."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mappings:
    """Mappings of one kind, all together. Bytes, from whole KiB."""

    kind: str
    """A key of KINDS in `report/tables/printed/resident.py`."""
    count: int
    size_bytes: int
    rss_bytes: int
    lazy_free_bytes: int
    huge_bytes: int
    swap_bytes: int
    writable_bytes: int
    """Of `size_bytes`, what can be written: of Go's heap, what has been taken into use."""


@dataclass(frozen=True)
class Process:
    """What the system says of a process: /proc/PID/smaps, smaps_rollup or status."""

    name: str
    form: str
    rss_bytes: int
    lazy_free_bytes: int | None
    """Resident, but given back by madvise(MADV_FREE); None where the form does not tell."""
    huge_bytes: int | None
    swap_bytes: int | None
    file_bytes: int | None
    """Resident pages of files, the binary among them."""
    kinds: tuple[Mappings, ...] = ()
    """Empty but for smaps."""
    named: bool = False
    """Whether Go has named its mappings (since 1.25, where the kernel can)."""


@dataclass(frozen=True)
class Row:
    """A row of a ledger that adds up."""

    name: str
    amount: Amount
    how: str
    """How it is known: a key of HOW in the report."""


@dataclass(frozen=True)
class Identity:
    """Two sums that Go makes equal, or one that is never the larger."""

    left: str
    relation: str
    """"=" or "<="."""
    right: str
    left_bytes: int
    right_bytes: int
    holds: bool


@dataclass(frozen=True)
class Reading:
    """The largest cost, and what is known beside it that decides what helps."""

    cause: str
    """A key of CAUSES in the report."""
    bytes: int
    of: str
    """"RSS", or "Sys - HeapReleased"."""
    of_bytes: int
    facts: dict[str, int | str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SizeClassRow:
    """Live objects of a size class, from BySize; size None: all larger ones."""

    size_bytes: int | None
    objects: int | None
    live_bytes: int
    mallocs: int | None
    frees: int | None
    rounding_high_bytes: int | None
    """The most that rounding up to the class can have cost."""


@dataclass(frozen=True)
class Change:
    """One number in two moments."""

    name: str
    before: int
    after: int
    per_second: float | None
    """Of counters, where the time between is known."""


@dataclass
class Memory:
    """Everything that was found out of an input, or of several in order of time."""

    dump: Dump
    ledger: list[Row]
    resident: list[Row]
    rss_bytes: int | None
    process: Process | None
    sizes: list[SizeClassRow]
    identities: list[Identity]
    reading: Reading | None
    changes: list[Change]
    seconds: float | None
    """Between the first and the last moment."""
    cgroup: dict[str, int]
    version: str | None
    notes: list[str]
