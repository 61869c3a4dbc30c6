"""Small drawings in text: a bar for a share, a sparkline for a figure over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = "▁▂▃▄▅▆▇█"


def bar(part: float, width: int, unicode: bool = True) -> str:
    """`part` of `width`, to an eighth of a character."""
    part = min(max(part, 0.0), 1.0)
    if not unicode:
        return "#" * round(part * width)
    eighths = round(part * width * 8)
    if part and not eighths:
        eighths = 1
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def sparkline(values: Sequence[int | float], width: int) -> str:
    """The values from 0 to their maximum in at most `width` characters, each the highest of its part."""
    top = max(values, default=0)
    if not top:
        return LEVELS[0] * min(len(values), width)
    columns = min(len(values), width)
    edges = [len(values) * i // columns for i in range(columns + 1)]
    highest = [max(values[a:b]) for a, b in pairwise(edges)]
    above = top + 1 if isinstance(top, int) else top
    return "".join(LEVELS[min(int(value * len(LEVELS) / above), len(LEVELS) - 1)] for value in highest)
