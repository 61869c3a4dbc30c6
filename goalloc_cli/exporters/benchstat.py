"""Writes what a replay comes to as a line of Go's benchmark format, which benchstat compares.

(golang.org/design/14313-benchmark-format.) No line of the form "key: value" is written: files in which one differs are not
compared but laid in tables of their own, so that the design must not stand there. A replay is exact: without `assume=exact`,
benchstat would ask for six of them.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from goalloc_cli.results.exported.held import LEDGER_OF, Measured

PARTS = {"free-slots": "free_slots", "dead": "dead", "rounding": "rounding"}
"""Units, and the column of LEDGER_OF that each is."""
MOST_NAME = 100


def write_benchstat(measured: Measured) -> bytes:
    """A benchmark of one result, and what is assumed of each unit."""
    values: dict[str, int] = {}
    for moment, sample in measured.moments.items():
        at = word(moment)
        values[f"{at}-HeapInuse-B"] = int(sample["heap_inuse"])
        for unit, column in PARTS.items():
            values[f"{at}-{unit}-B"] = sum(int(sample[row]) for row in LEDGER_OF[column])
        gcs = int(sample["num_gc"])
    lines = [f"Unit {unit} assume=exact better=lower" for unit in values]
    values["GCs"] = gcs
    lines += ["Unit GCs assume=exact", ""]
    figures = " ".join(f"{value} {unit}" for unit, value in values.items())
    lines.append(f"Benchmark{name_of(measured.trace_name)} 1 {figures}")
    return "\n".join([*lines, ""]).encode()


def name_of(trace_name: str) -> str:
    """Replay/orders-go1.27: of the file's name what stands before its suffix."""
    name = PurePath(trace_name).name
    return f"Replay/{word(name.removesuffix('.zst').removesuffix('.gz').rpartition('.')[0] or name)}"


def word(name: str) -> str:
    """The name as one word of plain letters, as a field of a line needs it."""
    return re.sub(r"[^A-Za-z0-9._:+=,@-]+", "_", name)[:MOST_NAME] or "_"
