"""When collections started and ended, and what they cost, as GODEBUG=gctrace=1 printed it in a run without tracing."""

from __future__ import annotations

import numpy as np

from goalloc_cli.results.gctrace import Collection, GCTrace
from goalloc_cli.results.pacing import Case

HALF = 1 << 19
"""Go prints whole MiB, rounded down."""
LEAST_WAY = 4 << 20
"""From the marked heap to the goal: of less, whole MiB tell nothing."""
ENOUGH = 5


def cases_of(text: GCTrace) -> tuple[Case, ...]:
    """The lower and the upper quartile of where cycles started and ended; empty where the text tells too little."""
    trigger, end = [], []
    for before, this in pairs(text):
        if this.forced or before.live_bytes is None or this.goal_bytes is None:
            continue
        marked, way = before.live_bytes + HALF, this.goal_bytes - before.live_bytes
        if way < LEAST_WAY:
            continue
        trigger.append((this.start_bytes + HALF - marked) / way)
        end.append((this.end_bytes + HALF - marked) / way)
    if len(trigger) < ENOUGH:
        return ()
    (t_low, t_high), (e_low, e_high) = np.quantile(trigger, (0.25, 0.75)), np.quantile(end, (0.25, 0.75))
    return Case("early", float(t_low), float(e_low)), Case("late", float(t_high), float(e_high))


def pairs(text: GCTrace) -> list[tuple[Collection, Collection]]:
    """Each collection with the one before it in the same program."""
    last: dict[int, Collection] = {}
    found = []
    for this in text.collections:
        if this.run in last and last[this.run].number + 1 == this.number:
            found.append((last[this.run], this))
        last[this.run] = this
    return found


def cpu_of(text: GCTrace) -> tuple[float, float] | None:
    """CPU time of a collection by byte that it marked, in ns: the lower and the upper quartile; None where nothing tells."""
    costs = [
        (c.assist_cpu_ns + c.background_cpu_ns + c.idle_cpu_ns) / (c.live_bytes + HALF)
        for c in text.collections
        if c.live_bytes
    ]
    if len(costs) < ENOUGH:
        return None
    low, high = np.quantile(costs, (0.25, 0.75))
    return float(low), float(high)
