"""Blocks as text: plain, in colour, as CSV or as Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TextIO

from goalloc_cli.report.forms.layout import Line, Paper, lay_out, people
from goalloc_cli.report.tables.blocks import Block, Cell, Table, Text
from goalloc_cli.report.units import clean

STYLES = {
    "headline": "bold",
    "title": "bold cyan",
    "head": "dim",
    "total": "bold",
    "note": "dim",
    "bar": "cyan",
    "doubt": "yellow",
}


NOT_IN_CSV = ("bar", "people")
"""Columns that repeat others in another shape."""


def to_text(blocks: Sequence[Block], paper: Paper) -> str:
    """Plain text: the same bytes for the same report, whatever reads it."""
    lines = ("".join(text for text, _ in line).rstrip() for line in lay_out(blocks, paper))
    return "".join(f"{line}\n" for line in lines)


def to_terminal(blocks: Sequence[Block], paper: Paper, out: TextIO, colour: bool) -> None:
    """Print on `out` with colours (or with none, but with drawings)."""
    lines = lay_out(blocks, paper)
    if paper.height and len(lines) >= paper.height:  # the answer has scrolled away: it stands at the end as well
        said = [line for line in lines if line and line[0][1] == "verdict"]
        lines += [[], *said] if said else []
    if not colour:
        out.write("".join(f"{''.join(text for text, _ in line).rstrip()}\n" for line in lines))
        return
    from rich.console import Console

    console = Console(file=out, force_terminal=True, width=paper.width, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(styled(line), crop=False, overflow="ignore", no_wrap=True)


def styled(line: Line) -> object:
    from rich.text import Text as RichText

    return RichText.assemble(*((text, look(style)) for text, style in line))


def look(style: str) -> str:
    """A style in rich's words; one that begins with "=" is in them already."""
    return style[1:] if style.startswith("=") else STYLES.get(style, "")


def to_csv(blocks: Sequence[Block]) -> str:
    """All tables as one: the first field names the table, and a field that a table has not is empty."""
    return csv_of([({}, blocks)])


def to_csv_of(sections: Sequence[tuple[str, Sequence[Block]]], what: str = "trace") -> str:
    """The tables of several traces, or of several of something else, as one: the first field names it."""
    return csv_of([({what: name}, blocks) for name, blocks in sections])


def csv_of(sections: Sequence[tuple[dict[str, str], Sequence[Block]]]) -> str:
    """Tables under one head; what is known of a whole section stands in front of each of its rows."""
    tables = [(about, block) for about, blocks in sections for block in blocks if isinstance(block, Table)]
    keys = [*(sections[0][0] if sections else ()), "table"]
    for _, table in tables:
        keys += [c.key for c in table.columns if c.unit not in NOT_IN_CSV and c.key not in keys]
    out = io.StringIO()
    writer = csv.DictWriter(out, keys, restval="", lineterminator="\n")
    writer.writeheader()
    for about, table in tables:
        named = {key: csv_cell(value) for key, value in about.items()}
        for row in table.rows:
            cells = {c.key: csv_cell(v) for c, v in zip(table.columns, row, strict=True) if c.unit not in NOT_IN_CSV}
            writer.writerow({**named, "table": table.name, **cells})
    return out.getvalue()


def csv_cell(value: Cell) -> object:
    """A raw value; text that a spreadsheet would take for a formula gets a quote in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, str):
        return value
    guarded = value.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    return ("'" if guarded else "") + clean(value)


def to_markdown(blocks: Sequence[Block]) -> str:
    """Tables of GitHub's Markdown, every column, raw text escaped."""
    parts = [markdown_of(block) for block in blocks]
    return "\n".join(part for part in parts if part)


def markdown_of(block: Block) -> str:
    if isinstance(block, Text):
        text = escaped(block.text)
        return f"# {text}\n" if block.style == "headline" else f"{text}\n"
    if not isinstance(block, Table):
        return ""
    shown = [i for i, c in enumerate(block.columns) if c.unit not in ("bar", "machine")]
    head = pipes(escaped(block.columns[i].title) for i in shown)
    rule = pipes(":---" if block.columns[i].unit == "text" else "---:" for i in shown)
    rows = [pipes(escaped(people(block, row, i)) for i in shown) for row in block.rows]
    notes = [f"{escaped(note)}\n" for note in block.notes]
    body = "\n".join([head, rule, *rows]) if rows else "nothing to show"
    return "\n".join([f"## {escaped(block.title)}\n", f"{body}\n", *notes])


def pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """`text` so that Markdown and HTML show it as it is."""
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#~$!" else c for c in text)
