"""Reports as people read them: on a terminal, through a pipe, in Markdown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len

from goalloc_cli.design.releases import release
from goalloc_cli.report.documents.compared import compared_document
from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.forms.draw import bar, sparkline
from goalloc_cli.report.forms.layout import Paper
from goalloc_cli.report.forms.render import to_markdown, to_text
from goalloc_cli.report.reports import blocks
from goalloc_cli.report.tables.blocks import Table, count
from goalloc_cli.report.tables.blocks import text as text_column
from goalloc_cli.report.units import iec, percent, short_size
from goalloc_cli.results.outcome import Outcome
from tests.kit import report_samples
from tests.kit.root import GOLDEN


def text(outcome: Outcome, *names: str, width: int = 80, drawings: bool = False) -> str:
    return to_text(blocks(document(outcome), names), Paper(width, drawings))


def assert_golden(name: str, found: str) -> None:
    """Compare with tests/golden/`name`; GOALLOC_GOLDEN=write makes it anew."""
    path = GOLDEN / name
    if os.environ.get("GOALLOC_GOLDEN") == "write":
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 120])
def test_the_answer_without_a_report_reads_as_it_did(width: int) -> None:
    assert_golden(f"answer-{width}.txt", text(report_samples.outcome(), width=width))


@pytest.mark.parametrize("width", [80, 120])
def test_all_reports_read_as_they_did(width: int) -> None:
    assert_golden(f"all-{width}.txt", text(report_samples.outcome(), "all", width=width))


def test_a_recording_of_slots_reads_as_bounded_and_unknown() -> None:
    assert_golden("slots-80.txt", text(report_samples.bounded(), "fragmentation", "tiny"))


def test_markdown_reads_as_it_did() -> None:
    assert_golden("answer.md", to_markdown(blocks(document(report_samples.outcome()), ())))


def test_a_terminal_gets_bars_and_a_sparkline() -> None:
    assert_golden("terminal-100.txt", text(report_samples.outcome(), "spans", "timeline", width=100, drawings=True))


def test_the_answer_fits_a_screen_of_fifty_lines() -> None:
    assert len(text(report_samples.outcome()).splitlines()) <= 50


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = text(report_samples.outcome(), "all", width=width, drawings=True).splitlines()
    assert [line for line in lines if cell_len(line) > width] == []


def test_a_column_that_does_not_fit_is_named_below_the_table() -> None:
    assert "Not shown for want of width: NextGC" in text(report_samples.outcome(), "timeline", width=80)


def test_every_row_of_the_ledger_says_how_far_it_is_known() -> None:
    ledger = text(report_samples.bounded()).split("Where HeapInuse goes\n")[1].splitlines()[1:12]
    assert [row.split()[-1] for row in ledger] == [
        "bounded", "exact", "bounded", "bounded", "unknown", *["exact"] * 6
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (report_samples.outcome(), "as recorded:"),
        (report_samples.outcome(hints={}), "what if:"),
        (
            report_samples.outcome(hints={}, header=report_samples.header(hints=False)),
            "the trace has no hints",
        ),
    ],
)
def test_the_reader_is_told_who_decided_when_to_sweep(outcome: Outcome, told: str) -> None:
    assert text(outcome).splitlines()[1].startswith(told)


def test_a_replay_of_nothing_can_be_shown() -> None:
    assert "No heap span was ever in use." in text(report_samples.empty(), "all")


@pytest.mark.parametrize("render", [to_markdown, lambda found: to_text(found, Paper(80))])
def test_a_name_cannot_steer_the_terminal(render) -> None:  # type: ignore[no-untyped-def]
    shown = render(blocks(document(report_samples.hostile()), ("all",)))
    assert re.findall(r"[^\n -~\u2500-\u259f日本語型]", shown) == []


def test_a_name_cannot_break_a_markdown_table() -> None:
    shown = to_markdown(blocks(document(report_samples.hostile()), ("spans",)))
    assert "| a\\|b&lt;script&gt; |" in shown


def test_a_long_type_name_keeps_both_its_ends() -> None:
    pin = report_samples.PinRow("github.com/an/organisation/with/a/long/name/internal/cache.(*Entry)", 1, 8192, 8)
    shown = text(report_samples.outcome(pins=[pin]), "spans", width=60)
    assert re.search(r"  github\.com/\S+\.\.\S+\(\*Entry\)  ", shown)


def test_bytes_are_whole_while_they_are_few() -> None:
    assert [iec(n) for n in (0, 9999, 10_240, 1 << 20, 3 << 40)] == [
        "0 B",
        "9,999 B",
        "10.0 KiB",
        "1.0 MiB",
        "3.0 TiB",
    ]


def test_sizes_of_classes_have_no_decimals() -> None:
    assert [short_size(n) for n in (8, 1152, 2048, 32768)] == ["8 B", "1,152 B", "2 KiB", "32 KiB"]


def test_a_small_share_is_not_shown_as_nothing() -> None:
    assert [percent(p) for p in (0.0, 0.0001, 0.5)] == ["0.0%", "<0.1%", "50.0%"]


def test_a_sparkline_keeps_its_peak_however_narrow() -> None:
    assert max(sparkline([1] * 50 + [100] + [1] * 50, 7)) == "█"


def test_a_bar_for_something_is_never_empty() -> None:
    assert bar(0.0001, 10) == "▏"


def side_by_side() -> dict[str, Any]:
    return compared_document([document(report_samples.outcome(design_name=f"go1.{n}")) for n in range(10, 28)])


def lazily_released() -> dict[str, Any]:
    return document(report_samples.outcome(design=release("1.14")))


@pytest.mark.parametrize("made", [side_by_side, lazily_released])
def test_every_label_of_ours_stands_whole_at_80_columns(made: Callable[[], dict[str, Any]]) -> None:
    found = blocks(made(), ("all",))
    labels = {str(row[0]) for table in found if isinstance(table, Table) and labelled(table) for row in table.rows}
    shown = to_text(found, Paper(80))
    assert {label for label in labels if label not in shown} == set()


def labelled(table: Table) -> bool:
    """Whether the first column holds words of ours."""
    return table.columns[0].unit == "text" and not table.columns[0].names


def test_a_label_before_other_columns_is_never_cut() -> None:
    columns = (text_column("row", "row"), text_column("meaning", "what it is", 1), count("n", "number"))
    table = Table("wide", "Wide", columns, [("heap", "HeapInuse and spans by class, at every GC", 123_456_789)])
    assert ".." not in to_text([table], Paper(50))
