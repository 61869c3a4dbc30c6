"""Which traces: files, globs, URLs of any kind that fsspec knows, and lists of them."""

from __future__ import annotations

import csv
import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goalloc_cli.errors import USAGE, ToldError, TraceError
from goalloc_cli.host.source import read_whole

MOST_LIST = 1 << 30
"""Bytes of a list."""
COLUMN = "trace"
"""The column of a CSV that names traces."""
TAGS = ("etag", "ETag", "md5Hash", "md5", "crc32c", "mtime", "LastModified", "last_modified", "updated")
"""What storage tells of the state of a file, best first, by the names that fsspec's file systems have for it."""
PASSWORD = re.compile(r"(?<=://)[^/@]*@")


class InputsError(ToldError):
    """A name that is none of a trace."""

    code = USAGE


@dataclass(frozen=True)
class Input:
    """One trace."""

    name: str
    """As it was named, without a password."""
    place: str
    """Its absolute path, or its URL: what a worker opens."""
    size: int | None = None
    """Bytes, where they are known without opening it."""
    tag: str | None = None
    """Tells this state of the file from a later one; None: not looked at yet."""


def listed(words: tuple[str, ...]) -> list[Input]:
    """Every trace that the words of a command line name, each once.

    Raises:
        InputsError: a word names nothing.
        TraceError, OSError: a list cannot be read.
    """
    found: dict[str, Input] = {}
    for word in words:
        for each in named(word):
            found.setdefault(each.place, each)
    return [*found.values()]


def named(word: str) -> Iterator[Input]:
    """The traces that one word names."""
    if word.startswith("@"):
        for name in lines_of(word[1:]):
            yield of_url(name) if is_url(name) else of_file(name)
    elif is_url(word):
        yield from of_urls(word)
    elif glob.has_magic(word) and not Path(word).exists():
        # Not Path.glob: that takes a pattern under a folder, and leaves the leading dots of a name in.
        names = sorted(name for name in glob.glob(word, recursive=True) if Path(name).is_file())  # noqa: PTH207
        if not names:
            raise InputsError(f"{word}: no file is named so")
        yield from map(of_file, names)
    elif not Path(word).exists():
        raise InputsError(f"{word}: No such file or directory")
    elif not Path(word).is_file():
        raise InputsError(f"{word}: is no file; name its traces, such as '{Path(word) / '*.msgpack'}'")
    else:
        yield of_file(word)


def is_url(word: str) -> bool:
    return "://" in word


def lines_of(path: str) -> list[str]:
    """What a list names: a line each, # begins a comment; or the column `trace` of a CSV."""
    try:
        text = read_whole(path, MOST_LIST).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: this list of traces is no text (byte {error.start})") from None
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    head = next(csv.reader(lines[:1]), [])
    if COLUMN in head:
        at = head.index(COLUMN)
        rows = list(csv.reader(lines[1:]))
        lines = [row[at].strip() for row in rows if len(row) > at and row[at].strip()]
    if not lines:
        raise InputsError(f"{path}: this list names no trace; it has one a line, or is a CSV with a column {COLUMN!r}")
    return lines


def of_file(name: str) -> Input:
    """A file of this machine, or of a file system that the workers have too."""
    place = str(Path(name).absolute())
    try:
        size, tag = state_of(place)
    except OSError:  # of a list: its row will tell
        return Input(name, place)
    return Input(name, place, size, tag)


def of_url(url: str) -> Input:
    return Input(shown(url), url)


def of_urls(pattern: str) -> Iterator[Input]:
    """What a URL names, or all URLs that a pattern does."""
    if not glob.has_magic(pattern.partition("://")[2]) or pattern.startswith(("http://", "https://")):
        yield of_url(pattern)
        return
    import fsspec

    try:
        files, path = fsspec.url_to_fs(pattern)
        found = files.glob(path, detail=True)
    except (ImportError, ValueError) as error:  # a kind of storage without its package, or that there is none of
        raise InputsError(f"{shown(pattern)}: {error}") from None
    infos = [info for _, info in sorted(found.items()) if info.get("type") != "directory"]
    if not infos:
        raise InputsError(f"{shown(pattern)}: nothing is named so")
    for info in infos:
        url = files.unstrip_protocol(info["name"])
        yield Input(shown(url), url, *state_in(info))


def state_of(place: str) -> tuple[int | None, str]:
    """The size of a trace and the tag of its state; raise OSError, or what its file system raises."""
    if not is_url(place):
        status = Path(place).stat()
        return status.st_size, f"{status.st_size}-{status.st_mtime_ns}"
    import fsspec

    files, path = fsspec.url_to_fs(place)
    return state_in(files.info(path))


def state_in(info: dict[str, Any]) -> tuple[int | None, str]:
    """The same, of what fsspec tells of a file."""
    size = info.get("size")
    tag = next((str(info[name]) for name in TAGS if info.get(name)), "")
    return size, f"{size}-{tag}"


def shown(url: str) -> str:
    """A URL without user and password."""
    return PASSWORD.sub("", url)
