"""A gctrace text and a replay of the same run, collection by collection."""

from __future__ import annotations

from dataclasses import dataclass

from goalloc_cli.results.outcome import Outcome

MIB = 1 << 20


@dataclass(frozen=True)
class Heap:
    """The four sizes of one collection, in bytes."""

    start: int
    end: int
    live: int
    goal: int


@dataclass(frozen=True)
class Pair:
    """One collection, as Go printed it and as the model had it."""

    number: int
    go: Heap
    """Whole MiB, rounded down."""
    model: Heap

    @property
    def off_bytes(self) -> int:
        """How far the model's start, end or live heap lies outside the MiB that Go printed; 0 if all lie inside."""
        both = ((self.go.start, self.model.start), (self.go.end, self.model.end), (self.go.live, self.model.live))
        return max(max(go - ours, ours - go - MIB + 1, 0) for go, ours in both)


@dataclass(frozen=True)
class Beside:
    """What came of it."""

    outcome: Outcome
    pairs: list[Pair]
    notes: list[str]
