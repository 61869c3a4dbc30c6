"""Writing a file: whole or not at all."""

from __future__ import annotations

import os
import sys
import threading
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import pytest

from goalloc_cli.host.sink import write_file


def hello(file: BinaryIO) -> int:
    return file.write(b"hello")


def test_a_file_is_written_and_the_writers_answer_returned(tmp_path: Path):
    assert write_file(tmp_path / "new", False, hello) == 5
    assert (tmp_path / "new").read_bytes() == b"hello"


def test_an_existing_file_is_kept(tmp_path: Path):
    (tmp_path / "old").write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="old: exists already; choose another name, or pass --force"):
        write_file(tmp_path / "old", False, hello)
    assert (tmp_path / "old").read_bytes() == b"precious"


def test_an_existing_file_is_replaced_when_forced(tmp_path: Path):
    (tmp_path / "old").write_bytes(b"precious")
    write_file(tmp_path / "old", True, hello)
    assert (tmp_path / "old").read_bytes() == b"hello"


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path):
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "new", False, lambda _: (tmp_path / "new").write_bytes(b"precious"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("new", b"precious")]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]):
    (tmp_path / "old").write_bytes(b"precious")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(error):
        write_file(tmp_path / "old", True, fail)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old", b"precious")]


def test_the_umask_decides_who_may_read_the_file(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "new", False, hello)
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".goalloc-guessed.tmp").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "new", False, hello)
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_file(tmp_path / "pipe", False, hello)
    reader.join()
    assert got == [b"hello"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        write_file(tmp_path, True, hello)


def test_a_dash_is_the_standard_output(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=BytesIO()))
    write_file("-", False, hello)
    assert sys.stdout.buffer.getvalue() == b"hello"
