"""What Go changed where its releases differ in a knob: when, the issue or change list, and the section of docs/allocator.md.

An issue is named where it asks for, or tells of, just this change. Where none is known, the knob's reason names the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goalloc_cli.design.releases import RELEASES


@dataclass(frozen=True)
class Change:
    """Why a knob of one release differs from that of the release before it."""

    release: str
    what: str
    section: str
    """Of docs/allocator.md."""
    links: tuple[str, ...] = ()
    """golang/go#35112, CL 135395: as Go names them."""


HEADERS = ("golang/go#66737",)
PACER = ("golang/go#44167",)
PAGES = ("golang/go#35112",)
SCAVENGER = ("golang/go#30333",)
ARENAS = ("golang/go#10460",)

ORIGINS: dict[str, tuple[Change, ...]] = {
    "align_16_from": (Change("1.16", "there is a size class of 24 bytes", "1.3", ("golang/go#8885",)),),
    "malloc_header": (Change("1.22", "8 bytes before an object name its type, no bitmap does", "2.1", HEADERS),),
    "inline_mark_bytes": (Change("1.26", "Green Tea keeps mark bits at the end of spans", "3.2", ("golang/go#73581",)),),
    "central": (Change("1.15", "an mcentral has four sets of spans, not two lists", "5.2", ("golang/go#37487",)),),
    "span_budget": (
        Change("1.15", "a refill sweeps 101 spans in vain at most", "5.3", ("golang/go#18155", "golang/go#37487")),
    ),
    "pages": (
        Change("1.12", "free pages are found in two treaps, backed and released", "6.6"),
        Change("1.13", "first fit by address", "6.6", SCAVENGER),
        Change("1.14", "a bitmap of pages", "6.2", PAGES),
    ),
    "page_cache": (Change("1.14", "each P keeps 64 pages to itself", "6.2", PAGES),),
    "growth_pages": (
        Change("1.11", "the heap grows by arenas of 64 MiB", "6.4", ARENAS),
        Change("1.13", "the heap grows by the pages asked for", "6.4", SCAVENGER),
        Change("1.14", "the heap grows by 4 MiB", "6.4", PAGES),
    ),
    "growth_least_pages": (Change("1.11", "the heap no longer grows by 1 MiB at least", "6.4", ARENAS),),
    "growth_released": (Change("1.13", "what the heap grows by is released until used", "6.4", ("golang/go#32012",)),),
    "count_reserved": (
        Change("1.13", "HeapSys counts whole arenas", "6.4", ("golang/go#32012",)),
        Change("1.17", "HeapSys counts what the heap grew by, not whole arenas", "6.4", ("golang/go#42612",)),
    ),
    "heap_base": (Change("1.11", "the heap has no tables before it", "6.4", ARENAS),),
    "flush_before_sweep": (Change("1.12", "each P empties its mcache when it next allocates", "4.2"),),
    "background_batch": (Change("1.20", "the background sweeper yields every 10 spans", "8.5", ("golang/go#54767",)),),
    "reclaim": (
        Change("1.12", "windows of the heap are swept before new pages are taken", "8.5", ("golang/go#11979",)),
    ),
    "debt_guard": (Change("1.19", "a flush no longer forgives sweep debt", "8.4"),),
    "pacer": (
        Change("1.18", "stacks and globals count, the trigger lies a runway before the goal", "8.3", PACER),
        Change("1.19", "the trigger has tighter bounds", "8.3", PACER),
    ),
    "globals_scan_bytes": (
        Change("1.20", "the runtime has fewer globals, which count towards the goal", "8.2"),
        Change("1.22", "the runtime has more globals, which count towards the goal", "8.2"),
        Change("1.23", "the runtime has fewer globals, which count towards the goal", "8.2"),
    ),
    "cons_mark": (
        Change("1.18", "the trigger follows an estimate of how fast the program allocates", "8.3", PACER),
        Change("1.20", "that estimate needs time, which a trace may not tell", "8.3"),
    ),
    "least_trigger_percent": (
        Change("1.14", "a cycle starts no earlier than 60 % of the way", "8.3", ("golang/go#35430", "golang/go#37927")),
    ),
    "aim_at_goal": (Change("1.13", "the trigger aims at the goal in force", "8.3"),),
    "sweep_margin_by_gogc": (Change("1.13", "while sweeping is unfinished the margin is 1 MiB", "8.3"),),
    "scavenger": (Change("1.13", "a paced scavenger, not what lay idle for five minutes", "9.4", SCAVENGER),),
    "goal_off_when_met": (Change("1.14", "no goal for a heap that keeps no more than it anyway", "9.1"),),
    "scavenge_when_paced": (
        Change("1.13", "the scavenger is woken where its goal is set", "9.4", SCAVENGER),
        Change("1.14", "the scavenger is woken when sweeping is done", "9.4", ("golang/go#35788",)),
    ),
    "scavenge_index": (
        Change("1.15", "the cursor of the scavenger moves by generations", "9.2", ("golang/go#35788",)),
        Change("1.19", "the scavenger marks chunks that have something free", "9.2"),
        Change("1.21", "the scavenger leaves dense chunks alone", "9.2", ("golang/go#59960",)),
    ),
    "growth_scavenge": (
        Change("1.12", "growth releases the longest free runs", "9.3"),
        Change("1.13", "growth releases what exceeds the goal", "9.3", SCAVENGER),
    ),
    "growth_scavenge_last": (Change("1.18", "growth releases after its pages are taken", "9.3"),),
    "scavenge_quantum": (Change("1.18", "the scavenger releases 64 KiB in one go, not a page", "9.4"),),
    "scavenge_controller": (Change("1.18", "the scavenger may take 1 % of all Ps, paced by a controller", "9.4"),),
    "release_lazily": (
        Change("1.12", "MADV_FREE: the OS takes pages when it needs them", "9.5", ("golang/go#23687", "CL 135395")),
        Change("1.16", "MADV_DONTNEED: the OS takes pages at once", "9.5", ("golang/go#42330",)),
    ),
    "limit_headroom_percent": (Change("1.21", "the goal stays 3 % below the memory limit", "8.2"),),
    "limit_background_percent": (
        Change("1.22", "the background scavenger minds the memory limit", "9.1", ("golang/go#62449",)),
    ),
    "mspan_bytes": (
        Change("1.21", "a span's record is longer", "6.7"),
        Change("1.22", "a span's record is shorter", "6.7", HEADERS),
    ),
    "mcache_bytes": (
        Change("1.24", "a P's mcache is longer", "10.2"),
        Change("1.26", "a P's mcache is longer", "10.2"),
    ),
    "arena_metadata_bytes": (
        Change("1.20", "the bitmap of pointers beside an arena is half as long", "9.6"),
        Change("1.22", "no bitmap of pointers beside an arena", "9.6", HEADERS),
        Change("1.25", "an arena's record is longer", "9.6"),
    ),
    "other_bytes": (Change("1.20", "the runtime maps less beside the heap", "9.6"),),
    "profile_table_bytes": (Change("1.25", "every program has the table of profiled call stacks", "10.2"),),
}
"""By the name of the knob: every change from one release to the next."""


def origins(knob: str, before: str | None, after: str | None) -> Sequence[Change]:
    """What changed a knob from one release to another, either way; all that ever did, where these are none."""
    order = list(RELEASES)
    changes = ORIGINS.get(knob, ())
    if before not in RELEASES or after not in RELEASES:
        return changes
    first, last = sorted((order.index(before), order.index(after)))
    return [change for change in changes if first < order.index(change.release) <= last]
