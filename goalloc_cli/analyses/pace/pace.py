"""A recording under other settings of GOGC and GOMEMLIMIT."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pace.clock import own_times
from goalloc_cli.analyses.pace.deaths import Deaths, draw_deaths
from goalloc_cli.analyses.pace.events import Events
from goalloc_cli.analyses.pace.observed import observe
from goalloc_cli.analyses.pace.overhead import SPAN_BYTES
from goalloc_cli.analyses.pace.overhead import overhead as mapped_beside
from goalloc_cli.analyses.pace.simulate import Program, simulate
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.memory import NO_LIMIT
from goalloc_cli.design.sizeclass import size_classes
from goalloc_cli.results.pacing import (
    AS_RECORDED,
    AT_TIMES,
    BRACKET,
    OFF,
    WAITS,
    Case,
    Figures,
    Observed,
    Pacing,
    Prediction,
    Setting,
)
from goalloc_cli.trace.event import BATCH, NO_P, NOSCAN, SNAP_KINDS, Batch, Kind
from goalloc_cli.trace.trace import Trace

LEAST_CYCLES, TIMES_RECORDED = 2_000, 100
"""A setting that comes to more cycles, in all and by those recorded, is broken off."""


SELDOM_NS = 4_000_000
"""A recording that tells the time no more often is no clock."""

Progress = Callable[[int], None] | None
"""Is told how many events all runs together have done."""


@dataclass(frozen=True)
class Under:
    """What holds for all settings."""

    design: Design
    overhead: int
    cases: tuple[Case, ...]
    most_cycles: int

    def cases_of(self, setting: Setting) -> tuple[Case, ...]:
        """How cycles of a setting may go."""
        return (*self.cases, AT_TIMES) if setting.memory_limit is not None and WAITS in self.cases else self.cases

    def design_of(self, setting: Setting) -> Design:
        """The allocator, with a setting."""
        limit = NO_LIMIT if setting.memory_limit is None else setting.memory_limit
        mspan_bytes = self.design.mspan_bytes + SPAN_BYTES
        return replace(
            self.design, gogc=setting.gogc, memory_limit=limit, other_bytes=self.overhead, mspan_bytes=mspan_bytes
        )


class Pacer:
    """One recording, ready to be asked about settings."""

    def __init__(
        self,
        events: Events,
        design: Design,
        *,
        design_name: str,
        hints: bool = True,
        recorded_gogc: int | None = None,
        overhead: int | None = None,
        cases: tuple[Case, ...] | None = None,
        threads: int | None = None,
    ) -> None:
        """Replay the recording as it was, see what its pacer did, and draw deaths.

        Args:
            design: the allocator; its memory limit is that of the recording.
            hints: whether the recording's own hints fit it.
            recorded_gogc: what GOGC was, where its goals do not tell.
            overhead: bytes that the runtime maps beside all that is modelled.
            cases: how cycles start and end, where that is known better than by the bracket.
            threads: runs at once; one for each core where nothing is said.

        Raises:
            ReplayError, TraceError: as `replay` does.
        """
        self.events = events
        self.threads = threads or os.cpu_count() or 1
        self.recorded = replay(as_trace(events), design, design_name=design_name, hints=hints)
        self.observed = observe(events, design, recorded_gogc)
        taken = slots(events, design)
        self.deaths = draw_deaths(events, taken)
        self.under = Under(
            design=replace(design, globals_scan_bytes=self.observed.scanned_beside),
            overhead=mapped_beside(events, taken, design) if overhead is None else overhead,
            cases=cases or (*(case for case in BRACKET if not case.end_ns or tells_time(events)), *self.recorded_cases),
            most_cycles=max(LEAST_CYCLES, TIMES_RECORDED * self.observed.num_gc),
        )
        self.program = program(events, self.deaths, self.observed, events.tracer())
        self.with_tracer = program(events, self.deaths, self.observed, np.zeros(len(events.kind), np.bool_))

    @property
    def setting(self) -> Setting | None:
        """What the recording was made under."""
        if self.observed.gogc is None:
            return None
        limit = self.under.design.memory_limit
        return Setting(self.observed.gogc, None if limit == NO_LIMIT else limit)

    @property
    def recorded_cases(self) -> tuple[Case, ...]:
        """How the recorded cycles started and ended, where the recording tells."""
        seen = self.observed
        if seen.trigger_share is None or not seen.black:
            return ()
        return (replace(AS_RECORDED, trigger_share=seen.trigger_share, black=seen.black),)

    def predict(self, settings: list[Setting], progress: Progress = None) -> list[Prediction]:
        """What comes of each setting, without the tracer's own memory; on all cores."""
        return self.run(self.asked(settings), progress)

    def asked(self, settings: list[Setting]) -> list[tuple[Program, Setting, tuple[Case, ...]]]:
        """The program under each setting, in all its cases."""
        return [(self.program, setting, self.under.cases_of(setting)) for setting in settings]

    def run(self, asked: list[tuple[Program, Setting, tuple[Case, ...]]], progress: Progress = None) -> list[Prediction]:
        """What comes of each program and setting in its cases."""
        wanted = [
            (which, setting, self.alike(setting, case, cases)) for which, setting, cases in asked for case in cases
        ]
        jobs = {
            (id(which), setting, case.name): (which, self.under.design_of(setting), case) for which, setting, case in wanted
        }
        done: dict[tuple[int, Setting, str], Figures] = {}
        with ThreadPoolExecutor(min(self.threads, max(len(jobs), 1))) as pool:
            for job, figures in zip(jobs, pool.map(self.simulated, jobs.values()), strict=True):
                done[job] = figures
                if progress is not None:
                    progress(len(done) * len(self.program.batch))
        found = [done[id(which), setting, case.name] for which, setting, case in wanted]
        left = iter(found)
        most = max(self.observed.black, default=0)
        return [
            Prediction(setting, {case.name: next(left) for case in cases}, 0 if cases == self.recorded_cases else most)
            for _, setting, cases in asked
        ]

    def alike(self, setting: Setting, case: Case, cases: tuple[Case, ...]) -> Case:
        """The first case that goes as this one does: where only the program starts cycles, any with the same clock."""
        if setting.gogc != OFF or setting.memory_limit is not None or len(self.events.at(Kind.SET_GOGC)):
            return case
        return next(each for each in cases if bool(each.end_ns) == bool(case.end_ns))

    def simulated(self, job: tuple[Program, Design, Case]) -> Figures:
        """One run."""
        return simulate(*job, self.under.most_cycles)

    def pace(self, settings: list[Setting], progress: Progress = None) -> Pacing:
        """All settings, and before them the recorded one, with and without the tracer's own memory."""
        own: list[tuple[Program, Setting, tuple[Case, ...]]] = []
        if self.setting is not None:
            as_recorded = self.recorded_cases or self.under.cases
            own = [(self.with_tracer, self.setting, as_recorded), *self.asked([self.setting])]
        found = self.run([*own, *self.asked(settings)], progress)
        buffers = self.events.tracer_buffers()
        return Pacing(
            recorded=self.recorded,
            observed=self.observed,
            setting=self.setting,
            check=found[0] if own else None,
            base=found[1] if own else None,
            predictions=found[len(own) :],
            tracer_bytes=int(self.events.columns["size"][buffers].sum()),
            deaths=len(self.deaths.moments),
            drawn_at_end=len(self.deaths.late_objects),
        )


def tells_time(events: Events) -> bool:
    """Whether a recording tells the time often enough to be a clock."""
    times = events.columns["size"][events.at(Kind.TIME)]
    return len(times) > 1 and int(np.ptp(times)) <= SELDOM_NS * len(times)


def as_trace(events: Events) -> Trace:
    """The events as a trace, in batches."""

    def batches() -> Iterator[Batch]:
        n = len(events.kind)
        for first in range(0, n, BATCH):
            part = slice(first, first + BATCH)
            columns: dict[str, Any] = {name: column[part] for name, column in events.columns.items()}
            named = [] if first else events.types[1:], [] if first else events.names[1:]
            yield Batch(**columns, new_types=named[0], new_names=named[1])

    return Trace(events.name, events.header, batches(), remarks=events.remarks)


def slots(events: Events, design: Design) -> NDArray[np.int64]:
    """Bytes that each ALLOC and SNAP_OBJECT takes; 0 for other events."""
    kind, size = events.kind, events.columns["size"].astype(np.int64)
    makes = (kind == Kind.ALLOC) | (kind == Kind.SNAP_OBJECT)
    scan = events.columns["kind"] & np.uint8(NOSCAN) == 0
    wanted = size + 8 * (scan & (size > design.header_above) & bool(design.malloc_header))
    classes = np.array([found.size for found in size_classes(design)][1:], np.int64)
    small = wanted <= design.max_small_size
    rounded = classes[np.minimum(np.searchsorted(classes, wanted), len(classes) - 1)]
    large = -(-size // design.page_size) * design.page_size
    found: NDArray[np.int64] = np.where(makes & (size > 0), np.where(small, rounded, large), 0)
    return found


def program(events: Events, deaths: Deaths, observed: Observed, without: NDArray[np.bool_]) -> Program:
    """The program's events, each death at its moment."""
    kept = np.flatnonzero(events.of_program() & ~without)
    moments = np.arange(len(events.kind), dtype=np.float64)
    moments[events.at(Kind.FREE)] = deaths.moments
    theirs = ~without[deaths.late_objects]
    objects = deaths.late_objects[theirs]
    late = len(objects)
    order = np.argsort(np.concatenate([moments[kept], deaths.late_moments[theirs]]), kind="stable")
    extra = {
        "kind": np.full(late, Kind.FREE), "p": np.full(late, NO_P), "id": events.columns["id"][objects],
        "size": np.zeros(late), "arg": np.zeros(late),
    }  # fmt: skip
    columns: dict[str, Any] = {
        name: np.concatenate([column[kept], extra[name].astype(column.dtype)])[order]
        for name, column in events.columns.items()
    }
    snapshot = int(np.isin(events.kind[kept], SNAP_KINDS).sum())
    began = beginning(events, observed)
    return Program(events.name, events.header, Batch(**columns), snapshot, own_times(events), began)


def beginning(events: Events, observed: Observed) -> tuple[int, int] | None:
    """The marked heap and heapLive where a recording begins in the middle of a program, as its first goal tells."""
    live, goal = events.at(Kind.SAW_HEAP_LIVE), events.at(Kind.HEAP_GOAL)
    if events.header.from_start or not observed.gogc or not len(live) or not len(goal):
        return None
    size = events.columns["size"]
    scanned = observed.scanned_beside
    marked = (100 * int(size[goal[0]]) - observed.gogc * scanned) // (100 + observed.gogc)
    first = int(size[live[0]])
    return max(min(marked, first), 0), first

