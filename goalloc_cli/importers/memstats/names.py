"""The names of MemStats' numbers: in runtime.MemStats, in runtime/metrics, and in a Prometheus scrape.

Go: runtime/mstats.go, MemStats; runtime/metrics/description.go. Of the scrape: client_golang, prometheus/go_collector.go and
internal/go_runtime_metrics.go, whose rules make the names.
"""

from __future__ import annotations

import re

MEMSTATS = (
    "Alloc", "TotalAlloc", "Sys", "Lookups", "Mallocs", "Frees",
    "HeapAlloc", "HeapSys", "HeapIdle", "HeapInuse", "HeapReleased", "HeapObjects",
    "StackInuse", "StackSys", "MSpanInuse", "MSpanSys", "MCacheInuse", "MCacheSys",
    "BuckHashSys", "GCSys", "OtherSys", "NextGC", "LastGC", "PauseTotalNs",
)  # fmt: skip
"""The numbers at the head of the struct, in its order, as `%v` prints them."""
BEHIND = ("NumGC", "NumForcedGC")
"""Those behind its two rings of pauses."""
ALSO = ("MaxRSS",)
"""What runtime/pprof prints beside them."""
KNOWN = (*MEMSTATS, *BEHIND, *ALSO)

BYTES = frozenset(KNOWN) - {"Lookups", "Mallocs", "Frees", "HeapObjects", "LastGC", "PauseTotalNs", *BEHIND}
"""Those that count bytes."""

TELLING = frozenset(MEMSTATS) - {"Lookups", "Sys", "Mallocs", "Frees"}
"""Names that hardly mean anything else."""

CLASSES = {
    f"/memory/classes/{path}:bytes"
    for path in (
        "heap/free", "heap/objects", "heap/released", "heap/stacks", "heap/unused", "metadata/mcache/free",
        "metadata/mcache/inuse", "metadata/mspan/free", "metadata/mspan/inuse", "metadata/other", "os-stacks", "other",
        "profiling/buckets", "total",
    )
}  # fmt: skip

SUMS = {
    "HeapAlloc": ("heap/objects",),
    "HeapInuse": ("heap/objects", "heap/unused"),
    "HeapReleased": ("heap/released",),
    "HeapIdle": ("heap/free", "heap/released"),
    "HeapSys": ("heap/objects", "heap/unused", "heap/free", "heap/released"),
    "StackInuse": ("heap/stacks",),
    "StackSys": ("heap/stacks", "os-stacks"),
    "MSpanInuse": ("metadata/mspan/inuse",),
    "MSpanSys": ("metadata/mspan/inuse", "metadata/mspan/free"),
    "MCacheInuse": ("metadata/mcache/inuse",),
    "MCacheSys": ("metadata/mcache/inuse", "metadata/mcache/free"),
    "BuckHashSys": ("profiling/buckets",),
    "GCSys": ("metadata/other",),
    "OtherSys": ("other",),
    "Sys": ("total",),
}
"""What each is, in classes of runtime/metrics."""

METRICS = {
    "/gc/heap/goal:bytes": "NextGC",
    "/gc/heap/allocs:bytes": "TotalAlloc",
    "/gc/heap/objects:objects": "HeapObjects",
    "/gc/cycles/total:gc-cycles": "NumGC",
    "/gc/cycles/forced:gc-cycles": "NumForcedGC",
}
"""Other metrics that MemStats has."""
LIVE, GOGC, LIMIT, GOROUTINES = (
    "/gc/heap/live:bytes", "/gc/gogc:percent", "/gc/gomemlimit:bytes", "/sched/goroutines:goroutines",
)  # fmt: skip
"""And some that it has not."""
OWN_METRICS = {*CLASSES, *METRICS, LIVE, GOGC, LIMIT, GOROUTINES}
RSS = "process RSS"
"""Of a scrape."""


def bare(name: str) -> str:
    """A name as people write it in their own ways: heap_alloc, heapAlloc, HeapAlloc."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


BARE = {bare(name): name for name in KNOWN} | {"heaprelease": "HeapReleased", "nextgcbytes": "NextGC", "numgcs": "NumGC"}


BY_METRIC = {
    **{"go" + re.sub(r"[/:-]", "_", name): name for name in OWN_METRICS},
    "go_gc_duration_seconds_count": "NumGC",
    "go_goroutines": GOROUTINES,
    "process_resident_memory_bytes": RSS,
}
MEMSTATS_SERIES = re.compile(r"go_memstats_(\w+?)(_bytes)?(_total)?", re.ASCII)


def scraped(series: str) -> str | None:
    """What a series of a scrape is; None for those that are not read."""
    if found := MEMSTATS_SERIES.fullmatch(series):
        name = BARE.get(bare(found[1]))
        return "TotalAlloc" if name == "Alloc" and found[3] else name
    return BY_METRIC.get(series) or BY_METRIC.get(series.removesuffix("_total"))
