"""Execution traces: what real recordings hold against what the programs saw, and recordings that are refused."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from goalloc_cli.design.gosizes import HEADER_ABOVE, HEADER_BYTES, LARGEST_SMALL, SIZE_OF, SLOT_OF
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.infer.cycles import Code, name_sweeps
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.slots.sizes import request
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.importers.exectrace.wire.scan import EVENT_BATCH, uvarint
from goalloc_cli.importers.exectrace.wire.scan import HEADER_BYTES as FILE_HEADER
from goalloc_cli.trace.event import BATCH, BOUND, KIND_MASK, NOSCAN, Batch, Kind, TypeInfo
from goalloc_cli.trace.trace import Header
from tests.kit.root import DATA

SEVERAL = "orders-go1.27-p4"
"""A recording of three generations."""
RECORDINGS = ("lru-go1.23", "trees-go1.24", "orders-go1.25", "wordcount-go1.26", "web-go1.27-p4", SEVERAL)
NEWER = RECORDINGS[1:]
"""Go 1.24 and later record every allocation."""


@dataclass
class Told:
    """A whole recording, and what the program read of runtime.MemStats at its checkpoints."""

    header: Header
    batches: list[Batch]
    kind: NDArray[np.uint8]
    """With flags."""
    p: NDArray[np.uint16]
    id: NDArray[np.uint32]
    size: NDArray[np.int64]
    arg: NDArray[np.uint32]
    addr: NDArray[np.int64]
    types: list[TypeInfo]
    names: list[str]
    points: list[dict[str, object]]

    def at(self, *kinds: Kind) -> NDArray[np.int64]:
        """Positions of events of these kinds."""
        return np.flatnonzero(np.isin(self.kind & KIND_MASK, kinds))

    @property
    def checkpoints(self) -> NDArray[np.int64]:
        return self.at(Kind.CHECKPOINT)

    def changes(self, field: str) -> list[int]:
        """Differences of a MemStats field from checkpoint to checkpoint."""
        counts = [int(str(point[field])) for point in self.points]
        return [after - before for before, after in pairwise(counts)]

    def counted(self, *kinds: Kind) -> list[int]:
        """Events of these kinds between checkpoints."""
        bounds = np.searchsorted(self.at(*kinds), self.checkpoints).tolist()
        return [after - before for before, after in pairwise(bounds)]


@cache
def raw(name: str) -> bytes:
    return zstandard.ZstdDecompressor().decompress((DATA / f"{name}.trace.zst").read_bytes())


def by_size(memstats: dict[str, list[dict[str, int]]]) -> list[list[int]]:
    """Mallocs and frees of each size class."""
    return [[row["Mallocs"], row["Frees"]] for row in memstats["BySize"]]


@cache
def told(name: str) -> Told:
    trace = read_exectrace(io.BytesIO(raw(name)), name)
    batches = list(trace.batches)
    columns = {c: np.concatenate([getattr(b, c) for b in batches]) for c in ("kind", "p", "id", "size", "arg", "addr")}
    types = [TypeInfo("", 0, 0), *(t for b in batches for t in b.new_types)]
    names = ["", *(n for b in batches for n in b.new_names)]
    snaps = json.loads((DATA / f"{name}.json").read_text())["snaps"]
    points = [snap["M"] | {"Point": snap["Point"], "BySize": by_size(snap["M"])} for snap in snaps]
    return Told(trace.header, batches, types=types, names=names, points=points, **columns)


TABLES = (2, 4, 6, 8, 50)
"""First bytes of batches that hold no events: stacks, strings, CPU samples, frequency, sync."""


def batches_of(data: bytes) -> list[tuple[int, int, bool]]:
    """Start and end of every batch of a recording, and whether it holds events."""
    found, at = [], FILE_HEADER
    while at < len(data):
        start, kind = at, data[at]
        if kind == 52:
            at += 1
            continue
        at += 1 if kind == EVENT_BATCH else 2
        for _ in range(3):
            _, at = uvarint(data, at, len(data))
        size, at = uvarint(data, at, len(data))
        found.append((start, at + size, kind == EVENT_BATCH and size > 0 and data[at] not in TABLES))
        at += size
    return found


def event_batches(data: bytes) -> list[tuple[int, int]]:
    return [(start, end) for start, end, events in batches_of(data) if events]


def refusal(data: bytes, partial: bool = False) -> str:
    """What the reader says of a recording that it refuses."""
    with pytest.raises(TraceError) as error:
        list(read_exectrace(io.BytesIO(data), "app.trace", partial).batches)
    return str(error.value)


@pytest.mark.parametrize("name", RECORDINGS)
def test_checkpoints_carry_the_names_that_the_program_logged(name: str) -> None:
    recording = told(name)
    assert [recording.names[a] for a in recording.arg[recording.checkpoints]] == [p["Point"] for p in recording.points]


@pytest.mark.parametrize("name", NEWER)
def test_every_allocation_between_two_checkpoints_is_there(name: str) -> None:
    recording = told(name)
    assert recording.counted(Kind.ALLOC, Kind.TINY) == recording.changes("Mallocs")


def test_of_go_1_23_only_packed_tiny_allocations_are_missing() -> None:
    recording = told("lru-go1.23")
    assert all(have <= real for have, real in zip(recording.counted(Kind.ALLOC), recording.changes("Mallocs"), strict=True))
    assert "packed into a tiny block" in recording.header.notes[-1]


@pytest.mark.parametrize("name", RECORDINGS)
def test_after_a_forced_cycle_exactly_the_objects_of_memstats_live(name: str) -> None:
    recording = told(name)
    change = np.zeros(len(recording.kind), np.int64)
    change[recording.at(Kind.ALLOC, Kind.SNAP_OBJECT)] = 1
    change[recording.at(Kind.FREE)] = -1
    live = np.cumsum(change)[recording.checkpoints]
    forced = [i for i, point in enumerate(recording.points) if str(point["Point"]).startswith("gc:")]
    assert [int(live[i]) for i in forced] == [recording.points[i]["HeapObjects"] for i in forced]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_size_class_gets_as_many_objects_as_memstats_counts(name: str) -> None:
    recording = told(name)
    allocs = recording.at(Kind.ALLOC)
    scan = recording.kind[allocs] & NOSCAN == 0
    small = recording.size[allocs] <= LARGEST_SMALL
    size = np.where(small, recording.size[allocs], 0)
    slot = np.where(small, SLOT_OF[(size + np.where(scan & (size > HEADER_ABOVE), HEADER_BYTES, 0) + 7) // 8], 0)
    bounds = np.searchsorted(allocs, recording.checkpoints)
    for i, (first, last) in enumerate(pairwise(bounds)):
        before, after = recording.points[i]["BySize"], recording.points[i + 1]["BySize"]
        assert isinstance(before, list)
        assert isinstance(after, list)
        counted = np.bincount(slot[first:last], minlength=32769)
        assert [b[0] - a[0] for a, b in zip(before, after, strict=True)][1:] == counted[SIZE_OF[1 : len(before)]].tolist()


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_handle_has_one_owner_at_a_time(name: str) -> None:
    recording = told(name)
    state: dict[int, str] = {}
    for kind, handle in zip((recording.kind & KIND_MASK).tolist(), recording.id.tolist(), strict=True):
        if kind in (Kind.ALLOC, Kind.SNAP_OBJECT, Kind.SNAP_DEAD):
            assert state.get(handle) != "live"
            state[handle] = "dead" if kind == Kind.SNAP_DEAD else "live"
        elif kind == Kind.FREE:
            assert state[handle] == "live"
            state[handle] = "dead"
        elif kind in (Kind.SWEEP_TO, Kind.SWEEP_RECLAIM):
            assert state[handle] == "dead"
        elif kind == Kind.TINY:
            assert handle in state


@pytest.mark.parametrize(("allocs", "frees"), [
    ((Kind.STACK_ALLOC, Kind.SNAP_STACK), Kind.STACK_FREE),
    ((Kind.MANUAL_ALLOC, Kind.SNAP_STACK_SPAN), Kind.MANUAL_FREE),
])  # fmt: skip
@pytest.mark.parametrize("name", RECORDINGS)
def test_stacks_and_manual_spans_are_freed_once(name: str, allocs: tuple[Kind, ...], frees: Kind) -> None:
    recording = told(name)
    live: set[int] = set()
    for i in recording.at(*allocs, frees).tolist():
        handle = int(recording.id[i])
        assert (handle in live) == ((recording.kind[i] & KIND_MASK) == frees)
        live ^= {handle}


@pytest.mark.parametrize("name", RECORDINGS)
def test_cycles_alternate_start_and_end(name: str) -> None:
    recording = told(name)
    kinds = recording.kind[recording.at(Kind.GC_START, Kind.GC_END)].tolist()
    assert kinds == [Kind.GC_START, Kind.GC_END] * (len(kinds) // 2)


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_dead_of_a_cycle_are_freed_right_before_its_start(name: str) -> None:
    recording = told(name)
    kinds = recording.kind & KIND_MASK
    frees = recording.at(Kind.FREE)
    after = frees + 1
    while np.isin(kinds[after], (Kind.FREE, Kind.TIME)).any():
        after = np.where(np.isin(kinds[after], (Kind.FREE, Kind.TIME)), after + 1, after)
    assert set(kinds[after].tolist()) == {Kind.GC_START}


@pytest.mark.parametrize("name", RECORDINGS)
def test_batches_are_of_allowed_length_and_bring_their_types(name: str) -> None:
    types = 1
    for batch in told(name).batches:
        assert 0 < len(batch) <= BATCH
        types += len(batch.new_types)
        typed = batch.arg[np.isin(batch.kind & KIND_MASK, (Kind.ALLOC, Kind.TINY, Kind.SNAP_OBJECT))]
        assert int(typed.max(initial=0)) < types


@pytest.mark.parametrize("name", RECORDINGS)
def test_time_never_runs_backwards(name: str) -> None:
    recording = told(name)
    assert (np.diff(recording.size[recording.at(Kind.TIME)]) >= 0).all()


@pytest.mark.parametrize("name", RECORDINGS)
def test_objects_that_live_together_lie_apart(name: str) -> None:
    recording = told(name)
    by_addr: dict[int, int] = {}
    owner: dict[int, int] = {}
    last_start = int(recording.at(Kind.GC_END)[-1])
    for i in recording.at(Kind.ALLOC, Kind.SNAP_OBJECT, Kind.FREE).tolist():
        handle, addr = int(recording.id[i]), int(recording.addr[i])
        if recording.kind[i] & KIND_MASK == Kind.FREE:
            by_addr.pop(owner.pop(handle), None)
            continue
        assert i > last_start or by_addr.get(addr) is None
        by_addr[addr], owner[handle] = handle, addr


@pytest.mark.parametrize(("name", "version", "ps"), [
    ("lru-go1.23", "1.23", 1),
    ("trees-go1.24", "1.24", 1),
    ("orders-go1.25", "1.25", 1),
    ("wordcount-go1.26", "1.27", 1),
    ("web-go1.27-p4", "1.27", 4),
])  # fmt: skip
def test_the_header_tells_what_made_the_recording(name: str, version: str, ps: int) -> None:
    header = told(name).header
    assert (header.go_version, header.gomaxprocs, header.from_start) == (version, ps, True)
    assert header.heap_base % (64 << 20) == 0
    assert (header.sizes, header.hints, header.witnesses) == ("slot", True, True)


def test_a_type_that_needs_exactly_the_slot_tells_the_size() -> None:
    assert request(2 * 5 + 1, 48, 1, 40, SLOT_OF) == (40, 0)


def test_a_type_smaller_than_the_slot_leaves_only_a_bound() -> None:
    assert request(2 * 5 + 1, 48, 1, 16, SLOT_OF) == (48, BOUND)


def test_a_header_takes_eight_bytes_of_a_pointerful_slot() -> None:
    assert request(2 * 27, 576, 1, 0, SLOT_OF) == (568, BOUND)


def test_a_tiny_block_is_sixteen_bytes_whatever_opened_it() -> None:
    assert request(5, 16, 1, 3, SLOT_OF) == (16, BOUND)


def test_a_large_type_that_fills_its_pages_tells_the_size() -> None:
    assert request(0, 40960, 5, 40000, SLOT_OF) == (40000, 0)


def test_something_else_is_refused_at_its_first_byte() -> None:
    assert "app.trace: byte 0: this is not a Go execution trace" in refusal(b"\x7fELF and so on and on")


def test_an_older_format_is_refused_by_its_name() -> None:
    assert "a trace of format Go 1.22" in refusal(b"go 1.22 trace\0\0\0" + raw("trees-go1.24")[16:])


def test_a_recording_without_alloc_events_says_how_to_get_them() -> None:
    data = raw("trees-go1.24")
    without = data[:FILE_HEADER] + b"".join(data[start:end] for start, end, events in batches_of(data) if not events)
    assert "set GODEBUG=traceallocfree=1" in refusal(without)


def events_of(data: bytes, partial: bool = False) -> tuple[bytes, ...]:
    """All events of a recording, column by column."""
    batches = list(read_exectrace(io.BytesIO(data), "app.trace", partial).batches)
    columns = ("kind", "p", "id", "size", "addr")
    return tuple(b"".join(getattr(batch, name).tobytes() for batch in batches) for name in columns)


def addresses_of(data: bytes, partial: bool = False) -> list[int]:
    """The addresses of all allocations of a recording."""
    kind, *_, addr = events_of(data, partial)
    is_alloc = np.frombuffer(kind, np.uint8) & KIND_MASK == Kind.ALLOC
    found: list[int] = np.frombuffer(addr, np.int64)[is_alloc].tolist()
    return found


@pytest.mark.parametrize(("swept_bytes", "told"), [(4 << 20, Code.SWEEP_RECLAIM), (8192, Code.SWEEP_OTHER)])
def test_a_sweep_of_whole_windows_is_the_reclaimers_where_the_stack_does_not_say(swept_bytes: int, told: Code) -> None:
    begin: Any = SimpleNamespace(kind=np.array([Ev.GC_SWEEP_BEGIN]), b=np.array([swept_bytes]), m=np.array([0]))
    code = np.array([Code.SWEEP_OTHER], np.uint8)
    name_sweeps(begin, code)
    assert code[0] == told


@pytest.mark.parametrize(("between", "told"), [(Ev.GC_SWEEP_END, Code.SWEEP_CACHE), (Ev.HEAP_ALLOC, Code.SWEEP_OTHER)])
def test_a_sweep_right_behind_another_is_the_refills_where_the_stack_does_not_say(between: Ev, told: Code) -> None:
    kinds = np.array([between, Ev.GC_SWEEP_BEGIN])
    events: Any = SimpleNamespace(kind=kinds, b=np.array([0, 8192]), m=np.array([0, 0]))
    code = np.array([0, Code.SWEEP_OTHER], np.uint8)
    name_sweeps(events, code)
    assert code[1] == told
