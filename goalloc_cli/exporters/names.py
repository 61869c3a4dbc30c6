"""How names from a trace go into formats that others read: whole, but for what moves a cursor, or nobody would read."""

from __future__ import annotations

from goalloc_cli.report.units import clean

MOST = 2000
"""Characters of a name. Go's longest, of generic types in generic types, have some hundreds."""


def shown(name: str) -> str:
    """The name without characters that could move the cursor or reorder text, cut where it is too long to be one."""
    name = clean(name[: MOST + 1])
    return name if len(name) <= MOST else f"{name[:MOST]}..."
