"""Limits and whether they hold: a table for the report, lines for a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goalloc_cli.report.tables.blocks import Block, Cell, Column, Table, Text, text
from goalloc_cli.report.units import clean, for_people, iec

Document = dict[str, Any]
Verdict = dict[str, Any]


def blocks(document: Document) -> list[Block]:
    """The limits that a document was held to, if it was."""
    verdicts = document.get("gate")
    if not verdicts:
        return []
    rows: list[Sequence[Cell]] = [
        (
            one["rule"], one["name"], shown(one["base"], one["unit"]), shown(one["value"], one["unit"]), changed(one),
            "FAILED" if one["crossed"] else "passed", one["value"], one["base"], one["change"], one["p"],
        )
        for one in verdicts
    ]  # fmt: skip
    columns = (
        text("rule", "limit"),
        text("figure", "figure", 2),
        Column("shown_base", "baseline", "people"),
        Column("shown_value", "now", "people"),
        Column("shown_change", "change", "people"),
        text("verdict", "verdict"),
        Column("value", "", "machine"),
        Column("base", "", "machine"),
        Column("change", "", "machine"),
        Column("p", "", "machine"),
    )
    return [Table("gate", score(verdicts).capitalize(), columns, rows)]


def put(shown_blocks: Sequence[Block], document: Document) -> list[Block]:
    """The limits behind the sentences that a report begins with."""
    first = next((at for at, block in enumerate(shown_blocks) if not isinstance(block, Text)), len(shown_blocks))
    return [*shown_blocks[:first], *blocks(document), *shown_blocks[first:]]


def score(verdicts: Sequence[Verdict]) -> str:
    """2 failed, 1 passed"""
    failed = sum(one["crossed"] for one in verdicts)
    counts = ((failed, "failed"), (len(verdicts) - failed, "passed"))
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def line(one: Verdict) -> str:
    """FAILED HeapInuse>+5%: HeapInuse at the peak is 6.9 MiB, +409.6 KiB (+6.1%) on 6.5 MiB"""
    told = f"{'FAILED' if one['crossed'] else 'passed'} {one['rule']}: {one['name']} is {shown(one['value'], one['unit'])}"
    if one["value"] is None:
        return f"passed {one['rule']}: {one['name']}: no case"
    if one["absent"] is not None:
        return f"{told}, for nothing here has that name{meant(one['absent'])}"
    if one["change"] is None:
        return told
    chance = "" if one["p"] is None else f", p={one['p']:.3f}"
    if not one["change"]:
        return f"{told}, as the baseline"
    return f"{told}, {changed(one)} on {shown(one['base'], one['unit'])}{chance}"


def meant(name: str) -> str:
    return f"; did you mean {clean(name)!r}?" if name else ""


def summary(command: str, verdicts: Sequence[Verdict], seconds: float) -> str:
    """===== goalloc replay: 1 failed, 1 passed in 0.42 s ====="""
    return f"===== {command}: {score(verdicts)} in {seconds:.2f} s ====="


def shown(value: Any, unit: str) -> str:
    if unit == "percent":
        return "-" if value is None else f"{value:.3f}%"
    return for_people(value, unit)


def changed(one: Verdict) -> str:
    """+409.6 KiB (+6.1%)"""
    change, share = one["change"], one["share"]
    if change is None:
        return "-"
    if not change:
        return "none"
    part = "" if share is None else f" ({100 * share:+.1f}%)"
    return f"{signed(change, one['unit'])}{part}"


def signed(change: int | float, unit: str) -> str:
    """A difference with its sign."""
    amount = iec(abs(change)) if unit == "bytes" else shown(abs(change), unit)
    return f"{'+' if change > 0 else '-' if change < 0 else ''}{amount}"
