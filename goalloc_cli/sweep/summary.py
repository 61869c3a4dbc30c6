"""What the results of a sweep say, as one plain document: each design against the first of its kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli import __version__
from goalloc_cli.report.documents.replay import MODEL_VERSION
from goalloc_cli.sweep.columns import FAILED, LOST, OK, SCHEMA_VERSION
from goalloc_cli.sweep.store import Store

Document = dict[str, Any]

SCHEMA = "goalloc sweep"

FIGURE, PREDICTED = "peak_HeapInuse", "pace_usual_peak_HeapInuse"
"""What designs are compared by: the figure of a replay; and the highest that is predicted where marking never has to wait.
Where it has to, the heap depends on the program alone."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
EDGES = (-0.2, -0.1, -0.05, -0.01, 0.01, 0.05, 0.1, 0.2)
"""Changes are counted in the ranges between these."""
WORST = 10
FINE, FINE_STEPS = 0.5, 40
"""The distribution as it is drawn: from so much less to so much more, in so many steps."""


def summarized(store: Store) -> Document:
    """All of it.

    Raises:
        TraceError: the results are damaged.
    """
    table = store.read(("trace", "design", "status", "error_kind", "error", FIGURE, PREDICTED, "pace_gc_work_high"))
    found = Figures(table, store.designs())
    designs = [found.design(number) for number in range(len(found.designs))]
    notes = []
    if found.paced.any():
        notes.append(
            "Of settings of GOGC and GOMEMLIMIT the highest peak that is predicted is taken, where marking never has to "
            "wait for a core, and without what the tracer itself had (goalloc pace). They are held against the first of "
            "them. Where a recording leaves open when objects died, the range is the wider the lower GOGC is: the highest "
            "may then fall as GOGC rises. pace_peak_HeapInuse_low and _high are the ends of the range."
        )
    if any(each[LOST] for each in designs):
        notes.append("Lost: the worker died. The next sweep into this folder does these again.")
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "goalloc_version": __version__,
        "model_version": MODEL_VERSION,
        "folder": str(store.folder),
        "traces": len(found.traces),
        "rows": table.num_rows,
        "figure": FIGURE,
        "edges": list(EDGES),
        "designs": designs,
        "worst": found.worst(),
        "failures": failures(table),
        "notes": notes,
    }


class Figures:
    """One figure of every trace under every design, shape (traces, designs); NaN where there is none."""

    def __init__(self, table: Any, asked: list[str]) -> None:
        """`asked`: the designs in the order in which they were asked for."""
        import pyarrow.compute as pc

        traces = encoded(table["trace"])
        designs = encoded(table["design"])
        there = designs.dictionary.to_pylist()
        self.traces: list[str] = traces.dictionary.to_pylist()
        self.designs = [name for name in asked if name in there] + sorted(set(there) - set(asked))
        place = np.array([self.designs.index(name) for name in there], np.int64)
        self.row = traces.indices.to_numpy(zero_copy_only=False)
        self.column = place[designs.indices.to_numpy(zero_copy_only=False)] if there else np.zeros(0, np.int64)
        self.status = np.array(table["status"].to_pylist(), object)
        self.values = self.spread(pc.coalesce(table[FIGURE], table[PREDICTED]))
        self.work = self.spread(table["pace_gc_work_high"])
        self.paced = ~np.isnan(self.spread(table[PREDICTED])).all(axis=0)
        """Which designs are predictions; of them and of the others the first is what the rest is held against."""
        self.base = np.where(self.paced, self.paced.argmax(), (~self.paced).argmax())
        with np.errstate(divide="ignore", invalid="ignore"):
            self.change = self.values / self.values[:, self.base] - 1
        self.change[~np.isfinite(self.change)] = np.nan

    def spread(self, values: Any) -> NDArray[np.float64]:
        """A column of the table by trace and design."""
        found = np.full((len(self.traces), max(len(self.designs), 1)), np.nan)
        if len(self.row):
            found[self.row, self.column] = values.to_numpy().astype(np.float64)
        return found

    def design(self, number: int) -> Document:
        """What became of one design, and how it differs from the first."""
        status = self.status[self.column == number]
        counts = {name: int((status == name).sum()) for name in (OK, FAILED, LOST)}
        values, change, work = (
            column[~np.isnan(column)] for column in (self.values[:, number], self.change[:, number], self.work[:, number])
        )
        return {
            "name": self.designs[number],
            **counts,
            "figure": distribution(values),
            "base": self.designs[self.base[number]],
            "change": None if number == self.base[number] else {**distribution(change), **drawn(change)},
            "gc_work": float(np.median(work)) if len(work) else None,
        }

    def worst(self) -> list[Document]:
        """The traces that grow most, each under the design under which it does."""
        if not self.change.size:
            return []
        others = np.where(np.isnan(self.change), -np.inf, self.change)
        design = others.argmax(axis=1)
        change = others.max(axis=1)
        first = [trace for trace in np.argsort(-change, kind="stable")[:WORST] if change[trace] > 0]
        return [
            {
                "trace": self.traces[trace],
                "design": self.designs[design[trace]],
                "against": self.designs[self.base[design[trace]]],
                "base": int(self.values[trace, self.base[design[trace]]]),
                "figure": int(self.values[trace, design[trace]]),
                "change": float(change[trace]),
            }
            for trace in first
        ]


def encoded(column: Any) -> Any:
    """A column of names as numbers, and the names."""
    found = column.combine_chunks().dictionary_encode()
    return found.combine_chunks() if hasattr(found, "combine_chunks") else found


def distribution(values: NDArray[np.float64]) -> Document:
    """The number of values, their mean, least, most, and quantiles."""
    if not len(values):
        return {"count": 0, "mean": None, "least": None, "most": None, **{named(q): None for q in QUANTILES}}
    return {
        "count": len(values),
        "mean": float(values.mean()),
        "least": float(values.min()),
        "most": float(values.max()),
        **{named(q): float(found) for q, found in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)},
    }


def named(quantile: float) -> str:
    return f"p{round(100 * quantile):02}"


def drawn(change: NDArray[np.float64]) -> Document:
    """Numbers of traces by how much they change: in the ranges between EDGES, and in finer ones that are drawn."""
    ranges = np.bincount(np.searchsorted(EDGES, change, side="right"), minlength=len(EDGES) + 1)
    fine, _ = np.histogram(np.clip(change, -FINE, FINE), FINE_STEPS, (-FINE, FINE))
    return {"ranges": ranges.tolist(), "fine": fine.tolist()}


def failures(table: Any) -> list[Document]:
    """What went wrong, by its kind, the commonest first."""
    import pyarrow.compute as pc

    bad = table.filter(pc.not_equal(table["status"], OK))
    found: dict[tuple[str, str], Document] = {}
    names = ("status", "error_kind", "trace", "error")
    for status, kind, trace, error in zip(*(bad[name].to_pylist() for name in names), strict=True):
        new = {"status": status, "kind": kind, "rows": 0, "traces": set(), "example": error}
        row = found.setdefault((status, kind), new)
        row["rows"] += 1
        row["traces"].add(trace)
    rows = [{**row, "traces": len(row["traces"])} for row in found.values()]
    return sorted(rows, key=lambda row: -row["rows"])
