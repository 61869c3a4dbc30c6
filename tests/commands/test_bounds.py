"""Files that stand beside a trace are bounded: a device, or a pipe without an end, is one line, at once."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from goalloc_cli import cli
from goalloc_cli.errors import TraceError
from goalloc_cli.host import source
from goalloc_cli.host.source import Bytes, read_whole
from tests.kit.batches import SMALL, written

OPTIONS = {
    "--load-state": ("replay", "{trace}", "--load-state"),
    "--size-classes": ("replay", "{trace}", "--size-classes"),
    "--memstats": ("verify", "{trace}", "--memstats"),
    "--sizes": ("synth", "steady", "--events", "1000", "-o", os.devnull, "--sizes"),
}
"""Commands, up to the file that stands beside a trace."""


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, file: str) -> str:
    """The one line with which a file is refused."""
    trace = tmp_path / "small.msgpack"
    trace.write_bytes(written(SMALL))
    assert cli.run([*(word.format(trace=trace) for word in OPTIONS[option]), file]) in (2, 3)
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[str]:
    """A pipe from which zeros come for as long as someone reads."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        try:
            with pipe.open("wb") as file:
                while True:
                    file.write(bytes(1 << 16))
        except BrokenPipeError:
            return

    threading.Thread(target=write, daemon=True).start()
    yield str(pipe)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_device_is_refused(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "/dev/zero: is a device; name a file" in refused(tmp_path, capsys, option, "/dev/zero")


@pytest.mark.parametrize("option", OPTIONS)
def test_a_pipe_without_an_end_is_refused(
    option: str, endless: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(tmp_path, capsys, option, endless)
    assert "MiB, which no such file is" in said or "this saved state cannot be used: it is none" in said


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 100_000, b"9" * 6000 + b" 1"], ids=["text", "deep", "digits"])
def test_what_is_no_such_file_is_refused(
    content: bytes, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(content)
    said = refused(tmp_path, capsys, option, str(tmp_path / "file"))
    assert "unexpected" not in said
    assert len(said) < 400


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TraceError, match="longer than 1 MiB"):
        read_whole(str(tmp_path / "sparse"), 1 << 20)


def test_a_recording_that_has_to_be_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_HELD", 1 << 20)
    assert Bytes(io.BytesIO(bytes(1 << 20)), "-").length == 1 << 20
    with pytest.raises(TraceError, match="unpack it to a file"):
        Bytes(io.BytesIO(bytes((1 << 20) + 1)), "-")
