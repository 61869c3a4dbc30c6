"""From Sys to RSS: what the system counts that Go does not, and the other way round, in rows that add up."""

from __future__ import annotations

from goalloc_cli.analyses.memstats.ledger import EXACT, backed, heap_sys, row_of
from goalloc_cli.results.memstats import ZERO, Amount, Moment, Process, Row, exactly

SYSTEM, BOUND, DIFFERENCE, AT_LEAST = "system", "bound", "difference", "at_least"
"""How a row is known: the system says so; it lies in a range; it is what the others leave; it is that much or more."""

NOT_GO = ("c_heap", "library", "binary", "file", "main_stack", "kernel")
"""Kinds of mappings that Sys does not count, in the order of the rows."""


def to_rss(moment: Moment, rss_bytes: int | None, process: Process | None, lazily: bool | None) -> list[Row]:
    """The rows from Sys to RSS; empty where one of the two is not known.

    Args:
        moment: MemStats.
        rss_bytes: the resident memory.
        process: what the system says, where there is more than that.
        lazily: whether this Go gives memory back by MADV_FREE; None where that is not known.
    """
    held = backed(moment)
    if rss_bytes is None or held is None:
        return []
    total = moment.values.get("Sys") or heap_sys(moment.values)
    assert total is not None
    released = moment.values.get("HeapReleased", ZERO)
    rows = [row_of("sys" if "Sys" in moment.values else "heap_sys", total), row_of("minus_released", ZERO.minus(released))]
    if process is not None and (lazy := lazy_bytes(process)):
        rows.append(Row("lazy", exactly(lazy), SYSTEM))
    if process is not None and process.kinds:
        rows += told_apart(process, moment)
    elif process is not None and process.file_bytes is not None:
        rows.append(Row("files", exactly(process.file_bytes), SYSTEM))
    rest = rss_bytes - sum(row.amount.value for row in rows)
    if rest:
        rows.append(left_over(rest, released.value, process, lazily, rows))
    return [*rows, Row("rss", exactly(rss_bytes), SYSTEM)]


def left_over(rest: int, released: int, process: Process | None, lazily: bool | None, rows: list[Row]) -> Row:
    """What is between Go's numbers and the system's."""
    if rest < 0:
        return Row("untouched", exactly(rest), DIFFERENCE)
    if process is not None and (process.lazy_free_bytes is not None or process.kinds):
        return Row("more" if process.kinds else "outside", exactly(rest), DIFFERENCE)
    if lazily is False or not released:
        return Row("outside", exactly(rest), DIFFERENCE)
    return Row("lazy_or_outside", exactly(rest), DIFFERENCE)


def lazy_bytes(process: Process) -> int:
    """What of Go's memory is given back and still resident; of all memory, where the kinds are not told apart."""
    if process.kinds:
        return sum(kind.lazy_free_bytes for kind in process.kinds if kind.kind == "go_heap")
    return process.lazy_free_bytes or 0


def told_apart(process: Process, moment: Moment) -> list[Row]:
    """The kinds of mappings that are none of Go's; of the nameless ones, what Go's own cannot be."""
    resident = {kind.kind: kind.rss_bytes for kind in process.kinds}
    rows = [Row(kind, exactly(resident[kind]), SYSTEM) for kind in NOT_GO if resident.get(kind)]
    nameless = resident.get("anonymous", 0)
    if process.named:
        return [Row("nameless", exactly(nameless), SYSTEM), *rows] if nameless else rows
    beside = beside_heap(moment)
    if beside is None or nameless <= beside:
        return rows
    foreign = nameless - beside
    return [Row("nameless", Amount(foreign, foreign, nameless), AT_LEAST), *rows]


def beside_heap(moment: Moment) -> int | None:
    """The most that Go's own memory outside of its arenas can be."""
    total, heap, stacks = (moment.get(name) for name in ("Sys", "HeapSys", "StackInuse"))
    if total is None or heap is None:
        return None
    return total - heap - (stacks or 0)


def arenas_agree(process: Process, moment: Moment) -> bool | None:
    """Whether the mappings taken for Go's heap are as large as MemStats says, give or take the GC's work buffers."""
    heap = next((kind for kind in process.kinds if kind.kind == "go_heap"), None)
    said, stacks, gc = (moment.get(name) for name in ("HeapSys", "StackInuse", "GCSys"))
    if heap is None or said is None or stacks is None:
        return None
    return said + stacks <= heap.writable_bytes <= said + stacks + (gc or 0)


__all__ = ["EXACT", "arenas_agree", "beside_heap", "to_rss"]
