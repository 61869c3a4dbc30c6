"""How a command ends: the exit codes, and what goes wrong with inputs rather than with goalloc, each with its code.

All are told in one line. `cli.py` alone turns them into an exit.
"""

from __future__ import annotations

FINE, UNEXPECTED, USAGE, MALFORMED, CONTRADICTION, CROSSED = range(6)
"""Exit codes; beside them INTERRUPTED (`host/ending.py`). CROSSED: a limit that `--fail-on` names."""


class ToldError(Exception):
    """Says what is wrong, where, and what to do, for the user of the command line."""

    code = UNEXPECTED


class DesignError(ToldError, ValueError):
    """A knob or release that does not exist, or a value that no allocator can have."""

    code = USAGE


class TraceError(ToldError):
    """The input cannot be read as what it claims to be."""

    code = MALFORMED


class TruncatedTrace(TraceError):  # noqa: N818 (it names what the input is)
    """The input ends before its own end. The whole `chunks` and `events` before that have been handed on."""

    def __init__(self, message: str, chunks: int = 0, events: int = 0) -> None:
        super().__init__(message)
        self.chunks = chunks
        self.events = events


class ReplayError(ToldError):
    """The recording contradicts the model, or outgrows it; the message names the event."""

    code = CONTRADICTION


class EventError(ToldError):
    """The trace has no such event; the message says how many there are."""

    code = USAGE


class RecordingError(ToldError, OSError):
    """A program, a server or a toolchain does not do what a recording needs."""
