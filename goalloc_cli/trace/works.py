"""Whom each P works for: what WORKS_FOR events say, carried on to the events behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.event import NO_P

NOT_SAID = -1


class WorksFor:
    """Whom each P works for, batch by batch."""

    def __init__(self) -> None:
        self.now = np.zeros(NO_P + 1, np.int32)
        """The owner of each P after the last batch."""

    def owners(self, p: NDArray[np.uint16], said: NDArray[np.int64]) -> NDArray[np.int64]:
        """Whom the P of each event works for: who was said last for it, at the event or before.

        Args:
            p: the P of each event of the batch, or of some of them.
            said: the owner of each that says one (WORKS_FOR), NOT_SAID of others.

        """
        if not len(p):
            return np.zeros(0, np.int64)
        order = np.argsort(p, kind="stable")
        begins = np.flatnonzero(np.append(True, p[order][1:] != p[order][:-1]))
        lengths = np.diff(begins, append=len(p))
        last = np.maximum.accumulate(np.where(said[order] != NOT_SAID, np.arange(len(p)), -1))
        here = last >= np.repeat(begins, lengths)
        ordered = np.where(here, said[order][last], self.now[p[order]])
        ends = begins + lengths - 1
        self.now[p[order][ends]] = ordered[ends]
        out = np.zeros(len(p), np.int64)
        out[order] = ordered
        return out
