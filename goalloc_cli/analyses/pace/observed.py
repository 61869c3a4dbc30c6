"""What the pacer of a recording did, as its heap goals and heapLive tell; and which GOGC it therefore had."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pace.deaths import last_is_swept
from goalloc_cli.analyses.pace.events import Events
from goalloc_cli.design.allocator import Design
from goalloc_cli.results.pacing import Observed
from goalloc_cli.trace.event import Kind

LEAST_WAY = 1 << 16
"""From the marked heap to the goal: of less, a share says nothing."""
RAISED = (1 << 20) + 4096
"""Unfinished sweeping raises the goal to so much above the marked heap, whatever GOGC says (allocator.md 8.2)."""
ALIKE = 0.03
LITTLE = 64 << 10
"""Stacks and globals are the same in each cycle, but for so much, by the marked heap and in bytes;"""
MOST_CYCLES = 0.8
"""in so many of the cycles at least."""
ENOUGH = 5
"""Cycles that tell what the collector costs."""


def observe(events: Events, design: Design, told: int | None = None) -> Observed:
    """Read the recorded cycles; `told` is GOGC, where the user knows it."""
    marked, goals = at_ends(events)
    starts, ends = events.at(Kind.GC_START), events.at(Kind.GC_END)
    asked = int((events.columns["arg"][starts] == 1).sum())
    trigger, end, black = cycles(events, marked, goals)
    clock = np.cumsum(np.where(events.kind == Kind.ALLOC, events.columns["size"], 0))
    gogc, scanned = inferred(events, design, marked, goals, told)
    between = np.diff(clock[ends]) if len(ends) > 1 else np.zeros(0)
    cpu = cpu_of_cycles(events)
    finely = between / np.maximum(marked[:-1], 1) if len(marked) == len(ends) and len(between) else np.zeros(0)
    return Observed(
        gogc=gogc,
        scanned_beside=scanned,
        num_gc=len(ends),
        asked_for=asked,
        trigger_share=quantile(trigger, 0.5),
        end_share=quantile(end, 0.5),
        black=black,
        resolution=quantile(finely, 0.5),
        last_is_swept=last_is_swept(events),
        cpu_seconds=float(cpu.sum()) / 1e9 if len(cpu) else None,
        cpu_ns_per_byte=cpu_by_byte(cpu, marked),
    )


def cpu_of_cycles(events: Events) -> NDArray[np.int64]:
    """Nanoseconds that mark workers and assists ran in each cycle that ended; empty where the trace does not tell."""
    told, ends = events.at(Kind.GC_CPU), events.at(Kind.GC_END)
    cycle = np.searchsorted(ends, told)
    known = cycle < len(ends)
    if not known.any():
        return np.zeros(0, np.int64)
    ns = np.bincount(cycle[known], events.columns["size"][told[known]], minlength=len(ends))
    return ns.astype(np.int64)


def cpu_by_byte(cpu_ns: NDArray[np.int64], marked: NDArray[np.int64]) -> tuple[float, float] | None:
    """The lower and the upper quartile; None where few cycles tell."""
    if len(cpu_ns) != len(marked):
        return None
    told = (cpu_ns > 0) & (marked > 0)
    if told.sum() < ENOUGH:
        return None
    low, high = np.quantile(cpu_ns[told] / marked[told], (0.25, 0.75))
    return float(low), float(high)


def quantile(values: NDArray[np.float64], part: float) -> float | None:
    return float(np.quantile(values, part)) if len(values) else None


def at_ends(events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The marked heap and the new goal at each GC_END; empty where the trace does not tell."""
    ends, live, goal = events.at(Kind.GC_END), events.at(Kind.SAW_HEAP_LIVE), events.at(Kind.HEAP_GOAL)
    if not len(live) or not len(goal) or not len(ends):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    size = events.columns["size"]
    # Mark termination tells heapLive right before it ends, and then the goal (Go: resetLive, gcControllerCommit).
    marked = size[live[np.maximum(np.searchsorted(live, ends) - 1, 0)]]
    goals = size[goal[np.minimum(np.searchsorted(goal, ends), len(goal) - 1)]]
    return marked.astype(np.int64), goals.astype(np.int64)


def cycles(
    events: Events, marked: NDArray[np.int64], goals: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, ...]]:
    """Of each cycle that nobody asked for: how far from the marked heap to the goal it started, and ended; and the bytes
    that the program allocated in between."""
    starts, ends, live = events.at(Kind.GC_START), events.at(Kind.GC_END), events.at(Kind.SAW_HEAP_LIVE)
    if not len(marked):
        return np.zeros(0), np.zeros(0), ()
    size, asked = events.columns["size"][live], events.columns["arg"][starts] == 1
    first_goal = int(events.columns["size"][events.at(Kind.HEAP_GOAL)[0]])
    trigger, end, black = [], [], []
    for i in range(min(len(starts), len(ends))):
        before, goal = (int(marked[i - 1]), int(goals[i - 1])) if i else (beginning(events, marked), first_goal)
        first, stop = np.searchsorted(live, starts[i]), np.searchsorted(live, ends[i])
        if asked[i] or first == 0:
            continue
        began = int(size[first - 1])
        # The last of them is what was marked.
        ended = max(began, int(size[first : max(stop - 1, first)].max(initial=0)))
        black.append(ended - began)
        if goal - before >= LEAST_WAY:
            trigger.append((began - before) / (goal - before))
            end.append((ended - before) / (goal - before))
    return np.array(trigger), np.array(end), tuple(black)


def beginning(events: Events, marked: NDArray[np.int64]) -> int:
    """What was marked before the first recorded cycle: nothing, where there was none before, else as much as after it."""
    return 0 if events.header.from_start else int(marked[0])


def inferred(
    events: Events, design: Design, marked: NDArray[np.int64], goals: NDArray[np.int64], told: int | None
) -> tuple[int | None, int]:
    """GOGC, from the goals that it led to, and the bytes of stacks and globals that count into them.

    A goal is the marked heap and GOGC per cent of it and of those bytes. GOGC is None where no one value did; `told` is
    what the user says that it was.
    """
    other = design.globals_scan_bytes
    raised = goals <= marked + RAISED
    grown = goals - marked
    for gogc in [told] if told else candidates(events, design, marked[~raised], grown[~raised]):
        clear = ~raised & (goals > design.heap_minimum * gogc // 100 + 1)
        if not clear.any():
            return gogc, other
        scanned = 100 * grown[clear] / gogc - marked[clear]
        usual = float(np.median(scanned))
        most = marked[clear].max() / 4 + (1 << 20)
        agree = np.abs(scanned - usual) <= ALIKE * marked[clear] + LITTLE
        if told or (0 <= usual <= most and agree.mean() >= MOST_CYCLES):
            return gogc, int(max(usual, 0))
    return None, other


def candidates(
    events: Events, design: Design, marked: NDArray[np.int64], grown: NDArray[np.int64]
) -> list[int]:
    """What GOGC may have been, the likeliest first."""
    found = []
    ends, first = events.at(Kind.GC_END), events.at(Kind.HEAP_GOAL)[:1]
    if len(first) and design.heap_minimum and (not len(ends) or first[0] < ends[0]):
        # Before the first cycle ever the goal is the least goal times GOGC.
        percent = 100 * int(events.columns["size"][first[0]]) / design.heap_minimum
        if percent >= 1 and abs(percent - round(percent)) < 1e-3:
            found.append(round(percent))
    if len(marked):
        found.append(round(float(np.median(100 * grown / (marked + design.globals_scan_bytes)))))
    if len(marked) > 2 and np.ptp(marked) > 1 << 20:
        found.append(round(100 * float(np.polyfit(marked, grown, 1)[0])))
    return [gogc for gogc in dict.fromkeys(found) if gogc >= 1]
