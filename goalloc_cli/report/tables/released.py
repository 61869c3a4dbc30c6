"""The report on memory given back to the OS: HeapReleased over time, who gave back, and an estimate of the RSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Chart, Column, Table, count, share, size, text
from goalloc_cli.report.units import iec

Document = dict[str, Any]

ROWS = {
    "heap_inuse": ("heap spans in use", "at most: a page is resident once it was touched"),
    "idle_backed": ("idle, backed", "free pages that were not given back"),
    "idle_lazy": ("given back, kept by the OS", "at most: it takes them when it runs short (MADV_FREE)"),
    "stacks": ("goroutine stacks", "spans of stacks"),
    "gc_workbufs": ("GC work buffers", "spans of what marking keeps in mind"),
    "runtime_records": ("runtime records", "of spans, Ps and arenas; at most, as heap spans"),
    "not_modelled": ("not modelled", "code, data, threads, the runtime's other tables"),
}
"""What people call each row of the estimate, and what it is."""

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
    if found["figure"] == "bounded":
        told.append(f"HeapReleased is bounded: at the end {iec(end['low'])} to {iec(end['high'])}, as time would have it.")
    elif found["figure"] == "unknown":
        told.append("HeapReleased is unknown: the recording begins in the middle of a program's life.")
    else:
        told.append("HeapReleased is near what Go has: the order of a few frees is not recorded.")
    if found["bytes_per_second"]:
        told.append(f"The background scavenger can give back {iec(int(found['bytes_per_second']))} a second.")
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
    """The estimate of resident memory, row by row."""
    peak, end = document["released"]["peak"], document["released"]["end"]
    rows: list[Sequence[Cell]] = [
        (ROWS[now["name"]][0], then["bytes"], now["bytes"], now["figure"], ROWS[now["name"]][1])
        for then, now in zip(peak["rss"], end["rss"], strict=True)
    ]
    rows.append(("= RSS, about", peak["rss_sum"], end["rss_sum"], "unknown", "the sum of the rows above"))
    columns = (
        text("row", "row"),
        size("peak_bytes", "at the peak"),
        size("end_bytes", "at the end"),
        text("figure", "figure"),
        text("meaning", "what it is", 1),
    )
    return Table("rss", "Resident memory, estimated", columns, rows, ("The peak is that of HeapInuse.",), total=True)


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
