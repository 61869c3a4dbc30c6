"""Which samples and frames a replay takes for pictures: evenly spread, within caps, for a trace of any length.

Samples are taken by the kernel that replays (`model/books/series.py`); it stops where a frame is due. Of frames, too, every
other one is dropped when there are too many, and the next ones are taken half as often. What is left depends on the events
alone, never on batches or on time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pictures.born import Born
from goalloc_cli.analyses.pictures.sampled import Samples, with_peak
from goalloc_cli.analyses.tracer import TracerBuffers
from goalloc_cli.results.outcome import Reason
from goalloc_cli.results.pictures import (
    CLOSED,
    LARGE,
    MOST,
    MOST_FRAMES,
    MOST_SAMPLES,
    SMALL,
    Frame,
    PageMap,
    Pictures,
    shift_for,
)
from goalloc_cli.results.who import BEFORE, Named, goroutine, task
from goalloc_cli.trace.event import Batch, Call, Function, Kind, Owner
from goalloc_cli.trace.trace import Trace

FIRST_STEP = 16
EXPECTED_SAMPLES = 560
"""Samples of a trace whose length is known, and more than half of them are taken."""
EXPECTED_FRAMES = 30
BETWEEN_FRAMES = 10
"""Samples from one frame to the next, at first, where the length is not known."""
MOST_CYCLES = 80
"""GC cycles whose start, end and sweep end are kept; of more every other one, every fourth, ..."""
MOST_CHECKPOINTS = 40
LOOKED_AT = 1
"""Objects that may be looked at for a frame, for each event since the one before."""


class Mapper(Protocol):
    """What makes frames (`model/books/pagemap.py`)."""

    def frame(
        self, heap: np.record, objects: NDArray[np.void], owner_of: NDArray[np.int32], row: np.void, why: str, most: int
    ) -> Frame: ...


class Album:
    """What is taken on the way."""

    def __init__(self, series: np.record, mapper: Mapper, trace: Trace, begun: int = 0) -> None:
        """
        Args:
            series: SERIES (`model/books/series.py`), of which nothing was asked yet.
            mapper: makes frames.
            trace: what is replayed; it may tell how many events there will be.
            begun: those that a saved state has behind it.
        """
        # A power of two, so that a step that doubles meets the samples that are there.
        events = trace.events or 0
        even = -(-events // EXPECTED_SAMPLES)
        step = max(FIRST_STEP, 1 << max(even - 1, 0).bit_length())
        expected = -(-events // (EXPECTED_FRAMES * step))
        self.series, self.mapper = series, mapper
        series.step, series.due = step, (begun // step + 1) * step
        series.frame_step = (expected or BETWEEN_FRAMES) * step
        self.frames: list[Frame] = []
        self.owners, self.functions, self.calls = [Owner(0, 0, "", "", 0)], [Function("", "")], [Call(0, 0, 0)]
        self.born = Born(trace.header.owners)
        self.is_whole = not begun

    @property
    def samples(self) -> Samples:
        """Those taken so far."""
        found: Samples = np.asarray(self.series.rows)[: int(self.series.count)]
        return found

    def watch(self, tracer: TracerBuffers) -> None:
        """See with each sample whether the tracer's buffers still live."""
        series, count = self.series, len(tracer.handles)
        series.buffers, series.buffer[:count], series.buffer_loc[:count] = count, tracer.handles, tracer.locs

    def beside(self, trace: Trace) -> Trace:
        """The same trace; as it is read, the names of who allocates are kept."""
        return replace(trace, batches=self._seen(trace.batches))

    def _seen(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self.owners += batch.new_owners
            self.functions += batch.new_functions
            yield batch

    def why_now(self, event: int, last: Kind) -> str:
        """Why a frame is due, "" where none is: the step is over; or half of it is and a cycle has just ended, for then most
        is to be seen."""
        if last is Kind.SNAP_END:
            return "start"
        if last is Kind.GC_END and 2 * (event - int(self.series.framed)) >= self.series.frame_step:
            return "gc"
        return "every" if self.series.wants_frame else ""

    def take_frame(self, heap: np.record, objects: NDArray[np.void], row: np.void, why: str) -> None:
        """Make a frame of the heap as it is now; `row`: a sample of this moment."""
        objects = objects[: self.born.handles]  # the table is as long as batches wanted it
        most = len(objects) if why == "end" else LOOKED_AT * (int(row["event"]) - int(self.series.framed))
        self.paste(self.mapper.frame(heap, objects, self.born.books.owner_of, row, why, most))

    def paste(self, frame: Frame) -> None:
        """Keep a frame, in place of one of the same moment; of too many, first leave out every other one."""
        if self.frames and self.frames[-1].event == frame.event:
            self.frames.pop()
        if len(self.frames) >= MOST_FRAMES:
            self.frames = self.frames[::2]
            self.series.frame_step *= 2
        self.frames.append(frame)
        self.series.framed, self.series.wants_frame = frame.event, 0

    def pictures(
        self, even: Samples, samples: Samples, peak: Samples, heap: np.record, type_names: list[str]
    ) -> Pictures:
        """What is left at the end.

        Args:
            even: the samples that were added here.
            samples: those that the replay took for other reasons, in order; the last is the end.
            peak: that of the peak, shape (1,).
            heap: for the address of its pages.
            type_names: by type id.
        """
        chosen, kept = some_of(samples)
        chosen = with_peak(chosen, peak)
        room = max(MOST_SAMPLES - len(chosen), 2)
        base_addr, page_bytes = int(heap.base_addr), 1 << int(heap.knobs.page_shift)
        owners = [named(self, number) for number in range(BEFORE, len(self.owners))] if len(self.born.books.works) else []
        page_map = on_one_grid(self.frames, base_addr, page_bytes, type_names, owners)
        series = in_order(even[:: -(-len(even) // room) or 1], chosen)
        return Pictures(series, kept, page_map, self.born.lifetimes() if self.is_whole else None)


def named(known: Named, owner: int) -> str:
    """What a map calls an owner: the function that the goroutine began in, its task and region; "" where not known."""
    if owner == 0:
        return ""
    entry, _, _ = goroutine(known, owner)
    return ", ".join(part for part in (entry, *task(known, owner)) if part)


def some_of(samples: Samples) -> tuple[Samples, int]:
    """Of the samples taken for reasons of their own as many as there is room for; and of how many cycles one is left."""
    reason, cycle = samples["reason"], samples["num_gc"]
    of_cycle = np.isin(reason, (Reason.GC_START, Reason.GC, Reason.SWEPT))
    cycles = len(np.unique(cycle[of_cycle]))
    kept = 1
    while cycles > MOST_CYCLES * kept:
        kept *= 2
    checkpoints = np.flatnonzero(reason == Reason.CHECKPOINT)
    shown = np.isin(reason, (Reason.START, Reason.END, Reason.PEAK))
    shown[checkpoints[:: -(-len(checkpoints) // MOST_CHECKPOINTS) or 1]] = True
    return samples[shown | (of_cycle & (cycle % kept == 0))], kept


def in_order(even: Samples, chosen: Samples) -> Samples:
    """All samples by event; of several at one event those that were taken for a reason."""
    found = np.concatenate([even, chosen])
    dull = found["reason"] == Reason.EVERY
    order = np.lexsort((dull, found["event"]))
    found, dull = found[order], dull[order]
    again = np.zeros(len(found), bool)
    again[1:] = dull[1:] & (found["event"][1:] == found["event"][:-1])
    return found[~again]


def on_one_grid(
    frames: list[Frame], base_addr: int, page_bytes: int, type_names: list[str], owner_names: list[str]
) -> PageMap | None:
    """The frames with cells of one size, from the lowest page of any to the highest."""
    frames = [frame for frame in frames if frame.planes.shape[1]]
    if not frames:
        return None
    lowest = min(frame.first_cell << frame.shift for frame in frames)
    highest = max((frame.first_cell + frame.planes.shape[1]) << frame.shift for frame in frames)
    shift = max(shift_for(lowest, highest), max(frame.shift for frame in frames))
    first, cells = lowest >> shift, (-(-highest >> shift)) - (lowest >> shift)
    placed = []
    for frame in frames:
        while frame.shift < shift:
            frame = coarser(frame)
        at = frame.first_cell - first
        planes = np.full((len(frame.planes), cells), CLOSED, np.uint8)
        here = slice(at, at + frame.planes.shape[1])
        planes[:, here] = frame.planes
        types, owners = np.full(cells, -1, np.int32), np.zeros(cells if len(frame.owners) else 0, np.int32)
        types[here], owners[here] = frame.types, frame.owners
        placed.append(replace(frame, first_cell=first, planes=planes, types=types, owners=owners))
    return PageMap(base_addr, page_bytes, shift, first, cells, placed, type_names, owner_names)


def coarser(frame: Frame) -> Frame:
    """The same with cells twice as large. Of two unlike cells the one in use tells what there is, and of two in use the
    first with anything live; what is counted is their mean, or their sum."""
    lead = frame.first_cell & 1
    width = frame.planes.shape[1] + lead
    pad = (lead, width % 2)
    planes = np.pad(frame.planes, ((0, 0), pad)).reshape(len(frame.planes), -1, 2)
    types = np.pad(frame.types, pad, constant_values=-1).reshape(-1, 2)
    in_use = np.isin(planes[0], (SMALL, LARGE))
    second = (in_use[:, 1] & ~in_use[:, 0]) | ((in_use[:, 1] == in_use[:, 0]) & (types[:, 0] < 0) & (types[:, 1] >= 0))
    out = np.where(second, planes[:, :, 1], planes[:, :, 0])
    both = in_use.all(axis=1)
    for plane in (1, 2):
        mean = planes[plane].sum(axis=1, dtype=np.int64) // 2
        out[plane] = np.where(both, np.where(planes[plane].any(axis=1), np.maximum(mean, 1), 0), out[plane])
    out[5] = np.minimum(planes[5].sum(axis=1, dtype=np.int64), MOST)
    chosen = np.where(second, types[:, 1], types[:, 0])
    owners = np.pad(frame.owners, pad).reshape(-1, 2) if len(frame.owners) else np.zeros((0, 2), np.int32)
    return replace(
        frame, first_cell=frame.first_cell >> 1, shift=frame.shift + 1, planes=out.astype(np.uint8), types=chosen,
        owners=np.where(second, owners[:, 1], owners[:, 0]) if len(owners) else frame.owners,
    )  # fmt: skip
