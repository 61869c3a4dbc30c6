"""Settings of GOGC and GOMEMLIMIT, a row each; and the frontier between memory and work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Points, Table, Text
from goalloc_cli.report.units import iec, millions, plural

Document = dict[str, Any]

RANGES = ("num_gc", "peak_heap_inuse", "peak_mapped", "gc_work", "rss", "heap_sys", "goals", "marked", "gc_cpu_seconds")
"""What is given from the lowest to the highest: two fields each, for machines."""
FRONTIER = 5
"""From so many settings on the frontier is drawn."""


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """All of it."""
    return [
        Text(headline(document), "headline"),
        *advised(document),
        settings(document),
        *frontier(document),
        *(Text(f"note: {note}", "note") for note in document["notes"]),
    ]


def headline(document: Document) -> str:
    trace, seen = document["trace"], document["recorded"]
    gogc = "an unknown GOGC" if seen["gogc"] is None else f"GOGC={seen['gogc']}"
    events = millions(sum(trace["events"].values()))
    procs = plural(trace["gomaxprocs"], "P")
    return ", ".join((trace["name"], document["design"], f"{events} events", procs, f"recorded with {gogc}"))


def advised(document: Document) -> list[Block]:
    """The answer to a budget, in one line."""
    told = document["advice"]
    if told is None:
        return []
    budget = iec(told["budget"])
    if told["refused"]:
        return [Text(f"No advice for {budget}: {told['refused']}.")]
    setting = told["setting"]
    change = 1 - (setting["gc_work"] or [1, 1])[1]
    work = f"{abs(change):.0%} {'less' if change >= 0 else 'more'} GC work"
    usual, high = setting["usual_peak_mapped"], setting["peak_mapped"][1]
    peak = f"{iec(usual)} of {budget}" + (f" ({iec(high)} if marking has to wait for a core)" if high > usual else "")
    named = f"GOGC={gogc(setting)} GOMEMLIMIT={setting['memory_limit'] >> 20}MiB"
    return [Text(f"{named}: {work} than recorded, peak at most {peak}.")]


def gogc(row: Document) -> str:
    return "off" if row["gogc"] is None else str(row["gogc"])


def limit(row: Document) -> str:
    return "" if row["memory_limit"] is None else iec(row["memory_limit"])


def settings(document: Document) -> Table:
    """A row for each setting; two for the recorded one."""
    has_limit = any(row["memory_limit"] is not None for row in document["settings"])
    has_cpu = any(row["gc_cpu_seconds"] is not None for row in document["settings"])
    columns = (
        Column("setting", "GOGC", "people"),
        *((Column("limit", "GOMEMLIMIT", "people"),) if has_limit else ()),
        Column("gogc", "", "machine"),
        Column("memory_limit", "", "machine"),
        Column("gcs", "GCs", "people"),
        Column("inuse", "HeapInuse MiB", "people"),
        Column("mapped", "mapped MiB", "people"),
        Column("work", "GC work", "people"),
        Column("room_percent", "room", "people", 1),
        Column("zone", "rules", "text"),
        *((Column("cpu", "GC CPU", "people", 1),) if has_cpu else ()),
        Column("sys", "HeapSys MiB", "people", 2),
        Column("resident", "RSS MiB", "people", 3),
        Column("goal", "goals MiB", "people", 4),
        *(Column(f"{name}_{end}", "", "machine") for name in RANGES for end in ("low", "high")),
        Column("room", "", "machine"),
        Column("pareto", "", "machine"),
    )
    rows: list[Sequence[Cell]] = []
    for found in document["settings"]:
        cells = people(found) | machines(found)
        if found["recorded"]:
            rows.append(tuple((recorded(found) | {"zone": "as recorded"}).get(column.key) for column in columns))
            cells["zone"] = "predicted"
        rows.append(tuple(cells.get(column.key) for column in columns))
    notes = [
        "From the lowest to the highest: marking may start early or late, take no time, pass the goal, or wait for a core. "
        "HeapInuse, mapped: at their peaks; mapped is what the runtime had and did not give back, which GOMEMLIMIT counts. "
        "GC work: bytes scanned, by those of the recorded setting. room: what the goal leaves above the live heap.",
    ]
    return Table("settings", "Other settings", columns, rows, notes)


def recorded(found: Document) -> Document:
    """What the recording itself had."""
    real = found["recorded"]
    return {
        "setting": gogc(found), "limit": limit(found), "gcs": f"{real['num_gc']:,}", "inuse": mib(real["peak_heap_inuse"]),
        "num_gc_low": real["num_gc"], "num_gc_high": real["num_gc"], "peak_heap_inuse_low": real["peak_heap_inuse"],
        "peak_heap_inuse_high": real["peak_heap_inuse"], "gogc": found["gogc"], "memory_limit": found["memory_limit"],
    }  # fmt: skip


def people(found: Document) -> Document:
    """The cells of a row that people read."""
    return {
        "setting": gogc(found),
        "limit": limit(found),
        "gcs": span(found["num_gc"], lambda n: f"{n:,}"),
        "inuse": sizes(found["peak_heap_inuse"]),
        "mapped": sizes(found["peak_mapped"]),
        "work": None if found["with_tracer"] else span(found["gc_work"], lambda share: f"{share:.2f}"),
        "room_percent": None if found["room"] is None else f"{found['room']:.0%}",
        "cpu": span(found["gc_cpu_seconds"], lambda s: f"{s:.2f}", " s"),
        "sys": sizes(found["heap_sys"]),
        "resident": sizes(found["rss"]),
        "goal": sizes(found["goals"]),
        "zone": found["zone"],
    }


def machines(found: Document) -> Document:
    """The cells that go to files."""
    told: Document = {name: found[name] for name in ("gogc", "memory_limit", "room", "pareto")}
    for name in RANGES:
        low, high = found[name] or (None, None)
        told |= {f"{name}_low": low, f"{name}_high": high}
    return told


def span(values: Sequence[float] | None, shown: Any, unit: str = "") -> str | None:
    """33..38, or one number where both are alike."""
    if values is None:
        return None
    low, high = shown(values[0]), shown(values[1])
    return f"{low}{unit}" if low == high else f"{low}..{high}{unit}"


def sizes(values: Sequence[int] | None) -> str | None:
    """Both in MiB: 24.9..31.0."""
    return span(values, mib)


def mib(size_bytes: float) -> str:
    return f"{size_bytes / (1 << 20):,.1f}"


def frontier(document: Document) -> list[Block]:
    """Memory against work, from the least memory on: who is beaten in neither is marked."""
    known = [row for row in document["settings"] if row["gc_work"] is not None and not row["with_tracer"]]
    if len(known) < FRONTIER:
        return []
    known.sort(key=lambda row: (row["usual_peak_mapped"], row["gc_work"][1]))
    most = max(row["gc_work"][1] for row in known)
    columns = (
        Column("frontier_setting", "setting", "text"),
        Column("frontier_mapped", "at most", "bytes"),
        Column("frontier_work", "GC work", "people"),
        Column("best", "best", "text"),
        Column("work_bar", "", "bar"),
    )
    rows: list[Sequence[Cell]] = []
    for row in known:
        memory, work = row["usual_peak_mapped"], row["gc_work"][1]
        rows.append((named(row), memory, f"{work:.3f}", "*" if row["pareto"] else "", work / most))
    note = "*: no other setting has both less memory and less GC work: the most of each, where marking never has to wait."
    points = [(row["usual_peak_mapped"], row["gc_work"][1], named(row), bool(row["pareto"])) for row in known]
    drawn = Points("Memory against GC work", "memory", "work", points)
    return [drawn, Table("frontier", "Memory against GC work", columns, rows, (note,))]


def named(row: Document) -> str:
    return f"GOGC={gogc(row)}" + ("" if row["memory_limit"] is None else f" GOMEMLIMIT={row['memory_limit'] >> 20}MiB")
