"""What kernels are handed beside the heap: what the handles of a trace stand for, and the columns of a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.model.tables.heap import OBJECT


class Handles(NamedTuple):
    """What the handles of a trace stand for. Each table is longer than any of its handles in the batch."""

    objects: NDArray[np.void]
    """OBJECT rows by object handle."""
    stacks: NDArray[np.int64]
    """By stack handle: first piece, and bytes; 0 bytes: there is none. Shape (n, 2)."""
    manual_spans: NDArray[np.int64]
    """By manual span handle: its row."""
    cursor: NDArray[np.int64]
    """The span that SNAP events are filling in, kept from batch to batch. Shape (1,)."""


class Columns(NamedTuple):
    """The columns of a batch (trace/event.py), each contiguous."""

    kind: NDArray[Any]
    p: NDArray[Any]
    handle: NDArray[Any]
    size: NDArray[Any]
    arg: NDArray[Any]


OBJECTS = np.zeros(0, OBJECT)
HANDLES = Handles(OBJECTS, np.zeros((0, 2), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
"""The like of what units are compiled for (`jit.apart`)."""
