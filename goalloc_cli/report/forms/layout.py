"""Lays blocks out in lines of a given width: the same lines for a terminal and a pipe."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from goalloc_cli.report.forms.draw import bar, sparkline
from goalloc_cli.report.tables.blocks import Block, Cell, Chart, Column, Drawing, Table, Text
from goalloc_cli.report.units import clean, for_people

Line = list[tuple[str, str]]
"""Pieces of text, each with a style: "title", "head", "total", "note", "bar", "doubt", "headline" or "". One that begins
with "=" names colours itself, as rich does: "=#4f93d6 on #e8665a"."""

INDENT = "  "
NAME_MIN = 24
"""A name from the program is shortened to this before a column is left out."""
WRAP_MIN = 24
"""An explanation is wrapped down to this width, then left out."""
BAR_MIN, BAR_MAX = 8, 24


@dataclass(frozen=True)
class Paper:
    """What is written on."""

    width: int = 80
    drawings: bool = False
    """Bars and sparklines: a terminal has them, a pipe has not."""
    unicode: bool = True
    colour: bool = False
    """Drawings have colours; without, letters tell layers apart."""
    height: int = 0
    """Lines of a terminal; 0 where nothing scrolls away."""


def lay_out(blocks: Sequence[Block], paper: Paper) -> list[Line]:
    """All blocks, a blank line around each table."""
    lines: list[Line] = []
    for block in blocks:
        part = lines_of(block, paper)
        if part and isinstance(block, Table | Drawing):
            part = [[], *part, []]
        if part and not part[0] and (not lines or not lines[-1]):
            part = part[1:]
        lines += part
    while lines and not lines[-1]:
        lines.pop()
    return lines


def lines_of(block: Block, paper: Paper) -> list[Line]:
    if isinstance(block, Table):
        return table_lines(block, paper)
    if isinstance(block, Chart):
        return chart_lines(block, paper)
    if isinstance(block, Drawing):
        from goalloc_cli.report.forms.drawn import drawn

        return drawn(block, paper.width, paper.colour, paper.unicode) if paper.drawings else []
    if block.style == "headline" and not paper.drawings:  # it names the trace: through a pipe its path may be of any length
        return [[(clean(block.text), block.style)]]
    return [[(line, block.style)] for line in wrapped(clean(block.text), paper.width)]


def wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]


def chart_lines(chart: Chart, paper: Paper) -> list[Line]:
    """HeapInuse  <sparkline>  up to 84.0 MiB"""
    if not paper.drawings or not paper.unicode or len(chart.values) < 2:
        return []
    label = f"{chart.title:10}"
    after = f" {for_people(min(chart.values), chart.unit)} to {for_people(max(chart.values), chart.unit)}"
    room = max(paper.width - len(label) - len(after) - 1, 8)
    return [[(label, ""), (sparkline(chart.values, room), "bar"), (after, "note")]]


@dataclass
class Fit:
    """The columns that are shown, and how wide each is."""

    shown: list[int]
    widths: dict[int, int]
    gap: int
    dropped: list[str]

    def total(self) -> int:
        return len(INDENT) + sum(self.widths[c] for c in self.shown) + self.gap * (len(self.shown) - 1)


def table_lines(table: Table, paper: Paper) -> list[Line]:
    cells = [[people(table, row, c) for c in range(len(table.columns))] for row in table.rows]
    fit = fitted(table, cells, paper)
    lines: list[Line] = [[(clean(table.title), "title")]]
    if cells:
        lines.append([(row_text(fit, table, [c.title for c in table.columns]), "head")])
    else:
        lines.append([(f"{INDENT}nothing to show", "note")])
    for number, row in enumerate(cells):
        style = "total" if table.total and number == len(cells) - 1 else ""
        lines += row_lines(fit, table, row, table.rows[number], style, paper)
    notes = list(table.notes) if cells else []
    if fit.dropped and cells:
        notes.append(f"Not shown for want of width: {', '.join(fit.dropped)}; --format csv has them.")
    for note in notes:
        lines += [[(INDENT + line, "note")] for line in wrapped(clean(note), paper.width - len(INDENT))]
    return lines


def people(table: Table, row: Sequence[Cell], at: int) -> str:
    """One cell as people read it."""
    unit = table.columns[at].unit
    if unit == "by unit":
        unit = str(row[[c.unit for c in table.columns].index("machine")])
    return for_people(row[at], unit)


def fitted(table: Table, cells: list[list[str]], paper: Paper) -> Fit:
    """Shorten names, wrap the explanation, drop columns by rank, in that order, until the table fits."""
    columns = table.columns
    shown = [i for i, c in enumerate(columns) if c.unit != "machine" and (c.unit != "bar" or paper.drawings)]
    widths = {i: max([cell_len(columns[i].title), *(cell_len(row[i]) for row in cells)]) for i in shown}
    bars = [i for i in shown if columns[i].unit == "bar"]
    for i in bars:
        widths[i] = BAR_MAX
    fit = Fit(shown, widths, 2, [])
    fit_bars(fit, bars, paper.width)
    texts = [i for i in shown if columns[i].unit == "text"]
    if texts and columns[texts[0]].names:
        shrink(fit, texts[0], NAME_MIN, paper.width)
    while fit.total() > paper.width:
        last = next((i for i in reversed(fit.shown) if columns[i].unit == "text" and columns[i].rank), None)
        # Only the last column can be wrapped; any other would be cut.
        if last is not None and last == fit.shown[-1] and shrink(fit, last, WRAP_MIN, paper.width):
            return fit
        worst = max(fit.shown, key=lambda i: columns[i].rank)
        if not columns[worst].rank:
            break
        fit.shown.remove(worst)
        fit.dropped.append(columns[worst].title)
    if fit.total() > paper.width:
        fit.gap = 1
    if texts:
        shrink(fit, texts[0], 12, paper.width)
    return fit


def fit_bars(fit: Fit, bars: list[int], width: int) -> None:
    """Bars take the room that is left, or go."""
    for i in bars:
        if not shrink(fit, i, BAR_MIN, width):
            fit.shown.remove(i)


def shrink(fit: Fit, column: int, least: int, width: int) -> bool:
    """Make `column` as narrow as needed, but no narrower than `least`; return whether the table fits now."""
    excess = max(fit.total() - width, 0)
    fit.widths[column] = max(fit.widths[column] - excess, min(least, fit.widths[column]))
    return fit.total() <= width


def row_lines(fit: Fit, table: Table, row: list[str], values: Sequence[Cell], style: str, paper: Paper) -> list[Line]:
    """One row; more lines than one where its explanation is wrapped."""
    last = fit.shown[-1]
    column = table.columns[last]
    if column.unit == "bar":
        value = values[last]
        drawn = bar(float(value), fit.widths[last], paper.unicode) if isinstance(value, int | float) else ""
        return [[(row_text(fit, table, row, fit.shown[:-1]) + " " * fit.gap, style), (drawn, "bar")]]
    if column.unit == "text" and column.rank and cell_len(row[last]) > fit.widths[last]:
        first, *more = wrapped(row[last], fit.widths[last])
        start = " " * (fit.total() - fit.widths[last])
        text = row_text(fit, table, [*row[:last], first, *row[last + 1 :]])
        return [[(text, style)], *([(start + line, style)] for line in more)]
    doubt = "doubt" if any(row[i] in ("bounded", "unknown") for i in fit.shown) else style
    return [[(row_text(fit, table, row), doubt)]]


def row_text(fit: Fit, table: Table, row: Sequence[str], shown: Sequence[int] | None = None) -> str:
    texts = [aligned(row[i], fit.widths[i], table.columns[i]) for i in shown or fit.shown]
    return (INDENT + (" " * fit.gap).join(texts)).rstrip()


def aligned(text: str, width: int, column: Column) -> str:
    text = shortened(text, width)
    space = " " * (width - cell_len(text))
    return text + space if column.unit == "text" else space + text


def shortened(text: str, width: int) -> str:
    """`text` with its middle left out: the ends of a Go type's name tell most."""
    if cell_len(text) <= width:
        return text
    if width < 4:
        return str(set_cell_size(text, width))
    keep = width - 2
    end = text[-(keep // 2) :]
    return str(set_cell_size(text, width - 2 - cell_len(end))) + ".." + end


__all__ = ["Line", "Paper", "Text", "lay_out"]
