"""What a row type is; and the two tables of what is watched beside the heap."""

from __future__ import annotations

import numpy as np


def table(name: str, **columns: str | np.dtype) -> np.dtype:
    """A row type. Refuses columns that a NumPy attribute would hide when kernels run uncompiled."""
    hidden = [c for c in columns if hasattr(np.recarray, c)]
    if hidden:
        raise TypeError(f"{name}: column {hidden[0]!r} is an attribute of NumPy arrays; choose another name")
    return np.dtype(list(columns.items()), align=True)


PACED_BEGAN = ("began_live", "began_goal", "began_marked", "began_limited")
PACED = table(  # see paced.py
    "PACED",
    **dict.fromkeys(("on", "due", "requested", "end_at", *PACED_BEGAN), "<i8"),
    **dict.fromkeys(("end_bytes", "end_ns", "end_not_before", "ended_live", "ended_ns", "peak_mapped"), "<i8"),
    trigger_share="<f8",
    end_share="<f8",
    end_goals="<f8",
)

EVIDENCE = table(  # see evidence.py
    "EVIDENCE", told="<i8", cycle="<i8", live="<i8", gap="<i8", first_gap="<i8", refills="<i8", foreseen="<i8", run="<i8",
    low="<i8", unnamed="<i8",
)  # fmt: skip

SILENT = 2048
"""Spans of unknown page mark that one call of the reclaimer can choose from."""
