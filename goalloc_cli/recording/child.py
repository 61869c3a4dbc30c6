"""Runs the program that is recorded, and stands aside: its output, its exit code and Ctrl-C are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from goalloc_cli.errors import RecordingError
from goalloc_cli.host.ending import taken_by
from goalloc_cli.recording.command import Recorded, with_setting

SIGNAL_EXIT = 128
"""A program that ended by signal n exits with this plus n, as in a shell."""
LAST_SECONDS = 1.5
"""How long a program that was told to end may take: it may have a trace to stop."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    was_killed: bool
    """It did not end when it was told to."""
    wrote: bool
    """It wrote a trace."""


def run(command: Recorded, to_stderr: bool, environ: Mapping[str, str]) -> Ended:
    """Run it to its end. `to_stderr` sends its output to the standard error.

    Args:
        environ: what its environment has beside ours.

    Raises:
        RecordingError: it ended without an error, but wrote no trace.
        FileNotFoundError, PermissionError: there is no such program.
    """
    before = state(command.trace)
    godebug = {"GODEBUG": with_setting(os.environ.get("GODEBUG", ""))}
    code, was_killed = ended(command.args, {**environ, **godebug}, to_stderr)
    wrote = state(command.trace) not in (None, before)
    if not code and not wrote:
        raise RecordingError(
            f"{command.name} ended well, but wrote no trace to {command.trace}: does it start and stop one "
            "(runtime/trace), and is this the file?"
        )
    return Ended(code, was_killed, wrote)


def build(args: Sequence[str], environ: Mapping[str, str], to_stderr: bool = False) -> int:
    """Run a command that records nothing to its end; return its exit code."""
    return ended(args, environ, to_stderr)[0]


def ended(args: Sequence[str], environ: Mapping[str, str], to_stderr: bool) -> tuple[int, bool]:
    """The exit code of a command, and whether it had to be killed; its environment has `environ` beside ours."""
    passing = Passing(alone=not from_terminal())
    stdout, group = sys.stderr if to_stderr else None, 0 if passing.alone else None
    with taken_by(passing.take), subprocess.Popen(
        args, env={**os.environ, **environ}, stdout=stdout, process_group=group
    ) as child:
        passing.to(child)
        code = child.wait()
        passing.done()
    return (code if code >= 0 else SIGNAL_EXIT - code), passing.was_killed


def state(path: Path) -> tuple[int, ...] | None:
    """What tells whether a file was written again; None where there is nothing in it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size) if found.st_size else None


@dataclass
class Passing:
    """Passes signals on to a program: it may stop its trace then, and we are to read it. Then it has to end."""

    alone: bool
    """The terminal tells it nothing. It leads a process group: what it has started is told as well, as by a terminal."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = field(default_factory=list)
    """Signals that came before it was there."""
    killer: threading.Timer | None = None
    was_killed: bool = False

    def take(self, number: int) -> None:
        """A signal has come."""
        if self.child is None:
            self.early.append(number)
            return
        if self.alone or number != signal.SIGINT:  # else the terminal has told the child already
            self.send(number)
        if self.killer is None:
            self.killer = threading.Timer(LAST_SECONDS, self.kill)
            self.killer.daemon = True
            self.killer.start()

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """The program is there."""
        self.child = child
        while self.early:
            self.take(self.early.pop())

    def kill(self) -> None:
        """It was told, and goes on."""
        self.was_killed = True
        self.send(signal.SIGKILL)

    def done(self) -> None:
        """The program has ended; what it started and left behind was told to end as well."""
        if self.killer is None:
            return
        self.killer.cancel()
        if self.alone:
            self.send(signal.SIGKILL)

    def send(self, number: int) -> None:
        """Send it to the program and, where it leads a group, to all of it; whoever is no more is left alone."""
        assert self.child is not None
        with suppress(OSError):
            if self.alone:
                os.killpg(self.child.pid, number)
            else:
                self.child.send_signal(number)


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
