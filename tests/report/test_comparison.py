"""Two sides as a document and as a report: what is compared, what is not, and what the sentence says."""

from __future__ import annotations

import copy
import json
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalloc_cli.report.documents.comparison.changed import MOMENTS
from goalloc_cli.report.documents.comparison.comparison import Side, comparison
from goalloc_cli.report.documents.comparison.cross import split
from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.forms.html.sides import stair
from goalloc_cli.report.forms.layout import Paper
from goalloc_cli.report.forms.output import encoded
from goalloc_cli.report.forms.render import to_text
from goalloc_cli.report.tables.comparison.sides import blocks, sentence
from tests.kit import report_samples
from tests.kit.pages import Elements

Document = dict[str, Any]
BASE = document(report_samples.outcome())
BOUNDED = document(report_samples.bounded())
MIB = 1 << 20
LEDGER = ("end_requested", "end_rounding", "end_fixed", "end_dead", "end_free", "end_tracer")


def grown(free: int = 0, peak: int = 0) -> Document:
    """A replay that ends with so many more free slots, and has so much more at its peak."""
    found = copy.deepcopy(BASE)
    next(row for row in found["fragmentation"]["end"]["ledger"] if row["name"] == "free_slots")["bytes"] += free
    found["summary"]["end"]["memstats"]["HeapInuse"] += free
    found["summary"]["peak"]["memstats"]["HeapInuse"] += peak
    return found


def with_(section: str, **changed: Any) -> Document:
    return {**copy.deepcopy(BASE), section: {**BASE[section], **changed}}


def rows(found: Document) -> dict[str, Document]:
    return {row["key"]: row for row in found["figures"]}


def compared(a: list[Document], b: list[Document]) -> Document:
    return comparison(Side(a), Side(b))


def text(found: Document) -> str:
    return to_text(blocks(found), Paper(80))


def test_a_replay_beside_itself_does_not_differ() -> None:
    found = compared([BASE], [BASE])
    assert {row["change"] for row in found["figures"]} == {0}
    assert (found["classes"], sentence(found)) == ([], "HeapInuse at the end is the same; the peak is the same.")


def test_the_changes_of_the_ledger_sum_to_the_change_of_heap_inuse() -> None:
    found = compared([BASE], [grown(5 * MIB)])
    assert sum(rows(found)[key]["change"] for key in LEDGER) == rows(found)["end_HeapInuse"]["change"] == 5 * MIB
    assert sum(row["change"] for row in found["ledger"]) == 5 * MIB


def test_the_sentence_names_what_changed() -> None:
    told = sentence(compared([BASE], [grown(5 * MIB, -3 * MIB)]))
    assert told.startswith("B ends with 5.0 MiB more HeapInuse (+")
    assert ": free slots +5.0 MiB; at the peak it is -" in told


def test_it_fits_80_columns_and_begins_with_both_sides() -> None:
    shown = text(compared([BASE], [grown(5 * MIB)]))
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert shown.startswith("A  web.msgpack, go1.27\nB  web.msgpack, go1.27\n")


def test_of_several_chance_is_asked_and_no_sentence_tells_a_difference_that_may_be_chance() -> None:
    found = compared([grown(n) for n in (0, 4, 8)], [grown(n) for n in (9, 10, 11)])
    assert sentence(found).startswith("3 and 3 recordings tell no difference in HeapInuse at the end (p=0.10)")
    assert "~" in text(found)
    assert "no difference can reach p < 0.05 (the least is 0.100): take 4 and 4 at least" in " ".join(text(found).split())


def test_four_and_four_that_do_not_overlap_differ() -> None:
    found = compared([grown(n, n) for n in range(4)], [grown(MIB + n, MIB + n) for n in range(4)])
    assert sentence(found).startswith("B ends with 1.0 MiB more HeapInuse")
    assert rows(found)["end_HeapInuse"]["p"] == pytest.approx(2 / 70)
    assert "no difference can reach" not in text(found)


def test_one_outlier_moves_neither_median_nor_chance() -> None:
    before, after = [grown(n) for n in range(5)], [grown(MIB + n) for n in range(4)]
    near, far = (rows(compared(before, [*after, grown(MIB + last)]))["end_HeapInuse"] for last in (4, 1 << 40))
    assert [near[key] for key in ("median_b", "change", "p")] == [far[key] for key in ("median_b", "change", "p")]


some = st.lists(st.integers(0, 9), min_size=1, max_size=5)


@given(some, some)
@settings(deadline=None, max_examples=30)
def test_sides_that_are_swapped_have_the_opposite_change(a: list[int], b: list[int]) -> None:
    there, back = (
        rows(compared([grown(n) for n in one], [grown(n) for n in other]))["end_HeapInuse"]
        for one, other in ((a, b), (b, a))
    )
    assert there["change"] == -back["change"]
    assert (there["p"], there["differs"]) == (pytest.approx(back["p"]), back["differs"])


@given(some)
@settings(deadline=None, max_examples=20)
def test_medians_are_those_of_statistics_as_whole_bytes(values: list[int]) -> None:
    row = rows(compared([BASE], [grown(n) for n in values]))["end_HeapInuse"]
    assert row["median_b"] == round(BASE["summary"]["end"]["memstats"]["HeapInuse"] + median(values))


@pytest.mark.parametrize(
    ("other", "key", "said"),
    [
        (with_("trace", sizes="slot"), "end_requested", "slots"),
        (with_("trace", go_version="1.23.9", hints=True, recorded="", events={}), "Mallocs", "Go 1.23"),
        (with_("design", knobs={**BASE["design"]["knobs"], "growth_released": 0}), "peak_rss", "Go 1.12 and older"),
        (with_("design", mode="what-if"), "end_free", "own sweeper"),
        (with_("trace", from_start=False), "TotalAlloc", "begins with the program"),
        (with_("trace", gomaxprocs=1), "end_free", "Ps"),
    ],
    ids=["sizes", "packed", "touched", "sweeper", "start", "Ps"],
)
def test_what_cannot_be_compared_is_left_out_with_the_reason(other: Document, key: str, said: str) -> None:
    found = compared([BASE], [other])
    assert (rows(found)[key]["change"], said in rows(found)[key]["why_not"]) == (None, True)
    shown = " ".join(text(found).split())
    assert "not compared" in shown and "Not compared: " in shown


def test_where_another_sweeper_decided_dead_and_free_are_compared_together() -> None:
    found = compared([BASE], [with_("design", mode="what-if")])
    assert rows(found)["end_unused"]["change"] == 0


def test_a_program_that_did_something_else_is_told() -> None:
    other = copy.deepcopy(BASE)
    other["summary"]["end"]["memstats"]["TotalAlloc"] *= 2
    assert "B also allocated +100.0% bytes" in sentence(compared([BASE], [other]))


def test_a_side_that_does_not_tell_a_figure_is_not_compared_in_it() -> None:
    log = {"schema": "goalloc memstats", "summary": {"HeapInuse": 5 * MIB}, "values": {}, "text": {"name": "m.json"}}
    found = compared([BASE], [log])
    assert rows(found)["end_HeapInuse"]["change"] is not None
    assert rows(found)["end_requested"]["why_not"] == "B does not tell it"


@pytest.mark.parametrize("form", ["json", "csv", "markdown", "table"])
def test_every_form_tells_the_change(form: str) -> None:
    shown = encoded(compared([BASE], [grown(5 * MIB)]), (), form).decode()
    assert ("5242880" if form in ("json", "csv") else "+5.0 MiB") in shown


def test_the_document_is_plain_and_ready_to_be_drawn() -> None:
    found = json.loads(json.dumps(compared([BASE], [grown(MIB)])))
    assert {"figures", "ledger", "classes", "curves", "sides"} <= set(found)
    assert len(found["curves"]["a"]["heap_inuse"]) == len(BASE["timeline"])


@given(*(st.integers(-99, 99) for _ in range(6)))
def test_program_allocator_and_sweeping_sum_to_the_change(a: int, b: int, aa: int, ba: int, ab: int, bb: int) -> None:
    found = split((a, b), (aa, ba), (ab, bb))
    assert found["program"] + found["allocator"] + found["sweeping"] == found["change"] == b - a


@given(*(st.integers(-99, 99) for _ in range(6)))
def test_swapped_sides_have_the_opposite_parts(a: int, b: int, aa: int, ba: int, ab: int, bb: int) -> None:
    there, back = split((a, b), (aa, ba), (ab, bb)), split((b, a), (bb, ab), (ba, aa))
    assert all(there[key] == -back[key] for key in ("program", "allocator", "sweeping", "change"))


# Who has more alive.


def alive(goroutines: dict[str, int], types: dict[str, int] | None = None, moments: tuple[str, ...] = MOMENTS) -> Document:
    """A replay that tells who had so many bytes alive: one more at each of these moments, of which the first comes last."""

    def row(name: str, key: str, size: int) -> Document:
        return {key: name, **{when: {"live_bytes": size + at} for at, when in enumerate(moments)}}

    types = types or {"main.T": sum(goroutines.values())}
    rows = {
        "goroutines": [row(name, "entry", size) for name, size in goroutines.items()],
        "types": [row(name, "type", size) for name, size in types.items()],
    }
    who = {"moments": dict.fromkeys(moments), **rows}
    return {**copy.deepcopy(BASE), "who": who, "trace": {**BASE["trace"], "owners": True}}


def test_the_owners_that_changed_most_come_first_and_the_rest_makes_the_sum() -> None:
    many = {f"main.f{n}": n for n in range(20)}
    found = compared([alive({"main.main": 10, **many})], [alive({"main.load": 5000, **{f: 2 * n for f, n in many.items()}})])
    view = found["owners"]["goroutines"]
    assert [row["name"] for row in view["rows"][:2]] == ["main.load", "main.f19"]
    assert len(view["rows"]) == 12
    assert [sum(row[key] for row in (*view["rows"], view["others"])) for key in ("a", "b", "change")] == [200, 5380, 5180]
    assert [view["all"][key] for key in ("a", "b", "change")] == [200, 5380, 5180]


def test_the_sentence_says_who_has_more_alive() -> None:
    shown = " ".join(text(compared([alive({"main.main": MIB})], [alive({"main.main": MIB, "main.leak": 4 * MIB})])).split())
    assert "Alive when a GC found most: main.leak +4.0 MiB; by type main.T +4.0 MiB." in shown


def test_where_as_much_is_alive_and_one_side_collected_more_often_it_is_garbage_that_differs() -> None:
    before, after = alive({"main.main": 200 * MIB}), alive({"main.main": 201 * MIB})
    after["summary"]["end"]["memstats"]["NumGC"] *= 2
    told = " ".join(text(compared([before], [after])).split())
    assert "Alive when a GC found most is about the same: 201.0 MiB (+0.5%). A has 21 GC cycles, B 42 GC cycles" in told
    assert "what died in between" in told
    after["summary"]["end"]["memstats"]["TotalAlloc"] *= 2
    assert "what died in between" not in " ".join(text(compared([before], [after])).split())


def test_what_one_has_less_and_another_more_is_not_the_same() -> None:
    before, after = alive({"main.a": 5 * MIB, "main.b": MIB}), alive({"main.a": MIB, "main.b": 5 * MIB})
    assert "main.a -4.0 MiB, main.b +4.0 MiB" in " ".join(text(compared([before], [after])).split())


def test_an_owner_that_was_made_at_two_places_is_one() -> None:
    before, after = alive({"main.work": 7}), alive({"main.work": 7})
    after["who"]["goroutines"] *= 2
    (row,) = compared([before], [after])["owners"]["goroutines"]["rows"]
    assert (row["name"], row["change"]) == ("main.work", 7)


def test_who_has_the_same_alive_is_in_no_table() -> None:
    found = compared([alive({"main.main": 7})], [alive({"main.main": 7})])
    assert found["owners"]["goroutines"]["rows"] == []
    assert "alive" not in text(found)


def test_of_several_only_owners_that_differ_by_more_than_chance_are_told() -> None:
    before = [alive({"main.main": n, "main.noise": n % 3}) for n in range(4)]
    after = [alive({"main.main": 100 + n, "main.noise": (n + 1) % 3}) for n in range(4)]
    found = compared(before, after)["owners"]["goroutines"]
    assert [(row["name"], row["change"]) for row in found["rows"]] == [("main.main", 100)]
    assert found["all"] is None


def test_of_several_only_classes_that_differ_by_more_than_chance_are_told() -> None:
    def with_spans(size: int) -> Document:
        found = copy.deepcopy(BASE)
        found["classes"][0]["span_bytes"] += size
        return found

    three = compared([with_spans(n) for n in range(3)], [with_spans(MIB + n) for n in range(3)])
    four = compared([with_spans(n) for n in range(4)], [with_spans(MIB + n) for n in range(4)])
    assert (three["classes"], [row["change"] for row in four["classes"]]) == ([], [MIB])


@pytest.mark.parametrize("known", [("peak", "end"), ("end",)])
def test_who_has_more_alive_is_asked_at_moments_that_both_looked_at(known: tuple[str, ...]) -> None:
    found = compared([alive({"main.main": 9})], [alive({"main.main": 5}, moments=known)])
    assert found["owners"]["moments"] == [*known]
    assert [found["owners"]["goroutines"]["rows"][0][key] for key in ("a", "b")] == [9 + MOMENTS.index(known[0]), 5]


def test_what_only_changed_where_garbage_counts_is_no_change() -> None:
    before, after = alive({"main.main": 9}), alive({"main.main": 9})
    after["who"]["goroutines"][0]["peak"]["live_bytes"] += MIB
    assert compared([before], [after])["owners"]["goroutines"]["rows"] == []


def test_a_replay_that_was_saved_without_who_is_told() -> None:
    other = with_("trace", name="saved.replay")
    found = compared([alive({"main.main": 9})], [other])
    assert found["owners"] is None
    assert any("saved.replay was saved without --report who" in note for note in found["notes"])


def test_types_that_nobody_named_are_no_view() -> None:
    found = compared([alive({"main.main": 9}, {"(no type given)": 9})], [alive({"main.main": 5}, {"(no type given)": 5})])
    assert set(found["owners"]) == {"moments", "goroutines"}


@pytest.mark.parametrize("form", ["json", "csv", "markdown", "table", "html"])
def test_every_form_has_the_owners(form: str) -> None:
    shown = encoded(compared([alive({"main.main": MIB})], [alive({"main.leak": 4 * MIB})]), (), form).decode()
    assert "main.leak" in shown
    assert ("4194304" if form in ("json", "csv") else "+4.0 MiB") in shown


def test_names_of_owners_that_would_be_markup_are_text_on_the_page() -> None:
    name = "main.f[<img src=x onerror=alert(1)>]"
    found = Elements(encoded(compared([alive({name: 9})], [alive({name: MIB})]), (), "html").decode())
    assert [one for one in found.of("img") if not one.get("src", "").startswith("data:")] == []


# The RSS is a range.


def resident(low: int, high: int) -> Document:
    found = copy.deepcopy(BASE)
    found["released"]["end"] |= {"rss_low": low, "rss_high": high, "rss_sum": (low + high) // 2}
    return found


@pytest.mark.parametrize(("low", "differs"), [(20 * MIB, False), (30 * MIB, False), (31 * MIB, True)])
def test_a_range_differs_from_another_where_they_do_not_meet(low: int, differs: bool) -> None:
    found = compared([resident(10 * MIB, 30 * MIB)], [resident(low, low + 8 * MIB)])
    assert rows(found)["end_rss"]["differs"] == differs
    shown = next(line for line in text(found).splitlines() if line.startswith("  RSS  "))
    assert "10.0 - 30.0 MiB" in shown
    assert ("~" in shown) != differs


def test_a_range_is_held_against_an_exact_figure() -> None:
    log = {"schema": "goalloc memstats", "summary": {"RSS": 12 * MIB}, "values": {}, "text": {"name": "m.json"}}
    assert not rows(compared([resident(10 * MIB, 30 * MIB)], [log]))["end_rss"]["differs"]
    assert rows(compared([resident(13 * MIB, 30 * MIB)], [log]))["end_rss"]["differs"]


# The page.


def test_the_stair_goes_from_a_to_b_without_a_gap() -> None:
    found = stair(compared([BASE], [grown(5 * MIB)]))
    assert found is not None
    first, more, last = found["rows"]
    assert (first["name"], more["name"], last["name"]) == ("A", "free slots elsewhere", "B")
    assert more["x"] == pytest.approx(first["x"] + first["width"], abs=0.02)
    assert more["x"] + more["width"] == pytest.approx(last["x"] + last["width"], abs=0.02)


def test_sides_that_are_alike_have_a_stair_of_two_steps() -> None:
    found = stair(compared([BASE], [BASE]))
    assert found is not None and [row["name"] for row in found["rows"]] == ["A", "B"]


@pytest.mark.parametrize("other", [BASE, grown(5 * MIB), BOUNDED, document(report_samples.empty())])
def test_every_comparison_makes_a_page_that_runs_nothing_but_its_script(other: Document) -> None:
    shown = encoded(compared([BASE], [other]), (), "html").decode()
    found = Elements(shown)
    assert [a for _, a in found.found if "style" in a or any(name.startswith("on") for name in a)] == []
    assert [one.get("type", "") for one in found.of("script")] == ["application/json", ""]
    assert 'id="sides"' in shown


def test_the_page_is_called_by_both_sides() -> None:
    other = {**BASE, "trace": {**BASE["trace"], "name": "runs/after.msgpack"}}
    shown = encoded(compared([BASE], [other]), (), "html").decode()
    assert "<title>web.msgpack, go1.27 to after.msgpack, go1.27 - goalloc</title>" in shown


def test_names_that_would_be_markup_are_text_on_the_page() -> None:
    name = "<img src=x onerror=window.PWNED=1>.jsonl"
    other = {**BASE, "trace": {**BASE["trace"], "name": name}}
    found = Elements(encoded(compared([BASE], [other]), (), "html").decode())
    assert [one for one in found.of("img") if not one.get("src", "").startswith("data:")] == []


def test_the_page_does_not_tell_where_the_traces_lay() -> None:
    other = {**BASE, "trace": {**BASE["trace"], "name": "/home/someone/secret/b.msgpack"}}
    shown = encoded(compared([BASE], [other]), (), "html").decode()
    assert "b.msgpack" in shown and "/home/someone" not in shown
