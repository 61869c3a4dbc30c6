"""Pictures made of characters: bars of layers, layers over time, maps, points.

A character has two colours, that of its lower part and that of its ground. Without colours it is the letter, or the shade,
of what takes most of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby, pairwise

from goalloc_cli.report.pictures.layers import Layer
from goalloc_cli.report.tables.blocks import Areas, Bars, Cells, Drawing, Points
from goalloc_cli.report.units import clean, iec, short_size

Line = list[tuple[str, str]]

INDENT = "  "
EIGHTHS = " ▁▂▃▄▅▆▇█"
HEIGHT = 10
"""Lines of a picture over time."""
MOST_ROWS = 12
"""Lines of a map."""
WIDEST = 120
LABEL = 11
SCALE = 11
"""Columns for sizes at the left edge."""


def drawn(block: Drawing, width: int, colour: bool, unicode: bool) -> list[Line]:
    """The lines of a picture, none wider than `width`."""
    width = min(width, WIDEST)
    if isinstance(block, Bars):
        return bars(block, width, colour, unicode)
    if isinstance(block, Areas):
        return areas(block, width, colour, unicode)
    if isinstance(block, Cells):
        return cells(block, width, colour, unicode)
    return points(block, width, colour)


def titled(title: str) -> list[Line]:
    return [[(clean(title), "title")]] if title else []


def glyph(layer: Layer, colour: bool, unicode: bool) -> tuple[str, str]:
    """What stands for a layer, and its style."""
    if colour:
        return ("█" if unicode else layer.letter), f"={layer.colour}"
    return (layer.shade if unicode else layer.letter), ""


def keys(layers: Sequence[Layer], width: int, colour: bool, unicode: bool) -> list[Line]:
    """What each colour or letter is, in as few lines as can be."""
    lines: list[Line] = [[(INDENT, "")]]
    room = width - len(INDENT)
    for layer in layers:
        sign, style = glyph(layer, colour, unicode)
        name = f" {layer.short}  "
        if room < len(name) and len(lines[-1]) > 1:
            lines.append([(INDENT, "")])
            room = width - len(INDENT)
        lines[-1] += [("■" if colour and unicode else sign, style), (name, "")]
        room -= 1 + len(name)
    return [[*line[:-1], (line[-1][0].rstrip(), "")] for line in lines]


def bars(block: Bars, width: int, colour: bool, unicode: bool) -> list[Line]:
    """Bars to one scale."""
    after = max((len(end) for _, _, end in block.rows), default=0) + 2
    room = max(width - len(INDENT) - LABEL - 1 - after, 10)
    whole = max((sum(sizes) for _, sizes, _ in block.rows), default=0)
    if not whole:
        return []
    lines = titled(block.title)
    for name, sizes, end in block.rows:
        edges = [round(room * below / whole) for below in accumulate(sizes, initial=0)]
        line: Line = [(f"{INDENT}{name:{LABEL}} ", "")]
        for layer, (low, high) in zip(block.layers, pairwise(edges), strict=True):
            sign, style = glyph(layer, colour, unicode)
            if high > low:
                line.append((sign * (high - low), style))
        lines.append([*line, (f"  {end}", "")])
    used = [layer for at, layer in enumerate(block.layers) if any(sizes[at] for _, sizes, _ in block.rows)]
    return lines + keys(used, width, colour, unicode)


def areas(block: Areas, width: int, colour: bool, unicode: bool) -> list[Line]:
    """Layers over time; each column shows the highest of the samples that fall in it."""
    room = width - SCALE - 1
    tops = list(zip(*(accumulate(column) for column in zip(*block.sizes, strict=True)), strict=True))
    if not tops or not max(tops[-1]):
        return []
    top = max(tops[-1])
    shown = columns(block.at, tops[-1], room)
    lines = titled(block.title)
    for row in reversed(range(HEIGHT)):
        label = iec(top * (row + 1) / HEIGHT) if (HEIGHT - 1 - row) % 3 == 0 else ""
        line: Line = [(f"{label:>{SCALE - 1}} ", "note")]
        low, high = top * row / HEIGHT, top * (row + 1) / HEIGHT
        for sample in shown:
            edges = [0, *(layer[sample] for layer in tops)]
            inside = [max(0, min(b, high) - max(a, low)) for a, b in pairwise(edges)]
            line.append(character(block.layers, inside, high - low, colour, unicode))
        lines.append(joined(line))
    if block.marks:
        marks = [" "] * room
        for at in block.marks:
            marks[min(max(int(at * room), 0), room - 1)] = "╵" if unicode else "|"
        lines.append([(f"{block.marked[: SCALE - 1]:>{SCALE - 1}} " + "".join(marks).rstrip(), "note")])
    used = [layer for at, layer in enumerate(block.layers) if any(block.sizes[at])]
    return lines + keys(used, width, colour, unicode)


def columns(at: Sequence[float], heights: Sequence[int], room: int) -> list[int]:
    """The sample that each column shows; one in which none falls shows the one before."""
    best: dict[int, int] = {}
    for sample, place in enumerate(at):
        column = min(max(int(place * room), 0), room - 1)
        if column not in best or heights[sample] > heights[best[column]]:
            best[column] = sample
    found, last = [], 0
    for column in range(room):
        last = best.get(column, last)
        found.append(last)
    return found


def character(layers: Sequence[Layer], inside: Sequence[float], cell: float, colour: bool, unicode: bool) -> tuple[str, str]:
    """One character: `inside` is how much of each layer falls in it, of `cell`."""
    empty = cell - sum(inside)
    most = max(range(len(inside)), key=lambda at: inside[at])
    if not (colour and unicode):
        return (" ", "") if empty > inside[most] else glyph(layers[most], colour, unicode)
    if not inside[most] or 8 * empty > 7.5 * cell:
        return " ", ""
    lowest = next(at for at, part in enumerate(inside) if part)
    eighths = round(8 * inside[lowest] / cell)
    # What is left of the character goes to whatever takes most of it, or thin layers would look thick.
    above = max(range(lowest + 1, len(inside)), key=lambda at: inside[at], default=None)
    ground = None if above is None or inside[above] <= empty else layers[above].colour
    if not eighths or (eighths < 8 and ground is None and empty < cell / 16):
        taken = layers[lowest].colour if ground is None else ground
        return "█", f"={taken}"
    return EIGHTHS[eighths], f"={layers[lowest].colour}" + (f" on {ground}" if ground and eighths < 8 else "")


def joined(line: Line) -> Line:
    """The same with neighbours of one style as one piece."""
    return [("".join(text for text, _ in pieces), style) for style, pieces in groupby(line, key=lambda piece: piece[1])]


def cells(block: Cells, width: int, colour: bool, unicode: bool) -> list[Line]:
    """A map: with colours two cells in a character, one above the other."""
    room, high = width - len(INDENT), 2 if colour and unicode else 1
    together = max(1, -(-len(block.cells) // (room * MOST_ROWS * high)))
    parts = [block.cells[at : at + together] for at in range(0, len(block.cells), together)]
    shown = [max(set(part), key=lambda kind: (part.count(kind), kind)) for part in map(list, parts)]
    lines = titled(f"{block.title}: {short_size(block.cell_bytes * together)} a cell")
    for start in range(0, len(shown), room * high):
        upper, lower = shown[start : start + room], shown[start + room : start + 2 * room] if high == 2 else []
        line: Line = [(INDENT, "")]
        for at, kind in enumerate(upper):
            if high == 1:
                line.append(glyph(block.keys[kind], colour, unicode))
                continue
            ground = f" on {block.keys[lower[at]].colour}" if at < len(lower) else ""
            line.append(("▀", f"={block.keys[kind].colour}{ground}"))
        lines.append(joined(line))
    used = [key for at, key in enumerate(block.keys) if at in set(shown)]
    return lines + keys(used, width, colour, unicode)


def points(block: Points, width: int, colour: bool) -> list[Line]:
    """Points with their names, where there is room for these."""
    room = width - SCALE - 1
    most_x = max((x for x, _, _, _ in block.points), default=0)
    most_y = max((y for _, y, _, _ in block.points), default=0)
    if not most_x or not most_y:
        return []
    paper = [[" "] * room for _ in range(HEIGHT + 1)]
    # The best are named first, for not all names may find room.
    for x, y, name, best in sorted(block.points, key=lambda point: not point[3]):
        row, column = HEIGHT - round(HEIGHT * y / most_y), min(round((room - 1) * x / most_x), room - 1)
        paper[row][column] = "*" if best else "o"
        label = f" {name}"
        right = column + 1 + len(label) <= room
        start = column + 1 if right else column - len(label)
        if start >= 0 and all(paper[row][at] == " " for at in range(start, start + len(label))):
            paper[row][start : start + len(label)] = label if right else f"{name} "
    lines = titled(f"{block.title}: {block.y_title} up, {block.x_title} to the right; *: no other setting beats it in both")
    for row, line in enumerate(paper):
        label = f"{most_y * (HEIGHT - row) / HEIGHT:.2f}" if row % 3 == 0 else ""
        lines.append([(f"{label:>{SCALE - 1}} ", "note"), ("".join(line).rstrip(), "bar" if colour else "")])
    lines.append([(f"{'0 B':>{SCALE + 2}}{iec(most_x):>{room - 3}}", "note")])
    return lines
