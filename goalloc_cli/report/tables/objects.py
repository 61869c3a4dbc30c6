"""Reports about objects and the spans they live in: classes, spans, large, tiny."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.pictures.drawings import map_at_the_end
from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, called, count, share, size, text
from goalloc_cli.report.units import iec, percent, plural, short_size

Document = dict[str, Any]

TOP = 20
"""Types that are listed; JSON has them all."""


def class_name(elem_size: int, scan: bool) -> str:
    """ "48 B scan": as people name a span class."""
    kind = "scan" if scan else "noscan"
    return f"{short_size(elem_size)} {kind}" if elem_size else f"large {kind}"


def spc_name(spc: int, elem_size: int) -> str:
    return class_name(elem_size, not spc & 1)


def classes(document: Document) -> list[Block]:
    """golang/go#11890's list, in three tables that fit 80 columns; large objects come last."""
    rows = sorted(document["classes"], key=lambda r: (not r["elem_size"], r["spc"]))
    held = [r for r in rows if r["spans"]]
    return [occupancy(held), waste(held), turnover(rows)]


def occupancy(rows: list[dict[str, Any]]) -> Table:
    """How full each class is."""
    keys = ("spans", "span_bytes", "slots", "live_objects", "occupancy", "requested_bytes", "bound_objects")
    columns = (
        *identity(),
        count("spans", "spans"),
        size("span_bytes", "in spans"),
        count("slots", "slots"),
        count("live_objects", "live"),
        share("occupancy", "occupancy"),
        size("requested_bytes", "requested", 1),
        count("bound_objects", "size not known", 2),
    )
    notes = ("At the end. live: live objects. occupancy: live objects / slots. requested: what they asked for.",)
    return Table("classes", "Size classes: occupancy", columns, [cells(r, keys) for r in rows], notes)


def waste(rows: list[dict[str, Any]]) -> Table:
    """What of each class holds no request."""
    keys = ("unused_bytes", "internal_bytes", "tail_bytes", "metadata_bytes", "waste_bytes", "waste_share")
    columns = (
        *identity(),
        size("unused_bytes", "unused slots"),
        size("internal_bytes", "internal"),
        size("tail_bytes", "tail"),
        size("metadata_bytes", "metadata", 1),
        size("waste_bytes", "all waste"),
        share("waste_share", "of spans"),
    )
    notes = (
        "At the end. unused slots: free, or dead and not swept yet. internal: rounding to the class and "
        "headers, of live objects. tail: behind the last slot. of spans: part of all span bytes.",
    )
    return Table("class_waste", "Size classes: waste", columns, [cells(r, keys) for r in rows], notes)


def cells(row: dict[str, Any], keys: Sequence[str]) -> Sequence[Cell]:
    """Who the class is, and some of its figures."""
    name = class_name(row["elem_size"], row["scan"])
    return (name, row["spc"], row["elem_size"], *(row[key] for key in keys))


def identity() -> tuple[Column, ...]:
    return (
        text("class", "class"),
        Column("spc", "span class", "machine"),
        Column("elem_bytes", "slot", "machine"),
    )


AGES = ("age_min", "age_median", "age_mean", "age_max")


def turnover(rows: list[dict[str, Any]]) -> Table:
    """What came and went in each class."""
    keys = ("mallocs", "frees", "span_allocs", "span_frees", *AGES)
    columns = (
        *identity(),
        count("mallocs", "mallocs"),
        count("frees", "frees"),
        count("span_allocs", "span allocs"),
        count("span_frees", "span frees"),
        *(Column(f"{age}_gcs", "", "machine") for age in AGES),
        Column("span_ages", "span ages", "people"),
    )
    flow = [(*cells(aged(r), keys), ages(r)) for r in rows]
    notes = (
        "Since the start of the trace. span ages: least/median/mean/most of the spans in use at the end, in GC cycles.",
    )
    return Table("class_turnover", "Size classes: turnover", columns, flow, notes)


def ages(row: dict[str, Any]) -> str:
    """2/10/10.6/21"""
    if not row["spans"]:
        return "-"
    return "/".join(f"{row[age]:.3g}" if age == "age_mean" else str(row[age]) for age in AGES)


def aged(row: dict[str, Any]) -> dict[str, Any]:
    """A class without spans has no ages."""
    return row if row["spans"] else row | dict.fromkeys(AGES)


def worst_classes(document: Document, most: int = 5) -> Table:
    """The classes that waste the most bytes."""
    rows = sorted(document["classes"], key=lambda r: (-r["waste_bytes"], r["spc"]))[:most]
    total = sum(r["waste_bytes"] for r in document["classes"])
    worst: list[Sequence[Cell]] = [
        (
            *(class_name(r["elem_size"], r["scan"]), r["spc"], r["elem_size"], r["spans"]),
            *(r["span_bytes"], r["occupancy"], r["unused_bytes"], r["internal_bytes"], r["waste_bytes"]),
            *(r["waste_bytes"] / total if total else None,),
        )
        for r in rows
        if r["waste_bytes"]
    ]
    columns = (
        *identity(),
        count("spans", "spans"),
        size("span_bytes", "in spans"),
        share("occupancy", "occupancy"),
        size("unused_bytes", "unused slots"),
        size("internal_bytes", "internal", 1),
        size("waste_bytes", "all waste"),
        Column("waste_share", "", "machine"),
    )
    notes = (
        "At the end. occupancy: live objects / slots; unused slots: free or dead; internal: rounding and "
        "headers; all waste: these and span tails.",
    )
    return Table("worst_classes", "Size classes that waste most", columns, worst, notes)


def spans(document: Document) -> list[Block]:
    found = document["spans"]
    return [*utilisation(found), *map_at_the_end(document), by_class(found), places(found), *pins(found)]


def utilisation(found: dict[str, Any]) -> list[Block]:
    total = sum(found["histogram"])
    rows: list[Sequence[Cell]] = [
        (label, spans, held, part(spans, total), part(spans, total))
        for label, spans, held in zip(found["bins"], found["histogram"], found["histogram_bytes"], strict=True)
    ]
    columns = (
        text("live_of_slots", "live/slots"),
        count("spans", "spans"),
        size("span_bytes", "in spans"),
        share("share", "of spans"),
        Column("bar", "", "bar"),
    )
    nearly = found["nearly_empty"]
    note = (
        f"{plural(nearly['spans'], 'span')} of at most 10% live slots hold {iec(nearly['bytes'])} for "
        f"{iec(nearly['live_bytes'])} of live slots. Spans of large objects are left out."
    )
    return [Table("utilisation", "How full spans are", columns, rows, (note,))]


def part(value: int, total: int) -> float | None:
    return value / total if total else None


def by_class(found: dict[str, Any]) -> Table:
    rows: list[Sequence[Cell]] = [
        (spc_name(r["spc"], r["elem_size"]), r["spc"], r["elem_size"], r["spans"], *r["histogram"])
        for r in found["by_class"]
    ]
    keys = ("live_0", *(f"live_{10 * d}_to_{10 * d + 10}" for d in range(10)), "live_100")
    titles = ("0%", "<10", "10-", "20-", "30-", "40-", "50-", "60-", "70-", "80-", "90-", "100%")
    columns = (
        *identity(),
        count("spans", "spans"),
        *(count(key, title) for key, title in zip(keys, titles, strict=True)),
    )
    notes = ("Spans by the percentage of their slots that is live.",)
    return Table("utilisation_by_class", "How full spans are, by class", columns, rows, notes)


PLACES = {
    "mcache": "held by a P, used without a lock",
    "partial_swept": "in mcentral, some slots are free",
    "full_swept": "in mcentral, no slot is free",
    "partial_unswept": "in mcentral, not swept yet",
    "full_unswept": "in mcentral, not swept yet",
    "large": "one object each, from mheap",
}


def places(found: dict[str, Any]) -> Table:
    rows: list[Sequence[Cell]] = [
        (p["place"].replace("_", " "), p["spans"], p["bytes"], PLACES.get(p["place"], "")) for p in found["places"]
    ]
    columns = (
        text("place", "place"),
        count("spans", "spans"),
        size("span_bytes", "in spans"),
        text("meaning", "what they are", 1),
    )
    return Table("places", "Where spans are", columns, rows)


def pins(found: dict[str, Any]) -> list[Block]:
    """The types that hold nearly empty spans."""
    if not found["pins"]:
        return []
    rows: list[Sequence[Cell]] = [
        (p["type_name"] or "(type not known)", p["spans"], p["span_bytes"], p["live_bytes"]) for p in found["pins"][:TOP]
    ]
    columns = (
        called("type", "type"),
        count("spans", "spans"),
        size("span_bytes", "in spans"),
        size("live_bytes", "live"),
    )
    notes = ["A span counts for the type of its first live object. Moving or freeing these lets the spans go."]
    left = len(found["pins"]) - TOP
    if left > 0:
        notes.append(f"{plural(left, 'more type')}: see --format json.")
    return [Table("pins", "What holds nearly empty spans", columns, rows, notes)]


def large(document: Document) -> list[Block]:
    found = document["large"]
    rows: list[Sequence[Cell]] = [
        ("live objects", found["live_objects"], "count"),
        ("live bytes", found["live_bytes"], "bytes"),
        ("rounding to pages", found["rounding"], "bytes"),
        ("allocations", found["allocs"], "count"),
        ("frees", found["frees"], "count"),
        ("allocated so far", found["alloc_bytes"], "bytes"),
    ]
    return [Table("large", "Large objects (a span each)", measures(), rows)]


def tiny(document: Document) -> list[Block]:
    found = document["tiny"]
    # A recording of slots does not tell a block of tiny objects from an object of 16 bytes.
    of_slots = document["trace"]["sizes"] == "slot"
    rows: list[Sequence[Cell]] = [
        ("tiny requests", None if of_slots else found["requests"], "count"),
        ("packed into an open block", found["packed"], "count"),
        ("blocks opened", None if of_slots else found["blocks"], "count"),
        ("live 16-byte slots" if of_slots else "live blocks", found["live_blocks"], "count"),
        ("unused in live blocks", None if of_slots else found["live_waste"], "bytes"),
    ]
    packed = None if of_slots else found["packed_share"]
    notes = ["Pointer-free requests below 16 B share blocks of 16 B; a block lives as long as any of them."]
    if packed is not None:
        notes.append(f"{percent(packed)} of the requests took no slot of their own.")
    if of_slots:
        notes.append("-: unknown. The recording gives slots, not requests: a block may be a 16-byte object too.")
    return [Table("tiny", "Tiny allocator", measures(), rows, notes)]


def measures() -> tuple[Column, ...]:
    return (
        text("measure", "measure"),
        Column("value", "value", "by unit"),
        Column("unit", "unit", "machine"),
    )
