"""How much of the processors the collector took, from the lines of gctrace alone.

Go's own percentage is since the start of the program, so that a bad minute after a good hour hardly shows in it. Each line
also tells the processor time of its phases (mgc.go, gcMarkTermination): the stopped ones, assists and background workers are
what the program lost; idle workers took what nobody wanted.
"""

from __future__ import annotations

from itertools import pairwise

from goalloc_cli.results.gctrace import Collection, GCTrace
from goalloc_cli.results.pressure import Pressure, Share

MINUTE_NS = 60_000_000_000
WINDOW = 10
"""Cycles that are taken together: one alone is too short for times in whole milliseconds."""
MUCH = 0.15
"""A share of ten cycles from here on is told: marking at full speed, one cycle after the other, takes a quarter."""
WORST = 10
LITTLE_ROOM = 1.25
"""A goal of so much of what lived is none of GOGC=100, which leaves room for as much again."""
CLOCK_NS = 1_000_000
"""Go prints the start of a cycle in whole milliseconds."""


def pressure(text: GCTrace) -> Pressure:
    """The share of each cycle, and what stands out."""
    found = Pressure()
    runs: dict[int, list[int]] = {}
    spans: list[int | None] = []
    for place, c in enumerate(text.collections):
        before = runs.setdefault(c.run, [])
        spans.append(span_ns(text.collections, before, c))
        before.append(place)
        window = before[-WINDOW:]
        found.shares.append(
            Share(c.gc_cpu_ns, spans[place], share(text.collections, spans, [place]),
                  share(text.collections, spans, window) if len(window) == WINDOW else None, is_above(c))
        )  # fmt: skip
    if not runs:
        return found
    main = max(runs.values(), key=len)
    of_main = text.collections[main[-1]]
    found.above = [place for place in main if found.shares[place].is_above]
    found.limited = [
        place
        for before, place in pairwise(main)
        if found.shares[place].is_above and is_limited(text.collections[before], text.collections[place])
    ]
    found.whole = share(text.collections, spans, main)
    found.last_ten = found.shares[main[-1]].share_of_ten
    if of_main.start_ns is not None:
        recent = [p for p in main if (end_ns(text.collections[p]) or 0) > (end_ns(of_main) or 0) - MINUTE_NS]
        found.last_minute = share(text.collections, spans, recent)
    known = [place for place in main if found.shares[place].share is not None]
    found.worst = sorted(known, key=lambda place: -(found.shares[place].share or 0))[:WORST]
    found.began, found.ended = stretch(found, main)
    return found


def end_ns(c: Collection) -> int | None:
    return None if c.start_ns is None else c.start_ns + c.pause_ns + c.mark_ns


def span_ns(collections: list[Collection], before: list[int], c: Collection) -> int | None:
    """The time since the end of the cycle before; since the start of the program for the first."""
    end = end_ns(c)
    if end is None:
        return None
    if not before:
        return end if c.number == 1 else None
    last = collections[before[-1]]
    last_end = end_ns(last)
    if last_end is None or last.number != c.number - 1:
        return None
    return max(end - last_end, CLOCK_NS)


def share(collections: list[Collection], spans: list[int | None], places: list[int]) -> float | None:
    """The part of all Ps that these cycles took."""
    known = [(collections[p], span) for p in places if (span := spans[p]) is not None]
    available = sum(span * c.procs for c, span in known)
    return min(sum(c.gc_cpu_ns for c, _ in known) / available, 1.0) if available else None


def is_above(c: Collection) -> bool:
    return c.live_bytes is not None and c.goal_bytes is not None and c.live_bytes > c.goal_bytes


def is_limited(before: Collection, c: Collection) -> bool:
    """Whether the goal of a cycle leaves hardly any room above what the one before found alive."""
    return bool(before.live_bytes and c.goal_bytes) and (c.goal_bytes or 0) <= LITTLE_ROOM * (before.live_bytes or 0)


def stretch(found: Pressure, main: list[int]) -> tuple[int | None, int | None]:
    """The longest stretch in which every ten cycles took much."""
    best: tuple[int | None, int | None] = (None, None)
    length, start = 0, None
    for number, place in enumerate(main):
        of_ten = found.shares[place].share_of_ten
        if of_ten is None or of_ten < MUCH:
            start = None
            continue
        start = number if start is None else start
        if number - start + 1 > length:
            length, best = number - start + 1, (main[start], place)
    return best
