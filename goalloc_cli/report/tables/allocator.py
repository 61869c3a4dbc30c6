"""Tables about an allocator itself: its knobs, and its size classes."""

from __future__ import annotations

from goalloc_cli.design.allocator import KNOBS, Design
from goalloc_cli.design.parse import as_text, design_diff, reason
from goalloc_cli.design.sizeclass import size_classes, slots
from goalloc_cli.report.tables.blocks import Block, Cell, Table, Text, count, share, size, text


def knobs(design: Design, name: str) -> Table:
    """Every knob of a design, and why it is there."""
    columns = (text("knob", "knob"), text("value", name), text("reason", "reason"))
    rows = [(f.name, as_text(f.name, getattr(design, f.name)), reason(f.name)) for f in KNOBS]
    return Table("knobs", f"The knobs of {name}", columns, rows, ("Change one with --set KNOB=VALUE.",))


def differences(design: Design, name: str, other: Design, other_name: str) -> Table:
    """The knobs in which two designs differ."""
    columns = (text("knob", "knob"), text("value", name), text("other", other_name), text("reason", "reason"))
    rows = [
        (knob, as_text(knob, getattr(design, knob)), as_text(knob, getattr(other, knob)), reason(knob))
        for knob in design_diff(design, other)
    ]
    notes = () if rows else ("They differ in no knob.",)
    return Table("differences", f"Where {name} and {other_name} differ", columns, rows, notes)


def for_people(table: Table) -> list[Block]:
    """A table of knobs as paragraphs: a reason is too long for a column."""
    names = [column.title for column in table.columns[1:-1]]
    blocks: list[Block] = [Text(table.title, "headline")]
    for knob, *values, why in table.rows:
        said = [f"{value} in {name}" for name, value in zip(names, values, strict=True)]
        blocks.append(Text(f"{knob}: {', '.join(said)}. {why}"))
    return [*blocks, *(Text(note, "note") for note in table.notes)]


def classes(design: Design, name: str) -> Table:
    """The size classes of a design, and what a span of each wastes."""
    columns = (
        count("class", "class"),
        size("size_bytes", "size"),
        count("pages", "pages"),
        count("slots_noscan", "slots, noscan"),
        count("slots_scan", "slots, scan"),
        size("tail_noscan_bytes", "tail, noscan"),
        size("tail_scan_bytes", "tail, scan", 1),
        share("worst_waste", "worst waste"),
    )
    table = size_classes(design)
    rows: list[tuple[Cell, ...]] = []
    for number, c in enumerate(table[1:], 1):
        span_bytes = c.npages * design.page_size
        noscan, scan = (slots(design, c, kind)[0] for kind in (True, False))
        lost = (c.size - table[number - 1].size - 1) * noscan + span_bytes - noscan * c.size
        tails = (span_bytes - noscan * c.size, span_bytes - scan * c.size)
        rows.append((number, c.size, c.npages, noscan, scan, *tails, lost / span_bytes))
    notes = (
        "Tail: bytes of a span in no slot, those for the collector's own marks and pointers included.",
        "Worst waste: the share of a span lost if each object is one byte too large for the class before.",
    )
    return Table("size_classes", f"Size classes of {name}", columns, rows, notes)
