"""Writes a file whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from goalloc_cli.host.ending import undone_by

T = TypeVar("T")

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write fails with where there is no more room."""
REMOVALS = 3
"""Tries to remove a folder: a file may come to it meanwhile, once."""


def write_file(path: str | Path, force: bool, writer: Callable[[BinaryIO], T]) -> T:
    """Let `writer` write to a temporary file beside `path`, then rename it; return what `writer` returns.

    "-" is the standard output. An existing file is kept unless `force`: raise FileExistsError. A pipe or a
    device is written to as it is.
    """
    if str(path) == "-":
        result = writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return result
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        _refuse_anothers_link(path)
        with path.open("wb") as device:
            return writer(device)
    _refuse_existing(path, force)
    temporary = path.with_name(f".goalloc-{secrets.token_hex(8)}.tmp")
    with undone_by(lambda: temporary.unlink(missing_ok=True)):
        file = temporary.open("xb")  # exclusive: it never follows a link that sits at this name
        try:
            with file:
                result = writer(file)
            _put(temporary, path, force)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if error.errno in FULL:
                raise OSError(error.errno, f"{error.strerror}; nothing was written: make room", path) from error
            raise
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return result


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder of our own that does not outlive the block, however it ends."""
    folder = Path(tempfile.gettempdir(), f"goalloc-{secrets.token_hex(8)}")
    with undone_by(lambda: _remove(folder)):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, which another thread may still be writing to."""
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _put(temporary: Path, path: Path, force: bool) -> None:
    """Give the whole file its name. Without `force`, a file that someone else has made meanwhile is kept."""
    _refuse_existing(path, force)
    if not force:
        try:
            os.link(temporary, path)
        except FileExistsError:
            _refuse_existing(path, force)
            raise
        except OSError:  # no hard links here
            pass
        else:
            temporary.unlink()
            return
    temporary.replace(path)


def _refuse_anothers_link(path: Path) -> None:
    """Raise PermissionError for a link to a device or pipe that is neither ours nor the system's."""
    if path.is_symlink() and path.lstat().st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, "is a link that someone else left here; name another file", str(path))


def _refuse_existing(path: Path, force: bool) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; name a file")
    if not force and os.path.lexists(path):
        raise FileExistsError(f"{path}: exists already; choose another name, or pass --force to replace it")
