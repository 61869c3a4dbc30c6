"""Where Sys goes: rows that add up to it, as far as the numbers tell them apart.

Go: runtime/mstats.go, readmemstats_m; runtime/metrics.go, /memory/classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from goalloc_cli.results.memstats import ZERO, Amount, Moment, Row

EXACT, PRINT, REST, LEFT = "exact", "print", "rest", "left"
"""How a row is known: to the byte; as far as the print tells; as what other rows leave of a total; as a contradiction."""

HEAP = (("objects", "HeapAlloc"), ("unused", "HeapInuse"), ("free", "HeapIdle"), ("released", "HeapReleased"))
PAIRS = (("mspan", "MSpanInuse", "MSpanSys"), ("mcache", "MCacheInuse", "MCacheSys"))
SINGLE = (("buckets", "BuckHashSys"), ("gc", "GCSys"), ("other", "OtherSys"))
SYSTEMS = ("HeapSys", "StackSys", "MSpanSys", "MCacheSys", "BuckHashSys", "GCSys", "OtherSys")
"""What adds up to Sys."""


def ledger(moment: Moment) -> list[Row]:
    """The rows of Sys, and Sys last; of HeapSys, where the numbers hold no Sys. Empty where there is nothing to add up."""
    values = moment.values
    rows = [*heap(values)]
    total = values.get("Sys")
    if total is not None:
        rows += [*stacks(values), *runtime(values)]
    else:
        total = heap_sys(values)
    if total is None or not rows:
        return []
    rest = total
    for row in rows:
        rest = rest.minus(row.amount)
    if rest.value:
        wrong = rest.exact and (all(name in values for name in SYSTEMS) or "Sys" not in values)
        rows.append(Row("contradiction", rest, LEFT) if wrong else Row("not_told", rest, REST))
    return [*rows, row_of("total" if "Sys" in values else "heap_total", total)]


def heap_sys(values: dict[str, Amount]) -> Amount | None:
    """HeapSys, or what it must be."""
    if "HeapSys" in values:
        return values["HeapSys"]
    if "HeapInuse" in values and "HeapIdle" in values:
        return values["HeapInuse"].plus(values["HeapIdle"])
    return None


def heap(values: dict[str, Amount]) -> Iterator[Row]:
    """Objects, free slots, free pages and released ones: those of them that can be told apart."""
    alloc, inuse, idle, released = (values.get(name) for name in ("HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased"))
    if inuse is None and idle is not None and "HeapSys" in values:
        inuse = values["HeapSys"].minus(idle)
    if idle is None and inuse is not None and "HeapSys" in values:
        idle = values["HeapSys"].minus(inuse)
    if alloc is not None:
        yield row_of("objects", alloc)
    if inuse is not None:
        yield row_of("inuse", inuse) if alloc is None else row_of("unused", inuse.minus(alloc))
    if idle is not None:
        yield row_of("idle", idle) if released is None else row_of("free", idle.minus(released))
    if released is not None:
        yield row_of("released", released)


def stacks(values: dict[str, Amount]) -> Iterator[Row]:
    """Stacks of goroutines, and those of threads that the system did not give."""
    inuse, system = values.get("StackInuse"), values.get("StackSys")
    if inuse is not None:
        yield row_of("stacks", inuse)
    if system is not None:
        yield row_of("stacks_sys", system) if inuse is None else row_of("os_stacks", system.minus(inuse))


def runtime(values: dict[str, Amount]) -> Iterator[Row]:
    """What the runtime takes for itself."""
    for name, inuse, system in PAIRS:
        if system in values and inuse in values:
            yield row_of(f"{name}_inuse", values[inuse])
            yield row_of(f"{name}_free", values[system].minus(values[inuse]))
        elif system in values:
            yield row_of(f"{name}_sys", values[system])
    for name, key in SINGLE:
        if key in values:
            yield row_of(name, values[key])


def row_of(name: str, amount: Amount) -> Row:
    return Row(name, amount, EXACT if amount.exact else PRINT)


def backed(moment: Moment) -> Amount | None:
    """What Go holds and has not given back: Sys - HeapReleased, or of the heap alone. GOMEMLIMIT limits it."""
    total = moment.values.get("Sys") or heap_sys(moment.values)
    return None if total is None else total.minus(moment.values.get("HeapReleased", ZERO))
