"""Reports about a gctrace text: collections, released memory, what was scanned, and the replay beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.pictures.layers import Layer
from goalloc_cli.report.tables.blocks import Areas, Block, Cell, Chart, Column, Table, count, share, size, text
from goalloc_cli.report.units import duration, iec, percent, plural, short_size

Document = dict[str, Any]

FIRST, LAST = 2, 4
"""Cycles shown without --report, beside the ten worst: the others would fill more than a screen."""
MINUTE_NS = 60_000_000_000
LEAST_DRAWN = 8
"""Cycles from which on the heap is drawn."""
GC_LAYERS = (
    Layer("live", "", "live (marked)", (), "#4e97e0", "#", "\u2588"),
    Layer("above", "", "garbage, and what came while marking", (), "#efc04a", "+", "\u2592"),
)
SIZES = ("start", "end", "live", "goal")


def overview(document: Document) -> list[Block]:
    """All that fits a screen."""
    shown = cycle_table(document, telling(document)) if document["beside"] is None else beside(document)
    return [*charts(document), *shown, *spread(document), *released_summary(document)]


def headline(document: Document) -> str:
    found = document["summary"]
    kinds = [f"{found['forced_gc_cycles']:,} forced"]
    if found["periodic_gc_cycles"]:
        kinds.append(f"{found['periodic_gc_cycles']:,} periodic")
    parts = [document["text"]["name"], f"{plural(found['gc_cycles'], 'GC cycle')} ({', '.join(kinds)})"]
    if found["duration_ns"]:
        parts.append(f"the last ended at {duration(found['duration_ns'])}")
    if found["pause_max_ns"] is not None:
        parts.append(f"pauses of {duration(found['pause_total_ns'])} in all, {duration(found['pause_max_ns'])} at most")
    if found["procs"]:
        parts.append(plural(found["procs"], "P"))
    return ", ".join(parts)


def charts(document: Document) -> list[Block]:
    cycles = document["collections"]
    shares = [c["share_of_ten"] or c["share"] or 0.0 for c in cycles]
    return [
        *heap_over_cycles(cycles),
        Chart("heap", [c["end_bytes"] for c in cycles]),
        Chart("live heap", [c["live_bytes"] or 0 for c in cycles]),
        Chart("CPU in GC", shares if any(shares) else [], "share"),
    ]


def heap_over_cycles(cycles: list[Document]) -> list[Block]:
    """What lives, and what was allocated above it by the time that each cycle ended, over time or cycle by cycle."""
    known = [c for c in cycles if c["live_bytes"] is not None]
    if len(known) < LEAST_DRAWN:
        return []
    starts = [c["start_ns"] for c in known]
    by_time = None not in starts and len({c["run"] for c in known}) == 1 and starts[-1] > starts[0]
    at = [(s - starts[0]) / (starts[-1] - starts[0]) if by_time else i / len(known) for i, s in enumerate(starts)]
    live = [c["live_bytes"] for c in known]
    above = [max(max(c["start_bytes"], c["end_bytes"]) - c["live_bytes"], 0) for c in known]
    title = "The heap at each GC, over time" if by_time else "The heap at each GC, one after the other"
    return [Areas(title, GC_LAYERS, at, [live, above])]


def verdict(document: Document) -> str:
    """What stands out, in a sentence or two."""
    found, cycles = document["pressure"], document["collections"]
    if not cycles:
        return "No GC cycle has ended in this text." + idle(document)
    told = took(found, document["summary"]["duration_ns"] > MINUTE_NS)
    if found["began"] is not None:
        first, last = cycles[found["began"]], cycles[found["ended"]]
        goes_on = "to the end" if last is cycles[-1] else f"to GC {last['number']:,}"
        told += (
            f" From GC {first['number']:,}, at {duration(first['start_ns'])}, {goes_on}, every ten cycles took more than "
            "15%: there it thrashes."
        )
    return told + above(document) + idle(document)


def took(found: Document, is_long: bool) -> str:
    """How much of the processors."""
    if found["whole"] is None:
        return "What part of the time the collector took is not in this text."
    parts = [f"GC took {percent(found['whole'])} of the processors in all"]
    if found["last_minute"] is not None and is_long:
        parts.append(f"{percent(found['last_minute'])} in the last minute")
    if found["last_ten"] is not None:
        parts.append(f"{percent(found['last_ten'])} in the last ten cycles")
    return f"{', '.join(parts)}."


def idle(document: Document) -> str:
    """What scvg lines tell of memory that nobody uses."""
    last: Document = document["releases"][-1] if document["releases"] else {"idle_bytes": None}
    kept = 0 if last["idle_bytes"] is None else last["idle_bytes"] - last["released_bytes"]
    if not kept or kept < last["inuse_bytes"]:
        return ""
    return (
        f" At the end {mib(kept):,} of {mib(last['sys_bytes']):,} MB of the heap are idle and not given back, "
        f"{mib(last['inuse_bytes']):,} MB in use."
    )


def above(document: Document) -> str:
    """Where more lives than the goal allows."""
    cycles = document["collections"]
    found = [cycles[place] for place in document["pressure"]["above"]]
    if not found:
        return ""
    worst = max(found, key=lambda c: c["live_bytes"] - c["goal_bytes"])
    numbers = ", ".join(f"{c['number']:,}" for c in found[:6]) + (" ..." if len(found) > 6 else "")
    most = max(c["live_bytes"] for c in found)
    told = f" In {plural(len(found), 'cycle')} ({numbers}) more was live than the goal, "
    told += f"{mib(worst['live_bytes'])} of {mib(worst['goal_bytes'])} MB at GC {worst['number']:,}: "
    if document["pressure"]["limited"]:
        return f"{told}a memory limit (GOMEMLIMIT) is below what lives; raise it well above {mib(most)} MB, or hold less."
    return f"{told}the heap outgrew its goal while it was marked; goals leave room, so it is no limit."


def telling(document: Document) -> list[int]:
    """The cycles that say most: the first, the worst and the last."""
    count, found = len(document["collections"]), document["pressure"]
    return sorted({*range(min(FIRST, count)), *found["worst"], *range(max(count - LAST, 0), count)})


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
        between("CPU of all Ps in GC", "share", [c["share"] for c in cycles]),
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


def between(name: str, unit: str, values: Sequence[int | float | None]) -> Sequence[Cell]:
    found = sorted(value for value in values if value is not None)
    return (name, found[0], found[len(found) // 2], found[-1], unit) if found else ()


def gaps(cycles: list[Document]) -> list[int]:
    """Time from the start of each collection to the next one of the same program."""
    last: dict[int, int] = {}
    found = []
    for c in cycles:
        if c["start_ns"] is None:
            continue
        if c["run"] in last:
            found.append(max(c["start_ns"] - last[c["run"]], 0))
        last[c["run"]] = c["start_ns"]
    return found


def cycles(document: Document) -> list[Block]:
    return [*spread(document), *cycle_table(document)]


def cycle_table(document: Document, shown: list[int] | None = None) -> list[Block]:
    """One row per collection, of those at the places `shown`, or of all."""
    found = document["collections"]
    if not found:
        return []
    several = document["summary"]["programs"] > 1
    columns = (
        *((Column("run", "program", "count"),) if several else ()),
        count("number", "GC"),
        Column("start_ns", "at", "ns"),
        Column("heap", "heap", "people"),
        Column("goal", "its goal", "people"),
        *(Column(f"{name}_bytes", "", "machine") for name in SIZES),
        share("share", "CPU in GC"),
        Column("pause_ns", "pause", "ns"),
        Column("mark_ns", "marking", "ns", 3),
        Column("why", "why", "people", 1),
        Column("gc_cpu_ns", "", "machine"),
        Column("cpu_percent", "Go's %", "count", 7),
        Column("forced", "", "machine"),
        Column("periodic", "", "machine"),
        Column("stack_bytes", "stacks", "bytes", 5),
        Column("globals_bytes", "globals", "bytes", 6),
        count("procs", "Ps", 4),
    )
    places = range(len(found)) if shown is None else shown
    told = [{**found[p], "heap": arrows(found[p]), "goal": goal(found[p]), "why": why(document, p)} for p in places]
    rows = [tuple(c[column.key] for column in columns) for c in told]
    notes = [
        "heap: when marking starts, when it ends, and what was marked (live). its goal: for the end of this cycle, set by "
        "the one before. CPU in GC: of all Ps, since the end of the cycle before; Go's own percentage is since the start."
    ]
    if len(rows) < len(found):
        notes.append(f"The first, the ten worst and the last of {len(found):,} cycles; all: --report cycles.")
    return [Table("cycles", "GC cycle by GC cycle", columns, rows, notes)]


def why(document: Document, place: int) -> str:
    """What is to be said of a cycle."""
    c = document["collections"][place]
    said = ["forced"] if c["forced"] else ["periodic"] if c["periodic"] else []
    if c["is_above"]:
        said.append("live > goal")
    if document["pressure"]["worst"][:1] == [place]:
        said.append("worst")
    return ", ".join(said)


def goal(c: Document) -> str:
    return "-" if c["goal_bytes"] is None else f"{mib(c['goal_bytes'])} MB"


def arrows(heap: Document) -> str:
    """3->4->3 MB, as Go prints it."""
    live = "?" if heap["live_bytes"] is None else mib(heap["live_bytes"])
    return f"{mib(heap['start_bytes'])}->{mib(heap['end_bytes'])}->{live} MB"


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
    rows: list[Sequence[Cell]]
    notes = []
    last = releases[-1]
    if last["idle_bytes"] is not None:
        unreleased = max(last["idle_bytes"] - last["released_bytes"], 0)
        summed += [
            ("in use (HeapInuse), at the end", last["inuse_bytes"]),
            ("idle and not given back, at the end", unreleased),
            ("consumed (HeapSys - released), at the end", last["consumed_bytes"]),
        ]
    rows = [row for row in summed if row[1] is not None]
    if releases[-1]["utilisation"] is not None:
        used = f"{releases[-1]['utilisation']:.0%} of the heap that is backed by memory was in use at the end"
        notes.append(f"{used}; {plural(len(releases), 'line')} of the scavenger.")
    columns = (text("what", "memory and the system"), size("bytes", "bytes"))
    return [Table("released_summary", "Memory given back to the system", columns, rows, notes)]


def released(document: Document) -> list[Block]:
    """One row per line of the scavenger."""
    columns = (
        count("after", "after GC"),
        *scvg_columns(document),
        size("background_bytes", "in background"),
        size("eager_bytes", "at once"),
        size("released_bytes", "released now"),
        share("utilisation", "in use"),
        Column("forced", "forced", "text", 1),
    )
    rows = [tuple(r[column.key] for column in columns) for r in document["releases"]]
    notes = ["in use: HeapInuse as a share of what is not released; forced: by debug.FreeOSMemory."]
    return [*released_summary(document), Table("released", "Lines of the scavenger", columns, rows, notes)]


def scvg_columns(document: Document) -> list[Column]:
    """What only releases until Go 1.13 print."""
    if all(r["idle_bytes"] is None for r in document["releases"]):
        return []
    names = {"inuse_bytes": "inuse", "idle_bytes": "idle", "sys_bytes": "sys", "consumed_bytes": "consumed"}
    return [size(key, title) for key, title in names.items()]


def paces(document: Document) -> list[Block]:
    """What the pacer wanted, and what came (gcpacertrace)."""
    columns = (
        count("number", "GC"),
        size("trigger_bytes", "trigger"),
        size("end_bytes", "end"),
        size("goal_bytes", "its goal"),
        size("over_bytes", "over it"),
        share("utilisation", "CPU"),
        share("wanted_utilisation", "wanted", 1),
        size("work_bytes", "scanned", 2),
        size("expected_work_bytes", "expected", 3),
        Column("assist_ratio", "assist ratio", "count", 4),
        count("workers", "workers", 5),
        size("marked_before_bytes", "live before", 6),
        Column("cons_mark", "cons/mark", "count", 7),
    )
    rows = [tuple(pace[column.key] for column in columns) for pace in document["paces"]]
    notes = ["CPU: of all Ps while marking, workers and assists; over it: how far the heap was above its goal at the end."]
    return [Table("pacer", "What the pacer told", columns, rows, notes)]


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
