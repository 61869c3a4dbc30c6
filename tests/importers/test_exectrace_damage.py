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
from goalloc_cli.trace.event import KIND_MASK, Kind
from goalloc_cli.trace.lost import Lost
from goalloc_cli.trace.trace import Trace
from tests.conftest import Go
from tests.importers.test_exectrace import RECORDINGS, addresses_of, event_batches, events_of, raw, refusal

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


@pytest.mark.parametrize("name", RECORDINGS)
def test_batches_that_stand_there_twice_are_read_once(name: str) -> None:
    data = raw(name)
    start, end = event_batches(data)[3]
    assert events_of(data[:end] + data[start:end] * 2 + data[end:]) == events_of(data)


def test_that_batches_stood_there_twice_is_said() -> None:
    data = raw("trees-go1.24")
    start, end = event_batches(data)[3]
    said = read_exectrace(io.BytesIO(data[:end] + data[start:end] * 2 + data[end:]), "app.trace").header.notes
    assert "Batches that stand in the file twice, to the byte, were read once: 2." in said


@pytest.mark.parametrize("name", RECORDINGS[:-1])
@pytest.mark.parametrize("which", [2, 5])
def test_a_lost_batch_is_noticed_and_counted(name: str, which: int) -> None:
    data = raw(name)
    start, end = event_batches(data)[which]
    said = refusal(data[:start] + data[end:])
    assert "of objects that do not exist" in said or "in slots that are in use" in said or "missing" in said
    assert "--partial takes it" in said


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("which", [2, 5])
def test_of_a_recording_with_a_lost_batch_the_rest_is_taken_and_what_is_missing_told(name: str, which: int) -> None:
    data = raw(name)
    start, end = event_batches(data)[which]
    trace = read_exectrace(io.BytesIO(data[:start] + data[end:]), "app.trace", partial=True)
    assert sum(len(batch) for batch in trace.batches) > 10_000
    assert trace.lost.events or trace.lost.numbers
    assert any("were lost" in remark for remark in trace.remarks)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_that_was_cut_off_says_how_much_of_it_is_whole(name: str) -> None:
    data = raw(name)
    said = refusal(data[: len(data) // 2])
    assert "the program ended without stopping the trace" in said
    assert re.search(r"[\d,]+ events of \d+\.\d\d s before it can be read: --partial takes them", said)


@pytest.mark.parametrize("name", ["trees-go1.24", "orders-go1.25", "wordcount-go1.26"])
def test_of_a_recording_that_was_cut_off_everything_before_is_as_in_the_whole(name: str) -> None:
    data = raw(name)
    before = addresses_of(data[: len(data) // 2], partial=True)
    assert len(before) > 10_000
    assert before == addresses_of(data)[: len(before)]


def test_a_generation_without_tables_has_its_collections_all_the_same() -> None:
    data = raw("wordcount-go1.26")
    kind = np.frombuffer(events_of(data[: len(data) // 2], partial=True)[0], np.uint8)
    collections = kind[np.isin(kind, (Kind.GC_START, Kind.GC_END, Kind.FLUSH))].tolist()
    whole = np.frombuffer(events_of(data)[0], np.uint8)
    assert len(collections) > 3
    assert collections == whole[np.isin(whole, (Kind.GC_START, Kind.GC_END, Kind.FLUSH))].tolist()[: len(collections)]


def test_a_byte_that_starts_no_batch_is_named() -> None:
    data = raw("web-go1.27-p4")
    start, _ = event_batches(data)[3]
    assert f"byte {start}: byte 47 starts no batch" in refusal(data[:start] + b"\x2f" + data[start + 1 :])


def test_the_output_of_the_program_in_its_recording_is_told_as_that() -> None:
    data = raw("web-go1.27-p4")
    start, _ = event_batches(data)[3]
    said = refusal(data[:start] + b"stage 0 done, all is well\n" + data[start:])
    assert f"byte {start}: text stands here, 'stage 0 done, all is well': other output is mixed into the file" in said


def test_a_second_recording_behind_the_first_is_told_as_that() -> None:
    data = raw("trees-go1.24")
    assert f"byte {len(data)}: a second recording begins here" in refusal(data + data)


def test_the_first_of_two_recordings_in_a_file_is_taken() -> None:
    data = raw("trees-go1.24")
    assert events_of(data + data, partial=True) == events_of(data)


def with_odd_events(name: str) -> bytes:
    """A recording in which the end of a batch was written over."""
    data = bytearray(raw(name))
    _, end = event_batches(bytes(data))[1]
    data[end - 40 : end] = b"\x7f" * 40
    return bytes(data)


def test_an_event_that_no_release_has_is_named() -> None:
    assert "event 127 is not known, or cut off" in refusal(with_odd_events("trees-go1.24"))


def test_a_recording_with_odd_events_that_was_cut_off_too_is_told_as_both() -> None:
    data = with_odd_events("trees-go1.24")
    said = refusal(data[: len(data) // 2])
    assert "the recording was cut off" in said
    assert "before that: byte" in said


def test_what_stands_behind_an_odd_event_in_its_batch_is_left_out_and_the_rest_is_read() -> None:
    whole = len(addresses_of(raw("trees-go1.24")))
    trace = read_exectrace(io.BytesIO(with_odd_events("trees-go1.24")), "app.trace", partial=True)
    assert sum(np.count_nonzero(batch.kind & KIND_MASK == Kind.ALLOC) for batch in trace.batches) > 0.99 * whole
    assert trace.lost.batches == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_byte_is_read_or_refused_but_never_crashes(seed: int) -> None:
    data = bytearray(raw("trees-go1.24"))
    rng = np.random.default_rng(seed)
    data[int(rng.integers(16, len(data)))] ^= int(rng.integers(1, 256))
    try:
        for batch in read_exectrace(io.BytesIO(bytes(data)), "app.trace").batches:
            assert len(batch)
    except TraceError as error:
        assert str(error).startswith("app.trace: ")
