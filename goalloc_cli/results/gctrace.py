"""The lines of a gctrace text, as `importers.gctrace` found them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Collection:
    """One line of gctrace. Sizes are whole MiB, rounded down, as Go prints them. None: that release does not print it."""

    run: int
    """Which program it was, where the text holds the lines of several."""
    number: int
    start_ns: int | None
    """Since the start of the program, to the millisecond."""
    cpu_percent: int | None
    """Of the time since the start of the program, what the collector took."""
    sweep_termination_ns: int
    mark_ns: int
    mark_termination_ns: int
    """The three phases; the world is stopped in the first and the last."""
    stopped_cpu_ns: int
    """Processor time of the phases in which the world is stopped."""
    assist_cpu_ns: int
    background_cpu_ns: int
    idle_cpu_ns: int
    start_bytes: int
    end_bytes: int
    live_bytes: int | None
    goal_bytes: int | None
    """What the heap was to be at the end of this cycle; the cycle before has set it."""
    stack_bytes: int | None
    globals_bytes: int | None
    procs: int
    forced: bool
    """By runtime.GC."""
    periodic: bool = False
    """Because there was none for two minutes."""

    @property
    def gc_cpu_ns(self) -> int:
        """Processor time that the program could have had: without that of idle Ps."""
        return self.stopped_cpu_ns + self.assist_cpu_ns + self.background_cpu_ns

    @property
    def pause_ns(self) -> int:
        return self.sweep_termination_ns + self.mark_termination_ns


@dataclass(frozen=True)
class Release:
    """One line of the scavenger."""

    run: int
    after: int
    """Number of the last collection printed before it."""
    background_bytes: int | None
    """Given back since the line before; all of it, where the release does not tell it apart. None for scvg lines."""
    eager_bytes: int | None
    released_bytes: int
    """Given back to the operating system now (until Go 1.13: to the MiB)."""
    utilisation: float | None
    """HeapInuse as a share of the heap that has not been given back."""
    forced: bool
    """By debug.FreeOSMemory."""
    inuse_bytes: int | None = None
    idle_bytes: int | None = None
    sys_bytes: int | None = None
    consumed_bytes: int | None = None
    """What scvg lines tell beside it, to the MiB: HeapInuse, HeapIdle, HeapSys, and HeapSys without what is released."""


@dataclass(frozen=True)
class Pace:
    """What gcpacertrace tells of one cycle, to the byte."""

    run: int
    number: int
    utilisation: float | None
    """Of all Ps while marking, by workers and assists; None where Go printed no number."""
    wanted_utilisation: float | None
    work_bytes: int
    expected_work_bytes: int | None
    trigger_bytes: int
    end_bytes: int
    goal_bytes: int
    marked_before_bytes: int | None
    cons_mark: float | None
    """Allocating against marking, in processor time for each byte (since 1.18)."""
    assist_ratio: float | None = None
    """Work that an allocated byte owed, at the start of the cycle."""
    workers: int = 0


@dataclass
class Scan:
    """What marking scanned of one size class, all collections together (gctrace=2)."""

    elem_size: int
    """0 for large objects."""
    objects_alone: int = 0
    """Scanned one by one."""
    objects_in_spans: int = 0
    """Found by spans (Green Tea), then scanned one by one."""
    objects_dense: int = 0
    """Scanned a whole span at once."""


@dataclass
class GCTrace:
    """All that was found in a text."""

    name: str
    size_bytes: int | None
    collections: list[Collection] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    scans: dict[int, Scan] = field(default_factory=dict)
    lines: int = 0
    paces: list[Pace] = field(default_factory=list)
    torn: int = 0
    """Lines of gctrace that other output tore apart, or that were cut off."""
    first_torn: str = ""
    other: int = 0
    """Lines that tell of Go and of no cycle: "GC forced", "scvg: 0 MB released", a pacer's start."""
    runs: int = 0
