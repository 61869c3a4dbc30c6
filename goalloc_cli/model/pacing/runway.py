"""The runway before the heap goal in Go 1.18 and 1.19: what the program allocates until marking is done. (Go: mgcpacer.go)

The ratio of bytes allocated to bytes scanned, per CPU time of each, is estimated by a controller with a proportional and an
integral part. It counts from the trigger that was computed, so that what a cycle starts too late counts as well.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import inner

UTILIZATION = 0.25
"""The share of the CPU that marking takes. Unlike Go: never more, as with assists."""
GAIN = 0.9
"""Proportional gain of the controller (consMarkController, kp)."""
PERIOD = 4.0
"""Cycles over which the integral part makes up for an error (ti)."""
BOUND = 1000.0
"""The estimate is never beyond this, on either side."""


@inner
def scan_work(heap):
    """Bytes that marking scans now: live objects with pointers, and globals."""
    work = heap.knobs.globals_scan_bytes
    for spc in range(0, len(heap.by_spc), 2):
        work += heap.by_spc[spc].requested
    return work


@inner
def adapt(heap):
    """Learn from the cycle that ends, if it went past its trigger."""
    gc = heap.gc
    if gc.heap_live <= gc.trigger or gc.scan_work == 0:
        return
    seen = (gc.heap_live - gc.trigger) * UTILIZATION / (gc.scan_work * (1 - UTILIZATION))
    error = seen - gc.cons_mark
    gc.cons_mark = max(-BOUND, min(BOUND, GAIN * error + gc.cons_mark_error))
    gc.cons_mark_error += GAIN / PERIOD * error


@inner
def trigger(heap, least, most):
    """The trigger within its bounds: the lower one where the estimate is negative, a very long runway to Go.

    Where the model starts the cycles, the trigger lies a given share of the way to the goal.
    """
    gc = heap.gc
    if heap.paced.on:
        wanted = gc.heap_marked + int(heap.paced.trigger_share * (gc.goal - gc.heap_marked))
        return max(least, min(most, wanted))
    runway = gc.cons_mark * ((1 - UTILIZATION) / UTILIZATION) * gc.scan_work
    if runway < 0 or runway > gc.goal:
        return least
    return max(least, min(most, gc.goal - int(runway)))
