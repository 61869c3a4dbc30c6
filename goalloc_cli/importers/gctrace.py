"""GODEBUG=gctrace=1 (and 2) and scavtrace=1: the lines that Go prints on the standard error, found among any others.

Their form is not promised by Go and differs by release (mgc.go, gcMarkTermination; mgcscavenge.go, printScavTrace):
Go 1.10 to 1.17 print no stacks and globals, 1.26 may add a remark on goroutine leaks, `scan:` lines of gctrace=2 exist since
1.25, the scavenger has printed `scvg` lines up to 1.13 and `scav` lines since 1.14, with (bg) and (eager) since 1.21.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import Source
from goalloc_cli.results.gctrace import Collection, GCTrace, Release, Scan

LINE = 1 << 16
"""Longest piece of a line that is looked at as a whole."""
LOOKED_AT = 1 << 16
"""Bytes at the start of an input in which a first line of these is expected."""
MIB, KIB = 1 << 20, 1 << 10

_N = rb"(\d{1,12})"
_MS = rb"(\d{1,12}(?:\.\d{1,9})?)"
GC = re.compile(
    rb"gc " + _N + rb" @" + _MS + rb"s (-?\d{1,12})%( \(checking for goroutine leaks\))?: "
    + rb"\+".join([_MS] * 3) + rb" ms clock, "
    + _MS + rb"\+" + rb"/".join([_MS] * 3) + rb"\+" + _MS + rb" ms cpu, "
    + rb"->".join([_N] * 3) + rb" MB, " + _N + rb" MB goal, "
    rb"(?:" + _N + rb" MB stacks, " + _N + rb" MB globals, )?" + _N + rb" P( \(forced\))?"
)  # fmt: skip
BEGUN = re.compile(rb"gc \d{1,12} @\d")
"""What every such line holds, whole or torn."""
SCAV = re.compile(
    rb"scav (?:\d+ )?" + _N + rb" KiB work(?: \(bg\), " + _N + rb" KiB work \(eager\))?, "
    + _N + rb" KiB (?:now|total), (\d{1,12})% util( \(forced\))?"
)  # fmt: skip
SCVG = re.compile(rb"scvg\d*: inuse: \d+, idle: \d+, sys: \d+, released: " + _N + rb", consumed: \d+ \(MB\)")
SCAN = re.compile(rb"scan: (total|class L|class (\d{1,12})B) " + _N + rb"(?:\+" + _N + rb"\+" + _N + rb"=\d+)? objs")


def is_gctrace(start: bytes) -> bool:
    """Whether lines of gctrace or of the scavenger are among these first bytes of an input."""
    return any(form.search(start) for form in (GC, SCAV, SCVG))


def read_gctrace(source: Source) -> GCTrace:
    """Read the whole text.

    Raises:
        TraceError: there is no line of gctrace or of the scavenger in it, or its compression is damaged.
    """
    found = GCTrace(source.name, source.size_bytes)
    runs = Runs()
    for line in pieces(source.stream):
        found.lines += line.endswith(b"\n")
        if b"gc " in line:
            add_collections(found, runs, line)
        if b"sc" in line:
            add_release(found, line)
            add_scan(found, line)
    found.runs = runs.count
    if not found.collections and not found.releases:
        raise TraceError(f"{source.name}: no line of GODEBUG=gctrace=1 or scavtrace=1 is whole; was the text cut or edited?")
    return found


def pieces(stream: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: stream.readline(LINE), b"")


class Runs:
    """Tells the programs apart whose lines stand in one text: each counts its collections from 1."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: dict[int, dict[int, None]] = {}
        """Runs by the number of the collection that comes next in them, the latest last."""
        self.last = 0
        """Number of the latest collection of the latest run."""

    def of(self, number: int) -> int:
        """The run of a collection: the latest that waits for it, else (lines were lost) the latest, else a new one."""
        if waiting := self.waiting.get(number):
            run, _ = waiting.popitem()
        elif self.count and number > self.last:
            run = self.count - 1
            del self.waiting[self.last + 1][run]
        else:
            run = self.count
            self.count += 1
        if run == self.count - 1:
            self.last = number
        self.waiting.setdefault(number + 1, {})[run] = None
        return run


def add_collections(found: GCTrace, runs: Runs, line: bytes) -> None:
    whole = 0
    for match in GC.finditer(line):
        whole += 1
        found.collections.append(collection(match, runs))
    found.torn += len(BEGUN.findall(line)) - whole


def collection(match: re.Match[bytes], runs: Runs) -> Collection:
    number, start, percent, _, *times = match.groups()[:12]
    sizes = match.groups()[12:]
    sweep, mark, termination, _, assist, background, idle, _ = (ns(t) for t in times)
    heap = [int(size) * MIB for size in sizes[:4]]
    return Collection(
        run=runs.of(int(number)), number=int(number), start_ns=round(float(start) * 1e9), cpu_percent=int(percent),
        sweep_termination_ns=sweep, mark_ns=mark, mark_termination_ns=termination,
        assist_cpu_ns=assist, background_cpu_ns=background, idle_cpu_ns=idle,
        start_bytes=heap[0], end_bytes=heap[1], live_bytes=heap[2], goal_bytes=heap[3],
        stack_bytes=None if sizes[4] is None else int(sizes[4]) * MIB,
        globals_bytes=None if sizes[5] is None else int(sizes[5]) * MIB,
        procs=int(sizes[6]), forced=sizes[7] is not None,
    )  # fmt: skip


def ns(ms: bytes) -> int:
    return round(float(ms) * 1e6)


def add_release(found: GCTrace, line: bytes) -> None:
    last = found.collections[-1] if found.collections else None
    run, after = (last.run, last.number) if last else (0, 0)
    if match := SCAV.search(line):
        background, eager, now, percent, forced = match.groups()
        found.releases.append(
            Release(
                run=run, after=after, background_bytes=int(background) * KIB,
                eager_bytes=None if eager is None else int(eager) * KIB, released_bytes=int(now) * KIB,
                utilisation=int(percent) / 100, forced=forced is not None,
            )
        )  # fmt: skip
    elif match := SCVG.search(line):
        released = int(match[1]) * MIB
        found.releases.append(Release(run, after, None, None, released, None, False))


def add_scan(found: GCTrace, line: bytes) -> None:
    match = SCAN.search(line)
    if match is None or match[1] == b"total":
        return
    elem_size = int(match[2] or 0)
    scan = found.scans.setdefault(elem_size, Scan(elem_size))
    scan.objects_alone += int(match[3])
    scan.objects_in_spans += int(match[4] or 0)
    scan.objects_dense += int(match[5] or 0)
