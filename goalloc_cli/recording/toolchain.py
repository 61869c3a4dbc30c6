"""The Go toolchain that a command uses, as it tells of itself; and the flags that it takes from the environment."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goalloc_cli.errors import RecordingError

FIELD = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^\s"']\S*))""")
PATIENCE = 600
"""Seconds that the go command may take to tell of itself: it may fetch the toolchain that a module asks for."""


@dataclass(frozen=True)
class Toolchain:
    """What `go env` says."""

    goroot: Path
    release: str
    """As Go says it: go1.27.3."""
    goflags: str
    folder: Path
    """Where the command works: paths in its flags begin here."""


def toolchain(go: str, folder: str | None) -> Toolchain:
    """Ask the go command, in the folder where it will work (-C, where it is not this one).

    Raises:
        RecordingError: it does not answer.
        FileNotFoundError, PermissionError: there is no such command.
    """
    where = ["-C", folder] if folder is not None else []
    try:
        told = subprocess.run(
            [go, "env", *where, "-json", "GOROOT", "GOVERSION", "GOFLAGS"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        env = json.loads(told.stdout)
        return Toolchain(Path(env["GOROOT"]), env["GOVERSION"], env["GOFLAGS"], Path(folder or ""))
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split()) or f"exit code {error.returncode}"
        raise RecordingError(f"{go} env fails: {said}") from None
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        raise RecordingError(f"{go} env does not answer as Go does") from None


def split(goflags: str) -> list[str]:
    """The flags in GOFLAGS; a whole flag may be quoted (cmd/internal/quoted, Split).

    Raises:
        ValueError: a quote is open.
    """
    found, at = [], 0
    goflags = goflags.strip()
    while at < len(goflags):
        field = FIELD.match(goflags, at)
        if field is None:
            raise ValueError(f"GOFLAGS: the quote in {goflags[at:].strip()} is not closed")
        found.append(next(group for group in field.groups() if group is not None))
        at = field.end()
    return found


def join(fields: Sequence[str]) -> str:
    """GOFLAGS of these flags.

    Raises:
        ValueError: a flag holds white space or begins with a quote, and has quotes of both kinds.
    """
    return " ".join(quoted(field) for field in fields)


def quoted(field: str) -> str:
    if field and not re.search(r"\s", field) and field[0] not in "'\"":
        return field
    for quote in "'\"":
        if quote not in field:
            return f"{quote}{field}{quote}"
    raise ValueError(f"GOFLAGS cannot hold {field}: it has blanks and quotes of both kinds")
