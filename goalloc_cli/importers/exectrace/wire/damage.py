"""What a recording that breaks off, or contradicts itself, owes it to; and what helps.

Go's own tracer breaks the recordings of programs whose goroutine stacks grow while an event is written: an event that is
written on such a stack lets another one go through the same buffer, which is then queued twice. Copies of whole batches
are harmless; where the queue was tied in a knot, bytes stand where a batch should (runtime/traceallocfree.go,
runtime/traceruntime.go: stackalloc traces as well).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from goalloc_cli.errors import TraceError

KILLED = "the recording was cut off: the program ended without stopping the trace, or the file was cut short"
SET_GODEBUG = (
    "set GODEBUG=traceallocfree=1 in the environment of the recorded program (Go 1.23 or later) and record it again"
)
TRACER_BUG = (
    "Go's tracer loses events where goroutine stacks grow while it writes (recordings of what goalloc record builds are "
    "whole: docs/recording.md)"
)
MENDED = "It was made with a mended runtime, which should have kept it whole: please report it"
ANOTHER = re.compile(rb"go 1\.\d+ trace\0")
TEXT = re.compile(rb"[\t\r\n\x20-\x7e]{12,}")
SHOWN = 40
"""Bytes of a foreign text that are quoted."""


class Break(NamedTuple):
    """Where a recording ends before its end."""

    at: int
    """Byte."""
    why: str

    def __str__(self) -> str:
        return f"byte {self.at}: {self.why}"


class DamageError(TraceError):
    """A batch that cannot be: the recording ends where it begins."""


def what_stands_there(data: bytes, copies: int) -> str:
    """What bytes are that start no batch, of which `data` are the first; `copies`: batches that stood twice before."""
    if ANOTHER.match(data):
        return "a second recording begins here: what is behind it is not read; split the file here to read that one"
    text = TEXT.match(data)
    if text:
        line = text[0][:SHOWN].decode("ascii").strip().splitlines() or [""]
        return f"text stands here, {line[0]!r}: other output is mixed into the file; write the trace to a file of its own"
    twice = f", as it does where batches stand in the file twice ({copies} before this)" if copies else ""
    return f"byte {data[0]} starts no batch: the file is damaged, or {tracer_died(twice)}"


def tracer_died(twice: str = "") -> str:
    """The bug of Go's tracer, in words."""
    return f"{TRACER_BUG}{twice}"
