"""A figure of a document: its name, its unit, and how it is got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Value = int | float | None
"""None where the document does not tell."""


@dataclass(frozen=True)
class Figure:
    """One figure. `get` may raise KeyError, IndexError or TypeError where a document lacks it: then it is not told."""

    key: str
    """For machines and rules: "peak_HeapInuse"."""
    name: str
    """For people: "HeapInuse at the peak"."""
    unit: str
    """"bytes", "count", "share" (0..1), "percent" (0..100) or "ns"."""
    get: Callable[[Document], Value]
    asked: str = ""
    """The report that has to be asked for, so that a document tells it."""
    range: Callable[[Document], tuple[int, int]] | None = None
    """Of what is bounded only: the least and the most that it may be."""

    def of(self, document: Document) -> Value:
        """The value, None where the document does not tell."""
        try:
            return self.get(document)
        except (KeyError, IndexError, TypeError):
            return None

    def bounds(self, document: Document) -> tuple[int, int] | None:
        """The least and the most that it may be; None where it is exact, or the document does not tell."""
        try:
            return None if self.range is None else self.range(document)
        except (KeyError, IndexError, TypeError):
            return None


@dataclass(frozen=True)
class Owned:
    """Figures of which there is one for each name in a document: rules choose one by NAME[WHICH]."""

    key: str
    """"live"."""
    name: str
    """With a place for the name: "live bytes of {}"."""
    unit: str
    values: Callable[[Document], Mapping[str, Value]]
    rest: Value = None
    """The value of a name that the document does not have: 0 where it lists all of them."""
    asked: str = ""
    """As of a figure."""

    def of(self, document: Document) -> Mapping[str, Value]:
        """The value of each name; none where the document does not tell."""
        try:
            return self.values(document)
        except (KeyError, IndexError, TypeError):
            return {}


@dataclass(frozen=True)
class Catalogue:
    """What a kind of document tells."""

    figures: tuple[Figure, ...]
    short: Mapping[str, str]
    """Names that people use for a key: "HeapInuse" is "peak_HeapInuse"."""
    owned: tuple[Owned, ...] = ()

    def find(self, name: str) -> Figure | None:
        """The figure that people call `name`: by its key, by a short name, or the one at the end."""
        by_key = {plain(figure.key): figure for figure in self.figures}
        asked = plain(name)
        short = {plain(word): plain(key) for word, key in self.short.items()}
        return by_key.get(asked) or by_key.get(short.get(asked, "")) or by_key.get(f"end_{asked}")

    def find_owned(self, name: str) -> Owned | None:
        """The figures that people call `name`, one for each of something."""
        return next((owned for owned in self.owned if plain(owned.key) == plain(name)), None)

    @property
    def names(self) -> list[str]:
        """All that a rule may name, the short names first."""
        return list(dict.fromkeys([*self.short, *(figure.key.removeprefix("end_") for figure in self.figures)]))


def plain(name: str) -> str:
    """A name as it is compared: "free-slots" is "free_slots", "heapinuse" is "HeapInuse"."""
    return name.strip().replace("-", "_").replace(" ", "_").lower()
