"""The program's own time: what it takes where no collector runs beside it.

How much a program allocates while marking waits for a core depends on how fast it is by itself. A recording tells that of
the time between two cycles. Within one, workers, assists and stops of the world take most of the time, and with GOGC=10
there is a cycle most of the time. So there the own time goes on, for each byte, as it does between the cycles around.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pace.events import Events
from goalloc_cli.trace.event import Kind

AROUND = 8
"""Stretches between cycles, before a cycle and after it, that tell how fast the program is."""


def own_times(events: Events) -> NDArray[np.int64]:
    """The own time at each TIME event, in ns."""
    times, starts, ends = events.at(Kind.TIME), events.at(Kind.GC_START), events.at(Kind.GC_END)
    told: NDArray[np.int64] = events.columns["size"][times].astype(np.int64)
    cycles = min(len(starts), len(ends))
    if not len(times) or not cycles:
        return told
    # Stretches between cycles have even numbers, cycles odd ones.
    inner = np.stack([starts[:cycles], ends[:cycles]], axis=1).ravel()
    bounds = np.concatenate([[0], inner, [len(events.kind)]])
    began = told[np.maximum(np.searchsorted(times, bounds) - 1, 0)]
    clock = np.concatenate([[0], np.cumsum(np.where(events.kind == Kind.ALLOC, events.columns["size"], 0))])
    took, made = np.diff(began).astype(np.float64), np.diff(clock[bounds])
    own = took.copy()
    own[1::2] = np.minimum(took[1::2], made[1::2] * ns_per_byte(took[::2], made[::2]))
    own_began = told[0] + np.concatenate([[0.0], np.cumsum(own)])
    stretch = np.searchsorted(bounds, times, side="right") - 1
    passed = (told - began[stretch]) / np.maximum(took[stretch], 1)
    return np.maximum.accumulate(own_began[stretch] + passed * own[stretch]).astype(np.int64)


def ns_per_byte(took: NDArray[np.float64], made: NDArray[np.int64]) -> NDArray[np.float64]:
    """How long the program takes for a byte around each cycle, by the stretches between cycles."""
    cycle = np.arange(1, len(took))
    low, high = np.maximum(cycle - AROUND, 0), np.minimum(cycle + AROUND, len(took))
    ns, bytes_made = (np.concatenate([[0], np.cumsum(each)]) for each in (took, made))
    found: NDArray[np.float64] = (ns[high] - ns[low]) / np.maximum(bytes_made[high] - bytes_made[low], 1)
    return found
