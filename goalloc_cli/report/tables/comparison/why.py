"""Which change of the runtime did it: a sentence, a table of the parts, and what each change was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, text
from goalloc_cli.report.tables.comparison.gate import signed
from goalloc_cli.report.units import iec, plural

Document = dict[str, Any]

SHOWN = (
    ("peak_HeapInuse", "peak HeapInuse"),
    ("end_HeapInuse", "end HeapInuse"),
    ("end_HeapSys", "HeapSys"),
    ("end_rss", "RSS"),
)
"""The figures that have a column; all of them are in JSON and CSV."""


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """All that is told."""
    trace = document["trace"]
    title = f"{trace['name']}, {document['before']} to {document['after']}, {plural(trace['gomaxprocs'], 'P')}"
    return [
        Text(title, "headline"),
        Text("with the model's own sweeper; GC runs where the trace has it; RSS as modelled", "note"),
        Text(sentence(document), "verdict"),
        parts(document),
        *changes(document),
        *(Text(f"note: {note}", "note") for note in document["notes"]),
    ]


def sentence(document: Document) -> str:
    """What changed most, and by what."""
    figures = {figure["key"]: figure for figure in document["figures"]}
    key = next((key for key, _ in SHOWN if figures[key]["change"]), None)
    if key is None:
        return f"{document['before']} and {document['after']} need the same memory."
    figure = figures[key]
    share = f" ({100 * figure['change'] / figure['before']:+.1f}%)" if figure["before"] else ""
    change = signed(figure["change"], "bytes")
    told = f"{figure['name']} goes from {iec(figure['before'])} to {iec(figure['after'])}, {change}{share}"
    most = max(document["parts"], key=lambda part: abs(part["change"][key]))
    if most["change"][key] == figure["change"]:
        return f"{told}: {called(most)} did all of it."
    return f"{told}: {called(most)} made {signed(most['change'][key], 'bytes')} of it."


def parts(document: Document) -> Table:
    """A row for each change; the last is the whole."""
    rows: list[Sequence[Cell]] = [row(called(part), part["change"], part["group"]) for part in document["parts"]]
    if any(document["remainder"].values()):
        rows.append(row("not told apart", document["remainder"], 0))
    rows.append(row("= all", {figure["key"]: figure["change"] for figure in document["figures"]}, 0))
    columns = (
        text("change", "change"),
        *(Column(f"shown_{key}", title, "people") for key, title in SHOWN),
        *(Column(figure["key"], "", "machine") for figure in document["figures"]),
        Column("group", "", "machine"),
    )
    notes = [how(document)]
    return Table("parts", "Which change did how much", columns, rows, notes, total=True)


def how(document: Document) -> str:
    """How the parts were found."""
    orders = "some of the orders" if document["sampled"] else "all orders"
    tried = plural(document["replays"], "allocator")
    return f"{tried} tried; a part is what a change does on average over {orders} in which they can be made."


def row(name: str, change: Document, group: int) -> list[Cell]:
    return [name, *(signed(change[key], "bytes") for key, _ in SHOWN), *change.values(), group]


def called(part: Document) -> str:
    """The knobs of a part."""
    return " + ".join(knob["name"] for knob in part["knobs"])


def changes(document: Document) -> list[Block]:
    """What Go changed, knob by knob."""
    rows: list[Sequence[Cell]] = [
        (knob["name"], f"{knob['before']} to {knob['after']}", told(knob))
        for part in document["parts"] for knob in part["knobs"]
    ]  # fmt: skip
    if not rows:
        return []
    columns = (text("knob", "knob"), text("values", "from, to"), text("what", "what Go changed", 1))
    note = "(6.2) is a section of docs/allocator.md. goalloc explain shows where Go looks for room under each release."
    return [Table("changes", "What these changes are", columns, rows, (note,))]


def told(knob: Document) -> str:
    """Go 1.14: a bitmap of pages, golang/go#35112 (6.2); where Go never changed it, what it is."""
    if not knob["changes"]:
        return str(knob["reason"])
    return "; ".join(
        f"Go {each['release']}: {', '.join([each['what'], *each['links']])} ({each['section']})" for each in knob["changes"]
    )
