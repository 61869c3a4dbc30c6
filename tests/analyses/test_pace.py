"""What another GOGC and GOMEMLIMIT would have done: deaths drawn, settings inferred, the recorded one again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from goalloc_cli.analyses.pace.budget import advise
from goalloc_cli.analyses.pace.clock import own_times
from goalloc_cli.analyses.pace.deaths import are_intervals, distribution, draw_deaths, known_deaths
from goalloc_cli.analyses.pace.events import Events, load
from goalloc_cli.analyses.pace.kernels import draw_ages
from goalloc_cli.analyses.pace.observed import observe
from goalloc_cli.analyses.pace.overhead import CLASS_BYTES, P_BYTES, overhead
from goalloc_cli.analyses.pace.pace import Pacer, slots
from goalloc_cli.analyses.pace.traced import cases_of, cpu_of
from goalloc_cli.commands.choose import choose_design
from goalloc_cli.design.releases import release
from goalloc_cli.host.source import open_source
from goalloc_cli.importers.gctrace.read import read_gctrace
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.pacing import AT_TIMES, BEST, EARLY, OFF, WAITS, Figures, Prediction, Setting
from goalloc_cli.trace.event import NO_P, NOSCAN, Kind, TypeInfo
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.batches import batch
from tests.kit.root import ROOT

SAMPLES = sorted(path.stem for path in (ROOT / "traces").glob("*.msgpack"))
LRU = "lru-go1.27"


@cache
def sample(name: str) -> Events:
    return load(open_trace(str(ROOT / "traces" / f"{name}.msgpack")))


@cache
def pacer(name: str) -> Pacer:
    events = sample(name)
    design, design_name, hints = choose_design(events.header, None, ())
    return Pacer(events, design, design_name=design_name, hints=hints)


def events_of(*rows: tuple[int, int, int, int, int, int], from_start: bool = True) -> Events:
    return load(Trace("told", Header(from_start=from_start), iter([batch(rows, addr=False)])))


def alloc(handle: int) -> tuple[int, int, int, int, int, int]:
    return (Kind.ALLOC | NOSCAN, 0, handle, 4096, 0, 0)


def made(handle: int, p: int, type: int) -> tuple[int, int, int, int, int, int]:
    """An allocation of a type of the trace."""
    return (Kind.ALLOC | NOSCAN, p, handle, 256, type, 0)


def free(handle: int) -> tuple[int, int, int, int, int, int]:
    return (Kind.FREE, NO_P, handle, 0, 0, 0)


def cycle_of(marked: int, goal: int) -> list[tuple[int, int, int, int, int, int]]:
    """A collection that told what it marked, and the goal that came of it."""
    return [START, (Kind.SAW_HEAP_LIVE, 0, 0, marked, 0, 0), END, (Kind.HEAP_GOAL, 0, 0, goal, 0, 0)]


START, END = (Kind.GC_START, 0, 0, 0, 0, 0), (Kind.GC_END, 0, 0, 0, 0, 0)
DRAINED = (Kind.SWEEP_DRAINED, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_recorded_setting_is_predicted_as_it_was_recorded(name: str) -> None:
    """Collections, and HeapInuse at its peak, to a tenth."""
    off = pacer(name).pace([]).off
    assert off is not None
    assert off <= 0.10


def costly(marked: int, workers_ns: int, assists_ns: int) -> list[tuple[int, int, int, int, int, int]]:
    """A collection that told what marking took."""
    start, live, end, goal = cycle_of(marked, 2 * marked)
    return [start, (Kind.GC_CPU, NO_P, 0, workers_ns, 0, 0), (Kind.GC_CPU, NO_P, 0, assists_ns, 1, 0), live, end, goal]


def test_what_the_collector_takes_of_a_byte_is_told_by_workers_and_assists() -> None:
    cycles = [row for ns in (100, 200, 300, 400, 500) for row in costly(1000, 600 * ns, 400 * ns)]
    seen = observe(events_of(alloc(1), *cycles), release("1.27"))
    assert (seen.cpu_seconds, seen.cpu_ns_per_byte) == (pytest.approx(1.5e-3), (200.0, 400.0))


def test_without_such_events_nothing_is_said_of_cpu_time() -> None:
    seen = observe(events_of(alloc(1), *cycle_of(1000, 2000) * 5), release("1.27"))
    assert (seen.cpu_seconds, seen.cpu_ns_per_byte) == (None, None)


@pytest.mark.parametrize("name", SAMPLES)
def test_gogc_is_inferred_from_the_goals(name: str) -> None:
    assert observe(sample(name), release(sample(name).header.go_version)).gogc == 100


@pytest.mark.parametrize("name", SAMPLES)
def test_the_tracers_own_buffers_are_known(name: str) -> None:
    """Two of 1 MiB, and two with the labels of their samples."""
    mine = sample(name).tracer_buffers()
    assert (int(mine.sum()), int(sample(name).columns["size"][mine].sum())) == (4, (2 << 20) + 2 * 131_072)


@pytest.mark.parametrize("gogc", [10, 25, 50, 75, 100, 150, 400])
@pytest.mark.parametrize("beside", [150_000, 540_000])
def test_any_gogc_is_inferred_and_what_counts_beside_the_heap(gogc: int, beside: int) -> None:
    rows = []
    for cycle in range(9):
        marked = 12_000_000 + 400_000 * (cycle * 5 % 7)
        goal = marked + (marked + beside) * gogc // 100
        rows += [(Kind.HEAP_GOAL, 0, 0, (4 << 20) * gogc // 100, 0, 0)] if not cycle else []
        rows += cycle_of(marked, max(goal, marked + (1 << 20)))
    seen = observe(events_of(*rows), release("1.27"))
    assert seen.gogc == gogc
    if gogc > 10:
        assert abs(seen.scanned_beside - beside) < 2_000


def test_what_the_tracer_writes_stacks_with_is_not_the_programs() -> None:
    """An iterator is the tracer's right behind its frames on the same P; elsewhere the program asked for one."""
    types = [TypeInfo("runtime.traceFrame", 32, 0), TypeInfo("runtime.Frames", 232, 232), TypeInfo("main.node", 40, 16)]
    births = [made(0, p=0, type=1), made(1, p=1, type=3), made(2, p=0, type=2), made(3, p=1, type=2)]
    rows = [*births, free(0), free(1), free(2)]
    events = load(Trace("told", Header(gomaxprocs=2), iter([batch(rows, addr=False, types=types)])))
    assert events.tracer().tolist() == [True, False, True, False, True, False, True]


def test_goals_of_no_one_gogc_tell_none() -> None:
    """The program calls debug.SetGCPercent."""
    rows = []
    for cycle in range(12):
        marked = 12_000_000 + 700_000 * cycle
        rows += cycle_of(marked, 2 * marked + marked * cycle)
    assert observe(events_of(*rows, from_start=False), release("1.27")).gogc is None


def test_what_the_user_says_of_gogc_holds() -> None:
    assert observe(sample(LRU), release("1.27"), 60).gogc == 60


def test_every_death_is_drawn_within_what_the_recording_knows() -> None:
    events = sample(LRU)
    known, drawn = known_deaths(events), draw_deaths(events, slots(events, release("1.27")))
    assert (drawn.moments > known.after).all()
    assert (drawn.moments <= known.before).all()


def test_what_a_collection_finds_beyond_what_was_made_died_at_one_moment() -> None:
    """A table of 200 objects is dropped while ten others are made."""
    table, others = [alloc(n) for n in range(200)], [alloc(n) for n in range(200, 210)]
    rows = [*table, START, END, *others, *(free(n) for n in range(200)), START, END, DRAINED, alloc(210)]
    events = events_of(*rows)
    moments = draw_deaths(events, slots(events, release("1.27"))).moments
    common = np.unique(moments, return_counts=True)[1].max()
    assert (common > 180, moments.min() > 200, moments.max() <= 412) == (True, True, True)


def test_where_as_much_dies_as_is_made_each_dies_by_itself() -> None:
    rows: list[tuple[int, int, int, int, int, int]] = [alloc(n) for n in range(100)]
    for cycle in range(100, 1000, 100):
        made, dead = range(cycle, cycle + 100), range(cycle - 100, cycle)
        rows += [*(alloc(n) for n in made), *(free(n) for n in dead), START, END]
    events = events_of(*rows, DRAINED)
    moments = draw_deaths(events, slots(events, release("1.27"))).moments
    assert np.unique(moments, return_counts=True)[1].max() < 20


def test_the_same_recording_gives_the_same_deaths() -> None:
    events = sample(LRU)
    one, two = (draw_deaths(events, slots(events, release("1.27"))) for _ in range(2))
    assert np.array_equal(one.moments, two.moments)
    assert np.array_equal(one.late_moments, two.late_moments)


def test_an_object_dies_behind_its_last_use_and_the_collection_before() -> None:
    """The tiny block 1 was used by event 5; object 0 was alive when the first collection began."""
    tiny = (Kind.TINY, 0, 1, 8, 0, 0)
    rows = [alloc(0), START, END, alloc(1), alloc(2), tiny, alloc(3), free(0), free(1), START, END, DRAINED]
    known = known_deaths(events_of(*rows))
    assert (known.after.tolist(), known.before.tolist()) == ([1, 5], [7, 8])


@pytest.mark.parametrize(
    ("tail", "until"), [([START, END, DRAINED], 5), ([START, END], 2), ([START, END, alloc(9), START], 5), ([], 2)]
)
def test_all_deaths_are_known_up_to_the_last_collection_that_was_swept(tail: list, until: int) -> None:
    rows = [alloc(0), free(0), START, END, DRAINED, *tail]
    assert known_deaths(events_of(*rows)).until == until


def test_deaths_that_a_trace_tells_are_left_where_they_are() -> None:
    """Not a recording, but rows of a script."""
    events = events_of(alloc(0), alloc(1), free(0), alloc(2), START, END, alloc(3), free(1), alloc(4))
    assert not are_intervals(events)
    assert draw_deaths(events, np.full(9, 4096)).moments.tolist() == [2, 7]


def test_a_distribution_is_found_through_intervals() -> None:
    """Ages of an exponential distribution, known to lie between two collections: the share below some edges."""
    random = np.random.default_rng(4)
    ages = np.minimum(random.exponential(5.0, 40_000), 19.9)
    phase = random.random(len(ages)) * 3
    low = np.maximum(np.floor((ages + phase) / 3) * 3 - phase, 0)
    high = np.ceil((ages + phase) / 3) * 3 - phase
    counts = np.zeros((20, 21))
    np.add.at(counts, (low.astype(int), np.minimum(high, 19.9).astype(int)), 1)
    found = np.cumsum(distribution(counts, 300))[[2, 5, 10]]
    assert found == pytest.approx(1 - np.exp(-np.array([3, 6, 11]) / 5), abs=0.06)


def test_draws_follow_their_curve_inside_their_intervals() -> None:
    curve, edges = np.array([[0.0, 0.5, 0.75, 0.75]]), np.array([0.0, 10.0, 20.0, 30.0])
    n, ages = 10_000, np.empty(10_000)
    chance = np.random.default_rng(1).random(n)
    draw_ages(np.full(n, 5.0), np.full(n, np.inf), np.zeros(n, np.int64), curve, edges, chance, ages)
    below = [(ages < edge).mean() for edge in (10, 20, 1e9)]
    assert below == pytest.approx([1 / 3, 2 / 3, 2 / 3], abs=0.02)
    assert ages.min() >= 5


def test_more_gogc_is_fewer_collections_and_more_memory() -> None:
    found = [p.cases["best"] for p in pacer(LRU).predict([Setting(gogc) for gogc in (50, 100, 200)])]
    assert [f.num_gc for f in found] == sorted((f.num_gc for f in found), reverse=True)
    assert [f.peak_heap_inuse for f in found] == sorted(f.peak_heap_inuse for f in found)
    assert found[0].scan_work > found[2].scan_work


def test_collections_that_the_program_asked_for_are_kept() -> None:
    """Two of them, and no other without GOGC."""
    assert pacer(LRU).predict([Setting(OFF)])[0].cases["best"].num_gc == 2


@pytest.mark.parametrize(("name", "gogc"), [*((name, OFF) for name in SAMPLES), (LRU, 50)])
def test_each_case_is_as_if_it_had_been_run(name: str, gogc: int) -> None:
    """Where only the program starts cycles, two runs do for five."""
    asked = pacer(name)
    (found,) = asked.predict([Setting(gogc)])
    design = asked.under.design_of(Setting(gogc))
    assert found.cases == {case.name: asked.simulated((asked.program, design, case)) for case in asked.under.cases}


def test_a_limit_without_room_is_broken_off() -> None:
    (found,) = pacer(LRU).predict([Setting(OFF, 6 << 20)])
    assert found.zone == "thrashing"


def test_where_there_is_room_the_limit_is_kept() -> None:
    (found,) = pacer(LRU).predict([Setting(OFF, 14 << 20)])
    assert found.zone == "limit"
    assert found.cases["best"].peak_mapped <= 14 << 20


def figures(room: float | None, ended: bool = True, limited: int = 9) -> Figures:
    return Figures(10, 1, 1, 1, 1, 1, 1, (1, 1), room, 10, limited, 0, ended)


@pytest.mark.parametrize(
    ("found", "zone"),
    [
        (figures(0.6), "limit"),
        (figures(0.45), "doubtful"),
        (figures(0.30), "thrashing"),
        (figures(0.6, ended=False), "thrashing"),
        (figures(0.10, limited=0), "GOGC"),
    ],
)
def test_the_zone_tells_how_far_figures_can_be_trusted(found: Figures, zone: str) -> None:
    """GOGC=10 leaves little room, too, but by will."""
    assert Prediction(Setting(100, 1 << 30), {BEST.name: found}).zone == zone


def test_where_every_cycle_waits_is_in_the_range_and_not_what_settings_are_compared_by() -> None:
    usual, waits = (replace(figures(0.6), peak_mapped=mapped) for mapped in (20, 90))
    found = Prediction(Setting(100), {BEST.name: usual, WAITS.name: waits}, overshoot=5)
    assert (found.peak_mapped, found.usual_peak_mapped) == ((20, 90), 25)


def test_of_the_usual_cases_any_cycle_may_pass_its_goal_by_the_most_that_was_seen() -> None:
    usual, waits = (replace(figures(0.6), peak_mapped=mapped) for mapped in (20, 22))
    found = Prediction(Setting(100), {BEST.name: usual, WAITS.name: waits}, overshoot=5)
    assert found.peak_mapped == (20, 25)


def at(ms: int) -> tuple[int, int, int, int, int, int]:
    return (Kind.TIME, NO_P, 0, ms * 1_000_000, 0, 0)


def test_own_time_goes_on_while_a_cycle_marks_as_fast_as_around_it() -> None:
    """Between cycles an object of 4 KiB takes a millisecond; while one marks, five come in 40 of them."""
    before, within, behind = ([alloc(n) for n in range(first, first + 5)] for first in (0, 5, 10))
    rows = [at(0), *before, at(5), START, at(25), *within, at(45), END, *behind, at(50)]
    assert (own_times(events_of(*rows)) // 1_000_000).tolist() == [0, 5, 7, 10, 15]


def test_what_is_mapped_beside_grows_with_size_classes_and_ps() -> None:
    """Three classes, as a pointer makes one of its own; what is large has none."""
    rows = [alloc(0), alloc(1), made(2, p=0, type=0), (Kind.ALLOC, 0, 3, 256, 0, 0), (Kind.ALLOC, 0, 4, 1 << 20, 0, 0)]
    design, events = release("1.27"), events_of(*rows)
    beside = overhead(events, slots(events, design), design)
    more = replace(events, header=Header(gomaxprocs=4))
    assert overhead(more, slots(more, design), design) - beside == 3 * P_BYTES
    assert beside - overhead(events, np.zeros(5, np.int64), design) == 3 * CLASS_BYTES


def test_until_go_1_24_there_is_no_table_of_profiled_call_stacks() -> None:
    events = sample(LRU)
    old, new = (overhead(events, slots(events, design), design) for design in map(release, ("1.24", "1.25")))
    assert new - old == 1_440_000


def test_without_cycles_own_time_is_that_of_the_recording() -> None:
    assert own_times(events_of(at(3), alloc(0), at(9))).tolist() == [3_000_000, 9_000_000]


def test_own_time_never_goes_faster_than_the_recording_nor_back() -> None:
    times = own_times(sample(LRU))
    told = sample(LRU).columns["size"][sample(LRU).at(Kind.TIME)]
    assert (np.diff(times) >= 0).all()
    assert times[-1] - times[0] <= told[-1] - told[0]


def test_under_a_limit_a_cycle_may_wait_at_times() -> None:
    free, limited = pacer(LRU).predict([Setting(100), Setting(OFF, 14 << 20)])
    assert (AT_TIMES.name in free.cases, AT_TIMES.name in limited.cases) == (False, True)


def test_the_fewer_cycles_wait_the_more_there_are() -> None:
    asked, found = pacer(LRU), []
    for case in (WAITS, replace(AT_TIMES, every=3), EARLY):
        found.append(asked.simulated((asked.program, asked.under.design_of(Setting(25)), case)).num_gc)
    assert found == sorted(set(found))


def test_a_limit_that_one_late_cycle_makes_too_small_is_doubtful() -> None:
    late = replace(figures(0.6), ended=False)
    found = Prediction(Setting(OFF, 1 << 30), {BEST.name: figures(0.6), AT_TIMES.name: late})
    assert found.zone == "doubtful"
    assert Prediction(found.setting, {BEST.name: figures(0.6), WAITS.name: late}).zone == "limit"


def test_advice_stays_within_the_budget() -> None:
    asked = pacer(LRU)
    found = advise(asked, asked.pace([]), 24 << 20)
    assert found.prediction is not None
    assert found.prediction.peak_mapped[1] <= 24 << 20
    assert found.prediction.setting.memory_limit == 22 << 20


def test_no_advice_where_half_the_heap_would_be_too_much() -> None:
    asked = pacer(LRU)
    assert advise(asked, asked.pace([]), 9 << 20).prediction is None


def test_no_advice_where_the_recorded_setting_is_predicted_wrong() -> None:
    asked = pacer(LRU)
    wrong = replace(asked.pace([]), observed=replace(asked.observed, num_gc=50))
    assert "predicted" in advise(asked, wrong, 64 << 20).refused


def test_a_gctrace_tells_when_cycles_start_and_what_they_cost() -> None:
    """From whole MiB, as the shares of the way to the goal: the quartiles."""
    text = read_gctrace(open_source(str(ROOT / "tests" / "data" / "gctrace" / "lru-go1.23.txt")))
    early, late = cases_of(text)
    assert 0.6 < early.trigger_share <= late.trigger_share < 1.1
    low, high = cpu_of(text) or (0, 0)
    assert 0 < low <= high
