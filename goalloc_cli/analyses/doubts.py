"""What the reader of a replay must know about its figures, a sentence each."""

from __future__ import annotations

import numpy as np

from goalloc_cli.design.allocator import Design
from goalloc_cli.trace.trace import Trace

UNNAMED_BYTES = 1 << 20
"""heapLive above what objects are that is no chance of their order."""
ENOUGH_REFILLS, FORESEEN = 50, 0.98
"""A replay of one P that foresees fewer of its refills is not exact."""
BY_CHANCE = 4
"""Those around the start and a stop are not foreseen where all is exact."""


def doubts(heap: np.record, trace: Trace, design: Design, deaths_unfound: int) -> list[str]:
    """Of a heap at the end of a trace; `deaths_unfound`: objects that die where no GC cycle finds any."""
    found: list[str] = []
    if heap.gc.hinted:
        found.append(
            "The recording's own sweep progress, flushes and manual spans were followed (see hints); "
            "released memory at its start is taken to be all that was idle."
        )
    if heap.nprocs > trace.header.gomaxprocs:
        found.append(
            f"There are events of P {heap.nprocs - 1}, though GOMAXPROCS is {trace.header.gomaxprocs} in the "
            f"trace: the model went on with {heap.nprocs} Ps."
        )
    if deaths_unfound:
        found.append(
            f"The trace has no GC cycle: the memory of the {deaths_unfound:,} objects that die is never "
            "used again. These are the figures of a heap that never collects (--set gogc=-1 says that this is meant); "
            "--gc gogc=100 puts cycles in, as Go would start them."
        )
    if moves_goal(trace, design):
        found.append(
            "gogc and memory_limit move no collection here: GC runs where the trace has it, and the same objects die. "
            "goalloc pace predicts what another GOGC or GOMEMLIMIT would have done."
        )
    found += contradicted(heap, trace)
    if trace.skipped:
        which = ", ".join(f"{name}: {n:,}" for name, n in trace.skipped.items())
        found.append(f"Bad events were left out, {sum(trace.skipped.values()):,} of them ({which}).")
    if heap.stacks.unplaced:
        found.append(f"Stack allocations whose place the recording does not tell: {heap.stacks.unplaced}.")
    return found


def moves_goal(trace: Trace, design: Design) -> bool:
    """Whether a knob of the heap goal is another than the recorded program's own."""
    recorded = dict(trace.header.knobs)
    return trace.header.hints and any(
        getattr(design, name) != recorded.get(name, Design.__dataclass_fields__[name].default)
        for name in ("gogc", "memory_limit")
    )


def contradicted(heap: np.record, trace: Trace) -> list[str]:
    """Where the recording's own heapLive contradicts what was replayed; `lost.unnamed` of the trace is set."""
    seen, found = heap.evidence, []
    trace.lost.unnamed = int(seen.unnamed) if seen.unnamed >= UNNAMED_BYTES else 0
    if trace.lost.unnamed:
        found.append(
            f"The recording's heapLive shows {int(seen.unnamed) >> 10:,} KiB that none of its objects are: all figures "
            "are too low by that. User arenas (GOEXPERIMENT=arenas) show so; so do allocations that were lost."
        )
    share = min(1.0, (int(seen.foreseen) + BY_CHANCE) / max(1, int(seen.refills)))
    if heap.nprocs == 1 and seen.refills >= ENOUGH_REFILLS and share < FORESEEN:
        found.append(
            f"By the recording's heapLive the model foresaw {share:.1%} of {int(seen.refills):,} refills: where objects "
            "lie, and which slots are free, is near but not exact."
        )
    return found
