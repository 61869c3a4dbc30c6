"""MemStats as text: `%v` and `%+v` of the struct, `# Name = value` of heap?debug=1, log lines, runtime/metrics by name.

Go: runtime/pprof/pprof.go, writeHeapInternal; runtime/mstats.go, MemStats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from goalloc_cli.importers.memstats.amounts import DECIMALS, NUMBER, UNIT, amount
from goalloc_cli.importers.memstats.names import BARE, BEHIND, BYTES, MEMSTATS, METRICS, OWN_METRICS, TELLING, bare
from goalloc_cli.results.memstats import Moment

NAMED = re.compile(
    rf"(?<![A-Za-z0-9_])(?:\w{{1,40}}\.){{0,4}}(?P<name>[A-Za-z][A-Za-z_]{{1,20}})"
    rf"\\?[\"']?\s{{0,8}}(?:[:=]|=>)\s{{0,8}}\\?[\"']?"
    rf"(?P<number>{NUMBER})(?:\s?(?P<unit>{UNIT})(?![A-Za-z0-9]))?(?![\w.])",
    re.ASCII,
)
METRIC = re.compile(rf"(?P<name>/[a-z][a-z0-9/-]{{1,60}}:[a-z*/-]{{1,40}})\W{{1,4}}?(?P<number>{NUMBER})(?![\w.])", re.ASCII)
PAIR = re.compile(r"^# (?P<name>Stack|MSpan|MCache) = (?P<inuse>\d{1,20}) / (?P<sys>\d{1,20})", re.MULTILINE)
"""Go's profile prints in use and Sys of these together."""
POSITIONAL = re.compile(
    r"\{(?P<head>\d{1,20}(?: \d{1,20}){23}) \[[\d ]*\](?: \[[\d ]*\])? (?P<behind>\d{1,20}(?: \d{1,20})?)"
)
BY_SIZE = re.compile(
    r"(?:BySize\W{1,3}\[|(?:true|false) \[)(?P<rows>(?:\{(?:Size:)?\d+ (?:Mallocs:)?\d+ (?:Frees:)?\d+\} ?)*)\]?"
)
SIZE_ROW = re.compile(r"\{(?:Size:)?(\d{1,10}) (?:Mallocs:)?(\d{1,20}) (?:Frees:)?(\d{1,20})\}")
FULL_FLOAT = re.compile(rf"\d\.\d{{{DECIMALS + 1},40}}")


def is_print(text: str) -> bool:
    """Whether MemStats, or metrics of its kind, are among these first characters of an input."""
    if POSITIONAL.search(text) or "\n# runtime.MemStats" in text:
        return True
    metrics = {m["name"] for m in METRIC.finditer(text)} & OWN_METRICS
    names = {name for m in NAMED.finditer(text) if (name := BARE.get(bare(m["name"])))}
    return len(metrics) > 1 or (len(names) > 1 and bool(names & TELLING))


def names_in(text: str) -> int:
    """How many numbers of MemStats can be read of a text."""
    named = sum(bare(m["name"]) in BARE for m in NAMED.finditer(text))
    return named + sum(1 for _ in PAIR.finditer(text)) + sum(m["name"] in OWN_METRICS for m in METRIC.finditer(text))


def moments(text: str, name: str) -> Iterator[Moment]:
    """Each time that the numbers were printed, in order. A name that comes again begins another.

    Raises:
        TraceError: a number is none that Go can have.
    """
    if POSITIONAL.search(text):
        yield from positional(text, name)
        return
    floats = FULL_FLOAT.search(text) is not None
    moment = Moment()
    for kind, found in in_order(text):
        if kind == "sizes":
            moment.by_size = sizes(found["rows"])
        elif kind == "pair":
            for what, number in (("Inuse", found["inuse"]), ("Sys", found["sys"])):
                moment.values[found["name"] + what] = amount(number, "", f"{name}: {found['name']}{what}")
        else:
            key = METRICS.get(found["name"], found["name"]) if kind == "metric" else BARE[bare(found["name"])]
            if key in moment.values:
                yield moment
                moment = Moment()
            unit = found["unit"] or "" if kind == "named" and key in BYTES else ""
            moment.values[key] = amount(found["number"], unit, f"{name}: {key}", floats)
    if moment.values:
        yield moment


def in_order(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """What is found, by its place."""
    rings = [m.span() for m in BY_SIZE.finditer(text)]
    found: list[tuple[int, str, re.Match[str]]] = [(m.start(), "sizes", m) for m in BY_SIZE.finditer(text)]
    found += [(m.start(), "pair", m) for m in PAIR.finditer(text)]
    found += [(m.start(), "metric", m) for m in METRIC.finditer(text) if m["name"] in OWN_METRICS]
    found += [(m.start(), "named", m) for m in NAMED.finditer(blanked(text, rings)) if bare(m["name"]) in BARE]
    for _, kind, match in sorted(found, key=lambda entry: entry[0]):
        yield kind, match


def blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """The same text without these parts, of the same length: BySize repeats the names of others."""
    parts, at = [], 0
    for start, stop in spans:
        parts += [text[at:start], " " * (stop - start)]
        at = stop
    return "".join([*parts, text[at:]])


def positional(text: str, name: str) -> Iterator[Moment]:
    """`%v` of the struct: numbers alone."""
    by_size = [sizes(m["rows"]) for m in BY_SIZE.finditer(text)]
    for number, found in enumerate(POSITIONAL.finditer(text)):
        words = [*found["head"].split(), *found["behind"].split()]
        names = (*MEMSTATS, *BEHIND)[: len(words)]
        values = {key: amount(word, "", f"{name}: {key}") for key, word in zip(names, words, strict=True)}
        yield Moment(values, by_size[number] if number < len(by_size) else [])


def sizes(rows: str) -> list[tuple[int, int, int]]:
    return [(int(size), int(mallocs), int(frees)) for size, mallocs, frees in SIZE_ROW.findall(rows)]
