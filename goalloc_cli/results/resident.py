"""In which ranges HeapReleased and the resident memory lie, from one sample. (allocator.md 9)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Scavenger

Sample = np.void | Mapping[str, int]
"""A SAMPLE row, or its columns by name."""
GIVEN_BACK = ("released_background", "released_growth", "released_limit", "released_forced", "released_idle")
"""The fields of a sample that count what was ever given back."""
STRAY_PAGES = 64
"""Pages by which the order of frees, which no recording tells, moves what is released, for each P: its page cache's."""
OTHER_GROWTH = 4 << 20
OTHER_PERCENT = 7
"""What is not modelled may be so much more than `other_bytes`, and so many per cent of the memory in use: mark bits, work
buffers, finalizers. As measured; docs/figures.md."""


@dataclass(frozen=True)
class Range:
    """A figure as the model has it, and what it is at least and at most, in bytes."""

    model: int
    low: int
    high: int


def heap_released(sample: Sample, design: Design, ps: int, recorded: bool) -> Range:
    """HeapReleased.

    Where no recording tells when the background scavenger ran, it may have come down to its goal by now. With several Ps the
    heap may have grown once more, or once less: what it grows by is released until it is used.
    """
    released, backed = int(sample["heap_released"]), int(sample["heap_idle"] - sample["heap_released"])
    more = int(sample["released_more"])
    if not recorded and design.scavenger != Scavenger.NONE:
        more = max(more, int(sample["releasable"]))
    slack = stray(design, ps)
    grown = slack + (design.growth_pages * design.page_size if ps > 1 else 0)
    low = max(0, released - int(sample["released_less"]) - grown)
    return Range(released, low, released + min(more + slack, backed) + grown - slack)


def stray(design: Design, ps: int) -> int:
    """Bytes of pages that may be elsewhere."""
    return ps * STRAY_PAGES * design.page_size


def resident(sample: Sample, design: Design, ps: int, recorded: bool) -> dict[str, Range]:
    """The rows that sum to the resident memory.

    What is counted as used is resident at most. What of it was perhaps never touched is a row of its own, below 0.
    """
    released, backed = int(sample["heap_released"]), int(sample["heap_idle"] - sample["heap_released"])
    more = max(int(sample["released_more"]), 0 if recorded else int(sample["releasable"]))
    slack = stray(design, ps)
    idle_low = max(0, backed - more - slack)
    idle_high = backed + min(released, int(sample["released_less"]) + slack)
    records = int(sample["span_records"]) + int(sample["mcache_records"]) + int(sample["arena_records"])
    fresh = int(sample["untouched"]) + int(sample["free_slots_cached"])
    rows = {
        "heap_inuse": exactly(int(sample["heap_inuse"])),
        "idle_backed": Range(backed, idle_low, idle_high),
        "stacks": exactly(int(sample["stack_inuse"])),
        "gc_workbufs": exactly(int(sample["gc_workbufs"])),
        "untouched": Range(0, -fresh, -int(sample["tracer"])),
        "runtime_records": Range(records, 0, records),
        "not_modelled": others(sample, design),
    }
    if design.release_lazily:
        kept = min(released, sum(int(sample[name]) for name in GIVEN_BACK))
        rows["idle_lazy"] = Range(kept, 0, kept)
    if design.huge_pages:
        rows["huge_pages"] = Range(0, 0, int(sample["huge_room"]))
    return rows


def exactly(nbytes: int) -> Range:
    """A figure without doubt."""
    return Range(nbytes, nbytes, nbytes)


def others(sample: Sample, design: Design) -> Range:
    """What is not modelled: code and data of the program, threads, and tables of the runtime that grow with the heap."""
    used = int(sample["heap_sys"] - sample["heap_released"] + sample["stack_inuse"])
    return Range(
        design.other_bytes, design.other_bytes // 2, design.other_bytes + OTHER_GROWTH + used * OTHER_PERCENT // 100
    )


def total(rows: dict[str, Range]) -> Range:
    """The resident memory."""
    return Range(
        sum(row.model for row in rows.values()),
        max(0, sum(row.low for row in rows.values())),
        sum(row.high for row in rows.values()),
    )
