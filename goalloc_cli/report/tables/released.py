"""The report on memory given back to the OS: HeapReleased over time, who gave back, and the range of the RSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Chart, Column, Table, count, share, size, text
from goalloc_cli.report.units import iec

Document = dict[str, Any]

ROWS = {
    "heap_inuse": ("heap spans in use", "resident once they are touched"),
    "idle_backed": ("idle, backed", "free pages that were not given back"),
    "idle_lazy": ("given back, kept by the OS", "it takes them when it runs short (MADV_FREE)"),
    "stacks": ("goroutine stacks", "spans of stacks"),
    "gc_workbufs": ("GC work buffers", "spans of what marking keeps in mind"),
    "untouched": ("perhaps never touched", "large objects in new memory, stacks and slots not used yet"),
    "huge_pages": ("huge pages", "untouched and released pages in huge pages that are in use"),
    "runtime_records": ("runtime records", "of spans, Ps and arenas"),
    "not_modelled": ("not modelled", "code, data, threads, the runtime's other tables"),
}
"""What people call each row of the resident memory, and what it is."""

PACED = {
    "recording": "The background scavenger ran when the recording shows it.",
    "time": "The background scavenger was paced by the trace's own times.",
    "cycles": "The trace has no times: the background scavenger ran once after each sweep and at each GC, without sleeping.",
}


def released(document: Document) -> list[Block]:
    return [
        Chart("HeapReleased", [s["memstats"]["HeapReleased"] for s in document["timeline"]]),
        kept(document),
        by_cause(document),
        rss(document),
        over_time(document),
    ]


def kept(document: Document) -> Table:
    """What the OS has back, and what the heap keeps."""
    found = document["released"]
    peak, end = found["peak"], found["end"]
    rows: list[Sequence[Cell]] = [
        ("HeapReleased", peak["heap_released"], end["heap_released"], "free pages the OS has back"),
        ("retained", peak["retained"], end["retained"], "HeapInuse and free pages that memory backs"),
        ("goal", peak["retained_goal"] or None, end["retained_goal"] or None, "what the scavenger would leave"),
    ]
    columns = (
        text("measure", "measure"),
        size("peak_bytes", "at the peak"),
        size("end_bytes", "at the end"),
        text("meaning", "what it is", 1),
    )
    return Table("kept", "Memory given back", columns, rows, notes(found))


def notes(found: dict[str, Any]) -> list[str]:
    """How far to trust it."""
    end = found["end"]
    told = []
    if found["scavenger"] == "paced":
        told.append(PACED[found["paced_by"]])
    told.append(f"HeapReleased is bounded: at the end {iec(end['low'])} to {iec(end['high'])}.")
    if not found["from_start"]:
        told.append("What was released when the recording began is not known.")
    if found["bytes_per_second"]:
        told.append(
            f"The background scavenger can give back {iec(int(found['bytes_per_second']))} a second; the range has room for "
            "faster and slower ones."
        )
    return told


def by_cause(document: Document) -> Table:
    """Who gave back, over the whole replay."""
    found = document["released"]["by_cause"]
    total = sum(found.values())
    rows: list[Sequence[Cell]] = [(cause, given, given / total if total else None) for cause, given in found.items()]
    rows.append(("= all", total, 1.0 if total else None))
    columns = (text("cause", "cause"), size("bytes", "given back"), share("share", "share"))
    note = "What is used again and given back again counts twice. What the heap grew by and never used is not in it."
    return Table("by_cause", "Who gave it back", columns, rows, (note,), total=True)


def rss(document: Document) -> Table:
    """The range of the resident memory, row by row."""
    peak, end = document["released"]["peak"], document["released"]["end"]
    rows: list[Sequence[Cell]] = [
        (ROWS[now["name"]][0], *bounds(then), *bounds(now), then["bytes"], now["bytes"], now["figure"], ROWS[now["name"]][1])
        for then, now in zip(peak["rss"], end["rss"], strict=True)
    ]
    sums = [(part["rss_low"], part["rss_high"]) for part in (peak, end)]
    rows.append(("= RSS", *sums[0], *sums[1], peak["rss_sum"], end["rss_sum"], "bounded", "the sum of the rows above"))
    columns = (
        text("row", "row"),
        size("peak_low_bytes", "peak, least"),
        size("peak_high_bytes", "most"),
        size("end_low_bytes", "end, least"),
        size("end_high_bytes", "most"),
        Column("peak_bytes", "", "machine"),
        Column("end_bytes", "", "machine"),
        Column("figure", "", "machine"),
        text("meaning", "what it is", 1),
    )
    note = f"At the end the RSS is {iec(end['rss_low'])} to {iec(end['rss_high'])}. The peak is that of HeapInuse."
    return Table("rss", "Resident memory", columns, rows, (note,), total=True)


def bounds(row: dict[str, Any]) -> tuple[int, int]:
    return row["low"], row["high"]


def over_time(document: Document) -> Table:
    """One row per sample."""
    rows: list[Sequence[Cell]] = []
    for s in document["timeline"]:
        stats = s["memstats"]
        retained = stats["HeapSys"] - stats["HeapReleased"]
        named = s["checkpoint"] or s["reason"]
        row = (s["event"], s["time_ns"] or None, named, stats["HeapIdle"], stats["HeapReleased"], retained)
        rows.append((*row, s["retained_goal"] or None, s["releasable"]))
    columns = (
        count("event", "event"),
        Column("time_ns", "time", "ns", 3),
        text("reason", "sample"),
        size("heap_idle_bytes", "HeapIdle", 1),
        size("heap_released_bytes", "HeapReleased"),
        size("retained_bytes", "retained"),
        size("goal_bytes", "goal"),
        size("releasable_bytes", "above it", 2),
    )
    note = "above it: idle and backed, what the scavenger may still give back."
    return Table("released_over_time", "HeapReleased over time", columns, rows, (note,))
