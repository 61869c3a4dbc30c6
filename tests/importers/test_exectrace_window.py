"""Recordings are read a generation at a time: what comes out is that of the whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from goalloc_cli.errors import TraceError
from goalloc_cli.host.source import Bytes, open_source
from goalloc_cli.importers.exectrace import read as exectrace
from goalloc_cli.importers.exectrace import reader as exectrace_reader
from goalloc_cli.importers.exectrace.infer.late import follow_window, new_late, split_moves
from goalloc_cli.importers.exectrace.infer.next import NextSweeps
from goalloc_cli.importers.exectrace.read import read_exectrace
from goalloc_cli.importers.exectrace.slots import window as exectrace_window
from goalloc_cli.importers.exectrace.wire import scan as exectrace_scan
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.event import COLUMNS
from goalloc_cli.trace.trace import Trace
from tests.importers.test_exectrace import SEVERAL, raw


def columns(trace: Trace) -> dict[str, bytes]:
    """All events of a trace, and the types and names that they use, whatever batches they come in."""
    batches = list(trace.batches)
    found = {name: b"".join(getattr(batch, name).tobytes() for batch in batches) for name in COLUMNS}
    types = [info for batch in batches for info in batch.new_types]
    names = [name for batch in batches for name in batch.new_names]
    return found | {"tables": repr((types, names)).encode()}


def in_windows(ahead: int, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, bytes], int]:
    """The recording of several generations with so many events read ahead; and the longest window."""
    lengths = []

    class Measured(exectrace_window.Window):
        def append(self, columns: dict[str, NDArray[Any]], order: NDArray[np.int32]) -> None:
            super().append(columns, order)
            lengths.append(len(self))

    monkeypatch.setattr(exectrace_reader, "Window", Measured)
    monkeypatch.setattr(exectrace, "AHEAD", ahead)
    found = columns(read_exectrace(io.BytesIO(raw(SEVERAL)), SEVERAL))
    return found, max(lengths)


def test_how_much_of_a_recording_is_in_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, all_events = in_windows(1 << 40, monkeypatch)
    in_parts, most = in_windows(2000, monkeypatch)
    assert most < all_events
    assert in_parts == whole


class Shorter:
    """A window of twelve events that dropped all before place 8, but for 1 and 5."""

    carried = 2
    dropped = np.array([-1, 0, -1, -1, -1, 1, -1, -1, 2, 3, 4, 5], np.int32)

    def __len__(self) -> int:
        return 6


def test_what_is_known_of_late_allocs_moves_with_the_window() -> None:
    places = np.arange(12, dtype=np.int32)
    late = new_late(spans=2, ms=1, ps=1)._replace(before=places - 1, position=places.copy(), moved=places % 6 == 5)
    late.last[:], late.refilled[:], late.preempted[0] = (10, 3), 9, (7, 8)
    late = follow_window(late, Shorter(), by=6, until=8)  # type: ignore[arg-type]
    assert (late.last.tolist(), late.refilled.tolist(), late.preempted[0].tolist()) == ([4, 0], [3], [7, 2])
    assert late.before[:6].tolist() == [-1, -1, 1, 2, 3, 4]
    assert late.position[:6].tolist() == [-5, -1, 2, 3, 4, 5]
    assert late.moved[:6].tolist() == [False, True, False, False, False, True]


def test_an_alloc_that_was_written_where_it_belongs_is_not_written_again_at_its_own_place_in_a_later_window() -> None:
    found = np.array([(7, 3, 0), (12, 5, 0), (13, 9, 0)])
    written, waiting = split_moves(np.array([6, 14]), found, found, until=8)
    assert (sorted(written.tolist()), waiting.tolist()) == ([12, 14], [[13, 9, 0]])


def test_what_is_told_of_the_next_sweep_moves_with_the_window_but_for_objects_that_are_gone() -> None:
    sweeps = NextSweeps()
    sweeps.told = np.array([(3, 1), (9, 5), (9, 2), (10, 11)])
    sweeps.follow_window(Shorter(), by=6, until=8)  # type: ignore[arg-type]
    assert sweeps.told.tolist() == [[3, 1], [4, 5]]


def test_a_plain_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "app.trace"
    file.write_bytes(raw(SEVERAL))
    monkeypatch.setattr(exectrace_scan, "PIECE", 70_000)
    assert columns(open_trace(file)) == columns(read_exectrace(io.BytesIO(raw(SEVERAL)), SEVERAL))


def test_a_file_that_becomes_shorter_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "app.trace"
    file.write_bytes(raw(SEVERAL))
    monkeypatch.setattr(exectrace, "AHEAD", 2000)
    trace = open_trace(file)
    file.write_bytes(b"")
    with pytest.raises(TraceError, match="it was changed while it was read"):
        list(trace.batches)


def test_a_file_that_is_overwritten_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "app.trace"
    data = raw(SEVERAL)
    file.write_bytes(data)
    monkeypatch.setattr(exectrace, "AHEAD", 2000)
    trace = open_trace(file)
    with file.open("r+b") as same:
        same.seek(len(data) // 2)
        same.write(bytes(range(1, 256)) * (len(data) // 2 // 255))
    with pytest.raises(TraceError, match="were changed while the file was read"):
        list(trace.batches)


def test_reading_ahead_goes_on_in_its_own_file_when_the_stream_is_closed(tmp_path: Path) -> None:
    file, other = tmp_path / "app.trace", tmp_path / "other.trace"
    file.write_bytes(b"right" * 99)
    other.write_bytes(b"wrong" * 99)
    source = open_source(file)
    ahead = Bytes(source.stream, "app.trace")
    source.close()
    with other.open("rb"):
        assert ahead.piece(0, 5) == b"right"
