"""Writes a file whole or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")


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
        with path.open("wb") as device:
            return writer(device)
    _refuse_existing(path, force)
    temporary = path.with_name(f".goalloc-{secrets.token_hex(8)}.tmp")
    file = temporary.open("xb")  # exclusive: it never follows a link that sits at this name
    try:
        with file:
            result = writer(file)
        _refuse_existing(path, force)  # someone else may have made it meanwhile
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return result


def _refuse_existing(path: Path, force: bool) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; name a file")
    if not force and os.path.lexists(path):
        raise FileExistsError(f"{path}: exists already; choose another name, or pass --force to replace it")
