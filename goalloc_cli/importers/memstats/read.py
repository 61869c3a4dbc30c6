"""Reads an input with MemStats in it, in whatever form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import Source, at_most
from goalloc_cli.importers.common.unwrap import start_of
from goalloc_cli.importers.memstats import jsons, prints, scrape
from goalloc_cli.importers.memstats.names import OWN_METRICS, SUMS
from goalloc_cli.results.memstats import ZERO, Dump, Moment

LONGEST = 32 << 20
"""Bytes of an input."""
MOST_MOMENTS = 1 << 20
MOST_SIZES = 256
METRICS_SINCE = "1.16"
"""The release that brought runtime/metrics."""
PROFILE = "heap profile: "
MARK = re.compile(rb"# (?:runtime\.MemStats|Alloc = )|go_memstats_|(?:Heap)?Alloc[:= ]")
"""With what lines of it begin."""


def is_memstats(start: bytes) -> bool:
    """Whether MemStats are among the first bytes of an input."""
    text = decoded(start)
    return (
        text.startswith(PROFILE)
        or scrape.is_scrape(text)
        or prints.is_print(text)
        or re.match(r'\s*[\[{].{0,4000}"(?:memstats|cmdline)"', text, re.DOTALL) is not None
    )


def read_memstats(source: Source) -> Dump:
    """Read all of an input.

    Raises:
        TraceError: there is nothing of MemStats in it, a number is none that Go can have, or it is too long.
    """
    data = at_most(source.stream, LONGEST)
    if data is None:
        raise TraceError(f"{source.name}: is longer than {LONGEST >> 20} MiB, which no MemStats are; take a part of it")
    notes: list[str] = []
    form, found = taken(decoded(data), source.name, notes)
    moments = iter(found)
    first = next(moments, None)
    if first is None:
        raise TraceError(f"{source.name}: there is nothing of runtime.MemStats or runtime/metrics in it")
    last, count = first, 1
    for moment in moments:
        last, count = moment, count + 1
        if count > MOST_MOMENTS:
            raise TraceError(f"{source.name}: MemStats stand more than {MOST_MOMENTS:,} times in it; take a part")
    for moment in (first, last):
        complete(moment, source.name)
    if count == 1 and last.time_s is None and Path(source.name).is_file():
        last.time_s, last.time_from = Path(source.name).stat().st_mtime, "the files' own times"
    return Dump(source.name, source.size_bytes, form, first, last, count, notes)


def decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def taken(text: str, name: str, notes: list[str]) -> tuple[str, Iterable[Moment]]:
    """What it is, and the moments in it."""
    if (entry := jsons.decoded(text)) is not None:
        found = jsons.moments(entry, name)
        if (first := next(found, None)) is not None:
            is_metrics = any(key.startswith("/") for key in first.values)
            form = "runtime/metrics" if is_metrics else "expvar" if '"cmdline"' in text[:4096] else "MemStats"
            return f"JSON of {form}", chain([first], found)
    text = unwrapped(text)
    if scrape.is_scrape(text):
        return "a scrape", scrape.moments(text, name, notes)
    if text.startswith(PROFILE):
        return "heap?debug=1", prints.moments(text[max(text.find("\n# runtime.MemStats"), 0) :], name)
    return "a print of MemStats", prints.moments(text, name)


def unwrapped(text: str) -> str:
    """The same without what a shipper of logs has put around its lines, where more can be read of it so."""
    inside = start_of(text.encode("utf-8", "replace"), MARK).decode("utf-8", "replace")
    return inside if prints.names_in(inside) > prints.names_in(text) else text


def complete(moment: Moment, name: str) -> None:
    """What follows from runtime/metrics stands under its name in MemStats."""
    if len(moment.by_size) > MOST_SIZES:
        raise TraceError(f"{name}: BySize has {len(moment.by_size):,} rows; Go has 61")
    values = moment.values
    if any(key in OWN_METRICS for key in values if key.startswith("/")):
        moment.since = METRICS_SINCE
    for key, parts in SUMS.items():
        classes = [values.get(f"/memory/classes/{part}:bytes") for part in parts]
        if key in values or None in classes:
            continue
        total = ZERO
        for part in classes:
            assert part is not None
            total = total.plus(part)
        values[key] = total
    for one, other in (("Alloc", "HeapAlloc"), ("HeapAlloc", "Alloc")):
        if one in values:
            values.setdefault(other, values[one])
