"""What mutants of the kernels are held against: random programs, recordings, bad events (`mutation.__main__`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Central, Reclaim
from goalloc_cli.design.releases import RELEASES, release
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.model.proof.check import check
from goalloc_cli.trace.event import BOUND, KIND_MASK, Kind
from goalloc_cli.trace.trace import Trace
from tests.kit.kernels import Kernels
from tests.kit.root import ROOT
from tests.kit.story import events as events_of
from tests.kit.strategies import MAX_PROCS, OFTEN_GROWN, TINY_SIZES, WHAT_IFS, Event, Player, seeded
from tests.model.test_kernels import counters, spans, state
from tests.twin import Naive

TRACES = ROOT / "traces"

REFUSED = (
    "alloc a 24; free a; free a", "stack s 3000", "mark; mark", "sweep", "stack s 2048; unstack s; unstack s",
    f"alloc a {64 << 30}", f"alloc a {1 << 47}",
)  # fmt: skip
"""Stories whose last event is bad, or beyond a limit."""

STATES = (Kind.GC_END, Kind.FLUSH)
"""Events after which everything is compared."""

WINDOWS = (
    ("orders-go1.27", 0, 600), ("web-go1.27-p4", 0, 1200), ("orders-go1.27", 14150, 14650), ("orders-go1.27", 16300, 16500),
    ("trees-go1.27", 27770, 28000), ("web-go1.27-p4", 5870, 6700), ("web-go1.27-p4", 110470, 111200),
    ("web-go1.27-p4", 112460, 112700), ("web-go1.27-p4", 116430, 116600),
)  # fmt: skip
"""Recordings, and events of them: snapshots, the sweeps of a cycle, those for debt, for pages and in refills, of one P and
of four."""


@dataclass(frozen=True)
class Held:
    """Something to hold the kernels against."""

    label: str
    holds: Callable[[], bool]
    """Whether they do what they should; may be called once in a process."""


def held() -> Iterator[Held]:
    """All of them."""
    bad = [*map(events_of, REFUSED), 2 * events_of("alloc a 24")]
    yield Held("a refusal", lambda: all(refuses(events) for events in bad))
    chosen = [(v, RELEASES[v], 0, 30) for v in ("1.27", "1.12", "1.11", "1.13", "1.16", "1.19", "1.22")]
    chosen += [(v, RELEASES[v], 1, 60) for v in ("1.27", "1.12", "1.14", "1.10")]
    chosen += [("small budget", replace(RELEASES["1.27"], span_budget=2, background_turns=0), 4, 60)]
    chosen += [(f"{v} without sweeper", replace(RELEASES[v], background_turns=0), 3, 60) for v in ("1.27", "1.12", "1.14")]
    chosen += [("often grown", design, 2, 60) for design in OFTEN_GROWN[1:3]]
    chosen += [("random start", replace(RELEASES["1.27"], heap_padding_pages=400), 0, 30)]
    chosen += [("another order", design, 5, 40) for design in WHAT_IFS]
    for label, design, seed, moves in chosen:
        yield program(f"{label}, seed {seed}", design, seeded(seed, moves))
    for version in ("1.27", "1.12", "1.11", "1.10"):
        for drawn in (tiny, large, marking):
            design = replace(RELEASES[version], background_turns=0)
            yield program(f"{version}, {drawn.__name__}", design, drawn(Random(version)))
    yield program("best fit, large", WHAT_IFS[1], large(Random(1)))
    with_lists = replace(RELEASES["1.27"], central=Central.SPAN_LISTS, reclaim=Reclaim.BUSY_LISTS)
    yield taken_over("web-go1.27-p4", with_lists, 1200)
    for sample in dict.fromkeys(window[0] for window in WINDOWS):
        yield from recorded(sample, [window[1:] for window in WINDOWS if window[0] == sample])


def refuses(events: list[Event]) -> bool:
    """Whether the kernels stop at the last event."""
    kernels = Kernels(RELEASES["1.27"], MAX_PROCS)
    *good, bad = events
    for event in good:
        kernels.apply(*event)
    try:
        kernels.apply(*bad)
    except AssertionError:
        return True
    return False


# Random programs, against the naive twin.


def program(label: str, design: Design, drawn: list[Event]) -> Held:
    """A random program, and what the naive twin does in it."""
    events = [(event[0] | BOUND, *event[1:]) if is_bound(event) else event for event in drawn]
    naive = Naive(design, MAX_PROCS)
    addresses, states = [], {}
    for i, event in enumerate(events):
        addresses.append(naive.apply(*event))
        if event[0] & KIND_MASK in STATES or i == len(events) - 1:
            states[i] = counters(naive), state(naive, spans(naive))

    def holds() -> bool:
        kernels = Kernels(design, MAX_PROCS)
        for i, event in enumerate(events):
            if kernels.apply(*event) != addresses[i]:
                return False
            if i in states and (counters(kernels), state(kernels, kernels.spans())) != states[i]:
                return False
        return is_sound(kernels, events)

    return Held(label, holds)


def is_bound(event: Event) -> bool:
    """Every fifth object is said to have a size that is not known: that changes counts, and no address."""
    return event[0] & KIND_MASK == Kind.ALLOC and event[2] % 5 == 0


def is_sound(kernels: Kernels, events: list[Event]) -> bool:
    """Whether all invariants hold."""
    used = max((event[2] for event in events if event[0] & KIND_MASK in (Kind.ALLOC, Kind.SNAP_OBJECT)), default=0) + 1
    return check(kernels.heap, kernels.objects[:used]) == ""


def tiny(rng: Random) -> list[Event]:
    """A program of tiny objects, in and between cycles."""
    player = Player([(16, True)])
    for _ in range(150):
        p = rng.randrange(2)
        alloc = ("alloc", p, rng.choice((*TINY_SIZES, 6, 10, 14, 16)), rng.random() < 0.9, rng.randint(1, 4))
        others = [("free", p, rng.randrange(1 << 16)), ("thin", 2, 0), ("mark or sweep", p, False), ("flush", p)]
        player.play(rng.choices([alloc, *others], (60, 24, 5, 10, 1))[0])
    return player.events


def large(rng: Random) -> list[Event]:
    """A program of large objects, some longer than a chunk of pages, some as long as the longest lists of runs."""
    player = Player([(8192, True), (1 << 20, False)])
    pages = (5, 6, 100, 126, 127, 128, 129, 130, 400, 512, 513, 700, 1024, 1200)
    for _ in range(70):
        p = rng.randrange(2)
        alloc = ("alloc", p, rng.choice(pages) * 8192 - rng.choice((0, 1, 8191)), rng.random() < 0.5, 1)
        others = [("burst", p, 0, 5), ("free", p, rng.randrange(1 << 16)), ("thin", 2, 1), ("gc", p, False)]
        player.play(rng.choices([alloc, *others, ("clear", 0, 200)], (40, 10, 30, 3, 14, 1))[0])
    return player.events


def marking(rng: Random) -> list[Event]:
    """A program that allocates while marking is under way, and large objects before all is swept."""
    player = Player([(2688, True), (8192, False), (1024, True)])
    for _ in range(60):
        p = rng.randrange(2)
        burst, alloc = ("burst", p, rng.randrange(3), rng.randint(5, 40)), ("alloc", p, rng.choice((40000, 120000)), True, 1)
        others = [("clear", rng.randrange(1 << 16), 40), ("thin", 3, 1), ("mark or sweep", p, False)]
        player.play(rng.choices([burst, alloc, *others], (30, 20, 14, 6, 30))[0])
    return player.events


# Recordings, against Go.


def taken_over(sample: str, design: Design, count: int) -> Held:
    """The beginning of a recording, its snapshot too, under a design that no recording has."""
    trace = open_trace(TRACES / f"{sample}.msgpack")
    events = [row[:5] for row in rows_of(trace, count)]

    def holds() -> bool:
        kernels = Kernels.of(design, trace.header)
        for event in events:
            kernels.apply(*event)
        return is_sound(kernels, events)

    return Held(f"{sample} with span lists", holds)


def recorded(sample: str, windows: list[tuple[int, int]]) -> Iterator[Held]:
    """Some of the events of a recording each, with the heap as it was before them."""
    trace = open_trace(TRACES / f"{sample}.msgpack")
    rows = rows_of(trace, max(end for _, end in windows))
    kernels = Kernels.of(release(trace.header.go_version), trace.header)
    done = 0
    for first, end in windows:
        for *event, _ in rows[done:first]:
            kernels.apply(*event)
        before = copied(kernels)
        right = [is_right(kernels, row) for row in rows[first:end]]
        done = end
        yield Held(f"{sample} from event {first}", as_right(before, rows[first:end], right, rows[:end]))


def rows_of(trace: Trace, count: int) -> list[tuple[int, ...]]:
    """The first events of a recording, with their witnesses."""
    rows: list[tuple[int, ...]] = []
    for batch in trace.batches:
        rows += zip(*(getattr(batch, name).tolist() for name in ("kind", "p", "id", "size", "arg", "addr")), strict=True)
        if len(rows) >= count:
            break
    return rows[:count]


def copied(kernels: Kernels) -> Kernels:
    """Kernels in the same state."""
    twin = object.__new__(Kernels)
    for name, value in vars(kernels).items():
        setattr(twin, name, value.copy())
    return twin


def is_right(kernels: Kernels, row: tuple[int, ...]) -> bool:
    """Whether the kernels take an event as Go did: give an object the same address, and count as much as live."""
    *event, addr = row
    kind = event[0] & KIND_MASK
    chosen = kernels.apply(*event)
    if kind == Kind.SAW_HEAP_LIVE:
        return int(kernels.heap.gc.heap_live) == event[3]
    return kind == Kind.ALLOC and chosen == addr


def as_right(before: Kernels, rows: list[Any], right: list[bool], all_rows: list[Any]) -> Callable[[], bool]:
    """Whether all is right that was."""

    def holds() -> bool:
        for row, was in zip(rows, right, strict=True):
            if not is_right(before, row) and was:
                return False
        return is_sound(before, [row[:5] for row in all_rows])

    return holds
