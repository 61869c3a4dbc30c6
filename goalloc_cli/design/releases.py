"""The releases of Go that are modelled, each as what differs from the one after it."""

from __future__ import annotations

from dataclasses import replace

from goalloc_cli.design.allocator import NO_BUDGET, Design
from goalloc_cli.design.choices import Central, GrowthScavenge, Pacer, Pages, Reclaim, ScavengeIndex, Scavenger
from goalloc_cli.errors import DesignError

# The last patch release of each that was looked at; each line is what differs from the release after it.
GO_1_27 = Design()
GO_1_26 = replace(GO_1_27)
GO_1_25 = replace(GO_1_26, inline_mark_bytes=0, mcache_bytes=1208)
GO_1_24 = replace(GO_1_25, arena_metadata_bytes=68624, profile_table_bytes=0)
GO_1_23 = replace(GO_1_24, mcache_bytes=1200)
GO_1_22 = replace(GO_1_23, globals_scan_bytes=412_000)
GO_1_21 = replace(
    GO_1_22,
    malloc_header=0,
    globals_scan_bytes=207_408,
    limit_background_percent=0,
    mspan_bytes=168,
    arena_metadata_bytes=1133584,
)
GO_1_20 = replace(GO_1_21, scavenge_index=ScavengeIndex.MARKED, limit_headroom_percent=0, mspan_bytes=144)
GO_1_19 = replace(
    GO_1_20,
    background_batch=1,
    globals_scan_bytes=226_360,
    cons_mark=1,
    arena_metadata_bytes=2165776,
    other_bytes=7 << 20,
)
GO_1_18 = replace(GO_1_19, pacer=Pacer.RUNWAY, debt_guard=0, scavenge_index=ScavengeIndex.GENERATIONS)
GO_1_17 = replace(
    GO_1_18, pacer=Pacer.RATIO, cons_mark=0, growth_scavenge_last=0, scavenge_quantum=8192, scavenge_controller=0
)
GO_1_16 = replace(GO_1_17, count_reserved=1)
GO_1_15 = replace(GO_1_16, align_16_from=16, release_lazily=1)
GO_1_14 = replace(
    GO_1_15, central=Central.SPAN_LISTS, span_budget=NO_BUDGET, scavenge_index=ScavengeIndex.CURSOR
)
GO_1_13 = replace(
    GO_1_14,
    pages=Pages.ADDRESS_TREAP,
    page_cache=0,
    growth_pages=1,
    scavenge_when_paced=1,
    goal_off_when_met=0,
    least_trigger_percent=0,
)
GO_1_12 = replace(
    GO_1_13,
    pages=Pages.TWO_TREAPS,
    growth_pages=8192,
    growth_released=0,
    growth_scavenge=GrowthScavenge.LARGEST,
    scavenger=Scavenger.IDLE_RUNS,
    scavenge_when_paced=0,
    count_reserved=0,
    aim_at_goal=0,
    sweep_margin_by_gogc=1,
)
GO_1_11 = replace(
    GO_1_12,
    pages=Pages.LISTS_AND_TREAP,
    growth_scavenge=GrowthScavenge.NOTHING,
    release_lazily=0,
    flush_before_sweep=1,
    reclaim=Reclaim.BUSY_LISTS,
)
GO_1_10 = replace(GO_1_11, growth_pages=8, growth_least_pages=128, heap_base=0xC420000000)

RELEASES: dict[str, Design] = {
    "1.10": GO_1_10,
    "1.11": GO_1_11,
    "1.12": GO_1_12,
    "1.13": GO_1_13,
    "1.14": GO_1_14,
    "1.15": GO_1_15,
    "1.16": GO_1_16,
    "1.17": GO_1_17,
    "1.18": GO_1_18,
    "1.19": GO_1_19,
    "1.20": GO_1_20,
    "1.21": GO_1_21,
    "1.22": GO_1_22,
    "1.23": GO_1_23,
    "1.24": GO_1_24,
    "1.25": GO_1_25,
    "1.26": GO_1_26,
    "1.27": GO_1_27,
}
"""Every release that is modelled, oldest first."""


def release(version: str) -> Design:
    """The design of Go `version` ("1.27", "go1.26.6").

    Raises:
        DesignError: the release is not modelled; the message lists those that are.
    """
    wanted = ".".join(version.removeprefix("go").split(".")[:2])
    if wanted not in RELEASES:
        raise DesignError(f"Go {version} is not modelled; there are {', '.join(RELEASES)}")
    return RELEASES[wanted]
