"""A scrape of a Prometheus or OpenMetrics endpoint: `name{labels} value [timestamp]`, a line each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goalloc_cli.importers.memstats.amounts import amount, checked, near
from goalloc_cli.importers.memstats.names import scraped
from goalloc_cli.results.memstats import Amount, Moment, exactly

SAMPLE = re.compile(
    r"^(?P<series>(?:go|process)_\w{1,100})(?:\{(?P<labels>[^\n]{0,2000}?)\})?[ \t]+(?P<value>[-+\w.]{1,60})"
    r"(?:[ \t]+(?P<time>\d{1,20}(?:\.\d{1,9})?))?[ \t]*\r?$",
    re.MULTILINE | re.ASCII,
)
VERSION = re.compile(r'version="go(\d+\.\d+[^"]{0,20})"')
LAST_GC = "go_memstats_last_gc_time_seconds"
MILLISECONDS_FROM = 1e11
"""Prometheus writes times in milliseconds, OpenMetrics in seconds."""


def is_scrape(text: str) -> bool:
    return any(scraped(m["series"]) for m in SAMPLE.finditer(text))


def moments(text: str, name: str, notes: list[str]) -> Iterator[Moment]:
    """The first process of a scrape; of others (of a federation) only their number is told, in `notes`.

    Raises:
        TraceError: a number is none that Go can have.
    """
    moment = Moment()
    others = 0
    for found in SAMPLE.finditer(text):
        series = found["series"]
        if series == "go_info" and moment.version is None and (version := VERSION.search(found["labels"] or "")):
            moment.version = version[1]
        key = scraped(series)
        if series == LAST_GC:
            moment.values.setdefault("LastGC", exactly(round(float(checked(float(found["value"]), name)) * 1e9)))
        if key is None:
            continue
        if key in moment.values and moment.values[key] != number(found, name):
            others += series in ("go_memstats_sys_bytes", "process_resident_memory_bytes", "go_memstats_heap_inuse_bytes")
            continue
        moment.values[key] = number(found, name)
        if found["time"] and moment.time_s is None:
            time = float(found["time"])
            moment.time_s, moment.time_from = time / 1000 if time > MILLISECONDS_FROM else time, "the scrape"
    if others:
        notes.append("The scrape holds several processes; the first is shown. Take a scrape of one of them.")
    if moment.values:
        yield moment


def number(found: re.Match[str], name: str) -> Amount:
    """The value of a sample, which is written as a float."""
    told = f"{name}: {found['series']}"
    try:
        value = float(found["value"])
    except ValueError:
        return amount("NaN", "", told)
    whole = checked(value, told)
    return near(whole)
