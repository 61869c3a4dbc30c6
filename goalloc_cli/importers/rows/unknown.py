"""Fields that no row has: they are skipped, and told once each, with what was meant perhaps."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from reprlib import repr as brief
from typing import Any

from goalloc_cli.importers.rows.fields import FIELDS

OTHER_FIELDS = (
    "pointer_bytes", "file", "function", "line", "caller", "entry", "creator", "task", "region", "runtime"
)  # fmt: skip
"""Fields of rows that are no events: they bring an entry of a table."""
KNOWN = FIELDS.keys() | set(OTHER_FIELDS)

MEANT = {
    "address": "addr", "bytes": "size", "cpu": "p", "event": "op", "kind": "op", "length": "size", "noscan": "pointers",
    "proc": "p", "ptr": "addr", "time": "ns", "timestamp": "ns",
}  # fmt: skip
"""What others call our fields."""

MOST_TOLD = 8
MOST_REMEMBERED = 64
"""More names than these are looked at in each row anew: memory is bounded."""


class UnknownFields:
    """Remembers which fields are not known, and tells of each once."""

    def __init__(self, unit: str) -> None:
        """`unit` is what rows are counted in."""
        self.remarks: list[str] = []
        self._unit = unit
        self._met: set[str] = set()

    def of_row(self, names: Iterable[Any], where: int) -> list[str]:
        """Those of a row's names that were not met before, as far as they are remembered."""
        new = [name for name in names if name not in KNOWN and name not in self._met]
        new = [name for name in new if isinstance(name, str)][: MOST_REMEMBERED - len(self._met)]
        for name in new:
            self._met.add(name)
            if len(self._met) <= MOST_TOLD:
                self.remarks.append(self._told(name, where))
            elif len(self._met) == MOST_TOLD + 1:
                self.remarks.append("More fields are not known, and were skipped.")
        return new

    def _told(self, name: str, where: int) -> str:
        near = MEANT.get(name.lower()) or next(iter(get_close_matches(name.lower(), FIELDS, 1)), None)
        meant = f"; is {near!r} meant?" if near else "."
        return f"The field {brief(name)} (first in {self._unit} {where}) is not known, and was skipped{meant}"
