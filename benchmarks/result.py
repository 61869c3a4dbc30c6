"""One line of the table: what was measured, what was hoped for, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """At most, or at least, so many of a unit."""

    value: float
    unit: str
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.value:,g} {self.unit}"

    def verdict(self, measured: float) -> str:
        """Whether it is met, or by how much it is missed."""
        met = measured >= self.value if self.at_least else measured <= self.value
        return "met" if met else f"missed by {abs(measured / self.value - 1):.0%}"


@dataclass(frozen=True)
class Result:
    """What one row came to."""

    what: str
    measured: float | None
    unit: str
    target: Target | None = None
    note: str = ""
    """How it was measured, or why it was not."""
    details: dict[str, object] = field(default_factory=dict)
    """All runs, for machines."""

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        return self.target.verdict(self.measured) if self.target else ""

    def cells(self) -> tuple[str, ...]:
        measured = "" if self.measured is None else f"{shown(self.measured)} {self.unit}"
        return self.what, str(self.target or ""), measured, self.verdict, self.note

    def document(self) -> dict[str, object]:
        return {
            "what": self.what,
            "target": self.target
            and {"value": self.target.value, "at_least": self.target.at_least, "unit": self.target.unit},
            "measured": self.measured,
            "unit": self.unit,
            "verdict": self.verdict,
            "note": self.note,
            "details": self.details,
        }


HEADINGS = ("what", "target", "measured", "", "how")


def skipped(what: str, why: str, target: Target | None = None) -> Result:
    return Result(what, None, "", target, why)


def shown(value: float) -> str:
    """Three figures, or all those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(results: list[Result]) -> str:
    """A Markdown table, its columns aligned."""
    rows = [HEADINGS, *(result.cells() for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
