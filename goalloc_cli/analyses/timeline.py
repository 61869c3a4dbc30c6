"""A replay that also notes when collections mark and sweep, and how often each P's mcache was refilled."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.allocator import Design
from goalloc_cli.host.ahead import ahead
from goalloc_cli.results.exported.timeline import Phase, Refills, Timeline, Work
from goalloc_cli.results.outcome import Reason
from goalloc_cli.trace.event import KIND_MASK, Batch, Kind
from goalloc_cli.trace.trace import Trace

NOTED = (Kind.TIME, Kind.GC_START, Kind.GC_END, Kind.SWEEP_DRAINED)
START = (0, 0)

Moment = tuple[int, int]


def timeline(
    trace: Trace,
    design: Design,
    *,
    design_name: str,
    every: str | int = "gc",
    hints: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Timeline:
    """Replay a trace, and note what happens when; arguments and errors are those of `replay`."""
    started = time.perf_counter()
    run, phases = Watched(trace, design, hints, every, check=False), Phases()
    for batch in ahead(trace.batches):
        phases.note(batch)
        run.feed(batch)
        if progress:
            progress(run.events)
    run.end()
    outcome = run.outcome(design_name, time.perf_counter() - started)
    return Timeline(outcome, phases.ended(), run.refills, phases.has_times)


class Watched(Run):
    """A replay that counts refills by P at every sample."""

    def __init__(self, trace: Trace, design: Design, placed: bool, every: str | int, check: bool) -> None:
        super().__init__(trace, design, placed, every, check)
        self.refills: list[Refills] = []

    def sample(self, reason: Reason, name: int = 0) -> np.void:
        row = super().sample(reason, name)
        by_p = self.heap.mcaches["refills"][: int(self.heap.nprocs)].tolist()
        self.refills.append(Refills(int(row["event"]), int(row["time_ns"]), by_p))
        return row


class Phases:
    """When collections mark and sweep."""

    def __init__(self) -> None:
        self.done: list[Phase] = []
        self.now: Moment = START
        self.marking: Moment | None = None
        self.sweeping: Moment | None = None
        self.cycle = 0
        self.explicit = False
        self.has_times = False
        self._events = 0

    def note(self, batch: Batch) -> None:
        """Take in a batch."""
        kinds = batch.kind & np.uint8(KIND_MASK)
        for i in np.flatnonzero(np.isin(kinds, NOTED)).tolist():
            kind, ns = Kind(int(kinds[i])), self.now[1]
            if kind is Kind.TIME:
                ns, self.has_times = int(batch.size[i]), True
            self.now = (self._events + i, ns)
            self.take(kind, bool(batch.arg[i]))
        self._events += len(batch)
        self.now = (self._events, self.now[1])

    def take(self, kind: Kind, explicit: bool) -> None:
        """What one event begins or ends."""
        if kind is Kind.GC_START:
            self.end_sweep()
            self.marking = self.now
        elif kind is Kind.GC_END:
            self.end_sweep()
            self.cycle, self.explicit = self.cycle + 1, explicit
            # A recording may begin in the middle of a cycle.
            self.done.append(Phase(Work.MARK, self.cycle, explicit, self.marking or self.first_of_marks(), self.now))
            self.marking, self.sweeping = None, self.now
        elif kind is Kind.SWEEP_DRAINED:
            self.end_sweep()

    def first_of_marks(self) -> Moment:
        """Where a mark phase began that was under way when the trace did."""
        return self.done[-1].end if self.done else START

    def end_sweep(self) -> None:
        """Sweeping is complete, if it was under way."""
        if self.sweeping is not None:
            self.done.append(Phase(Work.SWEEP, self.cycle, self.explicit, self.sweeping, self.now))
            self.sweeping = None

    def ended(self) -> list[Phase]:
        """All phases; one that is under way ends with the trace."""
        self.end_sweep()
        if self.marking is not None:
            self.done.append(Phase(Work.MARK, self.cycle + 1, False, self.marking, self.now))
            self.marking = None
        return self.done
