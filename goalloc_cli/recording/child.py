"""Runs the program that is recorded, and stands aside: its output, its exit code and Ctrl-C are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from goalloc_cli.recording.command import Recorded, with_setting
from goalloc_cli.recording.errors import RecordingError

SIGNAL_EXIT = 128
"""A program that ended by signal n exits with this plus n, as in a shell."""


def run(command: Recorded, to_stderr: bool, environ: Mapping[str, str]) -> int:
    """Run it to its end; return its exit code. `to_stderr` sends its output to the standard error.

    Args:
        environ: what its environment has beside ours.

    Raises:
        RecordingError: it ended without an error, but wrote no trace.
        FileNotFoundError, PermissionError: there is no such program.
    """
    before = state(command.trace)
    code = build(command.args, {**environ, "GODEBUG": with_setting(os.environ.get("GODEBUG", ""))}, to_stderr)
    if not code and state(command.trace) in (None, before):
        raise RecordingError(
            f"{command.name} ended well, but wrote no trace to {command.trace}: does it start and stop one "
            "(runtime/trace), and is this the file?"
        )
    return code


def build(args: Sequence[str], environ: Mapping[str, str], to_stderr: bool = False) -> int:
    """Run a command that records nothing to its end; return its exit code."""
    stdout = sys.stderr if to_stderr else None
    with subprocess.Popen(args, env={**os.environ, **environ}, stdout=stdout) as child, passing_on(child):
        code = child.wait()
    return code if code >= 0 else SIGNAL_EXIT - code


def was_written(command: Recorded) -> bool:
    return bool(state(command.trace))


def state(path: Path) -> tuple[int, int] | None:
    """What tells whether a file was written again; None where there is nothing in it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_mtime_ns, found.st_size) if found.st_size else None


@contextmanager
def passing_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C and kill are for the child: it may stop its trace then, and we are to read it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not from_terminal():  # the terminal has told the child already
            child.send_signal(number)

    def terminate(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    old = signal.signal(signal.SIGINT, interrupt), signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old[0])
        signal.signal(signal.SIGTERM, old[1])


def from_terminal() -> bool:
    """Whether Ctrl-C on our terminal reaches us, and so the child as well."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except (OSError, AttributeError):
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
