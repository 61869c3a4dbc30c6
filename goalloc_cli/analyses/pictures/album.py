"""Which samples and frames a replay takes for pictures: evenly spread, within caps, for a trace of any length.

The length may not be known before. Then every sixteenth event is sampled at first; whenever there are too many samples,
every other one is dropped, and the next ones are taken half as often. Frames likewise. What is left depends on the events
alone, never on batches or on time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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
from goalloc_cli.trace.event import Kind

FIRST_STEP = 16
EXPECTED_SAMPLES = 560
"""Samples of a trace whose length is known, and more than half of them are taken."""
EXPECTED_FRAMES = 30
BETWEEN_FRAMES = 10
"""Samples from one frame to the next, at first, where the length is not known."""
MOST_CYCLES = 80
"""GC cycles whose start, end and sweep end are kept; of more every other one, every fourth, ..."""
MOST_CHECKPOINTS = 40
LOOKED_AT = 2
"""Objects that may be looked at for a frame, for each event since the one before."""

Samples = NDArray[np.void]


class Album:
    """What is taken on the way."""

    def __init__(self, events: int | None) -> None:
        """`events`: how many there will be, where that is known."""
        # A power of two, so that a step that doubles meets the samples that are there.
        even = -(-(events or 0) // EXPECTED_SAMPLES)
        self.step = max(FIRST_STEP, 1 << max(even - 1, 0).bit_length())
        expected = -(-(events or 0) // (EXPECTED_FRAMES * self.step))
        self.frame_step = (expected or BETWEEN_FRAMES) * self.step
        self.samples: list[Samples] = []
        self.frames: list[Frame] = []

    def wait(self, event: int) -> int:
        """How many events from here on there is nothing to take."""
        return self.step - event % self.step

    def add(self, row: Samples) -> None:
        """Keep a sample."""
        self.samples.append(row)
        if len(self.samples) > MOST_SAMPLES:
            self.step *= 2
            self.samples = [row for row in self.samples if int(row[0]["event"]) % self.step == 0]

    def wants_sample(self, event: int) -> bool:
        return event % self.step == 0

    def why_now(self, event: int, last: Kind) -> str:
        """Why a frame is due, "" where none is: the step is over; or half of it is and a cycle has just ended, for then most
        is to be seen."""
        since = event - self.frames[-1].event if self.frames else event
        if last is Kind.SNAP_END:
            return "start"
        if last is Kind.GC_END and 2 * since >= self.frame_step:
            return "gc"
        return "every" if since >= self.frame_step else ""

    def looked_at(self, event: int) -> int:
        """How many objects may be looked at for a frame at this event."""
        return LOOKED_AT * (event - self.frames[-1].event if self.frames else event)

    def paste(self, frame: Frame) -> None:
        """Keep a frame; of too many keep every other, and the first."""
        self.frames.append(frame)
        if len(self.frames) >= MOST_FRAMES:
            self.frames = self.frames[::2]
            self.frame_step *= 2

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
        page_map = on_one_grid(self.frames, base_addr, page_bytes, type_names)
        return Pictures(in_order(even[:: -(-len(even) // room) or 1], chosen), kept, page_map)


def with_peak(samples: Samples, peak: Samples) -> Samples:
    """The samples by event, with one of the peak where none was taken at its event."""
    samples = samples[np.argsort(samples["event"], kind="stable")]
    if not peak["heap_inuse"][0] or (samples["event"] == peak["event"][0]).any():
        return samples
    peak = peak.copy()
    peak["reason"] = Reason.PEAK
    return np.insert(samples, np.searchsorted(samples["event"], peak["event"][0]), peak)


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


def on_one_grid(frames: list[Frame], base_addr: int, page_bytes: int, type_names: list[str]) -> PageMap | None:
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
        types = np.full(cells, -1, np.int64)
        planes[:, at : at + frame.planes.shape[1]] = frame.planes
        types[at : at + frame.planes.shape[1]] = frame.types
        placed.append(replace(frame, first_cell=first, planes=planes, types=types))
    return PageMap(base_addr, page_bytes, shift, first, cells, placed, type_names)


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
    return replace(frame, first_cell=frame.first_cell >> 1, shift=frame.shift + 1, planes=out.astype(np.uint8), types=chosen)
