"""Synthetic workloads small enough for a test to look at every event."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from goalloc_cli.native.native import write_native
from goalloc_cli.synth.make import synthesize
from goalloc_cli.trace.event import COLUMNS, KIND_MASK, Kind

SMALL: dict[str, dict[str, int]] = {
    "steady": {"live": 3_000},
    "generational": {"live": 20_000},
    "lru": {"entries": 2_000, "keys": 8_000},
    "server": {"connections": 64, "sessions": 500},
    "buffers": {"buffers": 16},
    "growth": {"collections": 100, "longest": 20_000},
    "phases": {"objects": 10_000},
}
"""Parameters that let a short trace show what the workload is."""


def events(name: str, count: int, seed: int = 1, **parameters: int) -> dict[str, Any]:
    """All events of a workload, as whole columns."""
    batches = list(synthesize(name, count, seed, {**SMALL[name], **parameters}).batches)
    return {c: np.concatenate([getattr(b, c) for b in batches]) for c in COLUMNS if c != "addr"}


def written(name: str, count: int, seed: int = 1, **parameters: int) -> bytes:
    """The file that a workload becomes."""
    trace = synthesize(name, count, seed, {**SMALL[name], **parameters})
    file = io.BytesIO()
    write_native(trace.header, trace.batches, file)
    return file.getvalue()


def lives(name: str, count: int) -> Iterator[tuple[int, int, int, int]]:
    """For each object that died: its birth and death by event number, then by collections that had ended."""
    found = events(name, count)
    born: dict[int, tuple[int, int]] = {}
    cycle = 0
    for at, (kind, handle) in enumerate(zip((found["kind"] & KIND_MASK).tolist(), found["id"].tolist(), strict=True)):
        if kind == Kind.ALLOC:
            born[handle] = at, cycle
        elif kind == Kind.FREE:
            birth, birth_cycle = born.pop(handle)
            yield birth, at, birth_cycle, cycle
        elif kind == Kind.GC_END:
            cycle += 1
