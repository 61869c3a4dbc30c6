"""What costs most, and what is known beside it that decides what would help."""

from __future__ import annotations

from collections.abc import Iterator

from goalloc_cli.results.memstats import Moment, Process, Reading, Row

NEVER = 1 << 62
"""A goal from here on is none: GOGC=off without a limit."""
LEAST_GOAL = 4 << 20
"""The goal of a heap that is nearly empty says nothing of what lives (mgcpacer.go, heapMinimum)."""
RUNTIME = ("mspan_inuse", "mspan_free", "mspan_sys", "mcache_inuse", "mcache_free", "mcache_sys", "buckets", "gc", "other")
OUTSIDE = ("lazy", "outside", "lazy_or_outside", "more", "c_heap", "file", "files", "nameless", "binary", "library")
NEAR_LOW, NEAR_HIGH = 0.8, 1.15
"""An excess of so many times HeapReleased looks like it."""
FEW = 16 << 20
"""Bytes that spans may take beyond what is in them."""
STACK_EACH = 128 << 10
"""Bytes of stack for each living goroutine from which most must be of dead ones."""


def reading(
    moment: Moment, ledger: list[Row], resident: list[Row], held: int | None, process: Process | None, lazily: bool | None
) -> Reading | None:
    """The largest cost; None where nothing can be weighed.

    Args:
        moment: MemStats.
        ledger: the rows of Sys.
        resident: the rows from Sys to RSS, if there are any.
        held: Sys - HeapReleased.
        process: what the system says.
        lazily: whether this Go gives memory back by MADV_FREE.
    """
    rss = resident[-1].amount.value if resident else None
    of, of_bytes = ("RSS", rss) if rss is not None else ("Sys - HeapReleased", held)
    found = dict(costs(moment, ledger, resident))
    if not found or not of_bytes or any(row.amount.high < 0 for row in ledger):  # contradictions: see `identities`
        return None
    cause = max(found, key=lambda name: found[name])
    facts = facts_of(moment, found, resident)
    if cause == "lazy_or_outside":
        near = near_released(moment, found[cause])
        cause = "lazy" if lazily or (lazily is None and near) else "lazy_or_outside"
        facts["guessed"] = None if lazily else "near"
    elif cause == "outside" and near_released(moment, found[cause]):
        facts["near_released"] = moment.get("HeapReleased")
    if process is not None:
        facts["told_by"] = process.form
    return Reading(cause, found.get(cause, max(found.values())), of, of_bytes, facts)


def costs(moment: Moment, ledger: list[Row], resident: list[Row]) -> Iterator[tuple[str, int]]:
    """What each cause costs, in bytes."""
    rows = {row.name: row.amount.value for row in ledger[:-1]}
    objects = rows.get("objects", rows.get("inuse"))
    if objects is not None:
        yield from of_objects(moment, objects)
    for name in ("unused", "idle", "not_told"):
        if name in rows:
            yield name, rows[name]
    if "free" in rows:
        yield ("dead_stacks" if were_stacks(moment, rows["free"]) else "free"), rows["free"]
    yield "stacks", rows.get("stacks", rows.get("stacks_sys", 0))
    yield "runtime", sum(rows.get(name, 0) for name in RUNTIME)
    for row in resident:
        if row.name in OUTSIDE:
            yield row.name, row.amount.value


def of_objects(moment: Moment, objects: int) -> Iterator[tuple[str, int]]:
    """Objects are what lives, and what has died since the last GC."""
    live = marked(moment)
    if is_off(moment):
        dead = objects - min(live or 0, objects)
        yield ("no_gc", dead) if 2 * dead > objects else ("live", objects)
    elif live is None:
        yield "objects", objects
    elif 2 * live >= objects:
        yield "live", objects
    else:
        yield "garbage", objects - live


def were_stacks(moment: Moment, free: int) -> bool:
    """Whether more pages have been in use than all objects ever together can have filled."""
    total = moment.get("TotalAlloc")
    return total is not None and free > 2 * total + FEW


def is_off(moment: Moment) -> bool:
    """GOGC=off, and no limit that is near."""
    return (moment.get("NextGC") or 0) >= NEVER


def marked(moment: Moment) -> int | None:
    """What the last GC found alive, as it says or as its goal tells, with GOGC=100 where that is not known."""
    live, goal, percent = moment.get("/gc/heap/live:bytes"), moment.get("NextGC"), moment.get("/gc/gogc:percent")
    if live is not None:
        return live
    if goal is None or goal <= LEAST_GOAL or goal >= NEVER or moment.get("NumGC") == 0:
        return None
    return goal * 100 // (100 + (100 if percent is None or percent >= NEVER else percent))


def near_released(moment: Moment, excess: int) -> bool:
    """Whether what RSS has more is about what Go has given back."""
    released = moment.get("HeapReleased") or 0
    return NEAR_LOW * released <= excess <= NEAR_HIGH * released


def facts_of(moment: Moment, found: dict[str, int], resident: list[Row]) -> dict[str, int | str | None]:
    """Numbers that the sentences want."""
    goroutines, stacks = moment.get("/sched/goroutines:goroutines"), found.get("stacks", 0)
    return {
        "objects": moment.get("HeapAlloc"),
        "marked": marked(moment),
        "marked_from": "live" if "/gc/heap/live:bytes" in moment.values else "goal",
        "next_gc": moment.get("NextGC"),
        "gogc_off": "yes" if is_off(moment) else None,
        "num_gc": moment.get("NumGC"),
        "goroutines": goroutines,
        "stacks": stacks,
        "total_alloc": moment.get("TotalAlloc"),
        "dead_stacks": "yes" if goroutines is not None and stacks > STACK_EACH * max(goroutines, 1) else None,
        "released": moment.get("HeapReleased"),
        "untouched": -sum(row.amount.value for row in resident if row.name == "untouched") or None,
    }
