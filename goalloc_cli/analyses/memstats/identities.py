"""What must hold between the numbers of one moment. Go: runtime/mstats.go, readmemstats_m, and the comments of MemStats."""

from __future__ import annotations

from collections.abc import Iterator

from goalloc_cli.analyses.memstats.ledger import SYSTEMS
from goalloc_cli.results.memstats import ZERO, Amount, Identity, Moment

EQUAL = (
    (("Sys",), SYSTEMS),
    (("HeapSys",), ("HeapInuse", "HeapIdle")),
    (("HeapAlloc",), ("Alloc",)),
    (("Mallocs",), ("HeapObjects", "Frees")),
)
WITHIN = (
    ("HeapReleased", "HeapIdle"),
    ("HeapAlloc", "HeapInuse"),
    ("HeapAlloc", "TotalAlloc"),
    ("HeapInuse", "HeapSys"),
    ("HeapSys", "Sys"),
    ("StackInuse", "StackSys"),
    ("MSpanInuse", "MSpanSys"),
    ("MCacheInuse", "MCacheSys"),
    ("Frees", "Mallocs"),
    ("NumForcedGC", "NumGC"),
)


def identities(moment: Moment) -> Iterator[Identity]:
    """Each one whose numbers are there."""
    values = moment.values
    for left, right in EQUAL:
        if all(name in values for name in (*left, *right)):
            told = "the sum of the XxxSys" if right is SYSTEMS else " + ".join(right)
            yield compared(total(values, left), " + ".join(left), "=", total(values, right), told)
    for small, large in WITHIN:
        if small in values and large in values:
            yield compared(values[small], small, "<=", values[large], large)
    if moment.by_size:
        live = sum(size * (mallocs - frees) for size, mallocs, frees in moment.by_size)
        dead = [size for size, mallocs, frees in moment.by_size if frees > mallocs]
        told = "live objects of BySize"
        if "HeapAlloc" in values:
            yield compared(Amount(live, live, live), told, "<=", values["HeapAlloc"], "HeapAlloc")
        if dead:
            yield Identity(f"Frees of {dead[0]:,} B", "<=", f"Mallocs of {dead[0]:,} B", 1, 0, False)


def compared(left: Amount, left_name: str, relation: str, right: Amount, right_name: str) -> Identity:
    """Holds wherever it can hold, within what the print leaves open."""
    overlap = left.low <= right.high and (relation == "<=" or right.low <= left.high)
    return Identity(left_name, relation, right_name, left.value, right.value, overlap)


def total(values: dict[str, Amount], names: tuple[str, ...]) -> Amount:
    found = ZERO
    for name in names:
        found = found.plus(values[name])
    return found
