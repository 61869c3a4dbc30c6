"""What `goalloc explain` found, as a document and as tables: sizes, or one event of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, called, count, share, size, text
from goalloc_cli.report.tables.objects import class_name
from goalloc_cli.report.units import clean, iec, percent, plural

Document = dict[str, Any]


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """One size in full, several side by side, or one event."""
    if "event" in document:
        return event_blocks(document)
    sizes = document["sizes"]
    if len(sizes) > 1:
        return several(sizes, document["design"])
    return [Text(f"{asked(sizes[0])}, {document['design']}", "headline"), *one_size(sizes[0])]


def asked(found: Document) -> str:
    """33 B without pointers"""
    return f"{found['request_bytes']:,} B {'with' if found['pointers'] else 'without'} pointers"


def one_size(found: Document) -> list[Block]:
    """The figures of a size, where it is looked for, and what the model did."""
    if found["path"] == "zero":
        return [Text(f"{found['path_text'].capitalize()}.")]
    searched = "Where Go looks, in turn"
    if found["path"] != "large":
        searched = "When the P's span is full: where Go looks, in turn"
    return [
        figures(found),
        listed("search", searched, found["search"]),
        *(scene_table(scene) for scene in found["played"]),
    ]


def figures(found: Document) -> Table:
    """A size by the tables."""
    span = found["slots"] * found["slot_bytes"] + found["metadata_bytes"] + found["tail_bytes"]
    small = found["path"] != "large"
    rows: list[Sequence[Cell]] = [("path", found["path"], "text", found["path_text"].partition(": ")[2])]
    if small:
        name = class_name(found["slot_bytes"], found["pointers"])
        rows.append(("size class", found["size_class"], "count", f"span class {found['span_class']}: {name}"))
        rows.append(("slot", found["slot_bytes"], "bytes", "what it takes of its span"))
    rows.append(("malloc header", found["header_bytes"], "bytes", found["header_text"]))
    if found["path"] != "tiny":
        rows.append(("rounding", found["internal_bytes"], "bytes", rounding(found)))
    rows.append(("span", span, "bytes", plural(found["pages"], "page")))
    if small:
        rows.append(("slots", found["slots"], "count", "in one span"))
        rows.append(("metadata", found["metadata_bytes"], "bytes", found["metadata_text"]))
        rows.append(("tail", found["tail_bytes"], "bytes", f"{percent(found['tail_bytes'] / span)} of the span, in no slot"))
    columns = (
        text("figure", "figure"),
        Column("value", "value", "by unit"),
        Column("unit", "unit", "machine"),
        text("meaning", "what it is", 1),
    )
    return Table("size", "By the tables", columns, rows)


def rounding(found: Document) -> str:
    """What of a slot the object does not need."""
    whole = "slot" if found["path"] == "small" else "span"
    return f"{percent(found['internal_bytes'] / found['slot_bytes'])} of the {whole} that was not asked for"


def listed(name: str, title: str, steps: Sequence[str], notes: Sequence[str] = ()) -> Table:
    """Steps in order."""
    columns = (count("step", ""), text("what", "", 1))
    return Table(name, title, columns, [(number, step) for number, step in enumerate(steps, 1)], notes)


def scene_table(scene: Document) -> Table:
    """One allocation that was played through the model."""
    inuse = scene["heap_inuse"]
    where = f"At {scene['address']:#x}, served by {scene['served_by']}."
    moved = f"HeapInuse {inuse['before']:,} to {inuse['after']:,} B."
    title = f"{scene['title']} (object {scene['object'] + 1:,})"
    return listed("played", title, scene["steps"], (f"{where} {moved}",))


def several(sizes: list[Document], design_name: str) -> list[Block]:
    """Sizes side by side."""
    columns = (
        count("request_bytes", "request, B"),
        text("path", "path"),
        count("size_class", "class"),
        size("slot_bytes", "slot"),
        size("header_bytes", "header"),
        size("internal_bytes", "rounding"),
        share("internal_share", "of slot"),
        count("pages", "pages"),
        count("slots", "slots"),
        size("metadata_bytes", "metadata", 2),
        size("tail_bytes", "tail", 1),
    )
    rows: list[Sequence[Cell]] = []
    for found in sizes:
        waste = found["internal_bytes"] if found["path"] != "tiny" else None
        part = waste / found["slot_bytes"] if waste is not None and found["slot_bytes"] else None
        row = found | {"internal_share": part, "internal_bytes": waste}
        rows.append(tuple(row[column.key] for column in columns))
    kind = "with" if sizes[0]["pointers"] else "without"
    notes = ("Tiny objects share a slot, so that rounding is not theirs alone. One size by itself tells the whole story.",)
    return [Table("sizes", f"Objects {kind} pointers, {design_name}", columns, rows, notes)]


def event_blocks(document: Document) -> list[Block]:
    """What one event did."""
    event, trace = document["event"], document["trace"]
    who = "" if event["p"] is None else f" by P{event['p']}"
    title = f"{trace['name']}, {document['design']}, event {event['event']:,}: {event['kind'].replace('_', ' ')}{who}"
    found: list[Block] = [Text(title, "headline")]
    if event["kind"] == "alloc":
        found.append(Text(what(event)))
    if event.get("owner"):
        found.append(Text(f"Allocated by {clean(event['owner']['in_words'])}."))
    found.append(listed("steps", "What it did", event["steps"]))
    if event.get("address") is not None:
        found.append(place(event))
    if event.get("around"):
        found += around(event)
    return [*found, effects(event), *(Text(f"note: {note}", "note") for note in document["notes"])]


def what(event: Document) -> str:
    """The request, and its path."""
    size_known = "" if event["size_known"] else "at most "
    kind = f", {event['type']}" if event["type"] else ""
    takes = f": {event['path']}, a slot of {event['slot_bytes']:,} B" if event["size_class"] else f": {event['path']}"
    return f"Object {event['object']:,}{kind}: {size_known}{asked(event)}{takes}."


def place(event: Document) -> Table:
    """Where it lies, by the model and by the recording."""
    columns = (
        text("what", "place"),
        Column("value", "value", "by unit"),
        Column("unit", "unit", "machine"),
        text("meaning", "what it is", 1),
    )
    rows: list[Sequence[Cell]] = [("address", event["address"], "address", "by the model")]
    if event.get("recorded_address") is not None:
        rows.append(("recorded", event["recorded_address"], "address", "the same" if event["equal"] else "NOT the same"))
    if event.get("offset") is not None:
        rows.append(("offset", event["offset"], "bytes", "into the tiny block"))
    if span := event.get("span"):
        name = class_name(span["slot_bytes"] if span["span_class"] >= 2 else 0, not span["span_class"] & 1)
        rows.append(("span", span["base"], "address", f"{name}, {plural(span['pages'], 'page')}"))
        rows.append(("slot", event["slot"], "count", f"of {span['slots']:,}; {span['used_slots']:,} in use now"))
        rows.append(("served by", event["served_by"], "text", pages(event)))
    return Table("place", "Where", columns, rows)


def pages(event: Document) -> str:
    """Where new pages came from."""
    told = {"growth": "the heap grew for it", None: "no new pages were needed"}
    return told.get(event["pages_from"], f"pages from the {event['pages_from']}")


def around(event: Document) -> list[Block]:
    """The slots to either side."""
    found = event["around"]
    rows: list[Sequence[Cell]] = [(n["slot"], n["state"], n["object"], n["type"] or "") for n in found["neighbours"]]
    columns = (count("slot", "slot"), text("state", "holds"), count("object", "object"), called("type", "type", 1))
    signs = "@ this object, # live, x dead and not swept yet, . free"
    return [
        Table("around", "The slots around it", columns, rows, (f"From slot {found['first_slot']}: {found['drawn']}", signs)),
    ]


def moved(before: int, after: int) -> str:
    """By how much a number of bytes changed."""
    if before == after:
        return "unchanged"
    return f"{'more' if after > before else 'less'} by {iec(abs(after - before))}"


MOVED = (("heap_inuse", "HeapInuse"), ("heap_released", "HeapReleased"), ("stack_inuse", "StackInuse"))
"""Figures that are shown where they moved, the first one always."""


def effects(event: Document) -> Table:
    """The figures that moved, and those that people look for."""
    rows: list[Sequence[Cell]] = []
    for key, name in MOVED:
        before, after = event[key]["before"], event[key]["after"]
        if key == "heap_inuse" or before != after:
            rows.append((name, before, after, moved(before, after)))
    rows += [(f"lock: {cause}", None, times, "acquisitions of the heap lock") for cause, times in event["locks"].items()]
    rows += [(f"swept: {who}", None, spans, "spans") for who, spans in event["swept"].items()]
    if event["spans_freed"]:
        rows.append(("given back", None, event["spans_freed"], "spans without live objects"))
    columns = (
        text("figure", "figure"),
        count("before", "before"),
        count("after", "after"),
        text("meaning", "change, or what is counted", 1),
    )
    return Table("effects", "What moved", columns, rows)
