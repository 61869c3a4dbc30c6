"""How much of the processors the collector took, cycle by cycle, and where it was too much."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Share:
    """One cycle. None where the text does not tell times."""

    gc_cpu_ns: int
    span_ns: int | None
    """From the end of the cycle before to the end of this one."""
    share: float | None
    """Of all Ps in that time."""
    share_of_ten: float | None
    """The same of this cycle and the nine before it."""
    is_above: bool
    """Whether more was live than this cycle's goal, in the whole MiB that Go prints."""


@dataclass
class Pressure:
    """All cycles of a text, in its order, and what stands out in the run with most of them."""

    shares: list[Share] = field(default_factory=list)
    whole: float | None = None
    last_minute: float | None = None
    last_ten: float | None = None
    began: int | None = None
    """The cycle (its place in the text) from which on every ten cycles took much, up to the last or until it went away."""
    ended: int | None = None
    """The last such cycle."""
    above: list[int] = field(default_factory=list)
    """Places of the cycles in which more was live than the goal."""
    limited: list[int] = field(default_factory=list)
    """Those of them whose goal left hardly any room above what lived before: a memory limit has set it, or a tiny GOGC."""
    worst: list[int] = field(default_factory=list)
    """Places of the ten cycles that took the greatest share, the greatest first."""
