"""All that `goalloc optimize` is asked: tables for several weights, each judged by a real replay, Go's own among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.analyses.optimize.bounded import as_low_as_can_be, evenly, spread
from goalloc_cli.analyses.optimize.occupied import WORD, Occupied, occupied
from goalloc_cli.analyses.optimize.tables import cost, fit, stretched
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.sizeclass import size_classes
from goalloc_cli.errors import DesignError
from goalloc_cli.results.optimizing import Candidate, Figures, Optimizing, Seen, Table, change
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.trace import Trace

Floats = NDArray[np.float64]
Tick = Callable[[int], None]
Sizes = Callable[[Iterator[Batch], Design], Iterator[Batch]]
"""What sizes bounded objects are given."""

PARTS = (0.25, 0.5, 1.0, 2.0)
"""How much of a span a class costs by being there: the two in the middle are tried, and the one beside the better of them.
0, no more than what slots waste, made every program larger."""
LAYOUT = ("page_size", "max_small_size", "malloc_header", "header_above", "inline_mark_bytes", "tiny_size", "align_16_from")
"""The knobs that say what a slot costs."""

OWN, YOURS = "Go's own", "yours"


@dataclass(frozen=True)
class Recording:
    """A recording, and the allocator that it is replayed by."""

    again: Callable[[], Trace]
    """Opens it, as often as it is called."""
    design: Design
    """Without a size-class table of its own."""
    design_name: str


@dataclass(frozen=True)
class Asked:
    """What kind of table is wanted."""

    most: int = 67
    align: str = "go"
    yours: Table | None = None
    """A table that is judged as well."""


class Replays:
    """Replays of recordings with one table or another; how far they are is told as one number of events."""

    def __init__(self, tick: Tick | None) -> None:
        self.tick = tick
        self.done = 0

    def run(self, recording: Recording, table: Table, sizes: Sizes | None = None) -> Outcome:
        trace = recording.again()
        if sizes is not None:
            trace = replace(trace, batches=sizes(trace.batches, recording.design))
        before = self.done

        def tick(events: int) -> None:
            self.done = before + events
            if self.tick:
                self.tick(self.done)

        design = replace(recording.design, size_classes=table)
        return replay(trace, design, design_name=recording.design_name, hints=False, progress=tick)


def optimize(trained: list[Recording], against: list[Recording], asked: Asked, tick: Tick | None = None) -> Optimizing:
    """Find the best table for some recordings, and see what it does to others.

    Raises:
        DesignError: the recordings' allocators lay spans out differently.
        ReplayError, TraceError: as `replay` does.
    """
    design = one_layout(trained)
    replays = Replays(tick)
    own = own_table(design)
    bases = [replays.run(recording, own) for recording in trained]
    held = [
        occupied(recording.again().batches, recording.design, int(np.asarray(base.peak).reshape(-1)[0]["event"]))
        for recording, base in zip(trained, bases, strict=True)
    ]
    weights = pooled([spread(each.weights, r.design) for each, r in zip(held, trained, strict=True)])
    candidates = [Candidate(OWN, own, [figures(base) for base in bases], cost(weights, own, design))]
    tables = Tables(replays, trained, weights, design, asked, candidates)
    tables.try_all()
    best = min(range(len(candidates)), key=lambda n: objective(candidates[0], candidates[n]))
    chosen = candidates[best]
    others = [resized(replays, recording, each, chosen, best) for recording, each in zip(trained, held, strict=True)]
    return Optimizing(
        trained=[
            seen(base, candidates[0].figures[n], chosen.figures[n], held[n], others[n]) for n, base in enumerate(bases)
        ],
        against=[judged(replays, recording, chosen, best) for recording in against],
        candidates=candidates,
        best=best,
        align=asked.align,
        most=asked.most,
    )


@dataclass(frozen=True)
class Tables:
    """The tables that are tried for some recordings."""

    replays: Replays
    trained: list[Recording]
    weights: Floats
    design: Design
    asked: Asked
    tried: list[Candidate]
    """Go's own table first."""

    def try_all(self) -> None:
        """Try one that is given, the best ones for the two costs in the middle, and that for the cost beside the better."""
        if self.asked.yours is not None:
            self.judge(YOURS, self.asked.yours)
        lowest, low, high, highest = PARTS
        little, much = (objective(self.tried[0], self.fitted(part)) for part in (low, high))
        self.fitted(highest if much < little else lowest)

    def fitted(self, part: float) -> Candidate:
        """The best table where a class costs so much of a span by being there."""
        table = fit(self.weights, self.design, part, self.asked.most, self.asked.align)
        table = stretched(table, self.weights, self.design, self.asked.align)
        same = [known for known in self.tried if known.table == table]
        return same[0] if same else self.judge(f"{part:g} span a class", table, part)

    def judge(self, name: str, table: Table, part: float | None = None) -> Candidate:
        """A table with what replays of all recordings say of it."""
        outcomes = [self.replays.run(recording, table) for recording in self.trained]
        told = [figures(outcome) for outcome in outcomes]
        self.tried.append(Candidate(name, table, told, cost(self.weights, table, self.design), part))
        return self.tried[-1]


def one_layout(recordings: list[Recording]) -> Design:
    """The design whose spans all recordings share."""
    first, *others = recordings
    for other in others:
        for knob in LAYOUT:
            if getattr(first.design, knob) != getattr(other.design, knob):
                raise DesignError(
                    f"{first.design_name} and {other.design_name} lay spans out differently ({knob}): "
                    "one table cannot be made for both; choose a release with --go"
                )
    return first.design


def own_table(design: Design) -> Table:
    """Go's own table, as its generator makes it."""
    return tuple((found.size, found.npages) for found in size_classes(replace(design, size_classes=None))[1:])


def pooled(weights: list[Floats]) -> Floats:
    """The weights of several recordings as those of one of middle size, in which each counts alike."""
    words = np.arange(weights[0].shape[1]) * WORD
    nbytes = [float((each * words).sum()) for each in weights]
    middle = sum(nbytes) / len(nbytes)
    parts = [each * (middle / size) for each, size in zip(weights, nbytes, strict=True) if size]
    found: Floats = np.sum(parts, axis=0) / max(len(parts), 1) if parts else weights[0]
    return found


def objective(own: Candidate, other: Candidate) -> float:
    """The change of HeapInuse from Go's own table, the mean of peak and mean, over all recordings."""
    changes = [change(base, figures).objective for base, figures in zip(own.figures, other.figures, strict=True)]
    return sum(changes) / len(changes)


def figures(outcome: Outcome) -> Figures:
    """What of a replay tables are judged by."""
    peak = np.asarray(outcome.peak).reshape(-1)[0]
    inuse = outcome.samples["heap_inuse"]

    def rows(*names: str) -> int:
        return sum(int(peak[name]) for name in names)

    return Figures(
        peak_heap_inuse=rows("heap_inuse"),
        mean_heap_inuse=float(np.mean(inuse)),
        end_heap_inuse=int(inuse[-1]),
        rounding=rows("class_rounding", "headers", "tiny_waste"),
        tails=rows("tail_waste", "span_metadata"),
        free_slots=rows("free_slots"),
        cached=rows("free_slots_cached"),
        dead=rows("dead_unswept", "dead_unfound"),
    )


def resized(
    replays: Replays, recording: Recording, held: Occupied, chosen: Candidate, best: int
) -> dict[str, Figures]:
    """What the chosen table comes to with other sizes of bounded objects. With Go's own nothing changes."""
    if best == 0 or not held.weights[1].any():
        return {}
    ways = {"evenly": evenly, "lowest": as_low_as_can_be}
    return {name: figures(replays.run(recording, chosen.table, sizes)) for name, sizes in ways.items()}


def judged(replays: Replays, recording: Recording, chosen: Candidate, best: int) -> Seen:
    """A recording that the table was not made for."""
    base = replays.run(recording, own_table(recording.design))
    known = figures(base)
    return seen(base, known, known if best == 0 else figures(replays.run(recording, chosen.table)))


def seen(
    outcome: Outcome,
    base: Figures,
    chosen: Figures,
    held: Occupied | None = None,
    others: dict[str, Figures] | None = None,
) -> Seen:
    """What is told of a recording; `outcome` is its replay with Go's own table."""
    words = 0.0 if held is None else np.arange(held.weights.shape[2])
    share = 0.0 if held is None else float((held.weights[1] * words).sum() / max((held.weights * words).sum(), 1))
    return Seen(
        trace_name=outcome.trace_name,
        header=outcome.header,
        events=outcome.events,
        design_name=outcome.design_name,
        base=base,
        chosen=chosen,
        resized=others or {},
        bounded=share,
        notes=(*outcome.header.notes, *outcome.notes),
    )
