"""Which releases can have printed the numbers, and how those give memory back."""

from __future__ import annotations

from collections.abc import Iterator

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import RELEASES
from goalloc_cli.design.sizeclass import size_classes
from goalloc_cli.results.memstats import Moment


def lazily(moment: Moment, version: str | None) -> bool | None:
    """Whether this Go gives memory back by MADV_FREE, so that RSS goes on counting it; None where releases differ."""
    if version is not None and number(version) < number(next(iter(RELEASES))):
        return False
    ways = {bool(design.release_lazily) for design in possible(moment, version)}
    return ways.pop() if len(ways) == 1 else None


def possible(moment: Moment, version: str | None) -> Iterator[Design]:
    """The designs of all releases that have what the numbers hold."""
    sizes = {size for size, *_ in moment.by_size}
    for name, design in RELEASES.items():
        if version is not None and number(version) != number(name):
            continue
        if moment.since is not None and number(name) < number(moment.since):
            continue
        if sizes <= {0, *(c.size for c in size_classes(design))}:
            yield design


def number(version: str) -> int:
    """The 14 of "go1.14.1"."""
    second = version.removeprefix("go").split(".")[1:2]
    digits = "".join(c for c in (second or ["0"])[0] if c.isdecimal())
    return int(digits[:4] or 0)
