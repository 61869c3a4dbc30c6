"""The table that is chosen by replays, and whether it is worth having."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from goalloc_cli.analyses.optimize.occupied import WORD
from goalloc_cli.analyses.optimize.optimize import OWN, Asked, Recording, Replays, one_layout, optimize, own_table, pooled
from goalloc_cli.design.releases import release
from goalloc_cli.design.sizeclass import SizeClass, slots
from goalloc_cli.errors import DesignError
from goalloc_cli.results.optimizing import NO, ONLY_HERE, UNKNOWN, YES, Candidate, Figures, Optimizing, Seen
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.trace.trace import Header, Trace
from tests.kit.fitting import GO, WORDS, recording, rows_of, sample, weights_of

FINE = Asked(align="8")
"""Classes of any size: so that a few made-up sizes can be fitted."""


def test_recordings_count_alike_whatever_their_size() -> None:
    small, large = (weights_of([(size, True, many)]) for size, many in ((48, 10), (480, 100)))
    found = pooled([small, large])
    words = np.arange(WORDS) * WORD
    assert (found[1, 6] * 48, found[1, 60] * 480) == pytest.approx((12120, 12120))
    assert (found * words).sum() == pytest.approx((48 * 10 + 480 * 100) / 2)


def test_recordings_of_allocators_that_lay_spans_out_differently_make_no_table() -> None:
    with pytest.raises(DesignError, match=r"malloc_header.*--go"):
        one_layout([sample("orders-go1.27"), Recording(lambda: Trace("", Header(), iter(())), release("1.21"), "go1.21")])


@pytest.mark.parametrize("name", ["orders-go1.27", "trees-go1.27"])
def test_a_recording_is_replayed_six_times_at_most_and_another_twice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replayed: list[int] = []
    run = Replays.run

    def counted(self: Replays, one: Recording, *args: Any) -> Outcome:
        replayed.append(id(one))
        return run(self, one, *args)

    monkeypatch.setattr(Replays, "run", counted)
    one, other = sample(name), sample("wordcount-go1.27")
    optimize([one], [other], Asked())
    assert (replayed.count(id(one)) <= 6, replayed.count(id(other)) <= 2) == (True, True)


def test_a_program_of_sizes_just_above_go_s_classes_gains() -> None:
    objects = [(40, True, 6000), (136, True, 3000), (1048, True, 1500), (4104, True, 240)]
    found = optimize([recording(rows_of(objects))], [], FINE)
    assert found.chosen.name != OWN
    assert found.trained[0].change.worst < -0.08
    assert found.verdict == UNKNOWN


def test_a_program_whose_sizes_are_go_s_own_does_not() -> None:
    """Of each class as many objects as fill four spans."""
    of_class = [(size, True, 4 * slots(GO, SizeClass(size, n), True)[0]) for size, n in own_table(GO) if size < 32760]
    assert optimize([recording(rows_of(of_class))], [], Asked()).verdict == NO


def test_what_fits_one_program_may_cost_another() -> None:
    here = recording(rows_of([(40, True, 9000), (1048, True, 900)]))
    there = recording(rows_of([(64, True, 9000), (128, True, 9000), (704, True, 900)]))
    found = optimize([here], [there], FINE)
    assert found.verdict == ONLY_HERE
    assert found.against[0].change.worst > 0.1


def test_another_run_of_the_same_kind_says_yes() -> None:
    runs = [recording(rows_of([(40, True, n), (136, True, n // 2), (1048, True, n // 8)])) for n in (6000, 6500)]
    assert optimize(runs[:1], runs[1:], FINE).verdict == YES


def test_a_table_of_ones_own_is_judged_as_well() -> None:
    mine = ((8, 1), (16, 1), (48, 1), (512, 1), (32768, 4))
    found = optimize([recording(rows_of([(40, True, 3000)]))], [], Asked(yours=mine))
    assert [each.table for each in found.candidates if each.name == "yours"] == [mine]


def test_no_more_classes_than_asked_for() -> None:
    found = optimize([sample("orders-go1.27")], [], Asked(most=12))
    assert max(len(each.table) for each in found.candidates[1:]) <= 12


FIGURES = {"end_heap_inuse": 0, "rounding": 0, "tails": 0, "free_slots": 0, "cached": 0, "dead": 0}


def judged(*changes: float, trained: int = 1, best: int = 1, low: float | None = None) -> str:
    """The verdict where peak and mean changed so in each recording."""

    def of(change: float) -> Figures:
        return Figures(peak_heap_inuse=round(1000 * (1 + change)), mean_heap_inuse=1000 * (1 + change), **FIGURES)

    others = {} if low is None else {"lowest": of(low)}
    seen = [Seen("a", Header(), {}, "go1.27", of(0), of(change), others) for change in changes]
    tables = [Candidate(OWN, (), [], 0.0), Candidate("made", (), [], 0.0)]
    return Optimizing(seen[:trained], seen[trained:], tables, best, "go", 67).verdict


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ((-0.05,), UNKNOWN), ((-0.05, -0.03), YES), ((-0.05, -0.01), NO), ((-0.05, 0.01), ONLY_HERE),
        ((-0.01,), NO), ((-0.01, 0.05), NO), ((-0.05, -0.04, 0.01), ONLY_HERE), ((-0.05, -0.04, -0.01), NO),
    ],
)  # fmt: skip
def test_the_verdict_rests_on_the_worst_of_all_recordings(changes: tuple[float, ...], verdict: str) -> None:
    assert judged(*changes) == verdict


def test_two_recordings_that_the_table_was_made_for_are_no_test_of_it() -> None:
    assert judged(-0.05, -0.05, trained=2) == UNKNOWN


def test_sizes_that_are_perhaps_lower_can_take_a_gain_away() -> None:
    assert judged(-0.05, -0.05, low=-0.01) == NO


def test_where_go_s_own_table_is_the_best_the_answer_is_no() -> None:
    assert judged(0.0, 0.0, best=0) == NO


def test_of_nothing_the_answer_is_no() -> None:
    assert optimize([recording(rows_of([]))], [], Asked()).verdict == NO
