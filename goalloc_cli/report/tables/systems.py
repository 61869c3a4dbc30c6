"""Reports about the allocator's systems: mcaches, central, arenas, locks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, count, share, size, text
from goalloc_cli.report.tables.objects import spc_name

Document = dict[str, Any]


def mcaches(document: Document) -> list[Block]:
    columns = (
        count("p", "P"),
        count("refills", "refills"),
        count("flushes", "flushes"),
        count("tiny_allocs", "tiny packed", 2),
        count("cached_spans", "cached spans"),
        size("cached_free_bytes", "free in them"),
        count("page_cache_pages", "page cache, pages", 1),
        size("stack_cache_bytes", "stack cache", 3),
    )
    rows = [tuple(m[c.key] for c in columns) for m in document["mcaches"]]
    note = "An mcache holds a span of each class for its P. A refill trades a full span for one with free slots."
    return [Table("mcaches", "mcaches, one for each P", columns, rows, (note,))]


def central(document: Document) -> list[Block]:
    """Two tables: what the lists hold, and who served the refills."""
    sizes = {c["spc"]: c["elem_size"] for c in document["classes"]}
    rows = document["central"]
    name = (text("class", "class"), Column("spc", "span class", "machine"))
    held = ("partial_swept", "full_swept", "partial_unswept", "full_unswept")
    titles = {"swept_for_refill": "swept"}
    served = ("from_partial_swept", "from_partial_unswept", "from_full_unswept", "from_heap")

    def table(table_name: str, title: str, keys: Sequence[str], note: str) -> Table:
        columns = (*name, *(count(k, titles.get(k, k.removeprefix("from_").replace("_", " "))) for k in keys))
        cells: list[Sequence[Cell]] = [
            (spc_name(r["spc"], sizes.get(r["spc"], 0)), r["spc"], *(r[k] for k in keys)) for r in rows
        ]
        return Table(table_name, title, columns, cells, (note,))

    return [
        table("central_lists", "mcentral: spans in each set", held, "At the end, in spans."),
        table(
            "central_refills",
            "mcentral: who served refills",
            (*served, "swept_for_refill"),
            "Refills by where the span came from, and (swept) spans that refills swept on the way.",
        ),
    ]


def arenas(document: Document) -> list[Block]:
    page = document["design"]["knobs"]["page_size"]
    columns = (
        Column("start_addr", "arena", "address"),
        size("mapped_bytes", "in the heap"),
        size("inuse_bytes", "heap spans"),
        size("stack_bytes", "stacks, GC", 1),
        size("free_bytes", "free, backed"),
        size("released_bytes", "released"),
        share("inuse_share", "in use"),
    )
    rows: list[Sequence[Cell]] = []
    for a in document["arenas"]:
        bytes_of = [a[k] * page for k in ("pages", "inuse", "stacks", "free", "released")]
        rows.append((a["start_addr"], *bytes_of, a["inuse"] / a["pages"] if a["pages"] else None))
    caches: list[Sequence[Cell]] = [
        (m["p"], m["page_cache_pages"], m["page_cache_pages"] * page) for m in document["mcaches"]
    ]
    cache_columns = (count("p", "P"), count("pages", "pages"), size("bytes", "bytes"))
    note = ("Free pages each P keeps to itself, of one 64-page block: taken without the heap lock.",)
    return [
        Table("arenas", "Arenas of 64 MiB", columns, rows),
        Table("page_caches", "Page caches", cache_columns, caches, note),
    ]


LOCKED_FOR = {
    "small span": "refill of an mcentral",
    "span freed": "sweep: span freed",
    "page reclaimer": "sweep: page reclaimer",
}
"""What people call the causes whose name in the document says less."""


def locks(document: Document) -> list[Block]:
    found = document["locks"]
    events = document["summary"]["events"]
    total = sum(found.values())
    rows: list[Sequence[Cell]] = [
        (LOCKED_FOR.get(cause, cause.replace("_", " ")), times, times / total if total else None)
        for cause, times in sorted(found.items(), key=lambda item: -item[1])
    ]
    rows.append(("= all", total, 1.0 if total else None))
    columns = (text("cause", "cause"), count("acquisitions", "acquisitions"), share("share", "share"))
    notes = [f"One in {events / total:,.0f} events takes the heap lock."] if total else []
    swept: list[Sequence[Cell]] = [
        (who.replace("_", " "), spans) for who, spans in sorted(document["sweep"].items(), key=lambda item: -item[1])
    ]
    sweep_columns = (text("sweeper", "sweeper"), count("spans", "spans swept"))
    return [
        Table("locks", "Acquisitions of the heap lock", columns, rows, notes, total=True),
        Table("sweepers", "Who swept", sweep_columns, swept),
    ]


def marks(document: Document) -> list[Block]:
    """What mark phases scan, and what they skip for want of pointers."""
    found = document["marks"]
    rows: list[Sequence[Cell]] = []
    for row in sorted(found["classes"], key=lambda r: (not r["elem_size"], r["spc"])):
        name = spc_name(row["spc"], row["elem_size"])
        last, every = row["slot_bytes"], row["all_slot_bytes"]
        split = (last, 0, every, 0) if row["scan"] else (0, last, 0, every)
        rows.append((name, row["spc"], row["objects"], *split[:2], row["all_objects"], *split[2:]))
    sums = [sum(int(row[at] or 0) for row in rows) for at in range(2, 8)]
    rows.append(("= all", None, *sums))
    columns = (
        text("class", "class"),
        Column("spc", "span class", "machine"),
        count("objects", "objects", 1),
        size("scanned_bytes", "scanned"),
        size("skipped_bytes", "skipped"),
        count("all_objects", "all: objects", 2),
        size("all_scanned_bytes", "all: scanned"),
        size("all_skipped_bytes", "all: skipped"),
    )
    cycles = f"In the last of {found['cycles']:,} GC cycles" if found["cycles"] > 1 else "In the last GC cycle"
    notes = (
        f"{cycles}, and (all) in all of them together: slots of the objects that were live when marking began.",
        "Scanned: with pointers; Go reads each up to its last pointer, so this is the most. Skipped: marked, never read.",
    )
    return [Table("marks", "What marking scans, and what noscan spares it", columns, rows if found["classes"] else [],
                  notes, total=True)]  # fmt: skip
