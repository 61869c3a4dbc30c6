"""Hypothesis strategies: random traces that are valid, and mean enough to fill spans and leave holes in them.

A trace is drawn as a list of moves and then played, so that it shrinks well: a move that cannot be made is
left out. Handles are never used again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import strategies as st

from goalloc_cli.design.choices import Pages
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.trace.event import NO_P, NOSCAN, Kind

Event = tuple[int, int, int, int, int]
"""kind, p, id, size, arg."""

MAX_PROCS = 4

TINY_SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15)
BORDER_SIZES = (16, 17, 24, 25, 48, 49, 128, 504, 505, 512, 513, 520, 1016, 1024, 1025, 1144, 1145, 2049)
FEW_PER_SPAN = (2688, 4096, 4088, 8192, 8184, 9472, 10240, 16384, 18432, 27264, 28664, 28665, 28672)
EDGE_SIZES = (32752, 32753, 32760, 32761, 32768)
LARGE_SIZES = (32769, 40000, 65536, 98304, 114688, 122880, 122881, 131072, 300000, 1 << 20, 5 << 20)
STACK_SIZES = (2048, 2048, 4096, 8192, 16384, 32768, 65536, 131072)

sizes = st.one_of(
    st.sampled_from(FEW_PER_SPAN),
    st.sampled_from(FEW_PER_SPAN),
    st.sampled_from(BORDER_SIZES),
    st.sampled_from(TINY_SIZES),
    st.sampled_from(EDGE_SIZES + LARGE_SIZES),
    st.integers(1, 33000),
)
"""Sizes around the borders of classes and paths; often of classes with few slots in a span."""

procs = st.integers(0, MAX_PROCS - 1)

picks = st.integers(0, 1 << 16)

allocs = st.tuples(st.just("alloc"), procs, sizes, st.booleans(), st.integers(1, 12))
bursts = st.tuples(st.just("burst"), procs, picks, st.integers(10, 60))
frees = st.tuples(st.just("free"), procs, picks)
thinnings = st.tuples(st.just("thin"), st.integers(2, 5), st.integers(0, 4))
clearings = st.tuples(st.just("clear"), picks, st.integers(20, 200))
cycles = st.tuples(st.just("gc"), procs | st.just(NO_P), st.booleans())
half_cycles = st.tuples(st.just("mark or sweep"), procs, st.booleans())
lazy_cycles = st.tuples(st.just("gc"), procs, st.just(False))
flushes = st.tuples(st.just("flush"), procs)
settings = st.tuples(st.just("gogc"), st.sampled_from((-1, 1, 50, 100, 400, 1_000_000)))
times = st.tuples(st.just("time"), st.sampled_from((1_000, 1_000_000, 300_000_000, 5_000_000_000, 200_000_000_000)))
releases = st.tuples(st.just("release"), procs)
stack_allocs = st.tuples(st.just("stack"), procs, st.sampled_from(STACK_SIZES), st.integers(1, 20))
stack_frees = st.tuples(st.just("unstack"), procs, picks, st.integers(1, 20))

moves = st.one_of(
    *[bursts] * 6,
    *[allocs] * 2,
    frees,
    thinnings,
    *[clearings] * 3,
    *[lazy_cycles] * 2,
    cycles,
    half_cycles,
    flushes,
    settings,
    times,
    times,
    releases,
    stack_allocs,
    stack_frees,
)
"""What a program may do next. Bursts come often and from a small palette of sizes: they fill spans of few
classes, so that later ones meet what clearings and cycles have left of them."""

palettes = st.lists(st.tuples(st.sampled_from(FEW_PER_SPAN), st.booleans()), min_size=2, max_size=4)
"""The sizes that a trace repeats, and whether they have pointers."""

OFTEN_GROWN = [
    replace(d, growth_pages=min(d.growth_pages, 128), arena_pages=512) for d in RELEASES.values() if d.pages != Pages.BITMAP
]

SPARING = [
    replace(d, retain_percent=0, huge_page_bytes=1 << 16, scavenge_bytes_per_ms=1 << 20, dense_pages=300)
    for d in [*RELEASES.values(), *OFTEN_GROWN]
]

LIMITED = [
    replace(d, memory_limit=(8 << 20) + d.other_bytes, gogc=gogc)
    for d in RELEASES.values()
    for gogc in (-1, 100)
    if d.pages == Pages.BITMAP
]

WITHOUT_SWEEPER = [replace(d, background_turns=0) for d in [*RELEASES.values(), *OFTEN_GROWN]]

WHAT_IFS = [replace(RELEASES["1.27"], lifo_sets=1), replace(RELEASES["1.27"], best_fit=1, page_cache=0)]

designs = st.sampled_from([*RELEASES.values(), *WITHOUT_SWEEPER, *SPARING, *LIMITED, *WHAT_IFS])
"""The design of a release, with or without a background sweeper; without it allocation does all sweeping. Some grow by
smaller steps, and therefore more often, than Go does; some give back more memory, or have a limit."""


@dataclass
class Player:
    """Turns moves into events and keeps them valid."""

    palette: list[tuple[int, bool]]
    events: list[Event] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    stacks: list[tuple[int, int]] = field(default_factory=list)
    handles: int = 0
    stack_handles: int = 0
    marking: bool = False
    now: int = 0

    def play(self, move: tuple) -> None:
        """Add the events of one move."""
        match move:
            case ("alloc", p, size, noscan, count):
                for _ in range(count):
                    self.alloc(p, size, noscan)
            case ("burst", p, which, count):
                size, noscan = self.palette[which % len(self.palette)]
                for _ in range(count):
                    self.alloc(p, size, noscan)
            case ("free", p, which) if self.live:
                self.free(p, self.live[which % len(self.live)])
            case ("thin", one_in, offset):
                for handle in self.live[offset::one_in]:
                    self.free(0, handle)
            case ("clear", start, count) if self.live:
                first = start % len(self.live)
                for handle in self.live[first : first + count]:
                    self.free(0, handle)
            case ("gc", p, explicit):
                self.start_gc(p, explicit)
                self.end_gc(p, explicit)
            case ("mark or sweep", p, explicit):
                if self.marking:
                    self.end_gc(p, explicit)
                else:
                    self.start_gc(p, explicit)
            case ("gogc", percent):
                self.events.append((Kind.SET_GOGC, 0, 0, max(percent, 0), int(percent < 0)))
            case ("time", ns):
                self.now += ns
                self.events.append((Kind.TIME, NO_P, 0, self.now, 0))
            case ("release", p):
                self.events.append((Kind.FREE_OS_MEMORY, p, 0, 0, 0))
            case ("flush", p):
                self.events.append((Kind.FLUSH, p, 0, 0, 0))
            case ("stack", p, size, count):
                for _ in range(count):
                    self.stack_alloc(p, size)
            case ("unstack", p, which, count):
                for _ in range(min(count, len(self.stacks))):
                    self.stack_free(p, which % len(self.stacks))

    def alloc(self, p: int, size: int, noscan: bool) -> None:
        """Allocate an object; a request below the size of a pointer has none."""
        kind = Kind.ALLOC | (NOSCAN if noscan or size < 8 else 0)
        self.events.append((kind, p, self.handles, size, 0))
        self.live.append(self.handles)
        self.handles += 1

    def free(self, p: int, handle: int) -> None:
        """Let an object die."""
        self.live.remove(handle)
        self.events.append((Kind.FREE, p, handle, 0, 0))

    def stack_alloc(self, p: int, size: int) -> None:
        """Allocate a stack."""
        self.events.append((Kind.STACK_ALLOC, p, self.stack_handles, size, 0))
        self.stacks.append((self.stack_handles, size))
        self.stack_handles += 1

    def stack_free(self, p: int, which: int) -> None:
        """Free a stack."""
        handle, size = self.stacks.pop(which)
        self.events.append((Kind.STACK_FREE, p, handle, size, 0))

    def start_gc(self, p: int, explicit: bool) -> None:
        """Start marking, unless a cycle already does."""
        if not self.marking:
            self.events.append((Kind.GC_START, p, 0, 0, int(explicit)))
        self.marking = True

    def end_gc(self, p: int, explicit: bool) -> None:
        """End the cycle."""
        self.events.append((Kind.GC_END, p, 0, 0, int(explicit)))
        self.marking = False


def played(palette: list[tuple[int, bool]], drawn: list[tuple]) -> list[Event]:
    """The events of the moves."""
    player = Player(palette)
    for move in drawn:
        player.play(move)
    return player.events


def traces(min_moves: int = 12, max_moves: int = 40) -> st.SearchStrategy[list[Event]]:
    """Valid traces of `MAX_PROCS` Ps; twenty moves are about four hundred events."""
    return st.builds(played, palettes, st.lists(moves, min_size=min_moves, max_size=max_moves))


def random_move(rng: Random) -> tuple:
    """A move, chosen so that half of all refills find something other than fresh memory."""
    p = rng.randrange(MAX_PROCS)
    sizes_of_all = FEW_PER_SPAN + BORDER_SIZES + TINY_SIZES + EDGE_SIZES + LARGE_SIZES
    choices: list[tuple[int, tuple]] = [
        (30, ("burst", p, rng.randrange(1 << 16), rng.randint(10, 60))),
        (10, ("alloc", p, rng.choice(sizes_of_all), rng.random() < 0.5, rng.randint(1, 12))),
        (5, ("alloc", p, rng.randint(1, 33000), rng.random() < 0.5, rng.randint(1, 12))),
        (5, ("free", p, rng.randrange(1 << 16))),
        (6, ("thin", rng.randint(2, 5), rng.randint(0, 4))),
        (14, ("clear", rng.randrange(1 << 16), rng.randint(20, 200))),
        (10, ("gc", p, False)),
        (2, ("gc", NO_P, True)),
        (6, ("mark or sweep", p, rng.random() < 0.2)),
        (3, ("flush", p)),
        (3, ("time", rng.choice((1_000, 1_000_000, 300_000_000, 5_000_000_000, 200_000_000_000)))),
        (1, ("release", p)),
        (2, ("gogc", rng.choice((-1, 1, 50, 100, 400, 1_000_000)))),
        (4, ("stack", p, rng.choice(STACK_SIZES), rng.randint(1, 20))),
        (4, ("unstack", p, rng.randrange(1 << 16), rng.randint(1, 20))),
    ]
    weights = [weight for weight, _ in choices]
    return rng.choices([move for _, move in choices], weights)[0]


def seeded(seed: int, nmoves: int) -> list[Event]:
    """The first `nmoves` moves of the random program `seed`."""
    rng = Random(seed)
    palette = [(rng.choice(FEW_PER_SPAN), rng.random() < 0.5) for _ in range(rng.randint(1, 3))]
    return played(palette, [random_move(rng) for _ in range(nmoves)])


def long_traces(max_moves: int = 60) -> st.SearchStrategy[list[Event]]:
    """Valid traces that get far: beginnings of random programs, which shrink to shorter beginnings."""
    return st.builds(seeded, st.integers(0, 1 << 32), st.integers(max_moves // 2, max_moves))
