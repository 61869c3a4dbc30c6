"""What changed most between two sides: who has more alive, in a sentence and in tables; size classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, called, text
from goalloc_cli.report.tables.comparison.gate import signed
from goalloc_cli.report.units import iec, plural, short_size

Document = dict[str, Any]

NAMED = 2
"""Names in the sentence."""
WORTH_A_WORD = 0.1
"""Of the largest change: a smaller one is not in the sentence."""
WHEN = {"marked": "when a GC found most", "peak": "at the peak", "end": "at the end"}
TITLES = {
    "goroutines": ("By first function of the goroutine", "first function"),
    "types": ("By type", "type"),
}
THE_SAME = 0.01
"""Of what is alive: below it nothing has changed that a reader looks for."""
OFTEN = 0.2
"""From this difference of GC cycles on, where both did the same, they were paced otherwise."""
OTHER_WORK = 0.02
"""From this difference of TotalAlloc on the program did something else."""
ALIVE = {
    "marked": "Slots of objects that the GC marked which found most alive. At the peak and the end what died counts, too, "
    "until a GC finds it.",
    "peak": "Slots of objects that live; what died counts, too, until a GC finds it.",
    "end": "Slots of objects that live; what died counts, too, until a GC finds it.",
}
MEDIANS = "Medians; what may be chance (p >= 0.05) is left out."


def sentence(document: Document) -> list[Block]:
    """Alive when a GC found most: main.load +4.0 MiB, main.main -0.2 MiB; by type main.Page +3.9 MiB."""
    found = document["owners"]
    if not found:
        return []
    when = WHEN[found["moments"][0]]
    views = [found[name] for name in TITLES if name in found]
    if all(is_the_same(view) for view in views):
        whole = views[0]["all"]
        share = 100 * whole["change"] / whole["a"]
        return [Text(f"Alive {when} is about the same: {iec(whole['b'])} ({share:+.1f}%).{collected(document)}", "verdict")]
    told = {name: ", ".join(most(found[name]["rows"])) for name in TITLES if name in found}
    parts = [f"by type {part}" if name == "types" else part for name, part in told.items() if part]
    return [Text(f"Alive {when}: {'; '.join(parts)}.", "verdict")] if parts else []


def is_the_same(view: Document) -> bool:
    """Whether nobody has much more or less alive, of one replay each."""
    whole = view["all"]
    if whole is None or not whole["a"]:
        return False
    most = max(abs(int(row["change"])) for row in (*view["rows"], whole))
    return most < THE_SAME * int(whole["a"])


def collected(document: Document) -> str:
    """That one side collected more often, where both allocated as much: then it is garbage that differs."""
    rows = {row["key"]: row for row in document["figures"]}
    cycles, total = rows.get("NumGC"), rows.get("TotalAlloc")
    if cycles is None or total is None or not cycles["differs"] or not cycles["median_a"]:
        return ""
    if abs(cycles["share"]) < OFTEN or abs(total["share"] or 0) > OTHER_WORK:
        return ""
    a, b = (plural(cycles[f"median_{which}"], "GC cycle") for which in ("a", "b"))
    return f" A has {a}, B {b}: what differs is what died in between, and waits for a GC."


def most(rows: Sequence[Document]) -> list[str]:
    """The names that changed most, and by how much."""
    least = WORTH_A_WORD * abs(rows[0]["change"]) if rows else 0
    worth = [row for row in rows[:NAMED] if row["change"] and abs(row["change"]) >= least]
    return [f"{row['name']} {signed(row['change'], 'bytes')}" for row in worth]


def owners(document: Document) -> list[Block]:
    """Who has more or less alive."""
    found = document["owners"]
    if not found:
        return []
    return [view(found[name], name, found["moments"]) for name in TITLES if name in found and found[name]["rows"]]


def view(found: Document, name: str, moments: Sequence[str]) -> Table:
    """One table: a row for each name that changed, and where of each side there is one replay, one for the rest and all."""
    title, head = TITLES[name]
    rows = [owner_row(row["name"], row, moments) for row in found["rows"]]
    if found["all"] is not None:
        others = found["others"]
        rows += [owner_row(f"({plural(others['count'], 'other')})", others, moments)] if others["count"] else []
        rows.append(owner_row("= all", found["all"], moments))
    first, *more = moments
    columns = (
        called("name", head),
        Column("a", "A", "bytes"),
        Column("b", "B", "bytes"),
        Column("shown_change", "change", "people"),
        *(Column(f"shown_{when}_change", f"change, {when}", "people", rank) for rank, when in enumerate(more, 1)),
        Column("change_by", "", "machine"),
        *(Column(f"{when}_{key}", "", "machine") for when in more for key in ("a", "b", "change")),
        Column("p", "", "machine"),
    )
    notes = (ALIVE[first] if found["all"] is not None else f"{ALIVE[first]} {MEDIANS}",)
    return Table(name, f"{title}: what is alive {WHEN[first]}", columns, rows, notes, total=found["all"] is not None)


def owner_row(name: str, row: Document, moments: Sequence[str]) -> list[Cell]:
    more = moments[1:]
    return [
        name, row["a"], row["b"], signed(row["change"], "bytes"),
        *(signed(row[f"{when}_change"], "bytes") for when in more),
        row["change"],
        *(row[f"{when}_{key}"] for when in more for key in ("a", "b", "change")),
        row.get("p"),
    ]  # fmt: skip


def classes(document: Document) -> list[Block]:
    """The size classes that changed most."""
    rows: list[Sequence[Cell]] = [
        (
            named_class(each), each["a"], each["b"], signed(each["change"], "bytes"), signed(each["waste_change"], "bytes"),
            each["elem_size"], each["scan"], each["change"], each["waste_change"], each["p"],
        )
        for each in document["classes"]
    ]  # fmt: skip
    if not rows:
        return []
    columns = (
        text("class", "class"),
        Column("spans_a", "spans, A", "bytes"),
        Column("spans_b", "spans, B", "bytes"),
        Column("shown_change", "change", "people"),
        Column("shown_waste", "of it waste", "people", 1),
        Column("elem_size", "", "machine"),
        Column("scan", "", "machine"),
        Column("change_by", "", "machine"),
        Column("waste_change", "", "machine"),
        Column("p", "", "machine"),
    )
    notes = () if document["least_p"] is None else (MEDIANS,)
    return [Table("classes", "Size classes that changed most, at the end", columns, rows, notes)]


def named_class(each: Document) -> str:
    """288 B scan; large noscan"""
    size = short_size(each["elem_size"]) if each["elem_size"] else "large"
    return f"{size} {'scan' if each['scan'] else 'noscan'}"
