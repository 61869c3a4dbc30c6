"""One run of a program whose collections are the model's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.allocator import Design
from goalloc_cli.results.outcome import Reason
from goalloc_cli.results.pacing import Case, Figures
from goalloc_cli.trace.event import Batch, Kind
from goalloc_cli.trace.trace import Header, Trace

NO_SAMPLES = 1 << 60
NO_ROOM, NO_ROOM_CYCLES = 0.05, 64
"""A memory limit that leaves the heap so little room in so many cycles: the runtime's own limiter of CPU time decides there,
and a trace has no times for that."""


@dataclass(frozen=True)
class Program:
    """What a program did, without the collections that were recorded."""

    name: str
    header: Header
    batch: Batch
    """All events, those of the snapshot first."""
    snapshot_events: int
    own_times: NDArray[np.int64]
    """The program's own time at each TIME event (clock.py), in ns."""
    began: tuple[int, int] | None
    """The marked heap and heapLive at the start, where the recording began later; None where the program began with it."""

    @cached_property
    def own(self) -> Batch:
        """All events, with the program's own time."""
        size = self.batch.size.copy()
        size[self.batch.kind == Kind.TIME] = self.own_times
        return replace(self.batch, size=size)


@dataclass
class Cycles:
    """What is kept of the cycles of a run."""

    rooms: list[float]
    limited_rooms: list[float]
    goals: list[int]
    at_minimum: int = 0

    @property
    def cramped(self) -> int:
        """Cycles to which the limit left next to no room."""
        return sum(room < NO_ROOM for room in self.limited_rooms)

    def note(self, began: np.void, least_goal: int) -> None:
        """A cycle that the model started has ended."""
        goal, marked = int(began["began_goal"]), int(began["began_marked"])
        self.goals.append(goal)
        self.at_minimum += not began["began_limited"] and goal <= least_goal
        if marked:
            room = (goal - marked) / marked
            (self.limited_rooms if began["began_limited"] else self.rooms).append(room)

    def room(self) -> float | None:
        """The median; of the cycles that the limit ruled, where these are most."""
        rooms = self.limited_rooms if len(self.limited_rooms) > len(self.rooms) else self.rooms
        return float(np.median(rooms)) if rooms else None


def simulate(program: Program, design: Design, case: Case, most_cycles: int) -> Figures:
    """Replay a program under the pacer of a design.

    Args:
        most_cycles: a run that comes to more is broken off.

    Raises:
        ReplayError: an event that the model cannot take.
    """
    trace = Trace(program.name, replace(program.header, hints=False, witnesses=False), iter(()))
    run = Run(trace, design, False, NO_SAMPLES, False)
    batch = program.own if case.end_ns else program.batch
    run.tables.fit(*run.note(batch))
    heap, n = run.heap, len(batch)
    at = 0
    while at < program.snapshot_events:
        at = run.run_to(batch, at, program.snapshot_events)
    run.take_over_pacing(case, program.began)
    run.run_to(set_gogc(design.gogc), 0, 1)
    least_goal = design.heap_minimum * max(design.gogc, 0) // 100 + (64 << 10)
    cycles, ended = Cycles([], [], []), 0
    while at < n:
        if case.black:
            heap.paced.end_bytes = case.black[ended % len(case.black)]
        heap.paced.end_ns = case.end_ns if (ended + 1) % case.every == 0 else 0
        at = run.run_to(batch, at, n)
        if int(heap.gc.cycle) - int(heap.gc.marking) == ended:
            continue
        ended = int(heap.gc.cycle) - int(heap.gc.marking)
        if batch.kind[at - 1] != Kind.GC_END:
            cycles.note(heap.paced, least_goal)
        if ended > most_cycles or cycles.cramped > NO_ROOM_CYCLES:
            break
    end = run.sample(Reason.END)
    return Figures(
        num_gc=ended,
        peak_heap_inuse=int(heap.stats.max_in_use),
        heap_sys=int(end["heap_sys"]),
        peak_mapped=int(heap.paced.peak_mapped),
        peak_stacks=int(end["stack_inuse"]),
        marked=int(heap.gc.all_marked),
        scan_work=int(heap.gc.all_scan_work),
        goals=(min(cycles.goals, default=0), max(cycles.goals, default=0)),
        room=cycles.room(),
        own=len(cycles.goals),
        limited=len(cycles.limited_rooms),
        at_minimum=cycles.at_minimum,
        ended=at >= n,
    )


def set_gogc(gogc: int) -> Batch:
    """The event that sets GOGC: goal and trigger are computed anew."""

    def column(value: int, dtype: type[np.unsignedinteger] | type[np.int64]) -> NDArray[np.integer]:
        return np.array([value], dtype)

    return Batch(
        kind=column(int(Kind.SET_GOGC), np.uint8),  # type: ignore[arg-type]
        p=column(0, np.uint16),  # type: ignore[arg-type]
        id=column(0, np.uint32),  # type: ignore[arg-type]
        size=column(max(gogc, 0), np.int64),  # type: ignore[arg-type]
        arg=column(int(gogc < 0), np.uint32),  # type: ignore[arg-type]
    )
