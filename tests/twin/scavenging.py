"""The background scavenger: when it runs and how long it sleeps (mgcscavenge.go, bgscavenge; proc.go, sysmon)."""

from __future__ import annotations

from goalloc_cli.design.choices import ScavengeIndex, Scavenger
from goalloc_cli.design.memory import NO_LIMIT
from tests.twin.heap import Heap

MS = 1_000_000
MINUTES_5 = 300 * 1000 * MS


def swept(h: Heap) -> None:
    """The last span of the cycle is swept."""
    if h.design.scavenge_index == ScavengeIndex.GENERATIONS:
        h.pages.start_generation(cycle_swept=True)
    wake(h)


def wake(h: Heap) -> None:
    """Run now, or where it ran when its goal was set, and is idle, when time goes on."""
    if h.design.scavenger != Scavenger.PACED:
        return
    if h.design.scavenge_when_paced:
        if h.sleep.until is None:
            h.sleep.until = h.pages.now
        return
    if h.sleep.until is not None:
        learn(h, h.pages.now)
    run(h, h.pages.now)


def advance(h: Heap, now: int) -> None:
    """It is `now`."""
    h.pages.now = now
    s = h.sleep
    if h.design.scavenger == Scavenger.IDLE_RUNS:
        while s.last_check + MINUTES_5 // 2 <= now:
            s.last_check += MINUTES_5 // 2
            # Nothing changes between two times that the trace tells, so only the last look finds anything new.
            if s.last_check + MINUTES_5 // 2 > now:
                h.pages.release_idle(s.last_check - MINUTES_5)
    while s.until is not None and s.until <= now:
        at = s.until
        learn(h, at)
        run(h, at)


def run(h: Heap, now: int) -> None:
    """Work, then sleep; park if there was nothing to do."""
    s, d = h.sleep, h.design
    released = turn(h)
    if not released:
        s.until = None
        return
    s.worked = released * MS // d.scavenge_bytes_per_ms
    if d.scavenge_controller:
        s.worked = max(s.worked, MS)
    if not d.scavenge_percent:
        pause = 1 << 61
    elif d.scavenge_controller:
        pause = int(s.worked / s.ratio)
    else:
        pause = s.worked * 100 // d.scavenge_percent - s.worked
    s.since = now + s.worked
    s.until = s.since + pause


def turn(h: Heap) -> int:
    """Release quantum by quantum for a millisecond, or one quantum; return the bytes."""
    d = h.design
    enough = d.scavenge_bytes_per_ms if d.scavenge_controller else d.scavenge_quantum
    released = 0
    while released < enough and too_much(h):
        got = h.pages.release(d.scavenge_quantum, False, "background")
        released += got
        if got < d.scavenge_quantum:
            break
    return released


def too_much(h: Heap) -> bool:
    """Whether the heap keeps more than it should."""
    over_limit = h.sleep.limit_goal is not None and h.pages.mapped_ready() > h.sleep.limit_goal
    return h.pages.retained() > h.pages.retained_goal or over_limit


def learn(h: Heap, now: int) -> None:
    """Adapt the ratio of work to sleep (scavengerState.sleep, piController.next)."""
    s, d = h.sleep, h.design
    if not d.scavenge_controller:
        return
    period = max(0, now - s.since) + s.worked
    off = d.scavenge_percent / 100 - s.worked / (period * h.nprocs)
    raw = 0.3375 * off + s.error
    ratio = max(0.001, min(1000.0, raw))
    s.error += 0.3375 * period / 3.2e6 * off + period / 1e9 * (ratio - raw)
    s.ratio = ratio


def pace_for_limit(h: Heap) -> None:
    """Where the memory limit is near, the scavenger keeps away from it."""
    percent = h.design.limit_background_percent
    goal = h.design.memory_limit // 100 * percent
    h.sleep.limit_goal = goal if percent and h.pages.mapped_ready() > goal else None


def limited_goal(h: Heap) -> int:
    """The heap goal that the memory limit leaves (memoryLimitHeapGoal)."""
    limit = h.design.memory_limit
    if limit == NO_LIMIT:
        return limit
    ready = h.pages.mapped_ready()
    # What was taken of a span that a P has cached counts once the P gives it up (refill, releaseAll).
    unseen = sum((s.alloc_count - s.taken_before) * s.elem_bytes for cache in h.mcaches for s in cache.alloc.values())
    others = ready - h.pages.backed() - (h.heap_alloc - unseen) + max(0, ready - limit)
    if others >= limit:
        return h.heap_marked
    goal = limit - others
    headroom = max(1 << 20, goal // 100 * h.design.limit_headroom_percent)
    return max(h.heap_marked, headroom if goal < 2 * headroom else goal - headroom)
