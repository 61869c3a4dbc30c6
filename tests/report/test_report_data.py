"""Reports as programs read them: JSON, msgpack, CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from goalloc_cli.errors import TraceError
from goalloc_cli.report.documents.names import REPLAY_REPORTS, WHO_REPORTS
from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.documents.saved import decoded, is_saved
from goalloc_cli.report.forms.output import encoded
from goalloc_cli.report.reports import SECTIONS
from goalloc_cli.results.outcome import Outcome
from tests.kit import report_samples
from tests.report.test_report_text import assert_golden

OUTCOMES = [report_samples.outcome(), report_samples.bounded(), report_samples.empty()]


def as_csv(outcome: Outcome, *names: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(encoded(document(outcome), names, "csv").decode())))


def shape(value: Any) -> Any:
    """Keys and types, one element of each list."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def test_no_field_of_the_document_is_lost_or_renamed() -> None:
    assert_golden("schema.json", json.dumps(shape(document(report_samples.outcome())), indent=1) + "\n")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_json_holds_the_whole_document(outcome: Outcome) -> None:
    assert json.loads(encoded(document(outcome), (), "json")) == document(outcome)


def test_a_report_in_json_is_a_part_of_the_document() -> None:
    part = json.loads(encoded(document(report_samples.outcome()), ("tiny",), "json"))
    assert ("tiny" in part, "classes" in part, "schema_version" in part) == (True, False, True)


@pytest.mark.parametrize("name", [name for name in REPLAY_REPORTS if name not in WHO_REPORTS])
def test_the_part_of_the_document_suffices_for_its_report(name: str) -> None:
    part = json.loads(encoded(document(report_samples.outcome()), (name,), "json"))
    assert {name, *SECTIONS.get(name, ())} - set(part) - {"summary"} == set()


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("when", ["peak", "end"])
def test_the_ledger_adds_up_to_heap_inuse(outcome: Outcome, when: str) -> None:
    part = document(outcome)["fragmentation"][when]
    assert sum(row["bytes"] for row in part["ledger"]) == part["heap_inuse"]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_heap_inuse_and_idle_pages_add_up_to_heap_sys(outcome: Outcome) -> None:
    part = document(outcome)["fragmentation"]["end"]["heap_sys"]
    assert part["heap_inuse"] + part["idle_backed"] + part["idle_released"] == part["heap_sys"]


def test_what_requested_may_be_too_high_by_rounding_is_too_low_by() -> None:
    requested, _, rounding, *_ = document(report_samples.bounded())["fragmentation"]["end"]["ledger"]
    assert requested["high"] - requested["low"] == rounding["high"] - rounding["low"] > 0


def test_memstats_carry_the_names_of_the_runtime() -> None:
    found = document(report_samples.outcome())
    assert {"HeapAlloc", "HeapInuse", "BySize"} <= set(found["memstats"]) & set(found["checkpoints"][0]["memstats"])


def test_the_histogram_counts_every_span_of_small_objects_once() -> None:
    spans = document(report_samples.outcome())["spans"]
    assert sum(spans["histogram"]) == sum(p["spans"] for p in spans["places"]) - 1


def test_a_full_span_is_told_from_one_that_lacks_an_object() -> None:
    spans, _ = report_samples.heap()
    spans = spans[:2].copy()
    spans["nelems"], spans["live"] = 100, (99, 100)
    assert document(report_samples.outcome(spans=spans))["spans"]["histogram"][-2:] == [1, 1]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_csv_of_everything_is_one_rectangle(outcome: Outcome) -> None:
    text = encoded(document(outcome), ("all",), "csv").decode()
    assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


def test_csv_holds_raw_bytes() -> None:
    row = next(row for row in as_csv(report_samples.outcome(), "classes") if row["elem_bytes"] == "4096")
    assert row["span_bytes"] == str(75 * 8192)


def test_the_ledger_in_csv_adds_up() -> None:
    *rows, total = [r for r in as_csv(report_samples.outcome(), "fragmentation") if r["table"] == "ledger"]
    assert sum(int(row["end_bytes"]) for row in rows) == int(total["end_bytes"])


def test_a_name_cannot_be_a_formula_in_a_spreadsheet() -> None:
    rows = as_csv(report_samples.hostile(), "spans")
    starts = {row["type"][0] for row in rows if row["type"]}
    assert starts & set("=+-@\t") == set()


def test_a_saved_replay_comes_back_as_it_was() -> None:
    found = document(report_samples.hostile())
    assert decoded("x", encoded(found, (), "msgpack")) == found


def test_a_saved_replay_is_known_by_its_first_bytes() -> None:
    saved = encoded(document(report_samples.outcome()), (), "msgpack")
    assert (is_saved(saved[:64]), is_saved(b"go 1.26 trace\0\0\0")) == (True, False)


def test_a_saved_replay_cut_short_is_refused() -> None:
    with pytest.raises(TraceError, match="damaged or cut short"):
        decoded("x", encoded(document(report_samples.outcome()), (), "msgpack")[:-9])
