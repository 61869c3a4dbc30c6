"""`python benchmarks/verify_samples.py [TRACE ...]`: how true the model is, measured on the samples in traces/.

Prints the Markdown table of docs/accuracy.md. The MemStats that Go reported come from tests/data, for samples that have any.
"""

from __future__ import annotations

import sys
from pathlib import Path

from goalloc_cli.analyses.verify.verify import read_memstats, verify
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.verdict import Row, Verdict

ROOT = Path(__file__).parent.parent

COLUMNS = (
    "sample",
    "Ps",
    "slot",
    "refill",
    "page",
    "addresses, free-running",
    "HeapInuse off by",
    "MemStats cells",
    "stacks",
)


def scored(path: Path, own_sweeper: bool = False) -> Verdict:
    """The verdict on one recording, with its MemStats where there are any."""
    trace = open_trace(str(path))
    design, name, _hints = choose_design(trace.header, None, ())
    told = ROOT / "tests" / "data" / f"{path.stem}.json"
    memstats = read_memstats(str(told)) if told.exists() else None
    return verify(trace, design, design_name=name, memstats=memstats, own_sweeper=own_sweeper)


def share(row: Row) -> str:
    """The right ones: all of how many, or per cent, rounded down so that only all is 100."""
    if not row.total:
        return "-"
    if row.right == row.total:
        return f"all {row.total:,}"
    return f"{10_000 * row.right // row.total / 100:.2f} % of {row.total:,}"


def error(row: Row) -> str:
    """How far HeapInuse was off at GCs and checkpoints."""
    if not row.max_error:
        return "0"
    return f"{100 * (row.mean_error or 0):.2f} %, {100 * row.max_error:.2f} % at most"


def cells(path: Path) -> tuple[str, ...]:
    """A row of the table."""
    verdict = scored(path)
    rows = verdict.rows
    return (
        f"`{path.stem}`",
        str(verdict.gomaxprocs),
        *(share(rows[name]) for name in ("slot", "refill", "page", "free_running")),
        error(rows["heap"]),
        share(rows["memstats"]),
        share(rows["stack"]),
    )


def main(names: list[str]) -> None:
    paths = [Path(name) for name in names] or sorted((ROOT / "traces").glob("*.msgpack"))
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for path in paths:
        print(f"| {' | '.join(cells(path))} |")


if __name__ == "__main__":
    main(sys.argv[1:])
