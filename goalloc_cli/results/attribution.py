"""Which change of the allocator changed which figure, as `analyses.attribution` found it."""

from __future__ import annotations

from dataclasses import dataclass, field

Values = tuple[int, ...]
"""One value for each figure that is looked at."""


@dataclass(frozen=True)
class Part:
    """One change, or several that only make an allocator together."""

    knobs: tuple[str, ...]
    change: Values
    """What it changes of each figure. All parts together are the whole change."""
    first: Values | None = None
    """What it changes if it is made first; None where others have to be made before it."""
    last: Values | None = None
    """What it changes if it is made last."""
    group: int = 0
    """Parts of one group change what another of them does; those of different groups do not."""


@dataclass(frozen=True)
class Attribution:
    """A change from one allocator to another, part by part."""

    before: Values
    after: Values
    parts: list[Part] = field(default_factory=list)
    replays: int = 0
    """Different allocators that were tried."""
    sampled: bool = False
    """Whether some group was too large to try all orders."""

    @property
    def change(self) -> Values:
        return tuple(b - a for a, b in zip(self.before, self.after, strict=True))

    @property
    def remainder(self) -> Values:
        """What no part is credited with."""
        sums = [sum(values) for values in zip(*(part.change for part in self.parts), strict=True)]
        return tuple(all_of - told for all_of, told in zip(self.change, sums or [0] * len(self.before), strict=True))
