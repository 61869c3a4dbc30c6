"""A replay over time, as Perfetto's own schema reads it."""

from __future__ import annotations

import io
from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from goalloc_cli.analyses.timeline import timeline
from goalloc_cli.design.releases import release
from goalloc_cli.exporters.perfetto import MEMSTATS, write_perfetto
from goalloc_cli.importers.rows.read import read_jsonl
from goalloc_cli.results.exported.timeline import Timeline, Work
from goalloc_cli.results.outcome import LEDGER
from tests.analyses.test_samples import SAMPLES, trace_of
from tests.kit.consumers import consumer


@cache
def found(name: str) -> Timeline:
    trace = trace_of(name)
    version = trace.header.go_version
    return timeline(trace, release(version), design_name=f"go{version}")


def decoded(data: bytes) -> Any:
    schema = consumer("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    return schema.Trace.FromString(data)


def encoded(name: str) -> bytes:
    return b"".join(write_perfetto(found(name)))


def tracks(trace: Any) -> dict[int, Any]:
    found = [packet.track_descriptor for packet in trace.packet if packet.HasField("track_descriptor")]
    return {track.uuid: track for track in found}


def events(trace: Any) -> dict[str, list[Any]]:
    """Packets with events, by the name of their track."""
    names = tracks(trace)
    out = defaultdict(list)
    for packet in trace.packet:
        if packet.HasField("track_event"):
            out[names[packet.track_event.track_uuid].name].append(packet)
    return out


def unknown_fields(message: Any) -> int:
    """Fields, anywhere in a message, that its schema does not have."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    inside = [value for field, value in message.ListFields() if field.type == field.TYPE_MESSAGE]
    parts = [part for value in inside for part in (value if hasattr(value, "__len__") else [value])]
    return len(UnknownFieldSet(message)) + sum(map(unknown_fields, parts))


@pytest.mark.parametrize("name", SAMPLES)
def test_perfetto_knows_every_field_and_writes_the_same_bytes(name):
    data = encoded(name)
    trace = decoded(data)
    assert unknown_fields(trace) == 0
    assert trace.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize("name", SAMPLES)
def test_counters_are_the_samples_of_the_replay(name):
    by_track, samples = events(decoded(encoded(name))), found(name).outcome.samples
    fields = {**MEMSTATS, **{row: row for row in LEDGER}}
    shown = {track: [(p.timestamp, p.track_event.counter_value) for p in by_track[track]] for track in fields}
    assert shown == {track: list(zip(samples["time_ns"], samples[field], strict=True)) for track, field in fields.items()}


def test_bytes_are_said_to_be_bytes():
    units = {track.name: track.counter.unit for track in tracks(decoded(encoded("orders-go1.27"))).values()}
    assert (units["HeapInuse"], units["dead_unfound"], units["refills of P 0"]) == (3, 3, 2)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("track", ["GC", "sweep"])
def test_slices_never_overlap(name, track):
    packets = events(decoded(encoded(name)))[track]
    assert [p.track_event.type for p in packets] == [1, 2] * (len(packets) // 2)
    times = [p.timestamp for p in packets]
    assert times == sorted(times)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_cycle_is_a_slice(name):
    cycles = found(name).outcome.events.get("gc_end", 0)
    marks = [phase for phase in found(name).phases if phase.work is Work.MARK]
    assert len([phase for phase in marks if phase.cycle <= cycles]) == cycles > 0


def test_checkpoints_are_instants():
    named = [p.track_event.name for p in events(decoded(encoded("orders-go1.27")))["checkpoints"]]
    assert named == [point.name for point in found("orders-go1.27").outcome.checkpoints] != []


def test_the_refills_of_all_ps_are_those_of_the_replay():
    by_track = events(decoded(encoded("web-go1.27-p4")))
    last = {name: packets[-1].track_event.counter_value for name, packets in by_track.items() if name.startswith("refills")}
    outcome = found("web-go1.27-p4").outcome
    assert last == {f"refills of P {row['p']}": row["refills"] for row in outcome.mcaches}


def test_without_times_events_are_the_clock_and_the_title_says_so():
    rows = '{"op": "alloc", "id": 0, "size": 64}\n{"op": "gc_start"}\n'
    rows += '{"op": "alloc", "id": 1, "size": 64}\n{"op": "gc_end"}\n'
    trace = read_jsonl(io.BytesIO(('{"op": "header", "go": "1.27"}\n' + rows).encode()), "rows")
    data = decoded(b"".join(write_perfetto(timeline(trace, release("1.27"), design_name="go1.27"))))
    assert "in events" in tracks(data)[1].name
    assert [p.timestamp for p in events(data)["GC"]] == [1, 3]
