"""The columns of a sweep's results: one schema for all rows, whatever became of them. Columns are only ever added.

Bytes are int64, what is absent is null. MemStats have Go's names, rows of the ledger those of the JSON report.
"""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.documents.replay import MEMSTATS
from goalloc_cli.results.outcome import LEDGER

SCHEMA_VERSION = 1
"""Raised only if a column had to change its meaning."""

OK, FAILED, LOST = "ok", "failed", "lost"
"""What became of a row: it has figures; the trace or the design has a fault; its worker died or broke."""
KNOWN = "known"
"""Of a row on its way to the driver: a replay of the same key is there already."""

TEXT, INT, REAL = "string", "int64", "double"
MOMENTS = ("peak", "end")
PACED = ("num_gc", "peak_HeapInuse", "HeapSys", "peak_mapped")
"""Figures of a setting that is predicted, from the lowest to the highest, by the names that they have here."""

IDENTITY = {
    "key": TEXT,
    "status": TEXT,
    "error_kind": TEXT,
    "error": TEXT,
    "trace": TEXT,
    "trace_digest": TEXT,
    "trace_bytes": INT,
    "source": TEXT,
    "recorded_go": TEXT,
    "gomaxprocs": INT,
    "sizes": TEXT,
    "design": TEXT,
    "go": TEXT,
    "knobs": TEXT,
    "design_digest": TEXT,
    "mode": TEXT,
    "goalloc_version": TEXT,
    "model_version": INT,
    "events": INT,
    "gc_cycles": INT,
    "duration_ns": INT,
    "notes": TEXT,
}


def of_moment(at: str) -> dict[str, str]:
    """Figures of the peak, or of the end."""
    names = ("event", *MEMSTATS.values(), *LEDGER, "requested_low", "requested_high")
    return {f"{at}_{name}": INT for name in names}


SETTING = {
    "gogc": INT,
    "memory_limit": INT,
    "pace_zone": TEXT,
    "pace_off": REAL,
    **{f"pace_{name}_{end}": INT for name in PACED for end in ("low", "high")},
    "pace_usual_peak_HeapInuse": INT,
    "pace_gc_work_low": REAL,
    "pace_gc_work_high": REAL,
}

RESULTS = {**IDENTITY, **of_moment("peak"), **of_moment("end"), "mean_HeapInuse": INT, **SETTING}
"""results.parquet: what any machine would find."""

RUNS = {
    "key": TEXT,
    "trace": TEXT,
    "design": TEXT,
    "slot": TEXT,
    "pair": TEXT,
    "host": TEXT,
    "pid": INT,
    "task_seconds": REAL,
    "row_seconds": REAL,
    "rss_bytes": INT,
    "done_at": REAL,
}
"""runs.parquet, row by row beside the results: who found it, and how long it took."""

ALL = {**RESULTS, **RUNS}
"""What a part has."""

Row = dict[str, Any]
