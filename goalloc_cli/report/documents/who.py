"""Who allocated and who holds what, as documents: by goroutine, user task and region, type, type within each, call site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.results.outcome import LEDGER
from goalloc_cli.results.who import (
    DEAD,
    EVER,
    NAMED,
    NO_OBJECT,
    OWN,
    PINNED,
    ROW,
    TRACER,
    Sites,
    Who,
    added,
    goroutine,
    held,
    live_bytes,
    summed,
    task,
)

Document = dict[str, Any]
Key = Callable[[Who, np.void], tuple[Any, ...]]
"""What a row is counted under."""

NO_TYPE = "(no type given)"


def who_document(end: Who, before: Mapping[str, Who]) -> Document:
    """Who holds the heap at its end, and had allocated until then; and at moments before that, by name: "peak", "marked"."""
    moments = {"end": end, **before}
    views: dict[str, Key] = {
        "goroutines": lambda who, row: goroutine(who, int(row["owner"])),
        "tasks": lambda who, row: task(who, int(row["owner"])),
        "types": lambda who, row: (type_name(who, row),),
        "types_within": lambda who, row: (goroutine(who, int(row["owner"]))[0], type_name(who, row)),
    }
    return {
        "moments": {when: moment(who) for when, who in moments.items()},
        **{name: rows_of(KEYS[name], key, moments) for name, key in views.items()},
        "dead_goroutines": {when: dead_goroutines(who) for when, who in moments.items() if when in ("end", "peak")},
    }


KEYS = {
    "goroutines": ("entry", "created_by", "runtime"),
    "tasks": ("task", "region"),
    "types": ("type",),
    "types_within": ("entry", "type"),
}


def moment(who: Who) -> Document:
    """When, and how far the rows are known to add up."""
    rows = who.rows
    known = rows["alloc_bytes"][rows["owner"] > 0].sum()
    found: Document = {
        "event": who.event,
        "alloc_bytes": int(rows["alloc_bytes"].sum()),
        "alloc_bytes_with_owner": int(known),
        "live_bytes": int(rows["live_bytes"].sum()),
        "goroutines": who.goroutines if who.goroutines >= 0 else None,
    }
    if len(who.sample):
        sample = who.sample[0]
        found["heap_inuse"] = int(sample["heap_inuse"])
        found["ledger"] = {name: int(sample[name]) for name in LEDGER}
        found["sum"] = int(held(rows).sum())
    return found


def rows_of(names: tuple[str, ...], key: Key, moments: dict[str, Who]) -> list[Document]:
    """A row for each key: what it allocated, and what it holds at each moment; those that hold or allocated most first."""
    found: dict[tuple[Any, ...], Document] = {}
    for when, who in moments.items():
        keys, sums = by_key(who, key)
        for each, row in zip(keys, sums, strict=True):
            entry = found.setdefault(each, dict(zip(names, each, strict=True)))
            if when == "end":
                entry |= ever(row)
            entry[when] = holding(row, bool(len(who.sample)))
    empty = holding(np.zeros(1, ROW)[0], bool(len(next(iter(moments.values())).sample)))
    for entry in found.values():
        for when in moments:
            entry.setdefault(when, dict(empty))
    most = "peak" if "peak" in moments else "end"
    rank = "held_bytes" if len(moments[most].sample) else "live_bytes"
    order = [(-entry[most][rank], -entry.get("alloc_bytes", 0), each) for each, entry in found.items()]
    return [found[each] for *_rank, each in sorted(order)]


def by_key(who: Who, key: Key) -> tuple[list[tuple[Any, ...]], NDArray[np.void]]:
    """The rows of a moment summed up by a key that is found from each."""
    number: dict[tuple[Any, ...], int] = {}
    group = [number.setdefault(key(who, row), len(number)) for row in who.rows]
    return list(number), summed(who.rows, np.array(group, np.int64), {})


def ever(row: np.void) -> Document:
    """What was allocated, and how long the dead among it lived."""
    found = {name: int(row[name]) for name in EVER if not name.startswith("age")}
    deaths = int(row["deaths"])
    for name in ("age_cycles", "age_bytes"):
        found[f"mean_{name}"] = int(row[name]) / deaths if deaths else None  # type: ignore[assignment]
    return found


def holding(row: np.void, replayed: bool = True) -> Document:
    """What is held: its own live slots, what these pin, and its own dead. Without a replay, live objects alone."""
    one = np.array([row])
    if not replayed:
        return {"objects": int(row["live"]), "live_bytes": int(row["live_bytes"])}
    live, pinned = int(live_bytes(one)[0]), int(added(one, PINNED)[0])
    return {
        "objects": int(row["objects"]),
        "live_bytes": live,
        "requested": int(row["requested"]),
        "rounding": int(added(one, OWN)[0] - row["requested"]),
        "pinned_bytes": pinned,
        "dead_bytes": int(added(one, DEAD)[0]),
        "held_bytes": int(held(one)[0]),
        "held_per_live_byte": (live + pinned) / live if live else None,
        "ledger": {name: int(row[name]) for name in LEDGER},
    }


def type_name(who: Who, row: np.void) -> str:
    """The type of a row, or what stands in its place."""
    if row["owner"] in (NO_OBJECT, TRACER):
        return NAMED[int(row["owner"])]
    return (who.types[row["type"]] if row["type"] < len(who.types) else "") or NO_TYPE


def dead_goroutines(who: Who) -> Document | None:
    """The runtime.g that live although their goroutines have ended (golang/go#75456): Go keeps each for the next goroutine.

    None where the trace does not tell how many goroutines there are. Each thread has two runtime.g of its own besides.
    """
    if who.goroutines < 0:
        return None
    if "runtime.g" not in who.types:
        return None
    rows = who.rows[who.rows["type"] == who.types.index("runtime.g")]
    there, count = int(rows["objects"].sum() or rows["live"].sum()), who.goroutines
    slots = int(live_bytes(rows).sum())
    return {"runtime_g": there, "bytes": slots, "goroutines": count, "dead_at_most": max(there - count, 0)}


def sites_document(found: Sites) -> Document:
    """Every call site: what it allocated, holds and wastes, itself and with all that it called."""
    rows = [
        {
            "function": row.function,
            "file": row.file,
            "line": row.line,
            "flat": part(row.flat),
            "cumulative": part(row.cumulative),
        }
        for row in found.rows
    ]
    return {"group_by": found.group_by, "focus": found.focus, "unknown_bytes": found.unknown_bytes, "rows": rows}


def part(row: np.void) -> Document:
    """What was allocated, how much of its slots was more than asked for, and what is held at the end."""
    slot, asked = int(row["slot_bytes"]), int(row["alloc_bytes"])
    return {
        "allocs": int(row["allocs"]),
        "alloc_bytes": asked,
        "slot_bytes": slot,
        "rounding_bytes": max(slot - asked, 0),
        "rounding_share": max(slot - asked, 0) / slot if slot else None,
        "least": int(row["least"]),
        "most": int(row["most"]),
        "deaths": int(row["deaths"]),
        **holding(row),
    }
