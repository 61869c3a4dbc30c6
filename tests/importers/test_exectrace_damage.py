"""Recordings with something missing or odd in them: what is read, what is inferred, and what is said of it."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from goalloc_cli import cli
from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.slots.check import count_left_out
from goalloc_cli.importers.exectrace.slots.slots import FAULTS, MISPLACED, UNKNOWN_SPAN_ALLOC
from goalloc_cli.importers.exectrace.wire.decode import ARGUMENTS
from goalloc_cli.native.native import read_native, write_native
from goalloc_cli.report.documents.ledger import ledger
from goalloc_cli.results.outcome import Outcome
from goalloc_cli.trace.event import Kind
from goalloc_cli.trace.lost import Lost
from goalloc_cli.trace.trace import Trace
from tests.conftest import Go
from tests.importers.test_exectrace import event_batches, raw, refusal

MANY = "trees-go1.24"


def opened(data: bytes, partial: bool = False) -> Trace:
    return read_exectrace(io.BytesIO(data), "app.trace", partial)


def replayed(trace: Trace, release: str = "1.27") -> Outcome:
    return replay(trace, RELEASES[release], design_name=f"go{release}")


def without_batch(name: str, which: int) -> bytes:
    """A recording of which an event batch was lost."""
    data = raw(name)
    start, end = event_batches(data)[which]
    return data[:start] + data[end:]


def test_every_event_has_the_arguments_that_gos_own_table_says(go: Go) -> None:
    root = subprocess.run([go.command, "env", "GOROOT"], env=go.environ(), capture_output=True, text=True, check=True)
    source = (Path(root.stdout.strip()) / "src/internal/trace/tracev2/events.go").read_text()
    names = re.findall(r"^\t(Ev\w+)(?: EventType = iota)?(?:\s*//.*)?$", source.split("const (")[1].split("\n)")[0], re.M)
    specs = dict(re.findall(r"\t(Ev\w+): \{.*?Args:\s+\[\]string\{(.*?)\}", source, re.S))
    timed = {n: specs[name].count('"') // 2 - 1 for n, name in enumerate(names) if '"dt"' in specs.get(name, "")}
    assert len(timed) > 35
    in_sync_batches = {50, 51}
    wrong = {n: count for n, count in timed.items() if n not in in_sync_batches and ARGUMENTS.get(n) != count}
    assert wrong == {}


def test_memory_of_user_arenas_that_are_kept_is_told_from_heap_live() -> None:
    outcome = replayed(opened(raw("arena-kept-go1.27")))
    assert outcome.lost.unnamed == pytest.approx(4 * (8 << 20), rel=0.05)
    assert any("none of its objects are" in note for note in outcome.notes)


def test_user_arenas_that_are_freed_are_no_damage() -> None:
    trace = opened(raw("arena-freed-go1.27"))
    list(trace.batches)
    assert any("as user arenas are" in note for note in (*trace.header.notes, *trace.remarks))


@pytest.mark.parametrize(("name", "mark_bytes"), [("no-green-tea-go1.27", 0), ("green-tea-go1.25", 128)])
def test_slots_show_whether_green_tea_was_on(name: str, mark_bytes: int) -> None:
    assert opened(raw(name)).header.knobs == (("inline_mark_bytes", mark_bytes),)


@pytest.mark.parametrize("name", [MANY, "orders-go1.25", "wordcount-go1.26"])
def test_a_recording_as_usual_sets_no_knob(name: str) -> None:
    assert opened(raw(name)).header.knobs == ()


def test_a_recording_of_a_32_bit_program_is_refused_as_that() -> None:
    info = b"\x31\x01\x01" + b"\xff" * 9 + b"\x01\x05\x0a" + b"\x01\x80\x80\x80\x48\x80\x40\x08\x80\x10"
    assert "a recording of a 32-bit program" in refusal(b"go 1.26 trace\0\0\0" + info)


def test_what_is_missing_makes_every_row_bounded() -> None:
    trace = opened(without_batch(MANY, 4), partial=True)
    outcome = replayed(trace, "1.24")
    figures = {row["figure"] for row in ledger(outcome.samples[-1], outcome.header, outcome.lost)}
    assert "exact" not in figures


def test_of_a_whole_recording_rows_are_exact() -> None:
    outcome = replayed(opened(raw(MANY)), "1.24")
    assert not outcome.lost
    assert "exact" in {row["figure"] for row in ledger(outcome.samples[-1], outcome.header, outcome.lost)}


def test_what_is_missing_is_told_again_by_the_imported_trace() -> None:
    trace, stream = opened(without_batch(MANY, 4), partial=True), io.BytesIO()
    write_native(trace.header, trace.batches, stream, lost=trace.lost)
    stream.seek(0)
    again = read_native(stream, "again")
    list(again.batches)
    assert again.lost == trace.lost
    assert again.lost


def test_an_object_that_dies_and_was_never_seen_was_born_before_its_cycle() -> None:
    trace = opened(without_batch(MANY, 7), partial=True)
    batches = list(trace.batches)
    assert trace.lost.births > 0
    kinds = np.concatenate([batch.kind & 63 for batch in batches])
    assert np.count_nonzero(kinds == Kind.FREE) >= trace.lost.births


def test_what_was_inferred_is_said_by_kind() -> None:
    told = "Inferred, since their events were lost: 3 births of objects that are freed later"
    assert Lost(births=3, deaths=1).sentences()[0].startswith(told)


def test_a_recording_that_breaks_before_its_heap_is_told_so() -> None:
    data = raw(MANY)
    start, _ = event_batches(data)[0]
    with pytest.raises(TraceError, match=r"no alloc/free events|there is no"):
        list(opened(data[:start], partial=True).batches)


def test_the_first_line_of_a_report_on_a_cut_recording_says_that_figures_are_of_its_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.trace").write_bytes(raw(MANY)[:400_000])
    assert cli.run(["replay", "--partial", str(tmp_path / "cut.trace"), "-q"]) == 0
    assert "The recording breaks off at byte" in capsys.readouterr().out


def test_what_is_left_out_is_counted_once_however_often_it_is_asked() -> None:
    lost, faults = Lost(), np.arange(FAULTS)
    for _ in range(3):
        count_left_out(faults, lost)
    assert (lost.nowhere, lost.misplaced) == (faults[UNKNOWN_SPAN_ALLOC], faults[MISPLACED])
