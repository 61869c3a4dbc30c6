"""What a program would have done under another GOGC and GOMEMLIMIT."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from goalloc_cli.results.outcome import Outcome

OFF = -1
"""GOGC=off."""
DOUBTFUL, THRASHING = 0.50, 0.35
"""Where a memory limit leaves less room than this, by marked bytes, it is doubtful what the runtime does; and it is the
runtime's limiter of the GC's CPU time that decides."""
MOST_OFF = 0.10
"""How far the first row may be off where advice is given."""


@dataclass(frozen=True)
class Setting:
    """GOGC in percent, OFF for none; and GOMEMLIMIT in bytes, None for none."""

    gogc: int
    memory_limit: int | None = None

    def __str__(self) -> str:
        gogc = "off" if self.gogc == OFF else str(self.gogc)
        return f"GOGC={gogc}" + ("" if self.memory_limit is None else f" GOMEMLIMIT={self.memory_limit}")


@dataclass(frozen=True)
class Case:
    """When cycles start and end, as shares of the way from the marked heap to the goal; a trace does not tell how long
    marking takes."""

    name: str
    trigger_share: float
    """Kept within the pacer's own bounds."""
    end_share: float
    """0: marking takes no allocation."""
    black: tuple[int, ...] = ()
    """Bytes that the program allocates while marking, of one cycle after the other; whatever the goal."""
    end_goals: float = 0.0
    """Where marking ends at the earliest, as a multiple of the goal,"""
    end_ns: int = 0
    """and in time: the program's own, without the collector's (analyses/pace/clock.py)."""
    every: int = 1
    """Of so many cycles one waits for that time."""


BEST = Case("best", 1.0, 0.0)
"""As late as can be, and marking takes nothing: what GODEBUG=gcstoptheworld=1 does."""
EARLY = Case("early", 0.0, 0.0)
"""As early as can be, and marking takes nothing."""
MOST_PAST = 1.1
"""So far beyond its goal the pacer lets a heap grow before assists do all that is left. (Go: mgcpacer.go, maxOvershoot)"""
WAITS_NS = 20_000_000
"""So long the program may run before marking has its turn and comes to its end: two slices. (Go: proc.go, forcePreemptNS)"""
BLACK = Case("black", 0.0, 1.0, end_goals=MOST_PAST)
"""As early as can be, and marking lasts until the goal is passed by as much as the pacer allows: most floating garbage."""
WAITS = Case("waits", 0.0, 0.0, end_ns=WAITS_NS)
"""As early as can be, and in every cycle marking waits for a core while the program runs. No program has it so in all its
cycles: this is for the ends of the ranges of collections and memory alone."""
AT_TIMES = Case("at times", 0.0, 0.0, end_ns=WAITS_NS, every=8)
"""One cycle of some waits. By what it spreads the heap, a memory limit lowers the goals of all that come behind it: for the
same ends of ranges, under a limit. (Go: mgcpacer.go, memoryLimitHeapGoal)"""
AS_RECORDED = Case("recorded", 1.0, 0.0)
"""While a cycle marks, the program allocates what it allocated then in the recording."""
BRACKET = (BEST, EARLY, BLACK, WAITS)


@dataclass(frozen=True)
class Figures:
    """What came of one setting in one case. Bytes where nothing else is said."""

    num_gc: int
    """Those that the program asked for included."""
    peak_heap_inuse: int
    heap_sys: int
    """At the end, when it is highest."""
    peak_mapped: int
    """The most that was mapped and not given back: what the memory limit sees."""
    peak_stacks: int
    marked: int
    """By all cycles together."""
    scan_work: int
    """Bytes of objects with pointers, and of globals, that all cycles together scanned."""
    goals: tuple[int, int]
    """The least and the highest goal of a cycle."""
    room: float | None
    """What the goal left above the marked heap, by that heap: the median; under a limit, of the cycles that it ruled. None
    without such cycles."""
    own: int
    """Cycles that the pacer started."""
    limited: int
    """Of them, those whose goal the memory limit set, and those with the least goal that there is."""
    at_minimum: int
    ended: bool
    """False where it was broken off: the limit left no room, and collections followed each other without end."""


@dataclass(frozen=True)
class Prediction:
    """One setting, in each case."""

    setting: Setting
    cases: dict[str, Figures]
    overshoot: int = 0
    """What the program allocated at most while a recorded cycle marked."""

    @property
    def usual(self) -> dict[str, Figures]:
        """Without the cases in which cycles wait."""
        return {name: figures for name, figures in self.cases.items() if name not in (WAITS.name, AT_TIMES.name)}

    def span(self, name: str) -> tuple[int, int]:
        """The lowest and the highest of a figure, of the cases that came to an end."""
        ended = [figures for figures in self.cases.values() if figures.ended]
        values = [int(getattr(figures, name)) for figures in ended or self.cases.values()]
        return min(values), max(values)

    @property
    def peak_heap_inuse(self) -> tuple[int, int]:
        """The lowest and the highest."""
        return self.passed("peak_heap_inuse")

    @property
    def peak_mapped(self) -> tuple[int, int]:
        """The same of what is mapped and not given back."""
        return self.passed("peak_mapped")

    @property
    def usual_peak_mapped(self) -> int:
        """The most that is mapped where marking never has to wait. Settings are compared by this: where it has to, the
        heap depends on the program alone."""
        return replace(self, cases=self.usual).peak_mapped[1]

    @property
    def usual_peak_heap_inuse(self) -> int:
        """The same of HeapInuse."""
        return replace(self, cases=self.usual).peak_heap_inuse[1]

    def passed(self, name: str) -> tuple[int, int]:
        """The ends of a figure of memory. Of the usual cases the highest is passed by all that the program allocated while a
        recorded cycle marked, for any cycle may start late; where each waits, that is in the case itself."""
        low, high = self.span(name)
        usual = replace(self, cases=self.usual).span(name)[1]
        return low, max(high, usual + (self.overshoot if self.first.own else 0))

    @property
    def first(self) -> Figures:
        """The case with the least garbage."""
        return next(iter(self.cases.values()))

    @property
    def room(self) -> float | None:
        """That of the case with the least garbage."""
        return self.first.room

    @property
    def ruler(self) -> str:
        """Who sets the goal of most cycles: "GOGC", "limit" or "minimum"."""
        figures = self.first
        off = self.setting.gogc == OFF and self.setting.memory_limit is not None
        if off or 2 * figures.limited > figures.own or not figures.ended:
            return "limit"
        return "minimum" if 2 * figures.at_minimum > figures.own else "GOGC"

    @property
    def zone(self) -> str:
        """ "thrashing" where no figure can be trusted, "doubtful" near it, else who rules."""
        if not self.first.ended or (self.ruler == "limit" and self.room is not None and self.room < THRASHING):
            return "thrashing"
        broken_off = not all(figures.ended for name, figures in self.cases.items() if name != WAITS.name)
        if broken_off or (self.ruler == "limit" and self.room is not None and self.room < DOUBTFUL):
            return "doubtful"
        return self.ruler


@dataclass(frozen=True)
class Observed:
    """What the recorded pacer did."""

    gogc: int | None
    """As its goals tell; None where they fit no one GOGC."""
    scanned_beside: int
    """Bytes of stacks and globals that count into the goal."""
    num_gc: int
    asked_for: int
    """Of them, by the program."""
    trigger_share: float | None
    """How far from the marked heap to the goal cycles started and ended: medians; None where nothing tells."""
    end_share: float | None
    black: tuple[int, ...]
    """Bytes that the program allocated while each cycle marked."""
    resolution: float | None
    """Bytes allocated between cycles by bytes live at their ends, the median: how finely deaths are known."""
    last_is_swept: bool
    """Whether all that died before the last cycle is known."""
    cpu_seconds: float | None
    """How long mark workers and assists ran, on Ps, in all cycles together; None where nothing tells."""
    cpu_ns_per_byte: tuple[float, float] | None
    """The same by byte marked: the lower and the upper quartile of the cycles."""


@dataclass(frozen=True)
class Advice:
    """What to set for a budget, or why nothing can be said."""

    budget: int
    prediction: Prediction | None
    refused: str = ""


@dataclass(frozen=True)
class Pacing:
    """All of it."""

    recorded: Outcome
    """The recording, replayed as it was."""
    observed: Observed
    setting: Setting | None
    """What the recording was made under, as far as it is known."""
    check: Prediction | None
    """That setting predicted, with the tracer's own memory."""
    base: Prediction | None
    """The same without: what GC work is compared with."""
    predictions: list[Prediction]
    tracer_bytes: int
    """Live memory of the tracer, which is left out of all but the first."""
    deaths: int
    """Whose moment was drawn."""
    drawn_at_end: int
    """Of these, after the last cycle that tells."""
    advice: Advice | None = None
    traced_ns_per_byte: tuple[float, float] | None = None
    """CPU time of the collector by byte marked, of a gctrace: the lower and the upper quartile of its cycles."""
    notes: list[str] = field(default_factory=list)

    @property
    def cpu_ns_per_byte(self) -> tuple[float, float] | None:
        """CPU time of the collector by byte marked: of a run without tracing where there is one, else of the recording."""
        return self.traced_ns_per_byte or self.observed.cpu_ns_per_byte

    @property
    def off(self) -> float | None:
        """How far the first row is off: collections or the peak of HeapInuse, whichever is worse, as a share."""
        if self.check is None:
            return None
        return max(
            beyond(self.check.span("num_gc"), self.observed.num_gc, 1),
            beyond(self.check.peak_heap_inuse, self.peak, 0),
        )

    @property
    def peak(self) -> int:
        """HeapInuse of the recording at its peak."""
        return int(self.recorded.peak["heap_inuse"][0])


def beyond(span: tuple[int, int], real: int, slack: int) -> float:
    """How far what was lies outside of a range, as a share of it; `slack` is forgiven."""
    low, high = span
    outside = max(low - slack - real, real - high - slack, 0)
    return outside / max(real, 1)
