"""How a raw value reads to people, and how a name from a trace is made safe to print."""

from __future__ import annotations

from goalloc_cli.report.tables.blocks import Cell

IEC = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def iec(size: int | float) -> str:
    """12.3 MiB; whole bytes below 10,000."""
    if abs(size) < 10_000:
        return f"{size:,.0f} B"
    value, unit = float(size), 0
    while abs(value) >= 1023.95 and unit < len(IEC) - 1:
        value /= 1024
        unit += 1
    return f"{value:.1f} {IEC[unit]}"


def between(low: int, high: int) -> str:
    """5.3 - 12.7 MiB."""
    first, last = iec(low), iec(high)
    return f"{first.removesuffix(last[-4:])} - {last}"


def short_size(size: int) -> str:
    """8 B, 32 KiB: for powers of two and class sizes, without a decimal that says nothing."""
    for unit, name in reversed(list(enumerate(IEC))):
        if unit and size >= 1024**unit and size % 1024**unit == 0:
            return f"{size >> 10 * unit:,} {name}"
    return f"{size:,} B" if size < 1 << 20 else iec(size)


def percent(part: float) -> str:
    """67.3%; something that rounds to nothing is <0.1%, not 0."""
    if 0 < part < 0.0005:
        return "<0.1%"
    return f"{100 * part:.1f}%"


def duration(ns: int | float) -> str:
    """1.23 s, 45.6 ms."""
    for limit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if abs(ns) >= limit:
            return f"{ns / limit:,.2f} {name}"
    return f"{ns:.0f} ns"


def millions(number: int | float) -> str:
    """8.8 M for a headline; exact below 100,000."""
    return f"{number:,.0f}" if number < 100_000 else f"{number / 1e6:,.2f} M"


def many(number: int, noun: str) -> str:
    """1 event, 8.80 M events: for a headline."""
    return f"{millions(number)} {noun}" + ("" if number == 1 else "s")


def plural(number: int, noun: str) -> str:
    """1 span, 12,345 spans."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def for_people(value: Cell, unit: str) -> str:
    """A cell as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return clean(value)
    if unit == "bytes":
        return iec(value)
    if unit == "share":
        return percent(value)
    if unit == "ns":
        return duration(value)
    if unit == "address":
        return f"{int(value):#x}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}"


def clean(name: str) -> str:
    """`name` with every character that could move the cursor, colour or reorder text written as an escape."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in name)
