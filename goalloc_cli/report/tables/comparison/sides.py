"""Two sides: a sentence, then figure by figure A, B and the change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from goalloc_cli.report.figures.ranks import ALPHA, least_p
from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, text
from goalloc_cli.report.tables.comparison import changed
from goalloc_cli.report.tables.comparison.cross import blocks as cross_blocks
from goalloc_cli.report.tables.comparison.gate import shown, signed
from goalloc_cli.report.units import between, iec, plural

Document = dict[str, Any]

PARTS = ("end_requested", "end_rounding", "end_fixed", "end_unused", "end_dead", "end_free", "end_tracer")
"""What HeapInuse at the end is the sum of; `end_unused` stands for dead and free where these cannot be compared."""
NAMED = 3
"""Parts that the sentence names."""
AT_THE_END = " at the end"
AS_MODELLED = ", as modelled"
WHEN = "At the end, where no peak is named."
RANGES = "The RSS lies in a range; where those of A and B meet, nobody knows which is the larger: ~."


def blocks(document: Document, _names: tuple[str, ...] = ()) -> list[Block]:
    """All that is told of two sides."""
    return [
        *(Text(heading(document, which), "headline") for which in ("a", "b")),
        Text(sentence(document), "verdict"),
        *changed.sentence(document),
        *cross_blocks(document),
        figures(document),
        *changed.owners(document),
        *changed.classes(document),
        *(Text(f"note: {note}", "note") for note in (*too_few(document), *document["notes"])),
    ]


def heading(document: Document, which: str, folders: bool = True) -> str:
    """A  runs/before.msgpack, go1.24, 6 recordings; without folders, A  before.msgpack, ..."""
    side = document["sides"][which]
    first = side["inputs"][0]
    names = [each["name"] if folders else PurePath(each["name"]).name for each in side["inputs"]]
    names = list(dict.fromkeys(names))
    parts = [names[0] if len(names) == 1 else f"{names[0]} to {PurePath(names[-1]).name}"]
    parts += list(dict.fromkeys(each["design"] for each in side["inputs"] if each["design"]))
    parts += [side["label"]] if side["label"] and side["label"] not in parts else []
    parts += [] if first["kind"] == "replay" else [first["kind"]]
    parts += [plural(side["recordings"], "recording")] if side["recordings"] > 1 else []
    return f"{which.upper()}  {', '.join(parts)}"


def sentence(document: Document) -> str:
    """What differs, in a sentence; that nothing can be told, where nothing can."""
    rows = {row["key"]: row for row in document["figures"]}
    end, peak = rows.get("end_HeapInuse"), rows.get("peak_HeapInuse")
    if end is None or end["change"] is None:
        return of_others(document)
    told = at_the_end(document, end, rows)
    if peak is not None and peak["change"] is not None:
        told += f"; {at_the_peak(peak)}"
    return f"{told}.{other_work(rows.get('TotalAlloc'))}"


def at_the_end(document: Document, end: Document, rows: dict[str, Document]) -> str:
    if end["p"] is not None and not end["differs"]:
        return f"{counted(document)} tell no difference in HeapInuse at the end (p={end['p']:.2f})"
    if not end["change"]:
        return "HeapInuse at the end is the same"
    way = "more" if end["change"] > 0 else "less"
    part = "" if end["share"] is None else f" ({100 * end['share']:+.1f}%)"
    keys = [key for key in PARTS if key in rows and not ("end_unused" in rows and key in ("end_dead", "end_free"))]
    parts = sorted((rows[key] for key in keys if rows[key]["differs"]), key=lambda row: -abs(row["change"]))
    named = [f"{row['name'].removesuffix(AT_THE_END)} {signed(row['change'], row['unit'])}" for row in parts[:NAMED]]
    causes = ", ".join(named)
    return f"B ends with {iec(abs(end['change']))} {way} HeapInuse{part}{': ' if causes else ''}{causes}"


def at_the_peak(peak: Document) -> str:
    if peak["p"] is not None and not peak["differs"]:
        return f"nor at the peak (p={peak['p']:.2f})"
    if not peak["change"]:
        return "the peak is the same"
    if peak["share"] is None:
        return f"at the peak it is {signed(peak['change'], 'bytes')}"
    return f"at the peak it is {100 * peak['share']:+.1f}%"


def other_work(total: Document | None) -> str:
    """That the two did not do the same, where TotalAlloc says so."""
    if total is None or not total["differs"] or abs(total["share"] or 1) <= changed.OTHER_WORK:
        return ""
    share = total["share"]
    how = "memory where A did not" if share is None else f"{100 * share:+.1f}% bytes"
    return f" B also allocated {how}: program and allocator may both differ; --cross tells them apart."


def of_others(document: Document) -> str:
    """The same of sides that do not both tell HeapInuse: the figure that changed most."""
    changed = [row for row in document["figures"] if row["differs"] and row["share"] is not None]
    if not changed:
        return f"{counted(document)} tell no difference."
    most = max(changed, key=lambda row: abs(row["share"]))
    return f"{len(changed)} figures differ, most of them {most['name']}: {signed(most['change'], most['unit'])}."


def counted(document: Document) -> str:
    """6 and 6 recordings"""
    a, b = (document["sides"][which]["recordings"] for which in ("a", "b"))
    return f"{a} and {b} recordings" if a + b > 2 else "The two"


def figures(document: Document) -> Table:
    """Figure, A, B, change; of several with how far they scatter, and the chance that it is chance."""
    chance = document["least_p"] is not None
    rows: list[Sequence[Cell]] = [figure_row(row, chance) for row in document["figures"]]
    columns = (
        text("figure", "figure"),
        Column("shown_a", "A", "people"),
        *((Column("shown_spread_a", "", "people", 3),) if chance else ()),
        Column("shown_b", "B", "people"),
        *((Column("shown_spread_b", "", "people", 3),) if chance else ()),
        Column("shown_change", "change", "people"),
        Column("shown_share", "", "people"),
        *((Column("shown_p", "p", "people"),) if chance else ()),
        *(Column(key, "", "machine") for key in MACHINE),
    )
    return Table("figures", "Side by side", columns, rows, notes(document))


MACHINE = ("a", "b", "change_by", "share", "p", "differs", "why_not", "unit", "key")


def figure_row(row: Document, chance: bool) -> list[Cell]:
    """One row: ~ where there is no difference, or none that can be told."""
    unit = row["unit"]
    tells = row["differs"]
    cells: list[Cell] = [named(row), one_side(row, "a")]
    cells += [scatter(row["spread_a"])] if chance else []
    cells += [one_side(row, "b")]
    cells += [scatter(row["spread_b"])] if chance else []
    change = signed(row["change"], unit) if tells else "~"
    cells += ["not compared" if row["why_not"] else change]
    cells += [f"{100 * row['share']:+.1f}%" if tells and row["share"] is not None else ""]
    if chance:
        cells += ["" if row["p"] is None else f"{row['p']:.3f}"]
    return [*cells, row["median_a"], row["median_b"], row["change"], row["share"], row["p"], row["differs"],
            row["why_not"], unit, row["key"]]  # fmt: skip


def named(row: Document) -> str:
    """The name as the table has it: that most is at the end, and what a range is, its notes say."""
    name = str(row["name"]).removesuffix(AS_MODELLED) if is_range(row) else str(row["name"])
    return name.removesuffix(AT_THE_END)


def one_side(row: Document, which: str) -> str:
    """One side of a row: the median, or the range in which the figure lies."""
    found = row[f"range_{which}"]
    return shown(row[f"median_{which}"], row["unit"]) if found is None else between(*found)


def is_range(row: Document) -> bool:
    return row["range_a"] is not None or row["range_b"] is not None


def scatter(spread: float | None) -> str:
    return "" if spread is None else f"±{100 * spread:.0f}%"


def notes(document: Document) -> list[str]:
    """How the table is to be read."""
    when = [WHEN] if any(row["name"].endswith(AT_THE_END) for row in document["figures"]) else []
    when += [RANGES] if any(map(is_range, document["figures"])) else []
    if document["least_p"] is None:
        return [*when, "One of each: a replay gives the same bytes again, so every byte is a difference. ~: none."]
    return [
        *when,
        f"Medians, and how far the farthest recording is from them. p: exact Mann-Whitney, two-sided. ~: p >= {ALPHA}, "
        "no difference that so few recordings can tell."
    ]


def too_few(document: Document) -> list[str]:
    """That there are too few recordings ever to tell a difference, where there are."""
    a, b = (document["sides"][which]["recordings"] for which in ("a", "b"))
    if document["least_p"] is None or document["least_p"] < ALPHA:
        return []
    enough = next(n for n in range(2, 10) if least_p(n, n) < ALPHA)
    return [
        f"With {a} and {b} recordings no difference can reach p < {ALPHA} (the least is {document['least_p']:.3f}): "
        f"take {enough} and {enough} at least."
    ]
