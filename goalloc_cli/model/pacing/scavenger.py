"""The background scavenger: when it runs, and how long it sleeps. (Go: mgcscavenge.go, bgscavenge; allocator.md 9.4)

It is woken when sweeping is done and when a cycle starts, in Go 1.13 where its pace is set, at mark termination; and then
after each sleep, which takes a trace with times. Where a recording shows its runs, it runs just then.
"""

from __future__ import annotations

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.design.choices import ScavengeIndex, Scavenger
from goalloc_cli.model.pacing.memory import NEVER
from goalloc_cli.model.pages.doubt import LEAST_SHARE, note_run
from goalloc_cli.model.pages.scavenge import BACKGROUND, IDLE, scavenge
from goalloc_cli.model.pages.scavenge_runs import release_idle
from goalloc_cli.model.pages.scavengeindex import begin_index, start_generation
from goalloc_cli.model.tables.heap import HEAP
from goalloc_cli.model.tables.metadata import mapped_ready

PARKED = 1 << 62
"""The time at which a parked scavenger wakes up by itself."""
LEAST_WORK_NS = 1_000_000
"""It works as long, or is taken to have (Go: minScavWorkTime)."""
FIRST_RATIO = 0.001
"""Time that it works by time that it sleeps, at first (startingScavSleepRatio)."""
GAIN = 0.3375
PERIOD_NS = 3.2e6
RESET_NS = 1e9
LEAST_RATIO = 0.001
MOST_RATIO = 1000.0
IDLE_NS = 300_000_000_000
"""Pages are released when they were idle for as long, until Go 1.12; looked at twice as often (Go: proc.go, sysmon)."""


@inner
def begin_scavenger(heap):
    """Before any event."""
    begin_index(heap)
    heap.scavenge.next_ns = PARKED
    heap.scavenge.limit_goal = PARKED
    heap.scavenge.sleep_ratio = FIRST_RATIO


@inner
def sweep_done(heap):
    """The last span of a cycle was swept: there is something to release now."""
    if heap.knobs.scavenge_index == ScavengeIndex.GENERATIONS:
        start_generation(heap)
    wake(heap)


@inner
def wake(heap):
    """The scavenger runs now, if it decides by itself when; or, if its pace woke it and it found nothing, before long."""
    if heap.knobs.scavenger != Scavenger.PACED or heap.gc.hinted:
        return
    if heap.knobs.scavenge_when_paced:
        # Unlike Go: it tries again once, not ever less often until it finds something.
        if heap.scavenge.next_ns == PARKED:
            heap.scavenge.next_ns = heap.time_ns
        return
    if heap.scavenge.next_ns != PARKED:
        learn(heap, heap.time_ns)
    run(heap, heap.time_ns)


@inner
def wake_paced(heap):
    """Its pace was set in the cycle that ends: it may run before the program goes on.

    Unlike Go: not where the program sets GOGC, for then it would wait until the program does.
    """
    if heap.knobs.scavenger == Scavenger.PACED and heap.knobs.scavenge_when_paced and not heap.gc.hinted:
        run(heap, heap.time_ns)


@apart
def advance(heap: HEAP) -> None:
    """Time has passed: do what it brings."""
    scav = heap.scavenge
    if heap.knobs.scavenger == Scavenger.IDLE_RUNS:
        checks = (heap.time_ns - scav.idle_check_ns) // (IDLE_NS // 2)
        if checks > 0:
            scav.idle_check_ns += checks * (IDLE_NS // 2)
            scav.released_by[IDLE] += release_idle(heap, scav.idle_check_ns - IDLE_NS - 1)
        return
    while scav.next_ns <= heap.time_ns:
        now_ns = scav.next_ns
        learn(heap, now_ns)
        run(heap, now_ns)


@inner
def run(heap, now_ns):
    """Release for a while, then sleep; park where nothing was released."""
    scav = heap.scavenge
    released = turn(heap, 0)
    if released == 0:
        scav.next_ns = PARKED
        return
    scav.worked_ns = released * LEAST_WORK_NS // heap.knobs.scavenge_bytes_per_ms
    if heap.knobs.scavenge_controller:
        scav.worked_ns = max(scav.worked_ns, LEAST_WORK_NS)
    if heap.knobs.scavenge_percent == 0:
        sleep_ns = PARKED >> 1
    elif heap.knobs.scavenge_controller:
        sleep_ns = int(scav.worked_ns / scav.sleep_ratio)
    else:
        sleep_ns = scav.worked_ns * 100 // heap.knobs.scavenge_percent - scav.worked_ns
    scav.slept_from_ns = now_ns + scav.worked_ns
    scav.next_ns = scav.slept_from_ns + sleep_ns


@inner
def turn(heap, sure):
    """Release what is above the goals, at most what a run brings; return the bytes released.

    `sure`: how many of them a slow machine would have released, too.
    """
    quantum = heap.knobs.scavenge_quantum
    budget = heap.knobs.scavenge_bytes_per_ms if heap.knobs.scavenge_controller else quantum
    released = 0
    while released < budget and is_wanted(heap):
        done = scavenge(heap, quantum, False, BACKGROUND)
        released += done
        if done < quantum:
            break
    note_run(heap, released, sure, above_goal(heap) if released >= budget else 0)
    return released


@inner
def above_goal(heap):
    """Bytes that the background scavenger may still give back."""
    free = heap.stats.free
    above = min(free, max(0, heap.stats.in_use + free - heap.gc.retained_goal))
    if heap.scavenge.limit_goal != PARKED:
        above = max(above, min(free, mapped_ready(heap) - heap.scavenge.limit_goal))
    return above


@inner
def ran(heap, gave):
    """The background scavenger of a recording ran. Where it gave nothing back, it had come to its goal before, if there was
    one: then no more is in doubt than the heap may keep, and a huge page, which goes back as a whole."""
    if gave:
        above = above_goal(heap)
        if turn(heap, min(heap.knobs.scavenge_bytes_per_ms // LEAST_SHARE, heap.scavenge.less + above)) == 0:
            note_run(heap, 0, 0, above)
        return
    while turn(heap, 0) > 0:
        pass
    if heap.gc.retained_goal < NEVER and not is_wanted(heap):
        kept = heap.stats.in_use + heap.stats.free
        heap.scavenge.less = min(heap.scavenge.less, heap.gc.retained_goal - kept + heap.knobs.huge_page_bytes)


@inner
def is_wanted(heap):
    """True while the heap keeps more than its goal, or too much for the memory limit."""
    if heap.stats.in_use + heap.stats.free > heap.gc.retained_goal:
        return True
    return heap.scavenge.limit_goal != PARKED and mapped_ready(heap) > heap.scavenge.limit_goal


@inner
def learn(heap, now_ns):
    """The sleep is over: come nearer to the share of CPU time that it may take. (Go: piController)"""
    scav = heap.scavenge
    if heap.knobs.scavenge_controller == 0:
        return
    period_ns = max(0, now_ns - scav.slept_from_ns) + scav.worked_ns
    off = heap.knobs.scavenge_percent / 100 - scav.worked_ns / (period_ns * heap.nprocs)
    raw = GAIN * off + scav.error
    ratio = max(LEAST_RATIO, min(MOST_RATIO, raw))
    scav.error += GAIN * period_ns / PERIOD_NS * off + period_ns / RESET_NS * (ratio - raw)
    scav.sleep_ratio = ratio
