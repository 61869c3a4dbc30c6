"""The line of a collection, in every form that it has had.

Go: mgc.go, gcMarkTermination, since 1.5; mgc0.c, gc, before. 1.5 prints five phases, 1.6 and later three; 1.18 and later
print stacks and globals; 1.26 may add a remark on goroutine leaks. 1.3 and 1.4 print the live heap of the cycle before and
the heap of this one, 1.1 and 1.2 the heap before and after; neither prints when it was, nor a goal.
"""

from __future__ import annotations

import re

from goalloc_cli.results.gctrace import Collection

MIB = 1 << 20

_N = rb"(\d{1,12})"
_MS = rb"\d{1,12}(?:\.\d{1,9})?"
GC = re.compile(
    rb"gc " + _N + rb" @(" + _MS + rb")s (-?\d{1,12})%(?: \(checking for goroutine leaks\))?: "
    rb"(?P<clock>" + _MS + rb"(?:\+" + _MS + rb"){2}(?:(?:\+" + _MS + rb"){2})?) ms clock, "
    rb"(?P<cpu>" + _MS + rb"(?:\+" + _MS + rb"){0,2}\+" + rb"/".join([_MS] * 3) + rb"\+" + _MS + rb") ms cpu, "
    + rb"->".join([_N] * 3) + rb" MB, (?:" + _N + rb" MB goal, )?"
    rb"(?:" + _N + rb" MB stacks, " + _N + rb" MB globals, )?" + _N + rb" P( \(forced\))?"
)  # fmt: skip
OLD = re.compile(
    rb"gc" + _N + rb"\(" + _N + rb"\): (?P<clock>" + rb"\+".join([rb"\d{1,12}"] * 3) + rb"(?:\+\d{1,12})?) (?P<unit>us|ms), "
    + _N + rb" -> " + _N + rb" MB,? (?:\d{1,12} -> )?\d{1,12} \(\d{1,12}-\d{1,12}\) objects"
)  # fmt: skip
BEGUN = re.compile(rb"gc \d{1,12} @\d|gc\d{1,12}\(\d{1,12}\): \d")
"""What every such line holds, whole or torn."""
FORCED = re.compile(rb"(?:^|\s)GC forced\s*$")
"""Said before a collection that was due because there was none for two minutes (proc.go, forcegchelper)."""
PHASES = 5
"""Of Go 1.5, which stopped the world in all of them when runtime.GC asked."""


def collection(match: re.Match[bytes], run: int, periodic: bool) -> Collection:
    """What a line of Go 1.5 or later says."""
    number, start, percent, clock, cpu, *sizes = match.groups()
    sweep, *marking, termination = [ns(ms) for ms in clock.split(b"+")]
    first, *between, last = cpu.split(b"+")
    assist, background, idle = [ns(ms) for ms in between[-1].split(b"/")]
    forced = sizes[7] is not None
    stopped = sum(marking) if forced and len(marking) == PHASES - 2 else 0
    return Collection(
        run=run, number=int(number), start_ns=round(float(start) * 1e9), cpu_percent=int(percent),
        sweep_termination_ns=sweep + stopped, mark_ns=sum(marking) - stopped, mark_termination_ns=termination,
        stopped_cpu_ns=ns(first) + ns(last) + sum(ns(ms) for ms in between[:-1]),
        assist_cpu_ns=assist, background_cpu_ns=background, idle_cpu_ns=idle,
        start_bytes=int(sizes[0]) * MIB, end_bytes=int(sizes[1]) * MIB, live_bytes=int(sizes[2]) * MIB,
        goal_bytes=mib(sizes[3]), stack_bytes=mib(sizes[4]), globals_bytes=mib(sizes[5]),
        procs=int(sizes[6]), forced=forced, periodic=periodic,
    )  # fmt: skip


def old_collection(match: re.Match[bytes], run: int, periodic: bool) -> Collection:
    """What a line of Go 1.1 to 1.4 says: the world was stopped all the time."""
    number, procs, clock, unit, first, second = match.groups()
    pause = sum(int(part) for part in clock.split(b"+")) * (1000 if unit == b"us" else 1_000_000)
    before_and_after = b"objects" in match[0] and match[0].count(b" -> ") > 1
    start = int(first if before_and_after else second) * MIB
    return Collection(
        run=run, number=int(number), start_ns=None, cpu_percent=None, sweep_termination_ns=pause, mark_ns=0,
        mark_termination_ns=0, stopped_cpu_ns=pause * int(procs), assist_cpu_ns=0, background_cpu_ns=0, idle_cpu_ns=0,
        start_bytes=start, end_bytes=start, live_bytes=int(second) * MIB if before_and_after else None, goal_bytes=None,
        stack_bytes=None, globals_bytes=None, procs=int(procs), forced=False, periodic=periodic,
    )  # fmt: skip


def live_before(match: re.Match[bytes]) -> int | None:
    """What a line of Go 1.3 and 1.4 says of the cycle before: what it left alive."""
    return None if match[0].count(b" -> ") > 1 else int(match[5]) * MIB


def mib(digits: bytes | None) -> int | None:
    return None if digits is None else int(digits) * MIB


def ns(ms: bytes) -> int:
    return round(float(ms) * 1e6)
