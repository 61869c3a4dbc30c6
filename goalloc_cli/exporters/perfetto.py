"""Writes a replay as a Perfetto trace of counters, slices and instants, for ui.perfetto.dev.

(perfetto, protos/perfetto/trace: TracePacket, TrackDescriptor, TrackEvent.) The protocol buffers say what the older form in
JSON cannot: that a counter counts bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from goalloc_cli.exporters import protobuf as pb
from goalloc_cli.exporters.names import shown
from goalloc_cli.results.exported.timeline import Timeline, Work
from goalloc_cli.results.outcome import LEDGER, Reason

SEQUENCE = 1
"""All packets are of one writer."""
INCREMENTAL_STATE_CLEARED = 1
COUNT, SIZE_BYTES = 2, 3
"""Units of counters (CounterDescriptor.Unit)."""

MEMSTATS = {
    "HeapInuse": "heap_inuse",
    "HeapAlloc": "heap_alloc",
    "HeapIdle": "heap_idle",
    "HeapReleased": "heap_released",
    "StackInuse": "stack_inuse",
    "NextGC": "next_gc",
}
"""Counters by Go's name for them, and the field of a sample."""


class Event(IntEnum):
    """TrackEvent.Type."""

    SLICE_BEGIN = 1
    SLICE_END = 2
    INSTANT = 3
    COUNTER = 4


PROCESS, GC, SWEEP, POINTS, COUNTERS = 1, 2, 3, 4, 16
"""Tracks; counters have the numbers from COUNTERS on."""


def write_perfetto(timeline: Timeline) -> Iterator[bytes]:
    """The packets of the trace, one after the other."""
    outcome = timeline.outcome
    clock = "" if timeline.has_times else " (in events: the trace has no times)"
    title = f"goalloc: {shown(outcome.trace_name)}, {shown(outcome.design_name)}{clock}"
    yield packet(track(PROCESS, 0, title, process=title), first=True)
    yield packet(track(GC, PROCESS, "GC"))
    yield packet(track(SWEEP, PROCESS, "sweep"))
    yield packet(track(POINTS, PROCESS, "checkpoints"))
    names = {**MEMSTATS, **{row: row for row in LEDGER}}
    refills = [f"refills of P {p}" for p in range(len(timeline.refills[-1].by_p))]
    for number, name in enumerate([*names, *refills]):
        yield packet(track(COUNTERS + number, PROCESS, name, unit=SIZE_BYTES if name in names else COUNT))
    events = [*slices(timeline), *instants(timeline), *counters(timeline, list(names.values()))]
    for time, _, body in sorted(events, key=lambda event: event[:2]):
        yield packet(body, time)


def when(timeline: Timeline, event: int, ns: int) -> int:
    """A time: in nanoseconds or, where the trace has none, in events."""
    return ns if timeline.has_times else event


def slices(timeline: Timeline) -> Iterator[tuple[int, int, bytes]]:
    """The phases of collections: time, rank among events of that time, packet. What ends comes before what begins."""
    for phase in timeline.phases:
        name, of = ("GC", GC) if phase.work is Work.MARK else ("sweep", SWEEP)
        told = f"{name} {phase.cycle}{' (runtime.GC)' if phase.explicit else ''}"
        begin, end = when(timeline, *phase.begin), when(timeline, *phase.end)
        rank = 3 * phase.begin[0]
        yield begin, rank + 2, event(Event.SLICE_BEGIN, of, pb.text(23, told))
        yield end, 3 * phase.end[0] + (0 if phase.end[0] > phase.begin[0] else 2), event(Event.SLICE_END, of)


def instants(timeline: Timeline) -> Iterator[tuple[int, int, bytes]]:
    """The checkpoints that the program named."""
    outcome = timeline.outcome
    for row in outcome.samples:
        if row["reason"] == Reason.CHECKPOINT:
            name = shown(outcome.names[int(row["name"])]) or "(no name)"
            time = when(timeline, int(row["event"]), int(row["time_ns"]))
            yield time, 3 * int(row["event"]) + 1, event(Event.INSTANT, POINTS, pb.text(23, name))


def counters(timeline: Timeline, fields: list[str]) -> Iterator[tuple[int, int, bytes]]:
    """Every counter at every sample."""
    for row in timeline.outcome.samples:
        values = [int(row[field]) for field in fields]
        yield from counted(timeline, int(row["event"]), int(row["time_ns"]), COUNTERS, values)
    for refills in timeline.refills:
        yield from counted(timeline, refills.event, refills.time_ns, COUNTERS + len(fields), refills.by_p)


def counted(timeline: Timeline, at: int, ns: int, first: int, values: list[int]) -> Iterator[tuple[int, int, bytes]]:
    """What the tracks from `first` on count at one event."""
    for number, value in enumerate(values):
        yield when(timeline, at, ns), 3 * at + 1, event(Event.COUNTER, first + number, pb.number(30, value))


def event(kind: Event, of: int, more: bytes = b"") -> bytes:
    """A packet with a TrackEvent."""
    return pb.raw(11, pb.number(9, kind) + pb.number(11, of) + more)


def track(uuid: int, parent: int, name: str, *, process: str = "", unit: int = 0) -> bytes:
    """A packet with a TrackDescriptor."""
    body = pb.number(1, uuid) + pb.text(2, name)
    if process:
        body += pb.raw(3, pb.number(1, 1) + pb.text(6, process))
    if parent:
        body += pb.number(5, parent)
    if unit:
        body += pb.raw(8, pb.number(3, unit))
    return pb.raw(60, body)


def packet(body: bytes, time: int | None = None, first: bool = False) -> bytes:
    """A TracePacket, as a field of the trace."""
    stamp = b"" if time is None else pb.number(8, time)
    cleared = pb.number(13, INCREMENTAL_STATE_CLEARED) if first else b""
    # Fields stand by their number, as a decoder writes them again.
    late = body if body[:2] == pb.varint(60 << 3 | 2) else b""
    early = b"" if late else body
    return pb.raw(1, stamp + pb.number(10, SEQUENCE) + early + cleared + late)
