"""When objects died, as far as a recording tells: between two collections. A moment for each is drawn from how long such
objects live.

The recording finds the dead when it collects. So an object died after it was last used, and after the collection before
began, for that still found it alive; and before the one began that found it dead. How long objects live is estimated from
all these intervals together (Turnbull 1976, the empirical distribution function of censored data), in bytes allocated, by
span class and type. Each death is then drawn from its curve inside its own interval, so that the heap at the recorded
collections stays what it was. Objects that the recording never saw die may have died behind its last collection: for these
a death is drawn beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.pace.bursts import drop_together
from goalloc_cli.analyses.pace.events import Events
from goalloc_cli.analyses.pace.kernels import draw_ages, turnbull
from goalloc_cli.trace.event import NOSCAN, Kind

BINS, FIRST_EDGE, ROUNDS = 48, 512, 150
"""Of a curve: how many, of equal width in the logarithm; where the second begins; how often the estimate is bettered."""
ENOUGH_OF_TYPE, ENOUGH_OF_CLASS = 2_000, 200
"""Deaths from which a type, and a span class, has a curve of its own."""
SEED = 1
"""Of the draws: the same recording gives the same figures."""


@dataclass(frozen=True)
class Deaths:
    """Where each death goes. Moments are positions among the events: a half stands between two."""

    moments: NDArray[np.float64]
    """Of each FREE of the trace, in order."""
    late_objects: NDArray[np.intp]
    """Events that made an object which is taken to have died behind the last collection."""
    late_moments: NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """What the recording says of its objects."""

    born: NDArray[np.int64]
    """The event that made the object of each FREE, in order."""
    after: NDArray[np.int64]
    """It died behind this event,"""
    before: NDArray[np.int64]
    """and not behind this one."""
    alive: NDArray[np.intp]
    """Events that made an object which nobody saw die,"""
    until: int
    """though all that died before this event is known."""


def are_intervals(events: Events) -> bool:
    """Whether deaths stand where a collection began that found them, not where they happened."""
    frees, starts, allocs = events.at(Kind.FREE), events.at(Kind.GC_START), events.at(Kind.ALLOC)
    if not len(frees) or not len(starts):
        return False
    next_start = np.append(starts, len(events.kind))[np.searchsorted(starts, frees)]
    next_alloc = np.append(allocs, len(events.kind) + 1)[np.searchsorted(allocs, frees)]
    return bool((next_start < next_alloc).mean() > 0.99)


def known_deaths(events: Events) -> Known:
    """The interval of each death."""
    kind, frees, starts = events.kind, events.at(Kind.FREE), events.at(Kind.GC_START)
    born, last = events.births
    number = np.searchsorted(starts, frees)
    previous = np.where(number > 0, np.append(starts, 0)[number - 1], 0)
    died = np.zeros(len(kind), np.bool_)
    died[born[born >= 0]] = True
    alive = np.flatnonzero((kind == Kind.ALLOC) & ~died)
    used = np.where(born >= 0, last[born], 0)
    return Known(born, np.minimum(np.maximum(used, previous), frees), frees, alive, known_until(events))


def last_is_swept(events: Events) -> bool:
    """Whether the last collection that ended was swept to its end while it was recorded."""
    starts, ends, drained = events.at(Kind.GC_START), events.at(Kind.GC_END), events.at(Kind.SWEEP_DRAINED)
    if not len(ends):
        return False
    asked = bool(events.columns["arg"][ends[-1]] == 1)  # runtime.GC returns when all is swept
    again = bool(starts[-1] > ends[-1])  # and so is what is left before the next collection begins
    return asked or again or bool(len(drained) and drained[-1] > ends[-1])


def known_until(events: Events) -> int:
    """The start of the last collection whose dead are all known."""
    starts, ends = events.at(Kind.GC_START), events.at(Kind.GC_END)
    whole = len(ends) - (not last_is_swept(events))
    return int(starts[whole - 1]) if 0 < whole <= len(starts) else 0


def draw_deaths(events: Events, slots: NDArray[np.int64]) -> Deaths:
    """Draw a moment for each death that the recording does not tell.

    Args:
        slots: bytes of the slot that each event's allocation takes, shape (n,); 0 for what is none.
    """
    if not are_intervals(events):
        return Deaths(events.at(Kind.FREE).astype(np.float64), np.zeros(0, np.intp), np.zeros(0))
    known = known_deaths(events)
    clock = np.cumsum(np.where(events.kind == Kind.ALLOC, slots, 0))
    edges = edges_of(int(clock[-1]))
    groups, group_of_born, group_of_alive = grouped(events, known, slots)
    least, most, still = ages(known, clock)
    curves = estimate(groups, edges, (group_of_born, least, most), (group_of_alive, still))
    random = np.random.default_rng(SEED)
    drawn = np.empty(len(least))
    draw_ages(least, most, group_of_born, curves, edges, random.random(len(least)), drawn)
    at = np.searchsorted(clock, clock[known.born] + drawn, side="left") + 0.5
    moments = np.clip(at, known.after + 0.5, known.before)
    moments = drop_together(moments, events, np.where(known.born >= 0, slots[known.born], 0), known.after, clock, random)
    late, late_moments = draw_late(known, clock, events, (group_of_alive, still, curves, edges), random)
    return Deaths(np.where(known.born >= 0, moments, known.before), late, late_moments)


def edges_of(total: int) -> NDArray[np.float64]:
    """Where the bins of a curve begin and end, in bytes allocated."""
    logs = np.logspace(np.log10(FIRST_EDGE), np.log10(max(total + 1, 2 * FIRST_EDGE)), BINS)
    return np.concatenate([[0.0], logs])


def ages(
    known: Known, clock: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The least and the most that each died at, in bytes allocated since it was made; and how old those alive are."""
    at_birth = clock[known.born]
    least = np.maximum(clock[known.after] - at_birth, 0).astype(np.float64)
    most = np.maximum(clock[known.before] - at_birth, least).astype(np.float64)
    still = np.maximum(clock[max(known.until - 1, 0)] - clock[known.alive], 0).astype(np.float64)
    return least, most, still


def grouped(
    events: Events, known: Known, slots: NDArray[np.int64]
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """How many curves there are, and which is that of each death, and of each object alive (-1: none is like it)."""
    noscan = (events.columns["kind"] & np.uint8(NOSCAN) != 0).astype(np.int64)
    classes = 2 * slots + noscan
    classes[events.kind == Kind.SNAP_OBJECT] = -1  # nobody saw them made: their age is at least what it seems
    types = events.columns["arg"].astype(np.int64)
    both = classes * (1 << 32) + types
    of_class: dict[int, int] = {}
    finest = np.full(len(known.born), -1, np.int64)
    names, inverse, counts = np.unique(both[known.born], return_inverse=True, return_counts=True)
    _, class_inverse, class_counts = np.unique(classes[known.born], return_inverse=True, return_counts=True)
    fine = counts[inverse] >= ENOUGH_OF_TYPE
    middle = ~fine & (class_counts[class_inverse] >= ENOUGH_OF_CLASS)
    of_both = {int(name): number for number, name in enumerate(names[counts >= ENOUGH_OF_TYPE], 1)}
    found = np.unique(classes[known.born][middle])
    of_class = {int(name): number for number, name in enumerate(found, 1 + len(of_both))}
    finest[:] = 0
    finest[fine] = mapped(both[known.born][fine], of_both, 0)
    finest[middle] = mapped(classes[known.born][middle], of_class, 0)
    alive = mapped(both[known.alive], of_both, -1)
    alive = np.where(alive < 0, mapped(classes[known.alive], of_class, -1), alive)
    alive = np.where(alive < 0, 0, alive)
    return 1 + len(of_both) + len(of_class), finest, alive


def mapped(keys: NDArray[np.int64], numbers: dict[int, int], other: int) -> NDArray[np.int64]:
    """Each key's number."""
    if not len(keys):
        return np.zeros(0, np.int64)
    found, inverse = np.unique(keys, return_inverse=True)
    return np.array([numbers.get(int(key), other) for key in found], np.int64)[inverse]


def estimate(
    groups: int,
    edges: NDArray[np.float64],
    dead: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    alive: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """The curve of each group: the probability of an age below each edge, shape (groups, bins + 1)."""
    counts = np.zeros((groups, BINS, BINS + 1))
    group, least, most = dead
    np.add.at(counts, (group, bin_of(least, edges), bin_of(most, edges)), 1)
    group, still = alive
    np.add.at(counts[:, :, BINS], (group, bin_of(still, edges)), 1)
    return np.array([np.concatenate([[0.0], np.cumsum(distribution(each, ROUNDS)[:BINS])]) for each in counts])


def distribution(counts: NDArray[np.float64], rounds: int) -> NDArray[np.float64]:
    """The probability of each bin, of what is known as intervals of bins only (`turnbull`)."""
    bins = len(counts)
    chance = np.full(bins + 1, 1.0 / (bins + 1))
    turnbull(counts, rounds, chance, np.zeros((2, bins + 2)))
    return chance


def bin_of(age: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.clip(np.searchsorted(edges, age, side="right") - 1, 0, BINS - 1)


def draw_late(
    known: Known,
    clock: NDArray[np.int64],
    events: Events,
    curve: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    random: np.random.Generator,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Deaths behind the last collection that tells, among those that nobody saw die: the objects, and the moments."""
    group, still, curves, edges = curve
    drawn = np.empty(len(still))
    endless = np.full(len(still), np.inf)
    draw_ages(still, endless, group, curves, edges, random.random(len(still)), drawn)
    dies = clock[known.alive] + drawn < clock[-1]
    objects = known.alive[dies]
    _, last = events.births
    at = np.searchsorted(clock, clock[objects] + drawn[dies], side="left")
    return objects, np.maximum(at, last[objects]) + 0.5
