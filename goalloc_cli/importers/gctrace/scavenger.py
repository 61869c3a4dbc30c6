"""The lines of the scavenger: scvg until Go 1.13, scav since 1.14 (bg and eager apart since 1.21).

Go: mheap.go, scavenge (until 1.13); mgcscavenge.go, printScavTrace.
"""

from __future__ import annotations

import re

from goalloc_cli.results.gctrace import Release

MIB, KIB = 1 << 20, 1 << 10

_N = rb"(\d{1,12})"
SCAV = re.compile(
    rb"scav (?:\d+ )?" + _N + rb" KiB work(?: \(bg\), " + _N + rb" KiB work \(eager\))?, "
    + _N + rb" KiB (?:now|total), (\d{1,12})% util( \(forced\))?"
)  # fmt: skip
SCVG = re.compile(
    rb"scvg-?\d*: inuse: "
    + _N
    + rb", idle: "
    + _N
    + rb", sys: "
    + _N
    + rb", released: "
    + _N
    + rb", consumed: "
    + _N
    + rb" \(MB\)"
)
SCVG_WORK = re.compile(rb"scvg-?\d*: " + _N + rb" MB released")


def release(line: bytes, run: int, after: int, work_bytes: int | None) -> Release | None:
    """What a line says; None where it is none of these.

    Args:
        line: the line.
        run, after: the collection printed before it.
        work_bytes: what a line "scvg: 5 MB released" before it has said.
    """
    if match := SCAV.search(line):
        background, eager, now, percent, forced = match.groups()
        return Release(
            run=run, after=after, background_bytes=int(background) * KIB,
            eager_bytes=None if eager is None else int(eager) * KIB, released_bytes=int(now) * KIB,
            utilisation=int(percent) / 100, forced=forced is not None,
        )  # fmt: skip
    if match := SCVG.search(line):
        inuse, idle, system, released, consumed = (int(part) * MIB for part in match.groups())
        return Release(
            run=run, after=after, background_bytes=work_bytes, eager_bytes=None, released_bytes=released, utilisation=None,
            forced=False, inuse_bytes=inuse, idle_bytes=idle, sys_bytes=system, consumed_bytes=consumed,
        )  # fmt: skip
    return None


def work(line: bytes) -> int | None:
    """The bytes of "scvg3: 5 MB released"."""
    match = SCVG_WORK.search(line)
    return None if match is None else int(match[1]) * MIB
