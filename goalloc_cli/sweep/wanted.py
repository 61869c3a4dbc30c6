"""A design as it was asked for, before a trace says which release is its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from goalloc_cli.trace.chosen import Classes

Setting = tuple[int, int | None]
"""GOGC in percent, -1 for off; and GOMEMLIMIT in bytes, None for off."""


@dataclass(frozen=True)
class Wanted:
    """One column of a sweep: every trace is replayed, or predicted, under it."""

    name: str
    go: str | None = None
    """The release; None for each trace's own."""
    knobs: tuple[str, ...] = ()
    """KNOB=VALUE each."""
    classes: Classes | None = None
    """Size classes in place of the release's."""
    called: str = ""
    """What they are called."""
    setting: Setting | None = None
    """What to predict, as `goalloc pace` does; None: the trace is replayed, collections where they were."""

    base: bool = False
    """The model's own sweeper decides, though the recording's hints may fit: what what-ifs are to be held against."""

    def plain(self) -> dict[str, Any]:
        """What goes over the wire: text, numbers, lists."""
        lists = {"knobs": [*self.knobs], "setting": None if self.setting is None else [*self.setting]}
        return {**asdict(self), **lists, "classes": None if self.classes is None else [[*each] for each in self.classes]}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Wanted:
        """What came over it."""
        classes = plain["classes"]
        setting = plain["setting"]
        return cls(
            plain["name"],
            plain["go"],
            tuple(plain["knobs"]),
            None if classes is None else tuple((int(size), int(npages)) for size, npages in classes),
            plain["called"],
            None if setting is None else (setting[0], setting[1]),
            bool(plain["base"]),
        )

    @property
    def allocator(self) -> tuple[object, ...]:
        """What designs share that differ in their setting alone."""
        return self.go, self.knobs, self.classes, self.base
