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
"""How much of a span a class costs by being there: what is tried. 0, no more than what slots waste, made every program
larger."""
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
    for name, table, part in wanted(weights, design, asked):
        if part is not None and table in [known.table for known in candidates]:
            continue
        outcomes = [replays.run(recording, table) for recording in trained]
        candidates.append(Candidate(name, table, [figures(o) for o in outcomes], cost(weights, table, design), part))
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


def wanted(weights: Floats, design: Design, asked: Asked) -> list[tuple[str, Table, float | None]]:
    """The tables to be tried beside Go's own: name, table, and what a class was said to cost."""
    found: list[tuple[str, Table, float | None]] = [] if asked.yours is None else [(YOURS, asked.yours, None)]
    for part in PARTS:
        table = fit(weights, design, part, asked.most, asked.align)
        found.append((f"{part:g} span a class", stretched(table, weights, design, asked.align), part))
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
