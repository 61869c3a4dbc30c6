"""Tables of size classes side by side, what the chosen one does to each recording, and whether it is worth having."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, called, count, size
from goalloc_cli.report.units import iec, plural

Document = dict[str, Any]

MOSTLY = 0.5
"""From this share of a gain on it is said to be of classes, not of objects."""
SIZES = {"evenly": "sizes evenly lower", "lowest": "sizes as low as can be"}
"""What bounded sizes are taken to be, where not the largest that they can."""


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """All of it."""
    chosen = document["candidates"][document["chosen"]]
    return [
        Text(headline(document), "headline"),
        Text(acts_on(document)),
        candidates(document),
        recordings(document),
        Text(f"Its classes, in bytes: {' '.join(str(size) for size, _ in chosen['classes'])}"),
        Text(verdict(document), "verdict"),
        *(Text(f"note: {note}", "note") for note in document["notes"]),
    ]


def headline(document: Document) -> str:
    names = [each["name"] for each in document["recordings"] if each["trained"]]
    others = f" and {plural(len(names) - 1, 'other recording')}" if len(names) > 1 else ""
    return f"{names[0]}{others}, {document['design']}: would other size classes help?"


def acts_on(document: Document) -> str:
    """What of the heap a table decides about, in the first recording."""
    own = document["recordings"][0]["own"]
    return (
        f"At the peak, {iec(own['peak_heap_inuse'])}, a table acts on {iec(own['rounding'])} of rounding, "
        f"{iec(own['tails'])} of tails, {iec(own['free_slots'])} of free slots and {iec(own['cached'])} of free slots that "
        f"are cached; not on {iec(own['dead'])} of objects that are dead and not swept."
    )


def candidates(document: Document) -> Table:
    """Every table that was tried, in the first recording."""
    columns = (
        Column("candidate", "table", "text"),
        Column("mark", "", "people"),
        count("classes", "classes"),
        size("peak_heap_inuse_bytes", "peak"),
        Column("peak_changed", "", "people"),
        size("mean_heap_inuse_bytes", "mean"),
        Column("mean_changed", "", "people"),
        size("rounding_bytes", "rounding", 1),
        size("free_slots_bytes", "free slots", 2),
        *(Column(key, "", "machine") for key in ("change", "model_bytes", "part_of_span", "chosen")),
    )
    rows: list[Sequence[Cell]] = []
    base = document["candidates"][0]["figures"][0]
    for each in document["candidates"]:
        figures = each["figures"][0]
        rows.append((
            each["name"],
            "*" if each["chosen"] else "",
            len(each["classes"]),
            figures["peak_heap_inuse"],
            changed(base["peak_heap_inuse"], figures["peak_heap_inuse"]),
            figures["mean_heap_inuse"],
            changed(base["mean_heap_inuse"], figures["mean_heap_inuse"]),
            figures["rounding"],
            figures["free_slots"],
            each["change"], each["model_bytes"], each["part_of_span"], each["chosen"],
        ))  # fmt: skip
    notes = ["*: chosen. HeapInuse at its peak, and averaged over the samples; the model's own sweeper decides."]
    if len([each for each in document["recordings"] if each["trained"]]) > 1:
        notes.append("Of the first recording; the chosen one is best on average over all that it was made for.")
    return Table("candidates", "Tables that were tried", columns, rows, notes)


def recordings(document: Document) -> Table:
    """What the chosen table does to each recording."""
    columns = (
        called("recording", "recording"),
        Column("how", "", "text"),
        size("own_peak_bytes", "Go's own, peak", 1),
        Column("peak", "peak", "people"),
        Column("mean", "mean", "people"),
        *(Column(key, "", "machine") for key in ("peak_change", "mean_change", "chosen_peak_bytes", "bounded_share")),
    )
    rows: list[Sequence[Cell]] = []
    for each in document["recordings"]:
        how = "made for it" if each["trained"] else "not made for it"
        for sizes, found in each["changes"].items():
            figures = each["resized"].get(sizes, each["chosen"])
            rows.append((
                each["name"], SIZES.get(sizes, how), each["own"]["peak_heap_inuse"],
                signed(found["peak"]), signed(found["mean"]), found["peak"], found["mean"],
                figures["peak_heap_inuse"], each["bounded_share"],
            ))  # fmt: skip
    chosen = document["candidates"][document["chosen"]]
    return Table("recordings", f"What the table {chosen['name']!r} does", columns, rows)


def classes(document: Document) -> Table:
    """The chosen table."""
    columns = (count("class", "class"), size("size_bytes", "size"), count("pages", "pages"))
    chosen = document["candidates"][document["chosen"]]
    rows = [(number, *row) for number, row in enumerate(chosen["classes"], 1)]
    return Table("size_classes", "Its classes", columns, rows)


def verdict(document: Document) -> str:
    """The answer in a few sentences."""
    answer = document["verdict"]["answer"]
    worth = f"{document['verdict']['worth']:.0%}"
    trained = [each for each in document["recordings"] if each["trained"]]
    against = [each for each in document["recordings"] if not each["trained"]]
    if document["chosen"] == 0:
        return "Verdict: no. No table that was tried is better than Go's own."
    said = f"Verdict: {answer}. "
    if answer == "yes":
        return f"{said}Peak and mean fall by {worth} and more, also where it was not made for. {gain(document)}"
    if answer == "only for this program":
        return f"{said}{worst_of(against)}: there Go's own table is better."
    if answer == "unknown":
        return f"{said}Whether it fits the program, only another recording tells: --against FILE. {gain(document)}"
    least = worst_of(trained) if worst(trained) > -document["verdict"]["worth"] else worst_of(against)
    return f"{said}{least}, less than the {worth} that a table of one's own is worth. {gain(document)}"


def gain(document: Document) -> str:
    """What is saved, and whether it grows with the heap."""
    found = document["gain"]
    if found["bytes"] <= 0:
        return ""
    told = f"It saves {iec(found['bytes'])} a process"
    if found["per_class_bytes"] > MOSTLY * found["bytes"]:
        return f"{told}, most of it per class: once a process and P, however large the heap."
    return f"{told}, most of it per object: it grows with the heap."


def worst(recordings: list[Document]) -> float:
    """The least gain of all: the largest change."""
    return max(changes(each) for each in recordings)


def changes(each: Document) -> float:
    return float(max(max(found.values()) for found in each["changes"].values()))


def worst_of(recordings: list[Document]) -> str:
    """The recording that gains least, in words."""
    least = max(recordings, key=changes)
    return f"{least['name']} comes to {signed(changes(least))}"


def changed(base: float, other: float) -> str:
    """How far a figure is from that of Go's own table; nothing where it is that."""
    return "" if other == base else signed(other / base - 1)


def signed(share: float) -> str:
    """-7.5%; changes are told to a tenth of a percent."""
    return f"{share:+.1%}"
