"""Objects by what they need, and recordings of them: for tests of size classes that fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from goalloc_cli.analyses.optimize.occupied import WORD
from goalloc_cli.analyses.optimize.optimize import Recording
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.design.releases import release
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.event import NOSCAN, Batch, Kind
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.root import ROOT

GO = release("1.27")
WORDS = GO.max_small_size // WORD + 1

Objects = list[tuple[int, bool, int]]
"""Bytes needed, whether there are no pointers, and how many."""


def weights_of(objects: Objects) -> np.ndarray:
    weights = np.zeros((2, WORDS))
    for size, noscan, many in objects:
        weights[int(noscan), size // WORD] += many
    return weights


def sample(name: str, folder: Path = ROOT / "traces") -> Recording:
    path = str(folder / f"{name}.msgpack")
    design, design_name, _ = choose_design(open_trace(path).header, None, ())
    return Recording(lambda: open_trace(path), design, design_name)


def rows_of(objects: Objects) -> list[Batch]:
    """Objects that all live, and a cycle at the end."""
    rows, handle = [], 0
    for size, noscan, many in objects:
        for _ in range(many):
            handle += 1
            rows.append((Kind.ALLOC | (NOSCAN if noscan else 0), 0, handle, size, 0, 0))
    return [batch([*rows, (Kind.GC_START, 0, 0, 0, 0, 0), (Kind.GC_END, 0, 0, 0, 0, 0)], addr=False)]


def recording(batches: list[Batch]) -> Recording:
    return Recording(lambda: Trace("made up", Header(), iter(batches)), GO, "go1.27")
