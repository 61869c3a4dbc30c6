"""The container of a Go execution trace: header, batches, generations; all but the events themselves.

Go: runtime/tracebuf.go (batches), runtime/trace.go, traceAdvance (generations), internal/trace/batch.go and
generation.go (the reader that rejects what this one rejects). The walk over the batches is in `wire/scan`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import Bytes
from goalloc_cli.importers.exectrace.wire.damage import Break, tracer_died
from goalloc_cli.importers.exectrace.wire.scan import Scan, scan_batches
from goalloc_cli.importers.exectrace.wire.tables import Tables

TICKS_PER_SECOND = 15_625_000.0
"""Of a recording that breaks before it tells: Go's clock has steps of 64 ns (runtime/tracetime.go, traceTimeDiv), where
it is not that of Windows."""


class Batches(NamedTuple):
    """The event batches of a generation, by M, oldest first."""

    data: NDArray[np.uint8]
    base: int
    """Where in the file that stands."""
    start: NDArray[np.int64]
    """Offset in `data` of the first event of each."""
    stop: NDArray[np.int64]
    time: NDArray[np.int64]
    m: NDArray[np.int64]


@dataclass
class Wire:
    """A recording, taken apart into batches. Event batches are sorted by generation, then by M, oldest first."""

    recording: Bytes
    release: str
    """Of the header: "1.23" (or 1.24), "1.25", "1.26" (or 1.27)."""
    start: NDArray[np.int64]
    """Offset of the first event of every event batch."""
    stop: NDArray[np.int64]
    time: NDArray[np.int64]
    """Clock at the start of every event batch, in ticks."""
    m: NDArray[np.int64]
    """Index into `m_ids`."""
    generation: NDArray[np.int64]
    """Index into `generations`."""
    m_ids: NDArray[np.uint64]
    generations: list[int]
    bounds: NDArray[np.int64]
    """First event batch of every generation, and the end."""
    tables: Tables
    ticks_per_second: float
    min_addr: int | None
    """Address that page 0 of the recording stands for; None where the recording does not tell."""
    copies: int = 0
    """Batches that stand in the file twice, to the byte. The second ones are left out."""
    broken: Break | None = None
    """Where the recording ends before its end."""
    damaged: list[tuple[Break, int]] = field(default_factory=list)
    """Per generation that has such: the first event that cannot be, and how many batches were cut off before one."""
    open: bool = False
    """The last generation is not whole: what there is of it holds up to a moment that its events tell."""

    def batches(self, generation: int) -> Batches:
        """The event batches of a generation, by its index, and their bytes.

        Raises:
            TraceError: the file was changed since the last time.
        """
        which = slice(*self.bounds[generation : generation + 2])
        start, stop = self.start[which], self.stop[which]
        base = int(start.min(initial=self.recording.length))
        data = self.recording.piece_again(base, int(stop.max(initial=base)) - base)
        return Batches(np.frombuffer(data, np.uint8), base, start - base, stop - base, self.time[which], self.m[which])

    def cut_off(self, generation: int, batches: Batches, which: NDArray[np.int64], first: Break) -> None:
        """Let these batches of a generation end where they do in `batches`."""
        self.stop[self.bounds[generation] + which] = batches.base + batches.stop[which]
        self.damaged.append((first, len(which)))


def read_wire(recording: Bytes, name: str) -> Wire:
    """Take a recording apart, as far as it holds.

    Args:
        recording: the whole file.
        name: what messages call it.

    Raises:
        TraceError: not an execution trace, of a release without alloc/free events, or of a 32-bit program.
    """
    try:
        return _sorted(recording, scan_batches(recording))
    except TraceError as error:
        raise TraceError(f"{name}: {error}") from None


def _sorted(recording: Bytes, scan: Scan) -> Wire:
    """The event batches of all generations, by generation and M."""
    generations = scan.order
    index = {g: i for i, g in enumerate(generations)}
    batches = sorted(scan.batches)
    m_ids = sorted({b[1] for b in batches})
    m_index = {m: i for i, m in enumerate(m_ids)}

    def column(values: list[int]) -> NDArray[np.int64]:
        return np.array(values, np.int64)

    frequency = list(scan.frequency.values())
    if not frequency and not scan.broken:
        raise TraceError(f"no batch tells the frequency of the clock: {tracer_died()}")
    generation = column([index[b[0]] for b in batches])
    return Wire(
        recording=recording,
        release=scan.release,
        start=column([b[4] for b in batches]),
        stop=column([b[5] for b in batches]),
        time=column([b[3] for b in batches]),
        m=column([m_index[b[1]] for b in batches]),
        generation=generation,
        m_ids=np.array(m_ids, np.uint64),
        generations=generations,
        bounds=np.searchsorted(generation, np.arange(len(generations) + 1)),
        tables=scan.tables,
        ticks_per_second=float(np.median(frequency)) if frequency else TICKS_PER_SECOND,
        min_addr=scan.min_addr,
        copies=scan.copies,
        broken=scan.broken,
        open=len(scan.whole) < len(generations),
    )
