"""What a recording's own tracer holds: two buffers for CPU profiles, allocated when it starts and live while it records.

(Go: tracecpu.go, traceInitReadCPU; profbuf.go, newProfBuf.) They are no part of what the program asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.event import BOUND, KIND_MASK, NOSCAN, Batch, Kind

DATA_BYTES = 1 << 20
"""131,072 words of samples, without pointers."""
TAGS_BYTES = 131_072
"""16,384 labels of samples."""
BUFFERS = 2
NEVER = -1


@dataclass
class TracerBuffers:
    """The buffers of a replay."""

    handles: list[int] = field(default_factory=list)
    """Of the objects, where it is certain which they are."""
    locs: list[int] = field(default_factory=list)
    """Where each lies."""
    requested: int = 0
    span_bytes: int = 0
    bound: int = 0
    """How many of them have a size that is not known."""
    since: int = NEVER
    until: int = NEVER
    """The first and the last event at which they were seen to live."""
    candidates: dict[bool, list[int]] = field(default_factory=lambda: {False: [], True: []})
    """Handles of objects as large in the snapshot, by whether they have pointers."""

    def plain(self) -> list[Any]:
        """What a saved state keeps: its fields, in order, but for the candidates."""
        return [self.handles, self.locs, self.requested, self.span_bytes, self.bound, self.since, self.until]

    def note(self, batch: Batch) -> None:
        """Look for them among the objects that a snapshot names."""
        found = batch.kind & np.uint8(KIND_MASK) == Kind.SNAP_OBJECT
        if self.since != NEVER or not found.any():
            return
        scan = batch.kind & NOSCAN == 0
        for pointers, size in ((False, DATA_BYTES), (True, TAGS_BYTES)):
            at = np.flatnonzero(found & (scan == pointers) & (batch.size == size))
            self.candidates[pointers] += batch.id[at].tolist()
            self.bound += int(np.count_nonzero(batch.kind[at[:BUFFERS]] & BOUND))

    @property
    def are_there(self) -> bool:
        """Whether the snapshot has them: two of labels, and of samples no fewer; any two as large weigh the same."""
        return len(self.candidates[True]) == BUFFERS <= len(self.candidates[False])

    def begin(self, event: int, locs: list[int], tags_bytes: int) -> None:
        """The snapshot is complete. `locs`: where the candidates with pointers lie, then the others; `tags_bytes`: the spans
        of the former."""
        self.since = self.until = event
        self.handles = [*self.candidates[True], *self.candidates[False]]
        self.locs = locs
        if len(self.candidates[False]) > BUFFERS:
            # Which two are the tracer's cannot be told, nor when they die.
            self.handles, self.locs = self.handles[:BUFFERS], self.locs[:BUFFERS]
        self.requested = BUFFERS * (DATA_BYTES + TAGS_BYTES)
        self.span_bytes = BUFFERS * DATA_BYTES + tags_bytes

    def take_out(self, samples: NDArray[np.void], page_bytes: int) -> None:
        """In these SAMPLE rows, count them for themselves and not for the program."""
        mine = (samples["event"] >= self.since) & (samples["event"] <= self.until)
        if self.since == NEVER or not mine.any():
            return
        for name, change in (
            ("tracer", self.span_bytes),
            ("requested", -self.requested),
            ("large_rounding", self.requested - self.span_bytes),
            ("bound_slot_bytes", -self.bound * page_bytes),
            ("bound_rounding", -self.bound * (page_bytes - 1)),
        ):
            samples[name] = np.where(mine, samples[name] + change, samples[name])
