"""A replay in time: its samples, the phases of its collections, the refills of each P."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from goalloc_cli.results.outcome import Outcome


class Work(IntEnum):
    """What a collector does in a phase."""

    MARK = 0
    SWEEP = 1


@dataclass(frozen=True)
class Phase:
    """Marking, or sweeping behind it. Both ends are (number of events before, nanoseconds)."""

    work: Work
    cycle: int
    """Counted from 1, as the cycles of the trace end."""
    explicit: bool
    """runtime.GC asked for it."""
    begin: tuple[int, int]
    end: tuple[int, int]


@dataclass(frozen=True)
class Refills:
    """How often mcaches were refilled up to a moment."""

    event: int
    time_ns: int
    by_p: list[int]


@dataclass(frozen=True)
class Timeline:
    """What happened when."""

    outcome: Outcome
    phases: list[Phase]
    """In order; those of a kind do not overlap."""
    refills: list[Refills]
    """In order of time; the last is of the end."""
    has_times: bool
    """Whether the trace has times; without, all are 0."""
