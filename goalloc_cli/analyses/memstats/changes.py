"""What changed between two moments, and how fast."""

from __future__ import annotations

from goalloc_cli.results.memstats import Change, Moment

COUNTERS = ("TotalAlloc", "Mallocs", "Frees", "NumGC", "NumForcedGC", "PauseTotalNs")
"""They only grow, as long as a program runs."""
LEFT_OUT = ("LastGC", "Lookups", "Alloc")


def changes(before: Moment, after: Moment, seconds: float | None) -> list[Change]:
    """Every number that both moments have, in the order of the second."""
    found = []
    for name, amount in after.values.items():
        if name in LEFT_OUT or name not in before.values or name.startswith("/memory/classes/"):
            continue
        was = before.values[name].value
        counts = name in COUNTERS and bool(seconds) and amount.value >= was
        found.append(Change(name, was, amount.value, (amount.value - was) / seconds if counts and seconds else None))
    return found


def restarted(found: list[Change]) -> list[str]:
    """Counters that fell."""
    return [change.name for change in found if change.name in COUNTERS and change.after < change.before]
