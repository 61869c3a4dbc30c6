"""Writes docs/robustness.md: what was tried on every reader, how often, and what was found, from the counts of the runs."""

from __future__ import annotations

from collections import Counter
from textwrap import wrap
from typing import Any

from fuzz.counts import LIES, ROOT, counts
from fuzz.seeds import SEEDS

PAGE = ROOT / "docs" / "robustness.md"
FOUND = ROOT / "fuzz" / "found.md"
KINDS = ("mutated", "fuzzed", "tested")


ABOUT = """\
Every input ends in an answer or in one line that says what, where and what to do. This page is written by `python -m
fuzz --table` from the counts that the runs themselves noted. A `+` behind a commit: some files differed."""

MEANING = """\
*Mutated* are small files cut at every byte, with each byte changed in fourteen ways (--every-byte: to all of its 255
others), huge numbers and deep nesting put in at every place, pieces swapped, repeated and spliced, numbers next to
powers of two laid over what is there and over what atheris found (`python -m fuzz --mutations`), on readers compiled
with checks of every index (`NUMBA_BOUNDSCHECK=1`). *Replayed* are those of them that a reader took and that went on
through the model, with all checks of its invariants, and through `verify`, compiled so as well. *Fuzzed* is by
coverage, with atheris, on the same readers as plain Python (`python -m fuzz --seconds 60`). *Tested* is what each run
of the tests tries (`GOALLOC_COUNTS=1 pytest tests/house/test_hostile.py`), on readers as users have them. *Broke* counts
inputs that ended otherwise than they may, or took too long, in all these runs; what was a fault is mended, and a test.
Checksums are taken away for the fuzzer, which cannot make them."""


def write() -> int:
    """Write the page; return 0, or 1 where nothing was counted."""
    noted = counts()
    if not noted:
        print("nothing was counted yet: run python -m fuzz first")
        return 1
    PAGE.write_text(page(noted))
    print(f"{PAGE}: {sum(run['tried'] for run in noted):,} inputs of {len(noted)} runs")
    return 0


def page(noted: list[dict[str, Any]]) -> str:
    """The page as a whole."""
    commits = dict.fromkeys(commit for run in noted for commit in run["commit"].split(", "))
    return "\n".join(
        [
            "# What was tried to break it",
            "",
            *ABOUT.splitlines(),
            "",
            *wrap(f"Commits: {', '.join(commits)}. Inputs in all: {sum(run['tried'] for run in noted):,}.", 125),
            "",
            "## How often",
            "",
            *table(noted),
            "",
            *MEANING.splitlines(),
            "",
            *ways(noted),
            "",
            *lies(noted),
            "",
            FOUND.read_text().strip(),
            "",
        ]
    )


def table(noted: list[dict[str, Any]]) -> list[str]:
    """A row for each reader."""
    heads = ("reader", "mutated", "replayed", "fuzzed", "for", "edges", "tested", "broke")
    lines = [row(heads[0], list(heads[1:])), row(":---", ["---:"] * 7)]
    total: Counter[str] = Counter()
    for reader in SEEDS:
        own = [run for run in noted if run["reader"] == reader]
        tried = {kind: sum(run["tried"] for run in own if run["kind"] == kind) for kind in KINDS}
        seconds = sum(run["seconds"] for run in own if run["kind"] == "fuzzed")
        edges = max((run["edges"] for run in own if run["kind"] == "fuzzed"), default=0)
        broke = sum(run["broken"] for run in own)
        replayed = sum(run.get("replayed", 0) for run in own)
        total.update(tried, seconds=seconds, broke=broke, replayed=replayed)
        shown = [tried["mutated"], replayed, tried["fuzzed"], f"{seconds:,} s", edges, tried["tested"], broke]
        lines.append(row(reader, shown))
    seconds_in_all = f"{total['seconds']:,} s"
    counted = [total[kind] for kind in ("mutated", "replayed", "fuzzed")]
    return [*lines, row("all", [*counted, seconds_in_all, "", total["tested"], total["broke"]])]


LYING = """\
## Events and states that lie

Whole containers with right checksums, in which one to three things are not as they were: a field of an event (kind, P,
handle, size, argument, address), an event left out, repeated, swapped or elsewhere, a key of the header; a number of a saved
state (`fuzz/lies.py`). Each goes through `check`, `replay` and one more of: --lenient, another release, `verify`, `explain`,
`stats`; a state through --load-state; now and then with --check, and into a report. Each is tried in a process that is left
behind if it crashes or takes more than twenty seconds of a processor. `check` has to refuse what `replay` or `verify` do,
and `replay` what `check` calls bad. *Checked* are those on kernels compiled with checks of every index."""


def lies(noted: list[dict[str, Any]]) -> list[str]:
    """What `python -m fuzz.forked` has tried."""
    lines = [row("what lies", ["inputs", "checked", "for", "broke"]), row(":---", ["---:"] * 4)]
    for kind in LIES:
        own = [run for run in noted if run["kind"] == "lied" and run["reader"] == kind]
        checked = sum(run["tried"] for run in own if run["checked"])
        seconds = f"{sum(run['seconds'] for run in own):,} s"
        lines.append(row(kind, [sum(run["tried"] for run in own), checked, seconds, sum(run["broken"] for run in own)]))
    return [*LYING.splitlines(), "", *lines]


def row(reader: str, cells: list[Any]) -> str:
    texts = [f"{cell:,}" if isinstance(cell, int) else cell for cell in cells]
    return f"| {' | '.join([reader, *texts])} |"


def ways(noted: list[dict[str, Any]]) -> list[str]:
    """The mutations by their way."""
    found: Counter[str] = Counter()
    for run in noted:
        found.update(run.get("ways", {}))
    return ["| mutation | inputs |", "|:---|---:|", *(f"| {way} | {count:,} |" for way, count in found.items())]
