"""The knobs of memory given back to the OS, and of what the runtime needs beside the heap."""

from __future__ import annotations

from dataclasses import dataclass

from goalloc_cli.design.choices import GrowthScavenge, ScavengeIndex, Scavenger
from goalloc_cli.design.knob import choice, knob, switch

NO_LIMIT = (1 << 63) - 1
"""A `memory_limit` that is never reached: what Go says for GOMEMLIMIT=off."""


@dataclass(frozen=True)
class MemoryKnobs:
    """What a `Design` knows of memory given back. The defaults are Go 1.27 on linux/amd64."""

    scavenger: int = choice(
        Scavenger.PACED,
        "Who gives memory back in the background: what lay idle for five minutes until Go 1.12, a paced one since 1.13 "
        "(proc.go, sysmon; mgcscavenge.go, bgscavenge).",
    )
    retain_percent: int = knob(
        10,
        0,
        1000,
        "The paced scavenger keeps the last cycle's HeapInuse, scaled as the heap goal moved, and this much more "
        "(mgcscavenge.go, retainExtraPercent).",
    )
    goal_off_when_met: int = switch(
        1,
        "A heap that keeps no more than its goal at the end of a cycle has none until the next: since Go 1.14 "
        "(mgcscavenge.go, gcPaceScavenger).",
    )
    scavenge_when_paced: int = switch(
        0,
        "The paced scavenger is woken where its goal is set, and runs before the program goes on: Go 1.13; since then when "
        "sweeping is done and when a cycle starts (mgcscavenge.go, gcPaceScavenger).",
    )
    scavenge_index: int = choice(
        ScavengeIndex.DENSITY,
        "Which free pages of the bitmap are released: a cursor in Go 1.14, one a generation until 1.18, marked chunks in "
        "1.19 and 1.20, chunks that were not dense since 1.21 (mgcscavenge.go).",
    )
    dense_pages: int = knob(
        496,
        1,
        513,
        "With scavenge_index=density: pages of 512 in use from which a chunk is left alone, for the sake of huge pages "
        "(mgcscavenge.go, scavChunkHiOccPages).",
    )
    huge_page_bytes: int = knob(
        2 << 20, 0, 4 << 20, "A release breaks no free huge page; 0: there are none (mgcscavenge.go, physHugePageSize)."
    )
    huge_pages: int = switch(
        0,
        "The OS makes memory huge pages wherever it can (transparent_hugepage=always), so that more may be resident.",
    )
    growth_scavenge: int = choice(
        GrowthScavenge.GOAL,
        "What a growth releases in exchange: the longest runs in Go 1.12, what exceeds the goal since 1.13 "
        "(mheap.go, scavengeLargest, allocSpan).",
    )
    growth_scavenge_last: int = switch(
        1, "A growth releases after the pages that it was for are taken: since Go 1.18, before that first (mheap.go)."
    )
    scavenge_quantum: int = knob(
        64 << 10, 4096, 1 << 40, "Bytes that the scavenger releases in one go: a page until Go 1.17 (mgcscavenge.go, run)."
    )
    scavenge_percent: int = knob(1, 0, 100, "CPU time that the scavenger may take, in percent (mgcscavenge.go).")
    scavenge_controller: int = switch(
        1,
        "The percentage is of all Ps, works for a millisecond at least, and a controller sets the sleep between: since Go "
        "1.18; before, of one P, after each quantum (mgcscavenge.go, sleep).",
    )
    scavenge_bytes_per_ms: int = knob(
        28 << 20,
        4096,
        1 << 40,
        "Bytes released by a millisecond of the scavenger's work, as measured: 260 to 390 MiB/s at 1 % of one CPU.",
    )
    release_lazily: int = switch(
        0,
        "Released pages stay resident until the OS is short of memory (MADV_FREE): Go 1.12 to 1.15; at once (MADV_DONTNEED) "
        "before and since (mem_linux.go).",
    )
    memory_limit: int = knob(
        NO_LIMIT, 0, NO_LIMIT, f"GOMEMLIMIT in bytes, since Go 1.19; {NO_LIMIT} is off (mgcpacer.go, mheap.go)."
    )
    limit_headroom_percent: int = knob(
        3, 0, 100, "The heap goal stays this far, and 1 MiB at least, from the memory limit: since Go 1.21 (mgcpacer.go)."
    )
    limit_background_percent: int = knob(
        95,
        0,
        100,
        "The background scavenger starts at this part of the memory limit: since Go 1.22; 0, never, before, where a slip "
        "made it 95 times the limit (mgcscavenge.go, gcPaceScavenger).",
    )
    mspan_bytes: int = knob(160, 0, 4096, "A span's record: 144 bytes until Go 1.20, 168 in 1.21, 160 since (mheap.go).")
    mcache_bytes: int = knob(2296, 0, 65536, "A P's mcache: 1200 bytes until Go 1.23, 1208 until 1.25 (mcache.go).")
    arena_metadata_bytes: int = knob(
        69648, 0, 1 << 30, "Records of an arena of 64 MiB: 2 MiB of pointer bits until Go 1.19, 1 MiB until 1.21 (mheap.go)."
    )
    other_bytes: int = knob(
        3 << 20,
        0,
        1 << 40,
        "What the runtime maps beside all that is modelled, in a small program. It counts towards the memory limit.",
    )
    profile_table_bytes: int = knob(
        1_440_000,
        0,
        1 << 30,
        "The table of the call stacks of profiles, which is there in every program since Go 1.25, and before where a memory "
        "profile was linked in: then set it. Counts in `pace` alone (mprof.go, buckhashArray).",
    )
