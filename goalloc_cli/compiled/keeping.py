"""Where compiled code is kept: in a folder that nobody else can write to, under a name that no stale code has.

Numba notices an edit in a function's own file only, not in the kernels that it calls and not in the constants that it takes
from other files. So the compiled code lives in a folder named by a hash of every source that its kernels can reach, of the
versions that compile them, and of the lengths of the tables that they are compiled for: any edit starts a new folder.

To load compiled code is to run it. So every level of that folder has to be this user's, or root's.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np

from goalloc_cli.compiled.compiling import compiling
from goalloc_cli.host.ending import undone_by

PACKAGE = Path(__file__).parent.parent

ALWAYS = ("errors", "compiled/*")
MODEL = ("model/**/*", "design/*", "results/*", "trace/*")
REACHED = {
    "compiled": (),
    "model": MODEL,
    "analyses": (
        *MODEL, "analyses/verify/*", "analyses/pace/*", "analyses/who/*", "analyses/pictures/*", "analyses/badevents",
        "analyses/births",
    ),
    "importers": ("importers/**/*", "native/*", "host/*", "trace/*", "design/*"),
    "exporters": ("exporters/*", "importers/**/*", "native/*", "host/*", "trace/*", "design/*"),
    "synth": ("synth/*", "host/*", "trace/*", "design/*"),
}
"""The sources that the kernels of a folder can import, by the folder's name; a test reads their imports."""

SUFFIX = ".code"
"""Of a file of compiled code."""
MOST_LINKS = 40
"""Links on one way, as in Linux."""


def reached(folder: str) -> list[Path]:
    """The sources that tell the kernels of a folder something."""
    return sorted({path for name in (*ALWAYS, *REACHED[folder]) for path in PACKAGE.glob(f"{name}.py")})


def fingerprint(folder: str) -> str:
    """A name for the compiled code of the kernels in a folder of sources (`REACHED`)."""
    limits = os.environ.get("GOALLOC_LIMITS", "")
    bounds = os.environ.get("NUMBA_BOUNDSCHECK", "")
    built_with = f"{version_of('numba')} {version_of('llvmlite')} {np.__version__} {sys.version} {limits} {bounds}"
    digest = hashlib.sha256(built_with.encode())
    for path in reached(folder):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{folder}-{digest.hexdigest()[:16]}"


def version_of(package: str) -> str:
    """What a package says of its version in its own file: `importlib.metadata` takes milliseconds to load."""
    found = find_spec(package)
    if found is not None and found.origin is not None:
        with suppress(OSError, UnicodeDecodeError):
            return Path(found.origin).with_name("_version.py").read_text()
    from importlib.metadata import version

    return version(package)


def cache_root() -> Path:
    """The user's cache folder for goalloc: $GOALLOC_CACHE, else $XDG_CACHE_HOME/goalloc, else ~/.cache/goalloc."""
    if named := os.environ.get("GOALLOC_CACHE"):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goalloc"
    except RuntimeError:  # no home folder
        return Path(tempfile.gettempdir(), f"goalloc-{os.getuid() if hasattr(os, 'getuid') else ''}")


@cache
def compiled_folder(folder: str) -> Path:
    """Where the compiled kernels of a folder of sources live."""
    return cache_root() / fingerprint(folder)


def is_compiled(folder: str) -> bool:
    """True where compiled kernels of a folder of sources were found from an earlier run."""
    return any(compiled_folder(folder).glob(f"*{SUFFIX}"))


@cache
def can_keep(folder: Path) -> bool:
    """Whether compiled code can be kept in a folder of ours; where it cannot, those who listen are told why."""
    try:
        for level in reversed([folder, *folder.parents]):
            if not level.exists():
                level.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "geteuid"):
            refuse_anothers(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        compiling.cannot_keep(error.filename or str(folder), error)
        return False
    return True


def refuse_anothers(folder: Path) -> None:
    """Raise PermissionError where someone else could put code into a folder, or another folder in its place."""
    at, rest, links = Path("/"), [*folder.absolute().parts[1:]], 0
    refuse_level(at, at.lstat())
    while rest:
        at = at.parent if rest[0] == ".." else at / rest[0]
        del rest[0]
        found = at.lstat()
        refuse_level(at, found)
        if not stat.S_ISLNK(found.st_mode):
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, "leads through too many links", str(at))
        target = at.readlink()
        rest = [*target.parts[target.is_absolute() :], *rest]
        at = Path("/") if target.is_absolute() else at.parent
    found = at.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "is not this user's alone", str(at))


def refuse_level(at: Path, found: os.stat_result) -> None:
    """Raise PermissionError where someone else owns or may write to one level, or could rename what is in it.

    In a folder like /tmp, with the sticky bit, nobody renames what is another's. Everyone may write "to" a link.
    """
    if found.st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, "belongs to someone else", str(at))
    if not stat.S_ISLNK(found.st_mode) and found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
        raise PermissionError(errno.EPERM, "others may write there", str(at))


@contextmanager
def open_for_write(path: str) -> Iterator[BinaryIO]:
    """A file of compiled code, written whole or not at all: what numba's own does, but for signals."""
    temporary = Path(f"{path}.{os.urandom(8).hex()}.tmp")
    with undone_by(lambda: temporary.unlink(missing_ok=True)):
        try:
            with temporary.open("wb") as file:
                yield file
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
