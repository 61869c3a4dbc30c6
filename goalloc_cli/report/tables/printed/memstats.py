"""Reports about MemStats: where Sys goes, where RSS goes, sizes, checks, changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, count, share, size, text
from goalloc_cli.report.units import iec, short_size

Document = dict[str, Any]

ROWS = {
    "objects": ("objects, living and dead", "HeapAlloc", "heap/objects"),
    "unused": ("free slots in spans", "HeapInuse - HeapAlloc", "heap/unused"),
    "inuse": ("spans in use", "HeapInuse", "heap/objects + unused"),
    "free": ("free pages, kept", "HeapIdle - HeapReleased", "heap/free"),
    "idle": ("free pages", "HeapIdle", "heap/free + released"),
    "released": ("given back", "HeapReleased", "heap/released"),
    "stacks": ("stacks of goroutines", "StackInuse", "heap/stacks"),
    "os_stacks": ("stacks of threads", "StackSys - StackInuse", "os-stacks"),
    "stacks_sys": ("stacks", "StackSys", "heap/stacks + os-stacks"),
    "mspan_inuse": ("span structures", "MSpanInuse", "metadata/mspan/inuse"),
    "mspan_free": ("span structures, free", "MSpanSys - MSpanInuse", "metadata/mspan/free"),
    "mspan_sys": ("span structures", "MSpanSys", "metadata/mspan"),
    "mcache_inuse": ("mcache structures", "MCacheInuse", "metadata/mcache/inuse"),
    "mcache_free": ("mcache structures, free", "MCacheSys - MCacheInuse", "metadata/mcache/free"),
    "mcache_sys": ("mcache structures", "MCacheSys", "metadata/mcache"),
    "buckets": ("profiling", "BuckHashSys", "profiling/buckets"),
    "gc": ("GC bits and queues", "GCSys", "metadata/other"),
    "other": ("the runtime's other", "OtherSys", "other"),
    "not_told": ("not told apart", "the rest", ""),
    "contradiction": ("does not add up", "", ""),
    "total": ("= Sys", "Sys", "total"),
    "heap_total": ("= HeapSys", "HeapSys", ""),
}
"""For people, in MemStats, in /memory/classes of runtime/metrics."""

RESIDENT = {
    "sys": ("Sys", "what Go has taken"),
    "heap_sys": ("HeapSys", "what the dump has instead of Sys"),
    "minus_released": ("- given back", "HeapReleased"),
    "lazy": ("+ of it, still resident", "LazyFree of Go's mappings: MADV_FREE"),
    "lazy_or_outside": ("+ of it, or not Go's", "the rest of the RSS: MADV_FREE, or C, mmap, files, binary"),
    "outside": ("+ not Go's", "the rest of the RSS: C, mmap, files, binary"),
    "more": ("+ more than Go says", "the rest: another moment, or huge pages"),
    "untouched": ("- never touched", "the rest; or swapped out"),
    "binary": ("+ the binary", "mappings of its file, and its .bss"),
    "library": ("+ libraries", "mappings of .so files"),
    "file": ("+ other files", "mappings of files"),
    "files": ("+ files", "RssFile: binary, libraries, mapped files"),
    "c_heap": ("+ C's malloc", "[heap] and arenas of the C library"),
    "main_stack": ("+ first thread's stack", "[stack]"),
    "kernel": ("+ the kernel's pages", "[vdso], [vvar]"),
    "nameless": ("+ other anonymous", "more than Go's own can be"),
    "rss": ("= RSS", ""),
}
"""For people, and how each is known."""

KINDS = {
    "go_heap": "Go's heap and stacks",
    "go_runtime": "Go's runtime",
    "anonymous": "other anonymous",
    "c_heap": "C's malloc",
    "binary": "the binary, with its .bss",
    "library": "libraries",
    "file": "other files",
    "main_stack": "first thread's stack",
    "kernel": "pages of the kernel",
}

FIGURES = {"exact": "exact", "print": "bounded", "rest": "the rest", "left": "wrong"}
LEDGER_NOTE = "Names of runtime/metrics stand in /memory/classes/...:bytes."
CGROUP = ("anon", "file", "shmem", "kernel", "slab", "sock", "rss", "cache", "mapped_file", "swap", "inactive_file",
          "active_file", "file_mapped", "anon_thp", "rss_huge", "pgmajfault")  # fmt: skip
EVENTS = ("pgmajfault",)


def overview(document: Document) -> list[Block]:
    """All that fits a screen."""
    return [
        *resident_table(document),
        *ledger_table(document),
        *change_table(document),
        *container(document),
    ]


def headline(document: Document) -> str:
    found = document["summary"]
    parts = [document["text"]["name"], document["text"]["form"]]
    if document["go_version"]:
        parts.append(f"go{document['go_version'].removeprefix('go')}")
    parts += [f"{name} {iec(found[name])}" for name in ("HeapAlloc", "Sys", "RSS") if found[name] is not None]
    return ", ".join(parts)


def ledger(document: Document) -> list[Block]:
    return ledger_table(document)


def ledger_table(document: Document) -> list[Block]:
    """Where Sys goes."""
    rows: list[Sequence[Cell]] = [
        (*(ROWS[r["name"]][0], r["name"], r["bytes"], r["share"], ROWS[r["name"]][1], ROWS[r["name"]][2]), FIGURES[r["how"]],
         r["low"], r["high"])
        for r in document["ledger"]
        if r["bytes"] or r["how"] != "exact"
    ]  # fmt: skip
    columns = (
        text("row", "row"),
        Column("key", "", "machine"),
        size("bytes", "bytes"),
        share("share", "share"),
        text("memstats", "in MemStats", 2),
        text("metrics", "in runtime/metrics", 4),
        text("figure", "figure", 1),
        Column("low", "", "machine"),
        Column("high", "", "machine"),
    )
    whole = bool(rows) and document["ledger"][-1]["name"] == "total"
    return [Table("ledger", "Where Sys goes" if whole else "Where HeapSys goes", columns, rows, (LEDGER_NOTE,), total=True)]


def resident(document: Document) -> list[Block]:
    return [*resident_table(document), *mappings(document), *container(document)]


def resident_table(document: Document) -> list[Block]:
    """From Sys to RSS."""
    found = document["resident"]
    if not found:
        return []
    rows: list[Sequence[Cell]] = [
        (RESIDENT[r["name"]][0], r["name"], r["bytes"], r["share"], known(r, document), r["low"], r["high"]) for r in found
    ]
    columns = (
        text("row", "row"),
        Column("key", "", "machine"),
        size("bytes", "bytes"),
        share("share", "of RSS", 1),
        text("how", "how we know", 2),
        Column("low", "", "machine"),
        Column("high", "", "machine"),
    )
    return [Table("rss", "From Sys to RSS", columns, rows, resident_notes(document), total=True)]


def known(row: Document, document: Document) -> str:
    told = document["process"]
    if row["name"] == "rss":
        return "as you say, or the scrape" if told is None else str(told["form"])
    if row["name"] == "nameless" and row["high"] > row["low"]:
        return f"at least; at most {iec(row['high'])}"
    return RESIDENT[row["name"]][1]


def resident_notes(document: Document) -> list[str]:
    told = document["process"]
    found = []
    if told and told["huge_bytes"]:
        found.append(f"{iec(told['huge_bytes'])} of it in huge pages, which are resident as a whole.")
    if told and told["swap_bytes"]:
        found.append(f"{iec(told['swap_bytes'])} is swapped out, and not in the RSS.")
    if any(row["name"] == "untouched" for row in document["resident"]):
        found.append("Go counts memory from when it takes it; the system counts a page from its first use.")
    return found


def mappings(document: Document) -> list[Block]:
    """What the system has mapped, by kind: the sum is the Rss of smaps."""
    told = document["process"]
    if told is None or not told["kinds"]:
        return []
    keys = ("count", "size_bytes", "rss_bytes", "lazy_free_bytes", "huge_bytes", "swap_bytes")
    rows: list[Sequence[Cell]] = [
        (KINDS[k["kind"]], k["kind"], *(k[key] for key in keys))
        for k in sorted(told["kinds"], key=lambda k: -int(k["rss_bytes"]))
    ]
    rows.append(("= all", "all", *(sum(int(k[key]) for k in told["kinds"]) for key in keys)))
    columns = (
        text("kind", "kind"),
        Column("key", "", "machine"),
        count("mappings", "mappings", 3),
        size("size_bytes", "mapped", 2),
        size("rss_bytes", "resident"),
        size("lazy_free_bytes", "given back"),
        size("huge_bytes", "huge pages", 4),
        size("swap_bytes", "swapped", 5),
    )
    note = "given back: LazyFree, which the system takes when it runs short. Other anonymous: Go's runtime, mmap, threads."
    return [Table("mappings", f"Mappings, from {told['name']}", columns, rows, (note,), total=True)]


def container(document: Document) -> list[Block]:
    """What the cgroup counts, of all its processes."""
    found = document["cgroup"]
    if not found:
        return []
    rows: list[Sequence[Cell]] = [(name, found[name]) for name in CGROUP if name in found and name not in EVENTS]
    rss, anon = document["summary"]["RSS"], found.get("anon", found.get("rss"))
    notes = [
        "file (cache) is of the whole container; the system takes it back when it runs short, which anon (rss) it cannot."
    ]
    if rss is not None and anon is not None:
        what = "less" if anon < rss else "more"
        notes.append(f"Anonymous memory is {iec(abs(anon - rss))} {what} than the RSS of this process.")
    return [Table("cgroup", "What the container counts", (text("counter", "counter"), size("bytes", "bytes")), rows, notes)]


def sizes(document: Document) -> list[Block]:
    """Live objects by size class."""
    rows: list[Sequence[Cell]] = [
        (
            short_size(r["size_bytes"]) if r["size_bytes"] else "larger",
            *(r["size_bytes"], r["objects"], r["live_bytes"], r["rounding_high_bytes"], r["mallocs"], r["frees"]),
        )
        for r in sorted(document["sizes"], key=lambda r: -int(r["live_bytes"]))
    ]
    columns = (
        text("class", "size class"),
        Column("size_bytes", "", "machine"),
        count("objects", "live objects"),
        size("live_bytes", "in slots"),
        size("rounding_high_bytes", "rounding, at most"),
        count("mallocs", "mallocs", 2),
        count("frees", "frees", 3),
    )
    return [Table("sizes", "Live objects by size class, most bytes first", columns, rows, size_notes(document))]


def size_notes(document: Document) -> list[str]:
    if not document["sizes"]:
        return []
    unused = [row["bytes"] for row in document["ledger"] if row["name"] == "unused"]
    spread = "how they spread over the classes only a recording tells"
    whole = f"Free slots are {iec(unused[0])} together; {spread}. " if unused else ""
    rounding = "Rounding: each object wanted more than the next smaller class has. Tiny objects share slots of 16 B."
    return [f"{whole}{rounding}"]


def checks(document: Document) -> list[Block]:
    """The sums that Go makes equal."""
    rows: list[Sequence[Cell]] = [
        (c["left"], c["relation"], c["right"], c["left_bytes"], c["right_bytes"], c["holds"]) for c in document["checks"]
    ]
    columns = (
        text("left", "this"),
        text("relation", "is"),
        text("right", "that"),
        count("left_bytes", "left", 1),
        count("right_bytes", "right", 1),
        Column("holds", "holds", "text"),
    )
    return [Table("checks", "What must hold between numbers of one moment", columns, rows)]


def changes(document: Document) -> list[Block]:
    return change_table(document)


def change_table(document: Document) -> list[Block]:
    """What changed between the first moment and the last."""
    found = document["changes"]
    if not found:
        return []
    rows: list[Sequence[Cell]] = [
        (c["name"], c["before"], c["after"], c["change"], c["per_second"], unit_of(c["name"])) for c in found if c["change"]
    ]
    columns = (
        text("name", "number"),
        Column("before", "first", "by unit"),
        Column("after", "last", "by unit"),
        Column("change", "change", "by unit"),
        Column("per_second", "per second", "by unit"),
        Column("unit", "", "machine"),
    )
    seconds = document["seconds"]
    notes = [f"In {seconds:,.0f} s." if seconds else "How much time lies between is not known: --apart SECONDS tells it."]
    cycles = {c["name"]: c["change"] for c in found}
    if cycles.get("NumGC", 0) > 0 and "TotalAlloc" in cycles:
        notes.append(f"{iec(cycles['TotalAlloc'] / cycles['NumGC'])} were allocated for each GC cycle.")
    return [Table("changes", "What changed from the first moment to the last", columns, rows, notes)]


def unit_of(name: str) -> str:
    if name in ("Mallocs", "Frees", "HeapObjects", "NumGC", "NumForcedGC") or name.endswith((":goroutines", ":percent")):
        return "count"
    return "ns" if name == "PauseTotalNs" else "bytes"
