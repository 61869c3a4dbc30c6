"""Reports about the heap as a whole: summary, fragmentation, timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.documents.ledger import LABELS, MEANINGS
from goalloc_cli.report.pictures.drawings import layers_over_time
from goalloc_cli.report.tables.blocks import Block, Cell, Chart, Column, Table, called, count, share, size, text
from goalloc_cli.report.units import duration, iec, many, percent, plural

Document = dict[str, Any]

MEMSTATS_MEANINGS = {
    "HeapSys": ("bytes", "address space from the OS"),
    "HeapInuse": ("bytes", "spans with at least one object"),
    "HeapAlloc": ("bytes", "objects, live or not swept yet"),
    "HeapIdle": ("bytes", "spans without objects"),
    "HeapReleased": ("bytes", "part of HeapIdle returned to the OS"),
    "StackInuse": ("bytes", "goroutine stacks"),
    "HeapObjects": ("count", "objects, live or not swept yet"),
    "Mallocs": ("count", "objects allocated so far"),
    "Frees": ("count", "objects freed so far"),
}
"""What each field counts, in Go's order of size."""

MODES = {
    "recorded": "as recorded: sweeping, mcache flushes and manual spans follow the recording",
    "what-if": "what if: the recording's hints were set aside, the model's own sweeper decided",
    "model": "the trace has no hints on sweeping: the model's own sweeper decided",
}


def summary(document: Document) -> list[Block]:
    return [memstats_table(document, tuple(MEMSTATS_MEANINGS)), *checkpoints(document)]


def memstats_table(document: Document, names: Sequence[str]) -> Table:
    """runtime.MemStats at the peak of HeapInuse and at the end."""
    peak, end = (document["summary"][when]["memstats"] for when in ("peak", "end"))
    rows: list[Sequence[Cell]] = []
    for name in names:
        unit, meaning = MEMSTATS_MEANINGS[name]
        rows.append((name, peak[name], end[name], unit, meaning))
    columns = (
        text("name", "runtime.MemStats"),
        Column("peak", "at the peak", "by unit"),
        Column("end", "at the end", "by unit"),
        Column("unit", "unit", "machine"),
        text("meaning", "what it counts", 1),
    )
    at = document["summary"]["peak"]
    when = f"at event {at['event']:,}, " if at["event"] else ""
    note = f"HeapInuse was at its peak for the last time {when}after {plural(gcs(at), 'GC cycle')}."
    return Table("memstats", "Memory", columns, rows, (note,))


def gcs(moment: dict[str, Any]) -> int:
    return int(moment["memstats"]["NumGC"])


def checkpoints(document: Document) -> list[Block]:
    if not document["checkpoints"]:
        return []
    names = (
        "HeapAlloc",
        "HeapInuse",
        "HeapIdle",
        "HeapReleased",
        "StackInuse",
        "HeapObjects",
        "Mallocs",
        "Frees",
    )
    columns = (
        called("name", "checkpoint"),
        *(memstat(n, rank) for rank, n in enumerate(names)),
    )
    rows = [(c["name"], *(c["memstats"].get(n) for n in names)) for c in document["checkpoints"]]
    return [Table("checkpoints", "Checkpoints", columns, rows)]


def memstat(name: str, rank: int) -> Column:
    return Column(name, name, MEMSTATS_MEANINGS[name][0], rank)


def fragmentation(document: Document) -> list[Block]:
    parts = document["fragmentation"]
    return [
        ledger_table(document, meanings=True),
        heap_sys_table(document),
        utilisation_table(parts),
        *external_tables(parts["external"]),
    ]


def ledger_table(document: Document, meanings: bool = False) -> Table:
    """HeapInuse, row by row, at its peak and at the end."""
    peak, end = document["fragmentation"]["peak"], document["fragmentation"]["end"]
    rows: list[Sequence[Cell]] = []
    for then, now in zip(peak["ledger"], end["ledger"], strict=True):
        name = now["name"]
        figure = max(then["figure"], now["figure"], key=("exact", "bounded", "unknown").index)
        rows.append(
            (
                LABELS[name],
                then["bytes"],
                then["share"],
                now["bytes"],
                now["share"],
                figure,
                MEANINGS[name],
                *(then["low"], then["high"], now["low"], now["high"]),
            )
        )
    sums = (peak["ledger_sum"], whole(peak), end["ledger_sum"], whole(end))
    figure = "bounded" if document["lost"] or document.get("uncollected") else "exact"
    rows.append(("= HeapInuse", *sums, figure, "the sum of the rows above", *(None,) * 4))
    columns = (
        text("row", "row"),
        size("peak_bytes", "at the peak"),
        share("peak_share", "share"),
        size("end_bytes", "at the end"),
        share("end_share", "share"),
        text("figure", "figure"),
        Column("meaning", "what it is", "text" if meanings else "machine", 1),
        *(Column(f"{when}_{bound}_bytes", "", "machine") for when in ("peak", "end") for bound in ("low", "high")),
    )
    return Table("ledger", "Where HeapInuse goes", columns, rows, ledger_notes(document), total=True)


def whole(part: dict[str, Any]) -> float | None:
    return 1.0 if part["heap_inuse"] else None


def ledger_notes(document: Document) -> list[str]:
    peak, end = document["fragmentation"]["peak"], document["fragmentation"]["end"]
    adds_up = all(part["ledger_sum"] == part["heap_inuse"] for part in (peak, end))
    notes = ["The rows add up to HeapInuse." if adds_up else "The rows do NOT add up to HeapInuse: please report it."]
    asked = end["ledger"][0]
    if document["lost"]:
        notes.append("bounded: events of the recording are missing; no figure is exact (see the notes).")
    elif asked["figure"] == "bounded":
        doubt = (
            "of what lived before the recording began the slot is known, not the size asked for; of all else both are"
            if document["trace"]["recorded"]
            else "the recording names the slot of some objects, not the size asked for"
        )
        most = iec(asked["high"] - asked["low"])
        notes.append(f"bounded: {doubt}. At the end up to {most} of what counts as requested may be rounding.")
    if document.get("uncollected"):
        notes.append(
            "bounded, unknown: exact for a heap that never collects, as the trace has no GC cycle; of one that does, they "
            "are the most, or not known (see the notes)."
        )
    elif any(row["figure"] == "unknown" for row in end["ledger"]):
        notes.append("unknown: the recording does not say how much of a tiny block was used.")
    return notes


def heap_sys_table(document: Document) -> Table:
    peak, end = (document["fragmentation"][when]["heap_sys"] for when in ("peak", "end"))
    rows: list[Sequence[Cell]] = [
        ("HeapInuse", peak["heap_inuse"], end["heap_inuse"], "spans with at least one object"),
        ("idle, backed", peak["idle_backed"], end["idle_backed"], "free pages that still cost memory"),
        ("idle, released", peak["idle_released"], end["idle_released"], "free pages the OS has back"),
        ("= HeapSys", peak["sum"], end["sum"], "the sum of the rows above"),
    ]
    cached = end["of_idle_in_page_caches"]
    notes = [
        "The rows add up to HeapSys."
        if all(part["sum"] == part["heap_sys"] for part in (peak, end))
        else "The rows do NOT add up to HeapSys: please report it.",
        f"Of the idle pages at the end, {iec(cached)} sit in the Ps' page caches.",
    ]
    columns = (text("row", "row"), size("peak_bytes", "at the peak"), size("end_bytes", "at the end"))
    return Table(
        "heap_sys",
        "Where HeapSys goes",
        (*columns, text("meaning", "what it is", 1)),
        rows,
        notes,
        total=True,
    )


def utilisation_table(parts: dict[str, Any]) -> Table:
    columns = (text("measure", "measure"), share("peak", "at the peak"), share("end", "at the end"))
    rows: list[Sequence[Cell]] = [
        (label, parts["peak"][key], parts["end"][key])
        for label, key in (
            ("requested / HeapInuse", "requested_of_heap_inuse"),
            ("requested / (HeapSys - HeapReleased)", "requested_of_retained"),
        )
    ]
    return Table("utilisation", "Heap utilisation", columns, rows)


def external_tables(external: dict[str, Any]) -> list[Block]:
    """Free pages, page caches left out."""
    rows: list[Sequence[Cell]] = [
        ("free pages", external["free_pages"], "outside the Ps' page caches"),
        ("free runs", external["free_runs"], "neighbouring free pages make one run"),
        ("largest run, pages", external["largest_run"], "the largest span that fits without growing"),
        ("growths of the heap", external["growths"], "times it asked the OS for more"),
        (
            "blocked growths",
            external["blocked_growths"],
            "enough pages were free, but scattered",
        ),
    ]
    columns = (text("measure", "measure"), count("value", "at the end"), text("meaning", "what it is", 1))
    part = external["largest_run_share"]
    note = [] if part is None else [f"The largest run holds {percent(part)} of the free pages."]
    tables: list[Block] = [Table("external", "External fragmentation", columns, rows, note)]
    runs = [(f"{r['from_pages']:,}-{r['to_pages']:,}", r["runs"]) for r in external["run_histogram"]]
    if runs:
        run_columns = (text("pages", "pages"), count("runs", "free runs"))
        tables.append(Table("free_runs", "Free runs by length", run_columns, runs))
    return tables


def timeline(document: Document) -> list[Block]:
    """Every sample, and HeapInuse and HeapAlloc drawn over them."""
    samples = document["timeline"]
    rows: list[Sequence[Cell]] = []
    for s in samples:
        stats = s["memstats"]
        rows.append(
            (
                s["event"],
                s["time_ns"] or None,
                s["checkpoint"] or s["reason"],
                stats["NumGC"],
                stats["HeapInuse"],
                s["ledger"]["requested"],
                stats["HeapAlloc"],
                stats["HeapIdle"],
                stats["HeapReleased"],
                stats["StackInuse"],
                stats["HeapObjects"],
                stats["NextGC"],
            )
        )
    columns = (
        count("event", "event"),
        Column("time_ns", "time", "ns", 4),
        text("reason", "sample"),
        count("num_gc", "GCs", 2),
        size("heap_inuse_bytes", "HeapInuse"),
        size("requested_bytes", "requested"),
        size("heap_alloc_bytes", "HeapAlloc", 1),
        size("heap_idle_bytes", "HeapIdle", 3),
        size("heap_released_bytes", "HeapReleased", 5),
        size("stack_inuse_bytes", "StackInuse", 6),
        count("heap_objects", "HeapObjects", 7),
        size("next_gc_bytes", "NextGC", 8),
    )
    charts: list[Block] = [chart(document, name) for name in ("HeapInuse", "HeapAlloc", "HeapIdle")]
    return [*layers_over_time(document), *charts, Table("timeline", "Timeline", columns, rows)]


def chart(document: Document, name: str) -> Chart:
    return Chart(name, [s["memstats"][name] for s in document["timeline"]])


def headline(document: Document) -> str:
    """What was replayed, in one line."""
    about, trace = document["summary"], document["trace"]
    parts = [
        trace["name"],
        document["design"]["name"],
        many(about["events"], "event"),
        plural(about["gc_cycles"], "GC cycle"),
        plural(trace["gomaxprocs"], "P"),
    ]
    if about["duration_ns"]:
        parts.append(duration(about["duration_ns"]))
    return ", ".join(parts)
