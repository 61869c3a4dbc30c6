"""GODEBUG=gctrace, scavtrace and gcpacertrace: the lines that Go prints on the standard error, found among any others.

Their form is not promised by Go and differs by release; each kind of line has a file of its own here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import Source
from goalloc_cli.importers.common.unwrap import start_of, unwrapped
from goalloc_cli.importers.gctrace.cycles import BEGUN, FORCED, GC, OLD, collection, live_before, old_collection
from goalloc_cli.importers.gctrace.pacer import START, SWEPT, TERMS, WORDS, finite, pace
from goalloc_cli.importers.gctrace.scavenger import SCAV, SCVG, SCVG_WORK, release, work
from goalloc_cli.results.gctrace import Collection, GCTrace, Scan

SCAN = re.compile(rb"scan: (total|class L|class (\d{1,12})B) (\d{1,12})(?:\+(\d{1,12})\+(\d{1,12})=\d+)? objs")
FEW = 3
"""Lines that may be torn without much ado."""
MOST = 1 << 20
"""Cycles of one text: each is kept."""
SHOWN = 100
"""Characters of a torn line that are shown."""


def is_gctrace(start: bytes) -> bool:
    """Whether lines of gctrace, whole or torn, of the scavenger or of the pacer are among these first bytes of an input."""
    text = start_of(start)
    return any(form.search(text) for form in (BEGUN, SCAV, SCVG, SCVG_WORK, WORDS, TERMS, START, SWEPT))


def read_gctrace(source: Source) -> GCTrace:
    """Read the whole text.

    Raises:
        TraceError: none of its lines can be read, or most cannot, or its compression is damaged.
    """
    found = GCTrace(source.name, source.size_bytes)
    reader = _Reader(found)
    for line in unwrapped(source.stream):
        found.lines += line.endswith(b"\n")
        reader.take(line)
        if max(len(found.collections), len(found.releases), len(found.paces)) > MOST:
            raise TraceError(f"{source.name}: holds more than {MOST:,} GC cycles; take a part of it, such as its end")
    found.runs = reader.runs.count
    if found.torn > max(FEW, len(found.collections)):
        raise TraceError(
            f"{source.name}: {found.torn:,} lines begin as those of gctrace do and cannot be read, "
            f"{len(found.collections):,} can; the first: {found.first_torn}"
        )
    if not (found.collections or found.releases or found.paces or found.torn or found.other):
        raise TraceError(f"{source.name}: no line of GODEBUG=gctrace=1 or scavtrace=1 is whole; was the text cut or edited?")
    return found


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


class _Reader:
    """Takes a text line by line."""

    def __init__(self, found: GCTrace) -> None:
        self.found = found
        self.runs = Runs()
        self._periodic = False
        """Whether the next collection was due for time."""
        self._work: int | None = None
        """What the last "scvg: 5 MB released" has said."""
        self._assist: tuple[float | None, int] = (None, 0)
        """Of the cycle that runs: work for each byte, and workers."""

    def take(self, line: bytes) -> None:
        if b"gc" in line:
            self._collections(line)
        if b"sc" in line:
            self._release(line)
            self._scan(line)
        if b"pacer: " in line:
            self._pace(line)
        if b"GC forced" in line and FORCED.search(line):
            self._periodic = True
            self.found.other += 1

    def _collections(self, line: bytes) -> None:
        whole = 0
        for match in GC.finditer(line):
            whole += 1
            self._add(collection(match, self.runs.of(int(match[1])), self._periodic))
        for match in OLD.finditer(line):
            whole += 1
            before = self.found.collections[-1] if self.found.collections else None
            if before is not None and before.start_ns is None and before.number == int(match[1]) - 1:
                self.found.collections[-1] = replace(before, live_bytes=before.live_bytes or live_before(match))
            self._add(old_collection(match, self.runs.of(int(match[1])), self._periodic))
        torn = len(BEGUN.findall(line)) - whole
        if torn > 0 and not self.found.torn:
            self.found.first_torn = line.strip().decode("utf-8", "replace")[:SHOWN]
        self.found.torn += max(torn, 0)

    def _add(self, found: Collection) -> None:
        self.found.collections.append(found)
        self._periodic = False

    def _last(self) -> tuple[int, int]:
        """Run and number of the last collection."""
        last = self.found.collections[-1] if self.found.collections else None
        return (last.run, last.number) if last else (0, 0)

    def _release(self, line: bytes) -> None:
        run, after = self._last()
        if (released := work(line)) is not None:
            self._work = released
            self.found.other += 1
        elif (found := release(line, run, after, self._work)) is not None:
            self.found.releases.append(found)
            self._work = None

    def _pace(self, line: bytes) -> None:
        run, number = self._last()
        if match := START.search(line):
            self._assist = finite(match[1]), int(match[5])
        elif (found := pace(line, run, number + 1)) is not None:
            ratio, workers = self._assist
            self.found.paces.append(replace(found, assist_ratio=ratio, workers=workers))
            return
        self.found.other += 1

    def _scan(self, line: bytes) -> None:
        match = SCAN.search(line)
        if match is None or match[1] == b"total":
            return
        elem_size = int(match[2] or 0)
        scan = self.found.scans.setdefault(elem_size, Scan(elem_size))
        scan.objects_alone += int(match[3])
        scan.objects_in_spans += int(match[4] or 0)
        scan.objects_dense += int(match[5] or 0)
