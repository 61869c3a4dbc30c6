"""Samples that the replay's loop takes by itself, evenly between events and within a cap, for a trace of any length.

The length may not be known before. Then every sixteenth event is sampled at first; whenever there are too many samples,
every other one is dropped, and the next ones are taken half as often. What is left depends on the events alone, never on
batches.

The table SERIES: due, how many events there are when the next sample is to be taken (NEVER: none is); step, events between
two samples; count, samples so far; frame_step and framed, events between two maps, and the event of the last one;
wants_frame, that a map is due; buffers, how many of the tracer's are known, by their handle and place; buffers_until, the
last sample at which all of them lived; rows, the samples.
"""

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import apart, inner
from goalloc_cli.model.books.ledger import take_sample
from goalloc_cli.model.tables.columns import OBJECTS
from goalloc_cli.model.tables.heap import HEAP
from goalloc_cli.model.tables.objects import OBJECT_LIVE
from goalloc_cli.results.outcome import SAMPLE, Reason
from goalloc_cli.results.pictures import MOST_SAMPLES
from goalloc_cli.trace.event import Kind

NEVER = 1 << 62
BUFFERS = 4
NUMBERS = ("due", "step", "count", "frame_step", "framed", "wants_frame", "buffers", "buffers_until")
SERIES = np.dtype(
    [
        *((name, "<i8") for name in NUMBERS),
        ("buffer", "<i8", (BUFFERS,)),
        ("buffer_loc", "<i8", (BUFFERS,)),
        ("rows", SAMPLE, (MOST_SAMPLES + 1,)),
    ]
)
EVERY = int(Reason.EVERY)
FIRST_SNAP, SNAP_END, FIRST_HINT = int(Kind.SNAP_RANGE), int(Kind.SNAP_END), 32


def new_series() -> np.record:
    """A series that no sample is taken for; other numbers make it one."""
    series: np.record = np.zeros(1, SERIES).view(np.recarray)[0]
    series.due = NEVER
    return series


@apart
def take_due(heap: HEAP, objects: OBJECTS, event, last, series: SERIES) -> None:
    """Take the sample that is due behind `event` events, of which `last` is the kind of the last one."""
    series.due = event + series.step
    if FIRST_SNAP <= last < FIRST_HINT and last != SNAP_END:
        return  # before its end a snapshot is no heap that ever was
    add(heap, objects, event, series)
    if event % series.step == 0 and event - series.framed >= series.frame_step:
        series.wants_frame = 1


@inner
def add(heap, objects, event, series):
    """Take a sample; where there are too many, drop every other one."""
    row = series.rows[series.count]
    take_sample(heap, row)
    row.event, row.reason, row.name = event, EVERY, 0
    series.count += 1
    if series.buffers > 0 and buffers_live(objects, series):
        series.buffers_until = event
    if series.count <= MOST_SAMPLES:
        return
    series.step *= 2
    series.due = (event // series.step + 1) * series.step
    kept = 0
    for i in range(series.count):
        if series.rows[i].event % series.step == 0:
            series.rows[kept] = series.rows[i]
            kept += 1
    series.count = kept


@inner
def buffers_live(objects, series):
    """True where all buffers of the tracer still live where they were."""
    for i in range(series.buffers):
        at = series.buffer[i]
        if at >= len(objects) or objects[at].label & OBJECT_LIVE == 0 or objects[at].loc != series.buffer_loc[i]:
            return False
    return True
