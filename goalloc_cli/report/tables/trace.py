"""Reports about a trace that was not replayed: events, sizes, lifetimes, types, stacks, GC cycles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, called, count, share, size, text
from goalloc_cli.report.units import duration, iec, many, percent, plural, short_size

Document = dict[str, Any]

MOST_SITES = 12
"""Sites shown in the terminal and in CSV."""
TOP = 20
"""Types shown in the terminal and in CSV; JSON has them all."""


def headline(document: Document) -> str:
    trace = document["trace"]
    parts = [
        trace["name"],
        f"{trace['source']}, Go {trace['go_version']}, {trace['goarch']}",
        many(document["events"], "event"),
        plural(document["gc_cycles"], "GC cycle"),
        plural(trace["gomaxprocs"], "P"),
    ]
    if document["duration_ns"]:
        parts.append(duration(document["duration_ns"]))
    if trace["bytes"] is not None:
        parts.append(iec(trace["bytes"]))
    return ", ".join(parts)


def overview(document: Document) -> list[Block]:
    """All that fits a screen or two."""
    return [
        program(document),
        *sizes(document),
        *lifetimes(document),
        types_by(document, "alloc_bytes", "types_by_bytes", "Types by bytes allocated", 8),
        types_by(document, "allocs", "types_by_count", "Types by allocations", 5),
        *sites(document),
        *stacks(document),
        cycle_summary(document),
        kinds(document),
    ]


def program(document: Document) -> Table:
    """What the program did, all in all."""
    d = document
    cells: list[Sequence[Cell]] = [
        ("allocations", d["allocs"], d["alloc_bytes"], None),
        ("  without pointers (noscan)", d["noscan_allocs"], d["noscan_bytes"], of(d["noscan_bytes"], d)),
        ("  size asked for not known", d["bound_allocs"], d["bound_bytes"], of(d["bound_bytes"], d)),
        ("packed into tiny blocks", d["tiny_packed"], d["tiny_packed_bytes"], None),
        ("live, at the peak", d["peak_live_objects"], d["peak_live_bytes"], None),
        ("live, at the end", d["live_objects"], d["live_bytes"], None),
    ]
    if d["objects_at_start"]:
        cells.insert(0, ("there when the trace began", d["objects_at_start"], None, None))
    columns = (
        text("what", "objects"),
        count("objects", "number"),
        size("bytes", "bytes"),
        share("share_of_bytes", "of allocated bytes", 1),
    )
    return Table("objects", "Objects", columns, cells, (sizes_note(document),))


def of(part: int, document: Document) -> float | None:
    return part / document["alloc_bytes"] if document["alloc_bytes"] else None


def sizes_note(document: Document) -> str:
    if document["trace"]["sizes"] == "slot":
        return "Sizes are read off the slots: where the request is not known, the most that takes the slot."
    return "Sizes are what the program asked for."


def sizes(document: Document) -> list[Block]:
    below = [
        f"Half of all allocations are of at most {short_size(document['size_median'])}",
        f"99% of at most {short_size(document['size_p99'])}",
        f"the largest is {iec(document['size_max'])}",
    ]
    rows = histogram(document["sizes"], lambda upto: f"<= {short_size(upto)}")
    notes = [f"{', '.join(below)}."] if rows else []
    return [Table("sizes", "Sizes of allocations", histogram_columns("size", "upto_bytes"), rows, notes)]


def lifetimes(document: Document) -> list[Block]:
    cycles = document["lifetimes_cycles"]
    bytes_rows = histogram(coarse(document["lifetimes_bytes"]), lambda upto: f"< {short_size(upto)}")
    notes = ["A death is seen when the trace says so: recordings of real programs learn of it at the next GC."]
    if document["live_objects"]:
        notes.append(f"{plural(document['live_objects'], 'object')} left out: alive at the end.")
    if document["dead_of_unknown_age"]:
        notes.append(f"{plural(document['dead_of_unknown_age'], 'object')} left out: older than the trace.")
    return [
        Table(
            "lifetimes_cycles",
            "Lifetimes in GC cycles",
            histogram_columns("GC cycles", "cycles"),
            histogram(grouped(cycles), cycles_label),
            notes,
        ),
        Table(
            "lifetimes_bytes",
            "Lifetimes in bytes allocated",
            histogram_columns("bytes allocated", "below_bytes"),
            bytes_rows,
            ("How much the program allocated between birth and death.",),
        ),
    ]


def cycles_label(cycles: int) -> str:
    return f"{cycles}" if cycles < 3 else f"{cycles // 2 + 1}-{cycles}"


def grouped(cycles: list[dict[str, int]]) -> list[dict[str, int]]:
    """0, 1, 2, then 3-4, 5-8, ... cycles."""
    return merged(cycles, lambda upto: upto if upto < 3 else 1 << (upto - 1).bit_length())


def coarse(buckets: list[dict[str, int]]) -> list[dict[str, int]]:
    """Powers of eight from 1 KiB on."""
    return merged(buckets, lambda upto: 1 << 10 + 3 * max(0, -(-((upto - 1).bit_length() - 10) // 3)))


def merged(buckets: list[dict[str, int]], group: Any) -> list[dict[str, int]]:
    sums: dict[int, dict[str, int]] = {}
    for bucket in buckets:
        upto = group(bucket["upto"])
        found = sums.setdefault(upto, {"upto": upto, "objects": 0, "object_bytes": 0})
        found["objects"] += bucket["objects"]
        found["object_bytes"] += bucket["object_bytes"]
    return [sums[upto] for upto in sorted(sums)]


def histogram(buckets: list[dict[str, int]], label: Any) -> list[Sequence[Cell]]:
    objects = sum(b["objects"] for b in buckets)
    object_bytes = sum(b["object_bytes"] for b in buckets)
    return [
        (
            *(label(b["upto"]), b["upto"], b["objects"], b["objects"] / objects if objects else None),
            *(b["object_bytes"], b["object_bytes"] / object_bytes if object_bytes else None),
            b["objects"] / objects if objects else None,
        )
        for b in buckets
        if b["objects"]
    ]


def histogram_columns(title: str, key: str) -> tuple[Column, ...]:
    return (
        text("range", title),
        Column(key, "", "machine"),
        count("objects", "objects"),
        share("share_of_objects", "share"),
        size("bytes", "bytes"),
        share("share_of_bytes", "share"),
        Column("bar", "", "bar"),
    )


def types(document: Document) -> list[Block]:
    return [
        types_by(document, "alloc_bytes", "types_by_bytes", "Types by bytes allocated", TOP),
        types_by(document, "allocs", "types_by_count", "Types by allocations", TOP),
    ]


def types_by(document: Document, key: str, name: str, title: str, most: int) -> Table:
    rows = sorted(document["types"], key=lambda t: -t[key])
    columns = (
        called("type", "type"),
        count("allocs", "allocations"),
        size("alloc_bytes", "bytes"),
        share("share", "share"),
    )
    total = sum(t[key] for t in rows)
    cells: list[Sequence[Cell]] = [
        (t["name"] or "(not known)", t["allocs"], t["alloc_bytes"], t[key] / total if total else None) for t in rows[:most]
    ]
    left = len(rows) - len(cells)
    notes = ["The element's type for slices and arrays."]
    if left > 0:
        notes.append(f"{plural(left, 'more type')}: see --report types or --format json.")
    return Table(name, title, columns, cells, notes)


def sites(document: Document) -> list[Block]:
    """Where the program allocates, where the trace has stacks."""
    found = document["sites"]
    if not found:
        return []
    columns = (
        called("function", "function"),
        called("line", "line"),
        count("allocs", "allocations"),
        size("alloc_bytes", "bytes"),
        share("share", "share"),
    )
    total = sum(site["alloc_bytes"] for site in found)
    rows: list[Sequence[Cell]] = [
        (s["function"], place(s), s["allocs"], s["alloc_bytes"], s["alloc_bytes"] / total if total else None)
        for s in found[:MOST_SITES]
    ]
    notes = ["The innermost call outside of the runtime."]
    if len(found) > len(rows):
        notes.append(f"{plural(len(found) - len(rows), 'more site')}: see --format json.")
    return [Table("sites", "Sites by bytes allocated", columns, rows, notes)]


def place(site: dict[str, Any]) -> str:
    """File and line, without the folders."""
    return f"{site['file'].rpartition('/')[2]}:{site['line']}"


def stacks(document: Document) -> list[Block]:
    found = document["stacks"]
    rows: list[Sequence[Cell]] = [(short_size(int(stack)), int(stack), allocs) for stack, allocs in found["by_size"].items()]
    if not rows and not found["at_start"]:
        return []
    columns = (
        text("size", "stack size"),
        Column("stack_bytes", "", "machine"),
        count("allocs", "allocations"),
    )
    notes = [
        f"{found['at_start']:,} at the start, {found['allocs']:,} allocated, {found['frees']:,} freed; "
        f"at most {plural(found['peak'], 'stack')} of {iec(found['peak_bytes'])} at once."
    ]
    return [Table("stacks", "Goroutine stacks", columns, rows, notes)]


def cycle_summary(document: Document) -> Table:
    """How regular the GC cycles are."""
    cycles = document["cycles"]
    rows: list[Sequence[Cell]] = [
        row("allocated since the cycle before", (c["alloc_bytes"] for c in cycles)),
        row("live at the end of marking", (c["live_bytes"] for c in cycles)),
    ]
    columns = (
        text("what", "GC cycles"),
        size("min_bytes", "least"),
        size("median_bytes", "median"),
        size("max_bytes", "most"),
    )
    explicit = document["explicit_gc_cycles"]
    note = f"{plural(len(cycles), 'GC cycle')}, {explicit:,} of them by runtime.GC."
    return Table("gc_cycles", "GC cycles", columns, rows if cycles else [], (note,))


def row(name: str, values: Iterable[int]) -> Sequence[Cell]:
    found = sorted(values)
    return (name, found[0], found[len(found) // 2], found[-1]) if found else (name, None, None, None)


def cycles(document: Document) -> list[Block]:
    columns = (
        count("cycle", "cycle"),
        count("event", "event"),
        Column("time_ns", "time", "ns", 1),
        Column("explicit", "by runtime.GC", "text", 2),
        size("alloc_bytes", "allocated"),
        count("live_objects", "live objects"),
        size("live_bytes", "live"),
    )
    rows: list[Sequence[Cell]] = [
        (number, *(c[column.key] for column in columns[1:])) for number, c in enumerate(document["cycles"], 1)
    ]
    return [Table("cycles", "GC cycles", columns, rows, ("allocated: since the cycle before.",))]


def events(document: Document) -> list[Block]:
    total = sum(document["events_by_p"].values())
    rows: list[Sequence[Cell]] = [
        (int(p), events, events / total if total else None) for p, events in document["events_by_p"].items()
    ]
    columns = (count("p", "P"), count("events", "allocations and stack events"), share("share", "share"))
    return [program(document), kinds(document), Table("events_by_p", "Events by P", columns, rows)]


def kinds(document: Document) -> Table:
    found = document["trace"]["events"]
    total = sum(found.values())
    rows: list[Sequence[Cell]] = [(kind.replace("_", " "), n, n / total) for kind, n in found.items() if n]
    columns = (text("kind", "kind"), count("events", "events"), share("share", "share"))
    return Table("events", "Events by kind", columns, rows)


__all__ = ["cycles", "events", "headline", "lifetimes", "overview", "percent", "sites", "sizes", "stacks", "types"]
