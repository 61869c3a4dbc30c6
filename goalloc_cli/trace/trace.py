"""What a trace is: a header, then batches of events, read once from front to back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from goalloc_cli.trace.event import Batch
from goalloc_cli.trace.lost import Lost

RECORDED = ("", "sizes", "sizes and stacks")


@dataclass(frozen=True)
class Header:
    """What is known of a recording before its first event."""

    go_version: str = "1.27"
    """The release whose allocator made the recording, as far as it is known ("1.26" may be 1.26 or 1.27)."""
    goarch: str = "amd64"
    gomaxprocs: int = 1
    page_size: int = 8192
    sizes: str = "requested"
    """"requested": every size is what the program asked for. "slot": sizes are read off the slots; those flagged
    BOUND are the largest request that takes the slot."""
    recorded: str = ""
    """What a mended runtime wrote of each allocation, of `RECORDED`; "" where it wrote nothing."""
    source: str = "synthetic"
    """What the trace was made from: "execution trace", "synthetic", ..."""
    from_start: bool = True
    """False where events before the first one are missing, so that totals are relative to it."""
    heap_base: int = 0
    """Lowest address of the recorded heap, 0 where it is not known (then the design's own base is used)."""
    hints: bool = False
    """True where the trace tells how far sweeping was, which mcaches were flushed, and the manual spans."""
    witnesses: bool = False
    """True where the trace holds the addresses that the real runtime chose."""
    owners: bool = False
    """True where the trace tells who allocates (WORKS_FOR)."""
    knobs: tuple[tuple[str, int], ...] = ()
    """Knobs of the release's design that the recorded program set otherwise (GOGC) or that its objects call for."""
    notes: tuple[str, ...] = ()
    """What the importer repaired or doubts, a sentence each: shown with every report."""
    extra: dict[str, object] = field(default_factory=dict)
    """Keys of a newer minor version, kept and written again."""

    def with_notes(self, *notes: str) -> Header:
        """The same header with more notes."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True)
class Trace:
    """A header and the events that follow. `batches` can be walked once; a trace is not held in memory."""

    name: str
    """Where it came from: a path, or "-" for the standard input."""
    header: Header
    batches: Iterator[Batch]
    size_bytes: int | None = None
    """Length of the input in bytes, where it is known: for progress."""
    events: int | None = None
    """Number of events, where it is known before reading: for progress."""
    remarks: list[str] = field(default_factory=list)
    """What shows only while the batches are walked, a sentence each: that the trace was cut short."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Bad events that were left out of the batches walked so far: how many, by what is wrong (`badevents`)."""
    lost: Lost = field(default_factory=Lost)
    """What is missing of the recording, as far as the batches have been walked."""
