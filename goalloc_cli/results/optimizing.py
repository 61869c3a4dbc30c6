"""Which size classes would serve a program better, and what replays say of each table."""

from __future__ import annotations

from dataclasses import dataclass, field

from goalloc_cli.trace.trace import Header

Table = tuple[tuple[int, int], ...]
"""(bytes, pages) of each class, smallest first."""

WORTH = 0.02
"""A gain below this is none: what-ifs are no more exact, and a table of one's own has to be kept."""

YES, ONLY_HERE, NO, UNKNOWN = "yes", "only for this program", "no", "unknown"


@dataclass(frozen=True)
class Figures:
    """What a replay with a table came to, in bytes. The ledger rows are those at the peak."""

    peak_heap_inuse: int
    mean_heap_inuse: float
    """Over the samples: at the start, each GC, each named point, and the end."""
    end_heap_inuse: int
    rounding: int
    """Of size classes, headers and tiny blocks included."""
    tails: int
    """Ends of spans in no slot, metadata included."""
    free_slots: int
    cached: int
    """Free slots in spans that an mcache holds."""
    dead: int
    """Objects that died and are not swept yet: no table acts on them."""

    @property
    def middle(self) -> float:
        """Half the peak and half the mean."""
        return (self.peak_heap_inuse + self.mean_heap_inuse) / 2


@dataclass(frozen=True)
class Change:
    """From one replay to another, as shares: below 0 is less."""

    peak: float
    mean: float

    @property
    def objective(self) -> float:
        """What tables are compared by."""
        return (self.peak + self.mean) / 2

    @property
    def worst(self) -> float:
        return max(self.peak, self.mean)


def change(base: Figures, other: Figures) -> Change:
    """What becomes of a recording with another table."""
    peak = other.peak_heap_inuse / base.peak_heap_inuse - 1 if base.peak_heap_inuse else 0.0
    return Change(peak, other.mean_heap_inuse / base.mean_heap_inuse - 1 if base.mean_heap_inuse else 0.0)


@dataclass(frozen=True)
class Candidate:
    """A table, and what replays of the recordings that it was made for say of it."""

    name: str
    table: Table
    figures: list[Figures]
    """One for each of these recordings."""
    cost: float
    """What the model says that its slots cost, in bytes, without what classes cost by being there."""
    part: float | None = None
    """How much of a span each class was said to cost by being there; None where the table was not made here."""


@dataclass(frozen=True)
class Seen:
    """A recording."""

    trace_name: str
    header: Header
    events: dict[str, int]
    design_name: str
    base: Figures
    """With Go's own table."""
    chosen: Figures
    """With the chosen one."""
    resized: dict[str, Figures] = field(default_factory=dict)
    """With the chosen one and other sizes of bounded objects than the largest that they can be: "evenly" between that and
    the least, and the "lowest". Empty where that changes nothing."""
    bounded: float = 0.0
    """Share of the weights whose size is only bounded."""
    notes: tuple[str, ...] = ()

    @property
    def change(self) -> Change:
        return change(self.base, self.chosen)

    @property
    def changes(self) -> dict[str, Change]:
        """By what bounded sizes are taken to be."""
        return {"largest": self.change} | {sizes: change(self.base, each) for sizes, each in self.resized.items()}

    @property
    def worst(self) -> float:
        """The smaller of both gains, at the worst of what sizes may be."""
        return max(each.worst for each in self.changes.values())


@dataclass(frozen=True)
class Optimizing:
    """All of it."""

    trained: list[Seen]
    """The recordings that tables were made for."""
    against: list[Seen]
    """Those that they were not made for."""
    candidates: list[Candidate]
    """Go's own table first."""
    best: int
    """Which of them is chosen."""
    align: str
    most: int
    """Classes that a table may have."""
    notes: list[str] = field(default_factory=list)

    @property
    def chosen(self) -> Candidate:
        return self.candidates[self.best]

    @property
    def own(self) -> Candidate:
        """Go's own table."""
        return self.candidates[0]

    @property
    def gained(self) -> float:
        """Bytes of HeapInuse that the chosen table saves, half at the peak and half on average, in the recordings that it
        was made for."""
        return sum(seen.base.middle - seen.chosen.middle for seen in self.trained) / len(self.trained)

    @property
    def per_object(self) -> float:
        """Of these, those that grow with the heap: slots that are cheaper, as the model counts them."""
        return self.own.cost - self.chosen.cost

    @property
    def verdict(self) -> str:
        """Whether another table is worth having."""
        if self.best == 0 or max(seen.worst for seen in self.trained) > -WORTH:
            return NO
        if not self.against:
            return UNKNOWN
        worst = max(seen.worst for seen in self.against)
        return ONLY_HERE if worst > 0 else NO if worst > -WORTH else YES
