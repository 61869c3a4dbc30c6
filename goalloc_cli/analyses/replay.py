"""Replay a trace through the model: the only door to `model/`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.doubts import doubts
from goalloc_cli.analyses.handles import Tables
from goalloc_cli.analyses.pictures.sampled import joined, with_peak
from goalloc_cli.analyses.tracer import TracerBuffers
from goalloc_cli.design.allocator import Design
from goalloc_cli.errors import ReplayError, TraceError
from goalloc_cli.host.ahead import ahead
from goalloc_cli.host.source import read_whole
from goalloc_cli.model.books import survey
from goalloc_cli.model.books.series import new_series
from goalloc_cli.model.books.tally import tally
from goalloc_cli.model.loop import begin, replay_batch, sample_heap
from goalloc_cli.model.proof.check import check as check_heap
from goalloc_cli.model.tables.columns import Columns
from goalloc_cli.model.tables.faults import BAD_EVENTS, FAULTS
from goalloc_cli.model.tables.heap import FAULT_LATE_SNAPSHOT, FAULT_NONE, FAULT_OPEN_SNAPSHOT
from goalloc_cli.model.tables.limits import PS, full
from goalloc_cli.model.tables.newheap import new_heap
from goalloc_cli.model.tables.objects import OBJECT_LIVE
from goalloc_cli.results.outcome import SAMPLE, Checkpoint, Outcome, Reason
from goalloc_cli.results.pacing import Case
from goalloc_cli.trace.continued import continued
from goalloc_cli.trace.event import HINT_KINDS, KIND_MASK, SNAP_KINDS, Batch, Kind, TypeInfo
from goalloc_cli.trace.trace import Trace

if TYPE_CHECKING:
    from goalloc_cli.analyses.pictures.album import Album

NO_SERIES = new_series()
"""Of a replay without pictures: no sample is due."""


def refuse(trace_name: str, number: int, batch: Batch, index: int, fault: int) -> NoReturn:
    """Raise TraceError for a bad event, ReplayError for one that the model cannot take."""
    kind = Kind(int(batch.kind[index]) & KIND_MASK).name.lower()
    what = f"{trace_name}: event {number} ({kind}, handle {batch.id[index]}): {FAULTS[fault]}"
    if fault in BAD_EVENTS:
        raise TraceError(f"{what}; goalloc check lists all bad events, replay --lenient leaves them out")
    raise ReplayError(what)


def replay(
    trace: Trace, design: Design, *, design_name: str, every: str | int = "gc", check: bool = False, hints: bool = True,
    progress: Callable[[int], None] | None = None, begin_with: tuple[str, bytes] | None = None,
    save: Callable[[bytes], None] | None = None, pictures: bool = False, at_end: Callable[[Run], None] | None = None,
) -> Outcome:  # fmt: skip
    """Replay a trace through an allocator of the given design.

    Args:
        trace: the events; read to the end.
        design: the allocator.
        design_name: what reports call it.
        every: "gc" for a sample at each mark termination, or a number of events.
        check: walk all invariants of the heap (allocator.md 12.1) after each batch.
        hints: obey what the recording tells about sweeping, flushes and manual spans, where it does.
        progress: called with the number of events replayed so far.
        begin_with: name and bytes of a state that an earlier replay saved: the trace goes on from there.
        save: called with the state at the end, from which a later replay goes on.
        pictures: take samples and maps of the pages along, within caps (`pictures/album.py`).
        at_end: called with the run once all events are replayed.

    Raises:
        ReplayError: an event that the model cannot take, or a broken invariant; the message names the event.
        TraceError: the trace cannot be read, or has a bad event (`analyses.badevents`).
    """
    started = time.perf_counter()
    run = Run(trace, design, hints, every, check)
    if begin_with is not None:
        run.load(*begin_with)
    if pictures:
        from goalloc_cli.analyses.pictures.album import Album
        from goalloc_cli.model.books.pagemap import Mapper

        run.album = Album(new_series(), Mapper(), trace, run.events)
        run.album.watch(run.tracer)
        run.trace = run.album.beside(run.trace)
    for batch in ahead(run.trace.batches):
        run.feed(batch)
        if progress:
            progress(run.events)
    if at_end is not None:
        at_end(run)
    if save is not None:
        save(run.saved(design_name))
    run.end()
    return run.outcome(design_name, time.perf_counter() - started)


def read_state(path: str) -> tuple[str, bytes]:
    """Name and bytes of the state in a file, to begin with; raise TraceError or OSError."""
    from goalloc_cli.model.saved.state import FORMAT, MAX_FILE

    return path, read_whole(path, MAX_FILE, FORMAT.encode())


class Run:
    """A replay under way."""

    def __init__(self, trace: Trace, design: Design, placed: bool, every: str | int, check: bool) -> None:
        header = trace.header
        self.trace = trace
        self.design = design
        self.check = check
        self.every = every
        if not 1 <= header.gomaxprocs <= PS:
            raise ReplayError(f"{trace.name}: GOMAXPROCS {header.gomaxprocs}: {full('ps')}")
        self.heap = new_heap(design, header.gomaxprocs, header.heap_base if placed and header.heap_base else None)
        self.heap.gc.placed = int(placed)
        self.heap.gc.hinted = int(placed and header.hints)
        begin(self.heap)
        self.tables = Tables()
        self.events = 0
        self.counts = np.zeros(64, np.int64)
        self.snaps = 0
        self.begun = False  # whether the snapshot is over
        self.samples: list[NDArray[np.void]] = []
        self.told = 0  # the event of the last sample of those that the kernel takes in cycles
        self.album: Album | None = None
        self.checkpoints: list[Checkpoint] = []
        self.tracer = TracerBuffers()
        self.types: list[TypeInfo] = [TypeInfo("", 0, 0)]
        self.names: list[str] = [""]

    def feed(self, batch: Batch) -> None:
        """Apply one batch, taking the samples that fall in it."""
        self.tables.fit(*self.note(batch))
        if not self.begun:
            self.tracer.note(batch)
        first = self.heap.event = self.events
        at, (end, misplaced) = 0, self.end_of_snapshot(batch.kind)
        while at < end:
            stop = end
            if isinstance(self.every, int):
                stop = min(stop, at + self.every - (first + at) % self.every)
            at = self.run_to(batch, at, stop)
            self.events = first + at
            last = Kind(int(batch.kind[at - 1]) & KIND_MASK)
            self.take_due_samples(last, int(batch.arg[at - 1]))
            if self.album is not None:
                self.take_frame(self.album, last)
        if end < len(batch):
            refuse(self.trace.name, first + end, batch, end, misplaced)
        if self.check and (broken := check_heap(self.heap, self.tables.objects)):
            raise ReplayError(f"{self.trace.name}: before event {self.events}: invariant broken: {broken}")

    def end_of_snapshot(self, flagged: NDArray[np.uint8]) -> tuple[int, int]:
        """The first event of a batch on the wrong side of the snapshot's end, and the fault: one of the snapshot that comes
        late, or another before a snapshot is complete. The batch's length and no fault, where all stand right."""
        snaps = int(self.counts[SNAP_KINDS[0] : SNAP_KINDS[-1] + 1].sum())
        if self.begun and snaps == self.snaps:
            return len(flagged), FAULT_NONE
        kinds = flagged & np.uint8(KIND_MASK)
        of_snapshot = np.isin(kinds, SNAP_KINDS)
        ended = np.append(self.begun, ~of_snapshot | (kinds == Kind.SNAP_END))
        first = int(ended.argmax())
        is_whole = self.begun or not ended.any() or self.snaps + first == 1 or of_snapshot[first - 1]
        self.snaps, self.begun = snaps, bool(ended.any())
        if not is_whole:
            return first - 1, FAULT_OPEN_SNAPSHOT
        late = np.flatnonzero(of_snapshot & np.logical_or.accumulate(ended)[:-1])
        return (int(late[0]), FAULT_LATE_SNAPSHOT) if len(late) else (len(kinds), FAULT_NONE)

    def saved(self, design_name: str) -> bytes:
        """The state after the events so far."""
        from goalloc_cli.model.saved.state import State, pack

        t = self.tables
        known = {
            "design": design_name,
            "trace": self.trace.name,
            "events": self.events,
            "begun": self.begun,
            "counts": self.counts.tolist(),
            "types": [[t.name, t.size, t.pointer_bytes] for t in self.types],
            "names": self.names,
            "checkpoints": [[c.name, c.memstats] for c in self.checkpoints],
            "tracer": self.tracer.plain(),
        }
        samples = np.concatenate(self.samples) if self.samples else np.zeros(0, SAMPLE)
        return pack(State(self.heap, t.objects, t.stacks, t.manual_spans, t.cursor, samples, known))

    def load(self, name: str, data: bytes) -> None:
        """Go on from a saved state; raise TraceError where it cannot be used, or the trace cannot follow it."""
        from goalloc_cli.model.saved.state import Known, unpack

        state = unpack(data, name, self.design)
        if broken := check_heap(state.heap, state.objects):
            raise TraceError(f"{name}: this saved state cannot be used: {broken}; save it again with --save-state")
        known = Known(**state.known)
        if bool(state.heap.gc.hinted) != bool(self.heap.gc.hinted):
            raise TraceError(f"{name}: of this saved state and {self.trace.name} one has hints and the other has none")
        state.heap.nprocs = max(int(state.heap.nprocs), int(self.heap.nprocs))
        self.heap = state.heap
        self.tables = Tables(state.objects, state.stacks, state.manual_spans, state.cursor)
        self.events, self.begun = known.events, known.begun
        self.counts = np.array(known.counts, np.int64)
        self.snaps = int(self.counts[SNAP_KINDS,].sum())
        self.samples = [state.samples] if len(state.samples) else []
        of_cycle = np.isin(state.samples["reason"], (Reason.GC_START, Reason.SWEPT))
        self.told = int(state.samples["event"][of_cycle].max(initial=0))
        self.checkpoints = [Checkpoint(name, memstats) for name, memstats in known.checkpoints]
        self.types = [TypeInfo(*entry) for entry in known.types]
        self.names = list(known.names)
        self.tracer = TracerBuffers(*known.tracer)
        self.trace = continued(self.trace, self.types, self.names)

    def note(self, batch: Batch) -> tuple[int, int]:
        """Keep the names that a batch brings, and count its events; return the handles to make room for."""
        self.types += batch.new_types
        self.names += batch.new_names
        highest, other = tally(np.ascontiguousarray(batch.kind), np.ascontiguousarray(batch.id), self.counts)
        return int(highest), int(other)

    def run_to(self, batch: Batch, at: int, stop: int) -> int:
        """Apply events from `at` on, up to `stop` or a point where a sample is due."""
        columns = [np.ascontiguousarray(c[:stop]) for c in (batch.kind, batch.p, batch.id, batch.size, batch.arg)]
        series = NO_SERIES if self.album is None else self.album.series
        done = replay_batch(self.heap, self.tables.handles, Columns(*columns), at, series)
        if self.album is not None:
            self.album.born.note(Columns(*columns), at, done, len(self.tables.objects))
        if self.heap.fault:
            refuse(self.trace.name, int(self.heap.event) + done, batch, done, int(self.heap.fault))
        return int(done)

    def take_over_pacing(self, case: Case, began: tuple[int, int] | None) -> None:
        """From here on the model's own pacer starts and ends cycles, and `run_to` also stops where one has ended.

        Args:
            began: the marked heap and heapLive now, in bytes, where the model cannot know them.
        """
        paced, gc = self.heap.paced, self.heap.gc
        paced.on, paced.end_goals, paced.end_ns = 1, case.end_goals, case.end_ns
        paced.trigger_share, paced.end_share = case.trigger_share, case.end_share
        if began is not None:
            gc.heap_marked, gc.heap_live = began

    def take_due_samples(self, last: Kind, arg: int) -> None:
        """Take the sample that the event just applied, or the number of events, asks for."""
        if last is Kind.CHECKPOINT:
            name = self.names[arg] if arg < len(self.names) else ""
            row = self.sample(Reason.CHECKPOINT, arg)
            self.checkpoints.append(survey.checkpoint(self.heap, name, row))
        elif last is Kind.SNAP_END:
            self.complete_snapshot()
            self.sample(Reason.START)
        elif last is Kind.GC_END:
            self.tell_cycle()
            self.sample(Reason.GC)
        elif isinstance(self.every, int) and self.events % self.every == 0 and last not in SNAP_KINDS:
            # Before its end a snapshot is no heap that ever was.
            self.sample(Reason.EVERY)

    def complete_snapshot(self) -> None:
        """The heap of the recording's start is there: find the tracer's buffers in it, and say what is not known of it."""
        heap, objects = self.heap, self.tables.objects
        if self.tracer.are_there:
            tags, data = self.tracer.candidates[True], self.tracer.candidates[False]
            npages = sum(int(heap.spans[int(objects[handle]["loc"]) >> 16]["npages"]) for handle in tags)
            locs = [int(objects[handle]["loc"]) for handle in (*tags, *data)]
            self.tracer.begin(self.events, locs, npages << int(heap.knobs.page_shift))
            if self.album is not None:
                self.album.watch(self.tracer)
        if not self.trace.header.from_start:
            # All that was idle then is taken to be released, and none of it need be.
            heap.scavenge.less = heap.stats.released

    def look_at_tracer(self) -> None:
        """Note that the tracer's buffers still live, where they do."""
        tracer, objects = self.tracer, self.tables.objects
        if max(tracer.handles, default=0) >= len(objects):
            return
        rows = [objects[handle] for handle in tracer.handles]
        if all(row["label"] & OBJECT_LIVE and row["loc"] == loc for row, loc in zip(rows, tracer.locs, strict=True)):
            tracer.until = self.events

    def tell_cycle(self) -> None:
        """Take in what the kernel has sampled: the end of the last sweep, and the start of the last cycle."""
        for row, reason in ((self.heap.swept, Reason.SWEPT), (self.heap.began, Reason.GC_START)):
            if int(row["event"]) > self.told:
                taken = np.array([row], SAMPLE)
                taken["reason"], taken["name"] = reason, 0
                self.samples.append(taken)
                self.told = int(row["event"])

    def end(self) -> None:
        """Take the last sample, and the last frame."""
        self.tell_cycle()
        row = self.sample(Reason.END)
        if self.album is not None:
            self.album.take_frame(self.heap, self.tables.objects, row, "end")

    def sample(self, reason: Reason, name: int = 0) -> np.void:
        """Take a sample of the heap now."""
        row = self.sampled(reason, name)
        self.samples.append(row)
        taken: np.void = row[0]
        return taken

    def sampled(self, reason: Reason, name: int = 0) -> NDArray[np.void]:
        """A sample of the heap now, shape (1,)."""
        self.look_at_tracer()
        row = np.zeros(1, SAMPLE)
        sample_heap(self.heap, row[0])
        row["event"], row["reason"], row["name"] = self.events, reason, name
        return row

    def take_frame(self, album: Album, last: Kind) -> None:
        """Take the frame that is due behind this event."""
        if why := album.why_now(self.events, last):
            row = album.samples[-1] if why == "every" else self.samples[-1][0]
            album.take_frame(self.heap, self.tables.objects, row, why)

    def outcome(self, design_name: str, seconds: float) -> Outcome:
        """Everything that was found out."""
        heap, album = self.heap, self.album
        taken = joined([*self.samples, *([album.samples] if album else ()), np.array([heap.peak], SAMPLE)])
        if album is not None:
            self.tracer.until = max(self.tracer.until, int(album.series.buffers_until))
        self.tracer.take_out(taken, self.design.page_size)
        own = sum(map(len, self.samples))
        peak = taken[own - 1 : own] if heap.stats.peak_open else taken[-1:]
        samples, even = with_peak(taken[:own], peak), taken[own:-1]
        spans = survey.spans(heap)
        survey.name_pins(spans, self.tables.objects)
        hinted = bool(heap.gc.hinted)
        return Outcome(
            trace_name=self.trace.name,
            header=self.trace.header,
            design=self.design,
            design_name=design_name,
            events={k.name.lower(): int(self.counts[k]) for k in Kind if self.counts[k]},
            hints={k.name.lower(): int(self.counts[k]) for k in (*SNAP_KINDS, *HINT_KINDS) if hinted and self.counts[k]},
            seconds=seconds,
            names=self.names,
            samples=samples,
            peak=peak,
            memstats=survey.memstats(heap, samples[-1]),
            checkpoints=self.checkpoints,
            classes=survey.classes(heap, spans),
            spans=spans,
            pins=survey.pins(heap, spans, [t.name for t in self.types]),
            mcaches=survey.mcaches(heap),
            central=survey.central(heap),
            arenas=survey.arenas(heap),
            external=survey.external(heap),
            large=survey.large(heap),
            tiny=survey.tiny(heap),
            locks=survey.locks(heap),
            sweep=survey.sweeps(heap),
            marks=survey.marks(heap),
            notes=[*doubts(self.heap, self.trace, self.design, self.deaths_unfound), *self.trace.remarks],
            skipped=dict(self.trace.skipped),
            lost=self.trace.lost,
            uncollected=self.deaths_unfound > 0,
            pictures=None if album is None else album.pictures(even, samples, peak, heap, [t.name for t in self.types]),
        )

    @property
    def deaths_unfound(self) -> int:
        """Objects that die where no GC cycle finds any, though nobody said that GC is off; 0 where one does."""
        cycles = self.counts[Kind.GC_START] + self.counts[Kind.GC_END]
        meant = self.counts[Kind.SET_GOGC] or self.design.gogc < 0
        return 0 if cycles or meant else int(self.counts[Kind.FREE])
