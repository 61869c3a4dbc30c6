"""What is still to be done of a sweep, in tasks; what was done before is told by the store, without opening a trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from goalloc_cli.sweep.columns import FAILED, OK
from goalloc_cli.sweep.inputs import Input, state_of
from goalloc_cli.sweep.keys import pair_of, slot_of
from goalloc_cli.sweep.store import Store
from goalloc_cli.sweep.wanted import Wanted

MOST_EVENTS = 200_000_000
"""Events that one task replays, all its designs together: one giant trace is not the tail of a sweep then."""
PACED_COST = 5
"""Replays that predicting a setting takes: four cases, and its share of reading the recording."""
LOOKS = 16
"""URLs that are looked at at once."""


@dataclass(frozen=True)
class Task:
    """One trace, and some of the designs that it still is to be replayed under."""

    trace: Input
    wanted: tuple[Wanted, ...]
    known: tuple[str, ...] = ()
    """Keys of replays of this trace, or of one as long, that are there already."""
    alone: bool = False
    """Its workers died before: it is done when no other task is under way."""

    @property
    def events(self) -> int | None:
        """Events that are replayed, all designs together; None where the trace's length is not known."""
        return None if self.trace.size is None else sum(events_of(self.trace, wanted) for wanted in self.wanted)

    def message(self, ways: tuple[str, ...]) -> dict[str, Any]:
        """What is sent to a worker."""
        return {
            "name": self.trace.name,
            "place": self.trace.place,
            "ways": list(ways),
            "designs": [wanted.plain() for wanted in self.wanted],
            "known": list(self.known),
        }


@dataclass
class Plan:
    """All that was asked, and what of it is to be done."""

    traces: int
    designs: int
    bytes: int = 0
    """Of the traces whose length is known."""
    done: int = 0
    failed: int = 0
    """Rows that are there: with figures, and of a trace or design that has a fault."""
    tasks: list[Task] = field(default_factory=list)
    """Largest first."""

    @property
    def rows(self) -> int:
        return self.traces * self.designs

    @property
    def to_do(self) -> int:
        return self.rows - self.done - self.failed


def plan(store: Store, inputs: list[Input], wanted: list[Wanted], ways: tuple[str, ...], retry: bool) -> Plan:
    """Find what is missing.

    Args:
        retry: rows that failed are missing, too. Those of tasks that were lost always are.
    """
    found = Plan(len(inputs), len(wanted), sum(each.size or 0 for each in inputs))
    before = Before(store)
    inputs = looked_at(inputs, before, wanted)
    missing: list[tuple[Input, list[Wanted]]] = []
    for each in inputs:
        status = [before.status(each, design, ways) for design in wanted]
        again = [FAILED] if retry else []
        todo = [design for design, was in zip(wanted, status, strict=True) if was is None or was in again]
        found.done += status.count(OK)
        found.failed += 0 if retry else status.count(FAILED)
        if todo:
            missing.append((each, todo))
    missing.sort(key=lambda pair: -(pair[0].size or 0))
    known = before.keys_by_size({each.size for each, _ in missing})
    for each, todo in missing:
        found.tasks += [Task(each, chunk, known.get(each.size, ())) for chunk in chunks(each, todo)]
    return found


def events_of(trace: Input, wanted: Wanted) -> int:
    """Events that are replayed for one design; a byte of a trace is taken for one."""
    return max(trace.size or 0, 1) * (1 if wanted.setting is None else PACED_COST)


def chunks(trace: Input, wanted: Iterable[Wanted]) -> Iterator[tuple[Wanted, ...]]:
    """The designs in portions of so many events."""
    chunk: list[Wanted] = []
    cost = 0
    for design in wanted:
        this = events_of(trace, design)
        if chunk and cost + this > MOST_EVENTS:
            yield tuple(chunk)
            chunk, cost = [], 0
        chunk.append(design)
        cost += this
    if chunk:
        yield tuple(chunk)


def looked_at(inputs: list[Input], before: Before, wanted: list[Wanted]) -> list[Input]:
    """The inputs; of those that rows are there of already, with the state that they have now."""
    unseen = [each for each in inputs if each.tag is None and before.knows(each, wanted)]
    if not unseen:
        return inputs
    with ThreadPoolExecutor(LOOKS) as pool:
        now = {each.place: found for each, found in zip(unseen, pool.map(with_state, unseen), strict=True)}
    return [now.get(each.place, each) for each in inputs]


def with_state(trace: Input) -> Input:
    """The input and its state; as it is where that cannot be had: its worker will tell why."""
    try:
        size, tag = state_of(trace.place)
    except Exception:  # whatever a file system of fsspec raises
        return replace(trace, tag="")
    return replace(trace, size=size, tag=tag)


class Before:
    """What the store has."""

    def __init__(self, store: Store) -> None:
        self.store = store
        table = store.read(("slot", "pair", "status"))
        self.slots = set(table["slot"].to_pylist())
        self.pairs = dict(zip(table["pair"].to_pylist(), table["status"].to_pylist(), strict=True))

    def knows(self, trace: Input, wanted: list[Wanted]) -> bool:
        """Whether there is any row of a trace."""
        return bool(self.slots) and any(slot_of(trace.place, design.name) in self.slots for design in wanted)

    def status(self, trace: Input, design: Wanted, ways: tuple[str, ...]) -> str | None:
        """What became of it: "ok", "failed"; None where it has to be done."""
        if not self.pairs or trace.tag is None:
            return None
        found = self.pairs.get(pair_of(trace.place, trace.tag, design, ways))
        return found if found in (OK, FAILED) else None

    def keys_by_size(self, sizes: set[int | None]) -> dict[int | None, tuple[str, ...]]:
        """The keys of replays with figures, by the length of their traces: a copy, or a file that was moved, is as long."""
        if not self.slots:
            return {}
        table = self.store.read(("trace_bytes", "key", "status"))
        found: dict[int | None, dict[str, None]] = {}
        for size, key, status in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            if size in sizes and size is not None and status == OK:
                found.setdefault(size, {})[key] = None
        return {size: tuple(keys) for size, keys in found.items()}
