"""What the handles of a trace stand for while it is replayed: tables that grow before a batch that needs it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.errors import ReplayError
from goalloc_cli.model.tables.columns import Handles
from goalloc_cli.model.tables.heap import OBJECT
from goalloc_cli.model.tables.limits import OBJECTS, full
from goalloc_cli.trace.longer import longer

MIN_TABLE = 1 << 16
"""Handles that every table has room for from the start."""
ROOM = 1 << 24
"""Objects that there is room for once these are too few; so many are never copied to a longer table."""


@dataclass
class Tables:
    """What the handles of a trace stand for; grown before a batch that needs it."""

    objects: NDArray[np.void] = field(default_factory=lambda: np.zeros(MIN_TABLE, OBJECT))
    stacks: NDArray[np.int64] = field(default_factory=lambda: np.zeros((MIN_TABLE, 2), np.int64))
    manual_spans: NDArray[np.int64] = field(default_factory=lambda: np.zeros(MIN_TABLE, np.int64))
    cursor: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    room: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, OBJECT))
    """What `objects` is the first part of, once it has grown."""

    @property
    def handles(self) -> Handles:
        """The tables as kernels take them."""
        return Handles(self.objects, self.stacks, self.manual_spans, self.cursor)

    def fit(self, highest: int, highest_other: int) -> None:
        """Make room for these handles, of anything and of what is no object; raise ReplayError beyond the limit."""
        if highest >= OBJECTS:
            raise ReplayError(f"handle {highest}: {full('objects')}; handles are to be used again")
        if highest >= len(self.objects):
            if highest >= len(self.room):
                self.room = longer(self.objects, max(2 * (highest + 1), ROOM))
            self.objects = self.room[: (highest + 1) * 9 // 8]
        if highest_other >= len(self.stacks):
            # The handles of goroutine stacks and manual spans are numbers of their own, and few.
            rows = (highest_other + 1) * 3 // 2
            self.stacks, self.manual_spans = longer(self.stacks, rows), longer(self.manual_spans, rows)
