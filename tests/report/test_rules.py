"""Limits: what they may say, and whether they hold."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.figures.catalogue import CATALOGUES
from goalloc_cli.report.gate.judge import judged, limits
from goalloc_cli.report.gate.rules import RuleError, limit, read_rule
from goalloc_cli.report.tables.comparison.gate import line, score
from tests.kit import report_samples

REPLAY = CATALOGUES["goalloc replay"]
MIB = 1 << 20
BASE = document(report_samples.outcome())


def grown(by: int) -> dict[str, Any]:
    """The same replay with so many more bytes of HeapInuse at its peak, and of free slots at its end."""
    found = document(report_samples.outcome())
    found["summary"]["peak"]["memstats"]["HeapInuse"] += by
    next(row for row in found["fragmentation"]["end"]["ledger"] if row["name"] == "free_slots")["bytes"] += by
    return found


def crossed(rule: str, now: dict[str, Any] | list[dict[str, Any]], before: dict[str, Any] | list[dict[str, Any]]) -> bool:
    sides = [each if isinstance(each, list) else [each] for each in (now, before)]
    (verdict,) = judged(limits([read_rule(rule)], "goalloc replay", True), *sides)
    return bool(verdict["crossed"])


@pytest.mark.parametrize(
    ("rule", "key", "bound", "relative"),
    [
        ("HeapInuse>+5%", "peak_HeapInuse", 0.05, True),
        ("heapinuse > +5 %", "peak_HeapInuse", 0.05, True),
        ("free_slots>+1MiB", "end_free_slots", MIB, False),
        ("free-slots>+1MiB", "end_free_slots", MIB, False),
        ("peak_free_slots>=-1.5KiB", "peak_free_slots", -1536, False),
        ("end_HeapInuse>64MB", "end_HeapInuse", 64e6, False),
        ("RSS<=1GiB", "peak_rss", 1 << 30, False),
        ("requested_share<50%", "peak_requested_share", 0.5, False),
        ("NumGC>100", "NumGC", 100, False),
        ("duration>1.5s", "duration", 1.5e9, False),
        ("HeapAlloc[after load]>5MiB", "HeapAlloc[after load]", 5 * MIB, False),
        ("pinned[map[string][]uint8]>1KiB", "pinned[map[string][]uint8]", 1024, False),
        ("live[main.cache]>64MiB", "live[main.cache]", 64 * MIB, False),
        ("live[chan<- int]>1", "live[chan<- int]", 1, False),
    ],
)
def test_a_limit_is_read(rule: str, key: str, bound: float, relative: bool) -> None:
    found = limit(read_rule(rule), REPLAY)
    assert (found.figure.key, found.bound, found.relative) == (key, bound, relative)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "expected FIGURE"),
        ("HeapInuse", "expected FIGURE"),
        ("HeapInuse>", "expected FIGURE"),
        ("HeapInuse=5", "expected FIGURE"),
        ("HeapInuse>nan", "expected FIGURE"),
        ("HeapInuse>1e9", "expected FIGURE"),
        ("HeapInuse>5 apples", "told in bytes"),
        ("HeapInuse>5%", "told in bytes"),
        ("NumGC>5MiB", "told in count"),
        ("x" * 2000 + ">1", "expected FIGURE"),
        ("HeapInus>5", "did you mean 'HeapInuse'?"),
        ("beauty[main.T]>5", "there is no beauty[...]"),
    ],
)
def test_a_limit_that_says_nothing_is_told(rule: str, said: str) -> None:
    with pytest.raises(RuleError, match="fail-on") as told:
        limit(read_rule(rule), REPLAY)
    assert said in str(told.value)


@pytest.mark.parametrize("text", ["HeapInuse>+5%\n--force", "HeapInuse>\u0665"])
def test_digits_are_ascii_and_a_rule_is_one(text: str) -> None:
    with pytest.raises(RuleError):
        limit(read_rule(text), REPLAY)


@pytest.mark.parametrize(
    ("rule", "more", "is_crossed"),
    [
        ("free_slots>+1MiB", MIB, False),
        ("free_slots>=+1MiB", MIB, True),
        ("free_slots>+1MiB", MIB + 1, True),
        ("free_slots<-1KiB", -2048, True),
        ("free_slots>+1MiB", -MIB, False),
        ("HeapInuse>+5%", 100, False),
        ("HeapInuse>+5%", 64 * MIB, True),
    ],
)
def test_a_change_is_held_to_its_limit(rule: str, more: int, is_crossed: bool) -> None:
    assert crossed(rule, grown(more), BASE) == is_crossed


def test_a_figure_is_held_to_a_number() -> None:
    inuse = BASE["summary"]["peak"]["memstats"]["HeapInuse"]
    assert [crossed(f"HeapInuse>{bound}", BASE, BASE) for bound in (inuse - 1, inuse)] == [True, False]


def test_of_several_recordings_a_change_that_may_be_chance_is_none() -> None:
    now, before = [grown(64 * MIB + n) for n in range(4)], [grown(n) for n in range(4)]
    assert crossed("HeapInuse>+5%", now, before)
    assert not crossed("HeapInuse>+5%", now[:3], before[:3])


def test_what_was_nothing_has_grown_by_any_percentage() -> None:
    assert crossed("tracer>+5%", {**grown(0), "fragmentation": with_tracer()}, BASE)


def with_tracer() -> dict[str, Any]:
    found = grown(0)["fragmentation"]
    next(row for row in found["end"]["ledger"] if row["name"] == "tracer")["bytes"] = 1
    return found


def test_a_change_needs_something_to_be_a_change_of() -> None:
    with pytest.raises(RuleError, match="--baseline"):
        limits([read_rule("HeapInuse>+5%")], "goalloc replay", False)


def test_what_a_document_does_not_tell_cannot_hold() -> None:
    with pytest.raises(RuleError, match="not told here; goalloc replay --report live"):
        crossed("live[main.cache]>64MiB", BASE, BASE)


@pytest.mark.parametrize(
    ("rule", "is_crossed"),
    [("live[main.cache]>64MiB", True), ("live[main.serve]>64MiB", False), ("live[main.gone]>1", False)],
)
def test_where_owners_are_told_each_has_its_limit(rule: str, is_crossed: bool) -> None:
    types = [{"type": "main.cache", "end": {"live_bytes": 65 * MIB}}]
    goroutines = [{"entry": "main.serve", "end": {"live_bytes": 30 * MIB}}] * 2
    assert crossed(rule, {**BASE, "who": {"types": types, "goroutines": goroutines}}, BASE) == is_crossed


def test_a_row_without_a_case_holds() -> None:
    bounds = limits([read_rule("slot<99.9")], "goalloc verify", False)
    (verdict,) = judged(bounds, [{"rows": {"slot": {"percent": None}}}])
    assert (verdict["crossed"], line(verdict)) == (False, "passed slot<99.9: the slot, in the true span: no case")


def test_a_line_for_a_log_says_what_was_and_what_is() -> None:
    found = judged(limits([read_rule("free_slots>+1MiB")], "goalloc replay", True), [grown(2 * MIB)], [BASE])
    assert line(found[0]).startswith("FAILED free_slots>+1MiB: free slots elsewhere at the end is ")
    assert "+2.0 MiB (" in line(found[0])
    assert score([*found, {**found[0], "crossed": False}]) == "1 failed, 1 passed"


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_told_to_be_none(text: str) -> None:
    with suppress(RuleError):
        limit(read_rule(text), REPLAY)
