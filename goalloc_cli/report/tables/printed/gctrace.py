"""Reports about a gctrace text: collections, released memory, what was scanned, and the replay beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Chart, Column, Table, count, share, size, text
from goalloc_cli.report.units import duration, iec, plural, short_size

Document = dict[str, Any]

SHOWN = 16
"""Collections shown without --report: the others would fill more than a screen."""
SIZES = ("start", "end", "live", "goal")


def overview(document: Document) -> list[Block]:
    """All that fits a screen."""
    shown = cycle_table(document, SHOWN) if document["beside"] is None else beside(document)
    return [*charts(document), *spread(document), *released_summary(document), *shown]


def headline(document: Document) -> str:
    found = document["summary"]
    parts = [document["text"]["name"], f"{plural(found['gc_cycles'], 'GC cycle')} ({found['forced_gc_cycles']:,} forced)"]
    if found["duration_ns"]:
        parts.append(f"the last ended at {duration(found['duration_ns'])}")
    if found["pause_max_ns"] is not None:
        parts.append(f"pauses of {duration(found['pause_total_ns'])} in all, {duration(found['pause_max_ns'])} at most")
    if found["cpu_percent"] is not None:
        parts.append(f"{found['cpu_percent']}% of the time in GC")
    if found["procs"]:
        parts.append(plural(found["procs"], "P"))
    return ", ".join(parts)


def charts(document: Document) -> list[Block]:
    cycles = document["collections"]
    return [Chart("heap", [c["end_bytes"] for c in cycles]), Chart("live heap", [c["live_bytes"] for c in cycles])]


def spread(document: Document) -> list[Block]:
    """How the collections differ from each other."""
    cycles = document["collections"]
    if not cycles:
        return []
    rows = [
        between("heap at the start of marking", "bytes", [c["start_bytes"] for c in cycles]),
        between("heap at the end of marking", "bytes", [c["end_bytes"] for c in cycles]),
        between("live heap (marked)", "bytes", [c["live_bytes"] for c in cycles]),
        between("goal", "bytes", [c["goal_bytes"] for c in cycles]),
        between("pause", "ns", [c["pause_ns"] for c in cycles]),
        between("marking, beside the program", "ns", [c["mark_ns"] for c in cycles]),
        between("assists (CPU)", "ns", [c["assist_cpu_ns"] for c in cycles]),
        between("time between starts", "ns", gaps(cycles)),
    ]
    columns = (
        text("what", "GC cycles"),
        Column("min", "least", "by unit"),
        Column("median", "median", "by unit"),
        Column("max", "most", "by unit"),
        Column("unit", "unit", "machine"),
    )
    note = "pause: sweep termination and mark termination, while the world is stopped."
    return [Table("gctrace", "GC cycles", columns, [row for row in rows if row], (note,))]


def between(name: str, unit: str, values: list[int]) -> Sequence[Cell]:
    found = sorted(values)
    return (name, found[0], found[len(found) // 2], found[-1], unit) if found else ()


def gaps(cycles: list[Document]) -> list[int]:
    """Time from the start of each collection to the next one of the same program."""
    last: dict[int, int] = {}
    found = []
    for c in cycles:
        if c["run"] in last:
            found.append(max(c["start_ns"] - last[c["run"]], 0))
        last[c["run"]] = c["start_ns"]
    return found


def cycles(document: Document) -> list[Block]:
    return [*spread(document), *cycle_table(document)]


def cycle_table(document: Document, most: int | None = None) -> list[Block]:
    """One row per collection."""
    found = document["collections"]
    if not found:
        return []
    several = document["summary"]["programs"] > 1
    columns = (
        *((Column("run", "program", "count"),) if several else ()),
        count("number", "GC"),
        Column("start_ns", "at", "ns"),
        Column("heap", "heap", "people"),
        Column("goal", "goal", "people"),
        *(Column(f"{name}_bytes", "", "machine") for name in SIZES),
        Column("pause_ns", "pause", "ns"),
        Column("mark_ns", "marking", "ns", 1),
        Column("cpu_percent", "% in GC", "count", 2),
        Column("forced", "forced", "text", 3),
        Column("stack_bytes", "stacks", "bytes", 5),
        Column("globals_bytes", "globals", "bytes", 6),
        count("procs", "Ps", 4),
    )
    told = [{**c, "heap": arrows(c), "goal": f"{mib(c['goal_bytes'])} MB"} for c in found[:most]]
    rows = [tuple(c[column.key] for column in columns) for c in told]
    notes = ["heap: when marking starts, when it ends, and what was marked (live); forced: by runtime.GC."]
    if len(rows) < len(found):
        notes.append(f"{plural(len(found) - len(rows), 'more cycle')}: --report cycles.")
    return [Table("cycles", "GC cycle by GC cycle", columns, rows, notes)]


def arrows(heap: Document) -> str:
    """3->4->3 MB, as Go prints it."""
    return f"{mib(heap['start_bytes'])}->{mib(heap['end_bytes'])}->{mib(heap['live_bytes'])} MB"


def mib(size_bytes: int) -> int:
    return size_bytes >> 20


def released_summary(document: Document) -> list[Block]:
    """What the scavenger did, all in all."""
    releases = document["releases"]
    if not releases:
        return []
    work = [r["background_bytes"] for r in releases if r["background_bytes"] is not None]
    eager = [r["eager_bytes"] for r in releases if r["eager_bytes"] is not None]
    summed: list[tuple[str, int | None]] = [
        ("given back in the background" if eager else "given back", sum(work) if work else None),
        ("given back at once, at a limit or when asked", sum(eager) if eager else None),
        ("not backed by memory now, at the end", releases[-1]["released_bytes"]),
        ("not backed by memory, at most", document["summary"]["released_max_bytes"]),
    ]
    rows: list[Sequence[Cell]] = [row for row in summed if row[1] is not None]
    notes = []
    if releases[-1]["utilisation"] is not None:
        used = f"{releases[-1]['utilisation']:.0%} of the heap that is backed by memory was in use at the end"
        notes.append(f"{used}; {plural(len(releases), 'line')} of the scavenger.")
    columns = (text("what", "memory and the system"), size("bytes", "bytes"))
    return [Table("released_summary", "Memory given back to the system", columns, rows, notes)]


def released(document: Document) -> list[Block]:
    """One row per line of the scavenger."""
    columns = (
        count("after", "after GC"),
        size("background_bytes", "in background"),
        size("eager_bytes", "at once"),
        size("released_bytes", "released now"),
        share("utilisation", "in use"),
        Column("forced", "forced", "text", 1),
    )
    rows = [tuple(r[column.key] for column in columns) for r in document["releases"]]
    notes = ["in use: HeapInuse as a share of what is not released; forced: by debug.FreeOSMemory."]
    return [*released_summary(document), Table("released", "Lines of the scavenger", columns, rows, notes)]


def scans(document: Document) -> list[Block]:
    """What marking scanned, by size class (gctrace=2)."""
    columns = (
        text("class", "size class"),
        Column("elem_size", "", "machine"),
        count("objects_alone", "one by one"),
        count("objects_in_spans", "found by span"),
        count("objects_dense", "whole spans"),
    )
    rows: list[Sequence[Cell]] = [
        (
            short_size(s["elem_size"]) if s["elem_size"] else "large",
            *(s["elem_size"], s["objects_alone"], s["objects_in_spans"], s["objects_dense"]),
        )
        for s in document["scans"]
    ]
    return [Table("scans", "Objects scanned, all GC cycles", columns, rows, ("From the lines that gctrace=2 adds.",))]


def beside(document: Document) -> list[Block]:
    """What Go printed beside what the model had."""
    found = document["beside"]
    if found is None:
        return []
    columns = (
        count("number", "GC"),
        Column("heap", "Go printed", "people"),
        Column("goal", "goal", "people"),
        *(Column(f"go_{name}_bytes", "", "machine") for name in SIZES),
        *(size(f"model_{name}_bytes", f"model: {name}", 1 if name == "goal" else 0) for name in SIZES),
        size("off_bytes", "off"),
    )
    rows: list[Sequence[Cell]] = [
        (
            *(row["number"], arrows(row["go"]), f"{mib(row['go']['goal_bytes'])} MB"),
            *(row[side][f"{name}_bytes"] for side in ("go", "model") for name in SIZES),
            row["off_bytes"],
        )
        for row in found["collections"]
    ]
    worst = max((row["off_bytes"] for row in found["collections"]), default=0)
    notes = [
        f"Start, end and live heap lie inside the MiB that Go printed in {found['same']:,} of "
        f"{plural(len(rows), 'GC cycle')}; the farthest is {iec(worst)} off.",
        "off: how far start, end or live heap lie outside. The model's goal leaves out stacks, which a trace does not tell.",
    ]
    title = f"Beside a replay of {found['trace']['name']} ({found['design']['name']})"
    return [Table("beside", title, columns, rows, notes)]
