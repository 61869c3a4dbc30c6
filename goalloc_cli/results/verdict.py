"""How exactly the model reproduces a recording, as `analyses.verify` found it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One kind of decision or figure: how many were right."""

    right: int = 0
    total: int = 0
    first_wrong: str = ""
    """The first case that went wrong, in words; empty where none did."""
    mean_error: float | None = None
    max_error: float | None = None
    """Relative errors, where a case is a figure."""

    @property
    def percent(self) -> float | None:
        """Right cases in per cent; None where there was none to judge."""
        return 100.0 * self.right / self.total if self.total else None


@dataclass(frozen=True)
class Verdict:
    """The score of one recording."""

    trace_name: str
    go_version: str
    gomaxprocs: int
    design_name: str
    events: int
    cycles: int
    seconds: float
    """That verifying took."""
    duration_ns: int
    """Of the recording."""
    rows: dict[str, Row]
    hints: dict[str, int]
    """What was taken from the recording, and how often."""
    own_sweeper: bool
    notes: list[str] = field(default_factory=list)
