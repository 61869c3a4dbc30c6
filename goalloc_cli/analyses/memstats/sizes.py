"""Live objects by size class, and how much rounding up to the classes can cost."""

from __future__ import annotations

from itertools import pairwise

from goalloc_cli.results.memstats import Moment, SizeClassRow


def size_rows(moment: Moment) -> list[SizeClassRow]:
    """A row for each class in use, and one for all larger objects. Together they are HeapAlloc, where the numbers agree."""
    if not moment.by_size:
        return []
    rows = []
    ordered = sorted(row for row in moment.by_size if row[0])
    for (below, *_), (size, mallocs, frees) in pairwise([(0, 0, 0), *ordered]):
        objects = mallocs - frees
        if mallocs and objects >= 0:
            high = objects * (size - below - 1)
            rows.append(SizeClassRow(size, objects, objects * size, mallocs, frees, high))
    rest = (moment.get("HeapAlloc") or 0) - sum(row.live_bytes for row in rows)
    if rest > 0:
        rows.append(SizeClassRow(None, None, rest, None, None, None))
    return rows
