"""MemStats and runtime/metrics in JSON: by themselves, as expvar's `memstats`, or wherever they stand in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from goalloc_cli.errors import TraceError
from goalloc_cli.importers.memstats.amounts import checked, near
from goalloc_cli.importers.memstats.names import BARE, METRICS, OWN_METRICS, TELLING, bare
from goalloc_cli.results.memstats import Moment

DEEPEST = 16
"""How deep the numbers may stand."""
MOST_VISITED = 1_000_000
"""Objects and lists that are looked into."""


def decoded(text: str) -> Any:
    """The JSON that a text is; None where it is none."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def moments(found: Any, name: str) -> Iterator[Moment]:
    """Each object of it that holds such numbers, in order.

    Raises:
        TraceError: a number is none that Go can have, or there is too much of it.
    """
    waiting = [(found, 0)]
    visited = 0
    while waiting:
        value, depth = waiting.pop()
        visited += 1
        if visited > MOST_VISITED:
            raise TraceError(f"{name}: holds more than {MOST_VISITED:,} objects; take MemStats out of it")
        if isinstance(value, dict):
            if moment := moment_of(value, name):
                yield moment
                continue
        elif not isinstance(value, list):
            continue
        elif moment := listed(value, name):
            yield moment
            continue
        if depth < DEEPEST:
            inside = value.values() if isinstance(value, dict) else value
            waiting += [(part, depth + 1) for part in reversed([*inside]) if isinstance(part, dict | list)]


def moment_of(entry: dict[str, Any], name: str) -> Moment | None:
    """The numbers of one object; None where it has none."""
    keys = {key: known for key in entry if isinstance(entry[key], int | float) and (known := known_name(key))}
    if len(keys) < 2 or not {*keys.values()} & {*TELLING, *OWN_METRICS, *METRICS.values()}:
        return None
    moment = Moment({known: near(checked(entry[key], f"{name}: {key}")) for key, known in keys.items()})
    rows = next((entry[key] for key in entry if bare(key) == "bysize"), None)
    if isinstance(rows, list):
        moment.by_size = [size_row(row, name) for row in rows]
    return moment


def known_name(key: str) -> str | None:
    return METRICS.get(key) or (key if key in OWN_METRICS else BARE.get(bare(key)))


def listed(rows: list[Any], name: str) -> Moment | None:
    """Metrics as a list of objects with a name and a value."""
    found = {}
    for row in rows:
        if not isinstance(row, dict) or "value" not in (lower := {str(key).lower(): part for key, part in row.items()}):
            return None
        if lower.get("name") in OWN_METRICS and isinstance(lower["value"], int | float):
            found[lower["name"]] = lower["value"]
    return moment_of(found, name) if found else None


def size_row(row: Any, name: str) -> tuple[int, int, int]:
    """One row of BySize."""
    if not isinstance(row, dict):
        raise TraceError(f"{name}: BySize holds something else than objects with Size, Mallocs and Frees")
    size, mallocs, frees = (checked(row.get(key, 0), f"{name}: BySize {key}") for key in ("Size", "Mallocs", "Frees"))
    return int(size), int(mallocs), int(frees)
